"""Progress of long work: what, how far, how fast, how long still; bars only where somebody watches.

Rooms know only `Progress` and `Bar`. The command line hands them a `Terminal` where stderr is one, and
`Lines` otherwise: a log, in which work of minutes says a few times how far it is.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from hemicycle.typeset import format_duration, format_number

#: A log has a line of long work after so many seconds, then at longer and longer intervals up to the second.
FIRST_LINE, LONGEST_PAUSE = 60.0, 600.0


class Bar(Protocol):
    """One piece of work under way."""

    def advance(self, amount: float) -> None: ...

    def note(self, text: str) -> None:
        """Show a short text beside the bar: the loss, the file at hand."""


class Progress(Protocol):
    """Where work is reported to."""

    def start(self, what: str, total: float | None, unit: str = "") -> AbstractContextManager[Bar]:
        """Begin a piece of work of `total` units (None: unknown); it ends with the context."""

    def say(self, text: str) -> None:
        """Tell one thing that must be known, in a log too: a run that resumes, a machine that is busy."""


class _NoBar:
    def advance(self, amount: float) -> None:
        pass

    def note(self, text: str) -> None:
        pass


class _Quiet:
    @contextmanager
    def start(self, what: str, total: float | None, unit: str = "") -> Iterator[Bar]:
        yield _NoBar()

    def say(self, text: str) -> None:
        pass


QUIET: Progress = _Quiet()


class Lines:
    """What is said goes to stderr, one line each; work that takes minutes says there how far it is."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock

    @contextmanager
    def start(self, what: str, total: float | None, unit: str = "") -> Iterator[Bar]:
        yield _Line(self, what, total, unit, self._clock)

    def say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


class _Line:
    """A bar that is a line now and then: ``train: 34%, 6,812 tokens/s, 2 min left, loss 2.346``."""

    def __init__(
        self, log: Lines, what: str, total: float | None, unit: str, clock: Callable[[], float]
    ) -> None:
        self._log, self._what, self._total, self._unit, self._clock = log, what, total, unit, clock
        self._began = clock()
        self._due = self._began + FIRST_LINE
        self._note = ""
        self._done = 0.0
        #: Where the stretch began over which speed is taken. What was done before a resumption comes as the
        #: first advance, in no time, and is no speed.
        self._since: tuple[float, float] | None = None

    def advance(self, amount: float) -> None:
        self._done += amount
        now = self._clock()
        if self._since is None:
            self._since = now, self._done
        elif now >= self._due:
            self._log.say(f"{self._what}: {', '.join(self._figures(now, *self._since))}")
            self._since = now, self._done
            self._due = now + min(LONGEST_PAUSE, max(FIRST_LINE, (now - self._began) / 10))

    def note(self, text: str) -> None:
        self._note = text

    def _figures(self, now: float, since: float, done_then: float) -> Iterator[str]:
        speed = (self._done - done_then) / (now - since) if now > since else 0.0
        if self._total:
            yield f"{100 * self._done / self._total:.0f}%"
        if self._unit and speed:
            yield f"{format_number(speed, 'en', decimals=0)} {self._unit}/s"
        if self._total and speed:
            yield f"{format_duration((self._total - self._done) / speed, 'en')} left"
        if self._note:
            yield self._note


class Terminal:
    """Bars on stderr, drawn by rich."""

    def __init__(self) -> None:
        from rich.console import Console

        self.console = Console(stderr=True)

    def say(self, text: str) -> None:
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    @contextmanager
    def start(self, what: str, total: float | None, unit: str = "") -> Iterator[Bar]:
        from rich import progress as rich_progress

        speed = f"{{task.fields[speed]}} {unit}/s" if unit else ""
        with rich_progress.Progress(
            rich_progress.TextColumn("  {task.description}"),
            rich_progress.BarColumn(),
            rich_progress.TaskProgressColumn(),
            rich_progress.TextColumn(speed),
            rich_progress.TimeRemainingColumn(),
            rich_progress.TextColumn("{task.fields[note]}", markup=False),
            console=self.console,
            transient=True,
        ) as bars:
            yield _TerminalBar(bars, bars.add_task(what, total=total, note="", speed="–"))


class _TerminalBar:
    def __init__(self, bars: object, task: object) -> None:
        self._bars, self._task = bars, task

    def advance(self, amount: float) -> None:
        bars, task = self._bars, self._task
        bars.advance(task, amount)  # type: ignore[attr-defined]
        speed = bars.tasks[0].speed  # type: ignore[attr-defined]
        if speed:
            bars.update(task, speed=f"{speed:,.0f}")  # type: ignore[attr-defined]

    def note(self, text: str) -> None:
        self._bars.update(self._task, note=text)  # type: ignore[attr-defined]
