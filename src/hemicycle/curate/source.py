"""Annotate a source: its cleared documents, shard by shard, wherever the engine likes.

A shard is some consecutive row groups of the source's documents. Shards are cut by size alone, so they are
the same for any engine. Each is a task three times: its texts are cleaned and their passages counted in a
table of fixed size; passages that the source may repeat are counted exactly; and what is left of the texts
without them is measured.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hemicycle.curate.admitted import text_bytes
from hemicycle.curate.annotate import ANNOTATED, annotate, set_aside
from hemicycle.curate.boilerplate import Hashes
from hemicycle.curate.cleaned import read_cleaned
from hemicycle.curate.language_model import model_provenance
from hemicycle.curate.personal import KINDS
from hemicycle.curate.repeated import (
    array_file,
    find_repeated,
    first_of_each,
    kinds_counted,
    repeated_passages,
)
from hemicycle.documents import parquet_writer
from hemicycle.engines import Engine, Local, Task, move_outputs
from hemicycle.errors import IntegrityError
from hemicycle.progress import QUIET, Progress
from hemicycle.store import write_aside

#: Shards in which a source is cut, about: enough for the cores of a few machines, and few files. Each has so
#: many bytes of text at least and at most, unless one row group is longer.
SHARDS, SHARD_BYTES = 64, (4_000_000, 256_000_000)
#: Bytes of text annotated at once. It bounds the memory and does not show in the result.
BATCH_BYTES = 2_000_000


def annotate_source(
    documents: Path,
    cleared: Path,
    out: Path,
    scratch: Path,
    *,
    also: Sequence[str] = (),
    names_model: Path | None = None,
    engine: Engine | None = None,
    progress: Progress = QUIET,
) -> dict[str, Any]:
    """Write `NNNNN.parquet` (columns of `ANNOTATED`) for the admitted documents of a source.

    Args:
        documents: a Parquet file of `documents.SCHEMA`.
        cleared: which of its rows are admitted, row group for row group (`rights.cleared`).
        also: personal data to mask besides what always is: ``address``, ``name``.
        names_model: folder of the model that finds persons' names, where they are to be masked.

    Passages that the source repeats are listed in `boilerplate/passages.parquet`. Returns counts, how much
    personal data of each kind was masked, and where the model of languages comes from. Raises IntegrityError
    where a text is not that of its digest.
    """
    engine = engine or Local(1)
    made = scratch / "shards"
    made.mkdir(parents=True, exist_ok=True)
    firsts, kinds = scratch / "firsts.npy", kinds_counted(documents)
    write_aside(firsts, array_file(first_of_each(documents, cleared, kinds)))
    read: dict[str, Any] = {
        "documents": str(documents),
        "cleared": str(cleared),
        "firsts": str(firsts),
        "kinds": kinds,
        "also": sorted(set(also)),
        "names_model": str(names_model) if names_model else None,
    }
    shards = []
    for n, (groups, size) in enumerate(_shards(documents)):
        written = str(scratch / f"cleaned-{n:05d}")
        outputs = tuple(f"{written}.{end}" for end in ("arrow", *(f"{kind}.npy" for kind in kinds)))
        shards.append(Task(f"{n:05d}", {**read, "groups": groups, "out": written}, size, outputs))
    cleaned = engine.map(
        "hemicycle.curate.cleaned:clean_shard", shards, scratch / "cleaned", what="clean", progress=progress
    )
    repeated = find_repeated(shards, [figures["documents"] for figures in cleaned], scratch, engine, progress)
    tasks = []
    for shard in shards:
        place = str(made / f"{shard.name}.parquet")
        arguments = {"cleaned": shard.arguments["out"], "repeated": str(repeated), "out": place}
        tasks.append(Task(shard.name, arguments, shard.weight, (place,)))
    counted = engine.map(
        "hemicycle.curate.source:annotate_shard",
        tasks,
        scratch / "annotated",
        what="annotate",
        progress=progress,
    )
    move_outputs(tasks, made, out)
    (out / "boilerplate").mkdir()
    shutil.copyfile(repeated, out / "boilerplate" / "passages.parquet")
    personal: Counter[str] = Counter()
    for figures in counted:
        personal.update(figures["personal"])
    return {
        "documents": sum(figures["documents"] for figures in counted),
        "shards": len(shards),
        # How many, and never which: a statement cannot be taken back.
        "personal": dict(sorted(personal.items())),
        "boilerplate_passages": pq.read_metadata(repeated).num_rows,
        "language_model": _one_model([figures["language_model"] for figures in counted]),
    }


def _one_model(used: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The model of languages that all workers used; on a cluster one may have another installation."""
    if any(model != used[0] for model in used):
        versions = sorted(
            {f"{model['package']} {model['version']} ({model['sha256'][:12]})" for model in used}
        )
        raise IntegrityError(
            f"the machines used different models of languages: {', '.join(versions)}",
            remedy="Install the same version on all, and run again.",
        )
    return used[0] if used else model_provenance()


def _shards(documents: Path) -> Iterator[tuple[list[int], int]]:
    """First and last row group (and one more) of each shard, with its bytes."""
    with pq.ParquetFile(documents) as file:
        sizes = [text_bytes(file, group) for group in range(file.num_row_groups)]
    least, most = SHARD_BYTES
    enough = min(max(least, sum(sizes) // SHARDS), most)
    first = size = 0
    for group, more in enumerate(sizes):
        if size and size + more > enough:
            yield [first, group], size
            first, size = group, 0
        size += more
    if sizes:
        yield [first, len(sizes)], size


def annotate_shard(cleaned: str, repeated: str, out: str) -> dict[str, Any]:
    """Annotate a shard that `clean_shard` wrote into one file, a row group for a row group."""
    passages = repeated_passages(Path(repeated))
    rows, personal = 0, Counter[str]()
    with parquet_writer(Path(out), ANNOTATED) as writer:
        for table in read_cleaned(Path(f"{cleaned}.arrow")):
            if table.num_rows:
                made = pa.concat_tables(_annotated(table, passages)).combine_chunks()
                writer.write_table(made, row_group_size=made.num_rows)
                rows += made.num_rows
                personal.update(_masked(made))
    return {"documents": rows, "personal": +personal, "language_model": model_provenance()}


def _masked(table: pa.Table) -> dict[str, int]:
    """How much was masked of each kind."""
    signals = table["signals"].combine_chunks()
    kinds = {kind: pc.sum(signals.field(f"personal_{kind}")).as_py() for kind in KINDS}
    return {kind: int(count) for kind, count in kinds.items() if count}


def _annotated(table: pa.Table, passages: Mapping[str, Hashes]) -> Iterator[pa.Table]:
    """The rows of a table, annotated a batch of bounded size at a time."""
    if table["bytes"].null_count == 0:
        yield set_aside(table)
        return
    ends = np.cumsum(pc.binary_length(table["text"]).to_numpy())
    first = 0
    while first < table.num_rows:
        before = ends[first - 1] if first else 0
        last = max(first + 1, int(np.searchsorted(ends, before + BATCH_BYTES, side="right")))
        yield annotate(table.slice(first, last - first), passages)
        first = last
