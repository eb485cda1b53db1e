"""Curves: which charts a run has, from its log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hemicycle.train.watch.chart import MOST_LINES, POINTS, Chart, Drawing, Line, draw, running_mean, thin
from hemicycle.train.watch.runs import Numbers, Run

#: Running means are over this share of the steps so far.
SMOOTH = 0.02


@dataclass(frozen=True)
class Group:
    """A source or a language in a run.

    Attributes:
        tokens: learnt so far.
        share: of all tokens learnt.
        first, last: loss in nats at the beginning and now, each over a twentieth of the group's windows.
    """

    name: str
    tokens: int
    share: float
    first: float
    last: float


def loss_line(run: Run, name: str = "", *, by_tokens: bool = False) -> Line:
    """The running mean of the loss by step, or by tokens read, in the band of the single steps."""
    kept = run.applied
    x = np.cumsum(run.steps["tokens"])[kept] if by_tokens else run.steps["step"][kept]
    loss = run.steps["loss"][kept]
    smooth = thin(x, running_mean(loss, max(1, round(SMOOTH * len(loss)))), name)
    single = thin(x, loss)
    return Line(name, smooth.x, smooth.y, single.low, single.high)


def charts(run: Run, groups: pa.Table) -> list[Drawing]:
    """The charts of one run, those without a point left out; `groups` as `read_groups` gives them."""
    steps = run.steps
    x = steps["step"]
    skipped = x[steps["skipped"] != 0]
    by_source, by_language = (_group_lines(groups, key) for key in ("source", "language"))
    drawn = [
        Chart("loss", [loss_line(run)], marks=skipped),
        Chart("source", by_source),
        # One language's line is the loss again.
        Chart("language", by_language if len(by_language) > 1 else []),
        Chart("norm", [thin(x, steps["gradient_norm"])], log=True, marks=skipped),
        Chart("rate", [_bare(thin(x, steps["rate_factor"]))], floor=0.0),
        Chart("speed", [_ratio(x, steps["tokens"], steps["seconds"])], floor=0.0),
        Chart("data", [_ratio(x, 100 * steps["data_seconds"], steps["seconds"])], floor=0.0),
        Chart("memory", [_bare(thin(x, steps["memory"] / 1e9))], floor=0.0),
    ]
    return [drawing for drawing in map(draw, drawn) if drawing is not None]


def comparison(runs: Sequence[Run]) -> Drawing | None:
    """The losses of runs in one chart, over tokens read: steps of different size compare in nothing else."""
    return draw(
        Chart(
            "compared",
            [
                _bare(loss_line(run, run.name, by_tokens=True))
                for run in sorted(runs, key=lambda run: run.name)[:MOST_LINES]
            ],
        )
    )


def group_table(groups: pa.Table, key: Literal["source", "language"]) -> list[Group]:
    """The sources or languages of a run, the one of most tokens first."""
    total = max(1, pc.sum(groups["tokens"]).as_py() or 0)
    found = []
    for name, tokens, windows in _by(groups, key):
        some = max(1, len(windows) // 20)
        nats, learnt = windows[:, 1], windows[:, 2]
        first, last = (
            float(nats[part].sum() / learnt[part].sum()) for part in (slice(some), slice(-some, None))
        )
        found.append(Group(name, tokens, tokens / total, first, last))
    return found


def _group_lines(groups: pa.Table, key: str) -> list[Line]:
    """One line for each of the largest groups."""
    lines = []
    for name, _, windows in _by(groups, key)[:MOST_LINES]:
        lines.append(Line(name, windows[:, 0], windows[:, 1] / windows[:, 2]))
    return lines


def _by(groups: pa.Table, key: str) -> list[tuple[str, int, Numbers]]:
    """Groups by the tokens they have: name, tokens, and (last step, nats, tokens) of each window."""
    summed = groups.group_by([key, "first_step"]).aggregate(
        [("last_step", "max"), ("nats", "sum"), ("tokens", "sum")]
    )
    summed = summed.sort_by("first_step")
    names = summed[key].to_numpy(zero_copy_only=False)
    columns = ("last_step_max", "nats_sum", "tokens_sum")
    values = np.stack([summed[column].cast("float64").to_numpy() for column in columns], axis=1)
    found = [(str(name), values[names == name]) for name in sorted(set(names))]
    return sorted(
        ((name, int(windows[:, 2].sum()), windows) for name, windows in found),
        key=lambda group: (-group[1], group[0]),
    )


def _ratio(x: Numbers, part: Numbers, whole: Numbers) -> Line:
    """Sum of one over sum of the other, in stretches."""
    if not len(x):
        return Line("", x, x)
    starts = np.unique(np.linspace(0, len(x), min(POINTS, len(x)) + 1).astype(np.int64)[:-1])
    sums = np.add.reduceat(whole, starts)
    some = sums > 0
    ends = np.append(starts[1:], len(x))[some] - 1
    return Line("", x[ends], np.add.reduceat(part, starts)[some] / sums[some])


def _bare(line: Line) -> Line:
    return Line(line.name, line.x, line.y)
