"""Texts: the documents of the corpus behind the index, fetched when an excerpt of them is shown.

A document is one row of a row group, and a row group is decoded whole. The trap is to decode one for every
match: all documents of an answer are fetched together, group by group, and both groups and documents are
remembered up to a bound. Of a document only the words that are shown are cut again, from the nearest mark.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hemicycle.digests import sha256_text
from hemicycle.errors import IntegrityError
from hemicycle.trace.index import Index
from hemicycle.trace.shards import MARK_BITS, MARKED, MOST_SHARING
from hemicycle.trace.words import Offsets, word_bounds

_COLUMNS = ["id", "text", "digest", "origin", "parts", "title", "date", "licences"]

#: Bounds of what is remembered: open files, bytes of decoded row groups, characters of documents with the
#: bytes of their parts.
_OPEN_FILES = 64
_GROUP_BYTES = 256_000_000
_TEXTS = 32_000_000

#: Whose statement of a licence is shown, nearest to the text first.
_STATED_BY = ("file", "origin", "edition", "distributor")

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True)
class Text:
    """A document of the corpus.

    Attributes:
        text: as it stands in the corpus, cleaned.
        digest: of the text as it was collected.
        parts: StructArray of `hemicycle.documents.PART`.
    """

    text: str
    digest: str
    origin: str
    title: str | None
    date: str | None
    licence: str | None
    parts: pa.StructArray | None

    def part_at(self, start: int, end: int) -> dict[str, Any] | None:
        """The innermost part that holds characters `start` to `end`; failing that, the one they begin in."""
        if self.parts is None:
            return None
        starts, ends = (self.parts.field(name).to_numpy(zero_copy_only=False) for name in ("start", "end"))
        for last in (end, start + 1):
            holds = np.flatnonzero((starts <= start) & (ends >= last))
            if len(holds):
                part: dict[str, Any] = self.parts[int(holds[np.argmin((ends - starts)[holds])])].as_py()
                return part
        return None


class Texts:
    """The corpora of an index, in the order it was built from, opened. Safe to use from several threads."""

    def __init__(self, index: Index, corpora: Sequence[Path]) -> None:
        self._index = index
        self._kept = [corpus / "kept" for corpus in corpora]
        self._documents = index.documents
        self._files: _Recent[Path, pq.ParquetFile] = _Recent(_OPEN_FILES)
        self._groups: _Recent[tuple[Path, int], pa.Table] = _Recent(_GROUP_BYTES)
        self._texts: _Recent[int, Text] = _Recent(_TEXTS)
        self._lock = threading.Lock()

    def fetch(self, numbers: Iterable[int]) -> dict[int, Text]:
        """The documents of these numbers.

        Raises:
            IntegrityError: the corpus is not the one that the index was built from.
        """
        found = {}
        # Numbers in order visit each row group once, whatever the bound of the memory.
        for number in sorted(set(numbers)):
            # One by one: who wants a few does not wait for who wants thousands.
            with self._lock:
                text = self._texts.get(number)
                if text is None:
                    text = self._read(number)
                    parts = 0 if text.parts is None else text.parts.nbytes
                    self._texts.put(number, text, len(text.text) + parts)
            found[number] = text
        return found

    def each(self, numbers: Iterable[int]) -> Iterator[tuple[int, Text]]:
        """`fetch` of many, one by one in the order of their numbers."""
        for number in sorted(set(numbers)):
            yield number, self.fetch([number])[number]

    def bounds(self, number: int, text: str, first: int, last: int) -> tuple[Offsets, Offsets]:
        """Where words `first` to before `last` of a document stand in its text, in characters."""
        index = self._index
        if index.tokenizer is not None:
            _, starts, ends = index.tokenizer.read(text)
            return starts[first:last], ends[first:last]
        at, local = index.shard_of(number)
        shard = index.shards[at]
        assert shard.marks is not None
        begin = int(shard.offsets[local]) // shard.words.itemsize + 1
        marked = (begin + first) // MARKED
        while marked * MARKED > begin and int(shard.marks[marked]) >> MARK_BITS == MOST_SHARING:
            marked -= 1
        word = character = 0
        if marked * MARKED > begin:
            mark = int(shard.marks[marked])
            character = mark & (1 << MARK_BITS) - 1
            word = marked * MARKED - begin - (mark >> MARK_BITS)
        size = 16 * (last - word)
        while True:
            cut = text[character : character + size]
            starts, ends = word_bounds(cut)
            # The last word must have ended before the cut does, or more of it may follow.
            if character + size >= len(text) or (
                len(ends) >= last - word and ends[last - word - 1] < len(cut)
            ):
                return starts[first - word : last - word] + character, ends[
                    first - word : last - word
                ] + character
            size *= 2

    def _read(self, number: int) -> Text:
        document = self._documents.slice(number, 1).to_pylist()[0]
        if document["corpus"] >= len(self._kept):
            raise IntegrityError(
                f"the index was built from more corpora than the {len(self._kept)} given",
                remedy="Give all of them, in the same order.",
            )
        path = self._kept[document["corpus"]] / document["source"] / f"{document['file']:05d}.parquet"
        row = document["row"]
        try:
            group = self._group(path, document["row_group"])
            cells = {name: group[name][row] for name in _COLUMNS}
        except FileNotFoundError:
            raise IntegrityError(
                "the corpus that the index was built from is not here any more",
                place=str(path),
                remedy="Where it was deleted after a server was started, start the server again.",
            ) from None
        except (OSError, pa.ArrowException, IndexError):
            raise _another(document["id"], path) from None
        text = cells["text"].as_py()
        if cells["id"].as_py() != document["id"] or sha256_text(text) != document["digest"]:
            raise _another(document["id"], path)
        return Text(
            text=text,
            digest=cells["digest"].as_py(),
            origin=cells["origin"].as_py(),
            title=cells["title"].as_py(),
            date=cells["date"].as_py(),
            licence=_licence(cells["licences"].as_py() or []),
            parts=_copied(cells["parts"].values),
        )

    def _group(self, path: Path, number: int) -> pa.Table:
        group = self._groups.get((path, number))
        if group is None:
            file = self._files.get(path)
            if file is None:
                file = pq.ParquetFile(path)
                self._files.put(path, file, 1)
            if number >= file.num_row_groups:
                raise IndexError(number)
            # More threads would take longer to wake than the group takes.
            group = file.read_row_group(number, columns=_COLUMNS, use_threads=False)
            self._groups.put((path, number), group, group.nbytes)
        return group


def _copied(parts: pa.StructArray | None) -> pa.StructArray | None:
    """The same by itself: what a cell gives is a view, which keeps its whole row group in memory."""
    return None if parts is None else parts.take(pa.array(range(len(parts)), pa.int64()))


def _another(identity: str, path: Path) -> IntegrityError:
    return IntegrityError(
        f"document {identity!r} is not here as the index knows it",
        place=str(path),
        remedy="Use the corpus that the index was built from, or build the index anew.",
    )


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
