"""A real training of a few steps, and the most bytes that it held; run by itself, it measures one.

`python training.py held CASE` prints the bytes that torch's allocator had handed out at its fullest on a
processor, as torch's profiler saw each of them; with `grown`, by how much the process grew.
"""

import contextlib
import json
import os
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

#: Enough for the optimiser's moments to be there while gradients are computed.
STEPS = 2


@dataclass(frozen=True)
class Case:
    """A model with what it is trained with."""

    family: str
    layers: int
    width: int
    heads: int
    context: int
    vocabulary: int
    kv_heads: int | None = None
    rows: int = 1
    parts: int = 1
    optimiser: str = "adamw"
    precision: str = "bf16"
    compiled: bool = False
    recompute: bool = False

    @property
    def architecture(self):
        from hemicycle.project import Architecture

        return Architecture(
            kind=self.family,
            layers=self.layers,
            width=self.width,
            heads=self.heads,
            kv_heads=self.kv_heads,
            context=self.context,
        )

    @property
    def configuration(self):
        from hemicycle.arithmetic import from_architecture

        return from_architecture(self.architecture, self.vocabulary)

    def process(self, device="cpu"):
        from hemicycle.arithmetic import Process

        return Process(
            rows=self.rows,
            accumulates=self.parts > 1,
            optimiser=self.optimiser,
            precision=self.precision,
            compiled=self.compiled,
            recompute=self.recompute,
            device=device,
        )


def batch_of(case, rows):
    """Rows of random tokens, one document each."""
    from hemicycle.tokens import Batch

    ids = np.random.default_rng(0).integers(0, case.vocabulary, (rows, case.context))
    places = np.broadcast_to(np.arange(case.context), ids.shape).copy()
    nothing = np.zeros(ids.shape, np.int32)
    return Batch(ids, ids, nothing, places, nothing)


def learner_of(case, device="cpu"):
    import torch

    from hemicycle.train import Run, derive_shape
    from hemicycle.train.learner import Learner
    from hemicycle.train.model import build_model

    shape = derive_shape(case.architecture, case.vocabulary)
    run = Run(1, 1, case.precision, case.compiled, torch.get_num_threads())
    return Learner(build_model(shape, 0, 1, 1), run, device=device, recompute=case.recompute), shape


def train(case, device="cpu"):
    """A few steps on random tokens."""
    from hemicycle.project import Model
    from hemicycle.train import derive_recipe
    from hemicycle.train.loop import split
    from hemicycle.train.optimiser import Optimiser
    from hemicycle.train.ranks import Ranks

    ranks = Ranks.join(device)
    learner, shape = learner_of(case, ranks.device)
    ranks.shard(learner, bf16=case.precision == "bf16")
    declared = {
        "corpora": {"c": 1.0},
        "tokenizer": "t",
        "budget": {"tokens": "4k"},
        "architecture": case.architecture.model_dump(exclude_none=True),
        "training": {"optimiser": case.optimiser},
    }
    optimiser = Optimiser(learner.model, derive_recipe(Model.model_validate(declared), shape))
    batch = batch_of(case, case.rows * case.parts)
    for _ in range(STEPS):
        for part in split(batch, case.rows * case.context):
            total, _ = learner.loss(part)
            (total / batch.tokens_BT.size).backward()
            # Its graph is the batch's, which a loop forgets with the next.
            del total
        optimiser.clip()
        optimiser.step(1.0)
    ranks.leave()


def held(case):
    """The most bytes that tensors of a training hold at once on a processor."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        train(case)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.json"
        seen.export_chrome_trace(str(path))
        events = json.loads(path.read_text("utf-8"))["traceEvents"]
    changes = [(e["ts"], i, e["args"]["Bytes"]) for i, e in enumerate(events) if e.get("name") == "[memory]"]
    return int(np.cumsum([change for _, _, change in sorted(changes)]).max())


def grown(case):
    """By how much a training makes the process grow at its peak, its allocator's holes included."""
    from hemicycle.train.machine import freed_memory_kept

    with freed_memory_kept():
        before = _resident("VmRSS")
        train(case)
        return _resident("VmHWM") - before


def _resident(key):
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{key}:"))


def measured(case, how="held", timeout=500):
    """Bytes of a case, measured in a process of its own."""
    import subprocess

    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": f"{root}:{root / 'src'}"}
    done = subprocess.run(
        [sys.executable, __file__, how, json.dumps(asdict(case))],
        capture_output=True,
        text=True,
        timeout=timeout,
        env=environment,
    )
    with contextlib.suppress(IndexError, ValueError):
        return int(done.stdout.splitlines()[-1])
    raise AssertionError(done.stderr[-3000:])


if __name__ == "__main__":
    case = Case(**json.loads(sys.argv[2]))
    # Libraries are loaded by a small one, so that they are not counted.
    train(Case(case.family, 1, 32, 2, 16, 320, precision=case.precision, compiled=case.compiled))
    print({"held": held, "grown": grown}[sys.argv[1]](case))
