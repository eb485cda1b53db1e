"""The budget: minutes or tokens become steps, and the machine's arithmetic is fixed, once.

Minutes are measured, not guessed: a few real steps of the real model are timed. The result goes into the
lock, so the next run, here or elsewhere, makes the same steps and can be compared bit by bit.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np

from hemicycle.progress import QUIET, Progress
from hemicycle.project import Budget
from hemicycle.train.settings import Run, Shape, has_compiler

#: Compiling costs half a minute; it pays from about this much arithmetic on.
COMPILE_FROM_FLOP = 5e12
#: Steps before the clock is started, and the least time it then runs.
WARM_STEPS, TIMED_SECONDS = 3, 4.0
#: Share of the budget kept for what is not a step: loading, tracing again, checkpoints, writing the model.
RESERVE = 0.04


def resolve_run(
    shape: Shape, budget: Budget, seed: int, *, cache: Path | None = None, progress: Progress = QUIET
) -> Run:
    """Find the number of steps and the arithmetic for a budget on this machine.

    The minutes include compiling and the measurement itself.
    """
    threads = len(os.sched_getaffinity(0))
    precision = "bf16" if _has_fast_bf16() else "fp32"
    tokens_a_step = shape.batch_rows * shape.context
    if budget.tokens is not None:
        flop = budget.tokens * shape.flop_per_token
        steps = max(1, -(-budget.tokens // tokens_a_step))
        return Run(steps, seed, precision, _compiles(flop), threads)
    assert budget.minutes is not None
    seconds = budget.minutes * 60
    # Two cores manage some 1e11 FLOP a second: enough to know whether compiling can pay.
    compiled = _compiles(seconds * 1e11)
    run = Run(1, seed, precision, compiled, threads)
    with progress.start("measure", None) as bar:
        bar.note("compiling and timing a few steps")
        began = time.monotonic()
        seconds_a_step = _time_steps(shape, run, cache)
        spent = time.monotonic() - began
    # The training process traces and loads the compiled code again: about a third of the cold cost.
    again = spent / 3 if compiled else 0.0
    left = seconds * (1 - RESERVE) - spent - again
    steps = max(1, int(left / seconds_a_step))
    return Run(steps, seed, precision, compiled, threads)


def _time_steps(shape: Shape, run: Run, cache: Path | None) -> float:
    """Seconds per step on random tokens: the median of several, after warming up."""
    from hemicycle.tokens import Batch
    from hemicycle.train.model import Learner, build_model
    from hemicycle.train.optimiser import Optimiser

    model = build_model(shape, 0, 1, run.seed)
    learner, optimiser = Learner(model, run, cache), Optimiser(model, shape)
    ids = np.random.default_rng(0).integers(0, shape.vocabulary, (shape.batch_rows, shape.context))
    places = np.broadcast_to(np.arange(shape.context), ids.shape).copy()
    batch = Batch(ids, ids, np.zeros(ids.shape, np.int32), places)
    taken: list[float] = []
    while len(taken) < WARM_STEPS + 3 or sum(taken[WARM_STEPS:]) < TIMED_SECONDS:
        began = time.monotonic()
        learner.loss(batch).backward()  # type: ignore[no-untyped-call]
        optimiser.step(0, 1)
        taken.append(time.monotonic() - began)
    return float(np.median(taken[WARM_STEPS:]))


def _compiles(flop: float) -> bool:
    return flop >= COMPILE_FROM_FLOP and has_compiler()


def _has_fast_bf16() -> bool:
    """Whether the processor multiplies bfloat16 in hardware; elsewhere it is slower than fp32."""
    try:
        words = set(Path("/proc/cpuinfo").read_text("utf-8").split())
    except OSError:
        return False
    return bool(words & {"avx512_bf16", "amx_bf16", "bf16"})
