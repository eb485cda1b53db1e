"""Make a corpus: clean, measure, filter, split, and drop exact copies, in two passes of bounded memory.

The first pass reads one batch of documents at a time, cleans and measures it, and writes it aside; of each
document only a few short columns stay in memory. Those decide, over the whole corpus, which groups are
held out and which copies go. The second pass deals the rows out to `kept` and `dropped`.

The split is decided before copies are dropped and by group, so that no part of a held-out sitting or novel
is ever trained on; a copy that stands in both halves stays in one of them only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from hemicycle.curate.clean import clean_parts
from hemicycle.curate.measures import COLUMNS
from hemicycle.curate.rules import Rule, annotate, load_rules
from hemicycle.digests import sha256_text
from hemicycle.documents import SCHEMA, parquet_writer, read_batches, write_parquet
from hemicycle.errors import InputError, IntegrityError, RightsError
from hemicycle.progress import QUIET, Progress

SIGNAL = pa.struct([("name", pa.string()), ("value", pa.float64())])
CORPUS = pa.schema(
    [
        *SCHEMA,
        pa.field("clean_digest", pa.string()),
        pa.field("split", pa.string()),
        pa.field("signals", pa.list_(SIGNAL)),
    ]
)
DROPPED = pa.schema([*CORPUS, pa.field("why", pa.list_(pa.string()))])


def curate(
    documents: Mapping[str, Path],
    admitted: Path,
    out: Path,
    scratch: Path,
    *,
    held_out: float,
    progress: Progress = QUIET,
) -> dict[str, Any]:
    """Write `kept/SOURCE.parquet` and `dropped/SOURCE.parquet`.

    Args:
        documents: source → its Parquet file of documents.
        admitted: Parquet of (source, id, digest): what rights let through. Nothing else is read.
        held_out: share of the groups to hold out. Which ones follows from their names alone; a source of
            two groups or more holds out at least one.

    Returns counts by source and reason. Raises RightsError where nothing was admitted.
    """
    rules = load_rules()
    through = pl.read_parquet(admitted)
    if not through.height:
        raise RightsError(
            "no document is cleared",
            remedy="`hemicycle clear` says for each source what holds it back.",
        )
    facts: list[pl.DataFrame] = []
    size = sum(path.stat().st_size for path in documents.values())
    with progress.start("curate", size, "B") as bar:
        for source, path in sorted(documents.items()):
            allowed = set(through.filter(pl.col("source") == source).select("id", "digest").iter_rows())
            aside = scratch / f"{source}.parquet"
            write_parquet(aside, DROPPED, _cleaned(path, allowed, rules, facts))
            bar.advance(path.stat().st_size)
    fates = _fates(pl.concat(facts), held_out)
    (out / "kept").mkdir()
    (out / "dropped").mkdir()
    figures: dict[str, Any] = {}
    for source in sorted(documents):
        figures[source] = _deal(scratch / f"{source}.parquet", source, fates, out)
    return {"sources": figures, "totals": _totals(figures)}


def _cleaned(
    path: Path, allowed: set[tuple[str, str]], rules: list[Rule], facts: list[pl.DataFrame]
) -> Iterator[pa.Table]:
    """Admitted rows of one source, cleaned and measured; appends what the fates need to `facts`."""
    for table in read_batches(path):
        rows = [row for row in table.to_pylist() if (row["id"], row["digest"]) in allowed]
        for row in rows:
            # Rights were decided for this very text; the digest beside it is only a claim.
            if sha256_text(row["text"]) != row["digest"]:
                raise IntegrityError(f"the text of {row['id']!r} is not that of its digest", place=str(path))
        if not rows:
            continue
        for row in rows:
            row["text"], row["parts"] = clean_parts(row["parts"] or [], row["text"])
            row["clean_digest"] = sha256_text(row["text"])
        measured = annotate(
            pl.DataFrame({"text": [r["text"] for r in rows], "language": [r["language"] for r in rows]}),
            rules,
        )
        whys = measured["why"].to_list()
        values = {name: measured[name].to_list() for name in COLUMNS}
        for i, row in enumerate(rows):
            row["signals"] = [{"name": name, "value": values[name][i]} for name in COLUMNS]
            row["why"] = whys[i]
            row["split"] = None
        keys = ("source", "id", "group", "date", "clean_digest")
        facts.append(
            pl.DataFrame(
                {key: [r[key] for r in rows] for key in keys} | {"passes": [not r["why"] for r in rows]},
                schema={**dict.fromkeys(keys, pl.String), "passes": pl.Boolean},
            )
        )
        yield pa.Table.from_pylist(rows, schema=DROPPED)


def _fates(facts: pl.DataFrame, held_out: float) -> dict[tuple[str, str], tuple[str, str | None]]:
    """(source, id) → its split, and the id of the copy that stays instead of it."""
    groups = facts.filter("passes").select("source", "group").unique().sort("source", "group")
    chance = {
        (source, group): int(sha256_text(f"{source}\n{group}")[:13], 16) / 16**13
        for source, group in groups.iter_rows()
    }
    out = {pair for pair, value in chance.items() if value < held_out}
    if held_out > 0:
        for source in groups["source"].unique().sort():
            pairs = [pair for pair in chance if pair[0] == source]
            if len(pairs) > 1 and not any(pair in out for pair in pairs):
                out.add(min(pairs, key=lambda pair: chance[pair]))
    twice = facts.filter(pl.col("id").is_duplicated()).sort("id", "source")
    if twice.height:
        raise InputError(
            f"sources {' and '.join(twice['source'].head(2))} both have a document {twice['id'][0]!r}",
            remedy="A document's id must be its own in the whole corpus; give one source's rows other ids.",
        )
    # Which copy stays: the oldest, then by source and id. A rule, never the order of rows.
    ranked = facts.filter("passes").sort(
        pl.col("date").fill_null("9999"), "source", "id", maintain_order=True
    )
    stays: dict[str, str] = {}
    fates: dict[tuple[str, str], tuple[str, str | None]] = {}
    for source, doc_id, group, digest in ranked.select("source", "id", "group", "clean_digest").iter_rows():
        twin = stays.setdefault(digest, doc_id)
        split = "held-out" if (source, group) in out else "train"
        fates[source, doc_id] = (split, twin if twin != doc_id else None)
    return fates


def _deal(
    aside: Path, source: str, fates: dict[tuple[str, str], tuple[str, str | None]], out: Path
) -> dict[str, Any]:
    counts: dict[str, Any] = {
        "documents": 0,
        "characters": 0,
        "train": 0,
        "held_out": 0,
        "dropped": 0,
        "dropped_characters": 0,
        "why": {},
    }
    with (
        parquet_writer(out / "kept" / f"{source}.parquet", CORPUS) as kept_writer,
        parquet_writer(out / "dropped" / f"{source}.parquet", DROPPED) as dropped_writer,
    ):
        for table in read_batches(aside):
            kept: list[dict[str, Any]] = []
            dropped: list[dict[str, Any]] = []
            for row in table.to_pylist():
                split, twin = fates.get((source, row["id"]), (None, None))
                row["split"] = split
                if twin is not None:
                    row["why"] = [f"duplicate-of:{twin}"]
                (dropped if row["why"] else kept).append(row)
            _count(counts, kept, dropped)
            if kept:
                kept_writer.write_table(pa.Table.from_pylist(kept, schema=CORPUS))
            if dropped:
                dropped_writer.write_table(pa.Table.from_pylist(dropped, schema=DROPPED))
    return counts


def _count(counts: dict[str, Any], kept: list[dict[str, Any]], dropped: list[dict[str, Any]]) -> None:
    for row in kept:
        counts["documents"] += 1
        counts["characters"] += len(row["text"])
        counts["held_out" if row["split"] == "held-out" else "train"] += 1
    for row in dropped:
        counts["dropped"] += 1
        counts["dropped_characters"] += len(row["text"])
        for why in row["why"]:
            name = why.split(":")[0]
            counts["why"][name] = counts["why"].get(name, 0) + 1


def _totals(figures: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    names = ("documents", "characters", "train", "held_out", "dropped", "dropped_characters")
    return {name: sum(source[name] for source in figures.values()) for name in names}
