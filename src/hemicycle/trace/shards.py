"""Shards: the arrays of the index on disk, in the layout of infini-gram v4, so that its engine can read them.

Little-endian throughout. ``tokenized.N`` holds word numbers (u32), a separator before each document;
``table.N`` the suffix array as byte pointers into it, each as narrow as the file's size allows;
``offset.N`` the place of each document's separator (u64); ``unigram.N`` the count of each word as text.
Ours is ``top.N``: the first two words of every 256th suffix, so that a search touches few pages of the rest.

The trap: suffixes are ordered by the *bytes* of the little-endian numbers, so word 256 sorts before word 1.
Whoever compares words must swap their bytes first (`keys`). Documents end at the separator, whose bytes are
the largest, so a suffix never matches across it.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pydivsufsort

from hemicycle.errors import IntegrityError

#: Stands before each document.
SEPARATOR = 0xFFFF_FFFF

#: Every how many suffixes the top level holds one.
SAMPLED = 256

#: Suffixes handled at once while a table is written: bounds the memory beside the sort's own.
_CHUNK = 1 << 23

U8 = npt.NDArray[np.uint8]
U32 = npt.NDArray[np.uint32]
U64 = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Shard:
    """One shard, mapped and read-only.

    Attributes:
        words: u32[n], word numbers and separators.
        table: u8[n · width], the suffix array: pointers of `width` bytes, counted in bytes of ``tokenized``.
        offsets: u64[documents], byte offset of each document's separator.
        top: u64[ceil(n / 256)], the keys of the first two words of every 256th suffix.
    """

    words: U32
    table: U8
    width: int
    offsets: U64
    top: U64


def keys(ids: U32) -> U32:
    """Word numbers with their bytes swapped: they compare as the suffix array is ordered."""
    return ids.byteswap()


def pointer_width(size: int) -> int:
    """Bytes of a pointer into a file of `size` bytes: ceil(log2(size) / 8)."""
    return max(1, ((size - 1).bit_length() + 7) // 8)


def sort_shard(folder: Path, number: int) -> None:
    """Make ``table``, ``top`` and ``unigram`` of a shard from its ``tokenized``.

    Takes about 20 bytes of memory a word, and one core. Word numbers below 2^24 - 1 are sorted by their
    three low bytes: the fourth is 255 for separators and 0 for all others, so it never decides.
    """
    words = np.fromfile(folder / f"tokenized.{number}", "<u4")
    vocabulary = words[words != SEPARATOR]
    counts = np.bincount(vocabulary)
    with (folder / f"unigram.{number}").open("w", encoding="ascii", newline="\n") as file:
        file.writelines(f"{i} {c}\n" for i, c in enumerate(counts.tolist()) if c)
    low = 3 if len(counts) < 0xFF_FFFF else 4
    view = np.ascontiguousarray(words.view(np.uint8).reshape(-1, 4)[:, :low]).reshape(-1)
    del vocabulary, counts

    suffixes = pydivsufsort.divsufsort(view)
    del view
    width = pointer_width(words.nbytes)
    rank = 0
    tops = []
    with (folder / f"table.{number}").open("wb") as file:
        for begin in range(0, len(suffixes), _CHUNK):
            chunk = suffixes[begin : begin + _CHUNK]
            places = (chunk[chunk % low == 0] // low).astype("<u8")
            file.write((places * 4).view(np.uint8).reshape(-1, 8)[:, :width].tobytes())
            sampled = places[-rank % SAMPLED :: SAMPLED].astype(np.int64)
            tops.append(_two_words(words, sampled))
            rank += len(places)
    np.concatenate(tops).astype("<u8").tofile(folder / f"top.{number}")


def map_shard(folder: Path, number: int, words: int, documents: int) -> Shard:
    """Map a shard whose sizes the manifest gives. Raises IntegrityError on a file of another size."""
    width = pointer_width(4 * words)
    sizes = {
        "tokenized": 4 * words,
        "table": width * words,
        "offset": 8 * documents,
        "top": 8 * -(-words // SAMPLED),
    }
    maps = {name: _map(folder / f"{name}.{number}", size) for name, size in sizes.items()}
    return Shard(
        words=np.frombuffer(maps["tokenized"], "<u4"),
        table=np.frombuffer(maps["table"], np.uint8),
        width=width,
        offsets=np.frombuffer(maps["offset"], "<u8"),
        top=np.frombuffer(maps["top"], "<u8"),
    )


def read_unigrams(path: Path, vocabulary: int) -> npt.NDArray[np.int64]:
    """How often each of the `vocabulary` words stands in a shard."""
    counts = np.zeros(vocabulary, np.int64)
    try:
        pairs = np.array(path.read_bytes().split(), np.int64).reshape(-1, 2)
        counts[pairs[:, 0]] = pairs[:, 1]
    except (ValueError, IndexError):
        raise IntegrityError("this is not a list of word counts", place=str(path)) from None
    return counts


def _two_words(words: U32, places: npt.NDArray[np.int64]) -> U64:
    first = keys(words[places]).astype(np.uint64)
    after = np.minimum(places + 1, len(words) - 1)
    second = np.where(places + 1 < len(words), keys(words[after]), 0).astype(np.uint64)
    return (first << np.uint64(32)) | second


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
