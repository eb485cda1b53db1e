"""Facts: what is known of a document besides its text: its right, and when a model read it.

Neither is stored in the index: rights change with the day, exposure belongs to a model. Both are joined by
document id once, when a tracer is opened, as arrays over the index's document numbers.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hemicycle.errors import InputError
from hemicycle.trace.index import Index

#: From the mildest to the most severe. A verdict that is not here counts as the last.
_SEVERITY = ("allow", "review", "deny")


_RIGHTS_COLUMNS = [
    "id",
    "jurisdiction",
    "use",
    "verdict",
    "basis",
    "rules",
    "licence",
    "explanation",
    "obligations",
]


@dataclass(frozen=True)
class Right:
    """Under which right a document was used to train: the most severe verdict over the jurisdictions.

    Attributes:
        basis: what the verdict rests on: a licence, the term of protection, both, none.
        licence: the expression relied on, in SPDX terms; of every OR the elected leg.
        explanation: key of the sentence that explains the verdict.
        obligations: of every use and jurisdiction.
    """

    verdict: str
    basis: str
    rule: str | None
    licence: str | None
    explanation: str | None
    jurisdiction: str | None
    obligations: tuple[str, ...]


#: Nothing is allowed because nothing is known.
NO_RIGHT = Right("deny", "none", None, None, None, None, ())


class Rights:
    """The rights tables of the sources, by document number.

    Args:
        folders: by source, the rights artefact (a folder with ``rights.parquet``) or the file itself.

    Raises:
        InputError: a table is missing or has other columns.
    """

    def __init__(self, index: Index, folders: Mapping[str, Path]) -> None:
        tables = [
            _read(_inside(path, "rights.parquet"), _RIGHTS_COLUMNS) for _, path in sorted(folders.items())
        ]
        self._rows = pa.concat_tables(tables) if tables else None
        if self._rows is not None:
            self._order, self._numbers = _by_document(index, self._rows["id"])

    def of(self, documents: Collection[int]) -> dict[int, Right]:
        """By document, the right to train on it, and the obligations of every use and jurisdiction."""
        if self._rows is None:
            return dict.fromkeys(documents, NO_RIGHT)
        asked = np.array(sorted(set(documents)), np.int64)
        first, last = (np.searchsorted(self._numbers, asked, side) for side in ("left", "right"))
        # At once: taking rows one by one costs more than all else of an answer.
        places = [self._order[a:b] for a, b in zip(first, last, strict=True)]
        rows = self._rows.take(np.concatenate([*places, self._order[:0]])).to_pylist()
        each = iter(rows)
        return {
            document: self._right(list(itertools.islice(each, len(at))))
            for document, at in zip(asked.tolist(), places, strict=True)
        }

    @staticmethod
    def _right(rows: list[dict[str, Any]]) -> Right:
        train = [row for row in rows if row["use"] == "train"]
        if not train:
            return NO_RIGHT
        worst = max(train, key=lambda row: _severity(row["verdict"]))
        return Right(
            verdict=worst["verdict"] if worst["verdict"] in _SEVERITY else "deny",
            basis=worst["basis"] or "",
            rule=", ".join(worst["rules"] or ()) or None,
            licence=worst["licence"],
            explanation=worst["explanation"],
            jurisdiction=worst["jurisdiction"],
            obligations=tuple(sorted({o for row in rows for o in row["obligations"] or ()})),
        )


class Steps(NamedTuple):
    """First and last optimiser step of a model that read a document."""

    model: str
    first: int
    last: int


class Exposure:
    """Which steps of a model read which document, from the model's ``exposure.parquet`` (or its folder)."""

    def __init__(self, index: Index, model: str, path: Path) -> None:
        self._model = model
        rows = _read(_inside(path, "exposure.parquet"), ["document", "first_step", "last_step"])
        order, numbers = _by_document(index, rows["document"])
        none = np.iinfo(np.int64).max
        self._first = np.full(index.documents.num_rows, none)
        self._last = np.full(index.documents.num_rows, -1)
        np.minimum.at(self._first, numbers, rows["first_step"].to_numpy()[order])
        np.maximum.at(self._last, numbers, rows["last_step"].to_numpy()[order])

    def of(self, document: int) -> Steps | None:
        """None where the model has not read the document (yet)."""
        if self._last[document] < 0:
            return None
        return Steps(self._model, int(self._first[document]), int(self._last[document]))


def _by_document(index: Index, ids: pa.ChunkedArray) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows of a table in the order of the index's documents, and the document of each; others left out."""
    found = pc.index_in(ids, value_set=index.documents["id"].combine_chunks())
    numbers = found.fill_null(-1).to_numpy().astype(np.int64)
    order = np.argsort(numbers, kind="stable")
    order = order[np.searchsorted(numbers[order], 0) :]
    return order, numbers[order]


def _read(path: Path, columns: list[str]) -> pa.Table:
    try:
        table = pq.read_table(path, columns=columns)
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"this table cannot be read: {error}", place=str(path)) from None
    missing = [name for name in columns if name not in table.column_names]
    if missing:
        raise InputError(f"the table has no column {', '.join(missing)}", place=str(path))
    return table.select(columns)


def _inside(path: Path, name: str) -> Path:
    return path / name if path.is_dir() else path


def _severity(verdict: str) -> int:
    return _SEVERITY.index(verdict) if verdict in _SEVERITY else len(_SEVERITY)
