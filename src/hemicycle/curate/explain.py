"""Explain: everything curation saw of one document, and each bound it kept or broke."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import polars as pl

from hemicycle.curate.personal import KINDS
from hemicycle.curate.rules import Rule, broken, held_to
from hemicycle.curate.withdrawn import WITHDRAWN
from hemicycle.documents import corpus_shards


@dataclass(frozen=True)
class Told:
    """What became of a document in one corpus.

    Attributes:
        state: kept, or dropped for `why`.
        rules: those that apply to it: name → (bound, value, whether it is kept).
        measures: every measure; None where there is nothing to measure.
        copies: how many documents went because this one stays.
        masked: kind of personal data → pieces of it that were masked; only the kinds there were.
        passages: how many repeated passages were taken out.
    """

    corpus: str
    source: str
    state: Literal["kept", "dropped"]
    why: list[str]
    split: str | None
    rules: dict[str, tuple[str, float | None, bool]]
    measures: dict[str, float | None]
    languages: list[dict[str, Any]]
    copies: int
    masked: dict[str, int]
    passages: int


def explain(document: str, corpus: str, folder: Path, rules: Sequence[Rule]) -> Told | None:
    """What became of the document of this id; None where the corpus never saw it."""
    columns = ["id", "source", "kind", "language", "languages", "split", "copies", "signals"]
    for part in ("kept", "dropped"):
        for path in corpus_shards(folder, part):
            wanted = [*columns, "why"] if part == "dropped" else columns
            found = pl.scan_parquet(path).filter(pl.col("id") == document).select(wanted).collect()
            if found.height:
                return _told(found, corpus, part, rules)
    return None


@dataclass(frozen=True)
class Left:
    """A document that left a corpus because it was withdrawn. `split`: train, held-out, or dropped."""

    corpus: str
    source: str
    split: str


def left(document: str, corpus: str, folder: Path) -> Left | None:
    """What a corpus' list of what was withdrawn says of the document; None where it did not leave it."""
    if not (folder / WITHDRAWN).is_file():
        return None
    rows = pl.scan_parquet(folder / WITHDRAWN).filter(pl.col("id") == document).select("source", "split")
    for row in rows.head(1).collect().to_dicts():
        return Left(corpus, **row)
    return None


@dataclass(frozen=True)
class Refused:
    """A document that rights held back from a corpus: the verdict and the code of its reason."""

    corpus: str
    source: str
    verdict: str
    explanation: str


def refusal(document: str, corpus: str, refused: Path) -> Refused | None:
    """What `refused.parquet` of the gate says of the document; None where it was not refused."""
    rows = pl.scan_parquet(refused).filter(pl.col("id") == document)
    for row in rows.select("source", "verdict", "explanation").head(1).collect().to_dicts():
        return Refused(corpus, **row)
    return None


def _told(found: pl.DataFrame, corpus: str, state: Literal["kept", "dropped"], rules: Sequence[Rule]) -> Told:
    row = found.row(0, named=True)
    measured = found.select("kind", "language", "signals").unnest("signals")
    signals = row["signals"]
    # A corpus of an earlier version may lack some, and what was not measured is null.
    masked = {kind: int(signals.get(f"personal_{kind}") or 0) for kind in KINDS}
    bounds = {}
    for rule in rules:
        if rule.bound.column not in measured.columns:
            # A corpus of an earlier version has no such measure.
            continue
        held, breaks = measured.select(held_to(rule).alias("held"), broken(rule).alias("breaks")).row(0)
        if held:
            bounds[rule.name] = (rule.keep, signals[rule.bound.column], not breaks)
    return Told(
        corpus,
        row["source"],
        state,
        list(row.get("why") or []),
        row["split"],
        bounds,
        signals,
        list(row["languages"] or []),
        row["copies"],
        {kind: count for kind, count in masked.items() if count},
        int(signals.get("boilerplate_passages") or 0),
    )
