"""Lines: one pass over the bytes of a batch of texts, for all that counts characters or lines.

A line ends at ``\\n`` and nowhere else: cleaned text has no other line end. Two readings of "line" live here,
because two sets of rules do: every line but a last empty one (Gopher quality, as ``str.splitlines``), and
every line with something visible on it (FineWeb, C4).

What C4 does to lines is only counted: no line is taken out of a text here.
"""

from __future__ import annotations

import enum
import functools
from typing import Any

import numpy as np
import numpy.typing as npt

from hemicycle.curate.characters import characters
from hemicycle.curate.words import Bytes, Places
from hemicycle.kernels import scan


class Count(enum.IntEnum):
    """What is counted of each text: the columns of `count_lines`."""

    CHARACTERS = 0
    VISIBLE = 1
    LETTERS = 2
    DIGITS = 3
    HASHES = 4
    ELLIPSES = 5
    NEWLINES = 6
    CURLY = 7
    BRACKETED = 8
    SENTENCES = 9
    LINES = 10
    BULLET_LINES = 11
    ELLIPSIS_LINES = 12
    VISIBLE_LINES = 13
    ENDED_LINES = 14
    SHORT_LINES = 15
    HYPHEN_LINES = 16
    TIMECODE_LINES = 17
    MARKED_LINES = 18
    FEW_WORD_LINES = 19
    JAVASCRIPT_LINES = 20
    POLICY_LINES = 21
    LOREM_IPSUM = 22
    LONGEST_UNSPACED = 23
    C4_LINES = 24
    C4_SENTENCES = 25


#: A line of so many characters is short.
SHORT = 30
#: C4 leaves out lines of fewer words than this, and lines with a longer word than that.
FEW_WORDS, LONG_WORD = 3, 1000
#: Phrases that C4 looks for in lower case, with their French counterparts.
JAVASCRIPT = ("javascript",)
LOREM_IPSUM = ("lorem ipsum",)
POLICY = (
    "terms of use",
    "privacy policy",
    "cookie policy",
    "uses cookies",
    "use of cookies",
    "use cookies",
    "conditions d'utilisation",
    "conditions d’utilisation",
    "politique de confidentialit",
    "politique de cookies",
    "utilise des cookies",
    "utilisation de cookies",
    "utilisation des cookies",
)
#: Three letters of every phrase that rarely stand so in other text: most of it need not be read for phrases.
HINTS = ("jav", "m?ip", "m???f?u", "acy", "ook", "c??d???????d", "c??f?d")

_LETTER, _DIGIT, _SPACE, _CLASS, _ENDS = 1, 2, 4, 7, 16
_LATIN = 0xC3
#: Bytes looked at together for hints; no hint and no phrase is longer than half of them.
_BLOCK = 64
_FOUND = {0: JAVASCRIPT, 1: POLICY, 2: LOREM_IPSUM}


def count_lines(data: Bytes, offsets: Places) -> npt.NDArray[np.int64]:
    """Count everything in `Count` of each text: (texts, counts)."""
    counts = np.zeros((len(offsets) - 1, len(Count)), np.int64)
    _count(data, offsets, characters().classes, _letters(), *_PHRASES, counts)
    return counts


@functools.cache
def _letters() -> Bytes:
    """By byte: 1 for a plain letter, `_LATIN` where a character of U+00C0 to U+00FF begins, else 0. Behind
    that, by the second byte of these: whether they are letters."""
    kinds = characters().classes[np.r_[:256, 0xC0:0x100]] & _CLASS
    letters: Bytes = (kinds == _LETTER).astype(np.uint8)
    letters[128:256] = 0
    letters[_LATIN] = _LATIN
    return letters


def _phrases() -> tuple[Bytes, Places, Bytes, npt.NDArray[np.uint16], Bytes]:
    """All phrases in one array, their ends, their kinds, by two first bytes which may begin there, and of
    each hint its three letters and the places of the second and third."""
    phrases = [(phrase.encode("utf-8"), kind) for kind, found in _FOUND.items() for phrase in found]
    begins = np.zeros(1024, np.uint16)
    for number, (phrase, _) in enumerate(phrases):
        begins[(phrase[0] * 31 + phrase[1]) & 1023] |= 1 << number
    return (
        np.frombuffer(b"".join(phrase for phrase, _ in phrases), np.uint8),
        np.cumsum([0, *(len(phrase) for phrase, _ in phrases)]),
        np.array([kind for _, kind in phrases], np.uint8),
        begins,
        np.array([_hint(hint) for hint in HINTS], np.uint8),
    )


def _hint(hint: str) -> tuple[int, ...]:
    first, second, third = (i for i, letter in enumerate(hint) if letter != "?")
    return ord(hint[first]), ord(hint[second]), ord(hint[third]), second, third


