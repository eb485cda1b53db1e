"""Overrides of a source that somebody should know of: those that wait, that hold, and that are missed.

One that has ended is missed while a verdict that it lifted is still there and no other lifts it: the gate has
closed again on some documents although nobody changed anything.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from hemicycle.governance.standing import Lift, Standing, lifts_of


@dataclass(frozen=True)
class Override:
    """One override, and the reasons of `review` that hold documents again since it ended."""

    standing: Standing
    missed: tuple[str, ...]


def overrides(source: str, reasons: Collection[str], told: Iterable[Standing]) -> list[Override]:
    """The overrides of a source in the order of their entry, but for those that ended and are not missed.

    Args:
        reasons: keys of the explanations that hold documents of the source today, lifted or not.
    """
    own = [s for s in told if (s.decision.kind, s.decision.subject) == ("override", source)]
    holding = [lift for s in own if s.state == "standing" for lift in lifts_of(s)]
    found = []
    for one in own:
        ended = one.state in ("expired", "revoked")
        missed = tuple(
            code
            for code, documents in lifts_of(one)
            if ended and one.effective is not None and code in reasons
            if not any(_takes_over(other, code, documents) for other in holding)
        )
        if missed or not ended:
            found.append(Override(one, missed))
    return found


def _takes_over(other: Lift, code: str, documents: tuple[str, ...] | None) -> bool:
    same, these = other
    return same == code and (these is None or (documents is not None and set(documents) <= set(these)))
