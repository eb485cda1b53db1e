"""Words: one pass over the bytes of a batch of texts, for everything that counts or compares words.

Two definitions. `french` is how a reader of French counts: an elision is a word of its own (l' eau), a hyphen
or an apostrophe between letters joins (est-ce, aujourd'hui), a decimal mark between digits joins, and every
run of one same sign is a word too (« ... is two). `whitespace` is what ``str.split()`` gives, for comparison
with tools that count so.

Every bound on a share of words moves with the definition of a word, so it has a version of its own, and
classes of characters come from a table of ours, not from the Python at hand.

Two hashes a word. `exact` is FNV-1a (64 bits) of its bytes. `folded` is FNV-1a of what remains once case,
typography and figures are set aside: lower case, ``’`` as ``'``, every hyphen as ``-``, a run of digits with
its decimal marks as one ``0``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hemicycle.curate.characters import characters
from hemicycle.kernels import kernel

#: Another number: other words, other hashes or other flags of the same text.
WORDS = 1

Definition = Literal["french", "whitespace"]

#: Bits of a word's flags. A word of signs has neither letter nor digit.
HAS_LETTER, HAS_DIGIT, ELISION, ONLY_SIGNS = 1, 2, 4, 8

#: What an apostrophe cuts off, at the beginning of a word or after a hyphen (va-t'en). Elsewhere it joins:
#: aujourd'hui, presqu'île, prud'homme, O'Brien.
ELIDED = ("l", "d", "j", "n", "s", "c", "ç", "m", "t", "qu", "jusqu", "lorsqu", "puisqu", "quoiqu", "quelqu")

Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int64]
Counts = npt.NDArray[np.int32]
Hashes = npt.NDArray[np.uint64]

_COLUMNS = (np.int64, np.int64, np.int32, np.uint64, np.uint64, np.uint8)
_BASIS, _PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)
# Constants of the kernels; characters.py explains them.
_LETTER, _DIGIT, _MARK, _SPACE, _APOSTROPHE, _HYPHEN, _DECIMAL, _CLASS = 1, 2, 3, 4, 5, 6, 7, 7


@dataclass(frozen=True)
class Words:
    """The words of a batch of n texts, one after the other; text i's are
    `offsets[i]` to `offsets[i + 1]`.

    Attributes:
        offsets: n + 1.
        starts, ends: places in the batch's bytes.
        characters: code points.
        exact: hash of the word as it stands.
        folded: hash of the word without case, typography and figures; 0 for a word of signs.
        flags: `HAS_LETTER`, `HAS_DIGIT`, `ELISION`, `ONLY_SIGNS`.
    """

    offsets: Places
    starts: Places
    ends: Places
    characters: Counts
    exact: Hashes
    folded: Hashes
    flags: Bytes


def text_buffers(texts: pa.Array | pa.ChunkedArray) -> tuple[Bytes, Places]:
    """The bytes and offsets of an Arrow column of strings, without a copy where it is one large_string chunk.

    Text i is ``data[offsets[i] : offsets[i + 1]]``; a null is an empty text.
    """
    if isinstance(texts, pa.ChunkedArray):
        texts = (
            texts.chunk(0)
            if texts.num_chunks == 1
            else pa.concat_arrays(texts.chunks or [pa.array([], texts.type)])
        )
    if texts.null_count:
        texts = texts.fill_null("")
    texts = texts.cast(pa.large_string())
    _, offsets, data = texts.buffers()
    if not len(texts):
        return np.zeros(0, np.uint8), np.zeros(1, np.int64)
    places = np.frombuffer(offsets, np.int64, len(texts) + 1, texts.offset * 8)
    return np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8), places


def text_array(data: Bytes, offsets: Places) -> pa.LargeStringArray:
    """The inverse of `text_buffers`, without a copy; bytes must be UTF-8."""
    buffers = pa.py_buffer(np.ascontiguousarray(offsets, np.int64)), pa.py_buffer(data)
    return pa.LargeStringArray.from_buffers(len(offsets) - 1, *buffers)


def split_words(data: Bytes, offsets: Places, definition: Definition = "french") -> Words:
    """Cut texts, given as UTF-8 bytes and offsets, into words.

    Bytes that are no UTF-8 count as signs, one each.
    """
    classes, lower = characters()
    bounds = np.zeros(len(offsets), np.int64)
    columns: list[npt.NDArray[Any]] = [
        np.empty(int(offsets[-1] - offsets[0]) // 4 + 16, kind) for kind in _COLUMNS
    ]
    done = 0
    while True:
        done = _fill(data, offsets, classes, lower, definition == "french", _ELIDED, done, bounds, *columns)
        if done == len(offsets) - 1:
            return Words(bounds, *(column[: bounds[-1]] for column in columns))
        # Twice the room, and the text that found none begins again: at most one word a byte.
        columns = [np.concatenate([column, np.empty_like(column)]) for column in columns]


def word_hash(word: str) -> int:
    """FNV-1a of a word's UTF-8 bytes: the hash in `Words.exact`."""
    value = int(_BASIS)
    for byte in word.encode("utf-8"):
        value = (value ^ byte) * int(_PRIME) % (1 << 64)
    return value


