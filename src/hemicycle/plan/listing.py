"""List scheduling: one task after the other, each where it ends soonest beside those already placed.

What a person with a calendar would do: a task may slip into room that others left before it. A list is an
order of the tasks, and perhaps a mode that a task is to have; whatever the order, a task is placed behind
those it comes after. Laying out 200 tasks over a year takes less than a millisecond, so thousands of lists
can be tried (`hemicycle.plan.annealing`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hemicycle.kernels import kernel
from hemicycle.plan.cost import SCALE, Tariff, latest_end
from hemicycle.plan.hours import Clock, Hours
from hemicycle.plan.problem import Placement, Problem, Task

#: Written again here, as numba wants it; a test compares it.
_LATE = 4


class Tables(NamedTuple):
    """A problem as arrays. Tasks, modes, pools, quotas and sets of pools that modes take are numbered."""

    horizon: int
    capacity: Hours
    #: By set of pools: open hours, one row after the other; and before each hour, how many of them are past.
    opened: Hours
    opened_from: Hours
    past: Hours
    #: By quota: its pool, its GPU-hours, its period.
    quota_pool: Hours
    quota_hours: Hours
    quota_start: Hours
    quota_end: Hours
    #: By mode: its set of pools, its hours, its GPUs of each pool.
    mode_set: Hours
    mode_hours: Hours
    demand: Hours
    #: By task: its first mode, with one more at the end; when it is ready, its latest end, what an hour of
    #: its turnaround costs, its soft deadline.
    first_mode: Hours
    ready: Hours
    latest: Hours
    weight: Hours
    deadline: Hours
    #: What tasks come after: by task the first of its entries, with one more at the end; and the entries.
    first_after: Hours
    after: Hours
    lag: Hours
    #: By team and task, see `Tariff.unfair`; by task, its end on empty sites.
    unfair: Hours
    soonest: Hours


@dataclass(frozen=True)
class Layout:
    """Where a list puts each task: of one without a place, `modes` is -1 and the end is the horizon.

    Args:
        worth: what two layouts are compared by: the priority that has no place, then the cost.
    """

    worth: tuple[int, int]
    starts: Hours
    ends: Hours
    modes: Hours


class Lists:
    """What lists of a problem's tasks come to."""

    def __init__(self, problem: Problem, clock: Clock, tariff: Tariff) -> None:
        self.names = list(tariff.tasks)
        self.tasks: list[Task] = list(tariff.tasks.values())
        self.tables = _tables(problem, clock, tariff)

    def lay(self, order: Hours, modes: Hours, starts: Hours | None = None) -> Layout:
        """Lay tasks out.

        Args:
            order: their numbers.
            modes: by task the mode it is to have, where it can; -1: any.
            starts: by task the hour at which it is to begin in its mode, whatever else is there; -1: any.
        """
        count = len(self.names)
        fixed = np.full(count, -1, np.int64) if starts is None else starts
        put = np.zeros((3, count), np.int64)
        absent, cost = _lay(self.tables, order, modes, fixed, put)
        return Layout((int(absent) // SCALE, int(cost)), put[0], put[1], put[2])

    def usual(self) -> Iterator[Hours]:
        """Orders that people would take, those that must keep a deadline always first: what is worth most for
        the room it takes (Smith's rule), what is most pressing, what is ready first, what is due first."""
        tables = self.tables
        size = np.array([min(mode.gpu_hours for mode in task.modes) for task in self.tasks], float)
        priority = np.array([task.priority for task in self.tasks])
        must = np.array([not task.must for task in self.tasks])
        due = np.minimum(tables.deadline, tables.latest) - (tables.soonest - tables.ready)
        for key in (size / priority, -priority, tables.ready, due):
            yield self.ordered(key, must)

    def ordered(self, *keys: NDArray[np.generic]) -> Hours:
        """Tasks by keys, the last first; what others come after is as pressing as they."""
        ranks = np.empty(len(self.names), np.int64)
        ranks[np.lexsort(keys)] = np.arange(len(self.names))
        tables = self.tables
        for task in reversed(range(len(self.names))):
            before = tables.after[tables.first_after[task] : tables.first_after[task + 1]]
            ranks[before] = np.minimum(ranks[before], ranks[task])
        # A stable sort keeps a task behind what it comes after: so they stand in the tariff.
        return np.argsort(ranks, kind="stable")

    def placed(self, layout: Layout) -> dict[str, Placement]:
        return {
            name: Placement(name, task.modes[mode], int(start), int(end))
            for name, task, mode, start, end in zip(
                self.names, self.tasks, layout.modes, layout.starts, layout.ends, strict=True
            )
            if mode >= 0
        }


def _tables(problem: Problem, clock: Clock, tariff: Tariff) -> Tables:
    pools = {pool.name: number for number, pool in enumerate(problem.pools)}
    quotas = [(pools[pool.name], quota) for pool in problem.pools for quota in pool.quotas]
    tasks = list(tariff.tasks.values())
    numbers = {name: number for number, name in enumerate(tariff.tasks)}
    modes = [mode for task in tasks for mode in task.modes]
    sets = {frozenset(mode.demands): mode for mode in modes}
    opened = [clock.open_hours(mode) for mode in sets.values()]
    demand = np.zeros((len(modes), len(pools)), np.int64)
    for number, mode in enumerate(modes):
        for pool, gpus in mode.demands.items():
            demand[number, pools[pool]] = gpus
    never = problem.horizon + max([0, *(task.deadline or 0 for task in tasks)])
    soft = [never if task.must or task.deadline is None else task.deadline for task in tasks]

    def whole(values: list[int]) -> Hours:
        return np.array(values, np.int64)

    def firsts(lengths: list[int]) -> Hours:
        return np.concatenate([[0], np.cumsum(whole(lengths))]).astype(np.int64)

    unfair = [[rates.get(name, 0) for name in tariff.tasks] for rates in tariff.unfair.values()]
    places = {pools_of: place for place, pools_of in enumerate(sets)}
    hours = np.arange(problem.horizon + 1)
    return Tables(
        horizon=problem.horizon,
        capacity=np.stack([clock.capacity[pool] for pool in pools]),
        opened=np.concatenate(opened),
        opened_from=firsts([len(row) for row in opened]),
        past=np.stack([np.searchsorted(row, hours) for row in opened]),
        quota_pool=whole([pool for pool, _ in quotas]),
        quota_hours=whole([int(quota.gpu_hours) for _, quota in quotas]),
        quota_start=whole([min(max(quota.start, 0), problem.horizon) for _, quota in quotas]),
        quota_end=whole([min(max(quota.end, 0), problem.horizon) for _, quota in quotas]),
        mode_set=whole([places[frozenset(mode.demands)] for mode in modes]),
        mode_hours=whole([mode.hours for mode in modes]),
        demand=demand,
        first_mode=firsts([len(task.modes) for task in tasks]),
        ready=whole([tariff.alone[name].ready for name in tariff.tasks]),
        latest=whole([latest_end(task, problem.horizon) for task in tasks]),
        weight=whole([SCALE * task.priority for task in tasks]),
        deadline=whole(soft),
        first_after=firsts([len(task.after) for task in tasks]),
        after=whole([numbers[before.task] for task in tasks for before in task.after]),
        lag=whole([before.lag for task in tasks for before in task.after]),
        unfair=np.array(unfair, np.int64).reshape(len(unfair), len(tasks)),
        soonest=whole([tariff.alone[name].soonest for name in tariff.tasks]),
    )


def _worked(tables: Tables, mode: int, quota: int, start: int, end: int) -> int:
    past = tables.past[tables.mode_set[mode]]
    low, high = tables.quota_start[quota], tables.quota_end[quota]
    worked: int = past[min(max(end, low), high)] - past[min(max(start, low), high)]
    return worked


def _fit(tables: Tables, free: Hours, left: Hours, mode: int, ready: int, before: int) -> tuple[int, int]:
    """The first span of a mode from `ready` that ends before `before`; -1 where there is none."""
    where = tables.mode_set[mode]
    past, first = tables.past[where], tables.opened_from[where]
    behind = tables.opened_from[where + 1]
    work = tables.mode_hours[mode]
    start = ready
    while start < tables.horizon:
        at = first + past[start]
        if at + work > behind:
            break
        start, end = tables.opened[at], tables.opened[at + work - 1] + 1
        if end >= before:
            break
        jump = 0
        for pool in range(tables.demand.shape[1]):
            gpus = tables.demand[mode, pool]
            if gpus > 0 and not jump:
                for hour in range(end - 1, start - 1, -1):
                    if free[pool, hour] < gpus:
                        jump = hour + 1 - start
                        break
        if not jump:
            for quota in range(len(left)):
                gpus = tables.demand[mode, tables.quota_pool[quota]]
                if gpus > 0:
                    over = gpus * _worked(tables, mode, quota, start, end) - left[quota]
                    if over > 0:
                        # An hour later spares an hour at most.
                        jump = max(jump, -(-over // gpus))
        if not jump:
            return start, end
        start += jump
    return -1, -1


def _lay(  # noqa: C901  one kernel: a call for each task would cost more than the task
    tables: Tables, order: Hours, wanted: Hours, fixed: Hours, put: Hours
) -> tuple[int, int]:
    """Lay out a list into `put` (starts, ends, modes); the weight without a place, and the cost."""
    count = len(order)
    free, left = tables.capacity.copy(), tables.quota_hours.copy()
    done = np.zeros(count, np.bool_)
    stack = np.empty(count, np.int64)
    absent = 0
    for next_ in order:
        stack[0] = next_
        height = 1
        while height:
            task = stack[height - 1]
            ready, placeable, waits = tables.ready[task], True, False
            for entry in range(tables.first_after[task], tables.first_after[task + 1]):
                other = tables.after[entry]
                if not done[other]:
                    stack[height] = other
                    height += 1
                    waits = True
                    break
                placeable &= put[2, other] >= 0
                ready = max(ready, put[1, other] + tables.lag[entry])
            if waits:
                continue
            height -= 1
            if done[task]:
                continue
            done[task] = True
            low, high = tables.first_mode[task], tables.first_mode[task + 1]
            best, start, end = -1, -1, tables.latest[task] + 1
            if fixed[task] >= 0:
                best = low + wanted[task]
                start = fixed[task]
                at = tables.opened_from[tables.mode_set[best]] + tables.past[tables.mode_set[best], start]
                end = tables.opened[at + tables.mode_hours[best] - 1] + 1
            elif placeable:
                if wanted[task] >= 0:
                    found, behind = _fit(tables, free, left, low + wanted[task], ready, end)
                    if found >= 0:
                        best, start, end = low + wanted[task], found, behind
                if best < 0:
                    for mode in range(low, high):
                        found, behind = _fit(tables, free, left, mode, ready, end)
                        if found >= 0:
                            best, start, end = mode, found, behind
            if best < 0:
                absent += tables.weight[task]
                put[0, task], put[1, task], put[2, task] = -1, tables.horizon, -1
                continue
            put[0, task], put[1, task], put[2, task] = start, end, best - low
            for pool in range(tables.demand.shape[1]):
                gpus = tables.demand[best, pool]
                if gpus > 0:
                    free[pool, start:end] -= gpus
            for quota in range(len(left)):
                gpus = tables.demand[best, tables.quota_pool[quota]]
                if gpus > 0:
                    left[quota] -= gpus * _worked(tables, best, quota, start, end)
    return absent, _cost(tables, put[1])


def _cost(tables: Tables, ends: Hours) -> int:
    cost = 0
    for task in range(len(ends)):
        late = max(0, ends[task] - tables.deadline[task])
        cost += tables.weight[task] * (ends[task] - tables.ready[task] + _LATE * late)
    worst = 0
    for team in range(len(tables.unfair)):
        worst = max(worst, np.sum(tables.unfair[team] * (ends - tables.soonest)))
    return cost + worst


_worked = kernel(_worked)
_fit = kernel(_fit)
_cost = kernel(_cost)
_lay = kernel(_lay)
