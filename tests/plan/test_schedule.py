"""Schedules: every constraint holds, small programmes are solved to the best, what has no place says why."""

import dataclasses
import itertools

import pytest
from hypothesis import HealthCheck, assume, given, settings

from hemicycle.errors import DeclarationError
from hemicycle.plan.check import violations
from hemicycle.plan.cost import tariff
from hemicycle.plan.hours import Clock
from hemicycle.plan.listing import Lists
from hemicycle.plan.problem import (
    After,
    Closure,
    Mode,
    Placement,
    Pool,
    Problem,
    Quota,
    Schedule,
    Task,
    Unplaced,
    Window,
)
from hemicycle.plan.relaxation import Relaxation
from hemicycle.plan.schedule import schedule

from .problems import problems

FEW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def task(name, hours, gpus=1, pool="s/p", **more):
    return Task(
        name, name, more.pop("team", "a"), more.pop("priority", 5), (Mode({pool: gpus}, hours),), **more
    )


def solve(pools, tasks, horizon=100, **more):
    problem = Problem(tuple(pools), tuple(tasks), horizon)
    found = schedule(problem, seconds=more.pop("seconds", 5.0), workers=1)
    assert violations(problem, found) == []
    return found


def placed(found):
    return {p.task: (p.start, p.end) for p in found.placements}


@given(problems())
@FEW
def test_whatever_is_declared_no_constraint_is_broken(problem):
    found = schedule(problem, seconds=2.0, workers=1)
    assert violations(problem, found) == []
    assert found.bound <= found.objective + 1e-6


@pytest.mark.slow
@given(problems())
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_is_declared_no_constraint_is_broken_many_times(problem):
    assert violations(problem, schedule(problem, seconds=2.0, workers=2)) == []


def best_by_trying(problem):
    """The least worth of all schedules of a tiny problem: every mode and every start, one after the other."""
    clock = Clock(problem)
    counted = tariff(problem, clock)
    ways = []
    for each in problem.tasks:
        own = [None]
        for mode in each.modes:
            for start in range(each.earliest, problem.horizon):
                hours = [
                    hour
                    for hour in range(start, problem.horizon)
                    if not any(clock.closed(pool)[hour] for pool in mode.demands)
                ]
                if len(hours) >= mode.hours and hours[0] == start:
                    own.append(Placement(each.name, mode, start, hours[mode.hours - 1] + 1))
        ways.append(own)
    best = None
    for chosen in itertools.product(*ways):
        there = tuple(p for p in chosen if p is not None)
        tried = Schedule(there, (), 0.0, 0.0, 0.0, False, 0.0)
        wrong = [one for one in violations(problem, tried) if "is told 0 times" not in one]
        if not wrong:
            worth = counted.worth({p.task: p for p in there})
            best = worth if best is None else min(best, worth)
    return best, counted


@given(problems())
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_tiny_programme_is_solved_as_well_as_by_trying_everything(drawn):
    tasks = [dataclasses.replace(t, modes=t.modes[:2], earliest=min(t.earliest, 6)) for t in drawn.tasks[:3]]
    tiny = Problem(drawn.pools[:2], tuple(_known(tasks, drawn.pools[:2])), 20, drawn.shares)
    best, counted = best_by_trying(tiny)
    found = schedule(tiny, seconds=10.0, workers=1)
    assert found.optimal
    assert counted.worth({p.task: p for p in found.placements}) == best


@given(problems())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_schedule_costs_less_than_the_bound(drawn):
    tasks = [dataclasses.replace(t, modes=t.modes[:2], earliest=min(t.earliest, 6)) for t in drawn.tasks[:3]]
    tiny = Problem(drawn.pools[:2], tuple(_known(tasks, drawn.pools[:2])), 20, drawn.shares)
    (absent, cost), counted = best_by_trying(tiny)
    bound = Relaxation(tiny, Clock(tiny), counted, absent).bound(10.0)
    assert bound is None or bound <= cost


@given(problems())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_list_breaks_no_constraint_and_costs_what_the_tariff_says(drawn):
    clock = Clock(drawn)
    counted = tariff(drawn, clock)
    assume(counted.tasks)
    lists = Lists(drawn, clock, counted)
    for order in lists.usual():
        layout = lists.lay(order)
        placed = lists.placed(layout)
        assert layout.worth == counted.worth(placed)
        assert not violations(drawn, _as_schedule(drawn, placed))
        first = min(placed.values(), key=lambda each: each.end, default=None)
        kept = {} if first is None else {first.task: first}
        filled = lists.fill(kept)
        assert kept.items() <= filled.items()
        assert not violations(drawn, _as_schedule(drawn, filled))


