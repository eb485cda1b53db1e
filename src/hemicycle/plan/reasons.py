"""Why a task has no place."""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np

from hemicycle.plan.cost import Tariff, latest_end
from hemicycle.plan.hours import Clock, roomy
from hemicycle.plan.problem import Mode, Problem, Task
from hemicycle.plan.wording import Told, Worded


def reasons(
    problem: Problem,
    clock: Clock,
    tariff: Tariff,
    task: Task,
    placed: Collection[str],
    *,
    proven: bool,
    at: Callable[[int], Told],
) -> tuple[Worded, ...]:
    """Why a task is not among those placed: of each kind of reason, one.

    Args:
        proven: no schedule places more.
        at: how an hour is written.
    """
    for before in task.after:
        if before.task not in placed:
            return (Worded("none_after", {"task": before.task}),)
    if task.name in tariff.tasks:
        return (Worded("none_beside" if proven else "none_found"),)
    ready = max([task.earliest, *(tariff.alone[b.task].soonest + b.lag for b in task.after)])
    found: dict[str, Worded] = {}
    # Of many ways that fail alike the quickest is told.
    for mode in sorted(task.modes, key=lambda mode: mode.hours):
        why = _impossible(problem, clock, task, mode, ready, at)
        found.setdefault(why.key, why)
    return tuple(found.values())


def _impossible(
    problem: Problem, clock: Clock, task: Task, mode: Mode, ready: int, at: Callable[[int], Told]
) -> Worded:
    """Why a mode cannot be run on empty sites."""
    pools = [pool for pool in problem.pools if pool.name in mode.demands]
    for pool in pools:
        gpus, there = mode.demands[pool.name], clock.capacity[pool.name]
        most = int(np.max(there, where=~clock.closed(pool.name), initial=0))
        if gpus > most:
            return Worded("none_cards", {"gpus": gpus, "pool": pool.name, "most": most})
    latest = latest_end(task, problem.horizon)
    spans = clock.spans(mode, ready, latest)
    if not len(spans.starts):
        due = latest < problem.horizon or task.must
        pools_of = ", ".join(pool.name for pool in pools)
        told: dict[str, Told] = {
            "hours": mode.hours,
            "pool": pools_of,
            "begin": at(ready),
            "end": at(latest - 1),
        }
        return Worded("none_due" if due else "none_time", told)
    for pool in pools:
        gpus = mode.demands[pool.name]
        spans = spans.only(roomy(spans, clock.capacity[pool.name], gpus))
        if not len(spans.starts):
            return Worded("none_row", {"hours": mode.hours, "pool": pool.name, "gpus": gpus})
    for pool in pools:
        gpus = mode.demands[pool.name]
        for quota in pool.quotas:
            spans = spans.only(gpus * clock.worked(mode, spans, quota) <= quota.gpu_hours)
        if not len(spans.starts):
            return Worded("none_quota", {"hours": gpus * mode.hours, "pool": pool.name})
    raise AssertionError(f"“{task.name}” can be run")
