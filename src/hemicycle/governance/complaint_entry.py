"""The entry of complaints into the journal: what may enter, and whether what entered is still so.

A step enters in one line, with its signatures, once it has all that the rules ask for; until then it waits in
its folder and counts for nothing. As for decisions, who may sign is judged on the day of the entry, by the
people whom the journal has in force at that line and never by a file that lies in the folder. Reading goes
through the journal again and judges every step anew, so that nobody's earlier verdict is trusted. Only whom
the cards name is asked once, at the entry: cards change, and the journal does not keep them.

Whoever complains or is complained about takes no step: the people a card names, those whom a step names as
parties, and a member who complains or appeals, each with their organisation.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from hemicycle.digests import sha256_bytes
from hemicycle.errors import HemicycleError, IntegrityError, RightsError
from hemicycle.governance.admission import Refusal
from hemicycle.governance.clock import Order, entered, not_before
from hemicycle.governance.complaint_files import (
    ID,
    IGNORED,
    PRIVATE,
    STEM,
    check_private,
    complaint_folders,
    files_in,
    read_file,
    read_step,
    signature_file,
    signatures_of,
    step_files,
)
from hemicycle.governance.complaint_step import BY_ANYBODY, SETTLING, Step
from hemicycle.governance.complaints import Complaint, Signer, Taken, problems_with
from hemicycle.governance.decisions import SignatureFile
from hemicycle.governance.in_force import InForce, kept
from hemicycle.governance.people import RANKS, ROLES, Governance, Person, Rank, Role, parse_governance
from hemicycle.governance.rules import SIGNING_RANKS, StepRule, load_rules
from hemicycle.governance.signer import find_signer, is_organisation, is_person
from hemicycle.ledger import Ledger, Line
from hemicycle.typeset import flatten

#: The kind of a step's line in the journal.
LINE = "complaint"

#: Names of sources, ids of documents and addresses → whom the cards behind them name.
PartiesOf = Callable[[Sequence[str]], Collection[str]]


@dataclass
class Reading:
    """All complaints.

    Attributes:
        complaints: by id, as far as what entered is sound.
        waiting: id → steps that have not entered, by file name.
        wrong: what is no longer as it entered, or should not have.
        strays: what nothing accounts for.
    """

    complaints: dict[str, Complaint] = field(default_factory=dict)
    waiting: dict[str, list[str]] = field(default_factory=dict)
    wrong: list[Refusal] = field(default_factory=list)
    strays: list[Refusal] = field(default_factory=list)

    @property
    def findings(self) -> list[Refusal]:
        return [*self.wrong, *self.strays]


@dataclass(frozen=True)
class Weighed:
    """A step with the signatures that count, whose are missing, and which do not count."""

    taken: Taken
    missing: tuple[str, ...]
    refused: tuple[Refusal, ...]


def weigh(
    before: Complaint | None,
    step: Step,
    signatures: Mapping[SignatureFile, bytes],
    governance: Governance | None,
    on: datetime,
) -> Weighed:
    """What a step that enters at a moment is worth. Raises IntegrityError where it does not follow."""
    problems = problems_with(before, step, on)
    if problems:
        raise IntegrityError(problems[0])
    signed: list[Signer] = []
    refused = []
    for file, data in signatures.items():
        try:
            person = check_signature(before, step, file, data, governance, on)
            if any(signer.person == person.id for signer in signed):
                raise RightsError(f"{person.id} has signed this step already; one person signs once")
        except HemicycleError as error:
            refused.append(Refusal(f"{step.complaint}/{file.path.name}", error.what))
        else:
            signed.append(Signer(person.id, file.role, frozenset(key.line for key in person.keys)))
    missing = _missing(step, rule_of(step, governance), signed)
    return Weighed(Taken(step, on, tuple(signed)), missing, tuple(refused))


def rule_of(step: Step, governance: Governance | None) -> StepRule | None:
    """Who signs a step; None for one that anybody may take."""
    if step.step in BY_ANYBODY:
        return None
    if governance is None:
        raise RightsError("nobody governs this project who could sign a step")
    rules = load_rules(governance.rules).complaint
    outcome = step.public.outcome
    if step.step == "triage":
        return rules.triage
    if step.step == "decide":
        return rules.grant if outcome == "granted" else rules.refuse
    if step.step == "review":
        return rules.review
    return rules.withdraw if outcome == "withdrawn" else rules.close


def check_signature(
    before: Complaint | None,
    step: Step,
    file: SignatureFile,
    data: bytes,
    governance: Governance | None,
    on: datetime,
) -> Person:
    """Whose signature this is. Raises IntegrityError or RightsError unless they may give it then."""
    if governance is None:
        raise RightsError("nobody governs this project who could sign a step", place=str(file.path))
    ranks = RANKS if step.step in BY_ANYBODY else SIGNING_RANKS
    person = find_signer(file, data, step.to_bytes(), governance, on, ranks)
    check_entitled(before, step, person, file.role, governance)
    return person


def check_entitled(
    before: Complaint | None, step: Step, person: Person, role: str, governance: Governance
) -> None:
    """Raise RightsError where this step is not theirs to sign in this role, whatever office they hold."""
    rule = rule_of(step, governance)
    if rule is None:
        if person.id != step.by:
            named = step.by or "nobody of the project"
            raise RightsError(f"{person.id} signed it, and it says that {named} takes this step")
        return
    if not any(role in seat for seat in rule.needs):
        raise RightsError(f"“{step.step}” is signed by {_in_words(rule.needs)}, not by {role}")
    for name in _concerned(before, step, governance):
        if is_person(name, person) or is_organisation(name, person):
            raise RightsError(f"{person.id} is, or is of, {name}, who complains or is complained about")
    for taken in before.taken if before else ():
        signer = next((s for s in taken.signed if s.is_also(person)), None)
        if signer is not None and taken.step.step in rule.others_than:
            alias = f", as {signer.person}" if signer.person != person.id else ""
            raise RightsError(f"{person.id} signed “{taken.step.step}”{alias}, and others sign “{step.step}”")


def _concerned(before: Complaint | None, step: Step, governance: Governance) -> Iterator[str]:
    yield from step.public.parties
    for one in (*(before.steps if before else ()), step):
        if one.step in BY_ANYBODY and one.by is not None:
            yield one.by
            if one.by in governance.people:
                yield governance.people[one.by].organisation


def _open_seats(rule: StepRule, signed: Sequence[Signer]) -> list[list[Role]]:
    """The signatures that are still missing, each as the roles of which any one will do."""
    free = list(signed)
    seats = []
    for seat in rule.needs:
        signer = next((s for s in free if s.role in seat), None)
        if signer is None:
            seats.append(seat)
        else:
            free.remove(signer)
    return seats


def open_roles(
    step: Step, governance: Governance, signed: Sequence[Signer]
) -> tuple[Sequence[Role], Sequence[Rank]]:
    """The roles in which a step can still be signed, and the ranks that will do."""
    rule = rule_of(step, governance)
    if rule is None:
        return ROLES, RANKS
    return list(dict.fromkeys(role for seat in _open_seats(rule, signed) for role in seat)), SIGNING_RANKS


def _missing(step: Step, rule: StepRule | None, signed: Sequence[Signer]) -> tuple[str, ...]:
    """Roles that have yet to sign, or the person whom the step names as who took it."""
    missing = [" or ".join(seat) for seat in _open_seats(rule, signed)] if rule else []
    if step.by is not None and not missing and step.by not in {s.person for s in signed}:
        missing.append(step.by)
    return tuple(missing)


def _in_words(needs: Sequence[Sequence[str]]) -> str:
    return " and ".join(" or ".join(seat) for seat in needs)


def read_complaints(ledger: Ledger, complaints: Path) -> Reading:
    """Go through the journal and judge every step that entered; then look at what else lies there."""
    reading, order = Reading(), Order()
    governance: Governance | None = None
    named: dict[str, set[str]] = {}
    broken: set[str] = set()
    for line in ledger.journal.lines():
        if line.kind == "governance":
            governance = _people(ledger, line)
        untimely = order.take(line)
        if line.kind != LINE:
            continue
        try:
            entry = _Entry.of(line)
        except (IntegrityError, KeyError, ValueError, TypeError):
            what = "this line does not say what the line of a complaint's step says"
            reading.wrong.append(Refusal(f"line {line.number} of the journal", what))
            continue
        named.setdefault(entry.complaint, set()).update([entry.step, *entry.signatures])
        changed = list(_changed(complaints, entry))
        reading.wrong += changed
        try:
            if untimely is not None:
                raise IntegrityError(untimely)
            if not changed and entry.complaint not in broken:
                _replay(reading, complaints / entry.complaint, entry, governance)
                continue
        except HemicycleError as error:
            reading.wrong.append(Refusal(f"{entry.complaint}/{entry.step}", error.what))
        broken.add(entry.complaint)
        reading.complaints.pop(entry.complaint, None)
    _look_around(reading, complaints, named)
    return reading


@dataclass(frozen=True)
class _Entry:
    """What a line says of a step: its file, its signatures by name, all with their digests, and when."""

    complaint: str
    step: str
    sha256: str
    signatures: Mapping[str, str]
    entered: datetime

    @classmethod
    def of(cls, line: Line) -> _Entry:
        content = line.content
        complaint, _, step = str(content["file"]).partition("/")
        signatures = dict(content["signatures"])
        named = [signature_file(Path(), str(name)) for name in signatures]
        if (
            not re.fullmatch(ID, complaint)
            or not re.fullmatch(rf"{STEM}\.json", step)
            or any(file is None or file.stem != step.removesuffix(".json") for file in named)
        ):
            raise ValueError(complaint)
        return cls(complaint, step, str(content["sha256"]), signatures, entered(line))


def _people(ledger: Ledger, line: Line) -> Governance | None:
    """Those whom a line puts in force. One that names no sound file is a finding of `check_decisions`."""
    try:
        file = InForce("governance", str(line.content["sha256"]), line.number)
        return parse_governance(kept(ledger, file), file.file)
    except (HemicycleError, KeyError):
        return None


def _changed(complaints: Path, entry: _Entry) -> Iterator[Refusal]:
    for name, sha256 in {entry.step: entry.sha256, **entry.signatures}.items():
        path = complaints / entry.complaint / name
        what = "the step" if name == entry.step else "the signature of a step"
        try:
            if sha256_bytes(read_file(path)) != sha256:
                yield Refusal(f"{entry.complaint}/{name}", f"{what} was changed after it entered the journal")
        except IntegrityError as error:
            gone = not path.exists() and not path.is_symlink()
            why = f"{what} that entered the journal is missing" if gone else error.what
            yield Refusal(f"{entry.complaint}/{name}", why)


def _replay(reading: Reading, folder: Path, entry: _Entry, governance: Governance | None) -> None:
    step = read_step(folder / entry.step)
    files = (signature_file(folder, name) for name in entry.signatures)
    signatures = {file: read_file(file.path) for file in files if file is not None}
    before = reading.complaints.get(entry.complaint)
    weighed = weigh(before, step, signatures, governance, entry.entered)
    if weighed.refused:
        raise IntegrityError(weighed.refused[0].why)
    if weighed.missing:
        raise IntegrityError(f"it entered without the signature of {', '.join(weighed.missing)}")
    reading.complaints[entry.complaint] = _with(before, folder, weighed.taken)


def _with(before: Complaint | None, folder: Path, taken: Taken) -> Complaint:
    return Complaint(folder, (*(before.taken if before else ()), taken))


def _look_around(reading: Reading, complaints: Path, named: Mapping[str, set[str]]) -> None:
    """Find what has not entered: steps with their signatures wait, everything else is a stray."""
    folders = complaint_folders(complaints)
    if complaints.is_dir():
        _stray(reading, files_in(complaints) - {f.name for f in folders})
    for folder in folders:
        if folder.is_symlink() or not folder.is_dir():
            reading.strays.append(Refusal(folder.name, "this is not the folder of a complaint"))
            continue
        entered = named.get(folder.name, set())
        waiting = [name for name in step_files(folder) if name not in entered]
        known = {IGNORED, PRIVATE, *entered, *waiting}
        for name in waiting:
            known |= {file.path.name for file in signatures_of(folder, name.removesuffix(".json"))}
        _stray(reading, {f"{folder.name}/{name}" for name in files_in(folder) - known})
        if waiting:
            reading.waiting[folder.name] = waiting
        complaint = reading.complaints.get(folder.name)
        if complaint is not None:
            try:
                check_private(folder, complaint.steps[0])
            except IntegrityError as error:
                file = Path(error.place or PRIVATE).name
                reading.strays.append(Refusal(f"{folder.name}/{file}", error.what))


def _stray(reading: Reading, names: Collection[str]) -> None:
    # A name may hold anything a file system takes, and is shown.
    reading.strays += [Refusal(flatten(name), "this does not belong here") for name in sorted(names)]


def admit_steps(
    ledger: Ledger, complaints: Path, governance: Governance | None, now: datetime, parties_of: PartiesOf
) -> list[Refusal]:
    """Enter every step that is new and complete, in its order; return what was refused.

    Raises IntegrityError where one that had entered was changed or taken away, InputError where the clock is
    behind the journal.
    """
    reading = read_complaints(ledger, complaints)
    check_sound(reading, complaints)
    now = not_before(ledger.journal.lines(), now)
    refused = list(reading.strays)
    for complaint, names in reading.waiting.items():
        folder = complaints / complaint
        for name in names:
            before = reading.complaints.get(complaint)
            try:
                weighed = weigh_waiting(before, folder / name, governance, now, parties_of)
            except HemicycleError as error:
                refused.append(Refusal(f"{complaint}/{name}", error.what))
                break
            refused += weighed.refused
            if weighed.missing:
                break
            step = weighed.taken.step
            files = [f"{step.stem}.{s.person}.{s.role}.sig" for s in weighed.taken.signed]
            content = {
                "file": f"{complaint}/{name}",
                "sha256": sha256_bytes(step.to_bytes()),
                "signatures": {file: sha256_bytes(read_file(folder / file)) for file in files},
                "entered": now.isoformat(timespec="seconds"),
            }
            ledger.enter(LINE, content)
            reading.complaints[complaint] = _with(before, folder, weighed.taken)
    return refused


def weigh_waiting(
    before: Complaint | None, path: Path, governance: Governance | None, now: datetime, parties_of: PartiesOf
) -> Weighed:
    """A step that has not entered, as it lies in its folder. Raises an error where it could not enter."""
    step = read_step(path)
    if step.step in SETTLING:
        for name in parties_of(step.public.subject):
            if name not in step.public.parties:
                raise RightsError(f"it does not name {name} as concerned, whom the card of its subject names")
    files = signatures_of(path.parent, step.stem)
    return weigh(before, step, {file: read_file(file.path) for file in files}, governance, now)


def check_sound(reading: Reading, complaints: Path) -> None:
    """Raise IntegrityError where something that entered is no longer what entered."""
    for finding in reading.wrong:
        raise IntegrityError(
            finding.why, place=str(complaints / finding.file), remedy="Take it back from version control."
        )
