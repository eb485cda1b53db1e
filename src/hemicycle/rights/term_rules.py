"""The rules of terms of protection: dated rows of `terms.csv`, and the small language of their conditions.

A set of rules (France, the directive, OAPI) is its rows in the order of the file; `jurisdictions.csv` says
which set holds where. A new country is rows there, never a function here. Parts of a set:

    term         what runs today: the first row that applies to the work is the one
    former       a term of older law, lengthened by extensions; it stands where it ends later
    extension    years and days added to a former term
    alternative  another reading of the law, with a length of its own
    comparison   a foreign work is protected no longer than in its own country

`reading` says for which readings a row counts (earliest, engine, safe; all, if it says nothing).
A condition is `flag`, `not flag`, `published <= 1947`, `death >= 1972`, `published > death + 70` or
``runs past 1995-07-01`` (of the day on which the row's own term ends); several are parted by ``;``.
"""

from __future__ import annotations

import csv
import functools
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Literal, cast, get_args

Part = Literal["term", "former", "extension", "alternative", "comparison"]
Reading = Literal["earliest", "engine", "safe"]
READINGS: tuple[Reading, ...] = get_args(Reading)

#: Kinds of works of authors that the law tells apart.
Authored = Literal["individual", "collaboration", "collective", "anonymous", "pseudonymous", "audiovisual"]

#: What others than authors may hold rights in: the scan of a text, a sound recording, a broadcast, the text
#: that a scholar established.
Neighbouring = Literal["scan", "recording", "broadcast", "critical-edition"]
NEIGHBOURING: tuple[Neighbouring, ...] = get_args(Neighbouring)

WorkKind = Authored | Neighbouring
WORK_KINDS: tuple[WorkKind, ...] = (*get_args(Authored), *NEIGHBOURING)

FLAGS = frozenset({"music", "mplf", "posthumous", "revealed", "foreign"})

_COMPARISON = re.compile(r"(published|death) (<=|>=|<|>) (?:(\d{4})|death \+ (\d+))")
_RUNS_PAST = re.compile(r"runs past (\d{4}-\d\d-\d\d)")
_OPERATORS: Mapping[str, Callable[[int, int], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}


@dataclass(frozen=True)
class Facts:
    """What conditions may ask of a work. `death` is the last survivor's; None where it counts for nothing."""

    published: int | None
    death: int | None
    flags: frozenset[str]


Test = Callable[[Facts], bool]
CountedFrom = Literal["death", "publication", "none", ""]


@dataclass(frozen=True)
class TermRule:
    """One row of `terms.csv`.

    Attributes:
        kinds: empty for all works of authors; a row on another right names it.
        counted_from: the event whose following 1 January the term is counted from; ``none`` where the law
            gives no such right.
        readings: for which readings of the law the row counts.
        runs_past: of a former term: it only stands where it ran past this day.
        confidence: ``known``, or ``counsel`` where a lawyer should confirm before it lets anything pass.
        reasons: language → why an extension or an exception applies, as part of a sentence.
    """

    name: str
    rules: str
    part: Part
    kinds: frozenset[str]
    counted_from: CountedFrom
    years: int
    days: int
    conditions: tuple[str, ...]
    readings: frozenset[Reading]
    runs_past: date | None
    law: str
    source: str
    checked_on: str
    confidence: Literal["known", "counsel"]
    reasons: Mapping[str, str] = field(compare=False)
    note: str
    tests: tuple[Test, ...] = field(compare=False)

    @property
    def id(self) -> str:
        """The id under which a verdict names this row."""
        return f"terms/{self.name}@{self.checked_on}"

    def concerns(self, kind: WorkKind) -> bool:
        return kind in self.kinds if self.kinds else kind not in NEIGHBOURING

    def applies(self, kind: WorkKind, facts: Facts) -> bool:
        return self.concerns(kind) and all(test(facts) for test in self.tests)


@dataclass(frozen=True)
class Jurisdiction:
    """One row of `jurisdictions.csv`. `rules` is None where there is no rule yet, and nothing is free."""

    code: str
    rules: str | None
    in_union: bool
    names: Mapping[str, str]
    note: str


@functools.cache
def term_rules() -> Mapping[str, tuple[TermRule, ...]]:
    """Set of rules → its rows, in the order of the file. Raises ValueError on a malformed row."""
    rules: dict[str, list[TermRule]] = {}
    seen: set[str] = set()
    for row in _rows("terms.csv"):
        rule = _rule(row)
        if rule.name in seen:
            raise ValueError(f"terms.csv has two rows {rule.name}")
        seen.add(rule.name)
        rules.setdefault(rule.rules, []).append(rule)
    return {name: tuple(rows) for name, rows in rules.items()}


@functools.cache
def jurisdictions() -> Mapping[str, Jurisdiction]:
    """Code → jurisdiction. Raises ValueError where one has rules that are not in `terms.csv`."""
    found = {}
    for row in _rows("jurisdictions.csv"):
        if row["rules"] and row["rules"] not in term_rules():
            raise ValueError(f"jurisdictions.csv: {row['code']} has unknown rules {row['rules']}")
        names = {"en": row["en"], "fr": row["fr"]}
        found[row["code"]] = Jurisdiction(
            row["code"], row["rules"] or None, row["union"] == "EU", names, row["note"]
        )
    return found


def find_jurisdiction(code: str) -> Jurisdiction | None:
    """A jurisdiction; a part of a country without a row of its own (BE-WAL) is its country."""
    return jurisdictions().get(code) or jurisdictions().get(code.split("-")[0])


def rules_for(code: str) -> tuple[TermRule, ...]:
    """The rows that hold in a jurisdiction; none where there are none yet."""
    found = find_jurisdiction(code)
    return term_rules()[found.rules] if found and found.rules else ()


@functools.cache
def turning_years(rules: str) -> tuple[int, ...]:
    """Years of publication on both sides of every threshold that a set's conditions name."""
    years = set()
    for rule in term_rules()[rules]:
        for condition in rule.conditions:
            match = _COMPARISON.fullmatch(condition)
            if match and match[1] == "published" and match[3]:
                years |= {int(match[3]) - 1, int(match[3]), int(match[3]) + 1}
    return tuple(sorted(years))


def _rows(file: str) -> list[dict[str, str]]:
    with Path(__file__).with_name(file).open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))


