"""The first pass over a source: texts held against their digests, cleaned and masked, once for all after it.

What a source repeats shows only in the source as a whole, so its texts are gone through twice before a
measure is taken. Cleaning costs more than reading, so what it made is kept in the stage's scratch folder, an
Arrow file a shard and a record batch a row group, and the passes after this one read that.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from hemicycle.curate.admitted import admitted_rows
from hemicycle.curate.boilerplate import PLACES, count_lines
from hemicycle.curate.clean import Bytes, Places, clean_texts
from hemicycle.curate.personal import KINDS, mask_texts
from hemicycle.curate.words import text_array, text_buffers
from hemicycle.documents import PART, SCHEMA

#: A document whose characters are clean and whose personal data is masked, and how much of each kind was.
#: `first`: whether it is the first of its text; only these tell what the source repeats. `bytes`: of a
#: text too long to be a document, which has none here.
CLEANED = pa.schema(
    [
        *SCHEMA,
        pa.field("rank", pa.int8()),
        pa.field("right", pa.string()),
        pa.field("personal", pa.struct([(kind, pa.int32()) for kind in KINDS])),
        pa.field("first", pa.bool_()),
        pa.field("bytes", pa.int64()),
    ]
)


def clean_shard(
    documents: str,
    cleared: str,
    groups: Sequence[int],
    firsts: str,
    kinds: Sequence[str],
    out: str,
    also: Sequence[str] = (),
    names_model: str | None = None,
) -> dict[str, Any]:
    """Write the admitted rows of some row groups as ``OUT.arrow``, in `CLEANED`.

    Args:
        firsts: a NumPy file with a truth value for each row of `documents`.
        kinds: kinds of documents whose passages are counted, in ``OUT.KIND.npy``: places of a table, and
            what stands there.
        also: personal data to mask besides what always is.
        names_model: folder of the model that finds persons' names; None: they stay.

    Returns how many documents of each of these kinds were counted.
    """
    first = np.load(firsts, mmap_mode="r")
    tables = {kind: np.zeros(PLACES, np.uint32) for kind in kinds}
    counted = dict.fromkeys(kinds, 0)
    masking = _masking(tuple(also), names_model)
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_file(f"{out}.arrow", CLEANED, options=options) as file:
        for table in admitted_rows(documents, cleared, groups):
            made = _cleaned(table, pa.array(first[table["row"].to_numpy()]), masking)
            for kind in kinds:
                texts = countable(made, kind)
                counted[kind] += len(texts)
                count_lines(*text_buffers(texts), tables[kind])
            file.write_table(made.combine_chunks())
    for kind, counts in tables.items():
        # Of a shard of ordinary size nearly all of the table is empty.
        places = np.flatnonzero(counts)
        np.save(f"{out}.{kind}.npy", np.stack([places.astype(np.uint32), counts[places]]))
    return {"documents": counted}


def read_cleaned(path: Path) -> Iterator[pa.Table]:
    """Yield what `clean_shard` wrote, a row group of the documents at a time."""
    with pa.memory_map(str(path)) as mapped, pa.ipc.open_file(mapped) as file:
        for batch in range(file.num_record_batches):
            yield pa.Table.from_batches([file.get_batch(batch)])


def countable(table: pa.Table, kind: str) -> pa.ChunkedArray:
    """The texts of a kind in which passages are counted."""
    return table["text"].filter(pc.and_(pc.equal(table["kind"], kind), table["first"]))


#: As `personal.mask_texts`.
Masking = Callable[
    [Bytes, Places, Places, Places, Sequence[str | None]], tuple[Bytes, Places, Places, dict[str, Places]]
]


@functools.cache
def _masking(also: tuple[str, ...], names_model: str | None) -> Masking:
    """What masks texts; a model of names is loaded once for all shards of a process."""
    by_rules = functools.partial(mask_texts, also=[kind for kind in also if kind != "name"])
    if names_model is None:
        return by_rules
    from hemicycle.curate.names_presidio import load

    names = load(Path(names_model))

    def both(
        data: Bytes, offsets: Places, points: Places, bounds: Places, kinds: Sequence[str | None]
    ) -> tuple[Bytes, Places, Places, dict[str, Places]]:
        # Names first: a model reads what was written and no marks, and a name made shorter may bring a number
        # within reach of the word that announces it.
        data, offsets, points, found = names.mask_texts(data, offsets, points, bounds, kinds)
        data, offsets, points, counts = by_rules(data, offsets, points, bounds, kinds)
        return data, offsets, points, counts | found

    return both


def _cleaned(table: pa.Table, first: pa.Array, masking: Masking) -> pa.Table:
    """Rows of `admitted_rows` as rows of `CLEANED`."""
    titles = _titles(table["title"].to_pylist(), table["kind"].to_pylist(), masking)
    made: dict[str, Any] = {"title": titles, "first": first}
    if "bytes" in table.column_names:
        made |= {"parts": pa.nulls(table.num_rows, table.schema.field("parts").type)}
        made |= {"first": pa.array([False] * table.num_rows, pa.bool_())}
    else:
        texts, parts, masked = _texts(table, masking)
        made |= {"text": texts, "parts": parts, "personal": masked}
    return as_rows(table, made, CLEANED)


def as_rows(table: pa.Table, made: Mapping[str, Any], schema: pa.Schema) -> pa.Table:
    """Rows of `schema`: the columns that were made, else those of the table, else nulls."""
    columns = []
    for field in schema:
        if field.name in made:
            columns.append(made[field.name])
        elif field.name in table.column_names:
            columns.append(table[field.name])
        else:
            columns.append(pa.nulls(table.num_rows, field.type))
    return pa.table(columns, schema=schema)


def _texts(table: pa.Table, masking: Masking) -> tuple[pa.Array, pa.ListArray, pa.StructArray]:
    """Cleaned texts, the parts at their new places, and how much was masked of each kind."""
    flat, points, bounds = part_points(table)
    kinds: Sequence[str | None] = table["kind"].to_pylist()
    cleaned = clean_texts(*text_buffers(table["text"]), points.ravel(), 2 * bounds)
    data, offsets, places, masked = masking(*cleaned, 2 * bounds, kinds)
    whose = np.repeat(np.array(kinds, object), np.diff(bounds)).tolist()
    titles = _titles(flat.field("title").to_pylist(), whose, masking)
    nothing = np.zeros(table.num_rows, np.int64)
    counts = [pa.array(masked.get(kind, nothing), pa.int32()) for kind in KINDS]
    parts = moved_parts(flat, places.reshape(-1, 2), bounds, titles)
    return text_array(data, offsets), parts, pa.StructArray.from_arrays(counts, names=list(KINDS))


def _titles(titles: Sequence[str | None], kinds: Sequence[str | None], masking: Masking) -> pa.Array:
    """Titles with their personal data masked; most stand there many times, so each is looked at once."""
    rows = list(zip(titles, kinds, strict=True))
    once = [(title, kind) for title, kind in dict.fromkeys(rows) if title is not None]
    known = text_buffers(pa.array([title for title, _ in once], pa.large_string()))
    nowhere = np.zeros(0, np.int64), np.zeros(len(once) + 1, np.int64)
    data, offsets, _, _ = masking(*known, *nowhere, [kind for _, kind in once])
    numbers: dict[tuple[str | None, str | None], int] = {row: i for i, row in enumerate(once)}
    places = pa.array([numbers.get(row) for row in rows], pa.int64())
    return text_array(data, offsets).cast(pa.string()).take(places)


def part_points(table: pa.Table) -> tuple[pa.StructArray, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """All parts of all rows, where they start and end (parts × 2), and where each row's begin (rows + 1)."""
    parts = table["parts"].combine_chunks()
    if isinstance(parts, pa.ChunkedArray):  # no chunk at all
        parts = pa.concat_arrays(parts.chunks or [pa.array([], pa.list_(PART))])
    lengths = pc.list_value_length(parts).fill_null(0).to_numpy()
    bounds = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    flat = parts.flatten()
    points = np.column_stack([flat.field("start").to_numpy(), flat.field("end").to_numpy()]).astype(np.int64)
    return flat, points, bounds


def moved_parts(
    flat: pa.StructArray,
    points: npt.NDArray[np.int64],
    bounds: npt.NDArray[np.int64],
    titles: pa.Array | None = None,
) -> pa.ListArray:
    """The parts at new places, under other titles if given; one left without characters is dropped."""
    keeps = points[:, 1] > points[:, 0]
    moved = {"start": pa.array(points[:, 0]), "end": pa.array(points[:, 1])}
    if titles is not None:
        moved["title"] = titles
    fields = [moved[f.name] if f.name in moved else flat.field(f.name) for f in PART]
    left = pa.StructArray.from_arrays(fields, fields=list(PART)).filter(pa.array(keeps))
    kept = np.concatenate([[0], np.cumsum(keeps)])[bounds]
    return pa.ListArray.from_arrays(pa.array(kept, pa.int32()), left)
