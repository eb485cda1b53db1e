"""Terms of protection: from which day the rights in one work have ended, by the rows of `terms.csv`.

A term ends with a year: it is counted from the 1 January that follows a death or a publication, so an
author who died in 1955 is free on 1 January 2026. In a year Y those are free who died in Y - 71 or before;
counting Y - 70 is the common mistake, and it frees people a year too early. Where a term of older law still
ran when the present one came (France, 1 July 1995) and ends later, it stands, with the extensions for the
wars and for authors who died for France. Such extensions have days in them; a part of a month counts whole.

Laws have readings. Three days come out of a work: the earliest that anybody could argue, the one this
engine holds right (`free_from`), and the one on which all readings agree (`safe_from`). Before `free_from`
the verdict is `deny`; between the two it is `review`, contested; only after `safe_from` is it `allow`, and
then only if the row that says so does not await a lawyer's confirmation. An unknown year of publication is
reckoned for every year that could make a difference. What is unknown otherwise is put up for review.

What is kept between calls is what pure functions gave, so no verdict depends on which works came before.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from hemicycle.rights.policy import Verdict
from hemicycle.rights.term_rules import (
    NEIGHBOURING,
    Facts,
    Reading,
    TermRule,
    WorkKind,
    find_jurisdiction,
    term_rules,
    turning_years,
)

#: Nobody is known to have lived longer than 122 years; an age past this is a mistake in the record.
OLDEST = 120

#: A work first published so many years after its last author's death is somebody else's, unless it is said to
#: be posthumous: the years are then likelier those of a namesake than the manuscript a find.
LATEST_UNSAID = 25

#: A year before this one is likelier a later one that lost digits (195) than what it says, unless both years
#: of a life bear it out.
EARLIEST_ALONE = 1000

#: A year of so few digits is an abbreviation (54), whatever stands beside it.
SHORTEST = 100

#: What lies beyond the calendar: no day of it is late enough.
NEVER = date.max

#: Where there is no right that could end.
ALWAYS = date.min


@dataclass(frozen=True, order=True)
class Lifetime:
    """The years of one contributor; None where unknown. `nationality` is a country's code.

    `published`, the year in which this contribution came out, only tells whether the others can be right.
    """

    birth: int | None = None
    death: int | None = None
    mplf: bool = False
    nationality: str | None = None
    published: int | None = None

    @property
    def revealed(self) -> bool:
        """Whether a record knows of this person what only somebody known can have."""
        return self.birth is not None or self.death is not None or self.mplf


@dataclass(frozen=True)
class Work:
    """What a term depends on.

    Attributes:
        kind: `individual` with several contributors is taken as a collaboration; so is `anonymous` or
            `pseudonymous` where one of the several is known after all.
        published: year of the first publication.
        origin: country of the first publication, where a comparison of terms is asked for.
    """

    contributors: tuple[Lifetime, ...] = ()
    kind: WorkKind = "individual"
    published: int | None = None
    posthumous: bool = False
    music: bool = False
    origin: str | None = None


@dataclass(frozen=True)
class Lengthened:
    """A former term or an alternative, with what was added to it, and the day it ends on."""

    rule: TermRule
    added: tuple[TermRule, ...]
    ends: date
    stands: bool


@dataclass(frozen=True)
class Reckoning:
    """How one day came about: the row of the term, the year it is counted from, and what ran beside it.

    `counted_from` is 0 where there is no right to count.
    """

    rule: TermRule
    counted_from: int
    ends: date
    beside: tuple[Lengthened, ...]
    compared: tuple[TermRule, date] | None
    days: tuple[date, date, date]

    @property
    def rules(self) -> tuple[TermRule, ...]:
        beside = [r for b in self.beside if b.stands for r in (b.rule, *b.added)]
        return (self.rule, *beside, *([self.compared[0]] if self.compared else []))


@dataclass(frozen=True)
class TermVerdict:
    """Whether a work's term lets it be used.

    Attributes:
        free_from, safe_from, earliest: see above; None where unknown.
        rules: ids of the rows used, sorted.
        explanation: key of `explanations.csv`.
        contested: on the day asked about, readings of the law still disagree on this or a later day.
        changes_on: next day on which this verdict or its explanation becomes another; None for never.
        reckonings: how the days came about, the shortest and the longest where publication is unknown.
    """

    verdict: Verdict
    free_from: date | None
    safe_from: date | None
    rules: tuple[str, ...]
    explanation: str
    changes_on: date | None = None
    earliest: date | None = None
    contested: bool = False
    reckonings: tuple[Reckoning, ...] = ()

    @property
    def rows(self) -> tuple[TermRule, ...]:
        """The rows that `rules` names, in the same order."""
        return tuple(sorted({rule for r in self.reckonings for rule in r.rules}, key=lambda rule: rule.id))


def judge(work: Work, jurisdiction: str, on: date, *, confirmed: frozenset[str] = frozenset()) -> TermVerdict:
    """Judge one work, as of a day. The order of the contributors does not matter.

    Args:
        confirmed: ids of rows marked `counsel` that the project's lawyers confirmed.
    """
    doubt = _implausible(work, on)
    if doubt is not None:
        return TermVerdict("review", None, None, (), "implausible-dates", doubt if doubt != NEVER else None)
    if _late(work):
        return TermVerdict("review", None, None, (), "published-after-death")
    reckoned = _reckon(work, jurisdiction)
    if isinstance(reckoned, str):
        return TermVerdict("review", None, None, (), reckoned)
    return _settle(reckoned, on, confirmed)


@functools.lru_cache(maxsize=100_000)
def _settle(reckoned: tuple[Reckoning, ...], on: date, confirmed: frozenset[str]) -> TermVerdict:
    rules = tuple(sorted({rule.id for r in reckoned for rule in r.rules}))
    earliest = min(r.days[0] for r in reckoned)
    free = min(r.days[1] for r in reckoned)
    safe = max(r.days[2] for r in reckoned)
    waits = any(r.rule.confidence == "counsel" and r.rule.id not in confirmed for r in reckoned)
    later = [day for day in (free, safe) if on < day < NEVER]
    told: tuple[Verdict, str]
    if on < free or free == NEVER:
        others = any(not r.rule.kinds.isdisjoint(NEIGHBOURING) for r in reckoned)
        told = "deny", "neighbouring-right" if others else "protected-until"
    elif on < safe or safe == NEVER:
        told = "review", "term-contested"
    elif waits:
        told = "review", "rule-awaits-counsel"
    else:
        told = "allow", "term-free"
    contested = free != safe and on < safe
    changes_on = min(later, default=None)
    return TermVerdict(told[0], free, safe, rules, told[1], changes_on, earliest, contested, reckoned)


def _implausible(work: Work, on: date) -> date | None:
    """From which day the dates can be right: None where they can be today, `NEVER` where they never can."""
    if _cut_short(work):
        return NEVER
    future = max(on.year, work.published or 0)
    for one in work.contributors:
        published = work.published if one.published is None else one.published
        if one.birth is not None:
            if one.death is not None and not 0 <= one.death - one.birth <= OLDEST:
                return NEVER
            if published is not None and published < one.birth:
                return NEVER
        future = max(future, one.birth or 0, one.death or 0, published or 0)
    if future <= on.year:
        return None
    return date(future, 1, 1) if future < NEVER.year else NEVER


def _cut_short(work: Work) -> bool:
    """Whether one of the years may be a later one that lost digits, or is not as it was written.

    The two years of a life that both lost their last digit are a tenth of a life apart. A publication is
    borne out by a birth, which is not after it and has stood the same test.
    """
    lives = [[year for year in (c.birth, c.death) if year is not None] for c in work.contributors]
    stated = [work.published, *(c.published for c in work.contributors)]
    published = [year for year in stated if year is not None]
    # The year 0 too: 0000 is how files write that they do not know.
    if any(abs(year) < SHORTEST for years in (*lives, published) for year in years):
        return True
    for years in lives:
        whole = len(years) == 2 and years[1] - years[0] > OLDEST // 10
        if not whole and min(years, default=EARLIEST_ALONE) < EARLIEST_ALONE:
            return True
    alone = all(one.birth is None for one in work.contributors)
    return alone and any(year < EARLIEST_ALONE for year in published)


def _late(work: Work) -> bool:
    """Whether a work came out too long after its authors' deaths for nobody to say that it is posthumous."""
    last = _last_death(work)
    if work.posthumous or work.kind == "collective" or last is None or work.published is None:
        return False
    return work.published > last + LATEST_UNSAID


