"""The layers of a text: whose work each contributor's part is, and when the last of them is free.

A translation has its own author, and so have a preface, notes and pictures. Contributors of one layer made
it together; a text is free of authors' rights only when every layer is. Those who speak in a debate are
each the author of their own words. Who scanned, recorded, broadcast or established a text is no author of it
and may hold a right of another kind, for which `terms.csv` has rows or has none. What an optical reader makes
of a scan is the text itself.

What a document carries of its contributors (years, flags, year of publication) becomes works here, and the
verdicts on the works become one. Licences that were stated for editions and scans are layers too, and
`finding.py` adds them.

A trap: one contributor who is marked as anonymous does not make those beside him so. The layer is anonymous,
or collective, when everybody in it is; else it is a work of several, one of whom is not known.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date

from hemicycle.documents import Author
from hemicycle.rights.policy import SEVERITY, reason_of
from hemicycle.rights.term import EARLIEST_ALONE, OLDEST, Lifetime, TermVerdict, Work, judge
from hemicycle.rights.term_rules import Neighbouring, WorkKind

#: Roles that make no work of authorship of the text.
NOT_AUTHORS = frozenset("encoder transcriber ocr publisher distributor funder sponsor".split())

#: Role → layer, named after the role that makes it. Every other role, known or not, is a layer of its own: an
#: editor may have written notes. A layer is named as no other role can be: one called “text” is no author's.
LAYERS = {
    **dict.fromkeys(["", "author", "co-author", "coauthor", "writer", "composer", "librettist"], "author"),
    "translator": "translator",
    "speaker": "speaker",
    **dict.fromkeys(["scanner", "digitiser", "digitizer"], "scanner"),
    **dict.fromkeys(["performer", "narrator", "producer"], "performer"),
    "broadcaster": "broadcaster",
    "critical-editor": "critical-editor",
}

#: Layers that are no work of authorship, or not only one → the right in them.
_NEIGHBOURS: Mapping[str, Neighbouring] = {
    "scanner": "scan",
    "performer": "recording",
    "broadcaster": "broadcast",
    "critical-editor": "critical-edition",
}

#: Layers of which every contributor has a right of their own, and nobody made them together.
_EACH_THEIRS = ("speaker", *_NEIGHBOURS)

#: What a library says of a scan in which it claims no right.
PUBLIC_DOMAIN_SCAN = ("scan", "LicenseRef-public-domain")

#: Flags that rules know, by the names they go under.
FLAGS = {
    "mort-pour-la-france": "mplf",
    "mplf": "mplf",
    "anonymous": "anonymous",
    "pseudonymous": "pseudonymous",
    "collective": "collective",
    "audiovisual": "audiovisual",
    "posthumous": "posthumous",
    "music": "music",
}
_KINDS: tuple[WorkKind, ...] = ("collective", "anonymous", "pseudonymous")

#: Readers put authority ids among the flags (viaf:7391951, PA1592, senat:98018H, Q3816). They name a person
#: and say nothing of a term; every other flag may, whatever it looks like (mpf:1914). So the list is closed.
_AUTHORITY_ID = re.compile(
    r"(?i:viaf|isni|bnf|wikidata|gnd|idref|orcid|lccn):[A-Za-z]{0,3} ?[0-9][0-9 -]*[A-Za-z]?"
    r"|PA[0-9]+|senat:[0-9]{5}[A-Z]|Q[0-9]+"
)


def with_scanner(authors: Sequence[Author], statements: Iterable[tuple[str, str]]) -> Sequence[Author]:
    """The contributors, and who made a scan among them where it is stated to be in the public domain: whether
    there is a right in it is then for the rules to say, and not for the statement."""
    return [*authors, Author("", "scanner")] if PUBLIC_DOMAIN_SCAN in statements else authors


def relevant(authors: Sequence[Author]) -> tuple[Author, ...]:
    """What a term depends on: counted contributors by layer, sorted, without names and authority ids.

    `term_of` of this is `term_of` of the contributors themselves, so that documents of many people with the
    same dates need one decision. Two alike of one layer stay two: a work of collaboration has rules of its
    own; of more than two alike, and of speakers or scanners alike, the others change nothing.
    """
    kept: dict[Author, int] = {}
    for author in filter(None, map(bare, authors)):
        kept[author] = min(kept.get(author, 0) + 1, 1 if author.role in _EACH_THEIRS else 2)
    return tuple(sorted((a for a, times in kept.items() for _ in range(times)), key=_place))


def _place(author: Author) -> tuple[str, int, int, int, tuple[str, ...]]:
    years = (-(10**9) if year is None else year for year in (author.birth, author.death, author.published))
    return (author.role, *years, author.flags)  # type: ignore[return-value]


def bare(author: Author) -> Author | None:
    """What of a contributor a term depends on, with the layer as role; None where nothing does."""
    role = (author.role or "").strip().lower()
    if role in NOT_AUTHORS:
        return None
    flags = {FLAGS.get(f, f) for f in author.flags if not _AUTHORITY_ID.fullmatch(f)}
    birth = author.birth
    if (
        birth is not None
        and birth >= EARLIEST_ALONE
        and author.death is not None
        and 0 <= author.death - birth <= OLDEST
        and (author.published is None or birth <= author.published)
    ):
        # It only tells whether the other years can be right; where it agrees with them it says nothing more.
        birth = None
    return Author("", LAYERS.get(role, role), birth, author.death, tuple(sorted(flags)), author.published)


def term_of(
    authors: Sequence[Author], jurisdiction: str, on: date, *, confirmed: frozenset[str] = frozenset()
) -> TermVerdict:
    """Judge a text by the terms of all its layers, as of a day. The order of the authors does not matter."""
    return judge_works(works_of(relevant(authors)), jurisdiction, on, confirmed=confirmed)


def judge_works(
    works: tuple[Work, ...] | str, jurisdiction: str, on: date, *, confirmed: frozenset[str] = frozenset()
) -> TermVerdict:
    """Judge what `works_of` gave: as good as the worst of the works."""
    if isinstance(works, str):
        return TermVerdict("review", None, None, (), works)
    if len(works) == 1:
        return judge(works[0], jurisdiction, on, confirmed=confirmed)
    now = _together(works, jurisdiction, on, confirmed)
    day = now.changes_on
    while day is not None:
        then = _together(works, jurisdiction, day, confirmed)
        if (then.verdict, then.explanation) != (now.verdict, now.explanation):
            break
        day = then.changes_on
    return dataclasses.replace(now, changes_on=day)


def _together(works: tuple[Work, ...], jurisdiction: str, on: date, confirmed: frozenset[str]) -> TermVerdict:
    judged = [judge(work, jurisdiction, on, confirmed=confirmed) for work in works]
    decides = max(judged, key=lambda v: SEVERITY[v.verdict])
    if decides.verdict == "review":
        why = reason_of([v.explanation for v in judged if v.verdict == "review"])
        decides = dataclasses.replace(decides, explanation=why)
    changes = [v.changes_on for v in judged if v.changes_on is not None]
    return dataclasses.replace(
        decides,
        free_from=_latest([v.free_from for v in judged]),
        safe_from=_latest([v.safe_from for v in judged]),
        earliest=_latest([v.earliest for v in judged]),
        rules=tuple(sorted({rule for v in judged for rule in v.rules})),
        contested=any(v.contested for v in judged),
        changes_on=min(changes, default=None),
        reckonings=tuple(r for v in judged for r in v.reckonings),
    )


def _latest(days: list[date | None]) -> date | None:
    """The last of several days; None where one of them is not known."""
    known = [day for day in days if day is not None]
    return max(known) if known and len(known) == len(days) else None


def works_of(counted: tuple[Author, ...]) -> tuple[Work, ...] | str:
    """The works that the layers of `relevant` contributors are, or the key of the explanation why that cannot
    be told."""
    if not counted:
        return "no-author"
    if any(flag not in FLAGS.values() for author in counted for flag in author.flags):
        return "flagged-author"
    if any(_spoke_after_death(author) for author in counted):
        return "implausible-dates"
    layers: dict[tuple[str, int], list[Author]] = {}
    for number, author in enumerate(counted, 1):
        layer = author.role, number if author.role in _EACH_THEIRS else 0
        layers.setdefault(layer, []).append(author)
    if not any(role in ("author", "speaker") for role, _ in layers):
        # A translator or an illustrator is known, and who wrote what they worked on is not.
        return "no-author"
    return tuple(work for people in layers.values() for work in _works(people))


def _spoke_after_death(author: Author) -> bool:
    return (
        author.role == "speaker"
        and author.death is not None
        and author.published is not None
        and author.published > author.death
    )


def _works(layer: list[Author]) -> Iterator[Work]:
    bodies = [a for a in layer if "collective" in a.flags]
    if 0 < len(bodies) < len(layer):
        # What a body made is counted from its publication, whoever is named beside it.
        yield from _works(bodies)
    flags = {flag for author in layer for flag in author.flags}
    years = {author.published for author in layer}
    # Years that contradict each other are no year.
    published = years.pop() if len(years) == 1 else None
    neighbour = _NEIGHBOURS.get(layer[0].role)
    if neighbour is not None:
        yield Work((), neighbour, published)
    if neighbour in (None, "critical-edition"):
        # Who established a text has written notes, too.
        yield Work(
            tuple(Lifetime(a.birth, a.death, "mplf" in a.flags, published=a.published) for a in layer),
            "audiovisual" if "audiovisual" in flags else _kind(layer),
            published,
            "posthumous" in flags,
            "music" in flags,
        )


def _kind(layer: list[Author]) -> WorkKind:
    """The kind that all contributors of a layer are marked with."""
    return next((kind for kind in _KINDS if all(kind in author.flags for author in layer)), "individual")
