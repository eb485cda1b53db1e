"""What a schedule costs, in priority-hours; the lower, the better.

A task is *ready* at the hour at which it could begin if the sites were its own and those of what it comes
after; its *turnaround* are the hours from then to its end. The cost of a schedule is the sum of three terms:

- each task's turnaround times its priority: what matters more should wait less;
- `LATE` times the priority for each hour past a deadline that need not be kept;
- fairness. A task's *slowdown* is the hours it waits for others over those it would take on empty sites from
  the beginning of what it comes after, or over `SHORTEST` where these are fewer, so that an hour's run that
  waits for a day does not outweigh all else (the bounded slowdown of Feitelson and Rudolph, Metrics and
  Benchmarking for Parallel Job Scheduling, 1998). A team's is the mean over its tasks. The largest, each
  times the team's share over the mean share, costs as if `FAIRNESS` of the whole programme were slowed down
  as much. Without it the cheapest schedule may let a team of low priorities wait for all the others; with it
  no team's waiting is for nothing, and who brings twice the share waits half as long.

A task without a place counts as one that ends at the horizon. Whether it has one is no matter of cost, since
all that can be placed is placed first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean

from hemicycle.plan.hours import Clock, Spans, roomy
from hemicycle.plan.problem import Mode, Placement, Problem, Schedule, Task

#: An hour past a deadline costs as much as so many hours of turnaround more.
LATE = 4

FAIRNESS = 0.25

#: Hours; a shorter task's waiting is compared with as many.
SHORTEST = 24

#: The solver's costs are whole numbers: so many make a priority-hour.
SCALE = 100


@dataclass(frozen=True)
class Alone:
    """A task as if it and what it comes after had the sites for themselves.

    Args:
        begun: hour at which the first of what it comes after could begin; its own `ready` where that is none.
        ready: hour at which it could begin.
        soonest: hour at which it could end.
    """

    begun: int
    ready: int
    soonest: int


@dataclass(frozen=True)
class Tariff:
    """The cost as whole numbers, `SCALE` a priority-hour: coefficients of the ends of tasks.

    Args:
        tasks: those that count; the ones that could not be placed even on empty sites do not. None stands
            before what it comes after.
        unfair: by team, what an hour that each of its tasks waits costs if no other team is worse off.
    """

    horizon: int
    tasks: Mapping[str, Task]
    alone: Mapping[str, Alone]
    unfair: Mapping[str, Mapping[str, int]]

    def of(self, ends: Mapping[str, int]) -> int:
        """The cost of the ends of tasks; what has none ends at the horizon."""
        cost = 0
        for name, task in self.tasks.items():
            end = ends.get(name, self.horizon)
            cost += SCALE * task.priority * (end - self.alone[name].ready + LATE * lateness(task, end))
        return cost + max((self.unfairness(team, ends) for team in self.unfair), default=0)

    def worth(self, placed: Mapping[str, Placement]) -> tuple[int, int]:
        """What two schedules are compared by: the priority that has no place, and the cost."""
        absent = sum(task.priority for name, task in self.tasks.items() if name not in placed)
        return absent, self.of({name: placement.end for name, placement in placed.items()})

    def waited(self, name: str, ends: Mapping[str, int]) -> int:
        return ends.get(name, self.horizon) - self.alone[name].soonest

    def unfairness(self, team: str, ends: Mapping[str, int]) -> int:
        return sum(rate * self.waited(name, ends) for name, rate in self.unfair[team].items())

    def whole(self) -> int:
        """What the programme costs on empty sites."""
        return self.of({name: alone.soonest for name, alone in self.alone.items()})


def lateness(task: Task, end: int) -> int:
    return 0 if task.deadline is None or task.must else max(0, end - task.deadline)


def latest_end(task: Task, horizon: int) -> int:
    """The hour by which a placed task has ended, whatever else is placed."""
    return min(horizon, task.deadline) if task.must and task.deadline is not None else horizon


def possible(problem: Problem, clock: Clock, mode: Mode, earliest: int, latest: int) -> Spans:
    """The spans of a mode on empty sites: it has its GPUs in every hour, and no quota is too small for it."""
    spans = clock.spans(mode, earliest, latest)
    for pool in problem.pools:
        if gpus := mode.demands.get(pool.name):
            spans = spans.only(roomy(spans, clock.capacity[pool.name], gpus))
            for quota in pool.quotas:
                spans = spans.only(gpus * clock.worked(mode, spans, quota) <= quota.gpu_hours)
    return spans


def tariff(problem: Problem, clock: Clock) -> Tariff:
    """The costs of a problem."""
    tasks: dict[str, Task] = {}
    alone: dict[str, Alone] = {}
    by_name = {task.name: task for task in problem.tasks}
    for name in problem.in_order():
        task = by_name[name]
        if any(before.task not in alone for before in task.after):
            continue
        ready = max([task.earliest, *(alone[b.task].soonest + b.lag for b in task.after)])
        latest = latest_end(task, problem.horizon)
        found = [possible(problem, clock, mode, ready, latest).ends for mode in task.modes]
        soonest = [int(ends[0]) for ends in found if len(ends)]
        if soonest:
            begun = min([alone[b.task].begun for b in task.after], default=ready)
            tasks[name], alone[name] = task, Alone(begun, ready, min(soonest))
    return Tariff(problem.horizon, tasks, alone, _unfair(problem, tasks, alone))


def slowdowns(problem: Problem, schedule: Schedule) -> dict[str, float]:
    """The mean slowdown of each team's tasks: 0.5 is half as long again as on empty sites."""
    counted = tariff(problem, Clock(problem))
    ends = {placement.task: placement.end for placement in schedule.placements}
    by_team: dict[str, list[float]] = defaultdict(list)
    for name, task in counted.tasks.items():
        by_team[task.team].append(counted.waited(name, ends) / _compared(counted.alone[name]))
    return {team: fmean(of) for team, of in sorted(by_team.items())}


def _compared(alone: Alone) -> int:
    """The hours that waiting is compared with."""
    return max(alone.soonest - alone.begun, SHORTEST)


def _unfair(
    problem: Problem, tasks: Mapping[str, Task], alone: Mapping[str, Alone]
) -> dict[str, dict[str, int]]:
    teams: dict[str, list[str]] = defaultdict(list)
    for name, task in tasks.items():
        teams[task.team].append(name)
    if len(teams) < 2:
        return {}
    shares = {team: problem.shares.get(team, 1.0) for team in teams}
    whole = SCALE * sum(t.priority * (alone[name].soonest - alone[name].ready) for name, t in tasks.items())
    return {
        team: {
            name: round(
                FAIRNESS * whole * shares[team] / fmean(shares.values()) / len(names) / _compared(alone[name])
            )
            for name in names
        }
        for team, names in sorted(teams.items())
    }
