"""Scheduling: where and when the tasks of a programme run.

First as much priority is placed as can be, then at the least cost (`hemicycle.plan.cost`). Up to half of the
time goes to lists that are annealed, from the lists that people would make; then a linear program says what
cannot be gone below; for the rest of the time CP-SAT searches on from the best schedule, and proves it where
a programme has some ten or twenty tasks. What is returned is the best of all, with the gap to what is proven.
"""

from __future__ import annotations

import functools
import importlib.util
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from typing import TypeVar

from hemicycle.errors import HemicycleError
from hemicycle.plan.cost import SCALE, Tariff, tariff
from hemicycle.plan.hours import Clock
from hemicycle.plan.listing import Lists
from hemicycle.plan.model import MOST_PIECES, Model, size
from hemicycle.plan.problem import Placement, Problem, Schedule, Unplaced
from hemicycle.plan.reasons import reasons
from hemicycle.plan.relaxation import MOST_WAYS, Relaxation
from hemicycle.plan.wording import Told
from hemicycle.progress import QUIET, Bar, Progress

T = TypeVar("T")

#: Shares of the time that annealing and the linear program take at most, and that is kept for the end.
_ANNEALED, _RELAXED, _KEPT = 0.5, 0.2, 0.02

#: About how many pieces of a model are written down in a second: where that takes all there is, none is made.
_PIECES_A_SECOND = 1_500

#: Seconds between two looks at whether work that another thread does is done.
_LOOK = 0.1


def schedule(
    problem: Problem,
    *,
    seconds: float = 60.0,
    workers: int = 2,
    seed: int = 0,
    progress: Progress = QUIET,
    at: Callable[[int], Told] = lambda hour: f"hour {hour:,}",
) -> Schedule:
    """The best schedule found in a time; the best there is where that is proven sooner.

    An interrupt ends the search, and the best so far is returned. With one worker, equal problems and seeds
    give equal schedules unless time runs out before; more find more, and may find another.

    Args:
        workers: threads.
        at: how an hour is written in reasons.

    Raises HemicycleError where OR-tools is not installed.
    """
    if importlib.util.find_spec("ortools") is None:
        raise HemicycleError(
            "scheduling needs OR-tools, which is not installed", remedy="pip install 'hemicycle[plan]'"
        )
    with progress.start("schedule", seconds) as bar:
        watch = _Watch(seconds, bar)
        clock = Clock(problem)
        counted = tariff(problem, clock)
        search = _Search(problem, clock, counted, watch)
        if counted.tasks:
            search.anneal(workers, seed)
            search.relax()
            search.solve(workers, seed)
        return search.told(at)


class _Watch:
    """The time of a search, and whether somebody interrupted it."""

    def __init__(self, seconds: float, bar: Bar) -> None:
        self._begun = self._shown = time.monotonic()
        self._seconds, self._bar = seconds, bar
        self.stopped = threading.Event()

    @property
    def spent(self) -> float:
        return time.monotonic() - self._begun

    def left(self, share: float) -> float:
        """Seconds until a share of the time is over."""
        return max(0.0, share * self._seconds - self.spent)

    def note(self, cost: float) -> None:
        self._bar.note(f"cost {cost / SCALE:,.0f}")

    def attend(self, works: Sequence[Callable[[], T]], stop: Callable[[], None]) -> list[T]:
        """What some works return, each in a thread of its own; an interrupt stops them."""
        with ThreadPoolExecutor(len(works)) as threads:
            futures = [threads.submit(work) for work in works]
            while not all(future.done() for future in futures):
                try:
                    wait_for(futures, _LOOK)
                    now = time.monotonic()
                    self._bar.advance(now - self._shown)
                    self._shown = now
                except KeyboardInterrupt:
                    self.stopped.set()
                if self.stopped.is_set():
                    # Again and again: what has not begun does not hear it.
                    stop()
            return [future.result() for future in futures]


class _Search:
    """The best schedule so far, and what is proven of it."""

    def __init__(self, problem: Problem, clock: Clock, counted: Tariff, watch: _Watch) -> None:
        self._problem, self._clock, self._counted, self._watch = problem, clock, counted, watch
        self._best: Mapping[str, Placement] = {}
        self._absent, self._cost = counted.worth({})
        self._bound = counted.whole()
        self._proven = not counted.tasks

    def anneal(self, workers: int, seed: int) -> None:
        lists = Lists(self._problem, self._clock, self._counted)
        until = time.monotonic() + self._watch.left(_ANNEALED)

        def over() -> bool:
            return self._watch.stopped.is_set() or time.monotonic() > until

        works = [functools.partial(lists.anneal, seed * workers + number, over) for number in range(workers)]
        found = self._watch.attend(works, lambda: None)
        self._take(lists.placed(min(found, key=lambda layout: layout.worth)))

    def relax(self) -> None:
        ways = sum(len(task.modes) for task in self._counted.tasks.values())
        if self._done() or ways > MOST_WAYS:
            return
        relaxation = Relaxation(self._problem, self._clock, self._counted, self._absent)
        seconds = self._watch.left(_ANNEALED + _RELAXED)
        [bound] = self._watch.attend([lambda: relaxation.bound(seconds)], relaxation.stop)
        self._raise(bound)

    def solve(self, workers: int, seed: int) -> None:
        pieces = size(self._problem, self._counted)
        left = self._watch.left(1.0 - _KEPT)
        if self._done() or pieces > MOST_PIECES or left < pieces / _PIECES_A_SECOND:
            return
        model = Model(self._problem, self._clock, self._counted, self._absent)
        solver = model.solver(self._watch.left(1.0 - _KEPT), workers, seed)
        [found] = self._watch.attend(
            [lambda: model.solve(solver, self._best, self._watch.note)], solver.stop_search
        )
        if found is None:
            return
        self._take(found.placed)
        if (self._absent, self._cost) == self._counted.worth(found.placed):
            self._proven = found.proven
            self._raise(found.bound)
        if self._absent and not self._proven:
            self._fill()

    def told(self, at: Callable[[int], Told]) -> Schedule:
        placed = self._best
        proven = self._proven or self._nothing_better()
        unplaced = (
            Unplaced(
                task.name,
                reasons(self._problem, self._clock, self._counted, task, placed, proven=proven, at=at),
            )
            for task in self._problem.tasks
            if task.name not in placed
        )
        return Schedule(
            placements=tuple(sorted(placed.values(), key=lambda p: (p.start, p.task))),
            unplaced=tuple(unplaced),
            objective=self._cost / SCALE,
            bound=(self._cost if proven else self._bound) / SCALE,
            alone=self._counted.whole() / SCALE,
            optimal=proven,
            seconds=self._watch.spent,
        )

    def _take(self, placed: Mapping[str, Placement]) -> None:
        worth = self._counted.worth(placed)
        if not self._best or worth < (self._absent, self._cost):
            self._best = placed
            self._absent, self._cost = worth
            self._watch.note(self._cost)

    def _raise(self, bound: int | None) -> None:
        if bound is not None:
            self._bound = min(self._cost, max(self._bound, bound))

    def _nothing_better(self) -> bool:
        return self._absent == 0 and self._cost <= self._bound

    def _done(self) -> bool:
        return self._watch.stopped.is_set() or self._nothing_better()

    def _fill(self) -> None:
        """Place what there is still room for beside the best."""
        lists = Lists(self._problem, self._clock, self._counted)
        self._take(lists.fill(self._best))
