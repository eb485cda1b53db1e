"""Progress of long work: what, how far, how fast, how long still; bars only where somebody watches.

Rooms know only `Progress` and `Bar`. The command line hands them a `Terminal` where stderr is one, and
`Lines` otherwise.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


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


class Lines(_Quiet):
    """No bars; what is said goes to stderr, one line each."""

    def say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


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
