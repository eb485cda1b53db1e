"""The embedded engine: as many processes as there are cores, one task each at a time."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from hemicycle.engines.tasks import Task, results, run_task, under_way
from hemicycle.progress import QUIET, Progress

#: Less work than this is done sooner than a second process starts.
_WORTH_A_PROCESS = 8_000_000


class Local:
    """Processes on this machine. `workers`: how many at most; None for one a core."""

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or len(os.sched_getaffinity(0))
        self._pool: ProcessPoolExecutor | None = None
        self._workers: set[BaseProcess] = set()

    def map(
        self, function: str, tasks: Sequence[Task], folder: Path, *, what: str, progress: Progress = QUIET
    ) -> list[dict[str, Any]]:
        with under_way(function, tasks, folder, what, progress) as (waiting, bar):
            if self.workers == 1 or len(waiting) < 2 or sum(task.weight for task in tasks) < _WORTH_A_PROCESS:
                for task in waiting:
                    run_task(function, task, folder)
                    bar.advance(task.weight)
            else:
                try:
                    with self._starting():
                        futures: dict[Future[None], Task] = {
                            self._processes().submit(run_task, function, task, folder): task
                            for task in waiting
                        }
                    for future in as_completed(futures):
                        future.result()
                        bar.advance(futures[future].weight)
                except BrokenProcessPool:
                    # A worker was killed, for memory mostly: the results say which tasks are not done.
                    self._pool = None
                except KeyboardInterrupt:
                    # What they were at is begun again the next time; nobody waits for it now.
                    for worker in self._workers:
                        worker.kill()
                    self._pool = None
                    raise
        return results(function, tasks, folder)

    def _processes(self) -> ProcessPoolExecutor:
        if self._pool is None:
            # Not forked: threads of the libraries that are loaded here would be copied half.
            spawn = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self.workers, mp_context=spawn, initializer=_begin)
            atexit.register(self._pool.shutdown, cancel_futures=True)
        return self._pool

    @contextmanager
    def _starting(self) -> Iterator[None]:
        """Processes that start in here are our workers, and leave Ctrl-C to this one from their first
        instruction on."""
        others = set(multiprocessing.active_children())
        masked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            yield
        finally:
            self._workers |= set(multiprocessing.active_children()) - others
            signal.pthread_sigmask(signal.SIG_SETMASK, masked)


def _begin() -> None:
    """One core a worker (the libraries read this when they are first loaded), and none without its parent."""
    for name in ("POLARS_MAX_THREADS", "NUMBA_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ[name] = "1"
    threading.Thread(target=_follow, daemon=True).start()


def _follow() -> None:
    """Die with the parent: one that was killed cannot say so, and its workers would wait for ever."""
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)
