"""Megatron's token layout: a `.bin` of token ids and an `.idx` that says where documents lie.

The index is little-endian: magic, version, type code, number of sequences, number of document bounds,
sequence lengths (int32), byte offsets (int64), document bounds (int64). A document is the sequences between
two bounds; what we write has one sequence a document. Layout as read in NVIDIA/Megatron-LM,
`megatron/core/datasets/indexed_dataset.py`.
"""

from __future__ import annotations

import functools
import mmap
import struct
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from hemicycle.errors import IntegrityError

MAGIC = b"MMIDIDX\x00\x00"
VERSION = 1
#: Codes of the layout that stand for integers; 6 and 7 are floating point, which no token is.
TYPE_CODES: dict[int, type[np.generic]] = {
    1: np.uint8,
    2: np.int8,
    3: np.int16,
    4: np.int32,
    5: np.int64,
    8: np.uint16,
}
_HEAD = len(MAGIC) + struct.calcsize("<QBQQ")


def token_type(vocabulary: int) -> type[np.generic]:
    """The smallest type we write that holds ids below `vocabulary`."""
    return np.uint16 if vocabulary <= 65_536 else np.int32


def shard_name(number: int) -> str:
    return f"tokens-{number:05d}"


class ShardWriter:
    """Writes one shard, document by document; the index is written when the shard is closed."""

    def __init__(self, prefix: Path, dtype: type[np.generic]) -> None:
        self._prefix, self._dtype = prefix, dtype
        self._file = prefix.with_suffix(".bin").open("wb")
        self._lengths: list[npt.NDArray[np.int64]] = []
        self.tokens = 0

    def add(self, ids: npt.ArrayLike) -> None:
        """Write one document."""
        array = np.asarray(ids)
        self.write(array, np.array([len(array)]), np.ones(1, bool))

    def write(
        self, ids: npt.NDArray[Any], lengths: npt.NDArray[np.int64], begins: npt.NDArray[np.bool_]
    ) -> None:
        """Write slices of documents one behind the other.

        Args:
            ids: of all slices, which have `lengths`.
            begins: (slices,) whether a slice begins a document; else it goes on with the last one.
        """
        self._file.write(ids.astype(self._dtype).tobytes())
        self.tokens += len(ids)
        firsts = np.flatnonzero(begins)
        rest = int(lengths[: firsts[0] if len(firsts) else len(lengths)].sum())
        if rest:
            self._lengths[-1][-1] += rest
        if len(firsts):
            self._lengths.append(np.add.reduceat(lengths, firsts))

    def close(self) -> None:
        self._file.close()
        lengths = np.concatenate([np.zeros(0, np.int64), *self._lengths]).astype(np.int32)
        offsets = np.zeros(len(lengths), dtype=np.int64)
        np.cumsum(lengths[:-1], out=offsets[1:])
        offsets *= np.dtype(self._dtype).itemsize
        code = next(code for code, dtype in TYPE_CODES.items() if dtype is self._dtype)
        header = MAGIC + struct.pack("<QBQQ", VERSION, code, len(lengths), len(lengths) + 1)
        bounds = np.arange(len(lengths) + 1, dtype=np.int64)
        data = header + lengths.tobytes() + offsets.tobytes() + bounds.tobytes()
        self._prefix.with_suffix(".idx").write_bytes(data)

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass(frozen=True)
class Shard:
    """A shard opened for reading.

    Attributes:
        tokens: mapped from disk.
        map: the mapping, for hints on what will be read; None where there is no token.
    """

    tokens: npt.NDArray[np.generic]
    map: mmap.mmap | None
    index: Path

    @functools.cached_property
    def starts(self) -> npt.NDArray[np.int64]:
        """Document i is ``tokens[starts[i]:starts[i + 1]]``. Raises IntegrityError where it says nonsense."""
        return _starts(self.index, len(self.tokens))


def read_shard(prefix: Path) -> Shard:
    """Map a shard. Raises IntegrityError where a file is missing, or index and tokens do not fit."""
    dtype, count = _extent(prefix)
    index = prefix.with_suffix(".idx")
    if not count:
        return Shard(np.zeros(0, dtype), None, index)
    with prefix.with_suffix(".bin").open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return Shard(np.frombuffer(mapped, dtype), mapped, index)


def shard_tokens(folder: Path) -> list[int]:
    """How many tokens each shard of a tokens artefact holds. Raises IntegrityError as `read_shard` does."""
    last = max((int(path.stem.removeprefix("tokens-")) for path in folder.glob("tokens-*.*")), default=-1)
    return [_extent(folder / shard_name(number))[1] for number in range(last + 1)]


def _extent(prefix: Path) -> tuple[type[np.generic], int]:
    """Type and number of a shard's tokens, from both ends of the index: it is not read as a whole."""
    index, data = prefix.with_suffix(".idx"), prefix.with_suffix(".bin")
    for path in (index, data):
        if not path.is_file():
            raise IntegrityError("this part of the tokens is missing", place=str(path))
    with index.open("rb") as file:
        dtype, count = _head(index, file.read(_HEAD))
        tokens, size = 0, np.dtype(dtype).itemsize
        if count:
            file.seek(_HEAD + 4 * (count - 1))
            [last] = struct.unpack("<i", file.read(4))
            file.seek(_HEAD + 4 * count + 8 * (count - 1))
            [offset] = struct.unpack("<q", file.read(8))
            tokens = offset // size + last
    if data.stat().st_size != tokens * size:
        raise IntegrityError("the tokens are fewer or more than the index says", place=str(data))
    return dtype, tokens


def _head(path: Path, raw: bytes) -> tuple[type[np.generic], int]:
    """Type and number of sequences. Raises IntegrityError where the file is not as long as that."""
    if not raw.startswith(MAGIC) or len(raw) < _HEAD:
        raise IntegrityError("this is not a Megatron index", place=str(path))
    version, code, count, bounds = struct.unpack_from("<QBQQ", raw, len(MAGIC))
    if version != VERSION or code not in TYPE_CODES or path.stat().st_size != _HEAD + 12 * count + 8 * bounds:
        raise IntegrityError("the Megatron index is cut off or of another version", place=str(path))
    return TYPE_CODES[code], count


def _starts(path: Path, tokens: int) -> npt.NDArray[np.int64]:
    raw = path.read_bytes()
    _, count = _head(path, raw[:_HEAD])
    lengths = np.frombuffer(raw, np.int32, count, _HEAD)
    bounds = np.frombuffer(raw, np.int64, -1, _HEAD + 12 * count)
    ends = np.zeros(count + 1, np.int64)
    np.cumsum(lengths, out=ends[1:])
    if (
        ends[-1] != tokens
        or (lengths < 0).any()
        or not len(bounds)
        or bounds[0] != 0
        or bounds[-1] != count
        or (np.diff(bounds) < 0).any()
    ):
        raise IntegrityError("the documents of the Megatron index do not cover its tokens", place=str(path))
    return ends[bounds]
