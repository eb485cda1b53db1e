"""The ranks of one node, under torchrun's own agent: ``python -m hemicycle.train.launch.node JOB --ranks N``.

The agents of all nodes meet, number their ranks, and start them. When one dies the agent ends the others of
its node; this process then writes which it was and why. It ends with 0 where all is done, 75 where the ranks
saved a checkpoint and left, and 1 otherwise. A signal that a machine is taken back makes them save and leave.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from hemicycle.train.job import Job
from hemicycle.train.launch.outcome import AGAIN, STOP, begin, write_failure
from hemicycle.train.launch.parent import PARENT, die_with_parent
from hemicycle.train.launch.reasons import of_death, of_error
from hemicycle.train.launch.watchdog import Patience, Watch, step_under_way

_RANK = "hemicycle.train.launch.worker"

#: Seconds the others have to leave when a rank has died; then they are killed.
_LEAVE = 10

#: Seconds the agents of a training wait for each other.
_MEET = 900


def run_node(
    file: Path,
    ranks: int,
    *,
    nodes: int = 1,
    node: int = 0,
    meeting: str = "localhost:0",
    name: str = "localhost",
    patience: Patience | None = None,
) -> int:
    """Run the job of `file` on `ranks` ranks here, on each of `nodes` nodes; the exit code.

    Args:
        node: number of this one; number 0 opens the door of the others at `meeting`, host and port.
        name: of this machine, as the others reach it.
    """
    job = Job.from_json(file.read_text("utf-8"))
    if node == 0:
        begin(job.scratch)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
        signal.signal(number, lambda *_: (job.scratch / STOP).touch())
    os.environ[PARENT] = str(os.getpid())
    os.environ["OMP_NUM_THREADS"] = str(job.run.threads)
    os.environ.setdefault("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", str(_LEAVE))
    config = LaunchConfig(
        min_nodes=nodes,
        max_nodes=nodes,
        nproc_per_node=ranks,
        run_id=job.name or "hemicycle",
        rdzv_backend="c10d",
        rdzv_endpoint=meeting,
        # Not left to a comparison of names, which may differ from what the machine calls itself.
        rdzv_configs={"is_host": node == 0, "timeout": _MEET},
        max_restarts=0,
        local_addr=name,
        logs_specs=DefaultLogsSpecs(),
        signals_to_handle="SIGHUP,SIGQUIT",
    )
    with Watch(job.scratch, ranks, patience) as watch:
        try:
            elastic_launch(config, sys.executable)("-m", _RANK, str(file))
        except ChildFailedError as error:
            codes = {rank: failure.exitcode for rank, failure in error.failures.items()}
            if AGAIN in codes.values():
                return AGAIN
            if not watch.killed:
                _tell(job, codes)
            return 1
        except Exception as error:
            write_failure(job.scratch, f"node-{node}", of_error(error, job.scratch / f"node-{node}.log"))
            raise
    return 0


def _tell(job: Job, codes: dict[int, int]) -> None:
    """Write why the ranks that left no word themselves have ended."""
    for rank, code in codes.items():
        if not (job.scratch / f"failed-{rank}.json").exists():
            step = step_under_way(job.scratch, rank)
            write_failure(job.scratch, rank, of_death(code, job.scratch / f"rank-{rank}.log", rank, step))


def main() -> None:
    die_with_parent()
    parser = argparse.ArgumentParser(prog="python -m hemicycle.train.launch.node")
    parser.add_argument("job", type=Path)
    parser.add_argument("--ranks", type=int, required=True, help="Processes of this node.")
    parser.add_argument("--nodes", type=int, default=1)
    parser.add_argument(
        "--meeting", default="localhost:0", help="Where the nodes meet: host and port of node 0."
    )
    given = parser.parse_args()
    node = int(os.environ.get("SLURM_NODEID", "0")) if given.nodes > 1 else 0
    name = os.environ.get("SLURMD_NODENAME", "localhost") if given.nodes > 1 else "localhost"
    sys.exit(
        run_node(
            given.job,
            given.ranks,
            nodes=given.nodes,
            node=node,
            meeting=given.meeting,
            name=name,
        )
    )


if __name__ == "__main__":
    main()
