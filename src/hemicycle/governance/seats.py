"""Seats: whether enough people are left for the steps of a complaint that are to come.

Who examines a complaint does not decide it, and who decided it does not decide the appeal. Where few people
hold the roles, a signature on one step can leave nobody for the next, and what has entered is not taken back.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import combinations

from hemicycle.errors import RightsError
from hemicycle.governance.complaint_entry import check_entitled, rule_of
from hemicycle.governance.complaint_step import Outcome, Step, StepName
from hemicycle.governance.complaints import Complaint
from hemicycle.governance.people import Governance, Person, Role
from hemicycle.governance.rules import SIGNING_RANKS

#: What may be decided, by the steps after which that is what comes.
_DECISIONS: dict[StepName, tuple[tuple[StepName, Outcome], ...]] = {
    "open": (("decide", "granted"), ("decide", "refused")),
    "triage": (("decide", "granted"), ("decide", "refused")),
    "decide": (("review", "granted"),),
    "appeal": (("review", "granted"),),
}


def shortages(complaint: Complaint, governance: Governance, on: date) -> Iterator[str]:
    """What too few people are left for, or would be after somebody's next signature, as sentences."""
    after = complaint.last.step
    seats = {decision: _seats(complaint, *decision, governance, on) for decision in _DECISIONS.get(after, ())}
    words = [_in_words(*decision) for decision, who in seats.items() if not enough(who)]
    if words:
        yield f"too few people are left to decide {' or '.join(words)}"
    if after != "open":
        return
    for person in sorted(set().union(*_seats(complaint, "triage", None, governance, on))):
        words = [
            _in_words(*decision)
            for decision, who in seats.items()
            if enough(who) and not enough([seat - {person} for seat in who])
        ]
        if words:
            yield f"if {person} examines it, too few people are left to decide {' or '.join(words)}"


def enough(seats: Sequence[set[str]]) -> bool:
    """Whether every seat can be had by another of those who may take it (Hall's theorem)."""
    several = (some for size in range(1, len(seats) + 1) for some in combinations(seats, size))
    return all(len(set().union(*some)) >= len(some) for some in several)


def _seats(
    complaint: Complaint, name: StepName, outcome: Outcome | None, governance: Governance, on: date
) -> list[set[str]]:
    """For each signature that a step to come would need, who may give it."""
    public = complaint.public.model_copy(update={"outcome": outcome})
    step = complaint.last.model_copy(update={"step": name, "by": None, "public": public})
    rule = rule_of(step, governance)
    people = governance.people.values()
    return [
        {p.id for p in people if any(_may(complaint, step, p, role, governance, on) for role in seat)}
        for seat in (rule.needs if rule else ())
    ]


def _may(
    complaint: Complaint, step: Step, person: Person, role: Role, governance: Governance, on: date
) -> bool:
    if person.holds(role, on) not in SIGNING_RANKS:
        return False
    try:
        check_entitled(complaint, step, person, role, governance)
    except RightsError:
        return False
    return True


def _in_words(step: StepName, outcome: Outcome) -> str:
    return "an appeal" if step == "review" else f"that it is {outcome}"
