"""Clean a text's characters and layout without losing where its parts are.

What is cleaned: canonical composition (NFC), line ends, control and invisible characters, soft hyphens,
spaces at line ends and runs of spaces inside lines, more than one empty line. What is kept: no-break
spaces and French typography, indentation, spelling, the writer's apostrophes.

Every substitution carries the offsets of the document's parts with it, so that a turn still begins at its
first word afterwards.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
import unicodedata
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

#: Part of the corpus stage's version: another number means other texts.
CLEANING = 1

_MARKS = "\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff"
_DECOMPOSED = re.compile(f"[^{_MARKS}\\s][{_MARKS}]+")
_LINE_ENDS = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\ufeff]"
)
_TABS = re.compile("\t")
# The look-behind gives a run of spaces one start; without it a long run would cost its square.
_TRAILING = re.compile(r"(?<![ \u00a0\u202f])[ \u00a0\u202f]+(?=\n|\Z)")
_RUNS = re.compile(r"(?<=[^\s])[ ]{2,}(?=\S)")
_EMPTY_LINES = re.compile(r"\n{3,}")


@dataclasses.dataclass(frozen=True)
class Cleaned:
    """A cleaned text and the given offsets, moved to where their characters went."""

    text: str
    offsets: npt.NDArray[np.int64]


def clean(text: str, offsets: npt.ArrayLike = ()) -> Cleaned:
    """Clean `text`; `offsets` (code points of `text`, 0 to its length) are carried along, order kept."""
    points = np.asarray(offsets, np.int64)
    # Looking for a fixed string is a hundred times quicker than a pattern, and most texts have none of these.
    if any(sign in text for sign in "\r\x0b\x0c\x85\u2028\u2029"):
        text, points = _substitute(_LINE_ENDS, lambda m: "\n", text, points)
    text, points = _substitute(_INVISIBLE, lambda m: "", text, points)
    if not unicodedata.is_normalized("NFC", text):
        text, points = _substitute(_DECOMPOSED, lambda m: unicodedata.normalize("NFC", m[0]), text, points)
        text, points = _substitute_singletons(text, points)
        text, points = _compose_between(text, points)
    if "\t" in text:
        text, points = _substitute(_TABS, lambda m: " ", text, points)
    if any(space + "\n" in text or text.endswith(space) for space in " \u00a0\u202f"):
        text, points = _substitute(_TRAILING, lambda m: "", text, points)
    if "  " in text:
        text, points = _substitute(_RUNS, lambda m: " ", text, points)
    if "\n\n\n" in text:
        text, points = _substitute(_EMPTY_LINES, lambda m: "\n\n", text, points)
    stripped = text.lstrip("\n ")
    points = points - (len(text) - len(stripped))
    text = stripped.rstrip()
    return Cleaned(text, np.clip(points, 0, len(text)))


def _substitute(
    pattern: re.Pattern[str],
    replacement: Callable[[re.Match[str]], str],
    text: str,
    points: npt.NDArray[np.int64],
) -> tuple[str, npt.NDArray[np.int64]]:
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
    points: npt.NDArray[np.int64],
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
    lengths: npt.NDArray[np.int64],
) -> npt.NDArray[np.int64]:
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
    result: npt.NDArray[np.int64] = np.where(within, start + distance, moved)
    return result


def _compose_between(text: str, points: npt.NDArray[np.int64]) -> tuple[str, npt.NDArray[np.int64]]:
    """Compose what is left (Hangul syllables, say) between any two offsets, which stay where they are."""
    if unicodedata.is_normalized("NFC", text):
        return text, points
    cuts = np.unique(np.concatenate([[0], points, [len(text)]]))
    pieces = [unicodedata.normalize("NFC", text[a:b]) for a, b in itertools.pairwise(cuts)]
    places = np.concatenate([[0], np.cumsum([len(piece) for piece in pieces])])
    return "".join(pieces), places[np.searchsorted(cuts, points)]


def _substitute_singletons(text: str, points: npt.NDArray[np.int64]) -> tuple[str, npt.NDArray[np.int64]]:
    """Replace characters whose canonical form is another single one (the Ångström sign, say)."""
    odd = sorted({c for c in set(text) if unicodedata.normalize("NFC", c) != c})
    if not odd:
        return text, points
    pattern = re.compile("[" + "".join(map(re.escape, odd)) + "]")
    return _substitute(pattern, lambda m: unicodedata.normalize("NFC", m[0]), text, points)
