"""The lookout: judges a training at every writing of its log, and says what begins and what is over.

An alarm is raised where it is met at two looks in a row, and is over where it is not met at two in a row, so
that one slow moment is no alarm and a figure at its bound does not ring each time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from hemicycle.errors import InputError
from hemicycle.progress import Progress
from hemicycle.train.alarms import GRACE, Alarm, Numbers, alarms, data_share, recent
from hemicycle.train.causes import Machine, seen_here
from hemicycle.train.expected import Expected, read_expected
from hemicycle.train.log import RunState

#: Energy is judged over so many seconds of steps behind: counters jump about.
ENERGY_SECONDS = 600.0


class Lookout:
    """Watches over one process of a training, on rank 0.

    Args:
        expected: what was planned; None where there is no plan.
        grace: see `alarms`.
        machine: looks at this machine, where there is an alarm to explain.
    """

    def __init__(
        self,
        expected: Expected | None,
        progress: Progress,
        *,
        grace: float = GRACE,
        machine: Callable[[], Machine] = Machine.here,
    ) -> None:
        self.expected = expected
        self._progress, self._grace, self._machine = progress, grace, machine
        self._met: set[str] = set()
        self._step: int | None = None
        #: Steps done and joules so far at the looks behind.
        self._energy: deque[tuple[int, float]] = deque()

    def look(self, state: RunState, steps: Mapping[str, Numbers], now: float) -> list[tuple[str, bool]]:
        """Judge the training as it stands: `state.alarms` has the alarms afterwards.

        Returns those that begin (True) or are over (False), by name.
        """
        if state.step == self._step:
            return []
        self._step = state.step
        part = recent(state, steps, self._grace)
        lately = steps["skipped"][part] if part is not None else steps["skipped"][:0]
        seen = seen_here(
            state,
            self.expected,
            self._machine(),
            data_share=data_share(steps, part),
            skipped=int(lately.sum()),
        )
        joules = self._joules(state, steps, judged=part is not None)
        met = alarms(self.expected, state, steps, now, grace=self._grace, joules=joules, seen=seen)
        return self._change(state, met)

    def _change(self, state: RunState, met: list[Alarm]) -> list[tuple[str, bool]]:
        before, self._met, last = {alarm.name for alarm in state.alarms}, {a.name for a in met}, self._met
        lasting = [a for a in state.alarms if a.name not in self._met and a.name in last]
        over = [a for a in state.alarms if a.name not in self._met and a.name not in last]
        standing = [a for a in met if a.name in before or a.name in last]
        begun = [a for a in standing if a.name not in before]
        state.alarms = [*standing, *lasting]
        for alarm in begun:
            for line in described(alarm, state.name):
                self._progress.say(line)
        for alarm in over:
            since = f"the alarm {alarm.name} of step {alarm.since:,}"
            self._progress.say(f"model {state.name}, step {state.step:,}: {since} is over")
        return [*((a.name, True) for a in begun), *((a.name, False) for a in over)]

    def _joules(
        self, state: RunState, steps: Mapping[str, Numbers], *, judged: bool
    ) -> tuple[int, float] | None:
        """A step some minutes behind, and the joules since it."""
        if state.joules is None or not judged:
            return None
        self._energy.append((state.step, state.joules))
        while len(self._energy) > 2:
            second = int(np.searchsorted(steps["step"], self._energy[1][0]))
            if steps["seconds"][second:].sum() < ENERGY_SECONDS:
                break
            self._energy.popleft()
        first, joules = self._energy[0]
        return (first, state.joules - joules) if first < state.step else None


def lookout_of(model: str, plan: Path | None, progress: Progress, *, grace: float = GRACE) -> Lookout:
    """The lookout of a training with its plan, if there is one.

    A plan that cannot be read, or is another model's, stops no training: it is said, and the training is
    watched without.
    """
    expected = None
    if plan is not None:
        try:
            expected = read_expected(plan)
            if expected.model != model:
                raise InputError(f"this is the plan of the model {expected.model}", place=str(plan))
        except InputError as error:
            expected = None
            progress.say(f"{error.sentence}; model {model} is not compared with it")
    return Lookout(expected, progress, grace=grace)


def described(alarm: Alarm, model: str) -> list[str]:
    """An alarm and its likely causes in lines for a log."""
    lines = [f"ALARM {alarm.name}, model {model}, step {alarm.since:,}: {alarm.sentence}"]
    for cause in alarm.causes:
        where = f"seen here ({cause.seen})" if cause.seen else "or"
        lines.append(f"  {where}: {cause.cause}; {cause.check}")
    return lines
