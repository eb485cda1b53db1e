"""Codes: words as few bytes that sort as the words do, so that a library that sorts bytes sorts words.

Suffixes are sorted by a library for byte strings. Given the bytes of the numbers themselves it would sort two
suffixes for each token, three or four for each word, of which only those that begin with a word are wanted.
So each number gets a code: no code begins another, the codes stand in the order of the numbers, and frequent
ones have one byte. Then fewer suffixes are sorted, and their order is the same.

How long a code may be follows from how frequent its symbol is: the most frequent have one byte, then many
two, the rest as many as it takes. How many of each kind is tried out, since what fits depends on where the
frequent symbols stand among the others.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from hemicycle.kernels import kernel

U8 = npt.NDArray[np.uint8]
U64 = npt.NDArray[np.uint64]
Integers = npt.NDArray[np.int64]

#: How many symbols with one byte are tried.
_SHORT = (0, 8, 16, 24, 32, 40, 48, 56, 64, 72, 80, 96, 112, 128, 160, 192, 224)


def make_code(weights: Integers) -> tuple[U64, U8]:
    """A code of n symbols in their order.

    Args:
        weights: i64[n], how often each occurs.

    Returns:
        u64[n], the bytes of each code, the first in the highest of its bytes that are used; u8[n], how many
        those are.
    """
    least = next(length for length in range(1, 5) if len(weights) <= 256**length)
    rank = np.empty(len(weights), np.int64)
    rank[np.argsort(-weights, kind="stable")] = np.arange(len(weights))
    best = np.full(len(weights), least, np.uint8)
    for longest in (least, least + 1):
        for short in _SHORT:
            lengths = _longest_that_fit(rank, short, longest)
            if lengths is not None and weights @ lengths < weights @ best:
                best = lengths
    codes, _ = _codes(best)
    return codes, best


def _longest_that_fit(rank: Integers, short: int, longest: int) -> U8 | None:
    """Lengths with `short` codes of one byte, as many of two as fit, and the rest of `longest`; None where
    none fit."""

    def lengths(medium: int) -> U8:
        found = np.where(rank < short + medium, min(2, longest), longest).astype(np.uint8)
        found[rank < short] = 1
        return found

    low, high = -1, len(rank) - min(short, len(rank))
    while low < high:
        middle = (low + high + 1) // 2
        if _codes(lengths(middle))[1]:
            low = middle
        else:
            high = middle - 1
    return lengths(low) if low >= 0 else None


@kernel
def _codes(lengths: U8) -> tuple[U64, bool]:
    """The first code of each length after the one before it, and whether the last still fits."""
    codes = np.zeros(len(lengths), np.uint64)
    following, whole = np.uint64(0), np.uint64(1) << np.uint64(40)
    for i in range(len(lengths)):
        size = np.uint64(1) << np.uint64(40 - 8 * lengths[i])
        following = (following + size - np.uint64(1)) // size * size
        codes[i] = following // size
        following += size
        if following > whole:
            return codes, False
    return codes, True


@kernel
def encode(
    numbers: npt.NDArray[Any], codes: U64, lengths: U8, out: U8, begins: npt.NDArray[np.int32]
) -> None:
    """Write the codes of numbers one after the other.

    Args:
        codes, lengths: by number; the last is that of every larger number.
        out: u8[bytes of all].
        begins: i32[bytes of all], gets for each byte which number begins there, -1 where none does.
    """
    at, last = 0, len(codes) - 1
    for i in range(len(numbers)):
        number = numbers[i] if numbers[i] < last else last
        code, length = codes[number], int(lengths[number])
        for j in range(length):
            out[at + j] = (code >> np.uint64(8 * (length - 1 - j))) & np.uint64(0xFF)
            begins[at + j] = -1
        begins[at] = i
        at += length


@kernel
def beginning(suffixes: npt.NDArray[Any], begins: npt.NDArray[np.int32], found: npt.NDArray[np.int32]) -> int:
    """Write which number begins at each of some suffixes, where one does; how many there are."""
    count = 0
    for suffix in suffixes:
        number = begins[suffix]
        found[count] = number
        count += number >= 0
    return count


@kernel
def pointers(places: npt.NDArray[np.int32], size: int, width: int, out: U8) -> None:
    """Write places, counted in items of `size` bytes, as pointers of `width` bytes, little-endian."""
    at = 0
    for place in places:
        pointer = np.uint64(place) * np.uint64(size)
        for _ in range(width):
            out[at] = pointer & np.uint64(0xFF)
            pointer >>= np.uint64(8)
            at += 1


@kernel
def count(numbers: npt.NDArray[Any], counted: Integers) -> None:
    """Count each number; all larger ones as the last."""
    last = len(counted) - 1
    for number in numbers:
        counted[number if number < last else last] += 1
