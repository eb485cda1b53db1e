"""N-grams that repeat: how much of a text is a few phrases said again and again.

Two measures of Rae et al., "Scaling Language Models" (arXiv 2112.11446, table A1), as datatrove computes
them, in characters:

- top: the length of the most frequent n-gram, its words joined by spaces, times how often it stands; of
  equally frequent ones the first in the text counts, and where nothing repeats the first n-gram does;
- duplicate: the text is walked word by word; an n-gram met before adds its length without spaces and is
  jumped over, any other is remembered and one word is gone on.

The trap is in the second: its n-grams are compared *joined without spaces*, so "ab c" and "a bc" are the
same. Hashes of words cannot say that, so the words of a text are written one after the other and stretches
of these bytes are hashed.

Most words begin nothing that repeats, and a byte of a table for every hash tells it at a first look:

- a top n-gram that repeats is made of shorter ones that do;
- two n-grams that are the same joined begin with the same bytes: where the eight bytes from a word on stand
  at no other word, all that repeats from there is shorter. (That no 5-gram repeats would say nothing of
  longer ones: "ab c d" and "a b cd" repeat, and no pair of words does.)
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from hemicycle.curate.words import Bytes, Counts, Hashes, Places, Words
from hemicycle.kernels import scan

#: Both ascend.
TOP_SIZES = (2, 3, 4)
DUPLICATE_SIZES = (5, 6, 7, 8, 9, 10)

#: Bytes from a word on that are looked for at other words.
_WINDOWS = (8, 16, 32)
_UNBOUNDED = 2**31 - 1
_BASE = np.uint64(0x9E3779B97F4A7C15)
_SPREAD = np.uint64(0xD6E8FEB86659FD93)


def repeated_characters(
    data: Bytes, words: Words, top: tuple[int, ...] = TOP_SIZES, duplicate: tuple[int, ...] = DUPLICATE_SIZES
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Characters of the top n-grams and of the duplicate ones: (texts, sizes) each."""
    texts = len(words.offsets) - 1
    tops = np.zeros((texts, len(top)), np.int64)
    duplicates = np.zeros((texts, len(duplicate)), np.int64)
    longest = int(np.diff(words.offsets).max(initial=0))
    slots = 2 << max(4, longest.bit_length())
    some = np.flatnonzero(np.diff(words.offsets))
    spans = words.ends[words.offsets[some + 1] - 1] - words.starts[words.offsets[some]]
    _count(
        data,
        words.offsets,
        words.starts,
        words.ends,
        words.characters,
        words.exact,
        np.array(top, np.int64),
        np.array(duplicate, np.int64),
        np.zeros(int(spans.max(initial=0)) + _WINDOWS[-1] + 8, np.uint8),
        np.zeros(8 * slots, np.uint8),
        np.zeros(slots, np.uint64),
        np.zeros(slots, np.int32),
        np.empty(longest + 1, np.uint64),
        np.empty((2, longest + 1), np.int64),
        np.empty((4, longest + 1), np.int32),
        tops,
        duplicates,
    )
    return tops, duplicates


@scan
def _mask(count: int) -> int:
    """The last of at least twice as many slots."""
    mask = 15
    while mask < 2 * count:
        mask = 2 * mask + 1
    return mask


@scan
def _slot(table: Hashes, mask: int, key: Any) -> Any:
    """Where a key stands in an open-addressing table, or the free slot where it would."""
    slot = np.int64((key * _SPREAD) >> np.uint64(32)) & mask
    while table[slot] != 0 and table[slot] != key:
        slot = (slot + 1) & mask
    return slot


@scan
def _eight(data: Bytes, at: Any) -> Any:
    """Eight bytes as a number. An unsigned place, or numba would ask of every byte whether it is negative."""
    value = np.uint64(0)
    for i in range(8):
        value |= np.uint64(data[at + np.uint64(i)]) << np.uint64(8 * i)
    return value


@scan
def _stretch(joined: Bytes, at: int, stop: int) -> Any:
    """The hash of some bytes; never 0, which marks a free slot."""
    key = np.uint64(stop - at)
    while at < stop:
        eight = _eight(joined, np.uint64(at))
        if stop - at < 8:
            eight <<= np.uint64(8 * (8 - stop + at))
        key = (key ^ eight) * _BASE
        key ^= key >> np.uint64(32)
        at += 8
    return key if key != 0 else np.uint64(1)  # a plain 1 would make numba compute in floats


@scan
def _key(exact: Hashes, at: int, n: int) -> Any:
    """The hash of n words, spaces between them; never 0."""
    key = np.uint64(0)
    for i in range(at, at + n):
        key = key * _BASE + exact[i]
    key ^= key >> np.uint64(29)
    return key if key != 0 else np.uint64(1)


@scan
def _join(
    data: Bytes,
    starts: Places,
    ends: Places,
    lengths: Counts,
    joined: Bytes,
    places: Places,
    characters: Places,
) -> None:
    """Write words one after the other; of each the place among these bytes, and the characters before it."""
    places[0] = characters[0] = 0
    for i in range(len(starts)):
        at, place, stop = places[i], starts[i], ends[i]
        places[i + 1] = at + stop - place
        # Eight bytes at a time: what is too much is written over by the next word.
        while place < stop and place + 8 <= len(data):
            eight = _eight(data, np.uint64(place))
            for k in range(8):
                joined[np.uint64(at) + np.uint64(k)] = np.uint8(eight >> np.uint64(8 * k))
            at += 8
            place += 8
        while place < stop:
            joined[at] = data[place]
            at += 1
            place += 1
        characters[i + 1] = characters[i] + lengths[i]


