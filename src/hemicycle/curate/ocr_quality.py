"""How well a text was recognised: the share of its letters that stand in words which French could have.

A word is plausible if each three letters of it, with its beginning and its end, are in the table beside this
file (``ocr_trigrams.txt``: a line a pair of letters, behind it the letters that may follow, ``_`` the edge of
a word). No list of words is needed, so names, old spelling (« étoit », « tems ») and rare words pass, and «
iië », « fcorhité » and « q^i » do not. Case and accents do not count, since recognition is judged and not
spelling; but a capital inside a word, a figure among letters and signs that no text prints (``|``, ``~``,
``■``) make a word one that was misread.

The trap is what the measure cannot see: an error that makes another word (« dons » for « donc »), lost lines,
columns in each other. And it knows French alone: Latin passes half-way, and a text in Greek fails. The value
falls with the rate of wrong letters (`bench/ocr_quality.py` shows how far), and it is a measure, not a rate:
bounds belong to the rules. A text without a word has none of it right: 0.

Rows are independent and the kernel is integer arithmetic, so any cut into batches gives the same values.
"""

from __future__ import annotations

import functools
from importlib import resources
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from hemicycle.kernels import scan

Bytes: TypeAlias = npt.NDArray[np.uint8]
Numbers: TypeAlias = npt.NDArray[np.int64]
Masks: TypeAlias = npt.NDArray[np.uint32]
Shares: TypeAlias = npt.NDArray[np.float64]

#: Classes of characters beside the letters 1 to 26; 0 is the edge of a word.
_EDGE, _DIGIT, _OTHER, _MARK = 0, 27, 28, 29

_EDGES = " \t\n\r\v\f\u00a0\u2009\u202f'’‘-\u2010\u2011–—.,;:!?«»“”„\"()[]/…°%&§€"
_FOLDED = {
    "a": "àáâãäåæ", "c": "ç", "e": "èéêë", "i": "ìíîï", "n": "ñ", "o": "òóôõöøœ", "u": "ùúûü",
    "y": "ýÿ", "s": "ſ",
}  # fmt: skip
#: What is added to the class of a capital.
_CAPITAL = 32
#: The longest ending of an ordinal.
_ENDING = 4


def _classes() -> npt.NDArray[np.uint8]:
    """The class of every code point below 0x2600; what lies above is no French text."""
    table = np.full(0x2600, _OTHER, np.uint8)
    for sign in _EDGES:
        table[ord(sign)] = _EDGE
    table[ord("0") : ord("9") + 1] = _DIGIT
    # Combining accents belong to the letter before them.
    table[0x300:0x370] = _MARK
    table[0xAD] = _MARK
    for number in range(26):
        small = chr(ord("a") + number)
        for letter in small + _FOLDED.get(small, ""):
            table[ord(letter)] = number + 1
            if len(letter.upper()) == 1 and letter != "ſ":
                table[ord(letter.upper())] = number + 1 + _CAPITAL
    return table


_CLASSES = _classes()


@functools.cache
def plausible() -> npt.NDArray[np.bool_]:
    """The table: whether three letters may follow each other, at (a · 27 + b) · 27 + c."""
    table = np.zeros(27**3, np.bool_)
    for line in (resources.files("hemicycle.curate") / "ocr_trigrams.txt").read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            pair, following = line.split()
            first, second = (_number(letter) for letter in pair)
            for letter in following:
                table[(first * 27 + second) * 27 + _number(letter)] = True
    return table


@functools.cache
def _followers() -> npt.NDArray[np.uint32]:
    """The table for the kernel: at 32 · a + b a bit for every letter that may follow. It is asked before a
    word's first letter too, so any may follow nothing; that is also what stands behind a sign that no text
    prints, but that word is wrong already."""
    table = plausible().reshape(27, 27, 27).copy()
    table[0, 0] = True
    masks = np.zeros((32, 32), np.uint32)
    masks[:27, :27] = table @ (1 << np.arange(27))
    return masks.ravel()


def _number(letter: str) -> int:
    return 0 if letter == "_" else ord(letter) - ord("a") + 1


