"""Why a task has no place, in a sentence."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from hemicycle.plan.cost import Tariff, latest_end
from hemicycle.plan.hours import Clock, roomy
from hemicycle.plan.problem import Mode, Problem, Task


def reason(
    problem: Problem, clock: Clock, tariff: Tariff, task: Task, placed: Collection[str], proven: bool
) -> str:
    """Why a task is not among those placed.

    Args:
        proven: no schedule places more.
    """
    for before in task.after:
        if before.task not in placed:
            return f"it comes after “{before.task}”, which has no place"
    if task.name in tariff.tasks:
        if proven:
            return "beside what matters as much or more there is no room for it"
        return "no room for it was found beside the others in the time that the search had"
    ready = max([task.earliest, *(tariff.alone[b.task].soonest + b.lag for b in task.after)])
    whys = [_impossible(problem, clock, task, mode, ready) for mode in task.modes]
    return "; ".join(dict.fromkeys(whys))


def _impossible(problem: Problem, clock: Clock, task: Task, mode: Mode, ready: int) -> str:
    """Why a mode cannot be run on empty sites."""
    pools = [pool for pool in problem.pools if pool.name in mode.demands]
    for pool in pools:
        there = int(np.max(clock.capacity[pool.name], where=~clock.closed(pool.name), initial=0))
        if mode.demands[pool.name] > there:
            return f"it needs {mode.demands[pool.name]:,} GPUs of {pool.name}, which has {there:,} at most"
    latest = latest_end(task, problem.horizon)
    spans = clock.spans(mode, ready, latest)
    where = " with ".join(pool.name for pool in pools)
    if not len(spans.starts):
        end = "its deadline" if latest < problem.horizon or task.must else "the end of the programme"
        return (
            f"its {mode.hours:,} hours of work at {where} do not fit between hour {ready:,}, when it can "
            f"begin, and {end} at hour {latest:,}"
        )
    for pool in pools:
        gpus = mode.demands[pool.name]
        spans = spans.only(roomy(spans, clock.capacity[pool.name], gpus))
        if not len(spans.starts):
            return f"{pool.name} never has {gpus:,} GPUs for its {mode.hours:,} hours of work in a row"
    for pool in pools:
        gpus = mode.demands[pool.name]
        for quota in pool.quotas:
            spans = spans.only(gpus * clock.worked(mode, spans, quota) <= quota.gpu_hours)
        if not len(spans.starts):
            return f"its {gpus * mode.hours:,} GPU-hours at {pool.name} are more than the quotas there allow"
    raise AssertionError(f"“{task.name}” can be run")
