"""Clean texts' characters and layout without losing where their parts are.

What is cleaned: canonical composition (NFC), line ends, control and invisible characters, soft hyphens,
spaces at line ends and runs of spaces inside lines, more than one empty line. What is kept: no-break
spaces and French typography, indentation, spelling, the writer's apostrophes.

Every substitution carries the offsets of the document's parts with it, so that a turn still begins at its
first word afterwards.

A kernel does all but the composition, in one pass over the bytes of a batch. It writes blanks and takes them
back once it sees what follows them, so that no run of them is read twice. Composition comes last, and only
for the few texts that need it: blanks compose with nothing, so taking some out changes nothing for it.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from hemicycle.kernels import kernel

#: Part of the corpus stage's version: another number means other texts.
CLEANING = 1

Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int64]

_MARKS = "\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff"
_DECOMPOSED = re.compile(f"[^{_MARKS}\\s][{_MARKS}]+")

#: What the kernel takes a character for. Blanks and no-break spaces go at line ends, wide ones at a text's.
_LETTER, _BLANK, _NO_BREAK, _WIDE, _LINE_END, _INVISIBLE = range(6)
_KINDS = np.zeros(0x10000, np.uint8)
for _kind_of, _characters in (
    (_INVISIBLE, [*range(0x20), *range(0x7F, 0xA0), 0xAD, 0x200B, 0x200E, 0x200F, 0xFEFF]),
    (_INVISIBLE, [*range(0x202A, 0x202F), *range(0x2060, 0x2065)]),
    (_LINE_END, [0x0A, 0x0B, 0x0C, 0x0D, 0x85, 0x2028, 0x2029]),
    (_WIDE, [0x1680, *range(0x2000, 0x200B), 0x205F, 0x3000]),
    (_NO_BREAK, [0xA0, 0x202F]),
    (_BLANK, [0x09, 0x20]),
):
    _KINDS[_characters] = _kind_of


@dataclasses.dataclass(frozen=True)
class Cleaned:
    """A cleaned text and the given offsets, moved to where their characters went."""

    text: str
    offsets: Places


def clean(text: str, offsets: npt.ArrayLike = ()) -> Cleaned:
    """Clean `text`; `offsets` (code points of `text`, 0 to its length) are carried along, order kept."""
    points = np.asarray(offsets, np.int64)
    data = np.frombuffer(text.encode("utf-8", "surrogatepass"), np.uint8)
    data, _, points = clean_texts(data, np.array([0, len(data)]), points, np.array([0, len(points)]))
    return Cleaned(decoded(data), points)


def clean_texts(data: Bytes, offsets: Places, points: Places, bounds: Places) -> tuple[Bytes, Places, Places]:
    """Clean n texts, given as UTF-8 bytes and n + 1 offsets.

    Args:
        points: offsets in code points of their text, 0 to its length, those of all texts one after the other.
        bounds: n + 1 places in `points`; those of text i are ``points[bounds[i] : bounds[i + 1]]``.

    Returns:
        The bytes and offsets of the cleaned texts, and the points, moved to where their characters went.
    """
    # The kernel meets points as it reads.
    order = np.lexsort((points, np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))))
    out, places = np.empty(offsets[-1] - offsets[0], np.uint8), np.zeros(len(offsets), np.int64)
    moved, odd = np.empty_like(points), np.zeros(len(offsets) - 1, np.bool_)
    _clean(data, offsets, points[order], bounds, out, places, moved, odd)
    points = np.empty_like(points)
    points[order] = moved
    composed = {}
    for row in np.flatnonzero(odd):
        text = decoded(out[places[row] : places[row + 1]])
        if not unicodedata.is_normalized("NFC", text):
            mine = slice(bounds[row], bounds[row + 1])
            composed[int(row)], points[mine] = _compose(text, points[mine])
    return *put(out[: places[-1]], places, composed), points


def decoded(data: Bytes) -> str:
    """The text of these bytes."""
    return str(data.data, "utf-8", "surrogatepass")


def put(data: Bytes, offsets: Places, texts: Mapping[int, str]) -> tuple[Bytes, Places]:
    """Put new texts in the place of some (by number, in order) of those in `data`."""
    if not texts:
        return data, offsets
    new = {row: np.frombuffer(text.encode("utf-8", "surrogatepass"), np.uint8) for row, text in texts.items()}
    lengths = np.diff(offsets)
    pieces: list[Bytes] = []
    at = offsets[0]
    for row, text in new.items():
        pieces += (data[at : offsets[row]], text)
        at = offsets[row + 1]
        lengths[row] = len(text)
    pieces.append(data[at : offsets[-1]])
    return np.concatenate(pieces), np.concatenate([[0], np.cumsum(lengths)])


@kernel
def _character(data: Bytes, at: int, stop: int) -> tuple[Any, int, Any]:
    """What the character here is taken for, its length in bytes, and whether it may ask for composition."""
    byte = data[at]
    if byte < 0x80:
        return _KINDS[byte], 1, False
    size = 1 if byte < 0xC0 else 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
    if size == 1 or size == 4 or at + size > stop:  # one that is cut off is not read past the end
        return _LETTER, min(size, stop - at), True
    code = np.int64(byte & (0x1F if size == 2 else 0x0F))
    for i in range(1, size):
        code = code << 6 | np.int64(data[at + i] & 0x3F)
    # Nothing before U+0300 composes or is composed anew; the signs of French typography are not either.
    return _KINDS[code], size, code >= 0x300 and not 0x2002 <= code < 0x20C0


@kernel
def _copy(data: Bytes, at: int, size: int, out: Bytes, to: int) -> int:
    for i in range(size):
        out[to + i] = data[at + i]
    return to + size


@kernel
def _ascii(data: Bytes, at: int, stop: int, out: Bytes, to: int) -> int:
    """Copy words in ASCII with single spaces between them, and return how many bytes."""
    begun = at
    while at < stop and (
        0x20 < data[at] < 0x7F or (data[at] == 0x20 and at + 1 < stop and 0x20 < data[at + 1] < 0x7F)
    ):
        out[to + at - begun] = data[at]
        at += 1
    return at - begun


@kernel
def _back(moved: Places, first: int, last: int, most: int) -> None:
    """Take points back that lie behind what is left."""
    while last > first and moved[last - 1] > most:
        last -= 1
        moved[last] = most


@kernel
def _clean_text(
    data: Bytes, at: int, stop: int, points: Places, moved: Places, out: Bytes, to: int
) -> tuple[int, bool]:
    """Write a cleaned text to `out` from `to` on, and its points, which rise, to `moved`.

    Returns where it ends in `out`, and whether it may have to be composed.
    """
    # Characters read and written, and the next point.
    read, wrote, point, may_compose = 0, 0, 0, False
    # Where the blanks right before begin, in characters (-1: none) and bytes, and whether all are plain.
    run, run_to, plain = -1, to, True
    # Whether a letter is right before (the blanks); where the last one ends; line ends in a row.
    after_letter, end, end_to, lines = False, 0, to, 0
    after_return = False
    while at < stop:
        while point < len(points) and points[point] <= read:
            moved[point] = wrote
            point += 1
        kind, size, may = _character(data, at, stop)
        may_compose = may_compose or may
        read += 1
        # The second half of a line end is nothing of its own.
        if after_return and data[at] == 0x0A:
            kind = _INVISIBLE
        after_return = data[at] == 0x0D
        if kind == _LETTER:
            if run >= 0 and plain and after_letter and wrote > run + 1:
                wrote, to = run + 1, run_to + 1
                _back(moved, 0, point, wrote)
            to = _copy(data, at, size, out, to)
            wrote += 1
            # The rest of the line has few of these questions, as far as no point is in it.
            quick = stop if point == len(points) else min(stop, at + size + points[point] - read)
            more = _ascii(data, at + size, quick, out, to)
            at, to, read, wrote = at + more, to + more, read + more, wrote + more
            run, after_letter, lines, end, end_to = -1, True, 0, wrote, to
        elif kind == _LINE_END:
            if run >= 0:
                wrote, to, run = run, run_to, -1
                _back(moved, 0, point, wrote)
            after_letter = False
            if wrote > 0 and lines < 2:
                out[to] = 0x0A
                to, wrote, lines = to + 1, wrote + 1, lines + 1
        elif kind == _WIDE:
            run, after_letter, lines = -1, False, 0
            to, wrote = _copy(data, at, size, out, to), wrote + 1
        elif kind != _INVISIBLE and (kind == _NO_BREAK or wrote > 0):
            if run < 0:
                run, run_to, plain = wrote, to, True
            plain = plain and kind == _BLANK
            to, wrote = _copy(data, at, size, out, to), wrote + 1
            if kind == _BLANK:
                out[to - 1] = 0x20
        at += size
    moved[point:] = wrote
    _back(moved, 0, len(points), end)
    return end_to, may_compose


@kernel
def _clean(
    data: Bytes,
    offsets: Places,
    points: Places,
    bounds: Places,
    out: Bytes,
    places: Places,
    moved: Places,
    odd: npt.NDArray[np.bool_],
) -> None:
    """Write cleaned texts, their offsets to `places`, and whether they may have to be composed to `odd`."""
    for text in range(len(offsets) - 1):
        mine = slice(bounds[text], bounds[text + 1])
        places[text + 1], odd[text] = _clean_text(
            data, offsets[text], offsets[text + 1], points[mine], moved[mine], out, places[text]
        )


def _compose(text: str, points: Places) -> tuple[str, Places]:
    """Compose canonically: letters with their marks, then single characters, then what is left."""
    text, points = _substitute(_DECOMPOSED, lambda m: unicodedata.normalize("NFC", m[0]), text, points)
    text, points = _substitute_singletons(text, points)
    return _compose_between(text, points)


def _substitute(
    pattern: re.Pattern[str],
    replacement: Callable[[re.Match[str]], str],
    text: str,
    points: Places,
) -> tuple[str, Places]:
    pieces: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    lengths: list[int] = []
    at = 0
    for match in pattern.finditer(text):
        new = replacement(match)
        pieces += (text[at : match.start()], new)
        at = match.end()
        starts.append(match.start())
        ends.append(at)
        lengths.append(len(new))
    if not starts:
        return text, points
    pieces.append(text[at:])
    if len(points):
        points = move(points, np.asarray(starts), np.asarray(ends), np.asarray(lengths))
    return "".join(pieces), points


def move(
    points: Places,
    starts: Places,
    ends: Places,
    lengths: Places,
) -> Places:
    """New offsets after replacing ``starts:ends`` by texts of the given lengths.

    A point inside a replaced stretch goes to the same distance from its start, at most to its end.
    """
    shift = np.concatenate([[0], np.cumsum(lengths - (ends - starts))])
    passed = np.searchsorted(ends, points, side="right")
    moved = points + shift[passed]
    inside = np.minimum(passed, len(starts) - 1)
    within = (passed < len(starts)) & (points > starts[inside])
    start = starts[inside] + shift[inside]
    distance = np.minimum(points - starts[inside], lengths[inside])
    result: Places = np.where(within, start + distance, moved)
    return result


def _compose_between(text: str, points: Places) -> tuple[str, Places]:
    """Compose what is left (Hangul syllables, say) between any two offsets, which stay where they are."""
    if unicodedata.is_normalized("NFC", text):
        return text, points
    cuts = np.unique(np.concatenate([[0], points, [len(text)]]))
    pieces = [unicodedata.normalize("NFC", text[a:b]) for a, b in itertools.pairwise(cuts)]
    places = np.concatenate([[0], np.cumsum([len(piece) for piece in pieces])])
    return "".join(pieces), places[np.searchsorted(cuts, points)]


def _substitute_singletons(text: str, points: Places) -> tuple[str, Places]:
    """Replace characters whose canonical form is another single one (the Ångström sign, say)."""
    odd = sorted({c for c in set(text) if unicodedata.normalize("NFC", c) != c})
    if not odd:
        return text, points
    pattern = re.compile("[" + "".join(map(re.escape, odd)) + "]")
    return _substitute(pattern, lambda m: unicodedata.normalize("NFC", m[0]), text, points)