@scan
def _class_at(data: Bytes, at: int, end: int, classes: Bytes) -> tuple[int, int]:
    """The class of the character at a place, and its width in bytes."""
    byte = data[at]
    if byte < 0x80:
        return int(classes[byte]), 1
    width = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
    point = int(byte) & (0xFF >> (width + 1))
    for more in range(1, width):
        point = (point << 6) | (int(data[min(at + more, end - 1)]) & 0x3F)
    return (int(classes[point]) if point < len(classes) else _OTHER), width


@scan
def _weight(letters: int, digits: int, wrong: bool, ends: bool, lone: bool) -> int:
    """The letters of a word, as they count: below nothing where it was misread.

    Args:
        ends: the table lets a word end as this one does.
        lone: one letter may be a word here.
    """
    if digits > 0:
        # « 1er », « 19e »: figures with a short ending say nothing.
        return -(letters + digits) if wrong or letters > _ENDING else 0
    if wrong or not (lone if letters == 1 else ends):
        return -letters
    return letters


@scan
def _run(data: Bytes, at: int, end: int, followers: Masks, letters: int, pair: Any, wrong: Any) -> Any:
    """Read small letters, most of any text; unsigned, or numba would ask of every place if it is negative.

    Args:
        letters: of the word, so far.
        pair: the last two of them, 32 · a + b.
        wrong: 1 if the word is.

    Returns:
        The place after them, and the last three continued.
    """
    place, stop = np.uint64(at), np.uint64(end)
    while place < stop:
        sign = np.uint64(data[place]) - np.uint64(0x60)
        if sign - np.uint64(1) >= np.uint64(26):
            break
        wrong |= ~(np.uint64(followers[pair]) >> sign) & np.uint64(1)
        pair = (pair << np.uint64(5) | sign) & np.uint64(1023)
        place += np.uint64(1)
    return np.int64(place), letters + np.int64(place) - at, pair, wrong


@scan
def _shares(data: Bytes, offsets: Numbers, classes: Bytes, followers: Masks, out: Shares) -> None:
    for row in range(len(offsets) - 1):
        at, end = offsets[row], offsets[row + 1]
        good = bad = letters = digits = 0
        pair = wrong = np.uint64(0)
        small = capital = False
        while at <= end:
            begin = at
            at, letters, pair, wrong = _run(data, at, end, followers, letters, pair, wrong)
            small |= at > begin
            sign, width = _class_at(data, at, end, classes) if at < end else (_EDGE, 1)
            upper = sign > _CAPITAL
            if upper:
                sign -= _CAPITAL
            if sign == _EDGE:
                if letters > 0:
                    # An elision has its apostrophe behind it: ' is a byte, ’ begins with E2 80.
                    elided = at < end and (data[at] == 0x27 or width == 3)
                    last = pair & np.uint64(31)
                    lone = capital or elided or last == 1 or last == 15 or last == 25
                    found = _weight(letters, digits, wrong != 0, followers[pair] & 1 != 0, lone)
                    good, bad = good + max(found, 0), bad - min(found, 0)
                letters = digits = 0
                pair = wrong = np.uint64(0)
                small = capital = False
            elif sign == _DIGIT:
                digits += 1
                wrong |= np.uint64(letters > 0)
            elif sign == _OTHER:
                letters += 1
                pair, wrong = np.uint64(0), np.uint64(1)
            elif sign != _MARK:
                letter = np.uint64(sign)
                strange = ~(np.uint64(followers[pair]) >> letter) & np.uint64(1)
                wrong |= strange | np.uint64(upper and small)
                capital = capital or (upper and letters == 0)
                pair = (pair << np.uint64(5) | letter) & np.uint64(1023)
                small = not upper
                letters += 1
            at += width
        if good + bad > 0:
            out[row] = good / (good + bad)


def ocr_qualities(data: Bytes, offsets: Numbers) -> npt.NDArray[np.float64]:
    """The quality of each text of a column, from 0 to 1.

    Args:
        data: UTF-8 bytes of all texts.
        offsets: n + 1 places in them; text i lies from `offsets[i]` to `offsets[i + 1]`.
    """
    found = np.zeros(len(offsets) - 1, np.float64)
    _shares(data, offsets, _CLASSES, _followers(), found)
    return found


def ocr_quality(text: str) -> float:
    """The quality of one text, from 0 to 1."""
    data = np.frombuffer(text.encode("utf-8", "replace"), np.uint8)
    return float(ocr_qualities(data, np.array([0, len(data)], np.int64))[0])
