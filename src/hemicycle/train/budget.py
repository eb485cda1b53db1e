"""The budget: minutes or tokens become steps, and the machine's arithmetic is fixed, once.

Minutes are measured, not guessed: a few real steps of the real model are timed. The result goes into the
lock, so the next run, here or elsewhere, makes the same steps and can be compared bit by bit.

What is measured once on a busy machine would hold for good, so the quietest of several rounds counts, and
what was measured under load, or came to few steps, is said aloud.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from hemicycle.progress import QUIET, Progress
from hemicycle.project import Budget
from hemicycle.train.settings import Run, Shape, has_compiler

#: Compiling costs half a minute; it pays from about this much arithmetic on.
COMPILE_FROM_FLOP = 5e12
#: Steps before the clock is started: the first compiles.
WARM_STEPS = 3
#: Rounds of steps that are timed; each has at least so many steps and seconds. None begins after the last.
ROUNDS, ROUND_STEPS, ROUND_SECONDS, LAST_BEGINS = 4, 3, 1.0, 10.0
#: Share of the budget kept for what is not a step: loading, tracing again, checkpoints, writing the model.
RESERVE = 0.04
#: Share that compiling and measuring may take at most: on a slow machine they would leave nothing to train.
MOST_SPENT = 0.5
#: Below this many steps a schedule is hardly more than its warm-up, and a model learns next to nothing.
FEW_STEPS = 100


def resolve_run(
    shape: Shape, budget: Budget, seed: int, *, cache: Path | None = None, progress: Progress = QUIET
) -> Run:
    """Find the number of steps and the arithmetic for a budget on this machine.

    The minutes include compiling and the measurement itself, up to half of them.
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
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    if load > cores:
        progress.say(
            f"the machine is busy: its load is {load:.1f} on {cores} cores, and steps timed now are slow ones"
        )
    with progress.start("measure", None) as bar:
        bar.note("compiling and timing a few steps")
        began = time.monotonic()
        seconds_a_step = _time_steps(shape, run, cache)
        spent = time.monotonic() - began
    # The training process traces and loads the compiled code again: about a third of the cold cost.
    again = spent / 3 if compiled else 0.0
    left = seconds * (1 - RESERVE) - min(spent + again, seconds * MOST_SPENT)
    steps = max(1, int(left / seconds_a_step))
    return Run(steps, seed, precision, compiled, threads)


def few_steps(name: str, budget: Budget, steps: int) -> str | None:
    """What to say where a model's minutes came to too few steps to learn from; None where they did not."""
    if budget.minutes is None or steps >= FEW_STEPS:
        return None
    return (
        f"model {name}: {budget.minutes:g} minutes came to only {steps} steps, too few to learn from: "
        "the machine was busy when they were measured, or it is slow. To have them measured again, "
        f"delete the table [model.{name}] of hemicycle.lock and run again."
    )


def _time_steps(shape: Shape, run: Run, cache: Path | None) -> float:
    """Seconds per step on random tokens, after warming up."""
    from hemicycle.tokens import Batch
    from hemicycle.train.model import Learner, build_model
    from hemicycle.train.optimiser import Optimiser

    model = build_model(shape, 0, 1, run.seed)
    learner, optimiser = Learner(model, run, cache), Optimiser(model, shape)
    ids = np.random.default_rng(0).integers(0, shape.vocabulary, (shape.batch_rows, shape.context))
    places = np.broadcast_to(np.arange(shape.context), ids.shape).copy()
    batch = Batch(ids, ids, np.zeros(ids.shape, np.int32), places, np.zeros_like(ids))

    def step() -> None:
        learner.loss(batch).backward()  # type: ignore[no-untyped-call]
        optimiser.step(0, 1)

    for _ in range(WARM_STEPS):
        step()
    return quietest_round(step)


def quietest_round(step: Callable[[], None], clock: Callable[[], float] = time.monotonic) -> float:
    """Seconds a step takes: the least median of several rounds, as others may be at work during some."""
    medians: list[float] = []
    first = clock()
    while len(medians) < ROUNDS and (not medians or clock() - first < LAST_BEGINS):
        taken: list[float] = []
        while len(taken) < ROUND_STEPS or sum(taken) < ROUND_SECONDS:
            began = clock()
            step()
            taken.append(clock() - began)
        medians.append(float(np.median(taken)))
    return min(medians)


def _compiles(flop: float) -> bool:
    return flop >= COMPILE_FROM_FLOP and has_compiler()


def _has_fast_bf16() -> bool:
    """Whether the processor multiplies bfloat16 in hardware; elsewhere it is slower than fp32."""
    try:
        words = set(Path("/proc/cpuinfo").read_text("utf-8").split())
    except OSError:
        return False
    return bool(words & {"avx512_bf16", "amx_bf16", "bf16"})
