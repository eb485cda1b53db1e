"""Words: what is left of a text once typography is taken away.

Two copies of one sentence rarely have the same characters: one has no-break spaces and curly apostrophes,
another is re-wrapped, set in capitals, or stored with its accents apart. The index is therefore built over
normalised words, not over characters or tokens.

The fold is NFKD, case folding, NFKD again, then combining marks and soft hyphens dropped, œ → oe, æ → ae.
A word is a maximal run of ``\\w`` in the folded text. The trap: words must be found in the *original* text,
since excerpts are cut there, and splitting first and folding after gives other words wherever a mark, a
soft hyphen or a compatibility character (``™``, ``½``, ``ŀ``) touches a boundary. So every character is
classed by what its fold holds; runs are cut on the classes, with numpy, and each distinct run is folded once.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hemicycle.errors import InputError, IntegrityError

#: Version of the fold and of the cut. A change of either is a new number, and every index is built anew.
NORMALISATION = 1

#: Stands for a word that the vocabulary does not hold; never stored.
UNKNOWN = 0xFFFF_FFFE

Ids = npt.NDArray[np.uint32]
Offsets = npt.NDArray[np.int64]

#: What the fold of one character holds: breaks only; word characters only; nothing; both.
_BREAK, _PLAIN, _EMPTY, _MIXED = 1, 2, 3, 4

_WORD = re.compile(r"\w+")
_LIGATURES = str.maketrans({"œ": "oe", "æ": "ae"})

#: Classes found so far, by code point (0: not asked yet): a memo of a pure function, shared by threads.
_known_classes = np.zeros(0x11_0000, np.uint8)

#: Distinct runs remembered while a vocabulary grows; past it the memory starts anew.
_REMEMBERED_RUNS = 4_000_000


class Words(NamedTuple):
    """The words of a text, and where each stands in it: characters `starts[i]` to `ends[i]`."""

    words: list[str]
    starts: Offsets
    ends: Offsets


def fold(text: str) -> str:
    """`text` without case, accents, ligatures and soft hyphens."""
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    kept = (c for c in folded if c != "\u00ad" and not unicodedata.category(c).startswith("M"))
    return "".join(kept).translate(_LIGATURES)


def split_words(text: str) -> Words:
    """Cut a text into normalised words. Offsets count code points of `text` as given.

    A run that folds to several words (``½`` folds to 1 and 2) gives several words at one place.
    """
    starts, ends, _ = _runs(text)
    forms_of = functools.cache(_forms)
    forms = [forms_of(text[s:e]) for s, e in zip(starts.tolist(), ends.tolist(), strict=True)]
    counts = np.fromiter(map(len, forms), np.int64, len(forms))
    words = [word for form in forms for word in form]
    return Words(words, np.repeat(starts, counts), np.repeat(ends, counts))


def word_bounds(text: str) -> tuple[Offsets, Offsets]:
    """The offsets of `split_words` alone, some ten times faster: words are only folded where they must be."""
    starts, ends, classes = _runs(text)
    if not (classes > _PLAIN).any():
        return starts, ends
    plain, mixed = (np.concatenate(([0], np.cumsum(classes == c))) for c in (_PLAIN, _MIXED))
    one_word = (plain[ends] > plain[starts]) & (mixed[ends] == mixed[starts])
    counts = np.ones(len(starts), np.int64)
    for i in np.flatnonzero(~one_word).tolist():
        counts[i] = len(_forms(text[starts[i] : ends[i]]))
    return np.repeat(starts, counts), np.repeat(ends, counts)


class Vocabulary:
    """Words and their numbers, counted from 0 in the order in which they first occur."""

    def __init__(self, words: Iterable[str] = ()) -> None:
        self.numbers: dict[str, int] = {word: i for i, word in enumerate(words)}
        self._runs: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.numbers)

    def find(self, words: Iterable[str]) -> Ids:
        """The number of each word, `UNKNOWN` where the vocabulary does not hold it."""
        numbers = self.numbers
        return np.array([numbers.get(word, UNKNOWN) for word in words], np.uint32)

    def learn(self, text: str) -> Ids:
        """The numbers of the words of a text; new words are added. One thread at a time."""
        starts, ends, _ = _runs(text)
        runs = [text[s:e] for s, e in zip(starts.tolist(), ends.tolist(), strict=True)]
        known = self._runs
        if len(known) > _REMEMBERED_RUNS:
            known.clear()
        for run in runs:
            if run not in known:
                numbers = [self._number(form) for form in _forms(run)]
                # -1 marks a run that is not exactly one word; such runs are rare and taken apart below.
                known[run] = numbers[0] if len(numbers) == 1 else -1
        ids = np.fromiter(map(known.__getitem__, runs), np.int64, len(runs))
        if (ids < 0).any():
            several = (
                [i] if i >= 0 else [self._number(form) for form in _forms(run)]
                for i, run in zip(ids.tolist(), runs, strict=True)
            )
            ids = np.array([i for numbers in several for i in numbers], np.int64)
        return ids.astype(np.uint32)

    def _number(self, word: str) -> int:
        number = self.numbers.setdefault(word, len(self.numbers))
        if number >= UNKNOWN:
            raise InputError("the corpus has more distinct words than 32 bits can number")
        return number

    def write(self, path: Path) -> None:
        """One word a line, in the order of their numbers."""
        with path.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(f"{word}\n" for word in self.numbers)

    @classmethod
    def read(cls, path: Path) -> Vocabulary:
        """Read what `write` wrote. Raises IntegrityError where a word stands twice or the file is cut."""
        text = path.read_bytes().decode("utf-8", "replace")
        words = text.split("\n")
        if words.pop():
            raise IntegrityError("the last line is cut", place=str(path))
        vocabulary = cls(words)
        if len(vocabulary) != len(words):
            raise IntegrityError("a word stands twice in the vocabulary", place=str(path))
        return vocabulary


def _forms(run: str) -> tuple[str, ...]:
    return tuple(_WORD.findall(fold(run)))


def _runs(text: str) -> tuple[Offsets, Offsets, npt.NDArray[np.uint8]]:
    """Starts and ends of the maximal runs without a break, and the class of every character."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")
    classes = _known_classes[codes]
    if not classes.all():
        for code in np.unique(codes[classes == 0]).tolist():
            _known_classes[code] = _class_of(chr(code))
        classes = _known_classes[codes]
    inside = np.zeros(len(codes) + 2, np.int8)
    inside[1:-1] = classes >= _PLAIN
    edges = np.flatnonzero(np.diff(inside))
    return edges[::2], edges[1::2], classes


def _class_of(character: str) -> int:
    folded = fold(character)
    if not folded:
        return _EMPTY
    word_characters = sum(map(len, _WORD.findall(folded)))
    if word_characters == len(folded):
        return _PLAIN
    return _MIXED if word_characters else _BREAK
