"""Strata: the documents of a corpus by source, language, period or right, and how many rows each gives.

A row never holds documents of two strata, and each stratum has rows of its own, so a share of rows is a share
of what is read.

The trap is repetition. A small stratum with a large share is read again and again; past some four times, text
that was read before teaches little that is new (Muennighoff et al. 2023, arXiv 2305.16264). So a mix has a
limit of epochs: a stratum that reaches it gives what it has, the others make up in proportion, and the plan
says so.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from hemicycle.errors import InputError, did_you_mean, visible
from hemicycle.tokens.megatron import shard_tokens

By = Literal["source", "language", "period", "right"]

#: Labels of documents whose language, date or right nobody states, and of those outside every period.
UNSTATED, OUTSIDE = "unstated", "outside"

#: Labels that a sentence names.
MOST_NAMED = 20

Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Mixture:
    """A declared mix.

    Attributes:
        shares: label → share of the rows of each corpus, relative to their sum; periods as ``1789-1914``,
            languages without their region.
        epochs: how often a stratum may be read at most.
    """

    by: By
    shares: Mapping[str, float]
    epochs: float


@dataclass(frozen=True, eq=False)
class Stratum:
    """What is read of a corpus as one stream: its documents in the order of the tokens.

    Attributes:
        label: None for the whole corpus.
        revocable: whether its documents are those of revocable sources; the others are a stratum of their
            own. False where the plan does not tell them apart.
        begins: address of each document in its corpus, whose shards stand end to end.
        tokens: of each document.
    """

    label: str | None
    revocable: bool
    begins: Places
    tokens: Places

    @property
    def length(self) -> int:
        return int(self.tokens.sum())

    def segments(self) -> tuple[Places, Places]:
        """Address and length of each run of documents that stand next to one another."""
        if not len(self.begins):
            return self.begins, self.tokens
        apart = self.begins[1:] != self.begins[:-1] + self.tokens[:-1]
        at = np.concatenate([[0], np.flatnonzero(apart) + 1])
        return self.begins[at], np.add.reduceat(self.tokens, at)


def read_documents(folder: Path, columns: Collection[str] = ()) -> pl.DataFrame:
    """What `documents.parquet` says of the documents that have tokens: `begin`, tokens, `columns`.

    `begin` is the address of a document's first token in its corpus.
    """
    table = pl.read_parquet(folder / "documents.parquet", columns=["shard", "first", "tokens", *columns])
    bases = np.cumsum([0, *shard_tokens(folder)])
    begins = pl.Series("begin", bases[table["shard"].to_numpy()] + table["first"].to_numpy())
    table = table.select(begins, "tokens", *columns)
    return table if (table["tokens"] > 0).all() else table.filter(pl.col("tokens") > 0)


def stratify(
    folder: Path, mix: Mixture | None, revocable: Collection[str] = ()
) -> tuple[list[Stratum], dict[str, dict[str, int]]]:
    """The strata of a tokens artefact that a mix names and that have documents, in the order of the mix, and
    documents and tokens of the labels that it leaves out. Without a mix there is one stratum.

    Documents of the `revocable` sources are strata of their own.
    """
    column = None if mix is None else "date" if mix.by == "period" else mix.by
    columns = sorted({*([column] if column else ()), *(["source"] if revocable else ())})
    table = read_documents(folder, columns)
    if not columns:
        return [Stratum(None, False, table["begin"].to_numpy(), table["tokens"].to_numpy())], {}
    table = table.select(
        "begin",
        "tokens",
        (_label(mix) if mix else pl.lit(None, pl.String)).alias("label"),
        (pl.col("source").is_in(list(revocable)) if revocable else pl.lit(False)).alias("revocable"),
    )
    strata = []
    for label in mix.shares if mix else (None,):
        of_label = table.filter(pl.col("label").eq_missing(pl.lit(label, pl.String)))
        for lapses in (False, True):
            part = of_label.filter(pl.col("revocable") == lapses)
            if part.height:
                begin, tokens = part["begin"].to_numpy(), part["tokens"].to_numpy()
                strata.append(Stratum(label, lapses, begin, tokens))
    if mix is None:
        return strata, {}
    left = table.filter(~pl.col("label").is_in(list(mix.shares)))
    sums = left.group_by("label").agg(pl.len().alias("documents"), pl.col("tokens").sum()).sort("label")
    unused = {label: {"documents": n, "tokens": tokens} for label, n, tokens in sums.iter_rows()}
    return strata, unused


def _label(mix: Mixture) -> pl.Expr:
    if mix.by == "language":
        label = pl.col("language").str.split("-").list.first().str.to_lowercase()
    elif mix.by == "period":
        year = pl.col("date").str.extract(r"^([0-9]{4})").cast(pl.Int32)
        label = pl.when(year.is_not_null()).then(pl.lit(OUTSIDE))
        for period in mix.shares:
            if period != UNSTATED:
                first, last = map(int, period.split("-"))
                label = pl.when(year.is_between(first, last)).then(pl.lit(period)).otherwise(label)
    else:
        label = pl.col(mix.by)
    return label.fill_null(UNSTATED)


def check_labels(by: By, named: Mapping[str, float], found: set[str], place: str) -> None:
    """Refuse a label that no document has. A source may be absent: one that is optional was not obtained."""
    absent = [label for label in named if label not in found]
    if absent and (by != "source" or len(absent) == len(named)):
        raise InputError(
            f"the mix names the {by} “{absent[0]}”, of which there is no document to train on",
            place=place,
            remedy=did_you_mean(absent[0], found)
            or f"There are: {', '.join(sorted(found)[:MOST_NAMED]) or 'none'}.",
        )


def fill(total: int, shares: Sequence[float], limits: Sequence[int]) -> list[int]:
    """Whole numbers that sum to `total`, in proportion to `shares`, none above its limit.

    What one cannot take is shared out among the others in the proportion of their shares. Raises ValueError
    where all limits together are less than `total`.
    """
    if sum(limits) < total:
        raise ValueError(f"{sum(limits)} is less than {total}")
    given = [0] * len(shares)
    open_ = list(range(len(shares)))
    left = total
    while open_:
        counts = apportion(left, [shares[i] for i in open_])
        over = [i for i, count in zip(open_, counts, strict=True) if count > limits[i]]
        if not over:
            for i, count in zip(open_, counts, strict=True):
                given[i] = count
            break
        for i in over:
            given[i] = limits[i]
            left -= limits[i]
        open_ = [i for i in open_ if i not in over]
    return given


def apportion(total: int, shares: Sequence[float]) -> list[int]:
    """Whole numbers that sum to `total`, in proportion to `shares` (largest remainders)."""
    exact = np.asarray(shares, np.float64) / math.fsum(shares) * total
    counts = np.floor(exact).astype(np.int64)
    by_remainder = np.argsort(-(exact - counts), kind="stable")
    counts[by_remainder[: total - int(counts.sum())]] += 1
    return [int(c) for c in counts]


def shortfalls(plan: Mapping[str, Any]) -> list[str]:
    """What of a mix was not as it was asked for: a sentence for each stratum that had too little, and one for
    the labels that are not read at all."""
    said = []
    for phase in plan["phases"]:
        of = f"in phase {phase['name']} " if len(plan["phases"]) > 1 else ""
        for line in phase["strata"]:
            # Shares are those of whole rows: less than a row is no shortfall.
            if line["share"] + 1 / phase["rows"] < line["asked"]:
                said.append(
                    f"{of}“{line['label']}” of corpus {line['corpus']} gives {line['share']:.1%} of the rows "
                    f"and not {line['asked']:.1%}: it is read {line['epochs']:g} times; the others make it up"
                )
        for corpus, labels in phase["unused"].items():
            said.append(
                f"{of}of corpus {corpus} the mix leaves out "
                f"{', '.join(map(visible, sorted(labels)[:MOST_NAMED]))}"
            )
    return said
