"""A calendar: a schedule with its dates, for people, for their calendars, and for Slurm.

Hours become dates here, UTC. Names come from declarations, which know letters, figures, - and _ alone; they
are escaped all the same.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from hemicycle.digests import sha256_text
from hemicycle.errors import HemicycleError
from hemicycle.plan.cost import slowdowns
from hemicycle.plan.demand import Demand
from hemicycle.plan.hours import Clock
from hemicycle.plan.problem import Placement, Schedule
from hemicycle.sites import Pool, Site
from hemicycle.units import number, of

#: Who made the calendar, as RFC 5545 wants it, and what makes its entries' names unlike anybody else's.
MAKER, DOMAIN = "-//Hemicycle//plan calendar//EN", "plan.hemicycle"


#: What stands below directives until somebody writes the run's own command.
_BODY = (
    "# Put the command of the run in place of this; each job goes on from the last checkpoint.",
    'echo "this job has no command yet" >&2',
    "exit 1",
)


@dataclass(frozen=True)
class Entry:
    """A task with its dates.

    Attributes:
        pools: cards by the name of the pool, ``site/pool``.
        end: of its last hour.
        late: hours past its deadline.
        gpu_hours: that it works; those in which it pauses are not in them.
        eur, tco2e: as expected; None where a pool has no price, or nothing is known of its power.
    """

    task: str
    run: str
    team: str
    pools: Mapping[str, int]
    start: datetime
    end: datetime
    late: int
    gpu_hours: float
    eur: float | None
    tco2e: float | None

    def to_json(self) -> dict[str, Any]:
        return {
            "task": self.task,
            "run": self.run,
            "team": self.team,
            "pools": dict(self.pools),
            "start": self.start.isoformat(),
            "end": self.end.isoformat(),
            "late_hours": self.late,
            "gpu_hours": self.gpu_hours,
            "cost_eur": None if self.eur is None else round(self.eur, 2),
            "tco2e": None if self.tco2e is None else float(f"{self.tco2e:.4g}"),
        }


def entries(posed: Demand, found: Schedule) -> list[Entry]:
    """What has a place, by its start."""
    told = []
    for placement in found.placements:
        task = posed.problem.task(placement.task)
        late = max(0, placement.end - task.deadline) if task.deadline is not None else 0
        told.append(
            Entry(
                task.name,
                task.run,
                task.team,
                placement.mode.demands,
                posed.begin + timedelta(hours=placement.start),
                posed.begin + timedelta(hours=placement.end),
                late,
                float(placement.mode.gpu_hours),
                _sum(posed, placement, "EUR"),
                _sum(posed, placement, "t"),
            )
        )
    return told


def _sum(posed: Demand, placement: Placement, unit: str) -> float | None:
    """Euros, or tonnes, of all its pools."""
    total = 0.0
    for name, gpus in placement.mode.demands.items():
        place, hours = posed.places[name], of(gpus * placement.mode.hours, "GPU-h")
        if unit == "EUR":
            if place.price is None:
                return None
            total += number(hours * place.price.range.expected, unit)
        else:
            if place.power is None:
                return None
            energy = hours * place.power.range.expected * place.pue.range.expected
            total += number(energy * place.carbon.range.expected, unit)
    return total


@dataclass(frozen=True)
class TeamSum:
    """What a team gets.

    Attributes:
        share: of all GPU-hours; entitled: what it is entitled to.
        slowdown: mean over its runs: 0.5 is half as long again as on empty sites.
        unpriced: runs of which no cost is known; `eur` is of the others.
    """

    team: str
    gpu_hours: float
    share: float
    entitled: float
    slowdown: float
    eur: float
    unpriced: int
    tco2e: float

    def to_json(self) -> dict[str, Any]:
        return {name: round(v, 4) if isinstance(v, float) else v for name, v in vars(self).items()}


def team_sums(posed: Demand, found: Schedule) -> list[TeamSum]:
    """By team, those whose runs have no place among them."""
    told, slow = entries(posed, found), slowdowns(posed.problem, found)
    total = sum(entry.gpu_hours for entry in told) or 1.0
    shares = posed.problem.shares
    sums = []
    for team in sorted({task.team for task in posed.problem.tasks}):
        own = [entry for entry in told if entry.team == team]
        hours = sum(entry.gpu_hours for entry in own)
        sums.append(
            TeamSum(
                team,
                hours,
                hours / total,
                shares.get(team, 1.0) / (sum(shares.values()) or 1.0),
                slow.get(team, 0.0),
                sum(entry.eur for entry in own if entry.eur is not None),
                sum(entry.eur is None for entry in own),
                sum(entry.tco2e for entry in own if entry.tco2e is not None),
            )
        )
    return sums


@dataclass(frozen=True)
class Month:
    """GPU-hours of a pool in a month that no run has, and all that it has."""

    pool: str
    month: str
    free: float
    whole: float

    def to_json(self) -> dict[str, Any]:
        return {"pool": self.pool, "month": self.month, "free_gpu_hours": self.free, "gpu_hours": self.whole}


def free_hours(posed: Demand, found: Schedule) -> list[Month]:
    """What others could still do meanwhile: by pool and month, closures and windows taken into account."""
    clock, told = Clock(posed.problem), []
    horizon = posed.problem.horizon
    months = [(posed.begin + timedelta(hours=hour)).strftime("%Y-%m") for hour in range(0, horizon, 24)]
    for pool in posed.problem.pools:
        there = np.where(clock.closed(pool.name), 0, clock.capacity[pool.name])
        used = np.zeros(horizon, np.int64)
        for placement in found.placements:
            used[placement.start : placement.end] += placement.mode.demands.get(pool.name, 0)
        left = np.where(clock.closed(pool.name), 0, there - used)
        sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        for hour in range(horizon):
            month = sums[months[hour // 24]]
            month[0] += float(left[hour])
            month[1] += float(there[hour])
        told += [Month(pool.name, month, *figures) for month, figures in sums.items()]
    return told


def ics(told: list[Entry], programme: str, made: datetime) -> bytes:
    """The entries as RFC 5545 has them, one event each; an entry planned anew replaces its older self.

    Args:
        programme: what tells it from others, whose entries may have the same names.

    Raises HemicycleError where the library is not installed.
    """
    try:
        from icalendar import Calendar, Event
    except ImportError:
        raise HemicycleError(
            "calendar files need icalendar, which is not installed", remedy="pip install 'hemicycle[plan]'"
        ) from None
    whose = sha256_text(programme)[:16]
    calendar = Calendar()
    calendar.add("prodid", MAKER)
    calendar.add("version", "2.0")
    for entry in told:
        event = Event()
        event.add("uid", f"{entry.task}.{whose}@{DOMAIN}")
        event.add("dtstamp", made)
        event.add("dtstart", entry.start)
        event.add("dtend", entry.end)
        event.add("summary", f"{entry.task} ({entry.team})")
        event.add("location", ", ".join(entry.pools))
        cards = ", ".join(f"{gpus} × {pool}" for pool, gpus in entry.pools.items())
        event.add("description", f"{cards}; {entry.gpu_hours:,.0f} GPU-h")
        calendar.add_component(event)
    text: bytes = calendar.to_ical()
    return text


def slurm(entry: Entry, pool_name: str, site: Site, work_hours: int) -> str:
    """Directives for an entry at one of its pools: a chain of jobs, as a job may not run as long as a run.

    A job array of which one runs at a time is such a chain; each job goes on from the last checkpoint.
    """
    pool: Pool = site.pools[pool_name.partition("/")[2]]
    gpus = entry.pools[pool_name]
    nodes = math.ceil(gpus / pool.gpus_per_node)
    longest = hours_of(pool.longest)
    jobs = math.ceil(work_hours / longest)
    options = {
        "job-name": entry.task,
        "account": pool.account or site.account,
        "partition": pool.partition or site.partition,
        "constraint": pool.constraint or site.constraint,
        "qos": site.qos,
        "nodes": nodes,
        "gpus-per-node": min(gpus, pool.gpus_per_node),
        "ntasks-per-node": 1,
        "time": pool.longest if jobs > 1 else f"{math.ceil(work_hours)}:00:00",
        # Slurm reads it in the time of its own machine.
        "begin": entry.start.astimezone(ZoneInfo(site.timezone)).strftime("%Y-%m-%dT%H:%M:%S"),
        "array": f"1-{jobs}%1" if jobs > 1 else None,
    }
    lines = [f"#SBATCH --{name}={value}" for name, value in options.items() if value is not None]
    return "\n".join(["#!/bin/bash", *lines, *_BODY, ""])


def hours_of(time: str) -> float:
    """Hours of a time as Slurm writes it: ``20:00:00``, ``4-00:00:00``, ``30:00`` (minutes and seconds)."""
    days, _, clock = time.rpartition("-")
    parts = [int(part) for part in clock.split(":")]
    if len(parts) == 2:
        parts = [*parts, 0] if days else [0, *parts]
    hours, minutes, seconds = parts
    return 24 * int(days or 0) + hours + minutes / 60 + seconds / 3600
