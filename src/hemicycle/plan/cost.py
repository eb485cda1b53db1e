"""What a schedule costs, in priority-hours; the lower, the better.

A task's *turnaround* is the hours from when it could have begun, were the sites its own, to its end. The cost
of a schedule is the sum of three terms:

- each task's turnaround times its priority: what matters more should wait less;
- `LATE` times the priority for each hour past a deadline that need not be kept;
- fairness: a task's *slowdown* is the hours it waits for others over its turnaround on empty sites, or over
  `SHORTEST` where that is less, so that a run of one hour that waits for a day does not outweigh all else
  (the bounded slowdown of Feitelson and Rudolph, Metrics and Benchmarking for Parallel Job Scheduling, 1998).
  A team's is the mean over its tasks. That of the team that is worst off, times its share over the mean
  share, costs as if `FAIRNESS` of the whole programme were slowed down as much. Without it the cheapest
  schedule may let a team of low priorities wait for all the others; with it, who brings twice the share
  waits half as long.

A task without a place counts as one that ends at the horizon; whether it is placed is no matter of cost, since
`schedule` first places all it can.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean

from hemicycle.plan.hours import Clock, Spans, roomy
from hemicycle.plan.problem import Mode, Problem, Task

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
        ready: hour at which it could begin at the soonest.
        turnaround: hours from then to its soonest end.
    """

    ready: int
    turnaround: int

    @property
    def soonest(self) -> int:
        return self.ready + self.turnaround


@dataclass(frozen=True)
class Tariff:
    """The cost as whole numbers: coefficients of the ends of tasks.

    Args:
        tasks: those that count; the ones that could not be placed even on empty sites do not.
        unfair: by team, what an hour of each of its tasks' turnaround beyond `alone` costs if it is the team
            that is worst off.
    """

    tasks: Mapping[str, Task]
    alone: Mapping[str, Alone]
    unfair: Mapping[str, Mapping[str, int]]

    def of(self, ends: Mapping[str, int]) -> int:
        """The cost, times `SCALE`, of the ends of all tasks that count."""
        own = sum(
            SCALE * task.priority * (ends[name] - self.alone[name].ready + LATE * lateness(task, ends[name]))
            for name, task in self.tasks.items()
        )
        return own + max((self.unfairness(team, ends) for team in self.unfair), default=0)

    def unfairness(self, team: str, ends: Mapping[str, int]) -> int:
        return sum(rate * (ends[name] - self.alone[name].soonest) for name, rate in self.unfair[team].items())


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
            tasks[name], alone[name] = task, Alone(ready, min(soonest) - ready)
    return Tariff(tasks, alone, _unfair(problem, tasks, alone))


def slowdowns(problem: Problem, ends: Mapping[str, int]) -> dict[str, float]:
    """The mean slowdown of each team's tasks, those without a place counted until the horizon."""
    counted = tariff(problem, Clock(problem))
    by_team: dict[str, list[float]] = defaultdict(list)
    for name, task in counted.tasks.items():
        waited = ends.get(name, problem.horizon) - counted.alone[name].soonest
        by_team[task.team].append(waited / max(counted.alone[name].turnaround, SHORTEST))
    return {team: fmean(of) for team, of in sorted(by_team.items())}


def _unfair(
    problem: Problem, tasks: Mapping[str, Task], alone: Mapping[str, Alone]
) -> dict[str, dict[str, int]]:
    teams: dict[str, list[str]] = defaultdict(list)
    for name, task in tasks.items():
        teams[task.team].append(name)
    if len(teams) < 2:
        return {}
    shares = {team: problem.shares.get(team, 1.0) for team in teams}
    mean_share = fmean(shares.values())
    whole = SCALE * sum(task.priority * alone[name].turnaround for name, task in tasks.items())
    return {
        team: {
            name: round(
                FAIRNESS
                * whole
                * shares[team]
                / mean_share
                / len(names)
                / max(alone[name].turnaround, SHORTEST)
            )
            for name in names
        }
        for team, names in sorted(teams.items())
    }
