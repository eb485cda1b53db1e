"""N-grams that repeat: how much of a text is a few phrases said again and again.

Two measures of Rae et al., "Scaling Language Models" (arXiv 2112.11446, table A1), as datatrove computes
them, in characters:

- top: the length of the most frequent n-gram, its words joined by spaces, times how often it stands; of
  equally frequent ones the first in the text counts, and where nothing repeats the first n-gram does;
- duplicate: the text is walked word by word; an n-gram met before adds its length without spaces and is
  jumped over, any other is remembered and one word is gone on.

The trap is in the second: its n-grams are compared *joined without spaces*, so "ab c" and "a bc" are the
same. Hashes of words cannot say that; a polynomial over the bytes of all words can, as the hash of a stretch
is the difference of two of its prefixes:

    G(k) = sum of byte(i) * B^i for i < k,   hash of bytes i to j = (G(j) - G(i)) * B^(-i)   (mod 2^64)

where B is odd and so has an inverse.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from hemicycle.curate.words import Bytes, Counts, Hashes, Places, Words
from hemicycle.kernels import kernel

TOP_SIZES = (2, 3, 4)
DUPLICATE_SIZES = (5, 6, 7, 8, 9, 10)

_BASE = np.uint64(0x9E3779B97F4A7C15)
_INVERSE = np.uint64(pow(0x9E3779B97F4A7C15, -1, 1 << 64))
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
    _count(
        data,
        words.offsets,
        words.starts,
        words.ends,
        words.characters,
        words.exact,
        np.array(top, np.int64),
        np.array(duplicate, np.int64),
        np.zeros(slots, np.uint64),
        np.zeros(slots, np.int32),
        np.empty((4, longest + 1), np.uint64),
        np.empty(longest + 1, np.int64),
        np.empty(longest + 1, np.int32),
        tops,
        duplicates,
    )
    return tops, duplicates


@kernel
def _slot(table: Hashes, mask: int, key: Any) -> Any:
    """Where a key stands in an open-addressing table, or the free slot where it would."""
    slot = np.int64((key * _SPREAD) >> np.uint64(32)) & mask
    while table[slot] != 0 and table[slot] != key:
        slot = (slot + 1) & mask
    return slot


@kernel
def _prefixes(
    data: Bytes,
    starts: Places,
    ends: Places,
    lengths: Counts,
    exact: Hashes,
    spaced: Hashes,
    joined: Hashes,
    undone: Hashes,
    characters: Places,
) -> None:
    """Prefixes of the two hashes and of the lengths, one before every word and one after the last."""
    power, inverse = np.uint64(1), np.uint64(1)
    spaced[0], joined[0], undone[0], characters[0] = 0, 0, 1, 0
    for i in range(len(starts)):
        total = joined[i]
        for place in range(starts[i], ends[i]):
            total += (np.uint64(data[place]) + np.uint64(1)) * power
            power *= _BASE
            inverse *= _INVERSE
        joined[i + 1] = total
        undone[i + 1] = inverse
        spaced[i + 1] = spaced[i] * _BASE + exact[i]
        characters[i + 1] = characters[i] + lengths[i]


@kernel
def _keys(prefix: Hashes, undone: Hashes, joined: bool, n: int, size: int, keys: Hashes) -> None:
    """The hash of every n-gram; never 0, which marks a free slot."""
    power = np.uint64(1)
    for _ in range(n):
        power *= _BASE
    for i in range(size):
        last, first = prefix[i + n], prefix[i]
        key = (last - first) * undone[i] if joined else last - first * power
        key ^= key >> np.uint64(29)
        keys[i] = key if key != 0 else np.uint64(1)  # a plain 1 would make numba compute in floats


@kernel
def _top(
    keys: Hashes,
    size: int,
    n: int,
    table: Hashes,
    firsts: Counts,
    mask: int,
    counts: Counts,
    characters: Places,
) -> Any:
    table[: mask + 1] = 0
    best, first = 0, 0
    for i in range(size):
        slot = _slot(table, mask, keys[i])
        if table[slot] == 0:
            table[slot] = keys[i]
            firsts[slot] = i
            counts[i] = 0
        here = firsts[slot]
        counts[here] += 1
        if counts[here] > best or (counts[here] == best and here < first):
            best, first = counts[here], here
    return (characters[first + n] - characters[first] + n - 1) * best if size > 0 else 0


@kernel
def _duplicate(keys: Hashes, size: int, n: int, table: Hashes, mask: int, characters: Places) -> Any:
    table[: mask + 1] = 0
    i, found = 0, 0
    while i < size:
        slot = _slot(table, mask, keys[i])
        if table[slot] == 0:
            table[slot] = keys[i]
            i += 1
        else:
            found += characters[i + n] - characters[i]
            i += n
    return found


@kernel
def _count(
    data: Bytes,
    offsets: Places,
    starts: Places,
    ends: Places,
    lengths: Counts,
    exact: Hashes,
    top: Places,
    duplicate: Places,
    table: Hashes,
    firsts: Counts,
    scratch: Any,
    characters: Places,
    counts: Counts,
    tops: Any,
    duplicates: Any,
) -> None:
    spaced, joined, undone, keys = scratch[0], scratch[1], scratch[2], scratch[3]
    for text in range(len(offsets) - 1):
        a, b = offsets[text], offsets[text + 1]
        _prefixes(data, starts[a:b], ends[a:b], lengths[a:b], exact[a:b], spaced, joined, undone, characters)
        mask = 15
        while mask < 2 * (b - a):
            mask = 2 * mask + 1
        for k in range(len(top)):
            size = max(0, b - a - top[k] + 1)
            _keys(spaced, undone, False, top[k], size, keys)
            tops[text, k] = _top(keys, size, top[k], table, firsts, mask, counts, characters)
        for k in range(len(duplicate)):
            size = max(0, b - a - duplicate[k] + 1)
            _keys(joined, undone, True, duplicate[k], size, keys)
            duplicates[text, k] = _duplicate(keys, size, duplicate[k], table, mask, characters)
