"""What each bound does: how its measure is spread, where the bound cuts, and documents right at the cut.

The documents nearest to a bound, three kept and three not, say more of it than any average: if both sides
read alike, the bound is in the wrong place.

Each shard is read once for all rules, and one is in memory at a time. What is kept of a measure meanwhile is
how often each value came, to a thousandth of itself: as fine as anybody sees in a picture, and of a size that
does not grow with the documents. Counts and examples are of the exact values.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow.parquet as pq

from hemicycle.curate.rules import Bound, Rule, broken, held_to
from hemicycle.documents import corpus_shards
from hemicycle.errors import visible

#: Bars of a histogram, and the share of values at each end that may fall into its first and last bar.
BARS, TAIL = 40, 0.005
#: Documents shown on each side of a bound, and characters shown of each.
EXAMPLES, EXCERPT = 3, 200

Floats = npt.NDArray[np.float64]


def look_at_bounds(corpus: Path, rules: Sequence[Rule]) -> list[dict[str, Any]]:
    """For each rule that a document is held to: how many keep it and not; a histogram; examples at the bound.

    All documents that were measured count, whatever else became of them.
    """
    looks = [_Look(rule) for rule in rules]
    columns = sorted({rule.bound.column for rule in rules})
    for path in corpus_shards(corpus) + corpus_shards(corpus, "dropped") if rules else ():
        measured = _measured(path, columns)
        for look in looks:
            look.take(path, measured)
    seen = [look for look in looks if look.counts["kept"] + look.counts["broken"]]
    excerpts = _excerpts({place for look in seen for near in look.nearest.values() for *_, place in near})
    return [look.told(excerpts) for look in seen]


#: Where a document stands: its shard, and its row in it.
Place = tuple[Path, int]


class _Look:
    """What has been seen of one rule so far: counts, how values are spread, and the documents nearest to its
    bound, as (distance, id, value, place)."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.counts = {"kept": 0, "broken": 0, "missing": 0}
        self.values: Floats = np.zeros(0)
        self.often: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self.nearest: dict[str, list[tuple[float, str, float, Place]]] = {"kept": [], "broken": []}

    def take(self, path: Path, measured: pl.DataFrame) -> None:
        """Take in a shard's documents."""
        column = self.rule.bound.column
        held = measured.select("id", "row", "kind", "language", column).filter(held_to(self.rule))
        held = held.with_columns(broken(self.rule).alias("breaks"))
        breaking = int(held["breaks"].sum())
        known = held.filter(pl.col(column).is_finite().fill_null(False))
        self.counts["broken"] += breaking
        self.counts["kept"] += held.height - breaking
        self.counts["missing"] += held.height - known.height
        self._spread(known[column].to_numpy())
        known = known.with_columns(_distance(self.rule.bound).alias("distance"))
        for side, breaks in (("kept", False), ("broken", True)):
            few = known.filter(pl.col("breaks") == breaks).sort("distance", "id").head(EXAMPLES)
            rows = few.select("distance", "id", column, "row").iter_rows()
            found = [(distance, i, value, (path, row)) for distance, i, value, row in rows]
            self.nearest[side] = sorted([*self.nearest[side], *found])[:EXAMPLES]

    def _spread(self, values: Floats) -> None:
        every = np.concatenate([self.values, _rounded(values)])
        often = np.concatenate([self.often, np.ones(len(values), np.int64)])
        self.values, which = np.unique(every, return_inverse=True)
        self.often = np.zeros(len(self.values), np.int64)
        np.add.at(self.often, which, often)

    def told(self, excerpts: dict[Place, tuple[str, str]]) -> dict[str, Any]:
        """As the report has it."""
        bound = self.rule.bound
        examples = {
            side: [
                {"id": excerpts[place][0], "value": value, "text": excerpts[place][1]}
                for *_, value, place in near
            ]
            for side, near in self.nearest.items()
        }
        return {
            "name": self.rule.name,
            "keep": self.rule.keep,
            "en": self.rule.why_en,
            "fr": self.rule.why_fr,
            "source": self.rule.source,
            "measure": bound.column,
            "at_least": bound.at_least,
            "at_most": bound.at_most,
            **self.counts,
            "histogram": _histogram(self.values, self.often, bound),
            "examples": examples,
        }


def _rounded(values: Floats) -> Floats:
    """Values to the nearest of 1024 steps between a power of two and the next: to 0.05 % of themselves."""
    lost = np.finfo(np.float64).nmant - 10
    bits = np.ascontiguousarray(values, np.float64).view(np.int64) + (1 << (lost - 1))
    return (bits >> lost << lost).view(np.float64)


def _measured(path: Path, columns: Sequence[str]) -> pl.DataFrame:
    """Kind, language, id, row and some measures of a shard's documents; no other column is read."""
    wanted = ["id", "kind", "language", *(f"signals.{column}" for column in columns)]
    with pq.ParquetFile(path) as file:
        rows = pl.from_arrow(file.read(columns=wanted))
    assert isinstance(rows, pl.DataFrame)
    return rows.unnest("signals").with_row_index("row")


def _distance(bound: Bound) -> pl.Expr:
    value = pl.col(bound.column)
    cuts = [cut for cut in (bound.at_least, bound.at_most) if cut is not None]
    return pl.min_horizontal([(value - cut).abs() for cut in cuts])


def _histogram(values: Floats, often: npt.NDArray[np.int64], bound: Bound) -> dict[str, Any] | None:
    """Equal bars over all but the tails, and over the bound; values outside count in the first and last."""
    if not len(values):
        return None
    until = np.cumsum(often)
    # The places of the quantiles are those of the values one by one.
    low, high = (
        float(values[np.searchsorted(until, int(share * (until[-1] - 1)), side="right")])
        for share in (TAIL, 1 - TAIL)
    )
    for cut in (bound.at_least, bound.at_most):
        low, high = (low, high) if cut is None else (min(low, cut), max(high, cut))
    if low == high:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, BARS + 1)
    counts, _ = np.histogram(np.clip(values, low, high), edges, weights=often)
    return {"low": low, "high": high, "counts": counts.astype(np.int64).tolist()}


def _excerpts(wanted: set[Place]) -> dict[Place, tuple[str, str]]:
    """The ids and the first characters of documents; only the row groups they stand in are read."""
    found: dict[Place, tuple[str, str]] = {}
    by_shard: dict[Path, list[int]] = {}
    for path, row in sorted(wanted):
        by_shard.setdefault(path, []).append(row)
    for path, rows in by_shard.items():
        with pq.ParquetFile(path) as file:
            first = 0
            for group in range(file.num_row_groups):
                last = first + file.metadata.row_group(group).num_rows
                here = [row for row in rows if first <= row < last]
                if here:
                    table = file.read_row_group(group, columns=["id", "text"])
                    for row in here:
                        text = table["text"][row - first].as_py()
                        identity = table["id"][row - first].as_py()
                        found[path, row] = (visible(identity[:EXCERPT]), visible(text[:EXCERPT].strip()))
                first = last
    return found