_PHRASES = _phrases()


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
def _closes(point: int) -> bool:
    """Marks that may stand between the end of a sentence and the space after it."""
    return point in (0x22, 0x27, 0x29, 0x5D, 0xBB, 0x2019, 0x201D)


@scan
def _run(data: Bytes, at: int, stop: int, letters: Bytes) -> Any:
    """Pass over the letters of French, most of any text: the place after them, and how many they are."""
    length = 0
    while at < stop:
        kind = letters[data[at]]
        if kind == _LATIN:
            if at + 1 == stop or data[at + 1] & 0xC0 != 0x80 or letters[256 + (data[at + 1] & 0x3F)] == 0:
                break
            at += 1
        elif kind == 0:
            break
        at += 1
        length += 1
    return at, length


@scan
def _characters(data: Bytes, at: int, stop: int, classes: Bytes, letters: Bytes, total: Places) -> Any:
    """Count the characters up to the end of a line or of the text.

    Returns that place, the line's length, visible characters, sentences, unspaced words, the length of the
    longest, and colons.
    """
    length, visible, dots, depth, of_letters, bracketed = 0, 0, 0, 0, 0, 0
    # A sentence ends at a mark with a letter before it, closing marks and then a space or nothing after it.
    sentences, seen, ending = 0, False, False
    words, word, longest, colons = 0, 0, 0, 0
    while at < stop:
        at, run = _run(data, at, stop, letters)
        if run > 0:
            length += run
            visible += run
            words += word == 0
            word += run
            of_letters += run
            bracketed += run if depth > 0 else 0
            seen, ending, dots = True, False, 0
            if at == stop:
                break
        if data[at] == 10:
            break
        point, at = _decode(data, at, stop)
        kind = classes[point]
        length += 1
        if kind & _CLASS == _SPACE:
            longest = max(longest, word)
            word = dots = 0
            sentences += ending
            seen = seen and not ending
            ending = False
            continue
        visible += 1
        words += word == 0
        word += 1
        bracketed += depth > 0
        if kind & _CLASS == _LETTER:
            of_letters += 1
            seen, ending, dots = True, False, 0
            continue
        dots = dots + 1 if point == 0x2E else 0
        if kind & _CLASS == _DIGIT:
            total[Count.DIGITS] += 1
            ending = False
            continue
        total[Count.ELLIPSES] += point == 0x2026 or (dots > 0 and dots % 3 == 0)
        total[Count.HASHES] += point == 0x23
        total[Count.CURLY] += point == 0x7B
        colons += point == 0x3A
        depth = _depth(point, depth)
        bracketed += point in (0x28, 0x5B) and depth == 1
        ending = seen and (kind & _ENDS != 0 or point == 0x2026 or (ending and _closes(point)))
    total[Count.LETTERS] += of_letters
    total[Count.BRACKETED] += bracketed
    total[Count.CHARACTERS] += length
    total[Count.VISIBLE] += visible
    sentences += ending
    total[Count.SENTENCES] += sentences
    return at, length, visible, sentences, words, max(longest, word), colons


@scan
def _depth(point: int, depth: int) -> int:
    """How many round or square brackets are open after a character."""
    if point in (0x28, 0x5B):
        return depth + 1
    return max(0, depth - 1) if point in (0x29, 0x5D) else depth


@scan
def _timecode(data: Bytes, at: int, stop: int) -> bool:
    """Whether dd:dd:dd stands in a line."""
    met = 0
    for i in range(at, stop):
        digit = 0x30 <= data[i] <= 0x39
        if digit and met not in (2, 5):
            met += 1
            if met == 8:
                return True
        elif data[i] == 0x3A and met in (2, 5):
            met += 1
        elif not digit:
            met = 0
    return False


@scan
def _phrases_of(
    data: Bytes, at: int, stop: int, phrases: Bytes, bounds: Places, kinds: Bytes, begins: Any
) -> int:
    """Which kinds of phrases a line holds, in whatever case: a bit each."""
    found = 0
    for i in range(at, stop - 1):
        first, second = data[i] | 0x20, data[i + 1] | 0x20
        candidates = begins[(first * 31 + second) & 1023]
        if candidates == 0:
            continue
        for number in range(len(kinds)):
            if candidates >> number & 1 == 0:
                continue
            a, size = bounds[number], bounds[number + 1] - bounds[number]
            if i + size > stop:
                continue
            k = 0
            while k < size:
                byte = data[i + k]
                if (byte | 0x20 if 0x41 <= byte <= 0x5A else byte) != phrases[a + k]:
                    break
                k += 1
            if k == size:
                found |= 1 << kinds[number]
    return found


@scan
def _hinted(data: Bytes, at: Any, hints: Any) -> bool:
    """Whether a hint begins in the block at a place, without branches: many bytes are compared at once."""
    found = False
    for h in range(len(hints)):
        one, two, three = hints[h, 0], hints[h, 1], hints[h, 2]
        second, third = at + np.uint64(hints[h, 3]), at + np.uint64(hints[h, 4])
        for i in range(_BLOCK):
            k = np.uint64(i)
            found |= (
                (data[at + k] | np.uint8(0x20) == one)
                & (data[second + k] | np.uint8(0x20) == two)
                & (data[third + k] | np.uint8(0x20) == three)
            )
    return found


