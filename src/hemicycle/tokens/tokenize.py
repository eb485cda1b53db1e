"""Tokenise a corpus: bounded shards, each source one contiguous range in a shard, every token traceable.

Only the training split is tokenised: what is held out can then not be read by accident.

Texts stay in the bytes of their Parquet column; threads take slices of them and give back arrays of ids, and
what comes back is written in the order it was sent. So the bytes written depend neither on the number of
threads nor on how rows were grouped, and a document of 500 MB passes in slices like any other.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from hemicycle.documents import corpus_shards, parquet_writer, read_batches
from hemicycle.progress import QUIET, Progress
from hemicycle.tokens.encoder import Encode, Ids, encoder_of, load_tokenizer
from hemicycle.tokens.megatron import ShardWriter, shard_name, token_type
from hemicycle.tokens.pattern import part
from hemicycle.tokens.tokenizer import marks

#: A shard is closed once it holds this many tokens: 1 GB of uint16.
SHARD_TOKENS = 500_000_000
#: Bytes of text that a thread takes at once, and how many such bundles wait a thread.
BUNDLE_BYTES, WAITING = 262_144, 4
#: Rows of a row group of `documents.parquet`; so many wait in memory.
DOCUMENTS_A_GROUP = 100_000

#: Columns of the corpus by which a mix may take it apart.
_BY = ("language", "date", "right")
#: Columns that describe a document.
_ABOUT = ("id", "source", "clean_digest", *_BY)

DOCUMENTS = pa.schema(
    [
        ("document", pa.int64()),
        ("id", pa.string()),
        ("source", pa.string()),
        ("clean_digest", pa.string()),
        ("shard", pa.int32()),
        ("first", pa.int64()),
        ("tokens", pa.int64()),
        ("bytes", pa.int64()),
        *((name, pa.string()) for name in _BY),
    ]
)

Integers = npt.NDArray[np.int64]


def tokenize(
    corpus: Path,
    tokenizer: Path,
    out: Path,
    *,
    shard_tokens: int = SHARD_TOKENS,
    threads: int | None = None,
    progress: Progress = QUIET,
) -> dict[str, Any]:
    """Write `tokens-NNNNN.bin/.idx` and `documents.parquet`; returns counts by source.

    `documents.parquet` maps document number (its place in all shards, in order) to id, source, shard,
    first token in the shard and length in tokens, marks included, and to what a mix may go by. Memory is
    that of a row group of the corpus, whatever the corpus.

    Args:
        threads: that encode; by default one a core.
    """
    loaded = load_tokenizer(tokenizer)
    begin, end = marks(tokenizer, loaded)
    encoder = encoder_of(tokenizer)
    shards = _Shards(out, token_type(loaded.get_vocab_size(with_added_tokens=True)), shard_tokens)
    counted = pa.table({"source": [], "documents": [], "tokens": [], "bytes": []}, _COUNTED)
    threads = threads or len(os.sched_getaffinity(0))
    with (
        parquet_writer(out / "documents.parquet", DOCUMENTS) as table,
        ThreadPoolExecutor(threads) as pool,
        progress.start("tokenize", None, "tokens") as bar,
    ):
        rows = _Rows(table)
        for path in corpus_shards(corpus):
            for batch in read_batches(path, ["text", "split", *_ABOUT]):
                texts = _Texts.of(batch)
                work = partial(_encode, data=texts.data, encode=encoder.encode, begin=begin, end=end)
                placed = []
                for encoded in _in_order(pool, work, texts.bundles(encoder.segment), threads * WAITING):
                    placed.append(shards.write(encoded))
                    bar.advance(len(encoded.ids))
                described = texts.describe(placed)
                rows.add(described)
                counted = _count(counted, described)
        rows.close()
    shards.close()
    by_source = {row.pop("source"): row for row in counted.sort_by("source").to_pylist()}
    totals = {
        key: sum(count[key] for count in by_source.values()) for key in ("documents", "tokens", "bytes")
    }
    return {
        **totals,
        "bytes_per_token": round(totals["bytes"] / max(totals["tokens"], 1), 4),
        "shards": shards.number + 1,
        "encoder": encoder.engine,
        "sources": by_source,
    }


@dataclass(frozen=True)
class _Bundle:
    """Slices of texts to encode together.

    Attributes:
        spans: (slices, 2) first and last byte of each in the column's data.
        begins, ends: (slices,) whether a document begins, or ends, with the slice.
    """

    spans: list[tuple[int, int]]
    begins: npt.NDArray[np.bool_]
    ends: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class _Encoded:
    """A bundle's ids, marks included, with the number of them in each slice."""

    ids: Ids
    lengths: Integers
    begins: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class _Placed:
    """Where slices were written: those that begin a document with its shard and first token there."""

    lengths: Integers
    begins: npt.NDArray[np.bool_]
    shard: Integers
    first: Integers


