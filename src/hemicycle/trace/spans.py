"""Spans: the longest stretches of a text that stand, word for word, in the corpus.

A span is maximal: it cannot be made longer on either side and still be found. For every start the longest
match is found by binary search in the suffix array; a start whose match ends no further than an earlier one
lies inside it and is dropped.

Two traps. First, many spans begin inside a long match; stepping through it word by word compares the same
words again and again, which is quadratic when somebody asks for a whole novel. Whether a start reaches
beyond a given end is monotone in the start, so past a long match the next start is found by bisection.
Second, counting is dearer than finding, so only the spans that are kept are counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from hemicycle.errors import DeclarationError
from hemicycle.kernels import kernel
from hemicycle.trace.index import Index
from hemicycle.trace.shards import U8, U32, U64, Shard, keys
from hemicycle.trace.words import Ids, Offsets, read_letters

# Constants of the kernels; shards.py and vocabulary.py explain them.
_SAMPLED, _UNKNOWN_KEY = 256, 0xFEFF_FFFF

#: A match longer than this is left by bisection, not word by word.
_LONG = 48


class Place(NamedTuple):
    """Ranks `first` to `last` (excluded) of a shard's suffix array: all occurrences of a span there."""

    shard: int
    first: int
    last: int


@dataclass(frozen=True)
class Span:
    """A stretch of the text asked about that stands in the corpus.

    Attributes:
        start, end: characters of the text asked about.
        first_word, words: the same in words.
        count: how often it stands in the corpus.
    """

    start: int
    end: int
    first_word: int
    words: int
    count: int
    places: tuple[Place, ...]


@dataclass(frozen=True)
class Query:
    """A text as the index sees it: the number of each word, and its characters `starts[i]` to `ends[i]`."""

    ids: Ids
    starts: Offsets
    ends: Offsets


def read_query(index: Index, text: str) -> Query:
    found = read_letters(text)
    return Query(index.vocabulary.find(found), found.starts, found.ends)


def find_spans(index: Index, text: str, min_words: int = 8) -> list[Span]:
    """All maximal spans of at least `min_words` words, in the order of the text. Nothing is left out."""
    return spans_of(index, read_query(index, text), min_words)


def spans_of(index: Index, query: Query, min_words: int) -> list[Span]:
    """`find_spans` of a text already split."""
    if min_words < 1:
        raise DeclarationError(f"a span has at least one word, min_words is {min_words}")
    wanted = keys(query.ids)
    found: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for number, shard in enumerate(index.shards):
        for start, length, rank in _shard_spans(shard, wanted, min_words):
            found.setdefault((start, -length), []).append((number, rank))
    spans = []
    reached = 0
    for (start, negative), ranks in sorted(found.items()):
        length = -negative
        if start + length <= reached:
            continue  # inside a span of another shard
        reached = start + length
        places = []
        for number, rank in ranks:
            shard = index.shards[number]
            first, last = _extent(wanted, start, length, rank, shard.words, shard.table, shard.width)
            places.append(Place(number, int(first), int(last)))
        spans.append(
            Span(
                start=int(query.starts[start]),
                end=int(query.ends[start + length - 1]),
                first_word=start,
                words=length,
                count=sum(p.last - p.first for p in places),
                places=tuple(places),
            )
        )
    return spans


def occurrences(index: Index, span: Span, maximum: int) -> list[tuple[int, int]]:
    """Where a span stands: (document's number, word of that document), one place a document.

    Where there are more than `maximum` occurrences, as many are looked at, evenly spread over the order of
    what follows the span: always the same ones.
    """
    step = max(1.0, span.count / maximum)
    chosen = [int(i * step) for i in range(min(maximum, span.count))]
    found: dict[int, int] = {}
    passed = 0
    for place in span.places:
        shard = index.shards[place.shard]
        size = place.last - place.first
        for rank in (place.first + i - passed for i in chosen if passed <= i < passed + size):
            pointer = shard.table[rank * shard.width : (rank + 1) * shard.width].tobytes()
            at = int.from_bytes(pointer, "little")
            local = int(np.searchsorted(shard.offsets, np.uint64(at), "right")) - 1
            document = index.first_documents[place.shard] + local
            word = at // 4 - int(index.first_words[document])
            found[document] = min(word, found.get(document, word))
        passed += size
    return sorted(found.items())


def _shard_spans(shard: Shard, wanted: U32, min_words: int) -> list[tuple[int, int, int]]:
    found = np.empty((len(wanted), 3), np.int64)
    count = _maximal(wanted, min_words, shard.words, shard.table, shard.width, shard.top, found)
    return [(int(start), int(length), int(rank)) for start, length, rank in found[:count]]


