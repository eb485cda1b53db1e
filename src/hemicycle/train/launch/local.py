"""Training on this machine: in this process, or in one process a graphics card under torchrun's agent."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from hemicycle.errors import DeclarationError, HemicycleError
from hemicycle.progress import Progress
from hemicycle.train.job import Job
from hemicycle.train.launch.outcome import (
    AGAIN,
    MARK,
    PROGRESS,
    STOP,
    begin,
    failures,
    kept_step,
    kept_words,
    last_lines,
    take,
    write_job,
)
from hemicycle.train.launch.parent import PARENT
from hemicycle.train.launch.reasons import described, reason_of
from hemicycle.train.launch.relay import Shown
from hemicycle.train.machine import accelerators
from hemicycle.train.stopping import heeding_interrupts, never

#: Seconds between two looks at how the others are doing.
_LOOK = 0.2

#: Seconds they have to save a checkpoint after Ctrl-C.
_LEAVE = 60.0


class Here:
    """Ranks on this machine; None: one a graphics card, or one where there is none."""

    def __init__(self, ranks: int | None = None) -> None:
        self.ranks = ranks

    @property
    def alone(self) -> bool:
        return self._count() == 1

    def _count(self) -> int:
        return self.ranks or accelerators() or 1

    def run(self, job: Job, progress: Progress) -> dict[str, Any]:
        mark = job.scratch / MARK
        if mark.exists():
            raise DeclarationError(
                f"the model {job.name} is trained by the job {mark.read_text('utf-8').strip()} of Slurm",
                place=str(mark),
                remedy="Wait for it with `--on slurm`; or cancel it with `scancel`, and delete that file.",
            )
        if self.alone:
            return _in_this_process(job, progress)
        return _in_others(job, self._count(), progress)


def why_not(job: Job, code: int | None, log: Path) -> HemicycleError:
    """Why a training in other processes left no result: its own words, or the end of a log."""
    kept = kept_step(job.scratch)
    for failure in failures(job.scratch):
        return failure.error(kept)
    said = last_lines(log, 1)
    what = "was told to stop" if code == AGAIN else "ended without a result" + (f": {said}" if said else "")
    return HemicycleError(
        f"the training of {job.name} {what}", place=str(log), remedy=kept_words(kept) or "Run again."
    )


def _in_this_process(job: Job, progress: Progress) -> dict[str, Any]:
    from hemicycle.train.loop import train

    try:
        with heeding_interrupts(never) as stop:
            return train(job, progress, stop)
    except HemicycleError:
        raise
    except Exception as error:
        reason = reason_of(described(error))
        if reason is None:
            raise
        file = error.filename if isinstance(error, OSError) else None
        remedy = " ".join(filter(None, [reason.remedy, kept_words(kept_step(job.scratch))]))
        raise HemicycleError(reason.what, place=file and str(file), remedy=remedy) from error


def _in_others(job: Job, ranks: int, progress: Progress) -> dict[str, Any]:
    done = take(job)
    if done is not None:
        return done
    begin(job.scratch)
    (job.scratch / STOP).unlink(missing_ok=True)
    log = job.scratch / "node-0.log"
    command = [sys.executable, "-m", "hemicycle.train.launch.node", str(write_job(job))]
    command += ["--ranks", str(ranks)]
    environment = {**os.environ, PARENT: str(os.getpid())}
    with log.open("wb") as out:
        # A session of its own: Ctrl-C of the terminal is for this process to pass on.
        node = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True, env=environment)
    try:
        with Shown(job.scratch / PROGRESS, progress) as shown:
            while node.poll() is None:
                shown.look()
                time.sleep(_LOOK)
    except KeyboardInterrupt:
        _leave(node, job.scratch, progress)
        raise
    finally:
        # Its ranks end with it.
        if node.poll() is None:
            node.kill()
        node.wait()
    done = take(job)
    if done is None:
        raise why_not(job, node.returncode, log)
    return done


def _leave(node: subprocess.Popen[bytes], scratch: Path, progress: Progress) -> None:
    """Have the ranks save a checkpoint and leave; a second Ctrl-C, or patience at its end, does without."""
    progress.say("saving a checkpoint; Ctrl-C once more leaves without it")
    (scratch / STOP).touch()
    with contextlib.suppress(KeyboardInterrupt, subprocess.TimeoutExpired):
        node.wait(_LEAVE)
