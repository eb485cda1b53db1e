"""Annotate a source: its cleared documents, shard by shard, wherever the engine likes.

A shard is some consecutive row groups of the source's documents. Shards are cut by size alone, so they are
the same for any engine; each is one task that reads its row groups and writes one file. Where documents of
a kind have boilerplate, the source is read twice before: once to count passages in a table of fixed size,
once to count the likely ones exactly.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hemicycle.curate.admitted import admitted_rows, text_bytes
from hemicycle.curate.annotate import ANNOTATED, annotate, set_aside
from hemicycle.curate.boilerplate import Hashes
from hemicycle.curate.language_model import model_provenance
from hemicycle.curate.personal import KINDS
from hemicycle.curate.repeated import find_repeated, repeated_passages
from hemicycle.documents import parquet_writer
from hemicycle.engines import Engine, Local, Task, move_outputs
from hemicycle.progress import QUIET, Progress

#: Bytes of text in a shard, unless one document is longer.
SHARD_BYTES = 32_000_000
#: Characters annotated at once. It bounds the memory and does not show in the result.
BATCH_CHARACTERS = 2_000_000

_HERE = "hemicycle.curate.source"


def annotate_source(
    documents: Path,
    cleared: Path,
    out: Path,
    scratch: Path,
    *,
    engine: Engine | None = None,
    progress: Progress = QUIET,
) -> dict[str, Any]:
    """Write `NNNNN.parquet` (columns of `ANNOTATED`) for the admitted documents of a source.

    Args:
        documents: a Parquet file of `documents.SCHEMA`.
        cleared: which of its rows are admitted, row group for row group (`rights.cleared`).

    Passages that the source repeats are listed in `boilerplate/passages.parquet`. Returns counts, how much
    personal data of each kind was masked, and where the model of languages comes from. Raises IntegrityError
    where a text is not that of its digest.
    """
    engine = engine or Local(1)
    shards = list(_shards(documents))
    parts = [
        Task(f"{n:05d}", {"documents": str(documents), "cleared": str(cleared), "groups": groups}, size)
        for n, (groups, size) in enumerate(shards)
    ]
    repeated = find_repeated(documents, cleared, parts, scratch, engine, progress)
    shards_made = scratch / "shards"
    shards_made.mkdir(exist_ok=True)
    tasks = []
    for part in parts:
        made = str(shards_made / f"{part.name}.parquet")
        arguments = {**part.arguments, "repeated": str(repeated), "out": made}
        tasks.append(Task(part.name, arguments, part.weight, (made,)))
    counted = engine.map(
        f"{_HERE}:annotate_shard", tasks, scratch / "annotated", what="annotate", progress=progress
    )
    move_outputs(tasks, shards_made, out)
    (out / "boilerplate").mkdir()
    shutil.copyfile(repeated, out / "boilerplate" / "passages.parquet")
    personal: Counter[str] = Counter()
    for shard in counted:
        personal.update(shard["personal"])
    return {
        "documents": sum(shard["documents"] for shard in counted),
        "shards": len(shards),
        # How many, and never which: a statement cannot be taken back.
        "personal": dict(sorted(personal.items())),
        "boilerplate_passages": pq.read_metadata(repeated).num_rows,
        "language_model": model_provenance(),
    }


def _shards(documents: Path) -> Iterator[tuple[list[int], int]]:
    """First and last row group (and one more) of each shard, with its bytes."""
    with pq.ParquetFile(documents) as file:
        sizes = [text_bytes(file, group) for group in range(file.num_row_groups)]
    first = size = 0
    for group, more in enumerate(sizes):
        if size and size + more > SHARD_BYTES:
            yield [first, group], size
            first, size = group, 0
        size += more
    if sizes:
        yield [first, len(sizes)], size


def annotate_shard(
    documents: str, cleared: str, groups: Sequence[int], repeated: str, out: str
) -> dict[str, Any]:
    """Annotate some row groups into one file, a row group for a row group."""
    passages = repeated_passages(Path(repeated))
    rows, personal = 0, Counter[str]()
    with parquet_writer(Path(out), ANNOTATED) as writer:
        for table in admitted_rows(documents, cleared, groups):
            if table.num_rows:
                made = pa.concat_tables(_annotated(table, passages)).combine_chunks()
                writer.write_table(made, row_group_size=made.num_rows)
                rows += made.num_rows
                personal.update(_masked(made))
    return {"documents": rows, "personal": +personal}


def _masked(table: pa.Table) -> dict[str, int]:
    """How much was masked of each kind."""
    signals = table["signals"].combine_chunks()
    kinds = {kind: pc.sum(signals.field(f"personal_{kind}")).as_py() for kind in KINDS}
    return {kind: int(count) for kind, count in kinds.items() if count}


def _annotated(table: pa.Table, passages: Mapping[str, Hashes]) -> Iterator[pa.Table]:
    """The rows of a table, annotated a batch at a time: of one kind, and of bounded size."""
    if "bytes" in table.column_names:
        yield set_aside(table)
        return
    lengths = pc.utf8_length(table["text"]).to_pylist()
    kinds = table["kind"].to_pylist()
    first = size = 0
    for row, length in enumerate(lengths):
        if row > first and (kinds[row] != kinds[first] or size + length > BATCH_CHARACTERS):
            yield annotate(table.slice(first, row - first), passages.get(kinds[first]))
            first, size = row, 0
        size += length
    yield annotate(table.slice(first), passages.get(kinds[first]))