#: Bytes of the longest of them, capitals and all.
_LONGEST_ELIDED = 2 * max(map(len, ELIDED))
_ELIDED = np.array(sorted(word_hash(word) for word in ELIDED), np.uint64)


@kernel
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


@kernel
def _add(value: Any, point: int) -> Any:
    """FNV-1a continued with the UTF-8 bytes of a code point."""
    if point < 0x80:
        return (value ^ np.uint64(point)) * _PRIME
    if point < 0x800:
        value = (value ^ np.uint64(0xC0 | point >> 6)) * _PRIME
    else:
        if point < 0x10000:
            value = (value ^ np.uint64(0xE0 | point >> 12)) * _PRIME
        else:
            value = (value ^ np.uint64(0xF0 | point >> 18)) * _PRIME
            value = (value ^ np.uint64(0x80 | point >> 12 & 0x3F)) * _PRIME
        value = (value ^ np.uint64(0x80 | point >> 6 & 0x3F)) * _PRIME
    return (value ^ np.uint64(0x80 | point & 0x3F)) * _PRIME


@kernel
def _plain(point: int, kind: int, lower: Any) -> Any:
    """A code point without case and typography."""
    if kind == _APOSTROPHE:
        return 0x27
    if kind == _HYPHEN:
        return 0x2D
    return point + lower[point]


@kernel
def _hash_bytes(value: Any, data: Bytes, at: int, stop: int) -> Any:
    for i in range(at, stop):
        value = (value ^ np.uint64(data[i])) * _PRIME
    return value


@kernel
def _joins(before: int, kind: int, after: int) -> bool:
    """Whether an apostrophe, a hyphen or a decimal mark joins what stands on both sides."""
    if kind == _APOSTROPHE:
        return before in (_LETTER, _MARK) and after == _LETTER
    if kind == _HYPHEN:
        return before in (_LETTER, _DIGIT, _MARK) and after in (_LETTER, _DIGIT)
    return kind == _DECIMAL and before == _DIGIT and after == _DIGIT


@kernel
def _elides(data: Bytes, at: int, stop: int, classes: Bytes, lower: Counts, elided: Hashes) -> bool:
    """Whether a stretch is what an elision leaves of a word."""
    if stop - at > _LONGEST_ELIDED:
        return False
    folded = _BASIS
    while at < stop:
        point, at = _decode(data, at, stop)
        folded = _add(folded, _plain(point, classes[point] & _CLASS, lower))
    return folded in elided