@functools.lru_cache(maxsize=100_000)
def _reckon(work: Work, jurisdiction: str) -> tuple[Reckoning, ...] | str:
    """The reckonings of a work, shortest and longest; or the key of the explanation why there are none."""
    found = find_jurisdiction(jurisdiction)
    if found is None or found.rules is None:
        return "no-term-rule"
    last = _last_death(work)
    flags = {"music"} if work.music else set()
    late = last is not None and work.published is not None and work.published > last
    flags |= {"posthumous"} if work.posthumous or late else set()
    flags |= {"mplf"} if any(c.mplf for c in work.contributors) else set()
    revealed = any(c.revealed for c in work.contributors)
    flags |= {"revealed"} if revealed else set()
    home = None
    if _foreign(work):
        flags |= {"foreign"}
        at_home = _reckon(dataclasses.replace(work, origin=None), str(work.origin))
        home = None if isinstance(at_home, str) else max(r.days[1] for r in at_home)
    kind: WorkKind = work.kind
    if len(work.contributors) > 1 and (
        kind == "individual" or (revealed and kind in ("anonymous", "pseudonymous"))
    ):
        kind = "collaboration"
    facts = Facts(work.published, last, frozenset(flags))
    return _reckon_facts(kind, facts, bool(work.contributors), found.rules, home)


