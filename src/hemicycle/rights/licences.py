"""Licences: what an SPDX expression allows, read in a dated table and under a policy.

Three traps are avoided here. An expression is text from outside: the parser underneath fails with errors
of its own on some characters and on empty parentheses, so nothing reaches it that is not plain ASCII of
bounded length, and whatever it raises becomes a `Problem`. It also knows thousands of nicknames (other
licences that somebody once called “MIT”): none is followed, identifiers are resolved here. And a licence
the table does not hold is denied, not guessed from its neighbours: the `*` of an id stands for a version
and nothing else, so `CC-BY-*` never covers `CC-BY-NC-4.0`. Only behind `LicenseRef-` it stands for a name
of somebody's own, as in `LicenseRef-contract-*`.

`licences.csv` holds a line a licence, or one for all its versions: `train`, `redistribute` and `weights`
are `allow`, `review`, `deny`, or `cond` where the policy decides; `confidence` is ``known`` where the
licence's own words or the project's settled table decide and ``counsel`` where a lawyer should confirm;
`clause` names the part of a licence that binds what is made from the work; `also_called` only serves to
suggest the right identifier, never to judge.

A line marked ``counsel`` gives `review` where it says `allow`, until the policy names it among `confirmed`.
"""

from __future__ import annotations

import csv
import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

import license_expression

from hemicycle.errors import did_you_mean, visible
from hemicycle.rights.policy import SEVERITY, USES, Policy, Use, Verdict, reason_of, worst

#: Longer than any expression a person wrote; bounds the depth of nesting too.
LONGEST_EXPRESSION = 1_000

#: A longer word is no misspelt identifier.
_LONGEST_GUESSED = 40

#: What an expression may be written with (SPDX 2.3, annex D).
_CHARACTERS = re.compile(r"[A-Za-z0-9.+:() \t\r\n-]*")
_REFERENCE = re.compile(r"(DocumentRef-[A-Za-z0-9.-]+:)?LicenseRef-[A-Za-z0-9.-]+")
_GNU_BEFORE_2018 = re.compile(r"(A?GPL|LGPL|GFDL)-\d\.\d\+?")
#: What `*` stands for in the table: a version, then a country's port or the GNU endings.
_VERSION = r"\d+(\.\d+)*(-[A-Z]{2,3})?(-(no-)?invariants)?(-(only|or-later))?"
#: What it stands for behind `LicenseRef-`: the name of a contract, a country.
_NAME = r"[A-Za-z0-9][A-Za-z0-9.-]*"

#: Why a licence is not simply allowed, by class: keys of `explanations.csv`.
_REASONS = {
    "non-commercial": "licence-nc",
    "no-derivatives": "licence-nd",
    "use-restricted": "licence-restricted",
    "share-alike": "licence-share-alike",
    "share-alike-database": "licence-share-alike",
    "copyleft": "licence-copyleft",
    "copyleft-document": "licence-copyleft-document",
    "reserved": "licence-reserved",
    "grant": "licence-grant",
}

#: What the table may say of a use.
Entry = Literal["allow", "cond", "review", "deny"]
ENTRIES: tuple[Entry, ...] = get_args(Entry)


@dataclass(frozen=True)
class Problem:
    """What is wrong with an expression, and what to write instead."""

    what: str
    remedy: str | None = None


@dataclass(frozen=True)
class Licence:
    """One line of the table.

    Attributes:
        entries: what the table says of each use.
        clause: where the licence says what binds derivatives; empty where nothing does.
        checked_on: ISO date on which somebody last held the line against its source.
    """

    id: str
    licence_class: str
    entries: Mapping[Use, Entry]
    obligations: tuple[str, ...]
    note: str
    clause: str
    source: str
    checked_on: str
    confidence: str
    also_called: tuple[str, ...]

    @property
    def rule(self) -> str:
        """The id under which a verdict names this line."""
        return f"licences/{self.id}@{self.checked_on}"


