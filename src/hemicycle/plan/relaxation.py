"""A cost that no schedule can go below, by a linear program in which tasks may be cut up and spread.

Search finds good schedules and proves little about them: its own bound is hardly more than the cost on empty
sites. Here time is cut into some fifty equal stretches, and for each stretch a task works in a mode any part
of the hours it could; pools, quotas and order hold on the whole. This is the mean-busy-time relaxation
(Goemans, Queyranne, Schulz, Skutella, Wang, Single Machine Scheduling with Release Dates, SIAM J. Discrete
Math. 15, 2002): a task of `p` hours that works at hours whose mean is `M` does not end before `M + p / 2`.

Where a run works through a stretch, its hours there have the stretch's mean; only in the stretch in which it
ends may they lie before it. Of `n` hours in which it could work in a stretch that lasts `g`, with `y` worked,
the two means differ by at most `(1 − y / n)(n / 2 + g − n)`, which takes at most `g² / 8p` from `M`, or less
where the whole task is shorter than half a stretch.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

import numpy as np

from hemicycle.plan.cost import LATE, SCALE, Tariff, lateness, latest_end, possible
from hemicycle.plan.hours import Clock, Hours
from hemicycle.plan.problem import Mode, Problem, Task

#: Stretches that the horizon is cut into.
STRETCHES = 52

#: Ways of all tasks past which the program takes minutes to be written down.
MOST_WAYS = 5_000

#: What is taken off the solver's answer, as a share of it: more than its tolerances may add.
TOLERANCE = 1e-6


class Relaxation:
    """The linear program of a problem."""

    def __init__(self, problem: Problem, clock: Clock, tariff: Tariff, absent: int) -> None:
        """Args:
        absent: the priority that may stay without a place, at most.
        """
        from ortools.linear_solver.python import model_builder

        self._problem, self._clock, self._tariff = problem, clock, tariff
        self._model: Any = model_builder.Model()  # type: ignore[no-untyped-call]
        self._builder = model_builder
        self._solver: Any = model_builder.Solver("GLOP")
        self._grid = math.ceil(problem.horizon / STRETCHES)
        self._ends: dict[str, Any] = {}
        #: By pool and stretch: hours worked there, and with how many GPUs.
        self._work: dict[tuple[str, int], list[tuple[Any, float]]] = defaultdict(list)
        missing: list[tuple[Any, float]] = []
        for name, task in tariff.tasks.items():
            none = self._variable(1.0 if absent else 0.0)
            missing.append((none, task.priority))
            self._task(name, task, none)
        self._model.add(self._sum(missing) <= absent)
        for pool in problem.pools:
            self._pool(pool.name)
        self._minimise()

    def bound(self, seconds: float) -> int | None:
        """The bound, times `SCALE`; None where it was not found in time."""
        self._solver.set_time_limit_in_seconds(seconds)
        status = self._solver.solve(self._model)
        if status != self._builder.SolveStatus.OPTIMAL:
            return None
        least = float(self._solver.objective_value)
        return math.ceil(least - TOLERANCE * abs(least) - 1)

    def stop(self) -> None:
        self._solver.stop_search()

    def _variable(self, most: float) -> Any:
        return self._model.new_num_var(0.0, most, None)

    def _sum(self, terms: list[tuple[Any, float]]) -> Any:
        return self._builder.LinearExpr.weighted_sum([v for v, _ in terms], [float(c) for _, c in terms])

    def _task(self, name: str, task: Task, none: Any) -> None:
        alone, horizon = self._tariff.alone[name], self._problem.horizon
        end = self._model.new_num_var(alone.soonest, horizon, None)
        self._ends[name] = end
        shares: list[Any] = []
        means: list[tuple[Any, float]] = []  # of the hours it works at
        lengths: list[tuple[Any, float]] = []
        slack: list[tuple[Any, float]] = []
        for mode in task.modes:
            hours = self._could_work(task, mode)
            if len(hours) < mode.hours:
                continue
            share = self._variable(1.0)
            shares.append(share)
            lengths.append((share, mode.hours))
            slack.append((share, _misplaced(self._grid, mode.hours)))
            worked = []
            for stretch in np.unique(hours // self._grid):
                there = hours[hours // self._grid == stretch]
                part = self._variable(len(there))
                self._model.add(part <= len(there) * share)
                worked.append(part)
                means.append((part, (float(there.mean()) + 0.5) / mode.hours))
                for pool, gpus in mode.demands.items():
                    self._work[pool, int(stretch)].append((part, gpus))
            self._model.add(sum(worked) == mode.hours * share)
        placed = 1 - none
        self._model.add(sum(shares) == placed)
        middle, length, misplaced = self._sum(means), self._sum(lengths), self._sum(slack)
        self._model.add(end >= middle + 0.5 * length - misplaced + horizon * none)
        for before in task.after:
            other = self._ends[before.task]
            self._model.add(end >= other + before.lag * placed + length)
            self._model.add(middle - 0.5 * length + misplaced + horizon * none >= other + before.lag * placed)

    def _could_work(self, task: Task, mode: Mode) -> Hours:
        """Hours at which a mode could work on empty sites."""
        ready, latest = self._tariff.alone[task.name].ready, latest_end(task, self._problem.horizon)
        spans = possible(self._problem, self._clock, mode, ready, latest)
        if not len(spans.starts):
            return spans.starts
        hours = self._clock.open_hours(mode)
        hours = hours[(hours >= spans.starts[0]) & (hours < spans.ends[-1])]
        roomy = [self._clock.capacity[pool][hours] >= gpus for pool, gpus in mode.demands.items()]
        could: Hours = hours[np.logical_and.reduce(roomy)]
        return could

    def _pool(self, name: str) -> None:
        capacity, closed = self._clock.capacity[name], self._clock.closed(name)
        pool = next(pool for pool in self._problem.pools if pool.name == name)
        charged: dict[int, list[tuple[Any, float]]] = defaultdict(list)
        for (of, stretch), work in self._work.items():
            if of != name:
                continue
            span = slice(stretch * self._grid, (stretch + 1) * self._grid)
            there = np.where(closed[span], 0, capacity[span])
            self._model.add(self._sum(work) <= float(there.sum()))
            # Of tasks that want more than a third of the GPUs, two can work at a time.
            hours = int((~closed[span]).sum())
            for most in (1, 2, 3):
                large = [(part, 1.0) for part, gpus in work if gpus * (most + 1) > there.max()]
                if len(large) > most:
                    self._model.add(self._sum(large) <= float(most * hours))
            for number, quota in enumerate(pool.quotas):
                if quota.start <= span.start and min(span.stop, self._problem.horizon) <= quota.end:
                    charged[number] += work
        for number, work in charged.items():
            self._model.add(self._sum(work) <= pool.quotas[number].gpu_hours)

    def _minimise(self) -> None:
        tariff = self._tariff
        cost: list[tuple[Any, float]] = []
        constant = 0
        for name, task in tariff.tasks.items():
            rate = SCALE * task.priority
            cost.append((self._ends[name], rate))
            constant -= rate * tariff.alone[name].ready
            if lateness(task, self._problem.horizon):
                late = self._variable(self._problem.horizon)
                self._model.add(late >= self._ends[name] - task.deadline)
                cost.append((late, LATE * rate))
        if tariff.unfair:
            worst = self._model.new_num_var(0.0, math.inf, None)
            for rates in tariff.unfair.values():
                terms: list[tuple[Any, float]] = [(self._ends[name], rate) for name, rate in rates.items()]
                soonest = sum(rate * tariff.alone[name].soonest for name, rate in rates.items())
                self._model.add(self._sum([(worst, 1), *((end, -rate) for end, rate in terms)]) >= -soonest)
            cost.append((worst, 1))
        self._model.minimize(self._sum(cost) + constant)


def _misplaced(grid: int, hours: int) -> float:
    """Hours by which the mean of a task's hours may lie before that of the stretches they are in."""
    if 2 * hours < grid:
        # It may lie in one stretch as a whole; n = √(2 g p) is the worst.
        return grid + hours / 2 - math.sqrt(2 * hours * grid)
    return grid * grid / (8 * hours)
