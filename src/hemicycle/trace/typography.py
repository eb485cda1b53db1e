"""Typography: two copies of one passage side by side, with what differs between them set off.

Both have the same words once typography is taken away, so word stands beside word, and what lies between two
words beside what lies between the same two of the other. Ordinary spaces and line ends count as one space:
another line width is no difference that anybody wants to see.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby, pairwise
from typing import NamedTuple

from hemicycle.trace.words import word_bounds

#: No-break spaces have no form of their own on a page; where they differ, this sign stands for them.
_NO_BREAK = str.maketrans({"\u00a0": "⍽", "\u202f": "⍽"})
_BLANKS = re.compile(r"[ \t\n]+")


class Piece(NamedTuple):
    """A piece of one side; `differs` from the piece that stands in its place on the other."""

    text: str
    differs: bool


def side_by_side(left: str, right: str, most: int) -> tuple[list[Piece], list[Piece]]:
    """The first `most` words of two copies of a passage, in pieces that are equal or differ in turn."""
    pairs = list(zip(_cut(left, most), _cut(right, most), strict=False))
    told = [(a != b, a, b) for a, b in pairs]
    pieces: tuple[list[Piece], list[Piece]] = ([], [])
    for differs, group in groupby(told, key=lambda one: one[0]):
        sides = zip(*((a, b) for _, a, b in group), strict=True)
        for side, parts in zip(pieces, sides, strict=True):
            text = "".join(parts)
            side.append(Piece(text.translate(_NO_BREAK) if differs else text, differs))
    return pieces


def _cut(text: str, most: int) -> Iterator[str]:
    """Each word, and what stands between it and the next. Of a character of several words (½) all but the
    last are empty."""
    starts, ends = (bounds[:most].tolist() for bounds in word_bounds(text))
    for (start, following), end in zip(pairwise([*starts, ends[-1]]), ends, strict=True):
        stop = min(end, following)
        yield text[start:stop]
        yield _BLANKS.sub(" ", text[stop:following])
