"""Tasks: what an engine runs, and how it is known that one is done.

A task's result is a small JSON file, written last and in one rename. A task whose result is there is done;
one that was killed half-way has none, and runs again over whatever it left. Errors travel as files too, so
that a sentence written on another machine reaches the person who waits.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from hemicycle import errors
from hemicycle.digests import sha256_json
from hemicycle.errors import HemicycleError
from hemicycle.progress import Bar, Progress
from hemicycle.store import sync_file, write_aside


@dataclass(frozen=True)
class Task:
    """One part of a stage's work.

    Attributes:
        name: unique in its stage; names its result.
        arguments: of the function, as JSON; paths as strings.
        weight: how much work it is, in the unit of the stage's progress (bytes, mostly).
        outputs: files it writes. They stand where a kill leaves them, in the stage's scratch folder, and are
            moved into the artefact once all tasks are done (`move_outputs`).
    """

    name: str
    arguments: Mapping[str, Any]
    weight: float = 1.0
    outputs: tuple[str, ...] = ()


class Engine(Protocol):
    """Where tasks run."""

    def map(
        self, function: str, tasks: Sequence[Task], folder: Path, *, what: str, progress: Progress
    ) -> list[dict[str, Any]]:
        """Run ``module:function`` on every task that is not done and return all results, in order of tasks.

        `folder` holds the results; on a cluster it must be one that all machines see. Raises the first
        task's error, in order of tasks; what other tasks finished is kept for the next time.
        """
        ...


def result_path(function: str, task: Task, folder: Path) -> Path:
    """Where a task's result stands: another function or other arguments are another task."""
    return folder / f"{task.name}.{sha256_json([function, dict(task.arguments)])[:12]}.json"


def pending(function: str, tasks: Sequence[Task], folder: Path) -> list[Task]:
    """The tasks that are not done: a result counts only while all that the task wrote is there."""
    return [task for task in tasks if not _done(function, task, folder)]


def _done(function: str, task: Task, folder: Path) -> bool:
    written = [result_path(function, task, folder), *map(Path, task.outputs)]
    return all(path.exists() for path in written)


@contextmanager
def under_way(
    function: str, tasks: Sequence[Task], folder: Path, what: str, progress: Progress
) -> Iterator[tuple[list[Task], Bar]]:
    """The tasks that are not done, the heaviest first so that none is left alone at the end, and a bar that
    stands at what is done."""
    folder.mkdir(parents=True, exist_ok=True)
    waiting = sorted(pending(function, tasks, folder), key=lambda task: -task.weight)
    total = sum(task.weight for task in tasks)
    with progress.start(what, total, "B") as bar:
        bar.advance(total - sum(task.weight for task in waiting))
        yield waiting, bar


def move_outputs(tasks: Sequence[Task], work: Path, out: Path) -> None:
    """Move what all tasks wrote below `work` to the same places below `out`."""
    for task in tasks:
        for output in map(Path, task.outputs):
            place = out / output.relative_to(work)
            place.parent.mkdir(parents=True, exist_ok=True)
            output.rename(place)


def run_task(function: str, task: Task, folder: Path) -> None:
    """Run one task and write its result; an error is written in its stead, beside it."""
    path = result_path(function, task, folder)
    failure = path.with_suffix(".error")
    # A result whose outputs are gone is none, and must not stand for what this attempt may leave.
    for old in (path, failure):
        old.unlink(missing_ok=True)
    try:
        figures = _named(function)(**task.arguments)
        for output in map(Path, task.outputs):
            sync_file(output)
        write_aside(path, json.dumps(figures, ensure_ascii=False).encode("utf-8"))
    except Exception as error:
        said = (
            error if isinstance(error, HemicycleError) else _unforeseen(error, task, path.with_suffix(".log"))
        )
        told = {"type": type(said).__name__, "what": said.what, "place": said.place, "remedy": said.remedy}
        write_aside(failure, json.dumps(told, ensure_ascii=False).encode("utf-8"))


def _unforeseen(error: Exception, task: Task, log: Path) -> HemicycleError:
    """An error that is not ours, as a sentence; where in the code it came from is written to `log`."""
    # A full disk is what is told here, and has no room for more.
    with contextlib.suppress(OSError):
        write_aside(log, "".join(traceback.format_exception(error)).encode("utf-8", "backslashreplace"))
    if isinstance(error, OSError) and error.strerror:
        at = f" ({error.filename})" if error.filename else ""
        return HemicycleError(
            f"the task {task.name} could not go on: {error.strerror}{at}",
            place=str(log),
            remedy="Mend that and run again: what other tasks finished is kept.",
        )
    last = traceback.format_exception_only(error)[-1].strip()
    return HemicycleError(
        f"the task {task.name} failed: {last}",
        place=str(log),
        remedy="Hemicycle did not foresee this: report it with that file.",
    )


def results(function: str, tasks: Sequence[Task], folder: Path) -> list[dict[str, Any]]:
    """The results of all tasks. Raises the first error written, or HemicycleError where neither is there."""
    found = []
    for task in tasks:
        path = result_path(function, task, folder)
        if not _done(function, task, folder):
            raise _failure(path.with_suffix(".error"), task)
        found.append(json.loads(path.read_bytes()))
    return found


def _failure(path: Path, task: Task) -> HemicycleError:
    if not path.exists():
        return HemicycleError(
            f"the task {task.name} ended without a result",
            place=str(path.parent),
            remedy="It was killed, for memory perhaps: run again, with fewer workers if it happens again.",
        )
    told = json.loads(path.read_bytes())
    kind: type[HemicycleError] = getattr(errors, told["type"], HemicycleError)
    return kind(told["what"], place=told["place"], remedy=told["remedy"])


def _named(function: str) -> Callable[..., dict[str, Any]]:
    module, name = function.split(":")
    found: Callable[..., dict[str, Any]] = getattr(importlib.import_module(module), name)
    return found