@dataclass(frozen=True)
class _Texts:
    """The training rows of a table: their texts as bytes in place, and the columns that describe them."""

    data: memoryview
    starts: Integers
    ends: Integers
    about: pa.Table

    @staticmethod
    def of(table: pa.Table) -> _Texts:
        chosen = np.flatnonzero(pc.equal(table["split"], "train").to_numpy())
        column = table["text"]
        # A copy of the texts only where the reader has cut them up.
        text = column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
        if isinstance(text, pa.ChunkedArray):
            text = pa.concat_arrays([*text.chunks, pa.array([], text.type)])
        text = text.cast(pa.large_string())
        _, offsets, data = text.buffers()
        bounds = np.frombuffer(offsets, np.int64, len(text) + 1, text.offset * 8)
        about = table.select(list(_ABOUT)).take(pa.array(chosen))
        return _Texts(memoryview(data or b""), bounds[chosen], bounds[chosen + 1], about)

    def bundles(self, segment: int) -> Iterator[_Bundle]:
        spans: list[tuple[int, int]] = []
        begins: list[bool] = []
        ends: list[bool] = []
        size = 0
        for start, end in zip(self.starts.tolist(), self.ends.tolist(), strict=True):
            at = start
            for piece in part(self.data[start:end], segment):
                spans.append((at, at + len(piece)))
                begins.append(at == start)
                at += len(piece)
                ends.append(at == end)
                size += len(piece)
                if size >= BUNDLE_BYTES:
                    yield _Bundle(spans, np.array(begins, bool), np.array(ends, bool))
                    spans, begins, ends, size = [], [], [], 0
        if spans:
            yield _Bundle(spans, np.array(begins, bool), np.array(ends, bool))

    def describe(self, placed: list[_Placed]) -> pa.Table:
        """The rows of `DOCUMENTS` but for their numbers."""
        nothing = _Placed(*(np.zeros(0, t) for t in (np.int64, bool, np.int64, np.int64)))
        lengths, begins, shard, first = (
            np.concatenate([getattr(one, name) for one in [nothing, *placed]])
            for name in ("lengths", "begins", "shard", "first")
        )
        at = np.flatnonzero(begins)
        about = self.about
        return pa.table(
            {
                "id": about["id"],
                "source": about["source"],
                "clean_digest": about["clean_digest"],
                "shard": shard[at],
                "first": first[at],
                "tokens": np.add.reduceat(lengths, at) if len(at) else lengths[:0],
                "bytes": self.ends - self.starts,
                **{name: about[name] for name in _BY},
            }
        )


def _encode(bundle: _Bundle, data: memoryview, encode: Encode, begin: int, end: int) -> _Encoded:
    encoded = encode([str(data[a:b], "utf-8") for a, b in bundle.spans])
    marks = np.array([begin, end], np.uint32)
    parts: list[Ids] = []
    for ids, begins, ends in zip(encoded, bundle.begins.tolist(), bundle.ends.tolist(), strict=True):
        parts += [marks[: int(begins)], ids, marks[2 - int(ends) : 2] if ends else marks[:0]]
    lengths = np.array([len(ids) for ids in encoded], np.int64) + bundle.begins + bundle.ends
    return _Encoded(np.concatenate(parts), lengths, bundle.begins)


