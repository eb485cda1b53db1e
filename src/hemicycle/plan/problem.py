"""What is to be scheduled and what a schedule says: pools of chips, runs with their modes, placements.

All times are whole hours since the programme's beginning, and a span `[start, end)` holds its start and not
its end. Dates, units and files belong to who makes a problem and who shows a schedule.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Protocol

from hemicycle.errors import DeclarationError
from hemicycle.plan.wording import Worded

#: Hours of ten years: a schedule holds a figure for every hour.
LONGEST_HORIZON = 87_660

#: No pool of the world has as many, and a solver's whole numbers have an end.
MOST_GPUS = 10_000_000

#: The most pressing priority; 1 is the least.
HIGHEST_PRIORITY = 10


@dataclass(frozen=True)
class Closure:
    """Hours in which nothing of a pool runs: a run that lies over them pauses, keeps its GPUs, goes on."""

    start: int
    end: int


@dataclass(frozen=True)
class Window:
    """Hours in which a pool has another number of GPUs. A run that needs more cannot lie over them."""

    start: int
    end: int
    gpus: int


@dataclass(frozen=True)
class Quota:
    """GPU-hours that may be used in a period. A run is charged in it for the hours it works in it, exactly;
    hours in which it pauses are free."""

    start: int
    end: int
    gpu_hours: float


@dataclass(frozen=True)
class Pool:
    """GPUs of one kind at one site that a run may take any of.

    Args:
        name: `site/pool`, as modes call it.
        windows: they do not overlap.
        quotas: they may overlap, such as a year's and its quarters'.
    """

    name: str
    site: str
    gpus: int
    closures: tuple[Closure, ...] = ()
    windows: tuple[Window, ...] = ()
    quotas: tuple[Quota, ...] = ()


@dataclass(frozen=True)
class Mode:
    """One way to run a task.

    Args:
        demands: GPUs by the name of the pool; several pools run it together, and it works while all are open.
        hours: of work, pauses not counted.
    """

    demands: Mapping[str, int]
    hours: int

    @property
    def gpu_hours(self) -> int:
        return sum(self.demands.values()) * self.hours


@dataclass(frozen=True)
class After:
    """A task that must have ended, and hours that pass then before the next begins (a checkpoint travels)."""

    task: str
    lag: int = 0


@dataclass(frozen=True)
class Task:
    """One stretch of a run that is placed as a whole.

    Args:
        name: unique in the problem.
        run: what it is a part of, for people.
        priority: from 1 to 10, the most pressing.
        earliest: hour before which it cannot start.
        deadline: hour by which it should have ended.
        must: whether the deadline is hard. What a call or a contract sets is worth nothing a day later, so a
            task that would miss it is not placed at all; any other deadline is a wish, and each hour past it
            costs.
        modes: the ways to run it, of which a schedule chooses one.
    """

    name: str
    run: str
    team: str
    priority: int
    modes: tuple[Mode, ...]
    earliest: int = 0
    deadline: int | None = None
    must: bool = False
    after: tuple[After, ...] = ()


@dataclass(frozen=True)
class Problem:
    """A programme: tasks to be placed on pools before the horizon.

    Args:
        shares: what each team is entitled to, in any unit; empty: all alike.

    Raises DeclarationError where it contradicts itself.
    """

    pools: tuple[Pool, ...]
    tasks: tuple[Task, ...]
    horizon: int
    shares: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 1 <= self.horizon <= LONGEST_HORIZON:
            raise _wrong("the programme", f"its {self.horizon} hours are not from 1 to {LONGEST_HORIZON}")
        pools = _named("pool", self.pools)
        tasks = _named("task", self.tasks)
        for pool in self.pools:
            _check_pool(pool)
        for task in self.tasks:
            _check_task(task, pools, tasks)
        self._check_shares()
        try:
            self.in_order()
        except CycleError as error:
            circle = " → ".join(f"“{name}”" for name in error.args[1])
            raise _wrong("the programme", f"tasks wait for each other in a circle: {circle}") from None

    def _check_shares(self) -> None:
        if not self.shares:
            return
        for team, share in self.shares.items():
            if not (math.isfinite(share) and share > 0):
                raise _wrong(f"team “{team}”", f"its share {share} is not above zero")
        for task in self.tasks:
            if task.team not in self.shares:
                raise _wrong(f"task “{task.name}”", f"its team “{task.team}” has no share")

    def in_order(self) -> list[str]:
        """Names of all tasks, each behind those it comes after. Equal problems give equal orders."""
        sorter: TopologicalSorter[str] = TopologicalSorter()
        for task in self.tasks:
            sorter.add(task.name, *(before.task for before in task.after))
        return list(sorter.static_order())

    def task(self, name: str) -> Task:
        return next(task for task in self.tasks if task.name == name)


@dataclass(frozen=True)
class Placement:
    """A task in its mode from `start` to `end`; between them it pauses while a pool of it is closed."""

    task: str
    mode: Mode
    start: int
    end: int


@dataclass(frozen=True)
class Unplaced:
    """A task that has no place, and why."""

    task: str
    reasons: tuple[Worded, ...]


@dataclass(frozen=True)
class Schedule:
    """What `schedule` found.

    Args:
        placements: by start, then name.
        objective: cost in priority-hours, see `hemicycle.plan.cost`; lower is better.
        bound: no schedule that places as much costs less.
        alone: what it would cost if each task had the sites for itself; no schedule can go below.
        optimal: proven: nothing more can be placed, and nothing that places as much costs less.
        seconds: that the search took.
    """

    placements: tuple[Placement, ...]
    unplaced: tuple[Unplaced, ...]
    objective: float
    bound: float
    alone: float
    optimal: bool
    seconds: float

    @property
    def gap(self) -> float:
        """The share of the objective that a better schedule might save, at most."""
        return max(0.0, (self.objective - self.bound) / self.objective) if self.objective else 0.0


class _Named(Protocol):
    @property
    def name(self) -> str: ...


class _Span(Protocol):
    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...


def _wrong(place: str, what: str) -> DeclarationError:
    return DeclarationError(what, place=place)


def _named(kind: str, things: Iterable[_Named]) -> set[str]:
    names: set[str] = set()
    for thing in things:
        if thing.name in names:
            raise _wrong(f"{kind} “{thing.name}”", "another has the same name")
        names.add(thing.name)
    return names


def _check_pool(pool: Pool) -> None:
    place = f"pool “{pool.name}”"
    for gpus in (pool.gpus, *(window.gpus for window in pool.windows)):
        if not 0 <= gpus <= MOST_GPUS:
            raise _wrong(place, f"{gpus} GPUs are not from 0 to {MOST_GPUS}")
    spans: Sequence[_Span] = (*pool.closures, *pool.windows, *pool.quotas)
    for span in spans:
        if span.start >= span.end:
            raise _wrong(place, f"from hour {span.start} to hour {span.end} there is no time")
    windows = sorted(pool.windows, key=lambda window: window.start)
    for one, other in itertools.pairwise(windows):
        if other.start < one.end:
            raise _wrong(place, f"hour {other.start} is in two windows")
    for quota in pool.quotas:
        if not (math.isfinite(quota.gpu_hours) and quota.gpu_hours >= 0):
            raise _wrong(place, f"{quota.gpu_hours} GPU-hours are no allowance")


def _check_task(task: Task, pools: set[str], tasks: set[str]) -> None:
    place = f"task “{task.name}”"
    if not 1 <= task.priority <= HIGHEST_PRIORITY:
        raise _wrong(place, f"its priority {task.priority} is not from 1 to {HIGHEST_PRIORITY}")
    if not task.modes:
        raise _wrong(place, "it has no way to be run")
    if task.must and task.deadline is None:
        raise _wrong(place, "it must keep a deadline and has none")
    for mode in task.modes:
        if not mode.demands or mode.hours < 1:
            raise _wrong(place, "one way to run it takes no pool or no time")
        for pool, gpus in mode.demands.items():
            if pool not in pools:
                raise _wrong(place, f"there is no pool “{pool}”")
            if not 1 <= gpus <= MOST_GPUS:
                raise _wrong(place, f"{gpus} GPUs are not from 1 to {MOST_GPUS}")
    for before in task.after:
        if before.task not in tasks:
            raise _wrong(place, f"it comes after “{before.task}”, which is not there")
        if before.lag < 0:
            raise _wrong(place, f"a lag of {before.lag} hours is none")