@kernel
def _french_word(data: Bytes, at: int, stop: int, classes: Bytes, lower: Counts, elided: Hashes) -> Any:
    """The word that begins at a place with a letter or a digit: end, length, flags, and both hashes."""
    length, flags, number, segment = 0, 0, False, at
    exact, folded = _BASIS, _BASIS
    point, following = _decode(data, at, stop)
    kind = classes[point] & _CLASS
    while True:
        exact = _hash_bytes(exact, data, at, following)
        length += 1
        at = following
        if kind == _LETTER:
            flags |= HAS_LETTER
            number = False
            folded = _add(folded, point + lower[point])
        elif kind == _DIGIT:
            flags |= HAS_DIGIT
            if not number:
                folded = _add(folded, 0x30)
            number = True
        elif kind != _DECIMAL:
            number = False
            folded = _add(folded, _plain(point, kind, lower))
            if kind == _HYPHEN:
                segment = at
        if at >= stop:
            break
        before = kind
        point, following = _decode(data, at, stop)
        kind = classes[point] & _CLASS
        if kind in (_LETTER, _DIGIT, _MARK):
            continue
        if kind == _SPACE:
            break
        if kind == _APOSTROPHE and _elides(data, segment, at, classes, lower, elided):
            exact = _hash_bytes(exact, data, at, following)
            return following, length + 1, flags | ELISION, exact, _add(folded, 0x27)
        after = classes[_decode(data, following, stop)[0]] & _CLASS if following < stop else _SPACE
        if not _joins(before, kind, after):
            break
    return at, length, flags, exact, folded


@kernel
def _signs(data: Bytes, at: int, stop: int, classes: Bytes) -> Any:
    """A run of one same sign, or of marks that stand on nothing, with the marks that follow it."""
    first, following = _decode(data, at, stop)
    point, length, exact = first, 0, _BASIS
    marks = classes[first] & _CLASS == _MARK
    while True:
        exact = _hash_bytes(exact, data, at, following)
        length += 1
        at = following
        if at >= stop:
            break
        point, following = _decode(data, at, stop)
        if classes[point] & _CLASS == _MARK:
            marks = True
        elif marks or point != first:
            break
    return at, length, ONLY_SIGNS, exact, np.uint64(0)


@kernel
def _unspaced(data: Bytes, at: int, stop: int, classes: Bytes, lower: Counts) -> Any:
    """A run of anything but spaces, as `_french_word` gives a word."""
    length, flags, number = 0, 0, False
    exact, folded = _BASIS, _BASIS
    point, following = _decode(data, at, stop)
    kind = classes[point] & _CLASS
    while kind != _SPACE:
        exact = _hash_bytes(exact, data, at, following)
        length += 1
        at = following
        next_point, following = _decode(data, at, stop) if at < stop else (0x20, at)
        if kind == _DIGIT:
            flags |= HAS_DIGIT
            if not number:
                folded = _add(folded, 0x30)
            number = True
        elif not (kind == _DECIMAL and number and classes[next_point] & _CLASS == _DIGIT):
            if kind == _LETTER:
                flags |= HAS_LETTER
            number = False
            folded = _add(folded, _plain(point, kind, lower))
        point = next_point
        kind = classes[point] & _CLASS
    if flags == 0:
        return at, length, ONLY_SIGNS, exact, np.uint64(0)
    return at, length, flags, exact, folded


@kernel
def _fill(
    data: Bytes,
    offsets: Places,
    classes: Bytes,
    lower: Counts,
    french: bool,
    elided: Hashes,
    done: int,
    bounds: Places,
    starts: Places,
    ends: Places,
    lengths: Counts,
    exact: Hashes,
    folded: Hashes,
    flags: Bytes,
) -> int:
    """Write the words of the texts from number `done` on; return the first text that found no room.

    Arrays are never bound anew in here: numba would count references at every word, at six times the cost.
    """
    count = bounds[done]
    for text in range(done, len(offsets) - 1):
        at, stop = offsets[text], offsets[text + 1]
        while at < stop:
            point, following = _decode(data, at, stop)
            kind = classes[point] & _CLASS
            if kind == _SPACE:
                at = following
                continue
            if not french:
                word = _unspaced(data, at, stop, classes, lower)
            elif kind in (_LETTER, _DIGIT):
                word = _french_word(data, at, stop, classes, lower, elided)
            else:
                word = _signs(data, at, stop, classes)
            if count == len(starts):
                return text
            starts[count] = at
            at, lengths[count], flags[count], exact[count], folded[count] = word
            ends[count] = at
            count += 1
        bounds[text + 1] = count
    return len(offsets) - 1
