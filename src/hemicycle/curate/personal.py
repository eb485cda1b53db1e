"""Personal data: find it, be sure of it, and put a fixed mark of its own kind in its place.

`personal.csv` holds a pattern a line, in the order in which they are tried: whoever comes first keeps the
characters. A line either masks, or keeps (an establishment's SIRET, a book's ISBN: claimed so that nothing
after it takes them for somebody's), or masks only where it is asked for. A pattern proposes, its validator
decides (`validators.py`); what is ambiguous alone must be announced by a word before it. `personal.toml`
holds these words and what is masked in which kind of document, with the reason.

A mark is always the same and can be nobody's: a reserved domain, a telephone number kept for fiction, an
account number whose key no bank can have. A mark that rotated would depend on the order of documents.

Two traps. Shortening one address can bring a second within reach of the word that announces it, so a text
is gone through until nothing is found, which makes masking twice the same as masking once; marks are set
aside first, so every pass leaves less. And most texts have none of this: patterns are only tried near a
cheap hint, and no hint, no work. A number broken over two lines is not found.

Only counts leave this file; no error and no ledger ever has a value.
"""

from __future__ import annotations

import csv
import re
import tomllib
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
import numpy.typing as npt

from hemicycle.curate.clean import move
from hemicycle.curate.validators import VALIDATORS, Validator

#: Another number means other texts.
PERSONAL = 1

#: Kinds of personal data, as they end names of measures. Only the extra finds a `name` (`names_presidio`).
KINDS: tuple[str, ...] = ("email", "phone", "ip", "iban", "card", "identity", "plate", "address", "name")

#: How far before a number a word may announce it, or make it another thing.
_ANNOUNCED, _BARRED = 60, 24

#: Characters; a test holds every mark to it.
_LONGEST_MARK = 40

_SPACES = (("\u00a0", " "), ("\u202f", " "), ("\u2009", " "), ("\u2011", "-"))


@dataclass(frozen=True)
class Rule:
    """A line of the table, compiled.

    Attributes:
        does: ``mask``, ``keep`` or ``ask`` (mask where the caller asks for this kind).
        asks: what must stand shortly before.
        bars: what may not end right before, and may not begin right after.
        mark: what is written instead.
    """

    kind: str
    country: str
    does: str
    hint: str
    pattern: re.Pattern[str]
    validator: Validator
    asks: re.Pattern[str] | None
    bars: tuple[re.Pattern[str], re.Pattern[str]] | None
    mark: str


@dataclass(frozen=True)
class Hint:
    """What a text must have for some rules to be tried, and how far around it they are.

    `signs`: fixed strings of which the text must have one; none where the pattern begins with one itself.
    """

    signs: tuple[str, ...]
    pattern: re.Pattern[str]
    before: int
    after: int


@dataclass(frozen=True)
class Policy:
    """What is masked in a kind of document: kinds of the table, and persons' names by the extra."""

    masks: frozenset[str]
    names: bool
    en: str
    fr: str


@dataclass(frozen=True)
class Tables:
    """Rules in the order in which they are tried, hints and policies by name, and any mark."""

    rules: tuple[Rule, ...]
    hints: dict[str, Hint]
    policies: dict[str | None, Policy]
    marks: re.Pattern[str]


@cache
def tables() -> Tables:
    """Read `personal.csv` and `personal.toml`."""
    folder = resources.files("hemicycle.curate")
    words = tomllib.loads((folder / "personal.toml").read_text("utf-8"))
    lines = list(csv.DictReader((folder / "personal.csv").read_text("utf-8").splitlines()))
    asks = {name: re.compile(pattern, re.I) for name, pattern in words["asks"].items()}
    bars = {
        name: (re.compile(rf"(?:{both['before']})\Z", re.I), re.compile(both["after"], re.I))
        for name, both in words["bars"].items()
    }
    rules = tuple(
        Rule(
            kind=line["kind"],
            country=line["country"],
            does=line["does"],
            hint=line["hint"],
            # Edges are added here: the table keeps to what engines without look-around read too.
            pattern=re.compile(rf"(?<![\w+])(?:{line['pattern']})(?!\w)"),
            validator=VALIDATORS[line["validator"]],
            asks=asks[line["asks"]] if line["asks"] else None,
            bars=bars[line["bars"]] if line["bars"] else None,
            mark=line["mark"],
        )
        for line in lines
    )
    policies: dict[str | None, Policy] = {
        kind: Policy(frozenset(row["masks"]), row["names"], row["en"], row["fr"])
        for kind, row in [(None, words["default"]), *words["kinds"].items()]
    }
    hints = {
        name: Hint(tuple(row.get("signs", ())), re.compile(row["pattern"]), row["before"], row["after"])
        for name, row in words["hints"].items()
    }
    marks = "|".join(map(re.escape, sorted({rule.mark for rule in rules} - {""}, key=len, reverse=True)))
    return Tables(rules, hints, policies, re.compile(rf"(?<!\w)(?:{marks})(?!\w)"))


