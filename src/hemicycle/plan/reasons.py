"""Why a task has no place, in a sentence."""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np

from hemicycle.plan.cost import Tariff, latest_end
from hemicycle.plan.hours import Clock, roomy
from hemicycle.plan.problem import Mode, Problem, Task


def reason(
    problem: Problem,
    clock: Clock,
    tariff: Tariff,
    task: Task,
    placed: Collection[str],
    *,
    proven: bool,
    at: Callable[[int], str],
) -> str:
    """Why a task is not among those placed.

    Args:
        proven: no schedule places more.
        at: how an hour is written.
    """
    for before in task.after:
        if before.task not in placed:
            return f"it comes after “{before.task}”, which has no place"
    if task.name in tariff.tasks:
        if proven:
            return "beside what matters as much or more there is no room for it"
        return "no room for it was found beside the others in the time that the search had"
    ready = max([task.earliest, *(tariff.alone[b.task].soonest + b.lag for b in task.after)])
    whys: dict[str, str] = {}
    # Of many ways that fail alike the quickest is told.
    for mode in sorted(task.modes, key=lambda mode: mode.hours):
        kind, why = _impossible(problem, clock, task, mode, ready, at)
        whys.setdefault(kind, why)
    return "; ".join(whys.values())


def _impossible(
    problem: Problem, clock: Clock, task: Task, mode: Mode, ready: int, at: Callable[[int], str]
) -> tuple[str, str]:
    """Why a mode cannot be run on empty sites: what kind of reason, and the sentence."""
    pools = [pool for pool in problem.pools if pool.name in mode.demands]
    for pool in pools:
        there = int(np.max(clock.capacity[pool.name], where=~clock.closed(pool.name), initial=0))
        if mode.demands[pool.name] > there:
            needs = mode.demands[pool.name]
            return "cards", f"it needs {needs:,} GPUs of {pool.name}, which has {there:,} at most"
    latest = latest_end(task, problem.horizon)
    spans = clock.spans(mode, ready, latest)
    where = " with ".join(pool.name for pool in pools)
    if not len(spans.starts):
        end = "its deadline" if latest < problem.horizon or task.must else "the end of the programme"
        return "time", (
            f"its {mode.hours:,} hours of work at {where} do not fit between {at(ready)}, when it can begin, "
            f"and {end} at {at(latest)}"
        )
    for pool in pools:
        gpus = mode.demands[pool.name]
        spans = spans.only(roomy(spans, clock.capacity[pool.name], gpus))
        if not len(spans.starts):
            hours = f"{mode.hours:,} hours of work in a row"
            return "row", f"{pool.name} never has {gpus:,} GPUs for its {hours}"
    for pool in pools:
        gpus = mode.demands[pool.name]
        for quota in pool.quotas:
            spans = spans.only(gpus * clock.worked(mode, spans, quota) <= quota.gpu_hours)
        if not len(spans.starts):
            hours = f"{gpus * mode.hours:,} GPU-hours at {pool.name}"
            return "quota", f"its {hours} are more than the quotas there allow"
    raise AssertionError(f"“{task.name}” can be run")