@kernel
def _compare(wanted: U32, at: int, stop: int, words: U32, place: int) -> tuple[int, int]:
    """Up to where `wanted[at:stop]` agrees with the suffix at `place`, and which is larger.

    Returns the first word of `wanted` that differs, and -1 where the suffix sorts before it, 1 where after,
    0 where the suffix begins with all of it.
    """
    while at < stop:
        if place >= len(words):
            return at, -1
        word = words[place]
        key = ((word & 0xFF) << 24) | ((word & 0xFF00) << 8) | ((word >> 8) & 0xFF00) | ((word >> 24) & 0xFF)
        if key != wanted[at]:
            return at, (-1 if key < wanted[at] else 1)
        at += 1
        place += 1
    return at, 0


@kernel
def _place(table: U8, width: int, rank: int) -> int:
    """The word at which the suffix of a rank begins."""
    pointer = 0
    for i in range(width - 1, -1, -1):
        pointer = (pointer << 8) | table[rank * width + i]
    return pointer >> 2


@kernel
def _longest(
    wanted: U32, start: int, stop: int, words: U32, table: U8, width: int, top: U64
) -> tuple[int, int]:
    """Length of the longest prefix of `wanted[start:stop]` in the corpus, and the rank of one suffix with it.

    Binary search for where the text would stand in the suffix array: the longest match is beside that place.
    The words that both borders share with the text are never compared again (Manber and Myers 1993).
    """
    key = np.uint64(wanted[start]) << np.uint64(32)
    if start + 1 < stop:
        key |= np.uint64(wanted[start + 1])
    # Only strict inequalities of the two-word keys say something of the whole suffixes.
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
    first = (below - 1) * _SAMPLED + 1 if below else 0
    last = min(low * _SAMPLED, len(words))

    best, best_rank = start, 0
    shared_low = shared_high = start
    low, high = first, last
    while low < high:
        middle = (low + high) // 2
        at = min(shared_low, shared_high)
        reached, order = _compare(wanted, at, stop, words, _place(table, width, middle) + at - start)
        if reached > best:
            best, best_rank = reached, middle
        if order == 0:
            return stop - start, middle
        if order < 0:
            low, shared_low = middle + 1, reached
        else:
            high, shared_high = middle, reached
    # A border that came from the top level was never compared.
    for beside in (first - 1, last):
        if (beside == low - 1 or beside == low) and 0 <= beside < len(words):
            reached, _ = _compare(wanted, start, stop, words, _place(table, width, beside))
            if reached > best:
                best, best_rank = reached, beside
    return best - start, best_rank


@kernel
def _maximal(wanted: U32, min_words: int, words: U32, table: U8, width: int, top: U64, found: Offsets) -> int:
    """Write (start, length, rank) of the maximal spans of one shard into `found`; return how many."""
    size = len(wanted)
    count = end = start = 0
    while start + min_words <= size:
        if wanted[start] == _UNKNOWN_KEY:
            start += 1
            continue
        length, rank = _longest(wanted, start, size, words, table, width, top)
        if length and start + length > end:
            end = start + length
            if length >= min_words:
                found[count, 0], found[count, 1], found[count, 2] = start, length, rank
                count += 1
            if end == size:
                break
            if length > _LONG:
                low, high = start + 1, end + 1
                while low < high:
                    middle = (low + high) // 2
                    reach, _ = _longest(wanted, middle, end + 1, words, table, width, top)
                    if middle + reach > end:
                        high = middle
                    else:
                        low = middle + 1
                start = low
                continue
        start += 1
    return count


@kernel
def _extent(
    wanted: U32, start: int, length: int, rank: int, words: U32, table: U8, width: int
) -> tuple[int, int]:
    """The ranks (first, last + 1) of all suffixes that begin with a span, from one of them.

    Gallops outwards with doubling steps, then bisects: a few steps for a rare span, whatever the corpus.
    """
    stop = start + length
    inside, outside, step = rank, rank - 1, 1
    while outside >= 0 and _compare(wanted, start, stop, words, _place(table, width, outside))[1] == 0:
        inside, step = outside, step * 2
        outside -= step
    outside = max(outside, -1)
    while inside - outside > 1:
        middle = (inside + outside) // 2
        if _compare(wanted, start, stop, words, _place(table, width, middle))[1] == 0:
            inside = middle
        else:
            outside = middle
    first = inside
    inside, outside, step = rank, rank + 1, 1
    while (
        outside < len(words) and _compare(wanted, start, stop, words, _place(table, width, outside))[1] == 0
    ):
        inside, step = outside, step * 2
        outside += step
    outside = min(outside, len(words))
    while outside - inside > 1:
        middle = (inside + outside) // 2
        if _compare(wanted, start, stop, words, _place(table, width, middle))[1] == 0:
            inside = middle
        else:
            outside = middle
    return first, outside
