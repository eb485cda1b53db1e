"""The vocabulary: words and their numbers, counted from 0 in the order in which they first occur.

A hash table over the words' letters, in a few arrays: a corpus has millions of words, and one Python string
for each would take longer than all else.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hemicycle.errors import InputError, IntegrityError
from hemicycle.kernels import kernel, scan
from hemicycle.trace.words import Ids, Letters, Offsets, read_letters, spell

#: Stands for a word that the vocabulary does not hold; never stored.
UNKNOWN = 0xFFFF_FFFE

# `UNKNOWN`, written again as numba wants it; a test compares them.
_UNKNOWN = 0xFFFF_FFFE

#: Slots and letters to begin with, powers of two; both are doubled as words come.
_SLOTS, _LETTERS = 1 << 12, 1 << 15


class Vocabulary:
    """Words and their numbers. One thread at a time may teach it; many may ask."""

    def __init__(self, words: Iterable[str] = ()) -> None:
        self._count = 0
        self._letters: npt.NDArray[np.uint32] = np.empty(_LETTERS, np.uint32)
        #: Word i ends there in the letters and begins where the one before it ends.
        self._stops: Offsets = np.empty(_SLOTS // 2, np.int64)
        #: By hash the number of a word; -1: none.
        self._slots: npt.NDArray[np.int64] = np.full(_SLOTS, -1, np.int64)
        self._number(_joined(list(words)), grows=True)

    def __len__(self) -> int:
        return self._count

    @property
    def words(self) -> list[str]:
        """All of them, in the order of their numbers."""
        return spell(self._letters[: self._used], self._stops[: self._count])

    def find(self, found: Letters) -> Ids:
        """The number of each word of a text, `UNKNOWN` where the vocabulary does not hold it."""
        return self._number(found, grows=False)

    def learn(self, text: str) -> Ids:
        """The numbers of the words of a text; new words are added."""
        return self._number(read_letters(text), grows=True)

    @property
    def _used(self) -> int:
        return int(self._stops[self._count - 1]) if self._count else 0

    def _number(self, found: Letters, *, grows: bool) -> Ids:
        ids = np.empty(len(found.stops), np.uint32)
        done = 0
        while True:
            done, self._count = _find(
                found.letters,
                found.stops,
                done,
                self._count,
                self._letters,
                self._stops,
                self._slots,
                grows,
                ids,
            )
            if done == len(ids):
                return ids
            self._grow()

    def _grow(self) -> None:
        """Twice the room. Raises InputError where numbers would need more than 32 bits."""
        if 2 * len(self._stops) >= UNKNOWN:
            raise InputError("the corpus has more distinct words than 32 bits can number")
        self._letters = np.concatenate([self._letters, np.empty_like(self._letters)])
        self._stops = np.concatenate([self._stops, np.empty_like(self._stops)])
        self._slots = np.full(2 * len(self._slots), -1, np.int64)
        _fill(self._letters, self._stops[: self._count], self._slots)

    def write(self, path: Path) -> None:
        """One word a line, in the order of their numbers."""
        with path.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(f"{word}\n" for word in self.words)

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


def _joined(words: list[str]) -> Letters:
    letters = np.frombuffer("".join(words).encode("utf-32-le"), "<u4").astype(np.uint32)
    stops = np.cumsum([len(word) for word in words], dtype=np.int64)
    return Letters(letters, stops, np.zeros(0, np.int64), np.zeros(0, np.int64))


def _hash(letters: npt.NDArray[np.uint32], begin: int, end: int) -> int:
    """FNV-1a over code points, its bits mixed once more (as splitmix64 does), since slots are its lowest."""
    mixed = np.uint64(0xCBF29CE484222325)
    for place in range(begin, end):
        mixed = (mixed ^ np.uint64(letters[place])) * np.uint64(0x100000001B3)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(31)
    return mixed  # type: ignore[return-value]


def _same(one: npt.NDArray[np.uint32], begin: int, end: int, other: npt.NDArray[np.uint32], at: int) -> bool:
    for place in range(end - begin):  # noqa: SIM110, numba has no all() of a generator
        if one[begin + place] != other[at + place]:
            return False
    return True


def _find(
    letters: npt.NDArray[np.uint32],
    stops: Offsets,
    done: int,
    count: int,
    known: npt.NDArray[np.uint32],
    known_stops: Offsets,
    slots: npt.NDArray[np.int64],
    grows: bool,
    ids: Ids,
) -> tuple[int, int]:
    """Number words from `done` on; how many are then, and how many words there are. It ends early where there
    is no room for one more word."""
    mask = len(slots) - 1
    for word in range(done, len(stops)):
        begin = stops[word - 1] if word else 0
        end = stops[word]
        slot = np.int64(_hash(letters, begin, end)) & mask
        while True:
            number = slots[slot]
            if number < 0:
                break
            at = known_stops[number - 1] if number else 0
            if known_stops[number] - at == end - begin and _same(letters, begin, end, known, at):
                break
            slot = (slot + 1) & mask
        if number < 0 and grows:
            used = known_stops[count - 1] if count else 0
            if count == len(known_stops) or used + end - begin > len(known):
                return word, count
            for place in range(end - begin):
                known[used + place] = letters[begin + place]
            known_stops[count] = used + end - begin
            slots[slot] = number = count
            count += 1
        ids[word] = number if number >= 0 else _UNKNOWN
    return len(stops), count


def _fill(letters: npt.NDArray[np.uint32], stops: Offsets, slots: npt.NDArray[np.int64]) -> None:
    """Put known words into an empty table."""
    mask = len(slots) - 1
    for word in range(len(stops)):
        slot = np.int64(_hash(letters, stops[word - 1] if word else 0, stops[word])) & mask
        while slots[slot] >= 0:
            slot = (slot + 1) & mask
        slots[slot] = word


_hash, _same = scan(_hash), scan(_same)
_find, _fill = kernel(_find), kernel(_fill)