def _in_order(
    pool: ThreadPoolExecutor, work: Callable[[_Bundle], _Encoded], bundles: Iterable[_Bundle], most: int
) -> Iterator[_Encoded]:
    """What `work` makes of each bundle, in their order; at most `most` are under way."""
    waiting: deque[Future[_Encoded]] = deque()
    for bundle in bundles:
        waiting.append(pool.submit(work, bundle))
        if len(waiting) >= most:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


class _Shards:
    """The shards of an artefact, one open at a time; a document begins the next once one is full."""

    def __init__(self, out: Path, dtype: type[np.generic], tokens: int) -> None:
        self._out, self._dtype, self._tokens = out, dtype, tokens
        self.number = 0
        self._writer = ShardWriter(out / shard_name(0), dtype)

    def write(self, encoded: _Encoded) -> _Placed:
        bounds = np.concatenate([np.zeros(1, np.int64), np.cumsum(encoded.lengths)])
        shard, first = np.empty(len(encoded.lengths), np.int64), np.empty(len(encoded.lengths), np.int64)
        at = 0
        while at < len(encoded.lengths):
            starts = self._writer.tokens + bounds[at:-1] - bounds[at]
            full = np.flatnonzero(encoded.begins[at:] & (starts >= self._tokens))
            stop = at + int(full[0]) if len(full) else len(encoded.lengths)
            shard[at:stop], first[at:stop] = self.number, starts[: stop - at]
            ids = encoded.ids[bounds[at] : bounds[stop]]
            self._writer.write(ids, encoded.lengths[at:stop], encoded.begins[at:stop])
            if len(full):
                self.close()
                self.number += 1
                self._writer = ShardWriter(self._out / shard_name(self.number), self._dtype)
            at = stop
        return _Placed(encoded.lengths, encoded.begins, shard, first)

    def close(self) -> None:
        self._writer.close()


class _Rows:
    """Numbers the rows of `documents.parquet` and writes them in groups of equal size."""

    def __init__(self, writer: Any) -> None:
        self._writer, self._waiting, self._next = writer, DOCUMENTS.empty_table(), 0

    def add(self, rows: pa.Table) -> None:
        numbers = np.arange(self._next, self._next + rows.num_rows)
        self._next += rows.num_rows
        rows = rows.append_column("document", pa.array(numbers)).select(DOCUMENTS.names).cast(DOCUMENTS)
        self._waiting = pa.concat_tables([self._waiting, rows])
        while self._waiting.num_rows >= DOCUMENTS_A_GROUP:
            self._write(DOCUMENTS_A_GROUP)

    def close(self) -> None:
        if self._waiting.num_rows:
            self._write(self._waiting.num_rows)

    def _write(self, count: int) -> None:
        group = self._waiting.slice(0, count).combine_chunks()
        self._writer.write_table(group, row_group_size=count)
        self._waiting = self._waiting.slice(count)


_COUNTED = pa.schema(
    [("source", pa.string()), ("documents", pa.int64()), ("tokens", pa.int64()), ("bytes", pa.int64())]
)


def _count(counted: pa.Table, rows: pa.Table) -> pa.Table:
    """The counts by source with those of more rows added."""
    ones = rows.append_column("documents", pa.array(np.ones(rows.num_rows, np.int64)))
    every = pa.concat_tables([counted, ones.select(_COUNTED.names).cast(_COUNTED)])
    summed = every.group_by("source").aggregate([(name, "sum") for name in _COUNTED.names[1:]])
    return summed.select(["source", *(f"{name}_sum" for name in _COUNTED.names[1:])]).rename_columns(
        _COUNTED.names
    )
