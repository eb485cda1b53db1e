"""Tokenise a corpus: bounded shards, each source one contiguous range in a shard, every token traceable.

Only the training split is tokenised: what is held out can then not be read by accident.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from hemicycle.documents import corpus_shards, parquet_writer, read_batches
from hemicycle.errors import InputError
from hemicycle.progress import QUIET, Progress
from hemicycle.tokens.megatron import ShardWriter, token_type
from hemicycle.tokens.tokenizer import BEGIN, END, load_tokenizer

#: A shard is closed once it holds this many tokens: 1 GB of uint16.
SHARD_TOKENS = 500_000_000
#: Documents handed to the tokenizer at once; it encodes them on all cores.
BATCH_CHARACTERS = 4_000_000
#: Rows of a row group of `documents.parquet`; so many wait in memory.
DOCUMENTS_A_GROUP = 100_000

#: Columns of the corpus by which a mix may take it apart.
_BY = ("language", "date", "right")

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


def shard_name(number: int) -> str:
    return f"tokens-{number:05d}"


def tokenize(
    corpus: Path, tokenizer: Path, out: Path, *, shard_tokens: int = SHARD_TOKENS, progress: Progress = QUIET
) -> dict[str, Any]:
    """Write `tokens-NNNNN.bin/.idx` and `documents.parquet`; returns counts by source.

    `documents.parquet` maps document number (its place in all shards, in order) to id, source, shard,
    first token in the shard and length in tokens, marks included, and to what a mix may go by. Memory is
    that of a batch and of a row group, whatever the corpus.
    """
    encoder = load_tokenizer(tokenizer)
    begin, end = encoder.token_to_id(BEGIN), encoder.token_to_id(END)
    if begin is None or end is None:
        raise InputError(f"the tokenizer lacks {BEGIN} or {END}", place=str(tokenizer / "tokenizer.json"))
    dtype = token_type(encoder.get_vocab_size())
    rows: list[dict[str, Any]] = []
    by_source: dict[str, dict[str, int]] = {}
    documents = number = 0
    writer = ShardWriter(out / shard_name(0), dtype)
    with (
        parquet_writer(out / "documents.parquet", DOCUMENTS) as table,
        progress.start("tokenize", None, "tokens") as bar,
    ):
        for batch in _training_batches(corpus):
            encodings = encoder.encode_batch_fast([row["text"] for row in batch], add_special_tokens=False)
            for row, encoding in zip(batch, encodings, strict=True):
                if writer.tokens >= shard_tokens:
                    writer.close()
                    number += 1
                    writer = ShardWriter(out / shard_name(number), dtype)
                ids = [begin, *encoding.ids, end]
                size = len(row["text"].encode("utf-8"))
                rows.append(
                    {
                        "document": documents,
                        "id": row["id"],
                        "source": row["source"],
                        "clean_digest": row["clean_digest"],
                        "shard": number,
                        "first": writer.tokens,
                        "tokens": len(ids),
                        "bytes": size,
                        **{name: row[name] for name in _BY},
                    }
                )
                documents += 1
                if len(rows) >= DOCUMENTS_A_GROUP:
                    table.write_table(pa.Table.from_pylist(rows, schema=DOCUMENTS))
                    rows = []
                writer.add(ids)
                count = by_source.setdefault(row["source"], {"documents": 0, "tokens": 0, "bytes": 0})
                count["documents"] += 1
                count["tokens"] += len(ids)
                count["bytes"] += size
                bar.advance(len(ids))
        if rows:
            table.write_table(pa.Table.from_pylist(rows, schema=DOCUMENTS))
    writer.close()
    tokens = sum(c["tokens"] for c in by_source.values())
    size = sum(c["bytes"] for c in by_source.values())
    return {
        "documents": documents,
        "tokens": tokens,
        "bytes": size,
        "bytes_per_token": round(size / max(tokens, 1), 4),
        "shards": number + 1,
        "sources": by_source,
    }


def _training_batches(corpus: Path) -> Iterator[list[dict[str, Any]]]:
    """Rows of the training split, sources in sorted order, in batches of bounded size."""
    batch: list[dict[str, Any]] = []
    characters = 0
    for path in corpus_shards(corpus):
        for table in read_batches(path, ["id", "source", "text", "split", "clean_digest", *_BY]):
            for row in table.to_pylist():
                if row["split"] != "train":
                    continue
                batch.append(row)
                characters += len(row["text"])
                if characters >= BATCH_CHARACTERS:
                    yield batch
                    batch, characters = [], 0
    if batch:
        yield batch
