"""The hours of the pools: when they are open, how many GPUs they have, when a run that starts ends.

Where a run starts says all about it: a mode's work goes on through the open hours of its pools, so its end,
and the hours it works in any period, follow. They are computed here for every possible start at once, and
cut into pieces on which they are linear, which is what a solver takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hemicycle.plan.problem import Mode, Problem, Quota

Hours = NDArray[np.int64]


@dataclass(frozen=True)
class Spans:
    """Every start a mode can have, ascending, and the end of each."""

    starts: Hours
    ends: Hours

    def only(self, kept: NDArray[np.bool_]) -> Spans:
        return Spans(self.starts[kept], self.ends[kept])


@dataclass(frozen=True)
class Piece:
    """Starts from `first` to `last`, all hours between them, that last `length` hours.

    Args:
        charges: hours charged to each quota at `first`.
        slopes: how many hours more each hour that it starts later.
    """

    first: int
    last: int
    length: int
    charges: tuple[int, ...]
    slopes: tuple[int, ...]


class Clock:
    """The hours of a problem's pools."""

    def __init__(self, problem: Problem) -> None:
        self.horizon = problem.horizon
        self.capacity: dict[str, Hours] = {}
        self._closed: dict[str, NDArray[np.bool_]] = {}
        self._open: dict[frozenset[str], Hours] = {}
        for pool in problem.pools:
            gpus = np.full(self.horizon, pool.gpus, np.int64)
            closed = np.zeros(self.horizon, bool)
            for window in pool.windows:
                gpus[max(window.start, 0) : max(window.end, 0)] = window.gpus
            for closure in pool.closures:
                closed[max(closure.start, 0) : max(closure.end, 0)] = True
            # A run that pauses needs no more than the hours on both sides of the closure give it.
            gpus[closed] = gpus.max()
            self.capacity[pool.name] = gpus
            self._closed[pool.name] = closed

    def closed(self, pool: str) -> NDArray[np.bool_]:
        return self._closed[pool]

    def open_hours(self, mode: Mode) -> Hours:
        """The hours in which all pools of a mode are open."""
        pools = frozenset(mode.demands)
        if pools not in self._open:
            closed = np.logical_or.reduce([self._closed[pool] for pool in sorted(pools)])
            self._open[pools] = np.flatnonzero(~closed)
        return self._open[pools]

    def spans(self, mode: Mode, earliest: int, latest: int) -> Spans:
        """The spans that begin at `earliest` or later and end by `latest`, in open hours alone."""
        hours = self.open_hours(mode)
        many = max(0, len(hours) - mode.hours + 1)
        starts, ends = hours[:many], hours[len(hours) - many :] + 1
        low, high = np.searchsorted(starts, earliest), np.searchsorted(ends, latest, "right")
        return Spans(starts[low:high], ends[low:high])

    def worked(self, mode: Mode, spans: Spans, quota: Quota) -> Hours:
        """Hours that each span works in a quota's period."""
        hours = self.open_hours(mode)
        starts, ends = (np.clip(side, quota.start, quota.end) for side in (spans.starts, spans.ends))
        worked: Hours = np.searchsorted(hours, ends) - np.searchsorted(hours, starts)
        return worked


def roomy(spans: Spans, free: Hours, gpus: int) -> NDArray[np.bool_]:
    """Whether as many GPUs are free in each hour of each span."""
    short = np.concatenate([[0], np.cumsum(free < gpus)])
    fits: NDArray[np.bool_] = short[spans.ends] == short[spans.starts]
    return fits


def pieces(spans: Spans, charges: Sequence[Hours]) -> list[Piece]:
    """The spans cut where their starts, their lengths or what they charge stop being linear."""
    if not len(spans.starts):
        return []
    steps = np.stack([np.diff(side) for side in (spans.starts, spans.ends, *charges)])
    broken = (steps[0] != 1) | (steps[1] != 1)
    # A bend may come at any step but the first of a piece; so may a break.
    bent = np.zeros(len(broken), bool)
    bent[1:] = (steps[2:, 1:] != steps[2:, :-1]).any(0) if len(charges) else False
    cuts: list[int] = [0]
    for step in np.flatnonzero(broken | bent):
        if broken[step]:
            cuts.append(int(step) + 1)
        elif step > cuts[-1]:
            # The step belongs to no piece: the next begins behind it.
            cuts.append(int(step) + 1)
    made = []
    for low, behind in zip(cuts, [*cuts[1:], len(spans.starts)], strict=True):
        high = behind - 1
        made.append(
            Piece(
                first=int(spans.starts[low]),
                last=int(spans.starts[high]),
                length=int(spans.ends[low] - spans.starts[low]),
                charges=tuple(int(charge[low]) for charge in charges),
                slopes=tuple(int(charge[low + 1] - charge[low]) if high > low else 0 for charge in charges),
            )
        )
    return made
