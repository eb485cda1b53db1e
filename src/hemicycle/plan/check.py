"""A schedule looked at by somebody else: every constraint, walked hour by hour, without what made it.

Nothing here is shared with `schedule` but the data types: what its solver takes for granted of closures,
windows and quotas is reckoned anew, the slow way.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from hemicycle.plan.problem import Placement, Pool, Problem, Schedule


def violations(problem: Problem, schedule: Schedule) -> list[str]:
    """What of a schedule cannot be: one sentence each; none of a schedule that holds."""
    return [
        *_tasks(problem, schedule),
        *_hours(problem, schedule),
        *_waits(problem, schedule),
        *_cards(problem, schedule),
        *_quotas(problem, schedule),
    ]


def _tasks(problem: Problem, schedule: Schedule) -> Iterator[str]:
    """Each task is placed once, in a mode that is its own, or told to have no place."""
    told = [placement.task for placement in schedule.placements]
    told += [unplaced.task for unplaced in schedule.unplaced]
    for task in problem.tasks:
        if told.count(task.name) != 1:
            yield f"{task.name} is told {told.count(task.name)} times"
    for placement in schedule.placements:
        if placement.mode not in problem.task(placement.task).modes:
            yield f"{placement.task} is run in a way that it has not"


def _hours(problem: Problem, schedule: Schedule) -> Iterator[str]:
    """A task works its hours from its first to its last, inside the programme, not before it may nor after it
    must; and neither begins nor ends while a pool of it is closed."""
    for placement in schedule.placements:
        task = problem.task(placement.task)
        worked = list(_worked(problem, placement))
        if len(worked) != placement.mode.hours:
            yield f"{task.name} works {len(worked)} hours of {placement.mode.hours}"
        elif worked[0] != placement.start or worked[-1] != placement.end - 1:
            yield f"{task.name} begins or ends while a pool is closed"
        if placement.start < task.earliest:
            yield f"{task.name} begins before hour {task.earliest}"
        if not 0 <= placement.start < placement.end <= problem.horizon:
            yield f"{task.name} is not inside the programme"
        if task.must and task.deadline is not None and placement.end > task.deadline:
            yield f"{task.name} misses the deadline that it must keep"


def _waits(problem: Problem, schedule: Schedule) -> Iterator[str]:
    """What comes after another task begins once that has ended and its lag is over."""
    placed = {placement.task: placement for placement in schedule.placements}
    for placement in schedule.placements:
        for before in problem.task(placement.task).after:
            earlier = placed.get(before.task)
            if earlier is None:
                yield f"{placement.task} is placed without {before.task}"
            elif placement.start < earlier.end + before.lag:
                yield f"{placement.task} does not wait for {before.task}"


def _cards(problem: Problem, schedule: Schedule) -> Iterator[str]:
    """At no open hour do the tasks of a pool take more cards than it has."""
    for pool in problem.pools:
        taken: dict[int, int] = defaultdict(int)
        for placement in schedule.placements:
            gpus = placement.mode.demands.get(pool.name, 0)
            if gpus:
                for hour in range(placement.start, placement.end):
                    taken[hour] += gpus
        for hour, gpus in sorted(taken.items()):
            if not _closed(pool, hour) and gpus > _there(pool, hour):
                yield f"{pool.name} has {_there(pool, hour)} cards at hour {hour}, and {gpus} are taken"
                break


def _quotas(problem: Problem, schedule: Schedule) -> Iterator[str]:
    """Of no allowance more is used than there is, in hours that are worked."""
    for pool in problem.pools:
        for quota in pool.quotas:
            used = sum(
                placement.mode.demands[pool.name]
                for placement in schedule.placements
                if pool.name in placement.mode.demands
                for hour in _worked(problem, placement)
                if quota.start <= hour < quota.end
            )
            if used > quota.gpu_hours:
                told = f"of {quota.gpu_hours} from hour {quota.start}"
                yield f"{used} GPU-hours of {pool.name} are used {told}"


def _worked(problem: Problem, placement: Placement) -> Iterator[int]:
    """Hours at which all its pools are open."""
    pools = [pool for pool in problem.pools if pool.name in placement.mode.demands]
    for hour in range(placement.start, placement.end):
        if not any(_closed(pool, hour) for pool in pools):
            yield hour


def _closed(pool: Pool, hour: int) -> bool:
    return any(closure.start <= hour < closure.end for closure in pool.closures)


def _there(pool: Pool, hour: int) -> int:
    for window in pool.windows:
        if window.start <= hour < window.end:
            return window.gpus
    return pool.gpus
