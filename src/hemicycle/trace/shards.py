"""Shards: the arrays of the index on disk, in the layout of infini-gram v4, so that its engine can read them.

Little-endian throughout. ``tokenized.N`` holds the numbers of words or tokens (u16 where they fit, or u32), a
separator before each document; ``table.N`` the suffix array as byte pointers into it, each as narrow as the
file's size allows; ``offset.N`` the place of each document's separator (u64); ``unigram.N`` the count of each
number as text. Ours are ``top.N``: the first words of every 256th suffix, so that a search touches few pages
of the rest; ``counts.N``: the counts again, to be mapped; and, of words, ``marks.N`` (`Shard.marks`) and the
files of the shard's own vocabulary. A shard knows nothing of the others, so each is built, moved, kept or
dropped by itself.

The trap: suffixes are ordered by the *bytes* of the little-endian numbers, so word 256 sorts before word 1.
Whoever compares words must swap their bytes first (`keys`). Documents end at the separator, whose bytes are
the largest, so a suffix never matches across it.
"""

from __future__ import annotations

import dataclasses
import mmap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pydivsufsort

from hemicycle.errors import IntegrityError
from hemicycle.kernels import kernel
from hemicycle.trace.codes import beginning, count, encode, make_code, pointers
from hemicycle.trace.vocabulary import Table

#: Every how many suffixes the top level holds one.
SAMPLED = 256

#: Every how many words of a shard the place of one in its text is marked.
MARKED = 128

#: In a mark, words that stand at the same place before it are counted from this bit on, up to so many: such a
#: mark is passed over for one before it.
MARK_BITS = 48
MOST_SHARING = 0xFFFF

#: Numbers that are all below are written in 16 bits: the largest of these is the separator.
NARROW = 0xFFFE

#: Bytes of memory that sorting a shard takes for each of its words, where they are those of a text: many are
#: frequent and have short codes.
BYTES_A_WORD = 20

#: Lists of numbers or identifiers take more: for each word that is not among the first `COMMON` distinct ones
#: and for each that is, and for each distinct one beyond them. Measured, rounded up.
COMMON = 1 << 14
BYTES_A_RARE_WORD, BYTES_A_COMMON_WORD, BYTES_A_DISTINCT_WORD = 31, 16, 60

#: Suffixes handled at once while a table is written: bounds the memory beside the sort's own.
_CHUNK = 1 << 20

U8 = npt.NDArray[np.uint8]
U16 = npt.NDArray[np.uint16]
U32 = npt.NDArray[np.uint32]
U64 = npt.NDArray[np.uint64]
Numbers = U16 | U32
Integers = npt.NDArray[np.int64]

NO_RANGES = np.zeros((0, 2), np.int64)


class Ranks(NamedTuple):
    """Which suffixes of a shard are shown, of which some are hidden; empty where all are.

    Attributes:
        bits: u64[n // 64 + 1], bit r % 64 of word r // 64 is set where the suffix of rank r is shown.
        before: u32[n // 64 + 1], how many are set before each word.
    """

    bits: U64
    before: U32


ALL_SHOWN = Ranks(np.zeros(0, np.uint64), np.zeros(0, np.uint32))


