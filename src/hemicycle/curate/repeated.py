"""Find what a source repeats: two passes of tasks over its shards, before anything is taken out of a text.

The rules are those of `boilerplate`; here is only how its counts travel between tasks, as files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hemicycle.curate.admitted import admitted_rows
from hemicycle.curate.boilerplate import (
    PLACES,
    SCHEMA,
    Counts,
    Hashes,
    boilerplate_lines,
    bounds_by_kind,
    count_lines,
    merge,
    recount,
)
from hemicycle.curate.clean import clean
from hemicycle.curate.personal import mask
from hemicycle.curate.words import Bytes, Places, text_buffers
from hemicycle.engines import Engine, Task
from hemicycle.progress import Progress

_HERE = "hemicycle.curate.repeated"
_TABLE = {"kind": pl.String, **SCHEMA}


def find_repeated(
    documents: Path, cleared: Path, parts: Sequence[Task], scratch: Path, engine: Engine, progress: Progress
) -> Path:
    """A Parquet file of kind, hash, documents, passage: what goes from the documents of each kind.

    `parts`: one task a shard, with the arguments of `admitted_rows`.
    """
    out, firsts = scratch / "repeated.parquet", scratch / "firsts.npy"
    scratch.mkdir(parents=True, exist_ok=True)
    counts = _kinds(documents)
    if any(counts.get(kind, 0) >= bounds.documents for kind, bounds in bounds_by_kind().items()):
        np.save(firsts, _first_of_each(documents, cleared))
    tables = [pl.DataFrame(schema=_TABLE)]
    for kind, bounds in bounds_by_kind().items():
        if counts.get(kind, 0) < bounds.documents:
            continue
        folder = scratch / f"repeated-{kind}"
        folder.mkdir(exist_ok=True)

        def tasks(folder: Path = folder, kind: str = kind, **more: str) -> list[Task]:
            given = {"kind": kind, "firsts": str(firsts), **more}
            return [
                Task(p.name, {**p.arguments, **given, "out": str(folder / p.name)}, p.weight) for p in parts
            ]

        counted = engine.map(
            f"{_HERE}:count_shard", tasks(), folder / "counted", what="count lines", progress=progress
        )
        total = np.zeros(PLACES, np.uint32)
        for shard in counted:
            total += np.load(shard["table"])
        number = sum(c["documents"] for c in counted)
        np.save(folder / "total.npy", total)
        again = tasks(total=str(folder / "total.npy"), number=str(number))
        recounted = engine.map(
            f"{_HERE}:recount_shard", again, folder / "recounted", what="count again", progress=progress
        )
        exact = merge([pl.read_parquet(r["table"]) for r in recounted])
        found = boilerplate_lines(exact, number, bounds).passages
        tables.append(found.with_columns(pl.lit(kind).alias("kind")).select(list(_TABLE)))
    pl.concat(tables).write_parquet(out)
    return out


def repeated_passages(path: Path) -> Mapping[str, Hashes]:
    """Kind → hashes of what goes, sorted."""
    table = pl.read_parquet(path, columns=["kind", "hash"])
    return {str(kind): rows["hash"].to_numpy() for (kind,), rows in table.group_by("kind")}


def _kinds(documents: Path) -> dict[str, int]:
    kinds = pq.read_table(documents, columns=["kind"])["kind"].value_counts()
    return {entry["values"]: entry["counts"] for entry in kinds.to_pylist()}


def _first_of_each(documents: Path, cleared: Path) -> npt.NDArray[np.bool_]:
    """Which rows are the first admitted one of their text: ten copies of a text repeat nothing but it."""
    digests = pq.read_table(documents, columns=["digest"])["digest"].to_numpy()
    short = np.array([int(digest[:16], 16) for digest in digests], np.uint64)
    admitted = np.flatnonzero(pq.read_table(cleared, columns=["admitted"])["admitted"].to_numpy())
    _, at = np.unique(short[admitted], return_index=True)
    firsts = np.zeros(len(short), bool)
    firsts[admitted[at]] = True
    return firsts


def _texts(
    documents: str, cleared: str, groups: Sequence[int], kind: str, firsts: str
) -> Iterator[tuple[Bytes, Places]]:
    """Texts of one kind, each once, clean and masked, as bytes and offsets; one batch a row group."""
    nowhere = np.zeros(0, np.int64)
    counts = np.load(firsts, mmap_mode="r")
    for table in admitted_rows(documents, cleared, groups):
        if "text" not in table.column_names:
            continue
        chosen = pc.and_(pc.equal(table["kind"], kind), pa.array(counts[table["row"].to_numpy()]))
        texts = table["text"].filter(chosen).to_pylist()
        if texts:
            yield text_buffers(
                pa.array([mask(clean(t).text, nowhere, kind)[0] for t in texts], pa.large_string())
            )


def count_shard(
    documents: str, cleared: str, groups: Sequence[int], kind: str, firsts: str, out: str
) -> dict[str, Any]:
    """How many documents have a passage of each place of the table, of one shard."""
    counts = count_lines(*text_buffers(pa.array([], pa.large_string())))
    for data, offsets in _texts(documents, cleared, groups, kind, firsts):
        counts += count_lines(data, offsets)
    np.save(f"{out}.npy", counts.table)
    return {"documents": counts.documents, "table": f"{out}.npy"}


def recount_shard(
    documents: str,
    cleared: str,
    groups: Sequence[int],
    kind: str,
    firsts: str,
    out: str,
    total: str,
    number: str,
) -> dict[str, Any]:
    """How many documents have each passage that the whole source's counts do not rule out, of one shard."""
    counts, bounds = Counts(int(number), np.load(total)), bounds_by_kind()[kind]
    texts = _texts(documents, cleared, groups, kind, firsts)
    found = [recount(data, offsets, counts, bounds) for data, offsets in texts]
    merge(found).write_parquet(f"{out}.parquet")
    return {"table": f"{out}.parquet"}
