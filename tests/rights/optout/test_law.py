"""What several findings come to: the law, in one look and over time."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemicycle.documents import Reservation
from hemicycle.rights.optout import Value, combine, over_time, strictest

from .conftest import FUZZ

VALUES = st.lists(st.sampled_from(get_args(Value)), max_size=8)
#: From the most restrictive; between looks silence closes, within one a permission breaks it.
ONE_LOOK = ["reserved", "unread", "allowed", "unknown"]
LOOKS = ["reserved", "unread", "unknown", "allowed"]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ([], "unknown"),
        (["unknown", "allowed"], "allowed"),
        (["unread", "allowed"], "unread"),
        (["unread", "unknown"], "unread"),
        (["reserved", "unread", "allowed"], "reserved"),
        (["perhaps", "allowed"], "reserved"),
        ([None, "allowed"], "reserved"),
    ],
)
def test_what_findings_of_one_look_come_to(found: list[str | None], said: str) -> None:
    assert strictest(found) == said
    if None not in found:
        assert combine(Reservation("robots", "v", value, "p") for value in found) == said  # type: ignore[arg-type]


def test_what_was_allowed_and_is_not_said_any_more_is_not_allowed() -> None:
    assert over_time(["allowed", "unknown"]) == over_time(["unknown", "allowed"]) == "unknown"
    assert over_time(["allowed", "unread"]) == "unread"
    assert over_time(["allowed", "allowed"]) == "allowed"


@given(VALUES, VALUES)
@FUZZ
def test_order_and_grouping_change_nothing(some: list[Value], others: list[Value]) -> None:
    for law, order in ((strictest, ONE_LOOK), (over_time, LOOKS)):
        both = law([*some, *others])
        assert both == law([*others, *some])
        if some and others:
            assert both == law([law(some), law(others)])
            assert order.index(both) == min(order.index(value) for value in [*some, *others])


@given(VALUES)
@FUZZ
def test_what_is_unread_is_never_allowed_and_what_is_reserved_stays_so(found: list[Value]) -> None:
    for law in (strictest, over_time):
        assert law([*found, "unread"]) in ("unread", "reserved")
        assert law([*found, "reserved"]) == "reserved"


@given(VALUES, st.sampled_from(["reserved", "unread"]))
@FUZZ
def test_evidence_of_a_reservation_or_of_a_gap_never_loosens(found: list[Value], more: Value) -> None:
    assert ONE_LOOK.index(strictest([*found, more])) <= ONE_LOOK.index(strictest(found))


@given(st.lists(st.sampled_from(get_args(Value)), min_size=1, max_size=8), st.sampled_from(get_args(Value)))
@FUZZ
def test_no_later_look_loosens(looks: list[Value], later: Value) -> None:
    assert LOOKS.index(over_time([*looks, later])) <= LOOKS.index(over_time(looks))
