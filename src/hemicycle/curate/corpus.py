"""Make a corpus of annotated sources: judge by the rules, split, drop copies, deal out.

What is judged are measures and a few short columns; no text is read for it, so a bound can be moved and its
effect known in seconds. Texts are read once, at the end, when rows are dealt out to `kept` and `dropped`,
shard by shard, wherever the engine likes.

    kept/SOURCE/00000.parquet       columns of `CORPUS`, rows in the order of the source's documents
    dropped/SOURCE/00000.parquet    the same and `why`: every rule that failed, or the copy that stays instead
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from hemicycle.curate.admitted import LONGEST
from hemicycle.curate.annotate import ANNOTATED
from hemicycle.curate.fates import FACTS, Fates, decide_fates, reasons
from hemicycle.curate.rules import Rule, failed
from hemicycle.curate.twins import near_duplicates
from hemicycle.documents import parquet_writer, read_batches, write_parquet
from hemicycle.engines import Engine, Local, Task, move_outputs
from hemicycle.errors import RightsError
from hemicycle.progress import QUIET, Progress

#: What is decided of a row: `copies` counts the documents that went because this one stays.
_DECIDED = pa.schema([("split", pa.string()), ("copies", pa.int64()), ("why", pa.list_(pa.string()))])

CORPUS = pa.schema(
    [
        *(f for f in ANNOTATED if f.name not in ("rank", "bands")),
        _DECIDED.field("split"),
        _DECIDED.field("copies"),
    ]
)
DROPPED = pa.schema([*CORPUS, _DECIDED.field("why")])

#: Columns by which a document is judged.
_JUDGED = ["source", "id", "group", "date", "clean_digest", "rank", "kind", "language", "signals"]

#: Where one document is shown, its row group is decoded: a trace shows dozens from all over the corpus.
CHARACTERS_A_GROUP = 1_000_000

#: Why a text longer than `LONGEST` goes: it was not measured.
TOO_LONG = "too-long"


def make_corpus(
    annotated: Mapping[str, Path],
    out: Path,
    scratch: Path,
    *,
    rules: Sequence[Rule],
    held_out: float,
    near: bool = True,
    engine: Engine | None = None,
    progress: Progress = QUIET,
) -> dict[str, Any]:
    """Write `kept/SOURCE/NNNNN.parquet` and `dropped/SOURCE/NNNNN.parquet`.

    Args:
        annotated: source → folder of its annotated shards.
        held_out: share of the groups to hold out. Which ones follows from their names alone; a source of
            two groups or more holds out at least one.
        near: whether near-duplicates go.

    Returns counts by source and reason, and the `rules` that something failed. Raises RightsError where
    nothing was cleared.
    """
    shards = [
        (source, path) for source in sorted(annotated) for path in sorted(annotated[source].glob("*.parquet"))
    ]
    facts, whys = _judge(shards, rules, progress)
    if not len(facts):
        raise RightsError(
            "no document is cleared", remedy="`hemicycle clear` says for each source what holds it back."
        )
    files = [path for _, path in shards]
    engine = engine or Local(1)
    compare = functools.partial(
        near_duplicates, files, scratch=scratch / "near", engine=engine, progress=progress
    )
    fates = decide_fates(facts, held_out, compare if near else None)
    tasks = _dealings(shards, facts, whys, fates, scratch)
    counted = engine.map(
        "hemicycle.curate.corpus:deal", tasks, scratch / "dealt", what="deal out", progress=progress
    )
    for part in ("kept", "dropped"):
        (out / part).mkdir(parents=True)
    move_outputs(tasks, scratch / "dealt-out", out)
    figures: dict[str, dict[str, Any]] = {source: _no_counts() for source in sorted(annotated)}
    for (source, _), counts in zip(shards, counted, strict=True):
        _add(figures[source], counts)
    asked = {name for source in figures.values() for name in source["why"]}
    said = {r.name: {"keep": r.keep, "en": r.why_en, "fr": r.why_fr} for r in rules if r.name in asked}
    return {"sources": figures, "totals": totals(figures), "rules": said}


def _judge(
    shards: Sequence[tuple[str, Path]], rules: Sequence[Rule], progress: Progress
) -> tuple[pl.DataFrame, list[pl.Series]]:
    """The facts of all rows in the order of the shards, and for each shard the rules each row failed."""
    facts, whys = [pl.DataFrame(schema=FACTS)], []
    with progress.start("judge", len(shards), "shards") as bar:
        for _, path in shards:
            rows = pl.read_parquet(path, columns=_JUDGED)
            why = failed_rules(rows, rules)
            whys.append(why)
            facts.append(rows.with_columns((why.list.len() == 0).alias("passes")).select(list(FACTS)))
            bar.advance(1)
    return pl.concat(facts), whys


def failed_rules(rows: pl.DataFrame, rules: Sequence[Rule]) -> pl.Series:
    """For each row with `kind`, `language` and `signals`, the names of all rules it fails."""
    measured = rows.select("kind", "language", "signals").unnest("signals")
    why = measured.select("characters").with_columns(failed(measured, rules).alias("why"))
    too_long = pl.when(pl.col("characters") > LONGEST).then(pl.lit([TOO_LONG])).otherwise("why")
    return why.select(too_long.alias("why"))["why"]


def _dealings(
    shards: Sequence[tuple[str, Path]],
    facts: pl.DataFrame,
    whys: Sequence[pl.Series],
    fates: Fates,
    scratch: Path,
) -> list[Task]:
    """A task a shard, with what was decided of its rows written beside it."""
    tasks, first = [], 0
    for (source, path), why in zip(shards, whys, strict=True):
        rows = range(first, first + len(why))
        first = rows.stop
        names = [said or [] for said in why.to_list()]
        for place, copy in enumerate(reasons(fates, facts["id"], rows)):
            if copy is not None:
                names[place] = [copy]
        split = np.where(fates.held_out[rows.start : rows.stop], "held-out", "train")
        passed = facts["passes"][rows.start : rows.stop].to_numpy()
        decided = pa.table(
            {
                "split": pa.array(split, pa.string(), mask=~passed),
                "copies": fates.copies[rows.start : rows.stop],
                "why": pa.array(names, pa.list_(pa.string())),
            },
            _DECIDED,
        )
        told = scratch / "decided" / source / path.name
        told.parent.mkdir(parents=True, exist_ok=True)
        write_parquet(told, _DECIDED, [decided])
        arguments = {
            "shard": str(path),
            "decided": str(told),
            "kept": str(scratch / "dealt-out" / "kept" / source / path.name),
            "dropped": str(scratch / "dealt-out" / "dropped" / source / path.name),
        }
        outputs = (arguments["kept"], arguments["dropped"])
        tasks.append(Task(f"{source}-{path.stem}", arguments, path.stat().st_size, outputs))
    return tasks


def deal(shard: str, decided: str, kept: str, dropped: str) -> dict[str, Any]:
    """Deal out one annotated shard by what was decided of its rows, and count."""
    counts = _no_counts()
    told = pl.read_parquet(decided)
    first = 0
    for path in (kept, dropped):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    with parquet_writer(Path(kept), CORPUS) as stays, parquet_writer(Path(dropped), DROPPED) as goes:
        for table in read_batches(Path(shard)):
            rows = told.slice(first, table.num_rows).to_arrow()
            first += table.num_rows
            why = rows["why"].cast(pa.list_(pa.string()))
            whole = table.append_column("split", rows["split"].cast(pa.string()))
            whole = whole.append_column("copies", rows["copies"]).append_column("why", why)
            passes = pc.equal(pc.list_value_length(why), 0)
            kept_rows, dropped_rows = whole.filter(passes), whole.filter(pc.invert(passes))
            _count(counts, kept_rows, dropped_rows)
            for writer, schema, part in ((stays, CORPUS, kept_rows), (goes, DROPPED, dropped_rows)):
                for group in _small_groups(part.select(schema.names).cast(schema).combine_chunks()):
                    writer.write_table(group, row_group_size=group.num_rows)
    return counts


def _small_groups(rows: pa.Table) -> Iterator[pa.Table]:
    """Rows in groups that end once they have `CHARACTERS_A_GROUP`."""
    characters = np.cumsum(pc.utf8_length(rows["text"]).to_numpy())
    begin = 0
    while begin < len(rows):
        before = characters[begin - 1] if begin else 0
        end = min(int(np.searchsorted(characters, before + CHARACTERS_A_GROUP)) + 1, len(rows))
        yield rows.slice(begin, end - begin)
        begin = end


def _no_counts() -> dict[str, Any]:
    names = ("documents", "characters", "train", "held_out", "dropped", "dropped_characters")
    return {**dict.fromkeys(names, 0), "why": {}}


def _count(counts: dict[str, Any], kept: pa.Table, dropped: pa.Table) -> None:
    held_out = pc.sum(pc.equal(kept["split"], "held-out")).as_py() or 0
    why = Counter(name.split(":")[0] for names in dropped["why"].to_pylist() for name in names)
    _add(
        counts,
        {
            "documents": kept.num_rows,
            "characters": pc.sum(pc.utf8_length(kept["text"])).as_py() or 0,
            "train": kept.num_rows - held_out,
            "held_out": held_out,
            "dropped": dropped.num_rows,
            "dropped_characters": int(pc.sum(pc.struct_field(dropped["signals"], "characters")).as_py() or 0),
            "why": dict(why),
        },
    )


def _add(counts: dict[str, Any], more: Mapping[str, Any]) -> None:
    for name, value in more.items():
        if isinstance(value, Mapping):
            for why, n in value.items():
                counts[name][why] = counts[name].get(why, 0) + n
        else:
            counts[name] += value


def totals(figures: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    """The counts of all sources together."""
    names = ("documents", "characters", "train", "held_out", "dropped", "dropped_characters")
    return {name: sum(source[name] for source in figures.values()) for name in names}
