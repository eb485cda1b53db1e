"""Why a process of a training failed, as one sentence with its remedy.

What the libraries say of a full card or a lost network is many lines long and speaks of their own insides.
The table beside this file knows it by a word in it. What no row knows is repeated as it was said.
"""

from __future__ import annotations

import csv
import errno
import functools
import re
import signal
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from hemicycle.errors import HemicycleError
from hemicycle.train.launch.outcome import Failure, last_lines


@dataclass(frozen=True)
class Reason:
    """A row of the table; `again` and `follows` as in `Failure`."""

    pattern: re.Pattern[str]
    what: str
    remedy: str
    again: bool
    follows: bool


@functools.cache
def reasons() -> list[Reason]:
    """The table; the first row whose pattern is found counts."""
    text = (resources.files(__package__) / "reasons.csv").read_text("utf-8")
    return [
        Reason(re.compile(r["pattern"]), r["what"], r["remedy"], r["again"] == "yes", r["follows"] == "yes")
        for r in csv.DictReader(text.splitlines())
    ]


def reason_of(text: str) -> Reason | None:
    return next((reason for reason in reasons() if reason.pattern.search(text)), None)


def of_error(error: BaseException, log: Path, rank: int | None = None, step: int | None = None) -> Failure:
    """The failure that an exception is; `log` holds its traceback."""
    if isinstance(error, HemicycleError):
        kind = type(error).__name__
        return Failure(error.what, error.place, error.remedy, kind, said=True, rank=rank, step=step)
    known = reason_of(described(error))
    if known is None:
        first = (str(error).strip().splitlines() or [""])[0]
        return Failure(
            f"{type(error).__name__}: {first}",
            str(log),
            "Hemicycle did not foresee this: report it with that file.",
            rank=rank,
            step=step,
        )
    file = error.filename if isinstance(error, OSError) else None
    return Failure(
        known.what,
        str(file or log),
        known.remedy,
        rank=rank,
        step=step,
        again=known.again,
        follows=known.follows,
    )


def of_death(code: int, log: Path, rank: int, step: int | None) -> Failure:
    """The failure of a rank that left no word: it ended with an exit code, or with a signal if `code` < 0."""
    ended = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    said, by_signal = last_lines(log), reason_of(ended)
    # A crash is mostly a library's way to end: what it said before is nearer to the cause.
    known = (reason_of(said) if code != -signal.SIGKILL else None) or by_signal
    what = f"{known.what} ({ended})" if known else f"it ended with {ended}"
    return Failure(
        f"{what}: {said}" if said else what,
        str(log),
        known.remedy if known else "Its log says more.",
        rank=rank,
        step=step,
        again=known is not None and known.again,
        # Others notice that a process has died, and fail after it.
        follows=by_signal is not None and by_signal.follows,
    )


def described(error: BaseException) -> str:
    """An exception in the words of the table: its class and those it stands on, errno's name, its text."""
    classes = " ".join(c.__name__ for c in type(error).__mro__[:-3])
    number = errno.errorcode.get(error.errno or 0, "") if isinstance(error, OSError) else ""
    return f"{classes} {number}: {error}"