@dataclass(frozen=True)
class UseJudgement:
    """What an expression means for one use.

    Attributes:
        elected: the expression relied on: of every OR one leg, the most permissive for this use.
        reason: key of `explanations.csv`.
        rules: lines of the table and the policy that were used, sorted.
        why: which legs were passed over, and for what; None where there was no choice.
    """

    verdict: Verdict
    obligations: tuple[str, ...]
    elected: str
    reason: str
    rules: tuple[str, ...]
    why: str | None = None


@dataclass(frozen=True)
class Judgement:
    """What an expression means for every use."""

    expression: str
    uses: Mapping[Use, UseJudgement]

    def __getitem__(self, use: Use) -> UseJudgement:
        return self.uses[use]


@dataclass(frozen=True)
class Node:
    """A parsed expression: a canonical identifier, or an operator (AND, OR) over parsed expressions."""

    operator: str
    identifier: str = ""
    legs: tuple[Node, ...] = ()


def check_expression(expression: str) -> Problem | None:
    """Say what is wrong with an SPDX expression; None where it is well-formed and its ids exist.

    A well-formed expression may still be denied: the table may not hold its licence.
    """
    parsed = read_expression(expression, _suggest)
    return parsed if isinstance(parsed, Problem) else None


def judge_expression(expression: str, policy: Policy) -> Judgement:
    """Judge an SPDX expression for every use. Never raises: what cannot be read is denied.

    AND takes the worst of its legs with the obligations of all. OR elects, for each use, the leg with the
    best verdict; among equals the one that is better over all uses, then the one with fewer obligations,
    then the first in alphabetical order. WITH needs a line of its own in the table.
    """
    parsed = read_expression(expression)
    if isinstance(parsed, Problem):
        denied = UseJudgement("deny", (), expression[:LONGEST_EXPRESSION], "licence-unreadable", ())
        return Judgement(expression, dict.fromkeys(USES, denied))
    return _judge(parsed, policy)


@functools.cache
def licences() -> tuple[Licence, ...]:
    """The table, in the order of the file. Raises ValueError where a line is malformed."""
    path = Path(__file__).with_name("licences.csv")
    with path.open(encoding="utf-8", newline="") as file:
        return tuple(_licence(row) for row in csv.DictReader(file))


def find_licence(identifier: str) -> Licence | None:
    """The line that covers a canonical identifier: its own before one for all versions."""
    own = _own_lines().get(identifier)
    if own:
        return own
    return next((licence for pattern, licence in _version_lines() if pattern.fullmatch(identifier)), None)


def _licence(row: dict[str, str]) -> Licence:
    entries = {use: cast(Entry, row[use]) for use in USES}
    if not set(entries.values()) <= set(ENTRIES):
        raise ValueError(f"licences.csv: {row['id']} has a verdict that is none of {', '.join(ENTRIES)}")
    return Licence(
        id=row["id"],
        licence_class=row["class"],
        entries=entries,
        obligations=tuple(sorted(row["obligations"].split())),
        note=row["note"],
        clause=row["clause"],
        source=row["source"],
        checked_on=row["checked_on"],
        confidence=row["confidence"],
        also_called=tuple(name for name in row["also_called"].split("|") if name),
    )


@functools.cache
def _own_lines() -> dict[str, Licence]:
    return {licence.id: licence for licence in licences() if "*" not in licence.id}


@functools.cache
def _version_lines() -> tuple[tuple[re.Pattern[str], Licence], ...]:
    return tuple(
        (re.compile(re.escape(licence.id).replace(r"\*", _star(licence.id))), licence)
        for licence in licences()
        if "*" in licence.id
    )


def _star(identifier: str) -> str:
    return _NAME if identifier.startswith("LicenseRef-") else _VERSION