def _reckon_facts(
    kind: WorkKind, facts: Facts, named: bool, rules: str, home: date | None
) -> tuple[Reckoning, ...] | str:
    """`named`: there are contributors. `home`: when the work is free at home, where that counts."""
    worlds: Sequence[int | None] = [facts.published]
    if facts.published is None:
        worlds = [*turning_years(rules), None]
        if "posthumous" in facts.flags and facts.death is not None:
            # It may have come out after its term had ended, when another one began.
            worlds = [*worlds, facts.death + 200]
    reckonings = []
    for published in worlds:
        world = dataclasses.replace(facts, published=published)
        reckoned = _reckon_world(kind, world, facts.published, named, term_rules()[rules], home)
        if isinstance(reckoned, str):
            return reckoned
        reckonings.append(reckoned)
    shortest = min(reckonings, key=lambda r: r.days)
    longest = max(reckonings, key=lambda r: r.days[::-1])
    return (shortest,) if shortest.days == longest.days else (shortest, longest)


def _reckon_world(
    kind: WorkKind,
    facts: Facts,
    published: int | None,
    named: bool,
    rules: tuple[TermRule, ...],
    home: date | None,
) -> Reckoning | str:
    """Reckon where the publication of `facts` may have been put in for an unknown one: it chooses among rows,
    and nothing is counted from it."""

    def applying(part: str) -> list[TermRule]:
        return [r for r in rules if r.part == part and r.applies(kind, facts)]

    rule = next(iter(applying("term")), None)
    if rule is None:
        counted = {r.counted_from for r in rules if r.part == "term" and r.concerns(kind)}
        if "death" in counted and facts.death is None:
            return "unknown-death" if named else "no-author"
        return "unknown-publication" if counted and published is None else "no-term-rule"
    if rule.counted_from == "none":
        return Reckoning(rule, 0, ALWAYS, (), None, (ALWAYS, ALWAYS, ALWAYS))
    year = facts.death if rule.counted_from == "death" else published
    if year is None:
        if rule.counted_from == "publication":
            return "unknown-publication"
        return "unknown-death" if named else "no-author"
    ends = _ends(year, rule.years, rule.days)
    beside: list[Lengthened] = []
    if facts.death is not None:
        beside = [_lengthen(r, applying("extension"), facts.death, ends) for r in applying("former")]
        beside += [_lengthen(r, [], facts.death, ends) for r in applying("alternative")]
    compared = None
    comparison = next(iter(applying("comparison")), None)
    # Where the work is free at home no sooner, the comparison is without effect.
    latest = max([ends, *(b.ends for b in beside if b.stands)])
    if comparison is not None and home is not None and home < latest:
        compared = comparison, home
    readings: tuple[Reading, ...] = ("earliest", "engine", "safe")
    days = [
        _read(reading, facts.death, ends, beside, compared, plain=reading == "earliest")
        for reading in readings
    ]
    return Reckoning(rule, year, ends, tuple(beside), compared, (min(days), days[1], max(days)))


def _lengthen(rule: TermRule, extensions: list[TermRule], death: int, base: date) -> Lengthened:
    added = tuple(extensions)
    ends = _ends(death, rule.years + sum(e.years for e in added), rule.days + sum(e.days for e in added))
    stands = ends > base and (rule.runs_past is None or ends > rule.runs_past)
    return Lengthened(rule, added, ends, stands)


def _read(
    reading: Reading,
    death: int | None,
    ends: date,
    beside: list[Lengthened],
    compared: tuple[TermRule, date] | None,
    *,
    plain: bool,
) -> date:
    """The day on which the work is free in one reading of the law."""
    latest = ends
    for one in beside:
        if death is None or reading not in one.rule.readings:
            continue
        added = [e for e in one.added if reading in e.readings]
        years = one.rule.years + sum(e.years for e in added)
        day = _ends(death, years, one.rule.days + sum(e.days for e in added), plain=plain)
        if one.rule.runs_past is None or day > one.rule.runs_past:
            latest = max(latest, day)
    if compared is not None and reading in compared[0].readings:
        latest = min(latest, compared[1])
    return latest


def _ends(year: int, years: int, days: int = 0, *, plain: bool = False) -> date:
    """The first day after a term: years from the 1 January that follows `year`, then days; unless `plain`,
    a part of a month counts as a whole one."""
    first = year + 1 + years
    if first > date.max.year - 2:
        return NEVER
    day = date(max(first, date.min.year), 1, 1) + timedelta(days)
    if plain or day.day == 1:
        return day
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


def _last_death(work: Work) -> int | None:
    """The year in which the last survivor died; None where one death is not known, or nobody is named."""
    deaths = [c.death for c in work.contributors]
    return None if not deaths or None in deaths else max(d for d in deaths if d is not None)


def _foreign(work: Work) -> bool:
    """Whether the work comes from outside the Union, and no contributor is known or may be of it."""
    origin = find_jurisdiction(work.origin) if work.origin else None
    if origin is None or origin.in_union or not work.contributors:
        return False
    homes = [find_jurisdiction(c.nationality) if c.nationality else None for c in work.contributors]
    return all(home is not None and not home.in_union for home in homes)
