"""The same tasks as a Slurm job array, one array element a task; nothing is needed but `sbatch`.

The script and the list of tasks stay in the folder of results, so a person can read what was submitted and
submit it again by hand. An array whose waiter was killed is waited for by the next run, before it submits
what is still not done.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hemicycle.digests import sha256_json
from hemicycle.engines import sbatch
from hemicycle.engines.tasks import Task, pending, results, run_task, under_way
from hemicycle.progress import QUIET, Bar, Progress
from hemicycle.sites import Site
from hemicycle.store import write_aside

#: Elements of one array; most sites allow 1001.
LARGEST_ARRAY = 1000


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
        write_aside(mark, sbatch.submit(script).encode("utf-8"))
        return mark


def _await(mark: Path, function: str, tasks: list[Task], folder: Path, bar: Bar) -> list[Task]:
    """Wait until the tasks are done or the job has left the queue; the tasks that are not done."""
    left = tasks

    def look() -> tuple[bool, bool]:
        nonlocal left
        before, left = left, pending(function, left, folder)
        bar.advance(sum(task.weight for task in before) - sum(task.weight for task in left))
        return not left, len(left) < len(before)

    sbatch.attend(mark, look)
    mark.unlink(missing_ok=True)
    return left


def array_script(site: Site, what: str, tasks: Sequence[Task], listing: Path) -> str:
    """The text to submit: one element a task of `listing`, which stands in the folder of results.

    Raises DeclarationError where a path cannot be told to Slurm or to Apptainer.
    """
    folder = listing.parent
    options = {
        "job-name": sbatch.job_name(what),
        "array": f"0-{len(tasks) - 1}%{site.at_once}",
        "account": site.account,
        "partition": site.partition,
        "qos": site.qos,
        "constraint": site.constraint,
        "time": site.time,
        "mem": site.memory,
        "cpus-per-task": "1",
        "output": sbatch.output(listing.with_suffix("")) + ".%a.log",
    }
    arguments = ["-m", "hemicycle.engines.slurm", str(listing), str(folder)]
    if site.container:
        seen = [folder, *(path.parent for task in tasks for path in sbatch.paths(task.arguments))]
        # The image has a Python of its own; where this one stands, it may have nothing.
        command = sbatch.contained(site.container, seen, ["python", *arguments])
    else:
        command = [sys.executable, *arguments]
    threads = [f"export {n}=1" for n in ("POLARS_MAX_THREADS", "NUMBA_NUM_THREADS", "OMP_NUM_THREADS")]
    return "\n".join(
        [
            "#!/bin/bash",
            *sbatch.head(options),
            "",
            "set -e",
            *site.setup,
            *threads,
            shlex.join(command) + " $SLURM_ARRAY_TASK_ID",
            "",
        ]
    )


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