@functools.cache
def identifiers() -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Licences and exceptions: lower-case form → canonical form. SPDX ignores case in both."""
    known: dict[str, str] = {}
    exceptions: dict[str, str] = {}
    for entry in license_expression.get_license_index():
        identifier = entry.get("spdx_license_key")
        if not identifier or entry.get("is_deprecated"):
            continue
        (exceptions if entry.get("is_exception") else known)[identifier.lower()] = identifier
        for former in entry.get("other_spdx_license_keys") or ():
            if _GNU_BEFORE_2018.fullmatch(former):
                known.setdefault(former.lower(), identifier)
    for licence in licences():
        if licence.id.startswith("LicenseRef-") and "*" not in licence.id:
            known[licence.id.lower()] = licence.id
    return known, exceptions


def read_expression(expression: str, suggest: Callable[[str], str | None] = lambda _: None) -> Node | Problem:
    """Read an expression. `suggest` finds a remedy; it is slow, so who only judges gives none."""
    shown = visible(expression[:80].strip())
    if len(expression) > LONGEST_EXPRESSION:
        return Problem(f"“{shown}…” has {len(expression)} characters: a text, not an SPDX expression")
    text = " ".join(expression.split())
    if not text:
        return Problem("the licence is empty", "Leave the key out where no licence is stated.")
    if text.upper() in ("NONE", "NOASSERTION"):
        what = f"“{text}” says that no licence is known"
        return Problem(what, "Leave the key out: nothing is allowed then.")
    what = f"licence “{shown}” is not an SPDX expression"
    if not _CHARACTERS.fullmatch(expression):
        odd = next(c for c in expression if not _CHARACTERS.fullmatch(c))
        return Problem(f"{what}: {odd!a} has no place in one", suggest(text))
    try:
        return _resolve(license_expression.Licensing().parse(expression, simple=True))
    except _UnknownError as unknown:
        return Problem(unknown.what, unknown.remedy or suggest(unknown.word))
    # The parser underneath lets AttributeError, IndexError and others escape on malformed text.
    except Exception:
        return Problem(what, suggest(text))


class _UnknownError(Exception):
    def __init__(self, what: str, word: str, remedy: str | None = None) -> None:
        super().__init__(what)
        self.what, self.word, self.remedy = what, word, remedy


def _resolve(parsed: Any) -> Node:
    """Turn the parser's tree into ours, every identifier canonical. Raises _UnknownError."""
    known, exceptions = identifiers()
    if isinstance(parsed, license_expression.AND | license_expression.OR):
        operator = "AND" if isinstance(parsed, license_expression.AND) else "OR"
        return Node(operator, legs=tuple(_resolve(leg) for leg in parsed.args))
    if isinstance(parsed, license_expression.LicenseWithExceptionSymbol):
        licence = _resolve(parsed.license_symbol).identifier
        named = parsed.exception_symbol.key
        if named.lower() not in exceptions:
            remedy = did_you_mean(named, exceptions.values()) or "Exceptions: https://spdx.org/licenses/."
            raise _UnknownError(f"“{named[:80]}” is no SPDX exception", named, remedy)
        return Node("", f"{licence} WITH {exceptions[named.lower()]}")
    key: str = parsed.key
    if key.lower() in known:
        return Node("", known[key.lower()])
    if _REFERENCE.fullmatch(key):
        return Node("", key)
    if key.lower() in exceptions:
        raise _UnknownError(
            f"“{key[:80]}” is an exception, not a licence", key, "Write LICENCE WITH EXCEPTION."
        )
    raise _UnknownError(f"licence “{key[:80]}” is not an SPDX identifier", key)


def _suggest(text: str) -> str:
    """What was probably meant, as a sentence."""
    known, _ = identifiers()
    plain = re.sub(r"[\s_]+", "-", text[:80].strip()).lower()
    # GPLv3, GPL v3, GPL3+: the letter before a version is no part of an identifier.
    plain = re.sub(r"(?<=[a-z])-?v\.?(?=\d)|(?<=gpl)(?=\d)", "-", plain).removesuffix("+")
    called = {name.lower(): licence.id for licence in licences() for name in licence.also_called}
    meant = called.get(text.lower()) or called.get(plain) or known.get(plain)
    if meant and "*" not in meant:
        return f"Did you mean “{meant}”?"
    stem = meant.rstrip("-*").lower() if meant else plain
    versions = sorted(
        {i for i in known.values() if re.fullmatch(rf"{re.escape(stem)}[-.]{_VERSION}", i.lower())}
    )
    if versions:
        return f"Say which version: {', '.join(versions[-8:])}."
    if re.search(r"[,;/&|()\uff0c]|\b(and|or|with)\b", text, re.IGNORECASE):
        return "Join identifiers by AND where all apply, by OR where one may be chosen."
    return suggest_identifier(plain) or "Identifiers are listed at https://spdx.org/licenses/."


