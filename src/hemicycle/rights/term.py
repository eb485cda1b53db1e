"""Terms of protection: from which day the authors' rights in a text have ended.

One rule is here: seventy years after the death of the last surviving author, counted from the following
1 January. An author who died in 1955 is free on 1 January 2026, so in a year Y those are free who died in
Y - 71 or before; counting Y - 70 is the common mistake, and it frees people a year too early.

Whatever the rule does not cover is put up for review, never allowed: an unknown death, dates that cannot
be, a flag (anonymous, collective, dead for France) that calls for a rule of its own, a country without
one. Nothing is remembered between calls, so no verdict depends on which documents came before.
"""

from __future__ import annotations

import csv
import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from hemicycle.documents import Author
from hemicycle.rights.policy import Verdict

#: Nobody is known to have lived longer than 122 years; an age past this is a mistake in the record.
OLDEST = 120

#: Roles that make no work of authorship of the text. Every other role counts, known or not: a translator,
#: the author of a preface and an editor who wrote notes have rights of their own.
NOT_AUTHORS = frozenset(
    "encoder transcriber digitiser digitizer scanner publisher distributor funder sponsor".split()
)


#: Readers put authority ids among the flags (viaf:7391951, PA1592, Q3816). They name a person and say nothing
#: of a term; every other flag may, whatever it looks like (mpf:1914). So the list is closed.
_AUTHORITY_ID = re.compile(
    r"(?i:viaf|isni|bnf|wikidata|gnd|idref|orcid|lccn):[A-Za-z]{0,3} ?[0-9][0-9 -]*[A-Za-z]?|PA[0-9]+|Q[0-9]+"
)


@dataclass(frozen=True)
class TermRule:
    """One line of `terms.csv`.

    Attributes:
        years: after the death, counted from the following 1 January.
        law: the article for one author; `law_joint` for several, the last survivor counting.
    """

    rule: str
    jurisdiction: str
    years: int
    law: str
    law_joint: str
    source: str
    checked_on: str
    confidence: str
    note: str

    @property
    def id(self) -> str:
        """The id under which a verdict names this line."""
        return f"terms/{self.rule}@{self.checked_on}"


@dataclass(frozen=True)
class TermVerdict:
    """Whether the authors' term lets a text be used.

    Attributes:
        verdict: `allow` once the term is over, `deny` before, `review` where the rule does not reach.
        free_from: first day of freedom; None where unknown, or where it lies beyond the calendar.
        safe_from: first day that every reading of the law agrees on. The same day until rules whose
            reading is contested are here.
        explanation: key of `explanations.csv`.
        changes_on: next day on which this verdict or its explanation becomes another; None for never.
    """

    verdict: Verdict
    free_from: date | None
    safe_from: date | None
    rules: tuple[str, ...]
    explanation: str
    changes_on: date | None = None


@functools.cache
def term_rules() -> Mapping[str, TermRule]:
    """The rules, by jurisdiction. Raises ValueError where a jurisdiction has two."""
    rules: dict[str, TermRule] = {}
    with Path(__file__).with_name("terms.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            years = int(row.pop("years"))
            rule = TermRule(years=years, **row)
            if rule.jurisdiction in rules:
                raise ValueError(f"terms.csv has two rules for {rule.jurisdiction}")
            rules[rule.jurisdiction] = rule
    return rules


def rule_for(jurisdiction: str) -> TermRule | None:
    """The rule of a jurisdiction; a part of a country (BE-WAL) has its country's."""
    rules = term_rules()
    return rules.get(jurisdiction) or rules.get(jurisdiction.split("-")[0])


def counts(author: Author) -> bool:
    """Whether this contributor's own term binds the text."""
    return (author.role or "").strip().lower() not in NOT_AUTHORS


def relevant(authors: Sequence[Author]) -> tuple[Author, ...]:
    """What a term depends on: counted authors' dates and flags, each once and sorted, without names.

    `term` of this is `term` of the authors themselves, so that documents of many people with the same
    dates need one decision.
    """
    bare = {
        Author("", "author", a.birth, a.death, tuple(sorted({f for f in a.flags if _says_something(f)})))
        for a in authors
        if counts(a)
    }
    return tuple(sorted(bare, key=repr))


def _says_something(flag: str) -> bool:
    return not _AUTHORITY_ID.fullmatch(flag)


def term(authors: Sequence[Author], jurisdiction: str, on: date) -> TermVerdict:
    """Judge a text by its authors' deaths, as of a day.

    The order of the authors does not matter. `allow` needs every counted author's death to be known and
    plausible, and the last of them to have ended `years` full calendar years ago.
    """
    rule = rule_for(jurisdiction)
    counted = relevant(authors)
    now = _on(counted, rule, on)
    years = {year for a in counted for year in (a.birth, a.death) if year is not None}
    candidates = {date(year, 1, 1) for year in years if on.year < year <= date.max.year}
    if now.free_from:
        candidates.add(now.free_from)
    for day in sorted(d for d in candidates if d > on):
        then = _on(counted, rule, day)
        if (then.verdict, then.explanation) != (now.verdict, now.explanation):
            return TermVerdict(now.verdict, now.free_from, now.safe_from, now.rules, now.explanation, day)
    return now


def _on(authors: Sequence[Author], rule: TermRule | None, on: date) -> TermVerdict:
    if rule is None:
        return TermVerdict("review", None, None, (), "no-term-rule")
    doubt = _doubt(authors, on)
    if doubt:
        return TermVerdict("review", None, None, (rule.id,), doubt)
    last = max(author.death for author in authors if author.death is not None)
    year = last + rule.years + 1
    if year > date.max.year:
        return TermVerdict("deny", None, None, (rule.id,), "protected-until")
    free = date(max(year, date.min.year), 1, 1)
    if on >= free:
        return TermVerdict("allow", free, free, (rule.id,), "term-free")
    return TermVerdict("deny", free, free, (rule.id,), "protected-until")


def _doubt(authors: Sequence[Author], on: date) -> str | None:
    """Why the rule cannot be applied; the same answer in whatever order the authors come."""
    if not authors:
        return "no-author"
    if any(author.flags for author in authors):
        return "flagged-author"
    if any(_implausible(author, on) for author in authors):
        return "implausible-dates"
    if any(author.death is None for author in authors):
        return "unknown-death"
    return None


def _implausible(author: Author, on: date) -> bool:
    if author.birth is not None and author.birth > on.year:
        return True
    if author.death is None:
        return False
    if author.death > on.year:
        return True
    return author.birth is not None and not 0 <= author.death - author.birth <= OLDEST
