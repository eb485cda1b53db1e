"""Texts of documents by their number in an index, from the corpora that it was built from.

Documents are rows of row groups, which are decoded whole: numbers are asked in order, so that each group is
decoded once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from hemicycle.digests import sha256_text
from hemicycle.errors import IntegrityError
from hemicycle.trace import Index

_PLACE = ("corpus", "source", "file", "row_group")


def texts_of(index: Index, corpora: Sequence[Path], numbers: Iterable[int]) -> Iterator[tuple[int, str]]:
    """Yield (number, text) of documents, in the order of their numbers, each once.

    Raises:
        IntegrityError: a corpus is not the one that the index was built from.
    """
    place: tuple[object, ...] = ()
    group: pa.Table | None = None
    for number in sorted(set(numbers)):
        row = {name: index.documents[name][number].as_py() for name in (*_PLACE, "row", "id", "digest")}
        at = tuple(row[name] for name in _PLACE)
        path = corpora[row["corpus"]] / "kept" / row["source"] / f"{row['file']:05d}.parquet"
        try:
            if at != place or group is None:
                with pq.ParquetFile(path) as file:
                    group = file.read_row_group(row["row_group"], columns=["id", "text"])
                place = at
            document = group.slice(row["row"], 1).to_pylist()[0]
        except (OSError, pa.ArrowException, IndexError):
            document = {"id": None, "text": ""}
        if document["id"] != row["id"] or sha256_text(document["text"]) != row["digest"]:
            raise IntegrityError(
                f"document {row['id']!r} is not here as the index knows it",
                place=str(path),
                remedy="Use the corpus that the index was built from, or build the index anew.",
            )
        yield number, document["text"]
