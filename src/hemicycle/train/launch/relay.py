"""Progress of a training in other processes: its first rank writes it to a file, who waits shows it."""

from __future__ import annotations

import contextlib
import json
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from hemicycle.progress import Bar, Progress

#: Seconds between two writings, at least.
_EVERY = 1.0


class Written:
    """Progress as a small file, replaced once a second at most; a bar inside a bar is not shown."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._told: dict[str, Any] = {"start": uuid.uuid4().hex, "said": [], "bar": None}
        self._bars = 0
        self._at = 0.0

    @contextmanager
    def start(self, what: str, total: float | None, unit: str = "") -> Iterator[Bar]:
        self._bars += 1
        bar = _WrittenBar(self, {"number": self._bars, "what": what, "total": total, "unit": unit})
        outer = self._told["bar"]
        if outer is None or outer["ended"]:
            self._told["bar"] = bar.told
        self.write()
        try:
            yield bar
        finally:
            bar.told["ended"] = True
            self.write()

    def say(self, text: str) -> None:
        self._told["said"].append(text)
        self.write()

    def write(self, *, now: bool = True) -> None:
        if not now and time.monotonic() - self._at < _EVERY:
            return
        self._at = time.monotonic()
        # Not flushed to the disk, and not worth the training where the disk is full.
        with contextlib.suppress(OSError):
            aside = self.path.with_name(f".{self.path.name}.{os.getpid()}.aside")
            aside.write_text(json.dumps(self._told), "utf-8")
            aside.replace(self.path)


class _WrittenBar:
    def __init__(self, written: Written, told: dict[str, Any]) -> None:
        self.told = {**told, "done": 0.0, "note": "", "ended": False}
        self._written = written

    def advance(self, amount: float) -> None:
        self.told["done"] += amount
        self._written.write(now=False)

    def note(self, text: str) -> None:
        self.told["note"] = text
        self._written.write(now=False)


class Shown:
    """Shows what `Written` wrote, at every look and at the end."""

    def __init__(self, path: Path, progress: Progress) -> None:
        self.path, self.progress = path, progress
        self._last: dict[str, Any] = {"start": None, "said": [], "bar": None}
        self._bar: Bar | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Shown:
        return self

    def __exit__(self, *raised: object) -> None:
        self.look()
        self._stack.close()

    def look(self) -> bool:
        """Show what is new; whether anything was."""
        try:
            told = json.loads(self.path.read_bytes())
        except (FileNotFoundError, json.JSONDecodeError):
            return False
        last, self._last = self._last, told
        if told == last:
            return False
        again = told["start"] != last["start"]
        for text in told["said"][0 if again else len(last["said"]) :]:
            self.progress.say(text)
        self._show(told["bar"], None if again else last["bar"])
        return True

    def _show(self, bar: dict[str, Any] | None, last: dict[str, Any] | None) -> None:
        if bar is None or last is None or bar["number"] != last["number"]:
            self._stack.close()
            self._bar, last = None, None
        if bar is None:
            return
        if self._bar is None:
            self._bar = self._stack.enter_context(self.progress.start(bar["what"], bar["total"], bar["unit"]))
        self._bar.advance(bar["done"] - (last["done"] if last else 0.0))
        self._bar.note(bar["note"])
        if bar["ended"]:
            self._stack.close()
