"""Rows: where the tokens of each row stand.

Every token of a plan has an address: the corpora in the order of their names, the shards of each, their
tokens, all end to end. Documents of a stratum that stand next to one another are a segment; the segments of a
stratum, end to end, are its stream. A cutting is a stratum made into rows of one length in one way; its rows
have consecutive numbers. Rows of ``split`` are found by arithmetic on the stream, and all others are looked
up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hemicycle.errors import IntegrityError

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Spans:
    """Stretches of tokens in rows, in the order of the rows and of the places in them.

    Attributes:
        row: position, among the rows asked for, of the row that a span stands in.
        column: place in the row at which it begins.
        address: of its first token.
        tokens: how many; the last of a full row is only a target.
    """

    row: Integers
    column: Integers
    address: Integers
    tokens: Integers

    def part(self, which: npt.NDArray[Any]) -> Spans:
        return Spans(self.row[which], self.column[which], self.address[which], self.tokens[which])

    def apart(self, bounds: Integers) -> tuple[Spans, Integers]:
        """Spans cut at bounds between addresses (ascending, with both ends), and between which bounds each
        is: at `i` and `i` + 1."""
        span, at = _each(_holding(bounds, self.address), _holding(bounds, self.address + self.tokens - 1))
        address = self.address[span]
        start = np.maximum(address, bounds[at])
        stop = np.minimum(address + self.tokens[span], bounds[at + 1])
        cut = Spans(self.row[span], self.column[span] + start - address, start, stop - start)
        # Between equal bounds there is nothing.
        some = cut.tokens > 0
        return (cut, at) if some.all() else (cut.part(some), at[some])


class Rows:
    """The rows of a plan.

    Args:
        cuttings: as in the plan.
        segments: (2, S + 1) where each segment begins, in the line of all streams, and its address; the last
            column is the end of the line.
        pieces: (2, P) address and tokens of the pieces of rows that are not ``split``.
        bounds: first piece of each of these rows, and for each cutting the end of its last.
        documents: (D + 1,) address of each document, and the end of the last.
    """

    def __init__(
        self,
        cuttings: Sequence[Mapping[str, Any]],
        segments: Integers,
        pieces: Integers,
        bounds: Integers,
        documents: Integers,
    ) -> None:
        def column(name: str) -> Integers:
            return np.array([cutting[name] for cutting in cuttings], np.int64)

        self.count = sum(cutting["rows"] for cutting in cuttings)
        self._first, self._context = column("first_row"), column("context")
        self._begin, self._length = column("begin"), column("tokens")
        self._bound = column("first_bound")
        self._split = np.array([cutting["packing"] == "split" for cutting in cuttings], bool)
        self._segments, self._pieces, self._bounds = segments, pieces, bounds
        self.documents = documents

    @staticmethod
    def open(plan: Path, cuttings: Sequence[Mapping[str, Any]]) -> Rows:
        """The rows of a plan on disk; its arrays are mapped. Raises IntegrityError where one is cut off."""
        names = ("segments", "pieces", "bounds", "documents")
        return Rows(cuttings, *(read_array(plan / f"{name}.npy") for name in names))

    def cutting(self, rows: npt.NDArray[Any]) -> Integers:
        """Number of the cutting that each row is of."""
        return np.searchsorted(self._first, rows, side="right") - 1

    def spans(self, rows: npt.NDArray[Any]) -> Spans:
        """What stands in rows; a span has tokens that stand together, of one document or of several."""
        rows = rows.astype(np.int64)
        cutting = self.cutting(rows)
        split = self._split[cutting]
        if split.all():
            return self._split_spans(rows, cutting)
        if not split.any():
            return self._packed_spans(rows, cutting)
        found = []
        for which, spans in ((split, self._split_spans), (~split, self._packed_spans)):
            some = spans(rows[which], cutting[which])
            found.append(Spans(np.flatnonzero(which)[some.row], some.column, some.address, some.tokens))
        names = ("row", "column", "address", "tokens")
        both = Spans(*(np.concatenate([getattr(one, name) for one in found]) for name in names))
        return both.part(np.argsort(both.row, kind="stable"))

    def _split_spans(self, rows: Integers, cutting: Integers) -> Spans:
        context, begin = self._context[cutting], self._begin[cutting]
        place = begin + (rows - self._first[cutting]) * context
        end = np.minimum(place + context + 1, begin + self._length[cutting])
        line, addresses = self._segments
        row, segment = _each(_holding(line, place), _holding(line, end - 1))
        start = np.maximum(place[row], line[segment])
        stop = np.minimum(end[row], line[segment + 1])
        return Spans(row, start - place[row], addresses[segment] + start - line[segment], stop - start)

    def _packed_spans(self, rows: Integers, cutting: Integers) -> Spans:
        at = self._bound[cutting] + rows - self._first[cutting]
        first = self._bounds[at]
        row, piece = _each(first, self._bounds[at + 1] - 1)
        address, tokens = self._pieces[0][piece], self._pieces[1][piece]
        before = np.cumsum(tokens) - tokens
        firsts = np.flatnonzero(np.diff(row, prepend=-1))
        return Spans(row, before - before[firsts][row], address, tokens)

    def stretches(self, spans: Spans) -> tuple[Spans, Integers]:
        """Spans taken apart by document, and the number of the document of each."""
        return spans.apart(self.documents)

    def inputs(self, rows: npt.NDArray[Any]) -> tuple[Spans, Integers]:
        """What the model sees of each document in rows, and the document's number: a target is not seen."""
        found, document = self.stretches(self.spans(rows))
        context = self._context[self.cutting(rows)][found.row]
        tokens = np.minimum(found.column + found.tokens, context) - found.column
        seen = tokens > 0
        return Spans(found.row, found.column, found.address, tokens).part(seen), document[seen]

    def holding(self, document: int) -> Integers:
        """Numbers of the rows that hold tokens of a document as inputs, ascending."""
        begin, end = int(self.documents[document]), int(self.documents[document + 1])
        address, tokens = self._pieces
        piece = np.flatnonzero((address < end) & (address + tokens > begin))
        bound = np.searchsorted(self._bounds, piece, side="right") - 1
        found = [np.zeros(0, np.int64)]
        line, addresses = self._segments
        inside = (addresses[:-1] < end) & (addresses[:-1] + np.diff(line) > begin)
        places = [int(line[s] + begin - addresses[s]) for s in np.flatnonzero(inside)]
        for n, context in enumerate(self._context.tolist()):
            if not self._split[n]:
                rows = bound - self._bound[n]
                count = self._rows_of(n)
                found.append(np.unique(rows[(rows >= 0) & (rows < count)]) + self._first[n])
                continue
            for place in places:
                at = place - int(self._begin[n])
                if 0 <= at < self._length[n]:
                    last = min((at + end - begin - 1) // context, self._rows_of(n) - 1)
                    found.append(np.arange(at // context, last + 1) + self._first[n])
        return np.concatenate(found)

    def _rows_of(self, cutting: int) -> int:
        end = self._first[cutting + 1] if cutting + 1 < len(self._first) else self.count
        return int(end - self._first[cutting])


def read_array(path: Path) -> npt.NDArray[Any]:
    """Map an array from disk. Raises IntegrityError where it is cut off."""
    try:
        array: npt.NDArray[Any] = np.load(path, mmap_mode="r")
    except (ValueError, EOFError) as error:
        raise IntegrityError(
            f"the plan is cut off: {error}",
            place=str(path),
            remedy="Delete the plan's folder; `hemicycle train` makes it again.",
        ) from None
    # A plain view: slices of a memory map are slow to make.
    return array.view(np.ndarray)


def _holding(begins: Integers, places: Integers) -> Integers:
    """Number of the last stretch that begins at each place or before."""
    return np.searchsorted(begins, places, side="right") - 1


def _each(first: Integers, last: Integers) -> tuple[Integers, Integers]:
    """For each range of numbers, both ends included, its position and each number in it."""
    counts = last - first + 1
    owner = np.repeat(np.arange(len(counts)), counts)
    return owner, np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts - first, counts)
