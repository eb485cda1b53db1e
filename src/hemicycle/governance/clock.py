"""The clock of the journal: when a line of governance or of complaints entered, and none after it before.

Whoever keeps the ledger sets this clock. What can be held against them is its order: were a later line
allowed to bear an earlier time, a clock set back would keep an override alive after its last day, or bring
somebody who left back into office.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from hemicycle.errors import InputError, IntegrityError
from hemicycle.ledger import Line

#: Lines that say when they entered.
TIMED = ("governance", "policy", "decision", "signature", "complaint")

#: By so much one machine's clock may be behind another's that wrote before it.
SKEW = timedelta(minutes=5)


def entered(line: Line) -> datetime:
    """When a line entered. Raises IntegrityError where it does not say."""
    try:
        time = datetime.fromisoformat(line.content["entered"])
    except (KeyError, ValueError, TypeError):
        time = datetime.min
    # Days are added to it: near the ends of the calendar there would be none to add.
    if time.utcoffset() != timedelta() or not 2000 <= time.year < 3000:
        raise IntegrityError("the line does not say when it entered", place=f"line {line.number}")
    return time


class Order:
    """The times of a journal's lines, each held against those of the lines that it follows.

    By heads and not by numbers: copies that went on apart may be merged in either order.
    """

    def __init__(self) -> None:
        self._times: dict[str, datetime] = {}

    def take(self, line: Line) -> str | None:
        """Go one line on. What is wrong with its time, as a sentence; None where nothing is."""
        before = max((self._times[head] for head in line.heads if head in self._times), default=None)
        if before is not None:
            self._times[line.digest] = before
        if line.kind not in TIMED:
            return None
        try:
            moment = entered(line)
        except IntegrityError as error:
            return error.what
        if before is not None and moment < before:
            return f"it entered before the line that it follows, which is of {before}"
        self._times[line.digest] = moment
        return None


def latest(lines: Iterable[Line]) -> datetime | None:
    """The latest time that the lines say; None where none says one."""
    return max((entered(line) for line in lines if line.kind in TIMED), default=None)


def not_before(lines: Iterable[Line], now: datetime) -> datetime:
    """The time at which something may enter after these lines: `now`, or the last time they say.

    Raises InputError where the clock is behind by more than clocks differ.
    """
    last = latest(lines)
    if last is None or now >= last:
        return now
    if last - now <= SKEW:
        return last
    raise InputError(
        f"the clock says {now:%Y-%m-%d %H:%M} UTC, and the journal goes on to {last:%Y-%m-%d %H:%M} UTC",
        remedy="Set the clock right. Was it ahead before, take the ledger back from a copy of that time.",
    )
