"""Admission: decisions and signatures enter the journal, and only there do they begin to count.

An SSH signature carries no time that could be trusted, so whether its signer held the role is judged on the
day it enters. Nothing that is refused enters; each refusal says why, and the file may be mended and tried
again. What has entered is checked by digest ever after.

One key signs a decision once, under whatever name: between two signatures a file of people may have given the
key to somebody else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from hemicycle.digests import sha256_bytes
from hemicycle.errors import HemicycleError, IntegrityError, RightsError, visible
from hemicycle.governance.clock import not_before
from hemicycle.governance.decisions import (
    APPROVALS,
    DecisionFile,
    SignatureFile,
    list_approvals,
    read_decision,
)
from hemicycle.governance.in_force import admit_file
from hemicycle.governance.people import Governance, Person, parse_governance, read_people
from hemicycle.governance.rules import load_rules
from hemicycle.governance.signer import find_signer, fits, is_organisation, is_person
from hemicycle.governance.sshsig import parse_sshsig
from hemicycle.ledger import Journal, Ledger


@dataclass(frozen=True)
class Refusal:
    """A file of `approvals/` that did not enter, and why; or one that entered and does not hold.

    Names and reasons are made `visible`.
    """

    file: str
    why: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "file", visible(self.file))
        object.__setattr__(self, "why", visible(self.why))

    @property
    def path(self) -> str:
        """Where it lies: files of people and policies are kept by the ledger, in folders of their own."""
        return f"{'ledger' if '/' in self.file else APPROVALS}/{self.file}"

    def __str__(self) -> str:
        return f"{self.file}: {self.why}"


def admit_governance(ledger: Ledger, path: Path, folder: Path, now: datetime) -> Governance:
    """Enter the file of people if it is new, and return it.

    Raises RightsError where it is another than the one in force and no standing decision says so,
    DeclarationError where it names nothing that could be decided by.
    """
    data = read_people(path)
    governance = parse_governance(data, str(path), path)
    load_rules(governance.rules)
    admit_file(ledger, "governance", path, data, folder, now)
    return governance


def admit_decisions(
    ledger: Ledger, folder: Path, governance: Governance, now: datetime, *, enter: bool = True
) -> list[Refusal]:
    """Enter every decision and signature of `approvals/` that is new and sound; return what was refused.

    Without `enter` nothing is written: only what would be refused is told. Raises IntegrityError where a file
    that had entered was changed or taken away, InputError where the clock is behind the journal.
    """
    now = not_before(ledger.journal.lines(), now)
    entered = entered_files(ledger.journal)
    check_entered(folder, entered)
    decisions, signatures, others = list_approvals(folder)
    refused = [Refusal(path.name, "this is neither a decision nor a signature") for path in others]
    heads = {line.digest for line in ledger.journal.lines()}
    sound: dict[str, DecisionFile] = {}
    for path in decisions:
        try:
            file = read_decision(path)
            if file.path.name not in entered and file.decision.head not in heads:
                raise IntegrityError("it was made on a head that this journal never had", place=str(path))
        except HemicycleError as error:
            refused.append(Refusal(path.name, error.what))
            continue
        sound[path.stem] = file
        if enter and path.name not in entered:
            content = {"file": path.name, "sha256": file.sha256, "entered": _iso(now)}
            ledger.enter("decision", content)
    for signature in signatures:
        if signature.path.name in entered:
            continue
        try:
            data = signature.path.read_bytes()
            person = check_signature(signature, data, sound, governance, now, entered)
        except HemicycleError as error:
            refused.append(Refusal(signature.path.name, error.what))
            continue
        content = {
            "file": signature.path.name,
            "sha256": sha256_bytes(data),
            "decision": f"{signature.stem}.json",
            "person": person.id,
            "role": signature.role,
            "entered": _iso(now),
        }
        if enter:
            ledger.enter("signature", content)
        entered[signature.path.name] = content["sha256"]
    return refused


def admit_alone(ledger: Ledger, folder: Path, now: datetime) -> list[Refusal]:
    """Enter the withdrawals of a project of one person, which nobody signs; return what was refused.

    Of other decisions nothing is to be known there. Raises as `admit_decisions` does.
    """
    lines = ledger.journal.lines()
    entered = entered_files(ledger.journal)
    check_entered(folder, entered)
    heads, refused = {line.digest for line in lines}, []
    for path in list_approvals(folder)[0]:
        if path.name in entered or not path.name.startswith("withdraw-"):
            continue
        try:
            file = read_decision(path)
            if file.decision.head not in heads:
                raise IntegrityError("it was made on a head that this journal never had", place=str(path))
        except HemicycleError as error:
            refused.append(Refusal(path.name, error.what))
            continue
        moment = _iso(not_before(lines, now))
        ledger.enter("decision", {"file": path.name, "sha256": file.sha256, "entered": moment})
    return refused


def check_signature(
    file: SignatureFile,
    data: bytes,
    decisions: dict[str, DecisionFile],
    governance: Governance,
    now: datetime,
    entered: Iterable[str] = (),
) -> Person:
    """Whose signature this is, after those of the same folder that `entered`. Raises IntegrityError or
    RightsError, each with its own sentence, unless it is a good signature of somebody who may sign this
    decision in this role today."""
    place = str(file.path)
    decision = decisions.get(file.stem)
    if decision is None:
        raise IntegrityError("the decision it signs is not here, or was refused", place=place)
    try:
        person = find_signer(file, data, decision.data, governance, now)
    except IntegrityError:
        for other in decisions.values():
            if other is not decision and fits(data, other.data):
                raise IntegrityError(
                    f"it is a signature of another decision, {other.path.name}, copied here", place=place
                ) from None
        raise
    author = decision.decision.author
    if author is not None and is_person(author, person):
        raise RightsError(
            f"{person.id} is the author of what is decided, and authors do not sign", place=place
        )
    if any(is_organisation(party, person) for party in decision.decision.parties):
        raise RightsError(
            f"{person.id} is of {person.organisation}, which this decision is about", place=place
        )
    key = parse_sshsig(data, place).public_key.line
    for name in entered:
        if name.startswith(f"{file.stem}.{person.id}."):
            raise RightsError(
                f"{person.id} has signed this decision already; one person signs once", place=place
            )
        if name.startswith(f"{file.stem}.") and _key(file.path.parent / name) == key:
            raise RightsError(
                f"the key of {person.id} has signed this decision already, as {name}; one key signs once",
                place=place,
            )
    return person


def entered_files(journal: Journal) -> dict[str, str]:
    """File of `approvals/` → its digest, as the journal has them."""
    return {
        str(line.content.get("file")): str(line.content.get("sha256"))
        for line in journal.lines()
        if line.kind in ("decision", "signature")
    }


def check_entered(folder: Path, entered: dict[str, str]) -> None:
    """Raise IntegrityError unless every file that entered is there, unchanged."""
    for name, sha256 in entered.items():
        path = folder / name
        if not path.is_file() or path.is_symlink():
            raise IntegrityError(
                "the journal names this file; it is missing",
                place=str(path),
                remedy="Take it back from version control.",
            )
        if (found := sha256_bytes(path.read_bytes())) != sha256:
            raise IntegrityError(
                f"the file was changed after it entered the journal: SHA-256 {sha256}, found {found}",
                place=str(path),
                remedy="Take it back from version control.",
            )


def _key(signature: Path) -> bytes | None:
    """With which key an earlier signature was made; None where it is none."""
    try:
        return parse_sshsig(signature.read_bytes(), str(signature)).public_key.line
    except (IntegrityError, OSError):
        return None


def _iso(now: datetime) -> str:
    return now.isoformat(timespec="seconds")