def _as_schedule(problem, placed):
    unplaced = [Unplaced(task.name, ()) for task in problem.tasks if task.name not in placed]
    return Schedule(tuple(placed.values()), tuple(unplaced), 0.0, 0.0, 0.0, False, 0.0)


def _known(tasks, pools):
    """Tasks without modes of pools that are not there."""
    names = {pool.name for pool in pools}
    for each in tasks:
        modes = tuple(m for m in each.modes if set(m.demands) <= names) or (Mode({min(names): 1}, 3),)
        yield dataclasses.replace(each, modes=modes)


def test_two_runs_that_fit_beside_each_other_begin_at_once_and_a_third_waits():
    found = solve([Pool("s/p", "s", 4)], [task("a", 10, 2), task("b", 10, 2), task("c", 10, 2)])
    starts = sorted(start for start, _ in placed(found).values())
    assert starts == [0, 0, 10]
    assert found.optimal


def test_a_run_pauses_over_maintenance():
    found = solve([Pool("s/p", "s", 1, (Closure(5, 8),))], [task("a", 10)])
    assert placed(found) == {"a": (0, 13)}


def test_a_window_with_fewer_cards_is_kept():
    found = solve([Pool("s/p", "s", 4, (), (Window(0, 20, 1),))], [task("a", 5, 2)])
    assert placed(found) == {"a": (20, 25)}


def test_a_quota_holds_a_run_back_until_the_next_period():
    pool = Pool("s/p", "s", 4, quotas=(Quota(0, 50, 10.0),))
    found = solve([pool], [task("a", 10, 2)])
    ((start, end),) = placed(found).values()
    # Of its 20 GPU-hours ten fit into the first period.
    assert (start, end) == (45, 55)


def test_the_more_pressing_run_goes_first():
    found = solve([Pool("s/p", "s", 1)], [task("slack", 10, priority=1), task("urgent", 10, priority=9)])
    assert placed(found)["urgent"][0] == 0


def test_what_comes_after_waits_for_the_checkpoint_to_travel():
    found = solve([Pool("s/p", "s", 4)], [task("base", 10), task("tuned", 5, after=(After("base", 3),))])
    assert placed(found)["tuned"][0] == 13


def test_a_deadline_that_must_be_kept_moves_the_others():
    tasks = [task("long", 30, priority=9), task("due", 5, priority=1, deadline=6, must=True)]
    found = solve([Pool("s/p", "s", 1)], tasks)
    assert placed(found)["due"][1] <= 6


@pytest.mark.parametrize(
    ("pools", "tasks", "said"),
    [
        ([Pool("s/p", "s", 4)], [task("a", 10, 8)], "it needs 8 GPUs of s/p, which has 4 at most"),
        ([Pool("s/p", "s", 4)], [task("a", 200)], "do not fit between hour 0"),
        (
            [Pool("s/p", "s", 4, quotas=(Quota(0, 100, 5.0),))],
            [task("a", 10)],
            "more than the quotas there allow",
        ),
        (
            [Pool("s/p", "s", 4)],
            [task("a", 10, 8), task("b", 1, after=(After("a"),))],
            "it comes after “a”, which has no place",
        ),
    ],
)
def test_what_has_no_place_says_why(pools, tasks, said):
    found = solve(pools, tasks)
    told = [why for unplaced in found.unplaced for why in unplaced.reasons]
    assert said in " ".join(why.sentence("en") for why in told)
    assert all("{" not in why.sentence("fr") for why in told)


def test_two_sites_together_run_what_neither_could_alone_in_time():
    together = Mode({"one/p": 4, "two/p": 4}, 6)
    alone = (Mode({"one/p": 4}, 10), Mode({"two/p": 4}, 10))
    run = Task("a", "a", "t", 5, (*alone, together), 0, 7, True)
    found = solve([Pool("one/p", "one", 4), Pool("two/p", "two", 4)], [run])
    assert placed(found) == {"a": (0, 6)}


def test_equal_programmes_give_equal_schedules():
    tasks = [task(f"t{i}", 3 + i % 4, 1 + i % 3, priority=1 + i % 10) for i in range(12)]
    one, two = (solve([Pool("s/p", "s", 4)], tasks, seconds=30.0) for _ in range(2))
    assert placed(one) == placed(two)


def test_an_empty_horizon_is_no_programme():
    with pytest.raises(DeclarationError, match="its 0 hours"):
        Problem((Pool("s/p", "s", 1),), (), 0)
