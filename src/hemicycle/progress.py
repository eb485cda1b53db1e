"""Progress of long work: what, how far, how fast, how long still; quiet when nobody watches.

Rooms know only `Progress` and `Bar`. The command line hands them a `Terminal` where stderr is one, and
`QUIET` otherwise.
"""

from __future__ import annotations

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


class _NoBar:
    def advance(self, amount: float) -> None:
        pass

    def note(self, text: str) -> None:
        pass


class _Quiet:
    @contextmanager
    def start(self, what: str, total: float | None, unit: str = "") -> Iterator[Bar]:
        yield _NoBar()


QUIET: Progress = _Quiet()


class Terminal:
    """Bars on stderr, drawn by rich."""

    def __init__(self) -> None:
        from rich.console import Console

        self.console = Console(stderr=True)

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
