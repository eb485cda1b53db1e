"""Which tokens are learnt: all of a corpus of texts; of conversations, what the assistant says.

A tokens artefact of conversations has `answers.parquet`: the spans of tokens that are learnt, as shard, first
token and number of tokens. A target outside of them is none; it is still seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from hemicycle.errors import IntegrityError

NAME = "answers.parquet"
ANSWERS = pa.schema([("shard", pa.int32()), ("first", pa.int64()), ("tokens", pa.int64())])

Integers = npt.NDArray[np.int64]


class Answers:
    """The spans of learnt tokens of several corpora, by address.

    Args:
        tokens: corpus → its tokens artefact, in the order of the addresses.
        shards: corpus → tokens of each shard.

    Attributes:
        whole: no corpus has spans: every token is learnt.

    Raises:
        IntegrityError: spans overlap, or leave their shard.
    """

    def __init__(self, tokens: Mapping[str, Path], shards: Mapping[str, list[int]]) -> None:
        self.whole = not any((folder / NAME).is_file() for folder in tokens.values())
        # One of no token at the very beginning, so that there is one before every address.
        begins, ends, base = [np.array([-1])], [np.array([-1])], 0
        for name, folder in tokens.items():
            size = sum(shards[name])
            if (folder / NAME).is_file():
                begin, end = read_spans(folder / NAME, shards[name])
            else:
                begin, end = np.array([0]), np.array([size])
            begins.append(begin + base)
            ends.append(end + base)
            base += size
        self._begins, self._ends = np.concatenate(begins), np.concatenate(ends)
        self._before = np.concatenate([[0], np.cumsum(self._ends - self._begins)])

    def holds(self, address: Integers) -> npt.NDArray[np.bool_]:
        """Whether the token at each address is learnt."""
        span = np.searchsorted(self._begins, address, side="right") - 1
        inside: npt.NDArray[np.bool_] = address < self._ends[span]
        return inside

    def count(self, begin: Integers, end: Integers) -> Integers:
        """How many tokens from address `begin` to `end` are learnt."""
        return self._until(end) - self._until(begin)

    def _until(self, address: Integers) -> Integers:
        """Learnt tokens before an address."""
        span = np.searchsorted(self._begins, address, side="right")
        # All spans that begin before, less what the last of them has behind the address.
        return self._before[span] - np.maximum(self._ends[span - 1] - address, 0)


def read_spans(path: Path, shards: list[int]) -> tuple[Integers, Integers]:
    """Begins and ends of the spans, ascending, as addresses in their corpus. `shards`: tokens of each.

    Raises IntegrityError as `Answers` does.
    """
    sizes = np.array(shards, np.int64)
    table = pq.read_table(path, schema=ANSWERS)
    shard, first, tokens = (table[name].to_numpy().astype(np.int64) for name in ANSWERS.names)
    if len(shard) and (shard.min() < 0 or shard.max() >= len(sizes)):
        raise IntegrityError("spans are of a shard that is not there", place=str(path))
    if (first < 0).any() or (tokens < 0).any() or (first + tokens > sizes[shard]).any():
        raise IntegrityError("spans leave their shard", place=str(path))
    begin = np.cumsum([0, *shards])[shard] + first
    order = np.argsort(begin, kind="stable")
    begin, tokens = begin[order], tokens[order]
    begin, tokens = begin[tokens > 0], tokens[tokens > 0]
    if (begin[1:] < begin[:-1] + tokens[:-1]).any():
        raise IntegrityError("spans overlap", place=str(path))
    return begin, begin + tokens