@scan
def _any_phrase(
    data: Bytes, at: int, stop: int, phrases: Bytes, bounds: Places, kinds: Bytes, begins: Any, hints: Any
) -> bool:
    """Whether a text holds a phrase."""
    begin = at
    while at < stop:
        whole = at + 2 * _BLOCK <= stop
        if not whole or _hinted(data, np.uint64(at), hints):
            first, last = max(begin, at - _BLOCK), min(stop, at + 2 * _BLOCK)
            if _phrases_of(data, first, last, phrases, bounds, kinds, begins):
                return True
        at += _BLOCK
    return False


@scan
def _backward(data: Bytes, at: int, stop: int) -> Any:
    """The code point before `stop`, and its place."""
    place = stop - 1
    while place > at and stop - place < 4 and data[place] & 0xC0 == 0x80:
        place -= 1
    point, following = _decode(data, place, stop)
    return (point, place) if following == stop else (0xFFFD, stop - 1)


@scan
def _first_visible(data: Bytes, at: int, stop: int, classes: Bytes) -> int:
    point = 0x20
    while at < stop and classes[point] & _CLASS == _SPACE:
        point, at = _decode(data, at, stop)
    return point


@scan
def _last_visible(data: Bytes, at: int, stop: int, classes: Bytes) -> Any:
    """The last visible character, and the place after it."""
    point, before = 0x20, stop
    while before > at and classes[point] & _CLASS == _SPACE:
        stop = before
        point, before = _backward(data, at, stop)
    return point, stop


@scan
def _line(
    data: Bytes,
    at: int,
    stop: int,
    classes: Bytes,
    letters: Bytes,
    phrases: Bytes,
    bounds: Places,
    kinds: Bytes,
    begins: Any,
    perhaps: bool,
    total: Places,
) -> int:
    """Count one line, in which phrases are looked for where they may be; the place of its end."""
    curly = total[Count.CURLY]
    stop, length, visible, sentences, words, longest, colons = _characters(
        data, at, stop, classes, letters, total
    )
    if visible == 0:
        return stop
    first = _first_visible(data, at, stop, classes)
    last, end = _last_visible(data, at, stop, classes)
    dotted = end - at >= 3 and data[end - 1] == 0x2E and data[end - 2] == 0x2E and data[end - 3] == 0x2E
    total[Count.VISIBLE_LINES] += 1
    total[Count.BULLET_LINES] += first in (0x2022, 0x2D)
    total[Count.ELLIPSIS_LINES] += dotted or last == 0x2026
    total[Count.ENDED_LINES] += end == stop and classes[last] & _ENDS != 0
    total[Count.SHORT_LINES] += length <= SHORT
    total[Count.HYPHEN_LINES] += last in (0x2D, 0x2010, 0xAC)
    total[Count.TIMECODE_LINES] += colons >= 2 and _timecode(data, at, stop)
    total[Count.LONGEST_UNSPACED] = max(total[Count.LONGEST_UNSPACED], longest)
    found = _phrases_of(data, at, stop, phrases, bounds, kinds, begins) if perhaps else 0
    # C4's own marks, and the closing quotation mark of French.
    marked = last in (0x2E, 0x3F, 0x21, 0x22, 0x27, 0xBB) and not dotted
    total[Count.MARKED_LINES] += marked
    total[Count.FEW_WORD_LINES] += words < FEW_WORDS
    total[Count.JAVASCRIPT_LINES] += found & 1
    total[Count.POLICY_LINES] += found >> 1 & 1
    total[Count.LOREM_IPSUM] += found >> 2 & 1
    if marked and words >= FEW_WORDS and longest <= LONG_WORD and found == 0 and total[Count.CURLY] == curly:
        total[Count.C4_LINES] += 1
        total[Count.C4_SENTENCES] += sentences
    return stop


@scan
def _count(
    data: Bytes,
    offsets: Places,
    classes: Bytes,
    letters: Bytes,
    phrases: Bytes,
    bounds: Places,
    kinds: Bytes,
    begins: Any,
    hints: Any,
    counts: Any,
) -> None:
    for text in range(len(offsets) - 1):
        at, stop = offsets[text], offsets[text + 1]
        total = counts[text]
        perhaps = _any_phrase(data, at, stop, phrases, bounds, kinds, begins, hints)
        while at <= stop:
            end = _line(data, at, stop, classes, letters, phrases, bounds, kinds, begins, perhaps, total)
            total[Count.LINES] += end < stop or end > at
            total[Count.NEWLINES] += end < stop
            at = end + 1
        total[Count.CHARACTERS] += total[Count.NEWLINES]
