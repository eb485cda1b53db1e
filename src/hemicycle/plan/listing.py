"""List scheduling: one task after the other, each where it ends soonest beside those already placed.

What a person with a calendar would do: a task may slip into room that others left before it. A list is an
order of the tasks, and perhaps a mode that a task is to have. To lay out 200 tasks over a year takes a tenth
of a millisecond, so many lists can be tried: from the best of the usual orders, simulated annealing changes
one thing after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hemicycle.plan import laying
from hemicycle.plan.cost import SCALE, Tariff, latest_end
from hemicycle.plan.hours import Clock, Hours
from hemicycle.plan.laying import Board, Tables
from hemicycle.plan.problem import Placement, Problem, Task

#: Rounds of annealing, each from the beginning, and changes of a list in each, a task. They do not follow
#: from the clock, so that equal problems and seeds give equal schedules unless time runs out before.
ROUNDS, CHANGES = 4, 800

#: What a change may cost more one time in three, as shares of the cost: at the beginning, at the end.
HOT, COLD = 3e-2, 1e-6

#: Share of the changes that tell a task its mode; the others move it.
TELLING = 0.3

#: Changes between two looks at the clock.
_STRETCH = 500


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
        self._tables = _tables(problem, clock, tariff)

    def lay(self, order: Hours, told: Hours | None = None) -> Layout:
        """Lay tasks out.

        Args:
            order: their numbers.
            told: by task the mode it is to have, where it can; -1: any.
        """
        board = self._board()
        laying.lay(self._tables, board, order, self._any() if told is None else told)
        return self._layout(board)

    def fill(self, placed: Mapping[str, Placement]) -> dict[str, Placement]:
        """What is placed, and what there is still room for beside it."""
        board = self._board()
        for number, (name, task) in enumerate(zip(self.names, self.tasks, strict=True)):
            if name in placed:
                board.done[number] = 1
                mode = self._tables.first_mode[number] + task.modes.index(placed[name].mode)
                laying.put(self._tables, board, number, mode, placed[name].start, placed[name].end)
        laying.lay(self._tables, board, np.arange(len(self.names)), self._any())
        return self.placed(self._layout(board))

    def usual(self) -> Iterator[Hours]:
        """Orders that people would take, those that must keep a deadline always first: what is worth most for
        the room it takes (Smith's rule), what is most pressing, what is ready first, what is due first."""
        tables = self._tables
        size = np.array([min(mode.gpu_hours for mode in task.modes) for task in self.tasks], float)
        may = np.array([not task.must for task in self.tasks])
        due = np.minimum(tables.deadline, tables.latest) - (tables.soonest - tables.ready)
        for key in (size / tables.weight, -tables.weight, tables.ready, due):
            yield self._ordered(key, may)

    def plain(self) -> Layout:
        """The best of the usual orders."""
        return min((self.lay(order) for order in self.usual()), key=lambda layout: layout.worth)

    def anneal(self, seed: int, over: Callable[[], bool]) -> Layout:
        """The best layout found by some rounds of annealing, or until it is said to be over."""
        rounds = (self._round(seed * ROUNDS + number, over) for number in range(ROUNDS))
        return min(rounds, key=lambda layout: layout.worth)

    def _round(self, seed: int, over: Callable[[], bool]) -> Layout:
        begin, order = min(((self.lay(o), o) for o in self.usual()), key=lambda pair: pair[0].worth)
        best = np.stack([begin.starts, begin.ends, begin.modes])
        standing = np.array([SCALE * begin.worth[0], begin.worth[1]] * 2)
        told, board = self._any(), self._board()
        changes = CHANGES * len(self.names)
        for begun in range(0, changes, _STRETCH):
            if over():
                break
            past = np.arange(begun, min(begun + _STRETCH, changes)) / changes
            heat = standing[3] * HOT * (COLD / HOT) ** past
            # Each stretch draws numbers of its own.
            draw = (seed * changes + begun) % 2**32
            laying.anneal(self._tables, board, order, told, best, standing, heat, TELLING, draw)
        return Layout((int(standing[2]) // SCALE, int(standing[3])), *best)

    def placed(self, layout: Layout) -> dict[str, Placement]:
        return {
            name: Placement(name, task.modes[mode], int(start), int(end))
            for name, task, mode, start, end in zip(
                self.names, self.tasks, layout.modes, layout.starts, layout.ends, strict=True
            )
            if mode >= 0
        }

    def _any(self) -> Hours:
        return np.full(len(self.names), -1, np.int64)

    def _board(self) -> Board:
        tables, count = self._tables, len(self.names)
        return Board(
            steps=tables.steps.copy(),
            hours=tables.hours.copy(),
            gpus=tables.gpus.copy(),
            left=tables.quota_left.copy(),
            put=np.zeros((3, count), np.int64),
            done=np.zeros(count, np.int64),
            stack=np.zeros(count, np.int64),
        )

    def _layout(self, board: Board) -> Layout:
        absent, cost = laying.worth(self._tables, board)
        return Layout((int(absent) // SCALE, int(cost)), *board.put)

    def _ordered(self, *keys: NDArray[np.generic]) -> Hours:
        """Tasks by keys, the last first."""
        ordered: Hours = np.lexsort(keys)
        return ordered


def _tables(problem: Problem, clock: Clock, tariff: Tariff) -> Tables:
    pools = {pool.name: number for number, pool in enumerate(problem.pools)}
    quotas = [(pools[pool.name], quota) for pool in problem.pools for quota in pool.quotas]
    tasks = list(tariff.tasks.values())
    numbers = {name: number for number, name in enumerate(tariff.tasks)}
    alone = [tariff.alone[name] for name in tariff.tasks]
    modes = [mode for task in tasks for mode in task.modes]
    sets = {frozenset(mode.demands): mode for mode in modes}
    places = {pools_of: place for place, pools_of in enumerate(sets)}
    opened = [clock.open_hours(mode) for mode in sets.values()]
    steps, hours, gpus = _steps([clock.capacity[pool] for pool in pools], 2 * len(tasks))
    # No end is later, so what has no deadline to miss has this one.
    never = problem.horizon
    soft = [never if task.must or task.deadline is None else task.deadline for task in tasks]
    unfair = [[rates.get(name, 0) for name in tariff.tasks] for rates in tariff.unfair.values()]
    return Tables(
        horizon=problem.horizon,
        steps=steps,
        hours=hours,
        gpus=gpus,
        first_open=_firsts(len(row) for row in opened),
        open_hours=np.concatenate(opened),
        past=np.stack([np.searchsorted(row, np.arange(problem.horizon + 1)) for row in opened]),
        quota_pool=_whole(pool for pool, _ in quotas),
        quota_left=_whole(int(quota.gpu_hours) for _, quota in quotas),
        quota_start=_whole(min(max(quota.start, 0), problem.horizon) for _, quota in quotas),
        quota_end=_whole(min(max(quota.end, 0), problem.horizon) for _, quota in quotas),
        mode_set=_whole(places[frozenset(mode.demands)] for mode in modes),
        work=_whole(mode.hours for mode in modes),
        demand=np.array([[mode.demands.get(pool, 0) for pool in pools] for mode in modes], np.int64),
        first_mode=_firsts(len(task.modes) for task in tasks),
        ready=_whole(one.ready for one in alone),
        latest=_whole(latest_end(task, problem.horizon) for task in tasks),
        soonest=_whole(one.soonest for one in alone),
        deadline=_whole(soft),
        weight=_whole(SCALE * task.priority for task in tasks),
        first_after=_firsts(len(task.after) for task in tasks),
        after=_whole(numbers[before.task] for task in tasks for before in task.after),
        lag=_whole(before.lag for task in tasks for before in task.after),
        unfair=np.array(unfair, np.int64).reshape(len(unfair), len(tasks)),
    )


def _steps(capacities: list[Hours], more: int) -> tuple[Hours, Hours, Hours]:
    """Capacities by hour as rows of steps, with room for more."""
    firsts = [np.concatenate([[0], np.flatnonzero(np.diff(row)) + 1]) for row in capacities]
    room = max(len(row) for row in firsts) + more + 1
    hours = np.full((len(capacities), room), len(capacities[0]), np.int64)
    gpus = np.zeros_like(hours)
    for pool, first in enumerate(firsts):
        hours[pool, : len(first)] = first
        gpus[pool, : len(first)] = capacities[pool][first]
    return _whole(len(row) for row in firsts), hours, gpus


def _whole(values: Iterable[int]) -> Hours:
    return np.array(list(values), np.int64)


def _firsts(lengths: Iterable[int]) -> Hours:
    return np.cumsum([0, *lengths], dtype=np.int64)
