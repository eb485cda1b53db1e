"""The same tasks as a Slurm job array, one array element a task; nothing is needed but `sbatch`.

The script and the list of tasks stay in the folder of results, so a person can read what was submitted and
submit it again by hand. Whether a task is done is told by its result alone, not by the scheduler: accounting
may be slow, or off. Who waits may be interrupted while the array goes on: its number stays in the folder too,
and the next run waits for it before it submits what is still not done.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hemicycle.digests import sha256_json
from hemicycle.engines.tasks import Task, pending, results, run_task, under_way
from hemicycle.errors import DeclarationError, HemicycleError
from hemicycle.progress import QUIET, Bar, Progress
from hemicycle.sites import SITES, Site
from hemicycle.store import write_aside

#: Elements of one array; most sites allow 1001.
LARGEST_ARRAY = 1000

#: Seconds between two looks at what is done.
_PATIENCE = (1.0, 30.0)

#: Times in a row that `squeue` may fail, about ten minutes: a controller that restarts takes less.
_UNANSWERED = 25

#: Seconds one command of Slurm may take.
_ANSWER = 120.0

#: What ends or escapes a quoted word of a `#SBATCH` line.
_UNQUOTABLE = re.compile(r"['\"\\]")


class Slurm:
    """Job arrays on one site."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def map(
        self, function: str, tasks: Sequence[Task], folder: Path, *, what: str, progress: Progress = QUIET
    ) -> list[dict[str, Any]]:
        with under_way(function, tasks, folder, what, progress) as (waiting, bar):
            for mark in sorted(folder.glob("array-*.job")) if waiting else ():
                waiting = _await(mark, function, waiting, folder, bar)
            for start in range(0, len(waiting), LARGEST_ARRAY):
                part = waiting[start : start + LARGEST_ARRAY]
                _await(self._submit(function, part, folder, what), function, part, folder, bar)
        return results(function, tasks, folder)

    def _submit(self, function: str, tasks: list[Task], folder: Path, what: str) -> Path:
        """Submit an array; the file that holds its number."""
        lines = [
            json.dumps([function, t.name, dict(t.arguments), t.outputs], ensure_ascii=False) for t in tasks
        ]
        # Named by what it lists: an array that is still in the queue keeps its own.
        listing = folder / f"array-{sha256_json(lines)[:12]}.jsonl"
        script, mark = listing.with_suffix(".sbatch"), listing.with_suffix(".job")
        text = array_script(self.site, what, tasks, listing)
        write_aside(listing, ("\n".join(lines) + "\n").encode("utf-8"))
        write_aside(script, text.encode("utf-8"))
        write_aside(mark, _sbatch(script).encode("utf-8"))
        return mark


def _await(mark: Path, function: str, tasks: list[Task], folder: Path, bar: Bar) -> list[Task]:
    """Wait until the tasks are done or the job has left the queue; the tasks that are not done."""
    job = mark.read_text("utf-8", "replace")
    wait, unanswered, left = _PATIENCE[0], 0, tasks
    try:
        while left:
            queued = _in_queue(job)
            # Looked at after the queue: the last results come before their job leaves it.
            still = pending(function, left, folder)
            bar.advance(sum(task.weight for task in left) - sum(task.weight for task in still))
            wait = _PATIENCE[0] if len(still) < len(left) else min(wait * 1.5, _PATIENCE[1])
            left = still
            if queued is False:
                break
            unanswered = unanswered + 1 if queued is None else 0
            if unanswered >= _UNANSWERED:
                raise HemicycleError(
                    f"Slurm no longer says whether the job {job} is in its queue",
                    place=str(mark),
                    remedy="Run again when `squeue` answers: what is done is kept, the job is waited for.",
                )
            if left:
                time.sleep(wait)
    except KeyboardInterrupt:
        # Its number stays: what does not obey is waited for at the next start.
        with contextlib.suppress(HemicycleError):
            _slurm("scancel", job)
        raise
    mark.unlink(missing_ok=True)
    return left


