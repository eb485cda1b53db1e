"""The report of a corpus: what it is made of, what was left out and why, and what each bound does.

Everything is counted from stored columns; texts of the corpus are read for the few excerpts beside each bound
and, where two varieties of a language are declared, for the trial of telling them apart. A text that rights
refused is never opened: how long it is stands beside its verdicts. No date is written but those
of documents, so equal artefacts give equal reports.

Ids, tags and texts come from strangers. Here they are cut and made visible (`errors.visible`); the page
escapes them besides. A table shows its largest lines and adds up the rest, so that a source that declares a
language for every document does not make a page of a million lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from hemicycle.curate.personal import KINDS
from hemicycle.curate.report_bounds import look_at_bounds
from hemicycle.curate.rules import Rule
from hemicycle.curate.variety import Sample, train_variety
from hemicycle.documents import corpus_shards, read_batches
from hemicycle.errors import InputError, visible

#: What a corpus is taken apart by, in the order of the page.
PARTS = ("right", "source", "language", "period", "kind")
#: Lines of a table; the rest is added up in one.
MOST_LINES = 40
#: Years of a period: the least that gives no more than so many periods.
PERIOD_YEARS, MOST_PERIODS = (1, 10, 50, 100, 1000), 12
#: Characters of an id or a tag.
LONGEST_NAME = 120

_COPIES = ("duplicate-of", "near-duplicate-of")
_MEASURED = ("characters", *(f"personal_{kind}" for kind in KINDS), "languages", "language_contradicted")
_COLUMNS = ["id", "kind", "language", "date", "variety", "right", "languages", "signals"]


@dataclass(frozen=True)
class Inputs:
    """Artefacts that a report is made of.

    Attributes:
        corpus: folder of the corpus.
        rights: source → its `rights.parquet`, for the lengths of what rights refused.
        refused: `refused.parquet` of the gate, or None.
        tokens: tokenizer and `documents.parquet` of the corpus' tokens, or None where there are none yet.
        reasons: code of a refusal → sentences by language.
    """

    corpus: Path
    rights: Mapping[str, Path]
    refused: Path | None
    tokens: tuple[str, Path] | None
    reasons: Mapping[str, Mapping[str, str]]


def make_report(name: str, inputs: Inputs, rules: Sequence[Rule]) -> dict[str, Any]:
    """Everything the page shows, as JSON would hold it."""
    shards = corpus_shards(inputs.corpus)
    cells, personal, mixed, spoken, varieties = _kept(shards, inputs.tokens)
    totals = cells.select(pl.col("documents", "characters", "tokens").sum()).row(0, named=True)
    dropped = _dropped(corpus_shards(inputs.corpus, "dropped"))
    return {
        "corpus": name,
        "tokenizer": inputs.tokens[0] if inputs.tokens else None,
        "totals": {**totals, "tokens": totals["tokens"] if inputs.tokens else None},
        "composition": {part: _composition(cells, part, inputs.tokens is not None) for part in PARTS},
        "left_out": {"rights": _refusals(inputs), **_reasons(dropped, rules)},
        "personal": personal,
        "languages": {**mixed, "characters": _folded(spoken, ["characters"])},
        "varieties": [
            _variety_trial(language, shards)
            for language in sorted({_primary(v) for v in varieties})
            if len({v for v in varieties if _primary(v) == language}) > 1
        ],
        "bounds": look_at_bounds(inputs.corpus, rules),
    }


def shown(text: str | None, longest: int = LONGEST_NAME) -> str | None:
    """What a stranger wrote, in one line of bounded length; None stays None."""
    if text is None:
        return None
    return visible(text if len(text) <= longest else f"{text[: longest - 1]}…")


def _rows(path: Path, columns: Sequence[str]) -> pl.DataFrame:
    """Columns of a shard with the length of each text.

    The measures know only the beginning of a very long text; the stretches of its languages are all of it.
    """
    rows = pl.read_parquet(path, columns=list(columns))
    whole = pl.col("languages").list.last().struct.field("end")
    measured = pl.col("signals").struct.field("characters").cast(pl.Int64)
    return rows.with_columns(
        pl.max_horizontal(whole, measured).fill_null(0).alias("length"),
        pl.lit(path.parent.name).alias("source"),
    )


def _kept(
    shards: Sequence[Path], tokens: tuple[str, Path] | None
) -> tuple[pl.DataFrame, dict[str, Any], dict[str, int], pl.DataFrame, set[str]]:
    """Documents, characters and tokens by all parts together; personal data; languages; varieties."""
    cells, runs, varieties = [], [], set()
    counts = {kind: {"documents": 0, "marks": 0} for kind in KINDS}
    mixed = {"mixed": 0, "contradicted": 0}
    counted = pl.DataFrame(schema={"id": pl.String, "tokens": pl.Int64})
    source = None
    for path in shards:
        if tokens and path.parent.name != source:
            source = path.parent.name
            lazy = pl.scan_parquet(tokens[1]).filter(pl.col("source") == source)
            counted = lazy.select("id", "tokens").collect()
        rows = _rows(path, _COLUMNS).join(counted, on="id", how="left")
        measures = rows.select(pl.col("signals").struct.field(*_MEASURED))
        cells.append(
            rows.with_columns(pl.col("date").str.extract(r"^([0-9]{4})").cast(pl.Int32).alias("year"))
            .group_by("right", "source", "language", "year", "kind")
            .agg(
                pl.len().cast(pl.Int64).alias("documents"),
                pl.col("length").sum().alias("characters"),
                pl.col("tokens").sum(),
            )
        )
        for kind, entry in counts.items():
            column = measures[f"personal_{kind}"].fill_null(0)
            entry["documents"] += int((column > 0).sum())
            entry["marks"] += int(column.sum())
        mixed["mixed"] += int((measures["languages"] > 1).sum())
        mixed["contradicted"] += int((measures["language_contradicted"] > 0).sum())
        found = rows.select(pl.col("languages").explode(keep_nulls=False, empty_as_null=False)).unnest(
            "languages"
        )
        runs.append(
            found.group_by("language").agg((pl.col("end") - pl.col("start")).sum().alias("characters"))
        )
        varieties |= {v for v in rows["variety"].unique() if v is not None}
    keys = ["right", "source", "language", "year", "kind"]
    every = (
        pl.concat(cells or [_NO_CELLS]).group_by(keys).agg(pl.col("documents", "characters", "tokens").sum())
    )
    spoken = pl.concat(runs or [_NO_RUNS]).group_by("language").agg(pl.col("characters").sum())
    personal = {kind: entry for kind, entry in counts.items() if entry["marks"]}
    return every, personal, mixed, spoken.rename({"language": "name"}), varieties


_NO_CELLS = pl.DataFrame(
    schema={
        **dict.fromkeys(("right", "source", "language"), pl.String),
        "year": pl.Int32,
        "kind": pl.String,
        **dict.fromkeys(("documents", "characters", "tokens"), pl.Int64),
    }
)
_NO_RUNS = pl.DataFrame(schema={"language": pl.String, "characters": pl.Int64})


def _composition(cells: pl.DataFrame, part: str, tokenised: bool) -> list[dict[str, Any]]:
    amounts = ["documents", "characters", "tokens"]
    if part == "period":
        cells = cells.with_columns(_periods(cells["year"]).alias("period"))
    parts = cells.group_by(pl.col(part).alias("name")).agg(pl.col(amounts).sum())
    in_order = part == "period"
    lines = parts.sort("name", nulls_last=True).to_dicts() if in_order else _folded(parts, amounts)
    return lines if tokenised else [{**line, "tokens": None} for line in lines]


def _periods(years: pl.Series) -> pl.Series:
    """The period of each year, as ``1850-1859``; null where there is no year."""
    first, last = years.min(), years.max()
    if not isinstance(first, int) or not isinstance(last, int):
        return pl.Series([None] * len(years), dtype=pl.String)
    length = next(n for n in PERIOD_YEARS if last // n - first // n < MOST_PERIODS)
    begin = years // length * length
    text = begin.cast(pl.String).str.zfill(4)
    return text if length == 1 else text + "-" + (begin + length - 1).cast(pl.String).str.zfill(4)


def _folded(parts: pl.DataFrame, amounts: Sequence[str]) -> list[dict[str, Any]]:
    """Lines with a `name`, largest first; those after `MOST_LINES` in one, with how many they are."""
    ordered = parts.sort(pl.col("characters") * -1, "name", nulls_last=True)
    lines = [{**line, "name": shown(line["name"])} for line in ordered.head(MOST_LINES).to_dicts()]
    rest = ordered.slice(MOST_LINES)
    if rest.height:
        sums = rest.select(pl.col(amounts).sum()).row(0, named=True)
        lines.append({"name": f"… +{rest.height}", **sums})
    return lines


def _dropped(shards: Iterable[Path]) -> pl.DataFrame:
    """Why, how many documents and characters, and how many that nothing else would have dropped."""
    counted = [
        pl.DataFrame(
            schema=dict.fromkeys(("documents", "characters", "alone"), pl.Int64) | {"why": pl.String}
        )
    ]
    for path in shards:
        rows = _rows(path, ["languages", "signals", "why"])
        alone = (pl.col("why").list.len() == 1).cast(pl.Int64).alias("alone")
        each = rows.select("why", "length", alone).explode("why")
        reason = pl.col("why").str.split(":").list.first()
        counted.append(
            each.group_by(reason)
            .agg(
                pl.len().cast(pl.Int64).alias("documents"),
                pl.col("length").sum().alias("characters"),
                pl.col("alone").sum(),
            )
            .select(counted[0].columns)
        )
    return pl.concat(counted).group_by("why").agg(pl.all().sum()).sort(pl.col("documents") * -1, "why")


def _reasons(dropped: pl.DataFrame, rules: Sequence[Rule]) -> dict[str, list[dict[str, Any]]]:
    said = {rule.name: {"keep": rule.keep, "en": rule.why_en, "fr": rule.why_fr} for rule in rules}
    lines = [{"name": row.pop("why"), **row} for row in dropped.to_dicts()]
    return {
        "rules": [{**line, **said[line["name"]]} for line in lines if line["name"] in said],
        "copies": [line for line in lines if line["name"] in _COPIES],
        # A rule that no longer stands has dropped nothing from this corpus; what remains is no rule.
        "other": [line for line in lines if line["name"] not in said and line["name"] not in _COPIES],
    }


def _refusals(inputs: Inputs) -> list[dict[str, Any]]:
    """What rights held back, by source and reason."""
    if inputs.refused is None:
        return []
    refused = pl.scan_parquet(inputs.refused).select("source", "id", "verdict", "explanation")
    lines: list[dict[str, Any]] = []
    for source in refused.select("source").unique().sort("source").collect()["source"]:
        lengths = _lengths(inputs.rights.get(source))
        grouped = (
            refused.filter(pl.col("source") == source)
            .join(lengths, on="id", how="left")
            .group_by("verdict", "explanation")
            .agg(
                pl.len().cast(pl.Int64).alias("documents"),
                # A sum over some of them would pass for that of all.
                pl.when(pl.col("characters").null_count() == 0).then(pl.col("characters").sum()),
            )
        )
        for row in grouped.sort("verdict", "explanation").collect().to_dicts():
            sentence = inputs.reasons.get(row["explanation"], {})
            lines.append({"source": source, **row, "en": sentence.get("en"), "fr": sentence.get("fr")})
    return lines


def _lengths(rights: Path | None) -> pl.LazyFrame:
    """The length of each document of a source, as it was counted beside its verdicts."""
    if rights is None:
        return pl.LazyFrame(schema={"id": pl.String, "characters": pl.Int64})
    return pl.scan_parquet(rights).group_by("id").agg(pl.col("characters").first())


def _variety_trial(language: str, shards: Sequence[Path]) -> dict[str, Any]:
    """How well the declared varieties of a language are told apart, on documents not learnt from."""
    try:
        _, tried = train_variety(_samples(language, shards))
    except InputError as problem:
        return {"language": shown(language), "problem": problem.what}
    return {
        "language": shown(language),
        "varieties": [
            {
                "name": shown(variety),
                "guessed": {shown(guess): n for guess, n in guessed.items()},
                "recall": tried.recall(variety),
                "held_out": tried.held_out[variety],
                "learnt": tried.learnt[variety],
                "telling": tried.telling[variety],
            }
            for variety, guessed in tried.confusion.items()
        ],
    }


def _samples(language: str, shards: Sequence[Path]) -> Iterator[Sample]:
    columns = ["id", "group", "source", "variety", "text"]
    for path in shards:
        for batch in read_batches(path, columns):
            for row in batch.to_pylist():
                if row["variety"] is not None and _primary(row["variety"]) == language:
                    yield Sample(row["variety"], row["source"], row["group"], row["id"], row["text"])


def _primary(variety: str) -> str:
    return variety.partition("-")[0].lower()
