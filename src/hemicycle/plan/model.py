"""The exact model of a schedule, for OR-tools' CP-SAT.

A task has a start and an end, one literal for each piece of starts of each of its modes (`hours.pieces`), of
which one is true, and one optional interval a mode. All that follows from a start (its end over the closures,
its charge to each quota) is linear on a piece. A pool is one cumulative constraint, in which a fixed interval
takes away what a window lacks.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hemicycle.plan.cost import LATE, SCALE, Tariff, lateness, latest_end, possible
from hemicycle.plan.hours import Clock, Piece, pieces
from hemicycle.plan.problem import Mode, Placement, Pool, Problem, Task

if TYPE_CHECKING:
    from ortools.sat.python import cp_model

#: Pieces past which the model is too large to be of use within minutes.
MOST_PIECES = 60_000


def size(problem: Problem, tariff: Tariff) -> int:
    """About how many pieces a model would have: two bends at each closure, window and quota."""
    bends = {p.name: 2 * (len(p.closures) + len(p.windows) + len(p.quotas)) for p in problem.pools}
    modes = (mode for task in tariff.tasks.values() for mode in task.modes)
    return sum(1 + sum(bends[pool] for pool in mode.demands) for mode in modes)


@dataclass(frozen=True)
class Found:
    """What the solver came to.

    Args:
        bound: no schedule that places as much costs less; times `SCALE`.
        proven: nothing better exists.
    """

    placed: dict[str, Placement]
    bound: int
    proven: bool


@dataclass(frozen=True)
class _Choice:
    """A piece of starts.

    Args:
        taken: whether the task starts there.
        later: hours behind the piece's first start, where the charges to quotas depend on them.
    """

    piece: Piece
    taken: Any
    later: Any | None


@dataclass(frozen=True)
class _Way:
    """A mode.

    Args:
        taken: whether the task has it.
        length: from start to end: a number, or a variable where it depends on the start.
    """

    mode: Mode
    taken: Any
    length: Any
    choices: list[_Choice]


@dataclass(frozen=True)
class _Variables:
    """Those of a task.

    Args:
        none: whether it has no place: 0 where all tasks have one.
        late: hours past its deadline, where there may be any.
    """

    start: Any
    end: Any
    none: Any
    late: Any | None
    ways: list[_Way]


class Model:
    """A problem for CP-SAT; what a tariff does not count is left out.

    Args:
        absent: the priority that a known schedule leaves without a place; 0: all tasks are placed.
    """

    def __init__(self, problem: Problem, clock: Clock, tariff: Tariff, absent: int) -> None:
        from ortools.sat.python import cp_model

        self._cp = cp_model
        self._model = cp_model.CpModel()
        self._problem, self._clock, self._tariff, self._absent = problem, clock, tariff, absent
        self._pools = {pool.name: pool for pool in problem.pools}
        self._intervals: dict[str, list[tuple[Any, int]]] = defaultdict(list)
        #: By pool and quota: what is charged, and what that may come to.
        self._charges: dict[tuple[str, int], list[Any]] = defaultdict(list)
        self._most: dict[tuple[str, int], int] = defaultdict(int)
        self._tasks: dict[str, _Variables] = {}
        for name, task in tariff.tasks.items():
            self._tasks[name] = self._task(name, task)
        for pool in problem.pools:
            self._pool(pool)
        self._worst = self._unfairness()
        self._weight = self._minimise()

    def _task(self, name: str, task: Task) -> _Variables:
        model, alone, horizon = self._model, self._tariff.alone[name], self._problem.horizon
        start = model.new_int_var(alone.ready, horizon, "")
        end = model.new_int_var(alone.soonest, horizon, "")
        ways = [way for mode in task.modes if (way := self._way(name, task, mode, start, end))]
        none: Any = model.new_bool_var("") if self._absent else 0
        model.add_exactly_one(*(way.taken for way in ways), none)
        choices = [choice for way in ways for choice in way.choices]
        # What has no place counts as one that starts when it is ready and ends at the horizon.
        model.add(start >= alone.ready * none + sum(c.piece.first * c.taken for c in choices))
        model.add(start <= alone.ready * none + sum(c.piece.last * c.taken for c in choices))
        length = sum(c.piece.length * c.taken for c in choices)
        model.add(end == start + length + (horizon - alone.ready) * none)
        for before in task.after:
            other = self._tasks[before.task]
            follows = model.add(start >= other.end + before.lag)
            if self._absent:
                follows.only_enforce_if(~none)
                model.add_implication(other.none, none)
        late = None
        if most := lateness(task, horizon):
            late = model.new_int_var(0, most, "")
            model.add(late >= end - (task.deadline or 0))
        return _Variables(start, end, none, late, ways)

    def _way(self, name: str, task: Task, mode: Mode, start: Any, end: Any) -> _Way | None:
        model, alone = self._model, self._tariff.alone[name]
        spans = possible(
            self._problem, self._clock, mode, alone.ready, latest_end(task, self._problem.horizon)
        )
        quotas = [(p, n, q) for p in mode.demands for n, q in enumerate(self._pools[p].quotas)]
        found = pieces(spans, [self._clock.worked(mode, spans, quota) for *_, quota in quotas])
        if not found:
            return None
        taken = model.new_bool_var("")
        choices = [self._choice(piece, taken if len(found) == 1 else None, start) for piece in found]
        length: Any = found[0].length
        if len(found) > 1:
            model.add(sum(choice.taken for choice in choices) == taken)
        if any(piece.length != length for piece in found):
            length = model.new_int_var(0, max(piece.length for piece in found), "")
            model.add(length == sum(choice.piece.length * choice.taken for choice in choices))
        interval = model.new_optional_interval_var(start, length, end, taken, "")
        for pool, gpus in mode.demands.items():
            self._intervals[pool].append((interval, gpus))
        for place, (pool, quota, _) in enumerate(quotas):
            self._charge((pool, quota), mode.demands[pool], choices, place)
        return _Way(mode, taken, length, choices)

    def _choice(self, piece: Piece, taken: Any, start: Any) -> _Choice:
        model = self._model
        taken = model.new_bool_var("") if taken is None else taken
        if not any(piece.slopes):
            return _Choice(piece, taken, None)
        later = model.new_int_var(0, piece.last - piece.first, "")
        model.add(later <= (piece.last - piece.first) * taken)
        model.add(start == piece.first + later).only_enforce_if(taken)
        return _Choice(piece, taken, later)

    def _charge(self, quota: tuple[str, int], gpus: int, choices: list[_Choice], place: int) -> None:
        most = 0
        for choice in choices:
            charge, slope = choice.piece.charges[place], choice.piece.slopes[place]
            self._charges[quota].append(gpus * charge * choice.taken)
            if slope:
                assert choice.later is not None
                self._charges[quota].append(gpus * slope * choice.later)
            most = max(most, charge, charge + slope * (choice.piece.last - choice.piece.first))
        self._most[quota] += gpus * most

    def _pool(self, pool: Pool) -> None:
        intervals = self._intervals[pool.name]
        if not intervals:
            return
        capacity = self._clock.capacity[pool.name]
        most = int(capacity.max())
        bounds = [0, *(np.flatnonzero(np.diff(capacity)) + 1).tolist(), self._problem.horizon]
        for start, end in itertools.pairwise(bounds):
            if lack := most - int(capacity[start]):
                window = self._model.new_fixed_size_interval_var(start, end - start, "")
                intervals.append((window, lack))
        self._model.add_cumulative([i for i, _ in intervals], [gpus for _, gpus in intervals], most)
        for number, quota in enumerate(pool.quotas):
            if self._most[pool.name, number] > quota.gpu_hours:
                self._model.add(sum(self._charges[pool.name, number]) <= int(quota.gpu_hours))

    def _unfairness(self) -> Any | None:
        tariff = self._tariff
        if not tariff.unfair:
            return None
        most = max(tariff.unfairness(team, {}) for team in tariff.unfair)
        worst = self._model.new_int_var(0, most, "")
        for rates in tariff.unfair.values():
            waited = (rate * (self._tasks[n].end - tariff.alone[n].soonest) for n, rate in rates.items())
            self._model.add(worst >= sum(waited))
        return worst

    def _minimise(self) -> int:
        """Set what is to be least; what a priority without a place weighs beside the cost."""
        tariff = self._tariff
        cost: list[Any] = [] if self._worst is None else [self._worst]
        for name, task in tariff.tasks.items():
            rate, variables = SCALE * task.priority, self._tasks[name]
            cost.append(rate * (variables.end - tariff.alone[name].ready))
            if variables.late is not None:
                cost.append(LATE * rate * variables.late)
        weight = 0
        if self._absent:
            # More than all the cost there can be.
            weight = tariff.of({}) + 1
            missing = sum(task.priority * self._tasks[name].none for name, task in tariff.tasks.items())
            self._model.add(missing <= self._absent)
            cost.append(weight * missing)
        self._model.minimize(sum(cost))
        return weight

    def solver(self, seconds: float, workers: int, seed: int) -> cp_model.CpSolver:
        """A solver for `solve`, which another thread may tell to stop."""
        solver = self._cp.CpSolver()
        solver.parameters.max_time_in_seconds = max(0.0, seconds)
        solver.parameters.num_workers = workers
        solver.parameters.random_seed = seed
        # Who interrupts is heard by the caller.
        solver.parameters.catch_sigint_signal = False
        return solver

    def solve(
        self, solver: cp_model.CpSolver, known: Mapping[str, Placement], told: Callable[[float], None]
    ) -> Found | None:
        """Search from a known schedule; None where nothing was found in time.

        Args:
            told: is called with the cost of each better schedule.
        """
        self._hint(known)

        class Better(self._cp.CpSolverSolutionCallback):  # type: ignore[misc,name-defined]
            def on_solution_callback(self) -> None:
                told(self.objective_value)

        status = solver.solve(self._model, Better())
        if status not in (self._cp.OPTIMAL, self._cp.FEASIBLE):
            return None
        placed = {
            name: Placement(name, way.mode, solver.value(variables.start), solver.value(variables.end))
            for name, variables in self._tasks.items()
            for way in variables.ways
            if solver.boolean_value(way.taken)
        }
        missing = sum(t.priority for name, t in self._tariff.tasks.items() if name not in placed)
        bound = round(solver.best_objective_bound) - self._weight * missing
        return Found(placed, bound, status == self._cp.OPTIMAL)

    def _hint(self, known: Mapping[str, Placement]) -> None:
        hint, tariff = self._model.add_hint, self._tariff
        ends = {n: known[n].end if n in known else self._problem.horizon for n in tariff.tasks}
        for name, variables in self._tasks.items():
            mode = known[name].mode if name in known else None
            start = known[name].start if name in known else tariff.alone[name].ready
            hint(variables.start, start)
            hint(variables.end, ends[name])
            if self._absent:
                hint(variables.none, mode is None)
            if variables.late is not None:
                hint(variables.late, lateness(tariff.tasks[name], ends[name]))
            for way in variables.ways:
                taken = way.mode is mode
                hint(way.taken, taken)
                if not isinstance(way.length, int):
                    hint(way.length, ends[name] - start if taken else 0)
                for choice in way.choices:
                    here = taken and choice.piece.first <= start <= choice.piece.last
                    if choice.taken is not way.taken:
                        hint(choice.taken, here)
                    if choice.later is not None:
                        hint(choice.later, start - choice.piece.first if here else 0)
        if self._worst is not None:
            hint(self._worst, max(0, *(tariff.unfairness(team, ends) for team in tariff.unfair)))
