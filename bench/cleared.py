"""Sources to measure curation on: documents of ours, all of them cleared."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pyarrow as pa

from hemicycle.documents import Document, read_batches, write_documents, write_parquet
from hemicycle.rights.cleared import CLEARED

SHARDS = 4


def write_input(folder: Path, shards: Path, texts: pl.DataFrame) -> None:
    """The same documents as our one source, all cleared, and as shards for datatrove."""
    folder.mkdir()
    shards.mkdir()
    path = folder / "documents.parquet"
    documents = (Document(*row[:2], language="fr", kind=row[2]) for row in texts.iter_rows())
    write_documents(path, "s", documents)
    write_cleared(folder)
    for i in range(SHARDS):
        texts.gather_every(SHARDS, i).select("id", "text").write_parquet(shards / f"{i}.parquet")


def write_cleared(folder: Path) -> None:
    """`cleared.parquet` beside `documents.parquet`: all of it is."""
    batches: Iterator[pa.Table] = read_batches(folder / "documents.parquet", ["id", "digest"])
    write_parquet(folder / "cleared.parquet", CLEARED, map(_cleared, batches))


def _cleared(batch: pa.Table) -> pa.Table:
    rows = batch.num_rows
    given = [[True] * rows, pa.array([0] * rows, pa.int8()), ["CC0-1.0"] * rows]
    columns = [batch["id"], batch["digest"], *map(pa.array, given)]
    return pa.table(columns, schema=CLEARED)
