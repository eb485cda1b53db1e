"""Words: what is left of a text once typography is taken away.

Two copies of one sentence rarely have the same characters: one has no-break spaces and curly apostrophes,
another is re-wrapped, set in capitals, or stored with its accents apart. The index is therefore built over
normalised words, not over characters or tokens. A word is a maximal run of ``\\w`` in the folded text.

The trap: words must be found in the *original* text, since excerpts are cut there, and splitting first and
folding after gives other words wherever a mark, a soft hyphen or a compatibility character (``™``, ``½``,
``ŀ``) touches a boundary. So the text is folded as it is read, and parted where the fold of a character holds
nothing of a word.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hemicycle.kernels import kernel, scan
from hemicycle.trace.folds import Folds, folds_of

Ids = npt.NDArray[np.uint32]
Offsets = npt.NDArray[np.int64]

# Constants of `folds`, written again as numba wants them; a test compares them.
_OF_WORD, _PARTS = 0x8000_0000, 0


class Words(NamedTuple):
    """The words of a text, and where each stands in it: characters `starts[i]` to `ends[i]`."""

    words: list[str]
    starts: Offsets
    ends: Offsets


class Letters(NamedTuple):
    """The words of a text as UTF-8: word i is ``letters[stops[i - 1]:stops[i]]``, the first from 0.

    Attributes:
        starts, ends: characters of the text, as of `Words`.
    """

    letters: npt.NDArray[np.uint8]
    stops: Offsets
    starts: Offsets
    ends: Offsets


def split_words(text: str) -> Words:
    """Cut a text into normalised words. Offsets count code points of `text` as given.

    A run that folds to several words (``½`` folds to 1 and 2) gives several words at one place.
    """
    found = read_letters(text)
    return Words(spell(found.letters, found.stops), found.starts, found.ends)


def word_bounds(text: str) -> tuple[Offsets, Offsets]:
    """The offsets of `split_words` alone."""
    found = read_letters(text)
    return found.starts, found.ends


def read_letters(text: str) -> Letters:
    """Cut a text into normalised words, and leave them in one array."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")
    folds = folds_of(codes)
    letters, words = _measure(codes, folds)
    found = Letters(
        np.empty(letters, np.uint8),
        np.empty(words, np.int64),
        np.empty(words, np.int64),
        np.empty(words, np.int64),
    )
    _split(codes, folds, found)
    return found


def spell(letters: npt.NDArray[np.uint8], stops: Offsets) -> list[str]:
    """Words as strings."""
    text = letters.tobytes()
    bounds = [0, *stops.tolist()]
    return [text[bounds[i] : bounds[i + 1]].decode("utf-8") for i in range(len(stops))]


@scan
def _size(code: int) -> int:
    """Bytes of a code point in UTF-8."""
    return 1 + (code >= 0x80) + (code >= 0x800) + (code >= 0x1_0000)


@scan
def _put(letters: npt.NDArray[np.uint8], at: int, code: int) -> int:
    """Write a code point as UTF-8 from `at` on; where the next one goes."""
    if code < 0x80:
        letters[at] = code
        return at + 1
    if code < 0x800:
        letters[at] = 0xC0 | code >> 6
    else:
        if code < 0x1_0000:
            letters[at] = 0xE0 | code >> 12
        else:
            letters[at] = 0xF0 | code >> 18
            letters[at + 1] = 0x80 | code >> 12 & 0x3F
            at += 1
        letters[at + 1] = 0x80 | code >> 6 & 0x3F
        at += 1
    letters[at + 1] = 0x80 | code & 0x3F
    return at + 2


@kernel
def _measure(codes: npt.NDArray[np.uint32], folds: Folds) -> tuple[int, int]:
    """How many bytes of letters there are, and how many words."""
    letters, words, inside = 0, 0, False
    for code in codes:
        place = folds.row[code >> 8] * 256 + (code & 255)
        single = folds.single[place]
        if single & _OF_WORD:
            letters += _size(single ^ _OF_WORD)
            words += not inside
            inside = True
        elif single == _PARTS:
            inside = False
        else:
            for at in range(folds.begin[place], folds.begin[place + 1]):
                of_word = folds.folded[at] & _OF_WORD != 0
                if of_word:
                    letters += _size(folds.folded[at] ^ _OF_WORD)
                words += of_word and not inside
                inside = of_word
    return letters, words


@kernel
def _split(codes: npt.NDArray[np.uint32], folds: Folds, found: Letters) -> None:
    """Write words and their places. All words of a run of characters that no character parts wholly have the
    place of that run."""
    letter, word, first, start, inside = 0, 0, 0, 0, False
    for at in range(len(codes)):
        place = folds.row[codes[at] >> 8] * 256 + (codes[at] & 255)
        single = folds.single[place]
        if single & _OF_WORD:
            letter = _put(found.letters, letter, single ^ _OF_WORD)
            inside = True
        elif single == _PARTS:
            if inside:
                found.stops[word] = letter
                word += 1
                inside = False
            while first < word:
                found.starts[first], found.ends[first] = start, at
                first += 1
            start = at + 1
        else:
            for each in range(folds.begin[place], folds.begin[place + 1]):
                folded = folds.folded[each]
                if folded & _OF_WORD:
                    letter = _put(found.letters, letter, folded ^ _OF_WORD)
                    inside = True
                elif inside:
                    found.stops[word] = letter
                    word += 1
                    inside = False
    if inside:
        found.stops[word] = letter
        word += 1
    while first < word:
        found.starts[first], found.ends[first] = start, len(codes)
        first += 1
