"""From a programme and sites to a problem for the scheduler: which pools could make a run, and in how long.

Hours are those that an estimate expects, failures included; dates become whole hours since the programme
begins, UTC, and all units end here.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import TypeVar

from hemicycle.arithmetic.chips import find_chip
from hemicycle.errors import DeclarationError, did_you_mean
from hemicycle.plan.across import exchange
from hemicycle.plan.assume import Place, Said, assume
from hemicycle.plan.estimate import Line, Work
from hemicycle.plan.problem import After, Closure, Mode, Pool, Problem, Quota, Task, Window
from hemicycle.plan.programme import Part, PlannedRun, Programme
from hemicycle.plan.published import Run, peak, six_n_d
from hemicycle.sites import SITES, Period, Site
from hemicycle.sites import Pool as DeclaredPool
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
    begin, horizon = _hours(programme)
    given = _Given(programme, sites, places, begin, horizon, model)
    tasks = [each for name in programme.runs for each in given.tasks(name)]
    pools = tuple(_pool(name, sites, begin, horizon) for name in places)
    shares = {name: team.share for name, team in programme.teams.items()}
    problem = Problem(pools, tuple(task for task, _ in tasks), horizon, shares)
    return Demand(problem, begin, {task.name: work for task, work in tasks}, places, sites)


def _hours(programme: Programme) -> tuple[datetime, int]:
    begin = datetime.combine(programme.period.begin, time(), UTC)
    end = datetime.combine(programme.period.until, time(), UTC)
    return begin, int((end - begin).total_seconds() // 3600)


def _at(day: date, begin: datetime, horizon: int) -> int:
    """Hours from the beginning to a day, inside the programme."""
    hours = (datetime.combine(day, time(), UTC) - begin).total_seconds() // 3600
    return min(max(0, int(hours)), horizon)


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
        )
        + tuple(_ungranted(declared, begin, horizon)),
    )


def _ungranted(declared: DeclaredPool, begin: datetime, horizon: int) -> Iterator[Quota]:
    """The hours for which nobody granted anything, of a pool of which hours are granted: none may be used."""
    granted_until = 0
    for quota in sorted(declared.quotas, key=lambda each: each.begin):
        start, end = _at(quota.begin, begin, horizon), _at(quota.until, begin, horizon)
        if start > granted_until:
            yield Quota(granted_until, start, 0.0)
        granted_until = max(granted_until, end)
    if declared.quotas and granted_until < horizon:
        yield Quota(granted_until, horizon, 0.0)


@dataclass(frozen=True)
class _Given:
    """All that the tasks of a run follow from."""

    programme: Programme
    sites: Mapping[str, Site]
    places: Mapping[str, Place]
    begin: datetime
    horizon: int
    model: Callable[[str], Work] | None

    def tasks(self, name: str) -> list[tuple[Task, Work]]:
        """The tasks of a run, one a stage, each after the one before."""
        run, whole, allowed = self.programme.runs[name], self._work(name), self._allowed(name)
        lag, earlier = self._lag(whole, allowed), []
        for before in run.after:
            sent = self._lag(self._work(before), [*self._allowed(before), *allowed])
            earlier.append(After(_last(before, self.programme.runs[before]), sent))
        stages: list[Part | None] = [*run.stages] or [None]
        shares = [stage.share if stage else 1.0 for stage in stages]
        made = []
        for stage, share in zip(stages, shares, strict=True):
            lines = tuple(Line(line.name, line.tokens * share / sum(shares)) for line in whole.lines)
            part = replace(whole, name=f"{name}.{stage.name}" if stage else name, lines=lines)
            task = Task(
                part.name,
                name,
                run.team,
                run.priority,
                self._modes(name, part, allowed),
                earliest=self._earliest(name),
                deadline=self._deadline(name),
                must=run.must,
                after=tuple(earlier),
            )
            made.append((task, part))
            earlier = [After(part.name, lag)]
        return _in_time(made) if run.must else made

    def _work(self, name: str) -> Work:
        run = self.programme.runs[name]
        if run.model is None:
            assert run.parameters is not None
            assert run.tokens is not None
            return Work(name, run.parameters, (Line("text", run.tokens),))
        if self.model is None:
            raise DeclarationError(
                f"run {name} is of the model {run.model}, and there is no project here",
                place=self.programme.place(name),
                remedy="Say its parameters and tokens, or stand in the project's folder.",
            )
        return self.model(run.model)

    def _earliest(self, name: str) -> int:
        run = self.programme.runs[name]
        if run.begin is None:
            return 0
        if run.begin >= self.programme.period.until or run.begin > (run.deadline or run.begin):
            raise DeclarationError(
                f"run {name} may begin on {run.begin}, when the programme or its own deadline is over",
                place=self.programme.place(name),
            )
        return _at(run.begin, self.begin, self.horizon)

    def _deadline(self, name: str) -> int | None:
        """The hour at which its day has ended."""
        day = self.programme.runs[name].deadline
        if day is None:
            return None
        if day < self.begin.date():
            raise DeclarationError(
                f"run {name} has its deadline on {day}, before the programme begins",
                place=self.programme.place(name),
            )
        return _at(min(day, date.max - timedelta(days=1)) + timedelta(days=1), self.begin, self.horizon)

    def _allowed(self, name: str) -> list[str]:
        """Names of the pools that a run may use."""
        run, places = self.programme.runs[name], self.places
        for each in run.sites:
            if each not in places and each not in self.sites:
                raise DeclarationError(
                    f"run {name} may be made at “{each}”, which is no site with a pool",
                    place=self.programme.place(name),
                    remedy=did_you_mean(each, [*places, *self.sites]) or f"Pools: {', '.join(places)}.",
                )
        named = [p for p in places if not run.sites or p in run.sites or p.partition("/")[0] in run.sites]
        known = [p for p in named if places[p].utilisation is not None]
        if not known:
            # Says which kind of card, and what to declare.
            _speed(places[named[0]])
        return known

    def _lag(self, work: Work, pools: Sequence[str]) -> int:
        """Hours in which a checkpoint of a model travels between the slowest of the sites of some pools; none
        where there is but one, or no network is declared."""
        names = {pool.partition("/")[0] for pool in pools}
        links = [link for name in names if (link := _network(self.sites[name])) is not None]
        if len(names) < 2 or not links:
            return 0
        sent = of(CHECKPOINT_BYTES * (work.whole or work.parameters), "byte")
        return math.ceil(number(sent / min(links), "hour"))

    def _modes(self, name: str, work: Work, allowed: Sequence[str]) -> tuple[Mode, ...]:
        """Each way to make a task: a pool and a number of its cards; or several sites together."""
        run = self.programme.runs[name]
        flop = number(six_n_d(work.parameters, work.tokens), "FLOP") * run.experiments
        speeds = {pool: _speed(self.places[pool]) for pool in allowed}
        sizes = {pool: self._sizes(run, work, pool) for pool in allowed}
        made = [
            Mode({pool: gpus}, max(1, math.ceil(flop / (gpus * speeds[pool]))))
            for pool in allowed
            for gpus in sizes[pool]
        ]
        linked = [pool for pool in allowed if self._site(pool).network is not None and sizes[pool]]
        for together in range(2, run.across + 1):
            for pools in itertools.combinations(linked, together):
                if len({pool.partition("/")[0] for pool in pools}) < together:
                    continue
                demands = {pool: max(sizes[pool]) for pool in pools}
                hourly = sum(gpus * speeds[pool] for pool, gpus in demands.items())
                links = [link for p in pools if (link := _network(self._site(p))) is not None]
                tokens_per_second = hourly / 3600 / (6 * work.parameters)
                waits = exchange(work.parameters, links, tokens_per_second, run.batch_tokens, run.every).share
                made.append(Mode(demands, max(1, math.ceil(flop / (hourly * (1 - waits))))))
        if made:
            return tuple(made)
        there = (f"{n} ({self.places[n].gpus}, {self.places[n].per_node} a node)" for n in allowed)
        raise DeclarationError(
            f"run {name}: no pool it may use has as many cards as it may take, in whole nodes, and room on "
            "them for its weights",
            place=self.programme.place(name),
            remedy=f"Its pools: {', '.join(there)}.",
        )

    def _site(self, pool: str) -> Site:
        return self.sites[pool.partition("/")[0]]

    def _sizes(self, run: PlannedRun, work: Work, pool: str) -> list[int]:
        """Numbers of cards of a pool that a run may take, the largest first: enough for what it keeps of its
        weights, and a part of one node or whole nodes, as the rest of a node would be nobody's."""
        declared = self._site(pool).pools[pool.partition("/")[2]]
        node, most = declared.gpus_per_node, max([declared.gpus, *(w.gpus for w in declared.windows)])
        least = work.state_bytes / self.places[pool].chip.memory
        parts = (declared.gpus // part for part in PARTS)
        wanted = run.gpus or [gpus - gpus % node if gpus > node else gpus for gpus in parts]
        may = {gpus for gpus in wanted if gpus < node or gpus % node == 0}
        return sorted((gpus for gpus in may if max(1, least) <= gpus <= most), reverse=True)


def _in_time(made: list[tuple[Task, Work]]) -> list[tuple[Task, Work]]:
    """The stages of a run that must keep its deadline: each leaves time for those after it, so that none is
    made in vain."""
    found, rest = [], 0
    for task, part in reversed(made):
        assert task.deadline is not None
        found.append((replace(task, deadline=max(1, task.deadline - rest)), part))
        rest += min(mode.hours for mode in task.modes) + max((each.lag for each in task.after), default=0)
    return found[::-1]


def _last(name: str, run: PlannedRun) -> str:
    """The task that ends a run."""
    return f"{name}.{run.stages[-1].name}" if run.stages else name


def _network(site: Site) -> Quantity | None:
    return quantity(site.network, "Gbit/s") if site.network is not None else None