def array_script(site: Site, what: str, tasks: Sequence[Task], listing: Path) -> str:
    """The text to submit: one element a task of `listing`, which stands in the folder of results.

    Raises DeclarationError where a path cannot be told to Slurm or to Apptainer.
    """
    folder = listing.parent
    options = {
        "job-name": "-".join(["hemicycle", *re.findall("[a-z0-9]+", what.lower())]),
        "array": f"0-{len(tasks) - 1}%{site.at_once}",
        "account": site.account,
        "partition": site.partition,
        "qos": site.qos,
        "constraint": site.constraint,
        "time": site.time,
        "mem": site.memory,
        "cpus-per-task": "1",
        # A per cent sign of the path is not one of Slurm's.
        "output": str(listing.with_suffix("")).replace("%", "%%") + ".%a.log",
    }
    if _UNQUOTABLE.search(str(folder)) or not str(folder).isprintable():
        raise _unfit(folder, "Slurm", "quotes, backslashes or line breaks")
    arguments = ["-m", "hemicycle.engines.slurm", str(listing), str(folder)]
    if site.container:
        binds = [word for path in _seen(tasks, folder) for word in ("--bind", str(path))]
        # The image has a Python of its own; where this one stands, it may have nothing.
        command = ["apptainer", "exec", *binds, site.container, "python", *arguments]
    else:
        command = [sys.executable, *arguments]
    head = [f"#SBATCH --{name}={shlex.quote(value)}" for name, value in options.items() if value is not None]
    threads = [f"export {n}=1" for n in ("POLARS_MAX_THREADS", "NUMBA_NUM_THREADS", "OMP_NUM_THREADS")]
    return "\n".join(
        [
            "#!/bin/bash",
            *head,
            "",
            "set -e",
            *site.setup,
            *threads,
            shlex.join(command) + " $SLURM_ARRAY_TASK_ID",
            "",
        ]
    )


def _seen(tasks: Sequence[Task], folder: Path) -> list[Path]:
    """The folders a container must see: of results, and of every path among the arguments; outermost only."""
    folders = {folder, *(Path(text).parent for task in tasks for text in _paths(task.arguments))}
    outermost: list[Path] = []
    for path in sorted(p for p in folders if p.is_dir() and p != Path("/")):
        if not any(path.is_relative_to(o) for o in outermost):
            if re.search("[:,]", str(path)):
                raise _unfit(path, "Apptainer", "colons or commas")
            outermost.append(path)
    return outermost


def _paths(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        if value.startswith("/"):
            yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _paths(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _paths(inner)


def _unfit(path: Path, program: str, characters: str) -> DeclarationError:
    return DeclarationError(
        f"{program} cannot be told a path with {characters}",
        place=str(path),
        remedy="Move the project to a folder without them.",
    )


def _slurm(*command: str | Path) -> subprocess.CompletedProcess[str] | None:
    """What a command of Slurm answered; None where it did not in time."""
    try:
        return subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False, timeout=_ANSWER
        )
    except subprocess.TimeoutExpired:
        return None
    except FileNotFoundError:
        raise DeclarationError(
            f"`{command[0]}` is not on this machine",
            remedy="Run it where jobs are submitted, or leave `--on slurm` out.",
        ) from None


def _sbatch(script: Path) -> str:
    done = _slurm("sbatch", "--parsable", script)
    if done is None:
        raise HemicycleError(
            "Slurm did not answer whether it took the job",
            place=str(script),
            remedy="Look with `squeue --me`, and cancel it before you run again.",
        )
    if done.returncode:
        # Hints come first and what was wrong last.
        said = (done.stderr.strip().splitlines() or ["it does not say why"])[-1]
        raise DeclarationError(
            f"Slurm refused the job: {said.removeprefix('sbatch: ').removeprefix('error: ').strip()}",
            place=SITES,
            remedy="Mend what it names among partition, account, qos, constraint, time and memory there.",
        )
    job = done.stdout.strip().split(";")[0]
    if not job.isdecimal():
        raise HemicycleError(f"Slurm gave the job no number but “{job}”", place=str(script))
    return job


def _in_queue(job: str) -> bool | None:
    """Whether a job is in the queue; None where Slurm does not say."""
    if not job.isdecimal():
        return False
    done = _slurm("squeue", "--noheader", "--job", job)
    if done is None:
        return None
    if done.returncode:
        # A job that has left the queue long ago is unknown to it, which is an error of its own.
        return False if "Invalid job id specified" in done.stderr else None
    return bool(done.stdout.strip())


def main() -> None:
    """One element of an array: ``python -m hemicycle.engines.slurm TASKS FOLDER NUMBER``."""
    listing, folder, number = sys.argv[1:4]
    with open(listing, encoding="utf-8") as lines:
        line = next(line for n, line in enumerate(lines) if n == int(number))
    function, name, arguments, outputs = json.loads(line)
    run_task(function, Task(name, arguments, outputs=tuple(outputs)), Path(folder))


if __name__ == "__main__":
    os.umask(0o027)
    main()
