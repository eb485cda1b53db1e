"""One rank of a training: ``python -m hemicycle.train.launch.worker JOB.json``.

Which rank it is, of how many, is in the environment, as torchrun sets it; without, it is the only one. It
ends with 0 and a result, with 75 where it was asked to stop and saved a checkpoint, or with 1 and the reason.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import sys
import time
import traceback
from pathlib import Path

from hemicycle.progress import QUIET
from hemicycle.train.job import Job
from hemicycle.train.launch.outcome import (
    AGAIN,
    PROGRESS,
    STOP,
    reserve,
    write_failure,
    write_result,
)
from hemicycle.train.launch.parent import die_with_parent
from hemicycle.train.launch.reasons import of_error
from hemicycle.train.launch.relay import Written
from hemicycle.train.launch.watchdog import step_under_way
from hemicycle.train.stopping import Stopped

#: Seconds between two looks for the file that asks to stop.
_LOOK = 1.0


class Stop:
    """Whether to save a checkpoint and leave: SIGUSR1, SIGTERM or SIGINT came, or the file is there."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._asked = False
        self._looked = 0.0
        for number in (signal.SIGUSR1, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)

    def _ask(self, *_: object) -> None:
        self._asked = True

    def __call__(self) -> bool:
        now = time.monotonic()
        if not self._asked and now - self._looked > _LOOK:
            self._looked = now
            self._asked = self.file.exists()
        return self._asked


def run_rank(job: Job) -> int:
    """Train as the rank that the environment says; the exit code."""
    rank = int(os.environ.get("RANK", "0"))
    log = job.scratch / f"rank-{rank}.log"
    stop = Stop(job.scratch / STOP)
    try:
        reserve(job.scratch, rank)
        _write_to(log)
        from hemicycle.train.loop import train

        progress = Written(job.scratch / PROGRESS) if rank == 0 else QUIET
        figures = train(job, progress, stop)
        if rank == 0:
            write_result(job, figures)
    except Stopped as stopped:
        print(stopped, file=sys.stderr, flush=True)
        return AGAIN
    # Not all that torch raises of checkpoints is an Exception.
    except BaseException as error:
        step = step_under_way(job.scratch, rank)
        write_failure(job.scratch, rank, of_error(error, log, rank, step))
        with contextlib.suppress(OSError):
            traceback.print_exc()
            sys.stderr.flush()
        return 1
    return 0


def _write_to(log: Path) -> None:
    """Send what this process writes to its log; SIGUSR2 makes it write where it stands."""
    fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        os.dup2(fd, stream.fileno())
    os.close(fd)
    faulthandler.enable()
    faulthandler.register(signal.SIGUSR2)


def main() -> None:
    die_with_parent()
    # Whatever a training reads is there; a node without a network must not wait for one.
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    code = run_rank(Job.from_json(Path(sys.argv[1]).read_text("utf-8")))
    if code:
        # Threads of a lost connection would keep the process from ending.
        os._exit(code)


if __name__ == "__main__":
    main()
