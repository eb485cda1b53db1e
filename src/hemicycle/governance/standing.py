"""Standing: what the decisions of a journal mean on a day, read from the journal and the files it names.

    proposed   signatures are missing
    cooling    complete, and its waiting time has not passed yet
    standing   in force
    expired    its last day has passed, whether it was complete or not
    revoked    a later decision took it back

Nothing else is looked at: neither who could sign, nor what a signer's clock said.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from hemicycle.errors import IntegrityError
from hemicycle.governance.clock import entered
from hemicycle.governance.decisions import WHOLE, Decision, read_decision
from hemicycle.governance.people import Role
from hemicycle.governance.rules import Rules
from hemicycle.ledger import Line

State = Literal["proposed", "cooling", "standing", "expired", "revoked"]

#: The explanation of verdicts `review` that are lifted, and the documents this is for (None: all).
Lift = tuple[str, tuple[str, ...] | None]


@dataclass(frozen=True)
class Signed:
    """A signature that entered the journal."""

    person: str
    role: Role
    entered: datetime
    line: int


@dataclass(frozen=True)
class Entry:
    """A decision that entered the journal, with the signatures that followed it.

    `made_after` is the number of the journal's last line when the decision was made; a signature's `line` is
    that of its entry. `alone`: no file of people was in force when it entered, so nobody was to sign.
    """

    file: str
    decision: Decision
    entered: datetime
    signed: tuple[Signed, ...]
    made_after: int
    alone: bool = False


@dataclass(frozen=True)
class Standing:
    """What a decision has come to.

    Attributes:
        missing: roles that have yet to sign.
        effective: from when it holds; None while signatures are missing.
        ratify_by: until when the roles that clear must sign it too; None where they have, or need not.
        ends: the first day on which it no longer holds; None where no day ends it.
    """

    entry: Entry
    state: State
    missing: tuple[Role, ...]
    effective: datetime | None
    ratify_by: date | None = None
    ends: date | None = None

    @property
    def decision(self) -> Decision:
        return self.entry.decision


def read_entries(lines: Iterable[Line], folder: Path) -> list[Entry]:
    """The decisions that the lines name, in their order.

    Raises IntegrityError where a file is not what entered.
    """
    found: dict[str, tuple[Decision, datetime, int, bool]] = {}
    alone = True
    signed: dict[str, list[Signed]] = {}
    numbers: dict[str, int] = {}
    for line in lines:
        numbers[line.digest] = line.number
        content: Mapping[str, Any] = line.content
        alone = alone and line.kind != "governance"
        if line.kind not in ("decision", "signature"):
            continue
        try:
            file, moment = str(content["file"]), entered(line)
            if line.kind == "decision":
                read = read_decision(folder / file)
                if read.sha256 != content["sha256"]:
                    raise IntegrityError(
                        "the decision was changed after it entered the journal", place=str(read.path)
                    )
                made_after = numbers[read.decision.head]
                found.setdefault(file, (read.decision, moment, made_after, alone))
            else:
                signed.setdefault(str(content["decision"]), []).append(
                    Signed(str(content["person"]), content["role"], moment, line.number)
                )
        except (KeyError, ValueError, TypeError):
            raise IntegrityError(
                "this line of the journal does not say what a decision's line says",
                place=f"line {line.number}",
            ) from None
    return [
        Entry(file, decision, moment, tuple(signed.get(file, ())), made_after, alone)
        for file, (decision, moment, made_after, alone) in found.items()
    ]


def standings(entries: Iterable[Entry], rules: Rules, now: datetime) -> list[Standing]:
    """What each decision has come to by `now`, in the order of their entry."""
    told: list[Standing] = []
    for entry in entries:
        missing, complete = _complete(entry, rules)
        ends = _ends(entry, rules)
        over = ends is not None and now.date() >= ends
        if complete is None:
            told.append(Standing(entry, "expired" if over else "proposed", missing, None, ends=ends))
            continue
        wait = timedelta(hours=rules[entry.decision.kind].cooldown_hours)
        effective = max(complete, entry.entered + wait)
        state: State = "expired" if over else "standing" if now >= effective else "cooling"
        told.append(Standing(entry, state, (), effective, _ratify_by(entry, rules), ends))
    return [_after_revocations(one, told, rules) for one in told]


def _ratify_by(entry: Entry, rules: Rules) -> date | None:
    days = rules[entry.decision.kind].ratify_days
    if days is None or set(rules.clear.needs) <= {signature.role for signature in entry.signed}:
        return None
    return (entry.entered + timedelta(days=days)).date()


def _complete(entry: Entry, rules: Rules) -> tuple[tuple[Role, ...], datetime | None]:
    """The roles still missing, and when the last of those needed signed. One person fills one role."""
    if entry.alone and entry.decision.kind == "withdraw":
        # What a project of one person withdrew stays withdrawn once several govern it.
        return (), entry.entered
    missing: list[Role] = []
    used: set[str] = set()
    last = entry.entered
    for role in rules[entry.decision.kind].needs:
        signature = next((s for s in entry.signed if s.role == role and s.person not in used), None)
        if signature is None:
            missing.append(role)
        else:
            used.add(signature.person)
            last = max(last, signature.entered)
    return tuple(missing), None if missing else last


def _ends(entry: Entry, rules: Rules) -> date | None:
    days = rules[entry.decision.kind].expires_days
    longest = (entry.entered + timedelta(days=days)).date() if days else None
    stated = date.fromisoformat(entry.decision.expires) if entry.decision.expires else None
    return min((day for day in (longest, stated) if day is not None), default=None)


def _after_revocations(one: Standing, every: list[Standing], rules: Rules) -> Standing:
    """A clearance or override made before a revocation of its source was in the journal is revoked by it,
    whenever its own signatures came in."""
    if one.decision.kind not in ("clear", "override") or one.state == "proposed":
        return one
    for other in every:
        in_force = other.decision.kind == "revoke" and other.state == "standing"
        if in_force and other.decision.subject == one.decision.subject:
            needed = [s.line for s in other.entry.signed if s.role in rules.revoke.needs]
            if one.entry.made_after < min(needed):
                return replace(one, state="revoked")
    return one


@dataclass(frozen=True)
class Clearance:
    """Whether a source may be used.

    Attributes:
        explanation: key of the room of rights' explanations; ``cleared`` where it may.
        lifts: what standing overrides lift.
        overrides: files of those overrides.
    """

    explanation: str
    decision: str | None = None
    lifts: tuple[Lift, ...] = ()
    overrides: tuple[str, ...] = ()


def clearance(source: str, covers: Mapping[str, str], told: Iterable[Standing]) -> Clearance:
    """What the decisions on a source allow for what it covers today (digests of its verdicts and its card,
    and whose affair it is).

    The latest clearance that covers it decides; one that covers something else was outrun by the facts. An
    override outlasts other verdicts, and lifts nothing where the card names others than its signers were
    held against.
    """
    own = [s for s in told if s.decision.subject == source]
    concerned = {key: covers[key] for key in ("author", "publisher") if key in covers}
    cleared = [s for s in own if s.decision.kind == "clear"]
    lifting = [
        s for s in own if s.decision.kind == "override" and s.state == "standing" and _covers(s, concerned)
    ]
    for one in reversed(cleared):
        if one.state == "standing" and _covers(one, covers):
            lifts = tuple(lift for s in lifting for lift in lifts_of(s))
            return Clearance("cleared", one.entry.file, lifts, tuple(s.entry.file for s in lifting))
    last = cleared[-1] if cleared else None
    revoked = [s for s in own if s.decision.kind == "revoke" and s.state == "standing"]
    if last is None:
        return Clearance("clearance-revoked" if revoked else "clearance-missing")
    explanation = {
        "proposed": "clearance-incomplete",
        "cooling": "clearance-cooling",
        "expired": "clearance-expired",
        "revoked": "clearance-revoked",
        "standing": "clearance-outrun",
    }[last.state]
    return Clearance(explanation, last.entry.file)


#: Source → the ids of its documents that are withdrawn; None: all of it.
Withdrawn = dict[str, frozenset[str] | None]


def withdrawn_by(told: Iterable[Standing]) -> Withdrawn:
    """What standing decisions withdraw."""
    found: Withdrawn = {}
    for one in told:
        if one.decision.kind == "withdraw" and one.state == "standing":
            documents, source = one.decision.covers["documents"], one.decision.subject
            before = found.get(source, frozenset())
            whole = documents == WHOLE or before is None
            found[source] = None if whole else frozenset(before or ()) | frozenset(documents)
    return found


def withdrawn_texts(told: Iterable[Standing]) -> dict[str, frozenset[str]]:
    """Source → the digests of texts, as they were read, that standing decisions withdraw by their documents:
    a publisher who names a file anew does not bring its text back."""
    found: dict[str, frozenset[str]] = {}
    for one in told:
        documents = one.decision.covers.get("documents")
        if one.decision.kind == "withdraw" and one.state == "standing" and isinstance(documents, dict):
            digests = filter(None, documents.values())
            found[one.decision.subject] = found.get(one.decision.subject, frozenset()) | frozenset(digests)
    return found


def _covers(one: Standing, covers: Mapping[str, str]) -> bool:
    return all(one.decision.covers.get(key) == digest for key, digest in covers.items())


def lifts_of(override: Standing) -> list[Lift]:
    """What an override lifts while it stands."""
    covers = override.decision.covers
    documents = covers.get("documents")
    these = tuple(map(str, documents)) if isinstance(documents, list) else None
    return [(str(code), these) for code in covers.get("lifts", ())]
