"""What each bound does: how its measure is spread, where the bound cuts, and documents right at the cut.

The documents nearest to a bound, three kept and three not, say more of it than any average: if both sides
read alike, the bound is in the wrong place. One measure is in memory at a time, for all documents.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
    shards = corpus_shards(corpus) + corpus_shards(corpus, "dropped")
    looked = [_look(rule, shards) for rule in rules]
    wanted = {place for _, sides in looked for side in sides.values() for _, place in side}
    excerpts = _excerpts(wanted)
    told = []
    for found, sides in looked:
        if not found["kept"] + found["broken"]:
            continue
        examples = {
            side: [{"id": i, "value": value, "text": text} for value, (i, text) in _told(near, excerpts)]
            for side, near in sides.items()
        }
        told.append({**found, "examples": examples})
    return told


#: Where a document stands: its shard, and its row in it.
Place = tuple[Path, int]
_Near = list[tuple[float, Place]]


def _told(near: _Near, excerpts: dict[Place, tuple[str, str]]) -> Iterable[tuple[float, tuple[str, str]]]:
    return ((value, excerpts[place]) for value, place in near)


def _look(rule: Rule, shards: Sequence[Path]) -> tuple[dict[str, Any], dict[str, _Near]]:
    column = rule.bound.column
    values: list[Floats] = []
    nearest: dict[str, list[tuple[float, str, float, Place]]] = {"kept": [], "broken": []}
    counts = {"kept": 0, "broken": 0, "missing": 0}
    for path in shards:
        measured = _measured(path, column).filter(held_to(rule))
        measured = measured.with_columns(broken(rule).alias("breaks"))
        known = measured.filter(pl.col(column).is_finite().fill_null(False))
        counts["missing"] += measured.height - known.height
        counts["broken"] += int(measured["breaks"].sum())
        counts["kept"] += int((~measured["breaks"]).sum())
        values.append(known[column].to_numpy())
        known = known.with_columns(_distance(rule.bound).alias("distance"))
        for side, breaks in (("kept", False), ("broken", True)):
            few = known.filter(pl.col("breaks") == breaks).sort("distance", "id").head(EXAMPLES)
            rows = few.select("distance", "id", column, "row").iter_rows()
            nearest[side] += [(distance, i, value, (path, row)) for distance, i, value, row in rows]
            nearest[side] = sorted(nearest[side])[:EXAMPLES]
    found = {
        "name": rule.name,
        "keep": rule.keep,
        "en": rule.why_en,
        "fr": rule.why_fr,
        "source": rule.source,
        "measure": column,
        "at_least": rule.bound.at_least,
        "at_most": rule.bound.at_most,
        **counts,
        "histogram": _histogram(np.concatenate([*values, np.zeros(0)]), rule.bound),
    }
    return found, {side: [(value, place) for *_, value, place in near] for side, near in nearest.items()}


def _measured(path: Path, column: str) -> pl.DataFrame:
    """Kind, language, id, row and one measure of a shard's documents; no other measure is read."""
    with pq.ParquetFile(path) as file:
        rows = pl.from_arrow(file.read(columns=["id", "kind", "language", f"signals.{column}"]))
    assert isinstance(rows, pl.DataFrame)
    return rows.unnest("signals").with_row_index("row")


def _distance(bound: Bound) -> pl.Expr:
    value = pl.col(bound.column)
    cuts = [cut for cut in (bound.at_least, bound.at_most) if cut is not None]
    return pl.min_horizontal([(value - cut).abs() for cut in cuts])


def _histogram(values: Floats, bound: Bound) -> dict[str, Any] | None:
    """Equal bars over all but the tails, and over the bound; values outside count in the first and last."""
    if not len(values):
        return None
    low, high = np.quantile(values, [TAIL, 1 - TAIL], method="lower").tolist()
    for cut in (bound.at_least, bound.at_most):
        low, high = (low, high) if cut is None else (min(low, cut), max(high, cut))
    if low == high:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, BARS + 1)
    counts, _ = np.histogram(np.clip(values, low, high), edges)
    return {"low": low, "high": high, "counts": counts.tolist()}


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
