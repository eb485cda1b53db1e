"""The vocabulary of a shard: words and their numbers, counted from 0 in the order in which they first occur.

A hash table over the words' letters, in a few arrays: a corpus has millions of words, and one Python string
for each would take longer than all else. The arrays are its files too, so that whoever asks for a few words
maps them and reads a few pages.

    vocab.N    a word a line, in the order of their numbers
    stops.N    u64, where the line of each word ends
    slots.N    u32, by hash the number of a word
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hemicycle.errors import InputError
from hemicycle.kernels import kernel, scan
from hemicycle.trace.words import Ids, Letters, Offsets, read_letters

#: Stands for a word that the vocabulary does not hold; never stored.
UNKNOWN = 0xFFFF_FFFE

#: A slot without a word.
EMPTY = 0xFFFF_FFFF

# The two, and the end of a line, written again as numba wants them; a test compares the former.
_UNKNOWN, _EMPTY, _LINE = 0xFFFF_FFFE, 0xFFFF_FFFF, 10

#: Slots and bytes of letters to begin with, powers of two; both are doubled as words come.
_SLOTS, _LETTERS = 1 << 12, 1 << 15


class Table(NamedTuple):
    """The arrays of a vocabulary, of which nothing is written.

    Attributes:
        letters: u8, the words with the end of a line after each.
        stops: u64[words]; word i ends, line end included, at ``letters[stops[i]]``.
        slots: u32, a power of two of them and at least twice as many as words.
    """

    letters: npt.NDArray[np.uint8]
    stops: npt.NDArray[np.uint64]
    slots: npt.NDArray[np.uint32]


class Vocabulary:
    """Words and their numbers, as they are learnt. For one thread."""

    def __init__(self) -> None:
        self._count = 0
        self._letters: npt.NDArray[np.uint8] = np.empty(_LETTERS, np.uint8)
        self._stops: npt.NDArray[np.uint64] = np.empty(_SLOTS // 2, np.uint64)
        self._slots: npt.NDArray[np.uint32] = np.full(_SLOTS, EMPTY, np.uint32)

    def __len__(self) -> int:
        return self._count

    @property
    def table(self) -> Table:
        """The arrays as they are, without the room for more words."""
        used = int(self._stops[self._count - 1]) if self._count else 0
        return Table(self._letters[:used], self._stops[: self._count], self._slots)

    def learn(self, text: str) -> Ids:
        """The numbers of the words of a text; new words are added."""
        return self.learn_letters(read_letters(text))

    def learn_letters(self, found: Letters) -> Ids:
        """`learn` of a text already cut. Raises InputError where numbers would need more than 32 bits."""
        ids = np.empty(len(found.stops), np.uint32)
        done = 0
        while True:
            done, self._count = _learn(
                found.letters, found.stops, done, self._count, self._letters, self._stops, self._slots, ids
            )
            if done == len(ids):
                return ids
            self._grow()

    def _grow(self) -> None:
        """Twice the room of what is full."""
        if self._count < len(self._stops):
            self._letters = np.concatenate([self._letters, np.empty_like(self._letters)])
            return
        if 2 * len(self._stops) >= UNKNOWN:
            raise InputError("the corpus has more distinct words than 32 bits can number")
        self._stops = np.concatenate([self._stops, np.empty_like(self._stops)])
        self._slots = np.full(2 * len(self._slots), EMPTY, np.uint32)
        _fill(self._letters, self._stops[: self._count], self._slots)

    def write(self, folder: Path, number: int) -> None:
        """The files of shard `number`. The same words in the same order give the same bytes."""
        table = self.table
        table.letters.tofile(folder / f"vocab.{number}")
        table.stops.astype("<u8").tofile(folder / f"stops.{number}")
        table.slots.astype("<u4").tofile(folder / f"slots.{number}")


def find(found: Letters, table: Table) -> Ids:
    """The number of each word of a text, `UNKNOWN` where the table does not hold it."""
    ids = np.empty(len(found.stops), np.uint32)
    _look(found.letters, found.stops, table.letters, table.stops, table.slots, ids)
    return ids


@scan
def _hash(letters: npt.NDArray[np.uint8], begin: int, end: int) -> int:
    """FNV-1a, its bits mixed once more (as splitmix64 does), since slots are its lowest."""
    mixed = np.uint64(0xCBF29CE484222325)
    for place in range(begin, end):
        mixed = (mixed ^ np.uint64(letters[place])) * np.uint64(0x100000001B3)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(31)
    return mixed  # type: ignore[return-value]


@scan
def _is(letters: npt.NDArray[np.uint8], begin: int, end: int, line: npt.NDArray[np.uint8], at: int) -> bool:
    """Whether the line at `at` is just these letters."""
    for place in range(end - begin):
        if letters[begin + place] != line[at + place]:
            return False
    return line[at + end - begin] == _LINE  # type: ignore[no-any-return]


@kernel
def _look(
    letters: npt.NDArray[np.uint8],
    stops: Offsets,
    known: npt.NDArray[np.uint8],
    known_stops: npt.NDArray[np.uint64],
    slots: npt.NDArray[np.uint32],
    ids: Ids,
) -> None:
    mask = len(slots) - 1
    for word in range(len(stops)):
        begin = stops[word - 1] if word else 0
        slot = np.int64(_hash(letters, begin, stops[word])) & mask
        ids[word] = _UNKNOWN
        while slots[slot] != _EMPTY:
            number = slots[slot]
            at = np.int64(known_stops[number - 1]) if number else 0
            if _is(letters, begin, stops[word], known, at):
                ids[word] = number
                break
            slot = (slot + 1) & mask


@kernel
def _learn(
    letters: npt.NDArray[np.uint8],
    stops: Offsets,
    done: int,
    count: int,
    known: npt.NDArray[np.uint8],
    known_stops: npt.NDArray[np.uint64],
    slots: npt.NDArray[np.uint32],
    ids: Ids,
) -> tuple[int, int]:
    """Number words from `done` on; how many are then, and how many words there are. It ends early where there
    is no room for one more word."""
    mask = len(slots) - 1
    for word in range(done, len(stops)):
        begin = stops[word - 1] if word else 0
        end = stops[word]
        slot = np.int64(_hash(letters, begin, end)) & mask
        number = slots[slot]
        while number != _EMPTY:
            at = np.int64(known_stops[number - 1]) if number else 0
            if _is(letters, begin, end, known, at):
                break
            slot = (slot + 1) & mask
            number = slots[slot]
        if number == _EMPTY:
            used = np.int64(known_stops[count - 1]) if count else 0
            if count == len(known_stops) or used + end - begin + 1 > len(known):
                return word, count
            for place in range(end - begin):
                known[used + place] = letters[begin + place]
            known[used + end - begin] = _LINE
            known_stops[count] = used + end - begin + 1
            slots[slot] = number = count
            count += 1
        ids[word] = number
    return len(stops), count


@kernel
def _fill(
    letters: npt.NDArray[np.uint8], stops: npt.NDArray[np.uint64], slots: npt.NDArray[np.uint32]
) -> None:
    """Put known words into an empty table."""
    mask = len(slots) - 1
    for word in range(len(stops)):
        begin = np.int64(stops[word - 1]) if word else 0
        slot = np.int64(_hash(letters, begin, np.int64(stops[word]) - 1)) & mask
        while slots[slot] != _EMPTY:
            slot = (slot + 1) & mask
        slots[slot] = word
