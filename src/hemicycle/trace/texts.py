"""Texts: the documents of the corpus behind the index, fetched when an excerpt of them is shown.

A document is one row of a row group, and a row group is decoded whole. The trap is to decode one for every
match: all documents of an answer are fetched together, group by group, and both groups and documents are
remembered up to a bound.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hemicycle.digests import sha256_text
from hemicycle.errors import IntegrityError
from hemicycle.trace.index import Index
from hemicycle.trace.words import Offsets, word_bounds

_COLUMNS = ["id", "text", "origin", "parts", "title", "date", "licences"]

#: Bounds of what is remembered: bytes of decoded row groups, characters of documents.
_GROUP_BYTES = 256_000_000
_CHARACTERS = 32_000_000

#: Whose statement of a licence is shown, nearest to the text first.
_STATED_BY = ("file", "origin", "edition", "distributor")

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True)
class Text:
    """A document of the corpus with its words: characters `starts[i]` to `ends[i]` of `text`."""

    text: str
    starts: Offsets
    ends: Offsets
    origin: str
    title: str | None
    date: str | None
    licence: str | None
    parts: tuple[dict[str, Any], ...]
    part_starts: Offsets
    part_ends: Offsets

    def part_at(self, start: int, end: int) -> dict[str, Any] | None:
        """The innermost part that holds characters `start` to `end`; failing that, the one they begin in."""
        for last in (end, start + 1):
            holds = np.flatnonzero((self.part_starts <= start) & (self.part_ends >= last))
            if len(holds):
                innermost = int(holds[np.argmin((self.part_ends - self.part_starts)[holds])])
                return self.parts[innermost]
        return None


class Texts:
    """The corpora of an index, in the order it was built from, opened. Safe to use from several threads."""

    def __init__(self, index: Index, corpora: Sequence[Path]) -> None:
        self._kept = [corpus / "kept" for corpus in corpora]
        self._documents = index.documents
        self._groups: _Recent[tuple[Path, int], pa.Table] = _Recent(_GROUP_BYTES)
        self._texts: _Recent[int, Text] = _Recent(_CHARACTERS)
        self._lock = threading.Lock()

    def fetch(self, numbers: Iterable[int]) -> dict[int, Text]:
        """The documents of these numbers.

        Raises:
            IntegrityError: the corpus is not the one that the index was built from.
        """
        found = {}
        with self._lock:
            # Numbers in order visit each row group once, whatever the bound of the memory.
            for number in sorted(set(numbers)):
                text = self._texts.get(number)
                if text is None:
                    text = self._read(number)
                    self._texts.put(number, text, len(text.text))
                found[number] = text
        return found

    def _read(self, number: int) -> Text:
        document = self._documents.slice(number, 1).to_pylist()[0]
        if document["corpus"] >= len(self._kept):
            raise IntegrityError(
                f"the index was built from more corpora than the {len(self._kept)} given",
                remedy="Give all of them, in the same order.",
            )
        path = self._kept[document["corpus"]] / document["source"] / f"{document['file']:05d}.parquet"
        other = IntegrityError(
            f"document {document['id']!r} is not here as the index knows it",
            place=str(path),
            remedy="Use the corpus that the index was built from, or build the index anew.",
        )
        try:
            group = self._group(path, document["row_group"])
            row = group.slice(document["row"], 1).to_pylist()[0]
        except (OSError, pa.ArrowException, IndexError):
            raise other from None
        if row["id"] != document["id"] or sha256_text(row["text"]) != document["digest"]:
            raise other
        starts, ends = word_bounds(row["text"])
        parts = tuple(row["parts"] or ())
        return Text(
            text=row["text"],
            starts=starts,
            ends=ends,
            origin=row["origin"],
            title=row["title"],
            date=row["date"],
            licence=_licence(row["licences"] or []),
            parts=parts,
            part_starts=np.array([p["start"] for p in parts], np.int64),
            part_ends=np.array([p["end"] for p in parts], np.int64),
        )

    def _group(self, path: Path, number: int) -> pa.Table:
        group = self._groups.get((path, number))
        if group is None:
            with pq.ParquetFile(path) as file:
                if number >= file.num_row_groups:
                    raise IndexError(number)
                group = file.read_row_group(number, columns=_COLUMNS)
            self._groups.put((path, number), group, group.nbytes)
        return group


def _licence(stated: list[dict[str, str]]) -> str | None:
    by = {licence["stated_by"]: licence["expression"] for licence in reversed(stated)}
    return next((by[who] for who in (*_STATED_BY, *sorted(by)) if who in by), None)


class _Recent(Generic[K, V]):
    """Remembers what was used last, up to a total weight. The caller holds the lock."""

    def __init__(self, bound: int) -> None:
        self._bound, self._weight = bound, 0
        self._items: OrderedDict[K, tuple[V, int]] = OrderedDict()

    def get(self, key: K) -> V | None:
        if key not in self._items:
            return None
        self._items.move_to_end(key)
        return self._items[key][0]

    def put(self, key: K, value: V, weight: int) -> None:
        self._items[key] = (value, weight)
        self._weight += weight
        # What was put last stays even where it alone passes the bound: the next match often needs it.
        while self._weight > self._bound and len(self._items) > 1:
            self._weight -= self._items.popitem(last=False)[1][1]
