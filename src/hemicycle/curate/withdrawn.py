"""Withdrawn: a corpus without some of its documents, and every other row as it was.

Made anew without a text, a corpus would be another one: a copy that went in its favour would stay, a bound or
a split might move, and nothing that learnt from the rest could be gone on from. So a withdrawal comes after
all that is decided of a corpus. Its rows leave both parts, a whole source with its folders, and what went in
favour of a text that is withdrawn stays gone: it is a copy of it.

    withdrawn.parquet     what left, by id, without its text
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from hemicycle.curate.corpus import CORPUS, DROPPED, totals
from hemicycle.documents import corpus_shards, parquet_writer, read_batches, write_parquet
from hemicycle.governance import Withdrawn
from hemicycle.store import link

WITHDRAWN = "withdrawn.parquet"
#: digest: of the text as it was cleaned. split: `train`, `held-out`, or `dropped`.
LISTED = pa.schema(
    [
        ("id", pa.string()),
        ("source", pa.string()),
        ("digest", pa.string()),
        ("split", pa.string()),
        ("words", pa.int64()),
        ("characters", pa.int64()),
    ]
)


class Leaving(NamedTuple):
    """What of a source is withdrawn: documents by their ids and, whatever they are called now, by the
    digests of their texts as they were read."""

    ids: frozenset[str]
    texts: frozenset[str]


Part = Literal["kept", "dropped"]
_SCHEMAS: dict[Part, pa.Schema] = {"kept": CORPUS, "dropped": DROPPED}


def rows_withdrawn(table: pa.Table, withdrawn: Withdrawn, column: str = "id") -> pa.Array:
    """Which rows of a table, with a column `source`, are of documents that are withdrawn, by their ids: those
    of another source may have the same."""
    among = pa.repeat(False, table.num_rows)
    for source, ids in withdrawn.items():
        own = pc.equal(table["source"], source)
        if ids is not None:
            own = pc.and_(own, pc.is_in(table[column], value_set=pa.array(sorted(ids), pa.string())))
        among = pc.or_(among, own)
    return among


def leave_out(
    corpus: Path, out: Path, withdrawn: Mapping[str, Leaving | None], figures: Mapping[str, Any]
) -> dict[str, Any]:
    """Write a corpus again without what is withdrawn of it; files that lose no row are the same files.

    Args:
        withdrawn: source → what of it; None: all of it.
        figures: those of the corpus.

    Returns figures of what is left, and under `withdrawn`, by source, how many documents left. The same
    corpus and withdrawals give the same bytes. Memory is that of a row group, and the list of what leaves.
    """
    counts = {source: {**told, "why": dict(told["why"])} for source, told in figures["sources"].items()}
    gone = [LISTED.empty_table()]
    for part in _SCHEMAS:
        (out / part).mkdir(parents=True)
        for path in corpus_shards(corpus, part):
            source = path.parent.name
            named = withdrawn.get(source)
            leaves = _leaving(path, part, named, counts[source]) if source in withdrawn else []
            gone += leaves
            if source in withdrawn and named is None:
                continue
            to = out / part / source / path.name
            to.parent.mkdir(exist_ok=True)
            if leaves and named is not None:
                _rewrite(path, to, _SCHEMAS[part], named)
            else:
                link(path, to)
    table = pa.concat_tables(gone).sort_by([("source", "ascending"), ("id", "ascending")])
    write_parquet(out / WITHDRAWN, LISTED, [table])
    left = Counter(table["source"].to_pylist())
    return {**figures, "sources": counts, "totals": totals(counts), "withdrawn": dict(sorted(left.items()))}


def _leaving(path: Path, part: Part, named: Leaving | None, counts: dict[str, Any]) -> list[pa.Table]:
    """What leaves of a file, taken off its source's counts."""
    found = []
    columns = [
        "id",
        "source",
        "digest",
        "clean_digest",
        "split",
        "signals",
        "text" if part == "kept" else "why",
    ]
    for table in read_batches(path, columns):
        rows = table if named is None else table.filter(_among(table, named))
        if not rows.num_rows:
            continue
        found.append(_listed(rows, part))
        if part == "kept":
            held_out = pc.sum(pc.equal(rows["split"], "held-out")).as_py() or 0
            counts["documents"] -= rows.num_rows
            counts["characters"] -= pc.sum(pc.utf8_length(rows["text"])).as_py()
            counts["train"] -= rows.num_rows - held_out
            counts["held_out"] -= held_out
        else:
            counts["dropped"] -= rows.num_rows
            counts["dropped_characters"] -= int(
                pc.sum(pc.struct_field(rows["signals"], "characters")).as_py() or 0
            )
            why = Counter(counts["why"])
            why.subtract(name.split(":")[0] for names in rows["why"].to_pylist() for name in names)
            counts["why"] = {name: count for name, count in why.items() if count}
    return found


def _rewrite(path: Path, to: Path, schema: pa.Schema, named: Leaving) -> None:
    with parquet_writer(to, schema) as writer:
        for table in read_batches(path):
            rows = table.filter(pc.invert(_among(table, named)))
            if rows.num_rows:
                writer.write_table(rows.combine_chunks(), row_group_size=rows.num_rows)


def _among(table: pa.Table, named: Leaving) -> pa.ChunkedArray:
    among = (
        pc.is_in(table[column], value_set=pa.array(sorted(values), pa.string()))
        for column, values in (("id", named.ids), ("digest", named.texts))
    )
    return pc.or_(*among)


def _listed(rows: pa.Table, part: Part) -> pa.Table:
    columns = {
        "id": rows["id"],
        "source": rows["source"],
        "digest": rows["clean_digest"],
        "split": rows["split"] if part == "kept" else pa.array(["dropped"] * rows.num_rows, pa.string()),
        "words": _whole(rows, "words"),
        "characters": _whole(rows, "characters"),
    }
    return pa.table(columns).cast(LISTED)


def _whole(rows: pa.Table, measure: str) -> pa.ChunkedArray:
    """A measure as whole numbers; null where a text was too long to be measured."""
    values = pc.struct_field(rows["signals"], measure)
    return pc.if_else(pc.is_finite(values), values, pa.scalar(None, pa.float64())).cast(pa.int64())
