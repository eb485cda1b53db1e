"""Measure the documents of a subset by the rules of curation: the one file of the room that calls them.

A subset is annotated as a source is (`curate.source`), so a document would be cleaned, masked and measured
just so were it taken in. What is counted here are columns of its shards, one shard at a time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hemicycle.curate.corpus import failed_rules
from hemicycle.curate.language import NO_LANGUAGE, UNDETERMINED
from hemicycle.curate.language_model import load_identifier
from hemicycle.curate.near import COLUMN
from hemicycle.curate.personal import KINDS
from hemicycle.curate.rules import Rule
from hemicycle.curate.source import annotate_source
from hemicycle.curate.twins import near_duplicates
from hemicycle.documents import corpus_shards, read_batches, write_parquet
from hemicycle.engines import Engine
from hemicycle.errors import InputError
from hemicycle.progress import Progress
from hemicycle.review.evaluations import Evaluation, hits
from hemicycle.rights.cleared import CLEARED

#: Personal data that names one person, or opens a purse.
IDENTIFYING = ("identity", "iban", "card")
#: Repeated passages that a report quotes.
MOST_PASSAGES = 5

_JUDGED = ["kind", "language", "languages", "signals"]


@dataclass
class Measured:
    """What was found in the measured documents of a subset; counts are of documents if nothing else is said.

    Attributes:
        shards: of `ANNOTATED`.
        characters: of the texts as they came.
        passes, contaminated: row for row of the shards.
        languages: characters by language.
        contradicted: characters in another language than the document or the card declares, and of how many;
            None where the model does not tell a declared language apart.
        personal: pieces of personal data by kind.
        removed: characters of repeated passages.
        passages: the most repeated ones, with their documents.
    """

    shards: list[Path]
    documents: int = 0
    characters: int = 0
    passes: list[npt.NDArray[np.bool_]] = field(default_factory=list)
    contaminated: list[npt.NDArray[np.bool_]] = field(default_factory=list)
    failing: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    contradicted: tuple[int, int] | None = (0, 0)
    personal: Counter[str] = field(default_factory=Counter)
    with_personal: int = 0
    with_identifying: int = 0
    hits: Counter[str] = field(default_factory=Counter)
    removed: int = 0
    passages: list[tuple[str, int]] = field(default_factory=list)


def annotate_documents(
    documents: Path, out: Path, scratch: Path, engine: Engine, progress: Progress
) -> dict[str, int]:
    """Annotate all documents of a Parquet file into `out`; passages that were taken out → documents."""
    scratch.mkdir(parents=True, exist_ok=True)
    out.mkdir(parents=True, exist_ok=True)
    cleared = scratch / "cleared.parquet"
    write_parquet(cleared, CLEARED, map(_all_of, read_batches(documents, ["id", "digest"])))
    annotate_source(documents, cleared, out, scratch, engine=engine, progress=progress)
    passages = pl.read_parquet(out / "boilerplate" / "passages.parquet")
    return dict(passages.select("passage", "documents").iter_rows())


def _all_of(batch: pa.Table) -> pa.Table:
    rows = batch.num_rows
    admitted = batch.append_column("admitted", pa.array([True] * rows, pa.bool_()))
    ranked = admitted.append_column("rank", pa.array([0] * rows, pa.int8()))
    return ranked.append_column("right", pa.nulls(rows, pa.string()))


def measure(
    documents: Path,
    shards: Sequence[Path],
    passages: dict[str, int],
    declared: Sequence[str],
    rules: Sequence[Rule],
    evaluations: Sequence[Evaluation],
) -> Measured:
    """Count what the shards of a subset hold. `declared`: languages of the card."""
    found = Measured(list(shards))
    lengths = np.concatenate(
        [
            np.zeros(0, np.int64),
            *(pc.utf8_length(t["text"]).to_numpy() for t in read_batches(documents, ["text"])),
        ]
    )
    found.characters = int(lengths.sum())
    known = set(load_identifier().languages)
    for path in shards:
        rows = pl.read_parquet(path, columns=_JUDGED)
        first = found.documents
        found.documents += len(rows)
        runs = _runs(rows)
        _count_rules(found, rows, runs, rules)
        _count_languages(found, runs, declared, known)
        _count_signals(found, rows, lengths[first : first + len(rows)])
        _count_hits(found, path, evaluations)
    found.passages = sorted(passages.items(), key=lambda p: (-p[1], p[0]))[:MOST_PASSAGES]
    return found


def _runs(rows: pl.DataFrame) -> pl.DataFrame:
    """One row a run of one language: number of the document, what it declares, language, characters."""
    listed = rows.select(pl.col("language").alias("declared"), pl.col("languages").alias("run"))
    run = pl.col("run").struct
    return (
        listed.with_row_index("row")
        .explode("run")
        .filter(pl.col("run").is_not_null())
        .select(
            pl.col("row").cast(pl.Int64),
            pl.col("declared").str.to_lowercase().str.split("-").list.first(),
            run.field("language"),
            (run.field("end") - run.field("start")).alias("characters"),
        )
    )


def _count_rules(found: Measured, rows: pl.DataFrame, runs: pl.DataFrame, rules: Sequence[Rule]) -> None:
    # An undeclared language must not spare a document the rules of the one it is in.
    sizes = runs.group_by("row", "language").agg(pl.col("characters").sum())
    ranked = sizes.sort("row", -pl.col("characters"), "language")
    main = ranked.group_by("row", maintain_order=True).agg(pl.col("language").first().alias("main"))
    known = rows.with_row_index("row").with_columns(pl.col("row").cast(pl.Int64))
    known = known.join(main, on="row", how="left", maintain_order="left")
    why = failed_rules(known.with_columns(pl.col("language").fill_null(pl.col("main"))), rules)
    found.passes.append((why.list.len() == 0).to_numpy())
    found.failing.update(name for names in why.to_list() for name in names)


def _count_languages(found: Measured, runs: pl.DataFrame, declared: Sequence[str], known: set[str]) -> None:
    for language, characters in runs.group_by("language").agg(pl.col("characters").sum()).iter_rows():
        found.languages[language] += characters
    spoken = runs.filter(~pl.col("language").is_in([NO_LANGUAGE, UNDETERMINED]))
    open_ = spoken["declared"].null_count() > 0
    own = {*spoken["declared"].drop_nulls(), *(declared if open_ else ())}
    if found.contradicted is None or (open_ and not declared) or not own <= known:
        found.contradicted = None
        return
    by_card = pl.col("declared").is_null() & pl.col("language").is_in(list(declared))
    by_row = (pl.col("language") == pl.col("declared")).fill_null(False)
    other = int(spoken.filter(~(by_card | by_row))["characters"].sum())
    found.contradicted = (
        found.contradicted[0] + other,
        found.contradicted[1] + int(spoken["characters"].sum()),
    )


def _count_signals(found: Measured, rows: pl.DataFrame, lengths: npt.NDArray[np.int64]) -> None:
    signals = rows["signals"].struct.unnest()
    personal = signals.select(pl.col([f"personal_{kind}" for kind in KINDS]).fill_null(0))
    for kind in KINDS:
        found.personal[kind] += int(personal[f"personal_{kind}"].sum())
    found.with_personal += int((personal.sum_horizontal() > 0).sum())
    found.with_identifying += int(
        (personal.select([f"personal_{kind}" for kind in IDENTIFYING]).sum_horizontal() > 0).sum()
    )
    stripped = (signals["boilerplate_passages"].fill_null(0) > 0).to_numpy()
    left = signals["characters"].fill_null(0).to_numpy()
    found.removed += int(np.maximum(0, lengths - left)[stripped].sum())


def _count_hits(found: Measured, path: Path, evaluations: Sequence[Evaluation]) -> None:
    hit = [
        hits(table["text"], evaluations).reshape(table.num_rows, -1) for table in read_batches(path, ["text"])
    ]
    whole = np.concatenate([np.zeros((0, len(evaluations)), bool), *hit])
    for evaluation, column in zip(evaluations, whole.T, strict=True):
        found.hits[evaluation.name] += int(column.sum())
    found.contaminated.append(np.asarray(whole.any(axis=1), bool))


@dataclass(frozen=True)
class Corpus:
    """What we have already: shards of corpora, and the first eight bytes of the digest of every text."""

    shards: tuple[Path, ...]
    heads: npt.NDArray[np.uint64]
    rows: int


def read_corpora(folders: Sequence[Path]) -> Corpus:
    """The kept documents of some corpora.

    Raises InputError where a folder is no corpus, or was made before signatures were kept.
    """
    shards = [path for folder in folders for path in corpus_shards(folder)]
    heads = [np.zeros(0, np.uint64)]
    rows = 0
    for path in shards:
        if COLUMN not in pq.read_schema(path).names:
            raise InputError(
                "this corpus keeps no signatures of its texts",
                place=str(path),
                remedy="It was made by an earlier version: curate it again.",
            )
        for table in read_batches(path, ["digest", "clean_digest"]):
            rows += table.num_rows
            for name in ("digest", "clean_digest"):
                texts = table[name].drop_null().to_pylist()
                heads.append(np.array([int(text[:16], 16) for text in texts], np.uint64))
    return Corpus(tuple(shards), np.unique(np.concatenate(heads)), rows)


@dataclass(frozen=True)
class Twins:
    """Near copies among the measured documents of one subset, by where the copy that stays is."""

    inside: int
    known: int
    elsewhere: int


def find_twins(corpus: Corpus, subsets: Sequence[Sequence[Path]], scratch: Path) -> list[Twins]:
    """Near copies of each subset: of the corpus first, then of subsets that come before, then of itself."""
    files = [*corpus.shards, *(path for shards in subsets for path in shards)]
    sizes = [sum(pq.read_metadata(path).num_rows for path in shards) for shards in subsets]
    total = corpus.rows + sum(sizes)
    if not total:
        return [Twins(0, 0, 0) for _ in subsets]
    twin = near_duplicates(files, np.arange(total), scratch)
    found, first = [], corpus.rows
    for size in sizes:
        own = twin[first : first + size]
        found.append(
            Twins(
                inside=int((own >= first).sum()),
                known=int(((own >= 0) & (own < corpus.rows)).sum()),
                elsewhere=int(((own >= corpus.rows) & (own < first)).sum()),
            )
        )
        first += size
    return found


def without_twins(
    corpus: Corpus, subsets: Sequence[Measured], scratch: Path
) -> Iterator[tuple[Measured, list[npt.NDArray[np.bool_]]]]:
    """For each subset, shard by shard, which documents to take: they keep the rules, hold nothing of an
    evaluation, and are no copy of the corpus or of another one that is taken."""
    parts = [passes & ~hit for m in subsets for passes, hit in zip(m.passes, m.contaminated, strict=True)]
    takes = np.concatenate([np.zeros(0, bool), *parts])
    files = [*corpus.shards, *(path for m in subsets for path in m.shards)]
    if len(takes):
        order = np.concatenate([np.arange(corpus.rows), corpus.rows + np.flatnonzero(takes)])
        takes &= near_duplicates(files, order, scratch)[corpus.rows :] < 0
    first = 0
    for m in subsets:
        chosen = []
        for passes in m.passes:
            chosen.append(takes[first : first + len(passes)])
            first += len(passes)
        yield m, chosen
