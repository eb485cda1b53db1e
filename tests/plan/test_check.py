"""The independent check: a schedule that holds has no violations, and each way to break one is named."""

import dataclasses

import pytest

from hemicycle.plan.check import violations
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
)

ONE, TWO = Mode({"s/p": 2}, 4), Mode({"s/p": 2}, 3)
PROBLEM = Problem(
    (Pool("s/p", "s", 3, (Closure(6, 8),), quotas=(Quota(0, 20, 14.0),)),),
    (
        Task("a", "a", "t", 5, (ONE,), 1, 9, True),
        Task("b", "b", "t", 5, (TWO,), after=(After("a", 1),)),
    ),
    30,
)
#: `a` works hours 1 to 4; `b` hour 8 to 10.
A, B = Placement("a", ONE, 1, 5), Placement("b", TWO, 8, 11)


def told(*placements, unplaced=()):
    return violations(PROBLEM, Schedule(placements, unplaced, 0.0, 0.0, 0.0, False, 0.0))


def test_a_schedule_that_holds_has_no_violation():
    assert told(A, B) == []
    assert told(A, unplaced=(Unplaced("b", ()),)) == []


def test_a_run_over_a_closure_pauses():
    over = dataclasses.replace(A, start=4, end=10)
    assert told(over, unplaced=(Unplaced("b", ()),)) == ["a misses the deadline that it must keep"]


@pytest.mark.parametrize(
    ("placements", "said"),
    [
        ((A,), "b is told 0 times"),
        ((A, A, B), "a is told 2 times"),
        ((dataclasses.replace(A, mode=TWO, end=4), B), "a is run in a way that it has not"),
        ((dataclasses.replace(A, end=4), B), "a works 3 hours of 4"),
        ((dataclasses.replace(A, start=0, end=4), B), "a begins before hour 1"),
        ((A, dataclasses.replace(B, start=7)), "b begins or ends while a pool is closed"),
        ((A, dataclasses.replace(B, start=5, end=10)), "b does not wait for a"),
        ((A, dataclasses.replace(B, start=28, end=31)), "b is not inside the programme"),
        ((B,), "b is placed without a"),
        ((A, dataclasses.replace(B, start=2, end=5)), "s/p has 3 cards at hour 2, and 4 are taken"),
    ],
)
def test_each_way_to_break_a_schedule_is_named(placements, said):
    assert said in told(*placements)


def test_an_allowance_that_is_used_up_is_named():
    tight = dataclasses.replace(
        PROBLEM, pools=(dataclasses.replace(PROBLEM.pools[0], quotas=(Quota(0, 20, 13.0),)),)
    )
    found = violations(tight, Schedule((A, B), (), 0.0, 0.0, 0.0, False, 0.0))
    assert found == ["14 GPU-hours of s/p are used of 13.0 from hour 0"]
