"""Find what a source repeats, before anything is taken out of a text: counts of the first pass over its
shards added up, and a second pass that counts exactly what they do not rule out.

The rules are those of `boilerplate`; here is only how its counts travel between tasks, as files.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow.parquet as pq

from hemicycle.curate.boilerplate import (
    PLACES,
    SCHEMA,
    Counts,
    Hashes,
    boilerplate_lines,
    bounds_by_kind,
    merge,
    recount,
)
from hemicycle.curate.cleaned import countable, read_cleaned
from hemicycle.curate.words import text_buffers
from hemicycle.engines import Engine, Task
from hemicycle.progress import Progress
from hemicycle.store import write_aside

_TABLE = {"kind": pl.String, **SCHEMA}


def kinds_counted(documents: Path) -> list[str]:
    """The kinds that have bounds and, of a source, enough documents for a passage to reach them."""
    kinds = pq.read_table(documents, columns=["kind"])["kind"].value_counts()
    counts = {entry["values"]: entry["counts"] for entry in kinds.to_pylist()}
    return [kind for kind, b in bounds_by_kind().items() if counts.get(kind, 0) >= b.documents]


def first_of_each(documents: Path, cleared: Path, kinds: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Which rows are the first admitted one of their text: ten copies of a text repeat nothing but it. None
    is where no kind is counted."""
    with pq.ParquetFile(documents) as file:
        firsts = np.zeros(file.metadata.num_rows, bool)
        if not kinds:
            return firsts
        # 64 bits for each text, a row group at a time: the digests themselves take many times that.
        short = np.concatenate([_short(file, group) for group in range(file.num_row_groups)])
    admitted = np.flatnonzero(pq.read_table(cleared, columns=["admitted"])["admitted"].to_numpy())
    _, at = np.unique(short[admitted], return_index=True)
    firsts[admitted[at]] = True
    return firsts


def _short(file: pq.ParquetFile, group: int) -> npt.NDArray[np.uint64]:
    digests = file.read_row_group(group, columns=["digest"])["digest"].to_pylist()
    return np.array([int(digest[:16], 16) for digest in digests], np.uint64)


def array_file(array: npt.NDArray[Any]) -> bytes:
    """The bytes of a NumPy file."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def find_repeated(
    shards: Sequence[Task],
    counted: Sequence[Mapping[str, int]],
    scratch: Path,
    engine: Engine,
    progress: Progress,
) -> Path:
    """A Parquet file of kind, hash, documents, passage: what goes from the documents of each kind.

    Args:
        shards: the tasks of `clean_shard`.
        counted: of each, how many documents of each kind it counted.
    """
    out = scratch / "repeated.parquet"
    numbers = {kind: sum(shard[kind] for shard in counted) for kind in (counted[0] if counted else ())}
    tables = [pl.DataFrame(schema=_TABLE)]
    totals = {}
    for kind in numbers:
        total = np.zeros(PLACES, np.uint32)
        for shard in shards:
            places, counts = np.load(f"{shard.arguments['out']}.{kind}.npy")
            total[places] += counts
        totals[kind] = str(scratch / f"total-{kind}.npy")
        # Aside: a job that was left behind may still be reading.
        write_aside(Path(totals[kind]), array_file(total))
    if numbers:
        given = {"totals": totals, "numbers": numbers}
        arguments = [{"cleaned": shard.arguments["out"], **given} for shard in shards]
        tasks = [
            Task(s.name, more, s.weight, tuple(_recounted(more["cleaned"], numbers).values()))
            for s, more in zip(shards, arguments, strict=True)
        ]
        recounted = engine.map(
            "hemicycle.curate.repeated:recount_shard",
            tasks,
            scratch / "recounted",
            what="find repeated passages",
            progress=progress,
        )
        for kind, bounds in bounds_by_kind().items():
            if kind in numbers:
                exact = merge([pl.read_parquet(shard["tables"][kind]) for shard in recounted])
                found = boilerplate_lines(exact, numbers[kind], bounds)
                tables.append(found.with_columns(pl.lit(kind).alias("kind")).select(list(_TABLE)))
    repeated = io.BytesIO()
    pl.concat(tables).write_parquet(repeated)
    write_aside(out, repeated.getvalue())
    return out


def _recounted(cleaned: str, kinds: Iterable[str]) -> dict[str, str]:
    """Kind → the file in which a shard's passages are counted exactly."""
    return {kind: f"{cleaned}.{kind}.parquet" for kind in kinds}


def repeated_passages(path: Path) -> Mapping[str, Hashes]:
    """Kind → hashes of what goes, sorted."""
    table = pl.read_parquet(path, columns=["kind", "hash"])
    return {str(kind): rows["hash"].to_numpy() for (kind,), rows in table.group_by("kind")}


def recount_shard(cleaned: str, totals: Mapping[str, str], numbers: Mapping[str, int]) -> dict[str, Any]:
    """How many documents have each passage that the whole source's counts do not rule out, of one shard."""
    counts = {kind: Counts(numbers[kind], np.load(total)) for kind, total in totals.items()}
    found: dict[str, list[pl.DataFrame]] = {kind: [] for kind in totals}
    for table in read_cleaned(Path(f"{cleaned}.arrow")):
        for kind in totals:
            texts = text_buffers(countable(table, kind))
            found[kind].append(recount(*texts, counts[kind], bounds_by_kind()[kind]))
    tables = _recounted(cleaned, totals)
    for kind, parts in found.items():
        merge(parts).write_parquet(tables[kind])
    return {"tables": tables}
