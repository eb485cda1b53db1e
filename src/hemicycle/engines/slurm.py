"""The same tasks as a Slurm job array, one array element a task; nothing is needed but `sbatch`.

The script and the list of tasks stay in the folder of results, so a person can read what was submitted and
submit it again by hand. Whether a task is done is told by its result alone, not by the scheduler: accounting
may be slow, or off.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hemicycle.engines.tasks import Task, pending, results, run_task
from hemicycle.errors import DeclarationError, HemicycleError
from hemicycle.progress import QUIET, Bar, Progress
from hemicycle.sites import Site

#: Elements of one array; most sites allow 1001.
LARGEST_ARRAY = 1000

#: Seconds between two looks at what is done.
_PATIENCE = (1.0, 30.0)


class Slurm:
    """Job arrays on one site."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def map(
        self, function: str, tasks: Sequence[Task], folder: Path, *, what: str, progress: Progress = QUIET
    ) -> list[dict[str, Any]]:
        folder.mkdir(parents=True, exist_ok=True)
        waiting = pending(function, tasks, folder)
        total = sum(task.weight for task in tasks)
        with progress.start(what, total, "B") as bar:
            bar.advance(total - sum(task.weight for task in waiting))
            for start in range(0, len(waiting), LARGEST_ARRAY):
                part = waiting[start : start + LARGEST_ARRAY]
                self._run_array(function, part, folder, what, bar)
        return results(function, tasks, folder)

    def _run_array(self, function: str, tasks: list[Task], folder: Path, what: str, bar: Bar) -> None:
        listing, script = folder / "tasks.jsonl", folder / "array.sbatch"
        lines = [json.dumps([function, t.name, dict(t.arguments)], ensure_ascii=False) for t in tasks]
        listing.write_text("\n".join(lines) + "\n", "utf-8")
        script.write_text(array_script(self.site, what, len(tasks), listing, folder), "utf-8")
        job = _sbatch(script)
        wait, (longest, left) = _PATIENCE[0], (_PATIENCE[1], tasks)
        while left:
            time.sleep(wait)
            still = pending(function, left, folder)
            bar.advance(sum(task.weight for task in left) - sum(task.weight for task in still))
            wait = _PATIENCE[0] if len(still) < len(left) else min(wait * 1.5, longest)
            if still and not _in_queue(job):
                # Once more: the last results may have come between the two looks.
                if pending(function, still, folder):
                    return
                still = []
            left = still


def array_script(site: Site, what: str, tasks: int, listing: Path, folder: Path) -> str:
    """The text to submit: one element a task of `listing`."""
    options = {
        "job-name": f"hemicycle-{what}",
        "array": f"0-{tasks - 1}%{site.at_once}",
        "account": site.account,
        "partition": site.partition,
        "qos": site.qos,
        "constraint": site.constraint,
        "time": site.time,
        "mem": site.memory,
        "cpus-per-task": "1",
        "output": f"{folder}/%a.log",
    }
    command = [sys.executable, "-m", "hemicycle.engines.slurm", str(listing), str(folder)]
    if site.container:
        command = ["apptainer", "exec", "--bind", str(folder), site.container, *command]
    head = [f"#SBATCH --{name}={value}" for name, value in options.items() if value is not None]
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


def _sbatch(script: Path) -> str:
    try:
        done = subprocess.run(["sbatch", "--parsable", script], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise DeclarationError(
            "`sbatch` is not on this machine",
            remedy="Run it where jobs are submitted, or leave `--on slurm` out.",
        ) from None
    if done.returncode:
        raise HemicycleError(f"Slurm refused the job: {done.stderr.strip()}", place=str(script))
    return done.stdout.strip().split(";")[0]


def _in_queue(job: str) -> bool:
    done = subprocess.run(["squeue", "--noheader", "--job", job], capture_output=True, text=True, check=False)
    # A job that has left the queue long ago is unknown to it, which is an error of its own.
    return done.returncode == 0 and bool(done.stdout.strip())


def main() -> None:
    """One element of an array: ``python -m hemicycle.engines.slurm TASKS FOLDER NUMBER``."""
    listing, folder, number = sys.argv[1:4]
    with open(listing, encoding="utf-8") as lines:
        function, name, arguments = json.loads(next(line for n, line in enumerate(lines) if n == int(number)))
    run_task(function, Task(name, arguments), Path(folder))


if __name__ == "__main__":
    os.umask(0o027)
    main()
