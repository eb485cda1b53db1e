"""From a programme and sites to a problem for the scheduler: which pools could make a run, and in how long.

Hours are those that an estimate expects, failures included; dates become whole hours since the programme
begins, UTC, and all units end here.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TypeVar

from hemicycle.arithmetic.chips import find_chip
from hemicycle.errors import DeclarationError, did_you_mean
from hemicycle.plan.across import exchange
from hemicycle.plan.assume import Place, Said, assume
from hemicycle.plan.estimate import Line, Work
from hemicycle.plan.problem import After, Closure, Mode, Pool, Problem, Quota, Task, Window
from hemicycle.plan.programme import PROGRAMME, Part, PlannedRun, Programme
from hemicycle.plan.published import Run, peak, six_n_d
from hemicycle.sites import SITES, Period, Site
from hemicycle.units import Quantity, number, of, quantity

P = TypeVar("P", bound=Period)

#: Shares of a pool that a run may take where it does not say.
PARTS = (1, 2, 4, 8)
#: Bytes that go with each weight to the site of the next stage: itself and two moments in 32 bits, and itself
#: once more in what is written.
CHECKPOINT_BYTES = 16


@dataclass(frozen=True)
class Demand:
    """A problem, and what it was made of.

    Attributes:
        begin: hour 0 of the problem.
        work: of each task; places: of each pool, by name.
    """

    problem: Problem
    begin: datetime
    work: Mapping[str, Work]
    places: Mapping[str, Place]
    sites: Mapping[str, Site]


def demand(
    programme: Programme,
    sites: Mapping[str, Site],
    *,
    own: Callable[[str, str], Sequence[Run]] = lambda chip, place: (),
    model: Callable[[str], Work] | None = None,
) -> Demand:
    """The problem that a programme poses.

    Args:
        own: runs that were made on a chip at a place.
        model: the work of a model of the project.

    Raises DeclarationError on a site that is not declared, or a chip that no run was published on.
    """
    begin, horizon = _hours(programme)
    places = {
        f"{name}/{key}": assume(
            f"{name}/{key}",
            find_chip(pool.chip),
            pool.gpus,
            said=Said(),
            site=site,
            pool=pool,
            own=own(pool.chip, f"{name}/{key}"),
        )
        for name, site in sites.items()
        for key, pool in site.pools.items()
    }
    if not places:
        raise DeclarationError(
            "no site has a pool of cards, so there is nowhere to run", remedy=f"Declare pools in {SITES}."
        )
    speeds = {name: _speed(place) for name, place in places.items() if place.utilisation is not None}
    tasks, work = [], {}
    for name, run in programme.runs.items():
        for task, of_task in _tasks(name, run, programme, sites, places, speeds, begin, horizon, model):
            tasks.append(task)
            work[task.name] = of_task
    pools = tuple(_pool(name, sites, begin, horizon) for name in places)
    shares = {name: team.share for name, team in programme.teams.items()}
    return Demand(Problem(pools, tuple(tasks), horizon, shares), begin, work, places, sites)


def _hours(programme: Programme) -> tuple[datetime, int]:
    begin = datetime.combine(programme.period.begin, time(), UTC)
    end = datetime.combine(programme.period.until, time(), UTC)
    return begin, int((end - begin).total_seconds() // 3600)


def _at(day: date, begin: datetime, horizon: int) -> int:
    """Hours from the beginning to a day, inside the programme."""
    hours = (datetime.combine(day, time(), UTC) - begin).total_seconds() // 3600
    return min(max(0, int(hours)), horizon)


def _by(name: str, day: date, begin: datetime, horizon: int) -> int:
    """The hour at which a day has ended. Raises DeclarationError on one before the programme."""
    if day < begin.date():
        raise DeclarationError(
            f"run {name} has its deadline on {day}, before the programme begins",
            place=f"{PROGRAMME}, [runs.{name}]",
        )
    return _at(day + timedelta(days=1), begin, horizon)


def _speed(place: Place) -> float:
    """Floating-point operations of 6 N D that one card makes in an hour of the calendar."""
    reached = place.reached.expected * place.availability.range.expected
    return number(peak(place.chip) * reached, "FLOP/GPU_h")


def _pool(name: str, sites: Mapping[str, Site], begin: datetime, horizon: int) -> Pool:
    site_name, _, key = name.partition("/")
    site, declared = sites[site_name], sites[site_name].pools[key]

    def spans(periods: Sequence[P]) -> list[tuple[int, int, P]]:
        """Those that lie in the programme, cut to it."""
        every = [(_at(each.begin, begin, horizon), _at(each.until, begin, horizon), each) for each in periods]
        return [(start, end, each) for start, end, each in every if start < end]

    return Pool(
        name,
        site_name,
        declared.gpus,
        closures=tuple(Closure(start, end) for start, end, _ in spans(site.maintenance)),
        windows=tuple(Window(start, end, w.gpus) for start, end, w in spans(declared.windows)),
        quotas=tuple(
            Quota(start, end, number(declared.each(q.hours, "GPU-h"), "GPU-h"))
            for start, end, q in spans(declared.quotas)
        ),
    )


def _tasks(
    name: str,
    run: PlannedRun,
    programme: Programme,
    sites: Mapping[str, Site],
    places: Mapping[str, Place],
    speeds: Mapping[str, float],
    begin: datetime,
    horizon: int,
    model: Callable[[str], Work] | None,
) -> Iterator[tuple[Task, Work]]:
    """The tasks of a run, one a stage, each after the one before."""
    whole = _work(name, run, model)
    allowed = _allowed(name, run, places, sites)
    stages: list[Part | None] = [*run.stages] or [None]
    shares = [stage.share if stage else 1.0 for stage in stages]
    lag = _lag(whole, allowed, sites)
    earlier = [After(_last(before, programme.runs[before]), lag) for before in run.after]
    for stage, share in zip(stages, shares, strict=True):
        part = Work(
            f"{name}.{stage.name}" if stage else name,
            whole.parameters,
            tuple(Line(line.name, line.tokens * share / sum(shares)) for line in whole.lines),
        )
        flop = number(six_n_d(part.parameters, part.tokens), "FLOP") * run.experiments
        modes = tuple(_modes(run, part, flop, allowed, sites, speeds, places))
        if not modes:
            raise DeclarationError(
                f"run {name}: no pool it may use has as many cards as it may take, in whole nodes",
                place=f"{PROGRAMME}, [runs.{name}]",
                remedy="Its pools: "
                + ", ".join(f"{n} ({places[n].gpus}, {places[n].per_node} a node)" for n in allowed)
                + ".",
            )
        yield (
            Task(
                part.name,
                name,
                run.team,
                run.priority,
                modes,
                earliest=_at(run.begin, begin, horizon) if run.begin else 0,
                deadline=_by(name, run.deadline, begin, horizon) if run.deadline else None,
                must=run.must,
                after=tuple(earlier),
            ),
            part,
        )
        earlier = [After(part.name, lag)]


def _last(name: str, run: PlannedRun) -> str:
    """The task that ends a run."""
    return f"{name}.{run.stages[-1].name}" if run.stages else name


def _work(name: str, run: PlannedRun, model: Callable[[str], Work] | None) -> Work:
    if run.model is None:
        assert run.parameters is not None
        assert run.tokens is not None
        return Work(name, run.parameters, (Line("text", run.tokens),))
    if model is None:
        raise DeclarationError(
            f"run {name} is of the model {run.model}, and there is no project here",
            place=f"{PROGRAMME}, [runs.{name}]",
            remedy="Say its parameters and tokens, or stand in the project's folder.",
        )
    return model(run.model)


def _allowed(name: str, run: PlannedRun, places: Mapping[str, Place], sites: Mapping[str, Site]) -> list[str]:
    """Names of the pools that a run may use."""
    for each in run.sites:
        if each not in places and each not in sites:
            raise DeclarationError(
                f"run {name} may be made at “{each}”, which is no site with a pool",
                place=f"{PROGRAMME}, [runs.{name}]",
                remedy=did_you_mean(each, [*places, *sites]) or f"Pools: {', '.join(places)}.",
            )
    named = [p for p in places if not run.sites or p in run.sites or p.partition("/")[0] in run.sites]
    known = [p for p in named if places[p].utilisation is not None]
    if not known:
        # Says which kind of card, and what to declare.
        _speed(places[named[0]])
    return known


def _lag(work: Work, allowed: Sequence[str], sites: Mapping[str, Site]) -> int:
    """Hours in which a checkpoint travels between the slowest of the sites; none where there is but one, or
    no network is declared."""
    names = {pool.partition("/")[0] for pool in allowed}
    links = [link for name in names if (link := _network(sites[name])) is not None]
    if len(names) < 2 or not links:
        return 0
    sent = of(CHECKPOINT_BYTES * work.parameters, "byte")
    return math.ceil(number(sent / min(links), "hour"))


def _network(site: Site) -> Quantity | None:
    return quantity(site.network, "Gbit/s") if site.network is not None else None


def _modes(
    run: PlannedRun,
    work: Work,
    flop: float,
    allowed: Sequence[str],
    sites: Mapping[str, Site],
    speeds: Mapping[str, float],
    places: Mapping[str, Place],
) -> Iterator[Mode]:
    """Each way to make a task: a pool and a number of its cards; or several sites together."""
    for name in allowed:
        for gpus in _sizes(run, places[name]):
            yield Mode({name: gpus}, max(1, math.ceil(flop / (gpus * speeds[name]))))
    linked = [name for name in allowed if sites[name.partition("/")[0]].network is not None]
    for together in range(2, run.across + 1):
        for names in itertools.combinations(linked, together):
            if len({name.partition("/")[0] for name in names}) < together:
                continue
            demands = {name: max(_sizes(run, places[name]), default=0) for name in names}
            if not all(demands.values()):
                continue
            hourly = sum(gpus * speeds[name] for name, gpus in demands.items())
            links = [link for n in names if (link := _network(sites[n.partition("/")[0]])) is not None]
            tokens_per_second = hourly / 3600 / (6 * work.parameters)
            waits = exchange(work.parameters, links, tokens_per_second, run.batch_tokens, run.every).share
            yield Mode(demands, max(1, math.ceil(flop / (hourly * (1 - waits)))))


def _sizes(run: PlannedRun, place: Place) -> list[int]:
    """Numbers of cards of a pool that a run may take, the largest first: a part of one node, or whole nodes,
    as the rest of a node would be nobody's."""
    most, node = place.gpus or 0, place.per_node
    wanted = run.gpus or [gpus - gpus % node if gpus > node else gpus for gpus in (most // p for p in PARTS)]
    may = {gpus for gpus in wanted if 1 <= gpus <= most and (gpus < node or gpus % node == 0)}
    return sorted(may, reverse=True)
