"""What can go wrong, said as a sentence: what happened, where, and what to do.

Every error that a user can cause or meet is one of these four. The command line turns them into an
exit code; anything else that escapes is a defect of Hemicycle and shows a traceback.

An error often repeats a name that a stranger gave to a file. Such a name may hold line breaks, which forge
lines of a log, or sequences that move the cursor: an error spells them out from the moment it is made.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

#: Not “printable” to Python, and in every French title.
NO_BREAK_SPACES = "\u00a0\u202f"


def visible(text: str) -> str:
    """Text in one line, as a terminal and a log may safely show it: what does not print is spelled out."""
    return "".join(c if c.isprintable() or c in NO_BREAK_SPACES else ascii(c)[1:-1] for c in text)


class HemicycleError(Exception):
    """Something a person can understand and mend.

    Args:
        what: one sentence, without the place.
        place: where, as ``file``, ``file, line 7`` or ``file, key a.b``.
        remedy: what to do about it, one sentence.
    """

    exit_code = 1

    def __init__(self, what: str, *, place: str | None = None, remedy: str | None = None) -> None:
        self.what = visible(what)
        self.place = visible(place) if place is not None else None
        self.remedy = visible(remedy) if remedy is not None else None
        super().__init__(self.what, self.place, self.remedy)

    @property
    def sentence(self) -> str:
        """Where and what, in one line."""
        return f"{self.place}: {self.what}" if self.place else self.what

    def __str__(self) -> str:
        return f"{self.sentence}\n  {self.remedy}" if self.remedy else self.sentence

    def __reduce__(self) -> tuple[Any, ...]:
        # Python would call the class again with the arguments in a row, and these have names.
        return _again, (type(self), self.args, self.__dict__)


def _again(kind: type[HemicycleError], args: tuple[Any, ...], said: Mapping[str, Any]) -> HemicycleError:
    """An error that crossed to another process."""
    error = kind.__new__(kind, *args)
    error.__dict__.update(said)
    return error


class InputError(HemicycleError):
    """A file or a service from outside is not what it should be."""

    exit_code = 1


class IntegrityError(HemicycleError):
    """Something Hemicycle made is no longer what the ledger says it was."""

    exit_code = 1


class DeclarationError(HemicycleError):
    """The declaration, a source card or the call itself is wrong."""

    exit_code = 2


class UnknownNameError(DeclarationError):
    """A name that nothing declared has. It may be a slip in something else that stands at its place."""


class RightsError(HemicycleError):
    """Rights or governance do not let the work go on."""

    exit_code = 3


def unparsed(error: Exception) -> str:
    """Why a parser gave a text up, in words for who wrote it: of deep nesting, and of what is missing,
    Python speaks as of itself."""
    if isinstance(error, KeyError):
        return f"it has no “{error.args[0]}”"
    if isinstance(error, TypeError | AttributeError):
        return "a part of it is of another kind than it should be"
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)


def did_you_mean(word: str, known: Iterable[str], closeness: float = 0.6) -> str | None:
    """Say which known word was probably meant, as a sentence, or None when none is as close as asked."""
    by_lower = {k.lower(): k for k in known}
    close = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=closeness)
    return f"Did you mean “{by_lower[close[0]]}”?" if close else None