def _rule(row: dict[str, str]) -> TermRule:
    def among(value: str, known: tuple[str, ...]) -> str:
        if value not in known:
            raise ValueError(f"terms.csv, {row['id']}: {value!r} is none of {', '.join(known)}")
        return value

    conditions = [c.strip() for c in row["when"].split(";") if c.strip()]
    past = [m for c in conditions if (m := _RUNS_PAST.fullmatch(c))]
    conditions = [c for c in conditions if not _RUNS_PAST.fullmatch(c)]
    for condition in conditions:
        if not _COMPARISON.fullmatch(condition) and condition.removeprefix("not ") not in FLAGS:
            raise ValueError(f"terms.csv, {row['id']}: {condition!r} is no condition")
    kinds = row["kinds"].split() if row["kinds"] != "any" else []
    readings = row["reading"].split() or READINGS
    counted = among(row["counted_from"], get_args(CountedFrom))
    if not counted and row["part"] in ("term", "former", "alternative"):
        raise ValueError(f"terms.csv, {row['id']}: nothing says what the term is counted from")
    return TermRule(
        name=row["id"],
        rules=row["rules"],
        part=cast(Part, among(row["part"], get_args(Part))),
        kinds=frozenset(among(kind, WORK_KINDS) for kind in kinds),
        counted_from=cast(CountedFrom, counted),
        years=int(row["years"]),
        days=int(row["days"]),
        conditions=tuple(conditions),
        readings=frozenset(cast(Reading, among(reading, READINGS)) for reading in readings),
        runs_past=date.fromisoformat(past[0][1]) if past else None,
        law=row["law"],
        source=row["source"],
        checked_on=row["checked_on"],
        confidence=cast(Literal["known", "counsel"], among(row["confidence"], ("known", "counsel"))),
        reasons={"en": row["en"], "fr": row["fr"]},
        note=row["note"],
        tests=tuple(_test(condition) for condition in conditions),
    )


def _test(condition: str) -> Test:
    """A condition as a test of facts. What a comparison needs and does not know makes it fail."""
    match = _COMPARISON.fullmatch(condition)
    if match is None:
        flag, wanted = condition.removeprefix("not "), not condition.startswith("not ")
        return lambda facts: (flag in facts.flags) == wanted
    of_publication, compare = match[1] == "published", _OPERATORS[match[2]]
    year, years_after_death = match[3] and int(match[3]), match[4] and int(match[4])

    def holds(facts: Facts) -> bool:
        left = facts.published if of_publication else facts.death
        right = year or (None if facts.death is None else facts.death + int(years_after_death))
        return left is not None and right is not None and compare(left, int(right))

    return holds
