"""Repeats: how many lines and paragraphs of a text stood in it before, and how much of it they are.

Three cuts, because three rules cut so: at runs of ``\\n``, with an empty piece at either end of a text that
begins or ends with one (Gopher's lines, as ``re.split``); at every ``\\n``, lines with nothing visible left
out (FineWeb's); and at two ``\\n`` or more, of the text without spaces at its ends (Gopher's paragraphs).
"""

from __future__ import annotations

import enum
from typing import Any

import numpy as np
import numpy.typing as npt

from hemicycle.curate.characters import characters
from hemicycle.curate.words import Bytes, Hashes, Places
from hemicycle.kernels import scan


class Count(enum.IntEnum):
    """What is counted of each text: the columns of `count_repeats`."""

    PIECES = 0
    DUPLICATE_PIECES = 1
    DUPLICATE_PIECE_CHARACTERS = 2
    DUPLICATE_VISIBLE_CHARACTERS = 3
    PARAGRAPHS = 4
    DUPLICATE_PARAGRAPHS = 5
    DUPLICATE_PARAGRAPH_CHARACTERS = 6


_SPACE, _CLASS = 4, 7
_BASIS, _PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)
_SPREAD = np.uint64(0xD6E8FEB86659FD93)


def count_repeats(data: Bytes, offsets: Places) -> npt.NDArray[np.int64]:
    """Count everything in `Count` of each text: (texts, counts)."""
    counts = np.zeros((len(offsets) - 1, len(Count)), np.int64)
    most = _most_newlines(data, offsets) + 2
    _count(
        data,
        offsets,
        characters().classes,
        np.empty(2 << int(most).bit_length(), np.uint64),
        np.empty((2, most), np.uint64),
        np.empty((2, most), np.int64),
        counts,
    )
    return counts


@scan
def _decode(data: Bytes, at: int, stop: int) -> Any:
    """The code point at a place and the place after it; a byte that begins none counts alone, as U+FFFD."""
    first = np.int64(data[at])
    if first < 0x80:
        return first, at + 1
    size = 2 if 0xC2 <= first < 0xE0 else 3 if 0xE0 <= first < 0xF0 else 4 if 0xF0 <= first < 0xF5 else 0
    if size == 0 or at + size > stop:
        return 0xFFFD, at + 1
    point = first & (0x7F >> size)
    for i in range(at + 1, at + size):
        byte = np.int64(data[i])
        if byte & 0xC0 != 0x80:
            return 0xFFFD, at + 1
        point = point << 6 | byte & 0x3F
    return (point, at + size) if point < 0x110000 else (0xFFFD, at + 1)


@scan
def _most_newlines(data: Bytes, offsets: Places) -> int:
    most = 0
    for text in range(len(offsets) - 1):
        here = 0
        for i in range(offsets[text], offsets[text + 1]):
            here += data[i] == 10
        most = max(most, here)
    return most


@scan
def _hash(data: Bytes, at: int, stop: int) -> Any:
    """A hash of bytes, four at a time: FNV-1a in four lanes. Never 0."""
    one, two, three, four = _BASIS, _BASIS, _BASIS, _BASIS
    i = at
    while i + 4 <= stop:
        one = (one ^ np.uint64(data[i])) * _PRIME
        two = (two ^ np.uint64(data[i + 1])) * _PRIME
        three = (three ^ np.uint64(data[i + 2])) * _PRIME
        four = (four ^ np.uint64(data[i + 3])) * _PRIME
        i += 4
    while i < stop:
        one = (one ^ np.uint64(data[i])) * _PRIME
        i += 1
    value = ((one * _SPREAD ^ two) * _SPREAD ^ three) * _SPREAD ^ four ^ np.uint64(stop - at)
    value ^= value >> np.uint64(29)
    return value if value != 0 else np.uint64(1)


