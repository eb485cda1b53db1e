"""The law of combination: what several findings come to. It stands here and nowhere else.

Four values, and two of them are easily mistaken for each other. `unknown` is silence: what could speak was
read and says nothing of mining. `unread` is a gap: something that might reserve could not be had, or could
not be read to its end. A permission breaks silence and does not close a gap, so between the findings of one
look `unread` stands above `allowed`. Between two looks at different times silence closes too: what was
permitted once and is not said any more is not permitted now.

One more finding never loosens what others say, unless they say nothing at all.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

#: Of findings of one look the first of these that is among them wins.
Value = Literal["reserved", "unread", "allowed", "unknown"]
_ONE_LOOK: tuple[Value, ...] = get_args(Value)
_SEVERAL_LOOKS: tuple[Value, ...] = ("reserved", "unread", "unknown", "allowed")


def strictest(values: Iterable[str | None]) -> Value:
    """What findings of one look come to; of none nothing is known, and what is no value reserves."""
    return _first(_ONE_LOOK, values)


def over_time(looks: Iterable[str | None]) -> Value:
    """What looks at different times come to, each of them what `strictest` made of its findings."""
    return _first(_SEVERAL_LOOKS, looks)


def rank(value: Value) -> int:
    """How restrictive a value of one look is, 0 the most."""
    return _ONE_LOOK.index(value)


def _first(order: tuple[Value, ...], values: Iterable[str | None]) -> Value:
    found = {value if value in order else "reserved" for value in values}
    return next((value for value in order if value in found), "unknown")
