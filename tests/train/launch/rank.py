"""A small real program in place of the loop: an all-reduce a step, checkpoints, a fault where asked for.

The job's name says what goes wrong, and on which rank: ``killed-1``, ``hang-0``.
"""

import errno
import os
import signal
import sys
import time

import torch
import torch.distributed as dist

from hemicycle.errors import InputError
from hemicycle.train.launch.watchdog import Heartbeat
from hemicycle.train.stopping import Stopped, never

#: The step in which it goes wrong.
FAULT = 12


def total_of(steps):
    """What a run of so many steps ends with, on any number of ranks."""
    return float(sum(step * 8000 + 28 for step in range(steps)))


def train(job, progress, stop=never):
    ranks = int(os.environ.get("WORLD_SIZE", "1"))
    rank = int(os.environ.get("RANK", "0"))
    if ranks > 1:
        dist.init_process_group("gloo")
    saved = sorted(job.scratch.glob("step-*.pt"))
    first, total = torch.load(saved[-1]) if saved else (0, torch.zeros(1))
    if first:
        progress.say(f"resuming model {job.name} at step {first} of {job.run.steps}")

    def save(step):
        if rank == 0:
            torch.save((step, total), job.scratch / "aside.pt")
            (job.scratch / "aside.pt").rename(job.scratch / f"step-{step:09d}.pt")
        if ranks > 1:
            dist.barrier()

    with Heartbeat(job.scratch, rank) as heart, progress.start("train", job.run.steps, "steps") as bar:
        bar.advance(first)
        for step in range(first, job.run.steps):
            part = torch.tensor([float(step * 1000 + n) for n in range(8)])[rank::ranks].sum(0, keepdim=True)
            if step == FAULT and (not first or job.name.startswith("always")):
                fault(job.name.removeprefix("always-"), rank)
            asked = torch.tensor([float(stop())])
            if ranks > 1:
                dist.all_reduce(part)
                dist.all_reduce(asked)
            total += part
            heart.beat(step)
            bar.advance(1)
            bar.note(f"step {step}")
            if asked:
                save(step + 1)
                raise Stopped(step + 1, job.run.steps)
            if step % 10 == 9:
                save(step + 1)
            time.sleep(float(os.environ.get("STEP_SECONDS", "0.001")))
    if rank == 0:
        (job.out / "model.txt").write_text(str(float(total)))
    if ranks > 1:
        dist.destroy_process_group()
    return {"total": float(total), "ranks": ranks, "began": first}


def fault(name, rank):
    kind, _, on = name.partition("-")
    if on != str(rank):
        return
    if kind == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "crash":
        print(
            "terminate called after throwing 'c10::DistBackendError': NCCL error", file=sys.stderr, flush=True
        )
        os.abort()
    if kind == "hang":
        time.sleep(600)
    if kind == "full":
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/scratch/step-000000010.pt")
    if kind == "missing":
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "/store/tokens/debats-00000.bin")
    if kind == "refused":
        raise InputError("the loss is nan at step 12", place="step 12", remedy="Look at its documents.")
    if kind == "defect":
        raise ZeroDivisionError("division by zero")
    if kind == "leaves":
        os._exit(3)