def policy(kind: str | None) -> Policy:
    """What is masked in a document of `kind`; a kind without a row has the default."""
    policies = tables().policies
    return policies.get(kind, policies[None])


def mask(
    text: str, points: npt.NDArray[np.int64], kind: str | None, *, also: Collection[str] = ()
) -> tuple[str, npt.NDArray[np.int64], dict[str, int]]:
    """Mask what the policy of `kind` says.

    Args:
        points: offsets in code points of `text`, carried along.
        also: kinds that the table leaves alone unless asked (``address``).

    Returns:
        The text, the points at their new places, and how many of each kind were masked.
    """
    wanted = policy(kind).masks | frozenset(also)
    rules = [rule for rule in tables().rules if rule.does == "keep" or rule.kind in wanted]
    counts: Counter[str] = Counter()
    # Ends: marks are never looked into again, so that each pass has fewer other characters before it.
    while found := _find(text, rules):
        text, points = replace(text, points, [(start, end, rule.mark) for start, end, rule in found])
        counts.update(rule.kind for _, _, rule in found)
    return text, points, dict(counts)


def _find(text: str, rules: list[Rule]) -> list[tuple[int, int, Rule]]:
    """What is to be masked: start, end and rule, in order of place."""
    plain = text
    for space, ordinary in _SPACES:
        plain = plain.replace(space, ordinary)
    hints = tables().hints
    windows = {name: list(_windows(plain, hints[name])) for name in dict.fromkeys(r.hint for r in rules)}
    if not any(windows.values()):
        return []
    claimed = bytearray(len(plain))
    for start, end in (window for some in windows.values() for window in some):
        for match in tables().marks.finditer(plain, max(0, start - _LONGEST_MARK), end + _LONGEST_MARK):
            _claim(claimed, *match.span())
    found = []
    for rule in rules:
        for window in windows[rule.hint]:
            for start, end in _matches(plain, rule, window, claimed):
                _claim(claimed, start, end)
                if rule.does != "keep":
                    found.append((start, end, rule))
    return sorted(found, key=lambda at: at[0])


def _windows(text: str, hint: Hint) -> Iterator[tuple[int, int]]:
    """Stretches around what the hint finds, in order, none touching the next."""
    if hint.signs and not any(sign in text for sign in hint.signs):
        return
    start, end = 0, -1
    for match in hint.pattern.finditer(text):
        if end < 0:
            start = max(0, match.start() - hint.before)
        elif match.start() - hint.before > end:
            yield start, end
            start = match.start() - hint.before
        end = min(len(text), match.end() + hint.after)
    if end >= 0:
        yield start, end


def _matches(text: str, rule: Rule, window: tuple[int, int], claimed: bytearray) -> Iterator[tuple[int, int]]:
    """Places that the rule is sure of, outside what is claimed."""
    at, last = window
    while match := rule.pattern.search(text, at, last):
        start, end = match.span()
        taken = claimed.find(1, start, end)
        if taken == start:
            free = claimed.find(0, start, last)
            at = free if free > 0 else last
            continue
        end = _sure(text, rule, start, end if taken < 0 else taken, claimed)
        if end > start:
            yield start, end
        at = max(end, start + 1)


def _sure(text: str, rule: Rule, start: int, end: int, claimed: bytearray) -> int:
    """Where the longest match from `start` ends that is valid; `start` where none is.

    A pattern may have read on into the next word or number, so it is shortened group by group.
    """
    if not _allowed_before(text, rule, start, claimed):
        return start
    while match := rule.pattern.match(text, start, end):
        end = match.end()
        whole = not text[end : end + 1].isalnum() and text[end : end + 1] != "_"
        if whole and rule.validator(match[0]) and not (rule.bars and rule.bars[1].match(text, end)):
            return end
        end = max(text.rfind(separator, start, end) for separator in " -./")
        if end <= start:
            break
    return start


def _allowed_before(text: str, rule: Rule, start: int, claimed: bytearray) -> bool:
    if rule.asks and not rule.asks.search(text, max(0, start - _ANNOUNCED), start):
        return False
    if rule.bars:
        # A number right after another that is already told apart is not the rest of it.
        since = max(0, start - _BARRED, claimed.rfind(1, 0, start) + 1)
        return not rule.bars[0].search(text[since:start])
    return True


def _claim(claimed: bytearray, start: int, end: int) -> None:
    claimed[start:end] = b"\1" * (end - start)


def replace(
    text: str, points: npt.NDArray[np.int64], found: Sequence[tuple[int, int, str]]
) -> tuple[str, npt.NDArray[np.int64]]:
    """Put a mark in the place of each stretch (start, end, mark; in order, apart), and carry points along."""
    pieces: list[str] = []
    at = 0
    for start, end, mark in found:
        pieces += (text[at:start], mark)
        at = end
    pieces.append(text[at:])
    if len(points):
        starts, ends, lengths = np.array([(s, e, len(mark)) for s, e, mark in found], np.int64).T
        points = move(points, starts, ends, lengths)
    return "".join(pieces), points