def suggest_identifier(word: str) -> str | None:
    """Say which SPDX identifier a misspelt one was probably meant for, None where no one is close.

    There are so many, most of them short, that one of them is like any word: they must be closer than other
    names have to be, and begin alike.
    """
    if not 0 < len(word) <= _LONGEST_GUESSED:
        return None
    return did_you_mean(word, _beginning_with(word[0].lower()), closeness=0.75)


@functools.lru_cache(maxsize=64)
def _beginning_with(letter: str) -> tuple[str, ...]:
    """SPDX identifiers by first letter."""
    listed = {known for known in identifiers()[0].values() if not known.startswith("LicenseRef-")}
    return tuple(sorted(identifier for identifier in listed if identifier.lower().startswith(letter)))


def _judge(node: Node, policy: Policy) -> Judgement:
    if not node.operator:
        return _judge_licence(node.identifier, policy)
    legs = sorted((_judge(leg, policy) for leg in node.legs), key=lambda leg: leg.expression)
    expression = f" {node.operator} ".join(
        f"({leg.expression})" if " OR " in leg.expression or " AND " in leg.expression else leg.expression
        for leg in legs
    )
    combine = _all_of if node.operator == "AND" else _one_of
    return Judgement(expression, {use: combine(legs, use) for use in USES})


def _judge_licence(identifier: str, policy: Policy) -> Judgement:
    licence = find_licence(identifier)
    if licence is None:
        denied = UseJudgement("deny", (), identifier, "licence-not-in-table", ())
        return Judgement(identifier, dict.fromkeys(USES, denied))
    uses: dict[Use, UseJudgement] = {}
    for use in USES:
        entry = licence.entries[use]
        verdict, added = policy.resolve(licence.licence_class, use) if entry == "cond" else (entry, ())
        rules = (licence.rule, policy.rule) if entry == "cond" else (licence.rule,)
        held_back = _REASONS.get(licence.licence_class, "licence-review")
        if entry == "allow" and licence.confidence == "counsel":
            if licence.rule in policy.confirmed:
                rules = (licence.rule, policy.rule)
            else:
                verdict, held_back = "review", "licence-awaits-counsel"
        reason = "licence-allow" if verdict == "allow" else held_back
        obligations = tuple(sorted({*licence.obligations, *added})) if verdict != "deny" else ()
        uses[use] = UseJudgement(verdict, obligations, identifier, reason, rules)
    return Judgement(identifier, uses)


def _all_of(legs: list[Judgement], use: Use) -> UseJudgement:
    """AND: every leg binds."""
    parts = [leg[use] for leg in legs]
    verdict = worst(*(part.verdict for part in parts))
    elected = dict.fromkeys(f"({p.elected})" if " OR " in p.elected else p.elected for p in parts)
    return UseJudgement(
        verdict,
        tuple(sorted({o for part in parts for o in part.obligations})) if verdict != "deny" else (),
        " AND ".join(elected),
        _reason([part.reason for part in parts if part.verdict == verdict], verdict),
        tuple(sorted({rule for part in parts for rule in part.rules})),
        "; ".join(part.why for part in parts if part.why) or None,
    )


def _reason(reasons: list[str], verdict: Verdict) -> str:
    return reason_of(reasons) if verdict == "review" else reasons[0]


def _one_of(legs: list[Judgement], use: Use) -> UseJudgement:
    """OR: who uses the work elects a leg; the others do not bind."""

    def rank(leg: Judgement) -> tuple[int, int, int, str]:
        overall = sum(SEVERITY[leg[u].verdict] for u in USES)
        return SEVERITY[leg[use].verdict], overall, len(leg[use].obligations), leg[use].elected

    elected = min(legs, key=rank)
    chosen = elected[use]
    others = [f"{leg.expression} is {leg[use].verdict}" for leg in legs if leg is not elected]
    why = f"{chosen.elected} is {chosen.verdict}; {', '.join(others)}"
    return UseJudgement(chosen.verdict, chosen.obligations, chosen.elected, chosen.reason, chosen.rules, why)
