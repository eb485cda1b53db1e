"""Spans: the longest stretches of a text that stand, word for word, in the corpus.

A span is maximal: it cannot be made longer on either side and still be found. For every start the longest
match is found by binary search in the suffix array; a start whose match ends no further than an earlier one
lies inside it and is dropped.

Three traps. First, many spans begin inside a long match; stepping through it word by word compares the same
words again and again, which is quadratic when somebody asks for a whole novel. Whether a start reaches
beyond a given end is monotone in the start, so past a long match the next start is found by bisection.
Second, counting is dearer than finding, so only the spans that are kept are counted. Third, a text of
many short paragraphs has as many stretches as words, and a call of compiled code costs more than the search
of one, and holds up every other thread: all stretches are handed over at once.

Withdrawn documents stay in the arrays until the shard is built anew, and their suffixes are passed over: what
a text shares with a suffix grows no longer as one goes away from where the text would stand, so the first
suffix on either side that is not hidden is the nearest that may be told of. A bit a suffix says which are,
and counts of them beside it lead over as many as there may be in a row (`shards.Ranks`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from hemicycle.errors import DeclarationError
from hemicycle.kernels import kernel, scan
from hemicycle.progress import Bar
from hemicycle.trace.index import Index
from hemicycle.trace.query import Query, read_query
from hemicycle.trace.shards import U8, U32, U64, Integers, Numbers, Shard, keys

# Constants of the kernels; shards.py and vocabulary.py explain them.
_SAMPLED = 256
#: The key of a word that a shard does not hold, of 32 bits and of 16: that of no number in it.
_UNKNOWN_KEY, _UNKNOWN_NARROW = 0xFEFF_FFFF, 0xFEFF

#: A match longer than this is left by bisection, not word by word.
_LONG = 48

#: Starts that are searched between two reports of how far it is.
_REPORTED = 2**16


class Place(NamedTuple):
    """Ranks `first` to `last` (excluded) of a shard's suffix array: all occurrences of a span there, those
    in withdrawn documents among them."""

    shard: int
    first: int
    last: int


@dataclass(frozen=True)
class Span:
    """A stretch of the text asked about that stands in the corpus.

    Attributes:
        start, end: characters of the text asked about.
        first_word, words: the same in words.
        count: how often it stands in the corpus, withdrawn documents left out.
    """

    start: int
    end: int
    first_word: int
    words: int
    count: int
    places: tuple[Place, ...]


def find_spans(index: Index, text: str, min_words: int = 8) -> list[Span]:
    """All maximal spans of at least `min_words` words, in the order of the text. Nothing is left out."""
    return spans_of(index, read_query(index, text), min_words)


def spans_of(index: Index, query: Query, min_words: int, bar: Bar | None = None) -> list[Span]:
    """`find_spans` of a text already read; `bar` is told of its words."""
    if min_words < 1:
        raise DeclarationError(f"a span has at least one word, min_words is {min_words}")
    stretches = np.array(query.stretches, np.int64).reshape(-1, 2)
    stretches = stretches[stretches[:, 1] - stretches[:, 0] >= min_words]
    wanted = [_keys(ids, shard) for ids, shard in zip(query.ids, index.shards, strict=True)]
    done = _Done(bar, len(index.shards))
    found = [
        np.column_stack([rows, np.full(len(rows), number)])
        for number, shard in enumerate(index.shards)
        for rows in _shard_spans(shard, wanted[number], query, stretches, min_words, done)
    ]
    # What stretches are too short for was not searched.
    short = sum(last - first for first, last in query.stretches if last - first < min_words)
    done.add(short * len(index.shards))
    done.tell()
    rows = _outermost(np.concatenate([np.empty((0, 5), np.int64), *found]))
    places, shown = _places(index, wanted, rows)
    begins = np.flatnonzero(np.diff(rows[:, :2], axis=0, prepend=-1).any(axis=1))
    counts = np.add.reduceat(shown, begins).tolist() if len(begins) else []
    bounds = [*begins.tolist(), len(rows)]
    return [
        Span(
            start=int(query.starts[start]),
            end=int(query.ends[start + length - 1]),
            first_word=start,
            words=length,
            count=count,
            places=tuple(places[bounds[at] : bounds[at + 1]]),
        )
        for at, ((start, length), count) in enumerate(zip(rows[begins, 1:3].tolist(), counts, strict=True))
    ]


class _Done:
    """Words searched in one of so many shards, told in large steps: a window has few, and there are many."""

    def __init__(self, bar: Bar | None, shards: int) -> None:
        self._bar, self._shards, self._untold = bar, shards, 0

    def add(self, words: int) -> None:
        self._untold += words
        if self._untold >= _REPORTED:
            self.tell()

    def tell(self) -> None:
        if self._bar is not None:
            self._bar.advance(self._untold / self._shards)
        self._untold = 0


def occurrences(index: Index, span: Span, maximum: int) -> list[tuple[int, int]]:
    """Where a span stands: (document's number, word of that document), one of `places_of` a document."""
    found: dict[int, int] = {}
    for document, word in places_of(index, span, maximum):
        found[document] = min(word, found.get(document, word))
    return sorted(found.items())


def places_of(index: Index, span: Span, maximum: int) -> list[tuple[int, int]]:
    """Where a span stands: (document's number, word of that document).

    Where there are more than `maximum` occurrences, as many are looked at, evenly spread over the order of
    what follows the span: always the same ones.
    """
    step = max(1.0, span.count / maximum)
    chosen = np.array([int(i * step) for i in range(min(maximum, span.count))], np.int64)
    found: list[tuple[int, int]] = []
    passed = 0
    for number, first, last in span.places:
        shard = index.shards[number]
        begin, end = _before(*shard.ranks, first), _before(*shard.ranks, last)
        here = chosen[(chosen >= passed) & (chosen < passed + end - begin)] - passed
        ranks = [int(_rank_of(*shard.ranks, begin + one)) for one in here.tolist()]
        at = np.array([shard.places(rank, rank + 1)[0] for rank in ranks], np.int64)
        passed += end - begin
        documents = np.searchsorted(shard.offsets, (at * shard.words.itemsize).astype(np.uint64), "right") - 1
        before = (shard.offsets[documents] // np.uint64(shard.words.itemsize)).astype(np.int64) + 1
        documents = documents.astype(np.int64) + index.first_documents[number]
        found += zip(documents.tolist(), (at - before).tolist(), strict=True)
    return found


def _keys(ids: Numbers, shard: Shard) -> U32:
    """The keys of numbers as a shard has them; that of an unknown word is no other's."""
    return keys(ids.astype(np.uint16) if shard.words.itemsize == 2 else ids)


def _shard_spans(
    shard: Shard, wanted: U32, query: Query, stretches: Integers, min_words: int, done: _Done
) -> Iterator[Integers]:
    """Rows (stretch, start, length, rank) of the maximal spans of a shard, some at a time."""
    if not len(stretches):
        return
    state = np.array([0, stretches[0, 0], stretches[0, 0]])
    found = np.empty((min(_REPORTED, int((stretches[:, 1] - stretches[:, 0]).sum())), 4), np.int64)
    while state[0] < len(stretches):
        count, passed = _maximal(
            wanted,
            query.begins,
            query.closes,
            stretches,
            min_words,
            shard.words,
            shard.table,
            shard.width,
            shard.top,
            *shard.ranks,
            state,
            found,
        )
        done.add(passed)
        yield found[:count].copy()


def _outermost(rows: Integers) -> Integers:
    """Of rows (stretch, start, length, rank, shard), in order, those inside no other of their stretch."""
    rows = rows[np.lexsort((rows[:, 4], -rows[:, 2], rows[:, 1], rows[:, 0]))]
    ends = rows[:, 1] + rows[:, 2]
    # Stretches may overlap, and each is by itself.
    keys = rows[:, 0] * (ends.max(initial=0) + 1) + ends
    reached = np.maximum.accumulate(np.append(-1, keys))[:-1]
    longer = keys > reached
    # The same span of another shard reaches no further, and counts.
    group = np.cumsum(np.diff(rows[:, :3], axis=0, prepend=-1).any(axis=1)) - 1
    kept = np.zeros(len(rows), bool)
    kept[group[longer]] = True
    outermost: Integers = rows[kept[group]]
    return outermost


def _places(index: Index, wanted: Sequence[U32], rows: Integers) -> tuple[list[Place], Integers]:
    """Of each row all occurrences in its shard, and how many of them are shown.

    What a text says again and again is counted once: a suffix and a length say which span it is.
    """
    places: list[Place | None] = [None] * len(rows)
    shown = np.empty(len(rows), np.int64)
    for number, shard in enumerate(index.shards):
        mine = np.flatnonzero(rows[:, 4] == number)
        mine = mine[np.lexsort((rows[mine, 2], rows[mine, 3]))]
        new = np.diff(rows[mine][:, 2:4], axis=0, prepend=-1).any(axis=1)
        told = np.empty((int(new.sum()), 3), np.int64)
        _extents(
            wanted[number],
            rows[mine[new]],
            shard.words,
            shard.table,
            shard.width,
            *shard.ranks,
            told,
        )
        of_row = np.cumsum(new) - 1
        shown[mine] = told[of_row, 2]
        found = [Place(number, first, last) for first, last, _ in told.tolist()]
        for row, at in zip(mine.tolist(), of_row.tolist(), strict=True):
            places[row] = found[at]
    return cast("list[Place]", places), shown


@scan
def _key(words: Numbers, place: int) -> int:
    """A word with its bytes swapped."""
    word = np.uint32(words[place])
    if words.itemsize == 2:
        return ((word & 0xFF) << 8) | (word >> 8)  # type: ignore[return-value]
    high = ((word & 0xFF) << 24) | ((word & 0xFF00) << 8)
    return high | ((word >> 8) & 0xFF00) | (word >> 24)  # type: ignore[return-value]


@scan
def _place(table: U8, width: int, rank: int, itemsize: int) -> int:
    """The word at which the suffix of a rank begins."""
    pointer = 0
    for i in range(width - 1, -1, -1):
        pointer = (pointer << 8) | table[rank * width + i]
    return pointer // itemsize


@scan
def _set(bits: Any) -> int:
    """How many of 64 bits are set."""
    bits -= (bits >> np.uint64(1)) & np.uint64(0x5555_5555_5555_5555)
    bits = (bits & np.uint64(0x3333_3333_3333_3333)) + (
        (bits >> np.uint64(2)) & np.uint64(0x3333_3333_3333_3333)
    )
    bits = (bits + (bits >> np.uint64(4))) & np.uint64(0x0F0F_0F0F_0F0F_0F0F)
    return np.int64((bits * np.uint64(0x0101_0101_0101_0101)) >> np.uint64(56))  # type: ignore[return-value]


@scan
def _is_shown(bits: U64, rank: int) -> bool:
    """Whether the suffix of a rank is; all are where there are no bits."""
    return len(bits) == 0 or (bits[rank >> 6] >> np.uint64(rank & 63)) & np.uint64(1) != 0


@scan
def _before(bits: U64, before: U32, rank: int) -> int:
    """How many suffixes of lower rank are shown."""
    if len(bits) == 0:
        return rank
    low = bits[rank >> 6] & ((np.uint64(1) << np.uint64(rank & 63)) - np.uint64(1))
    return np.int64(before[rank >> 6]) + _set(low)  # type: ignore[no-any-return]


@scan
def _rank_of(bits: U64, before: U32, number: int) -> int:
    """The rank of a suffix that is shown, by how many are before it."""
    if len(bits) == 0:
        return number
    low, high = 0, len(before)
    while low < high:
        middle = (low + high) // 2
        if before[middle] <= number:
            low = middle + 1
        else:
            high = middle
    word = bits[low - 1]
    for _ in range(number - np.int64(before[low - 1])):
        word &= word - np.uint64(1)
    return 64 * (low - 1) + _set(~word & (word - np.uint64(1)))  # type: ignore[no-any-return]


@scan
def _compare(wanted: U32, at: int, stop: int, words: Numbers, place: int) -> tuple[int, int]:
    """Up to where `wanted[at:stop]` agrees with the suffix at `place`, and which is larger.

    Returns the first word of `wanted` that differs, and -1 where the suffix sorts before it, 1 where after,
    0 where the suffix begins with all of it.
    """
    while at < stop:
        if place >= len(words):
            return at, -1
        key = _key(words, place)
        if key != wanted[at]:
            return at, (-1 if key < wanted[at] else 1)
        at += 1
        place += 1
    return at, 0


@scan
def _sampled(wanted: U32, start: int, stop: int, words: Numbers, top: U64) -> tuple[int, int]:
    """The ranks (first, last + 1) between which the top level says that `wanted[start:stop]` would stand."""
    bits = np.uint64(8 * words.itemsize)
    key = np.uint64(0)
    for i in range(8 // words.itemsize):
        key <<= bits
        if start + i < stop:
            key |= np.uint64(wanted[start + i])
    # Only strict inequalities of the keys of the first words say something of the whole suffixes.
    low, high = 0, len(top)
    while low < high:
        middle = (low + high) // 2
        if top[middle] < key:
            low = middle + 1
        else:
            high = middle
    below = low
    high = len(top)
    while low < high:
        middle = (low + high) // 2
        if top[middle] <= key:
            low = middle + 1
        else:
            high = middle
    return ((below - 1) * _SAMPLED + 1 if below else 0), min(low * _SAMPLED, len(words))


@kernel
def _longest(
    wanted: U32,
    start: int,
    stop: int,
    words: Numbers,
    table: U8,
    width: int,
    top: U64,
    bits: U64,
    before: U32,
) -> tuple[int, int]:
    """Length of the longest prefix of `wanted[start:stop]` in the corpus, and the rank of one suffix with it.

    Binary search for where the text would stand in the suffix array: the longest match is beside that place.
    The words that both borders share with the text are never compared again (Manber and Myers 1993).
    """
    first, last = _sampled(wanted, start, stop, words, top)
    best, best_rank = start, 0
    shared_low = shared_high = start
    low, high = first, last
    while low < high:
        middle = (low + high) // 2
        at = min(shared_low, shared_high)
        place = _place(table, width, middle, words.itemsize)
        reached, order = _compare(wanted, at, stop, words, place + at - start)
        if (reached > best or order == 0) and _is_shown(bits, middle):
            best, best_rank = reached, middle
            if order == 0:
                return stop - start, middle
        if order < 0:
            low, shared_low = middle + 1, reached
        else:
            high, shared_high = middle, reached
    # A border that came from the top level was never compared, and one that is hidden does not count: the
    # nearest suffix on each side that is shown is the one that shares most.
    following = _before(bits, before, low)
    for number in range(following - 1, following + 1):
        if 0 <= number < _before(bits, before, len(words)):
            beside = _rank_of(bits, before, number)
            if beside < first or beside >= last or len(bits):
                reached, _ = _compare(
                    wanted, start, stop, words, _place(table, width, beside, words.itemsize)
                )
                if reached > best:
                    best, best_rank = reached, beside
    return best - start, best_rank


@kernel
def _maximal(
    wanted: U32,
    begins: npt.NDArray[np.bool_],
    closes: npt.NDArray[np.bool_],
    stretches: Integers,
    min_words: int,
    words: Numbers,
    table: U8,
    width: int,
    top: U64,
    bits: U64,
    before: U32,
    state: Integers,
    found: Integers,
) -> tuple[int, int]:
    """Write (stretch, start, length, rank) of the maximal spans of one shard into `found`; return how many
    were written, and how many words were passed: about as many as `found` has rows, or those left.

    `begins` and `closes` say with which words a span may begin and end. `state` is how far it is: the
    stretch, its next start, and the end of its last match; at first those of the first stretch.
    """
    unknown = _UNKNOWN_NARROW if words.itemsize == 2 else _UNKNOWN_KEY
    number, start, end = state[0], state[1], state[2]
    count = passed = 0
    # No word that is passed gives more than one row.
    while number < len(stretches) and passed < len(found):
        size, at = stretches[number, 1], start
        if start + min_words > size:
            passed += size - start
            number += 1
            if number < len(stretches):
                start = end = stretches[number, 0]
            continue
        start += 1
        if wanted[at] != unknown and begins[at]:
            length, rank = _longest(wanted, at, size, words, table, width, top, bits, before)
            while length and not closes[at + length - 1]:
                length -= 1
            if length and at + length > end:
                end = at + length
                if length >= min_words:
                    found[count, 0], found[count, 1], found[count, 2], found[count, 3] = (
                        number,
                        at,
                        length,
                        rank,
                    )
                    count += 1
                if end == size:
                    start = size
                elif length > _LONG:
                    high = end + 1
                    while start < high:
                        middle = (start + high) // 2
                        reach, _ = _longest(wanted, middle, end + 1, words, table, width, top, bits, before)
                        if middle + reach > end:
                            high = middle
                        else:
                            start = middle + 1
        passed += start - at
    state[0], state[1], state[2] = number, start, end
    return count, passed


@kernel
def _extents(
    wanted: U32,
    rows: Integers,
    words: Numbers,
    table: U8,
    width: int,
    bits: U64,
    before: U32,
    told: Integers,
) -> None:
    """Write the ranks (first, last + 1) of the suffixes of rows (stretch, start, length, rank, shard), and
    how many of them are shown, into `told`."""
    for i in range(len(rows)):
        first, last = _extent(wanted, rows[i, 1], rows[i, 2], rows[i, 3], words, table, width)
        told[i, 0], told[i, 1] = first, last
        told[i, 2] = _before(bits, before, last) - _before(bits, before, first)


@kernel
def _extent(
    wanted: U32, start: int, length: int, rank: int, words: Numbers, table: U8, width: int
) -> tuple[int, int]:
    """The ranks (first, last + 1) of all suffixes that begin with a span, from one of them.

    Gallops outwards with doubling steps, then bisects: a few steps for a rare span, whatever the corpus.
    """
    stop, item = start + length, words.itemsize
    inside, outside, step = rank, rank - 1, 1
    while outside >= 0 and _compare(wanted, start, stop, words, _place(table, width, outside, item))[1] == 0:
        inside, step = outside, step * 2
        outside -= step
    outside = max(outside, -1)
    while inside - outside > 1:
        middle = (inside + outside) // 2
        if _compare(wanted, start, stop, words, _place(table, width, middle, item))[1] == 0:
            inside = middle
        else:
            outside = middle
    first = inside
    inside, outside, step = rank, rank + 1, 1
    while (
        outside < len(words)
        and _compare(wanted, start, stop, words, _place(table, width, outside, item))[1] == 0
    ):
        inside, step = outside, step * 2
        outside += step
    outside = min(outside, len(words))
    while outside - inside > 1:
        middle = (inside + outside) // 2
        if _compare(wanted, start, stop, words, _place(table, width, middle, item))[1] == 0:
            inside = middle
        else:
            outside = middle
    return first, outside