@scan
def _see(keys: Hashes, count: int, seen: Bytes) -> None:
    """Put in place of every key 1 where it is seen once, 3 where it, or one that looks like it, is again."""
    mask = 8 * _mask(count) + 7
    seen[: mask + 1] = 0
    for i in range(count):
        slot = (keys[i] * _SPREAD) >> np.uint64(32) & np.uint64(mask)
        seen[slot] |= (seen[slot] & 1) << 1 | 1
        keys[i] = slot
    for i in range(count):
        keys[i] = seen[keys[i]]


@scan
def _perhaps_top(exact: Hashes, size: int, n: int, keys: Hashes, seen: Bytes, found: Counts) -> int:
    """Note at which words an n-gram begins that may repeat; how many there are."""
    for i in range(size):
        keys[i] = _key(exact, i, n)
    _see(keys, size, seen)
    count = 0
    for i in range(size):
        found[count] = i
        count += keys[i] == 3
    return count


@scan
def _perhaps_duplicate(
    joined: Bytes, places: Places, size: int, n: int, keys: Hashes, seen: Bytes, found: Counts, most: Counts
) -> int:
    """Note at which words an n-gram of n words or more begins that may be the same as another, joined, and
    the most bytes that it then has; how many there are."""
    count = size
    for i in range(size):
        found[i] = i
    for window in _WINDOWS:
        for k in range(count):
            at, key = np.uint64(places[found[k]]), np.uint64(0)
            for i in range(0, window, 8):
                key = key * _BASE ^ _eight(joined, at + np.uint64(i))
            keys[k] = key
        _see(keys, count, seen)
        left = 0
        for k in range(count):
            i = found[k]
            most[i] = window - 1 if keys[k] == 1 else _UNBOUNDED
            found[left] = i
            left += keys[k] == 3
        count = left
    count = 0
    for i in range(size):
        found[count] = i
        count += places[i + n] - places[i] <= most[i]
    return count


@scan
def _top(
    exact: Hashes,
    found: Counts,
    count: int,
    size: int,
    n: int,
    table: Hashes,
    firsts: Counts,
    counts: Counts,
    same: Counts,
    characters: Places,
) -> Any:
    """The characters of the top n-gram, and how many n-grams repeat together with the next: their places
    replace those of `found`."""
    mask = _mask(count)
    table[: mask + 1] = 0
    # Where none repeats, the first does for all.
    best, first, kept = 1, 0, 0
    while count > 0 and found[count - 1] >= size:
        count -= 1
    for k in range(count):
        i = found[k]
        key = _key(exact, i, n)
        slot = _slot(table, mask, key)
        if table[slot] == 0:
            table[slot] = key
            firsts[slot] = i
            counts[i] = 0
        here = firsts[slot]
        same[k] = here
        counts[here] += 1
        if counts[here] > best or (counts[here] == best and here < first):
            best, first = counts[here], here
    before = -2
    for k in range(count):
        i, repeats = found[k], counts[same[k]] > 1
        found[kept] = before
        kept += repeats and before == i - 1
        before = i if repeats else before
    return (characters[first + n] - characters[first] + n - 1) * best if size > 0 else 0, kept


@scan
def _duplicate(
    joined: Bytes,
    places: Places,
    found: Counts,
    most: Counts,
    count: int,
    size: int,
    n: int,
    table: Hashes,
    characters: Places,
) -> Any:
    mask = _mask(count)
    table[: mask + 1] = 0
    following, total = 0, 0
    for k in range(count):
        i = found[k]
        if i >= size:
            break
        if i < following or places[i + n] - places[i] > most[i]:
            continue
        key = _stretch(joined, places[i], places[i + n])
        slot = _slot(table, mask, key)
        if table[slot] == 0:
            table[slot] = key
        else:
            total += characters[i + n] - characters[i]
            following = i + n
    return total


@scan
def _count(
    data: Bytes,
    offsets: Places,
    starts: Places,
    ends: Places,
    lengths: Counts,
    exact: Hashes,
    top: Places,
    duplicate: Places,
    joined: Bytes,
    seen: Bytes,
    table: Hashes,
    firsts: Counts,
    keys: Hashes,
    prefixes: Any,
    scratch: Any,
    tops: Any,
    duplicates: Any,
) -> None:
    places, characters = prefixes[0], prefixes[1]
    found, counts, same, most = scratch[0], scratch[1], scratch[2], scratch[3]
    for text in range(len(offsets) - 1):
        a, b = offsets[text], offsets[text + 1]
        _join(data, starts[a:b], ends[a:b], lengths[a:b], joined, places, characters)
        count = _perhaps_top(exact[a:b], max(0, b - a - top[0] + 1), top[0], keys, seen, found)
        for k in range(len(top)):
            size = max(0, b - a - top[k] + 1)
            tops[text, k], count = _top(
                exact[a:b], found, count, size, top[k], table, firsts, counts, same, characters
            )
        size = max(0, b - a - duplicate[0] + 1)
        count = _perhaps_duplicate(joined, places, size, duplicate[0], keys, seen, found, most)
        for k in range(len(duplicate)):
            size = max(0, b - a - duplicate[k] + 1)
            duplicates[text, k] = _duplicate(
                joined, places, found, most, count, size, duplicate[k], table, characters
            )
