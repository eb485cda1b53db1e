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
        np.empty((3, most), np.uint64),
        np.empty((3, most), np.int64),
        np.empty((3, most), np.int64),
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
def _eight(data: Bytes, at: Any) -> Any:
    """Eight bytes as a number. An unsigned place, or numba would ask of every byte whether it is negative."""
    value = np.uint64(0)
    for i in range(8):
        value |= np.uint64(data[at + np.uint64(i)]) << np.uint64(8 * i)
    return value


@scan
def _line_end(data: Bytes, at: int, stop: int) -> Any:
    place, end = np.uint64(at), np.uint64(stop)
    while place < end and data[place] != 10:
        place += np.uint64(1)
    return np.int64(place)


@scan
def _hash(data: Bytes, at: int, stop: int) -> Any:
    """A hash of bytes, eight at a time. Never 0."""
    value = np.uint64(stop - at)
    while at + 8 <= stop:
        value = (value ^ _eight(data, np.uint64(at))) * _SPREAD
        value ^= value >> np.uint64(29)
        at += 8
    while at < stop:
        value = (value ^ np.uint64(data[at])) * _SPREAD
        at += 1
    value ^= value >> np.uint64(29)
    return value if value != 0 else np.uint64(1)


@scan
def _points(data: Bytes, at: int, stop: int) -> Any:
    """Code points of a stretch of UTF-8."""
    count = 0
    for i in range(np.uint64(at), np.uint64(stop)):
        count += data[i] & 0xC0 != 0x80
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
    end = stop
    while at < end:
        point, following = _decode(data, at, end)
        if classes[point] & _CLASS != _SPACE:
            break
        at = following
    while at < end:
        place = end - 1
        while place > at and end - place < 4 and data[place] & 0xC0 == 0x80:
            place -= 1
        point, following = _decode(data, place, end)
        if following != end or classes[point] & _CLASS != _SPACE:
            break
        end = place
    return at, end


@scan
def _repeats(data: Bytes, hashes: Hashes, starts: Places, ends: Places, count: int, table: Hashes) -> Any:
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
            length += _points(data, starts[i], ends[i])
    return repeated, length


@scan
def _count(
    data: Bytes,
    offsets: Places,
    classes: Bytes,
    table: Hashes,
    hashes: Any,
    starts: Any,
    ends: Any,
    counts: Any,
) -> None:
    for text in range(len(offsets) - 1):
        begin, stop = offsets[text], offsets[text + 1]
        if begin == stop:
            continue
        total = counts[text]
        at, visible, pieces, empty = begin, 0, 0, 0
        # Of paragraphs the hash is that of the hashes of their lines.
        first, last = _stripped(data, begin, stop, classes)
        paragraphs, lines, whole = 0, 0, np.uint64(0)
        while at <= stop:
            end = _line_end(data, at, stop)
            if end > at:
                line = _hash(data, at, end)
                hashes[1, pieces], starts[1, pieces], ends[1, pieces] = line, at, end
                if _visible(data, at, end, classes):
                    hashes[0, visible], starts[0, visible], ends[0, visible] = line, at, end
                    visible += 1
                pieces += 1
            elif at in (begin, stop):
                empty += 1
            a, b = max(at, first), min(end, last)
            if a < b:
                if a > at or b < end:
                    line = _hash(data, a, b)
                starts[2, paragraphs] = a if lines == 0 else starts[2, paragraphs]
                ends[2, paragraphs] = b
                whole = (whole ^ line) * _SPREAD
                whole ^= whole >> np.uint64(29)
                lines += 1
            if lines > 0 and (a >= b or end == stop):
                hashes[2, paragraphs] = whole if whole != 0 else np.uint64(1)
                paragraphs += 1
                lines, whole = 0, np.uint64(0)
            at = end + 1
        total[Count.DUPLICATE_VISIBLE_CHARACTERS] = _repeats(
            data, hashes[0], starts[0], ends[0], visible, table
        )[1]
        repeated, length = _repeats(data, hashes[1], starts[1], ends[1], pieces, table)
        # Two empty pieces, at the beginning and the end, are copies of each other.
        total[Count.PIECES] = pieces + empty
        total[Count.DUPLICATE_PIECES] = repeated + (empty == 2)
        total[Count.DUPLICATE_PIECE_CHARACTERS] = length
        repeated, length = _repeats(data, hashes[2], starts[2], ends[2], paragraphs, table)
        # A text of spaces is one empty paragraph.
        total[Count.PARAGRAPHS] = max(paragraphs, 1)
        total[Count.DUPLICATE_PARAGRAPHS] = repeated
        total[Count.DUPLICATE_PARAGRAPH_CHARACTERS] = length
