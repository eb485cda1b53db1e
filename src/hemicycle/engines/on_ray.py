"""The same tasks on a Ray cluster; its machines see one file system."""

from __future__ import annotations

import importlib.util
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hemicycle.engines.tasks import Task, results, run_task, under_way
from hemicycle.errors import DeclarationError, HemicycleError
from hemicycle.progress import QUIET, Progress


class OnRay:
    """Tasks of one core each on the cluster of ``RAY_ADDRESS``, or on a Ray of its own on this machine.

    Raises DeclarationError where Ray is not installed.
    """

    def __init__(self, workers: int | None = None) -> None:
        if importlib.util.find_spec("ray") is None:
            raise DeclarationError(
                "Ray is not installed", remedy="Install it with `pip install 'hemicycle[cluster]'`."
            )
        self.workers = workers

    def map(
        self, function: str, tasks: Sequence[Task], folder: Path, *, what: str, progress: Progress = QUIET
    ) -> list[dict[str, Any]]:
        import ray

        with under_way(function, tasks, folder, what, progress) as (waiting, bar):
            if waiting:
                _start(self.workers)
                remote = ray.remote(run_task).options(max_retries=2)
                running = {remote.remote(function, task, folder): task for task in waiting}
                while running:
                    done, _ = ray.wait(list(running), num_returns=1)
                    for reference in done:
                        task = running.pop(reference)
                        try:
                            ray.get(reference)
                        except ray.exceptions.RayError as error:
                            raise HemicycleError(
                                f"Ray could not run {task.name}: {str(error).splitlines()[-1]}",
                                remedy="What other tasks finished is kept; run again.",
                            ) from None
                        bar.advance(task.weight)
        return results(function, tasks, folder)


def _start(workers: int | None) -> None:
    import ray

    if ray.is_initialized():
        return
    one_thread = dict.fromkeys(("POLARS_MAX_THREADS", "NUMBA_NUM_THREADS", "OMP_NUM_THREADS"), "1")
    # The package is found as it was found here, installed or not.
    environment = {"env_vars": {**one_thread, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}}
    elsewhere = "RAY_ADDRESS" in os.environ
    ray.init(
        num_cpus=None if elsewhere else workers,
        include_dashboard=False if not elsewhere else None,
        runtime_env=environment,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
