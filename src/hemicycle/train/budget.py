"""The budget: minutes or tokens become steps, and the machine's arithmetic is fixed, once.

Minutes are measured, not guessed: a few real steps of the real model are timed. The result goes into the
lock, so the next run, here or elsewhere, makes the same steps and can be compared bit by bit.

What is measured once on a busy machine would hold for good, so the quietest of several rounds counts, and
what was measured under load, or came to few steps, is said aloud.
"""

from __future__ import annotations

import bisect
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np

from hemicycle.arithmetic import Process, passing_bytes
from hemicycle.progress import QUIET, Progress
from hemicycle.project import Budget
from hemicycle.train.job import Run
from hemicycle.train.machine import (
    accelerators,
    freed_memory_kept,
    has_compiler,
    precision_here,
    threads,
)
from hemicycle.train.recipe import Recipe
from hemicycle.train.shape import Shape

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
#: Share of the free memory that activations may take.
ACTIVATIONS = 0.4
#: Below this many steps a schedule is hardly more than its warm-up, and a model learns next to nothing.
FEW_STEPS = 100


def resolve_run(
    shape: Shape,
    recipe: Recipe,
    budget: Budget,
    seed: int,
    *,
    precision: Literal["bf16", "fp32"] | None = None,
    recompute: bool = False,
    cache: Path | None = None,
    progress: Progress = QUIET,
) -> Run:
    """Find the number of steps and the arithmetic for a budget on this machine.

    The minutes include compiling and the measurement itself, up to half of them.
    """
    precision = precision_here(precision)
    seconds = (budget.minutes or 0.0) * 60
    # Two cores manage some 1e11 FLOP a second: enough to know whether compiling can pay.
    compiled = _compiles(budget.tokens * shape.flop_per_token() if budget.tokens else seconds * 1e11)
    micro_tokens = _micro_tokens(shape, recipe, precision, compiled, recompute)

    def run(steps: int) -> Run:
        return Run(steps, seed, precision, compiled, threads(), micro_tokens)

    if budget.tokens is not None:
        return run(max(1, -(-budget.tokens // (recipe.rows(shape.context) * shape.context))))
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    if load > cores:
        progress.say(
            f"the machine is busy: its load is {load:.1f} on {cores} cores, and steps timed now are slow ones"
        )
    with progress.start("measure", None) as bar:
        bar.note("compiling and timing a few steps")
        began = time.monotonic()
        seconds_a_step = _time_steps(shape, recipe, run(1), recompute, cache)
        spent = time.monotonic() - began
    # The training process traces and loads the compiled code again: about a third of the cold cost.
    again = spent / 3 if compiled else 0.0
    left = seconds * (1 - RESERVE) - min(spent + again, seconds * MOST_SPENT)
    return run(max(1, int(left / seconds_a_step)))


def _micro_tokens(
    shape: Shape, recipe: Recipe, precision: Literal["bf16", "fp32"], compiled: bool, recompute: bool
) -> int:
    """Tokens that one process takes at once: whole rows, as many as memory holds, a full batch at most."""
    whole, room = recipe.rows(shape.context), _free_memory() * ACTIVATIONS
    device: Literal["cpu", "cuda"] = "cuda" if accelerators() else "cpu"

    def too_many(rows: int) -> bool:
        process = Process(rows, rows < whole, recipe.optimiser, precision, compiled, recompute, device)
        return passing_bytes(shape.configuration, process) > room

    # Of 1, 2, … whole rows, the last that fits: where the first that does not stands, less one.
    fits = bisect.bisect_left(range(1, whole + 1), True, key=too_many)
    return max(1, fits) * shape.context


def _free_memory() -> int:
    """Bytes that are free on the accelerator, or for this process."""
    if accelerators():
        import torch

        return torch.cuda.mem_get_info()[0]
    for line in Path("/proc/meminfo").read_text("ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 4 << 30


def few_steps(name: str, budget: Budget, steps: int) -> str | None:
    """What to say where a model's minutes came to too few steps to learn from; None where they did not."""
    if budget.minutes is None or steps >= FEW_STEPS:
        return None
    return (
        f"model {name}: {budget.minutes:g} minutes came to only {steps} steps, too few to learn from: "
        "the machine was busy when they were measured, or it is slow. To have them measured again, "
        f"delete the table [model.{name}] of hemicycle.lock and run again."
    )


@freed_memory_kept()
def _time_steps(shape: Shape, recipe: Recipe, run: Run, recompute: bool, cache: Path | None) -> float:
    """Seconds per step on random tokens, after warming up."""
    from hemicycle.tokens import Batch
    from hemicycle.train.learner import Learner
    from hemicycle.train.loop import split
    from hemicycle.train.model import build_model
    from hemicycle.train.optimiser import Optimiser
    from hemicycle.train.ranks import Ranks

    ranks = Ranks.join("cuda" if accelerators() else "cpu")
    try:
        learner = Learner(
            build_model(shape, 0, 1, run.seed), run, device=ranks.device, recompute=recompute, cache=cache
        )
        ranks.shard(learner, bf16=run.precision == "bf16")
        optimiser = Optimiser(learner.model, recipe)
        rows = recipe.rows(shape.context)
        ids = np.random.default_rng(0).integers(0, shape.vocabulary, (rows, shape.context))
        places = np.broadcast_to(np.arange(shape.context), ids.shape).copy()
        batch = Batch(ids, ids, np.zeros(ids.shape, np.int32), places, np.zeros(ids.shape, np.int32))

        def step() -> None:
            for part in split(batch, run.micro_tokens):
                total, _ = learner.loss(part)
                (total / ids.size).backward()  # type: ignore[no-untyped-call]
            optimiser.clip()
            optimiser.step(1.0)

        for _ in range(WARM_STEPS):
            step()
        return quietest_round(step)
    finally:
        ranks.leave()


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
    return flop >= COMPILE_FROM_FLOP and (accelerators() > 0 or has_compiler())