@dataclass(frozen=True)
class Shard:
    """One shard, mapped and read-only.

    Attributes:
        words: u32[n] or u16[n], the numbers of words or tokens, and separators.
        table: u8[n · width], the suffix array: pointers of `width` bytes, counted in bytes of ``tokenized``.
        offsets: u64[documents], byte offset of each document's separator.
        top: u64[ceil(n / 256)], the keys of the first two words (four tokens of 16 bits) of every 256th
            suffix.
        counts: u64, how often each number stands in the shard, hidden words left out.
        marks: u64[ceil(n / 128)], of words: where every 128th word begins in its document's text, in
            characters, and above `MARK_BITS` how many words before it begin there too, `MOST_SHARING` where
            they are as many or more; 0 of a separator.
        vocabulary: of words, their letters.
        hidden: i64[ranges, 2], ascending: words from the first to before the last are those of withdrawn
            documents, which nobody is told of.
        ranks: the same by rank.
    """

    words: Numbers
    table: U8
    width: int
    offsets: U64
    top: U64
    counts: U64
    marks: U64 | None
    vocabulary: Table | None
    hidden: Integers
    ranks: Ranks

    @property
    def separator(self) -> int:
        return int(np.iinfo(self.words.dtype).max)

    @property
    def first_words(self) -> Integers:
        """For each document the place of its first word."""
        return (self.offsets // np.uint64(self.words.itemsize)).astype(np.int64) + 1

    @property
    def lengths(self) -> Integers:
        """For each document its number of words."""
        first = self.first_words
        return np.diff(first, append=len(self.words) + 1) - 1

    def places(self, first: int, last: int) -> Integers:
        """The words at which the suffixes of ranks `first` to before `last` begin."""
        pointers = np.zeros((last - first, 8), np.uint8)
        narrow = self.table[first * self.width : last * self.width]
        pointers[:, : self.width] = narrow.reshape(-1, self.width)
        return pointers.view("<u8")[:, 0].astype(np.int64) // self.words.itemsize

    def shown(self, places: Integers) -> npt.NDArray[np.bool_]:
        """Of places, whether they are in documents that are not withdrawn."""
        if not len(self.hidden):
            return np.ones(len(places), bool)
        before = np.searchsorted(self.hidden[:, 0], places, "right") - 1
        ends = np.append(self.hidden[:, 1], 0)[before]
        return places >= ends

    def without(self, documents: Integers) -> Shard:
        """The shard with documents, by their number in it, withdrawn, beside those that already are.

        Reads the whole ``table`` once, in its order; holds three bits of memory a word of the shard, and the
        counts.
        """
        first = self.first_words[documents]
        ranges = np.stack([first, first + self.lengths[documents]], 1)
        ranges = ranges[~np.isin(first, self.hidden[:, 0])]
        if not len(ranges):
            return self
        hidden = np.unique(np.concatenate([self.hidden, ranges]), axis=0)
        counts = self.counts.copy()
        _discount(self.words, ranges, counts)
        size = len(self.words) // 64 + 1
        ranks = Ranks(np.zeros(size, np.uint64), np.zeros(size, np.uint32))
        _advise(self.table, mmap.MADV_SEQUENTIAL)
        _note_shown(self.table, self.width, self.words.itemsize, hidden, np.zeros(size, np.uint64), *ranks)
        _advise(self.table, mmap.MADV_RANDOM)
        return dataclasses.replace(self, hidden=hidden, counts=counts, ranks=ranks)


def _advise(array: npt.NDArray[Any], how: int) -> None:
    """Tell the system how a mapped array is about to be read."""
    mapped = getattr(array.base, "obj", None)
    if isinstance(mapped, mmap.mmap):
        mapped.madvise(how)


@kernel
def _discount(words: Numbers, ranges: Integers, counts: U64) -> None:
    for i in range(len(ranges)):
        for place in range(ranges[i, 0], ranges[i, 1]):
            counts[words[place]] -= np.uint64(1)


@kernel
def _note_shown(
    table: U8, width: int, itemsize: int, hidden: Integers, places: U64, bits: U64, before: U32
) -> None:
    """Fill `bits` and `before` (`Ranks`); `places`, zeros, becomes which words are hidden, a bit a word."""
    one = np.uint64(1)
    for i in range(len(hidden)):
        for place in range(hidden[i, 0], hidden[i, 1]):
            places[place >> 6] |= one << np.uint64(place & 63)
    suffixes = len(table) // width
    shown = 0
    for word in range(len(bits)):
        before[word] = shown
        found = np.uint64(0)
        for rank in range(64 * word, min(64 * word + 64, suffixes)):
            pointer = 0
            for i in range(width - 1, -1, -1):
                pointer = (pointer << 8) | table[rank * width + i]
            place = pointer // itemsize
            if not (places[place >> 6] >> np.uint64(place & 63)) & one:
                found |= one << np.uint64(rank & 63)
                shown += 1
        bits[word] = found


def keys(ids: Numbers) -> U32:
    """Numbers with their bytes swapped: they compare as the suffix array of such numbers is ordered."""
    return ids.byteswap().astype(np.uint32)


def pointer_width(size: int) -> int:
    """Bytes of a pointer into a file of `size` bytes: ceil(log2(size) / 8)."""
    return max(1, ((size - 1).bit_length() + 7) // 8)


def narrow_shard(folder: Path, number: int) -> None:
    """Write ``tokenized`` and ``offset`` of a shard again in 16 bits, where they are in 32."""
    path = folder / f"tokenized.{number}"
    aside = folder / f".tokenized.{number}.aside"
    with path.open("rb") as wide, aside.open("wb") as narrow:
        while chunk := wide.read(4 * _CHUNK):
            narrow.write(np.frombuffer(chunk, "<u4").astype("<u2").data)
    aside.replace(path)
    offsets = np.fromfile(folder / f"offset.{number}", "<u8")
    (offsets // 2).tofile(folder / f"offset.{number}")


def sort_shard(folder: Path, number: int, dtype: str, numbers: int) -> None:
    """Make ``table``, ``top``, ``counts`` and ``unigram`` of a shard from its ``tokenized``.

    Takes about `BYTES_A_WORD` of memory a word, more where few are frequent, and one core.

    Args:
        dtype: of the numbers, ``<u4`` or ``<u2``.
        numbers: how many there are; all are below.
    """
    words = np.fromfile(folder / f"tokenized.{number}", dtype)
    # The last counts separators, which sort last as well.
    counts = np.zeros(numbers + 1, np.int64)
    count(words, counts)
    counts[:-1].astype("<u8").tofile(folder / f"counts.{number}")
    with (folder / f"unigram.{number}").open("w", encoding="ascii", newline="\n") as file:
        file.writelines(f"{i} {c}\n" for i, c in enumerate(counts[:-1].tolist()) if c)
    order = np.argsort(keys(np.append(np.arange(numbers), np.iinfo(words.dtype).max).astype(dtype)))
    present = order[counts[order] > 0]
    codes, lengths = np.zeros(numbers + 1, np.uint64), np.zeros(numbers + 1, np.uint8)
    codes[present], lengths[present] = make_code(counts[present])
    coded = np.empty(int(counts @ lengths), np.uint8)
    begins = np.empty(len(coded), np.int32)
    encode(words, codes, lengths, coded, begins)

    suffixes = pydivsufsort.divsufsort(coded)
    del coded
    width = pointer_width(words.nbytes)
    places, narrow = np.empty(_CHUNK + 1, np.int32), np.empty(_CHUNK * width, np.uint8)
    rank = 0
    tops = []
    with (folder / f"table.{number}").open("wb") as file:
        for begin in range(0, len(suffixes), _CHUNK):
            found = places[: beginning(suffixes[begin : begin + _CHUNK], begins, places)]
            pointers(found, words.itemsize, width, narrow)
            file.write(narrow[: len(found) * width].data)
            tops.append(_first_words(words, found[-rank % SAMPLED :: SAMPLED].astype(np.int64)))
            rank += len(found)
    np.concatenate(tops).astype("<u8").tofile(folder / f"top.{number}")


def map_shard(folder: Path, number: int, words: int, documents: int, sizes: Mapping[str, int]) -> Shard:
    """Map a shard.

    Args:
        words, documents: as the manifest counts them.
        sizes: of the index's files, as the manifest tells them.

    Raises:
        IntegrityError: a file is missing, or of another size than it says or must be.
    """

    def mapped(name: str, dtype: str, length: int | None = None) -> npt.NDArray[Any]:
        path = folder / f"{name}.{number}"
        size = sizes.get(path.name, -1)
        if length is not None and size != length * np.dtype(dtype).itemsize:
            raise IntegrityError("the manifest gives the file a size that it cannot have", place=str(path))
        return np.frombuffer(_map(path, size), dtype) if size else np.zeros(0, dtype)

    of_words = f"vocab.{number}" in sizes
    dtype = "<u2" if sizes.get(f"tokenized.{number}") == 2 * words else "<u4"
    numbers = mapped("tokenized", dtype, words)
    width = pointer_width(numbers.nbytes)
    return Shard(
        words=numbers,
        table=mapped("table", "u1", width * words),
        width=width,
        offsets=mapped("offset", "<u8", documents),
        top=mapped("top", "<u8", -(-words // SAMPLED)),
        counts=mapped("counts", "<u8"),
        marks=mapped("marks", "<u8", -(-words // MARKED)) if of_words else None,
        vocabulary=Table(mapped("vocab", "u1"), mapped("stops", "<u8"), mapped("slots", "<u4"))
        if of_words
        else None,
        hidden=NO_RANGES,
        ranks=ALL_SHOWN,
    )


def _first_words(words: Numbers, places: Integers) -> U64:
    """The keys of the words from each place on, as many as 64 bits hold; nothing after the last word."""
    packed = np.zeros(len(places), np.uint64)
    for i in range(8 // words.itemsize):
        inside = places + i < len(words)
        key = np.where(inside, keys(words[np.minimum(places + i, len(words) - 1)]), 0).astype(np.uint64)
        packed = (packed << np.uint64(8 * words.itemsize)) | key
    return packed


def _map(path: Path, size: int) -> mmap.mmap:
    try:
        with path.open("rb") as file:
            found = file.seek(0, 2)
            if found == size:
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
                # Searches jump: reading ahead would fill the page cache with what nobody asked for.
                mapped.madvise(mmap.MADV_RANDOM)
                return mapped
    except FileNotFoundError:
        raise IntegrityError("the file is missing", place=str(path)) from None
    raise IntegrityError(f"the file has {found} bytes, the manifest says {size}", place=str(path))