@scan
def _points(data: Bytes, at: int, stop: int) -> Any:
    """Code points of a stretch of UTF-8."""
    count = 0
    while at < stop:
        count += data[at] & 0xC0 != 0x80
        at += 1
    return count


@scan
def _visible(data: Bytes, at: int, stop: int, classes: Bytes) -> bool:
    """Whether a line has a character that is no space."""
    while at < stop:
        point, at = _decode(data, at, stop)
        if classes[point] & _CLASS != _SPACE:
            return True
    return False


@scan
def _stripped(data: Bytes, at: int, stop: int, classes: Bytes) -> Any:
    """A text without the spaces at its beginning and end."""
    begin, end, empty = at, at, True
    while at < stop:
        point, following = _decode(data, at, stop)
        if classes[point] & _CLASS != _SPACE:
            if empty:
                begin, empty = at, False
            end = following
        at = following
    return begin, end


@scan
def _paragraphs(data: Bytes, at: int, stop: int, hashes: Hashes, lengths: Places) -> int:
    """Note the pieces between two or more line ends; how many there are."""
    count, begin = 0, at
    while at <= stop:
        run = at
        while run < stop and data[run] == 10:
            run += 1
        if at == stop or run - at >= 2:
            hashes[count] = _hash(data, begin, at)
            lengths[count] = _points(data, begin, at)
            count += 1
            begin = run
        at = max(run, at + 1)
    return count


@scan
def _repeats(hashes: Hashes, lengths: Places, count: int, table: Hashes) -> Any:
    """Of so many pieces, how many repeat an earlier one, and their characters."""
    mask = 15
    while mask < 2 * count:
        mask = 2 * mask + 1
    mask = min(mask, len(table) - 1)
    table[: mask + 1] = 0
    repeated, length = 0, 0
    for i in range(count):
        slot = np.int64((hashes[i] * _SPREAD) >> np.uint64(32)) & mask
        while table[slot] != 0 and table[slot] != hashes[i]:
            slot = (slot + 1) & mask
        if table[slot] == 0:
            table[slot] = hashes[i]
        else:
            repeated += 1
            length += lengths[i]
    return repeated, length


@scan
def _count(
    data: Bytes, offsets: Places, classes: Bytes, table: Hashes, hashes: Any, lengths: Any, counts: Any
) -> None:
    for text in range(len(offsets) - 1):
        begin, stop = offsets[text], offsets[text + 1]
        if begin == stop:
            continue
        total = counts[text]
        at, visible, pieces, empty = begin, 0, 0, 0
        while at <= stop:
            end = at
            while end < stop and data[end] != 10:
                end += 1
            if end > at:
                hashes[1, pieces], lengths[1, pieces] = _hash(data, at, end), _points(data, at, end)
                if _visible(data, at, end, classes):
                    hashes[0, visible], lengths[0, visible] = hashes[1, pieces], lengths[1, pieces]
                    visible += 1
                pieces += 1
            elif at in (begin, stop):
                empty += 1
            at = end + 1
        total[Count.DUPLICATE_VISIBLE_CHARACTERS] = _repeats(hashes[0], lengths[0], visible, table)[1]
        repeated, length = _repeats(hashes[1], lengths[1], pieces, table)
        # Two empty pieces, at the beginning and the end, are copies of each other.
        total[Count.PIECES] = pieces + empty
        total[Count.DUPLICATE_PIECES] = repeated + (empty == 2)
        total[Count.DUPLICATE_PIECE_CHARACTERS] = length
        a, b = _stripped(data, begin, stop, classes)
        paragraphs = _paragraphs(data, a, b, hashes[0], lengths[0])
        repeated, length = _repeats(hashes[0], lengths[0], paragraphs, table)
        total[Count.PARAGRAPHS] = paragraphs
        total[Count.DUPLICATE_PARAGRAPHS] = repeated
        total[Count.DUPLICATE_PARAGRAPH_CHARACTERS] = length
