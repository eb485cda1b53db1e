"""Megatron's token layout: a `.bin` of token ids and an `.idx` that says where documents lie.

The index is little-endian: magic, version, type code, number of sequences, number of document bounds,
sequence lengths (int32), byte offsets (int64), document bounds (int64). One sequence is one document here.
Layout as read in NVIDIA/Megatron-LM, `megatron/core/datasets/indexed_dataset.py`.
"""

from __future__ import annotations

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
TYPE_CODES: dict[int, type[np.generic]] = {4: np.int32, 8: np.uint16}


def token_type(vocabulary: int) -> type[np.generic]:
    """The smallest type of the layout that holds ids below `vocabulary`."""
    return np.uint16 if vocabulary <= 65_536 else np.int32


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
    """A shard opened for reading: `tokens` is mapped from disk; document i is ``starts[i]:starts[i + 1]``."""

    tokens: npt.NDArray[np.generic]
    starts: npt.NDArray[np.int64]


def read_shard(prefix: Path) -> Shard:
    """Map a shard. Raises IntegrityError where index and tokens do not fit."""
    index_path, data_path = prefix.with_suffix(".idx"), prefix.with_suffix(".bin")
    raw = index_path.read_bytes()
    head = len(MAGIC) + struct.calcsize("<QBQQ")
    if not raw.startswith(MAGIC) or len(raw) < head:
        raise IntegrityError("this is not a Megatron index", place=str(index_path))
    version, code, count, bounds = struct.unpack_from("<QBQQ", raw, len(MAGIC))
    if version != VERSION or code not in TYPE_CODES or len(raw) != head + 12 * count + 8 * bounds:
        raise IntegrityError("the Megatron index is cut off or of another version", place=str(index_path))
    dtype = TYPE_CODES[code]
    lengths = np.frombuffer(raw, np.int32, count, head).astype(np.int64)
    starts = np.zeros(count + 1, dtype=np.int64)
    np.cumsum(lengths, out=starts[1:])
    if data_path.stat().st_size != int(starts[-1]) * np.dtype(dtype).itemsize:
        raise IntegrityError("the tokens are fewer or more than the index says", place=str(data_path))
    tokens = np.memmap(data_path, dtype, "r") if starts[-1] else np.zeros(0, dtype)
    return Shard(tokens, starts)
