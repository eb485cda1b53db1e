"""Check: recompute from files and journal what of its governance holds, line by line.

Every decision and signature that entered is held against the file of people in force at that line: the digest
of the file, the signature itself, the role on the day of its entry. Every file of people and every policy but
the first is held against the decision that put it in force. Nothing of an earlier verdict is trusted, and
a line that does not hold changes nothing for the lines after it.

The journal and the folder may be a stranger's: files are opened by the names that the folder lists, never by
those that a line gives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from hemicycle.digests import sha256_bytes
from hemicycle.errors import HemicycleError, IntegrityError
from hemicycle.governance.admission import Refusal, check_signature
from hemicycle.governance.clock import TIMED, Order, entered, latest
from hemicycle.governance.decisions import (
    FILES,
    DecisionFile,
    FileKind,
    list_approvals,
    read_decision,
    seen,
)
from hemicycle.governance.in_force import InForce, kept, people_in_force, replaces
from hemicycle.governance.people import GOVERNANCE, Governance, parse_governance
from hemicycle.governance.rules import load_rules
from hemicycle.governance.standing import Entry, Signed, clearance, read_entries, standings
from hemicycle.ledger import Ledger, Line, Statement


def check_decisions(ledger: Ledger, folder: Path) -> list[Refusal]:
    """Whatever of the decisions in the journal does not hold, each with its file."""
    walk = _Walk(ledger, folder)
    findings: list[Refusal] = []
    for line in ledger.journal.lines():
        try:
            walk.take(line)
        except HemicycleError as error:
            findings.append(Refusal(str(line.content.get("file", "")), error.what))
        except (KeyError, ValueError, TypeError):
            what = f"line {line.number} of the journal does not say what it should"
            findings.append(Refusal(str(line.content.get("file", "")), what))
    return findings


class _Walk:
    """What holds of a journal up to a line."""

    def __init__(self, ledger: Ledger, folder: Path) -> None:
        self.ledger, self.folder = ledger, folder
        decisions, signatures, _ = list_approvals(folder)
        self.decision_files = {path.name: path for path in decisions}
        self.signature_files = {file.path.name: file for file in signatures}
        self.people: Governance | None = None
        self.in_force: dict[FileKind, InForce] = {}
        self.decisions: dict[str, DecisionFile] = {}
        self.entries: dict[str, Entry] = {}
        self.signatures: list[str] = []
        self.numbers: dict[str, int] = {}
        self.order = Order()

    def take(self, line: Line) -> None:
        """Go one line on. Raises IntegrityError or RightsError where it does not hold."""
        wrong = self.order.take(line)
        try:
            if line.kind not in TIMED or line.kind == "complaint":
                # What is wrong with a complaint is told by `read_complaints`.
                return
            if wrong is not None:
                raise IntegrityError(wrong)
            moment = entered(line)
            if line.kind in FILES:
                self._file(line, line.kind, moment)
            elif line.kind == "decision":
                self._decision(line, moment)
            else:
                self._signature(line, moment)
        finally:
            self.numbers[line.digest] = line.number

    def _file(self, line: Line, kind: FileKind, moment: datetime) -> None:
        file, before = InForce(kind, line.content["sha256"], line.number), self.in_force.get(kind)
        data = kept(self.ledger, file)
        people = parse_governance(data, file.file) if kind == "governance" else self.people
        if before is not None:
            entry = self.entries.get(line.content.get("decision", ""))
            rules = load_rules(self.people.rules) if self.people is not None else None
            told = standings([entry], rules, moment) if entry is not None and rules is not None else []
            if not any(replaces(one, kind, file.sha256, before) for one in told):
                raise IntegrityError("no decision that stood then put it in the place of the one before")
        self.people = people
        self.in_force[kind] = file

    def _decision(self, line: Line, moment: datetime) -> None:
        name = line.content["file"]
        path = self.decision_files.get(name)
        if path is None:
            raise IntegrityError("the decision that entered the journal is missing")
        if sha256_bytes(path.read_bytes()) != line.content["sha256"]:
            raise IntegrityError("the decision was changed after it entered the journal")
        file = read_decision(path)
        if file.decision.head not in self.numbers:
            raise IntegrityError("it was made on a head that was not before it in the journal")
        self.decisions[path.stem] = file
        made_after = self.numbers[file.decision.head]
        self.entries.setdefault(name, Entry(name, file.decision, moment, (), made_after))

    def _signature(self, line: Line, moment: datetime) -> None:
        name = line.content["file"]
        if self.people is None:
            raise IntegrityError("no file of people was in force when it entered")
        file = self.signature_files.get(name)
        data = file.path.read_bytes() if file is not None else b""
        if file is None or sha256_bytes(data) != line.content["sha256"]:
            raise IntegrityError("the signature that entered the journal is missing or changed")
        person = check_signature(file, data, self.decisions, self.people, moment, self.signatures)
        decision = f"{file.stem}.json"
        stated = tuple(line.content[key] for key in ("person", "role", "decision"))
        if stated != (person.id, file.role, decision):
            raise IntegrityError("the journal names another signer or decision than the signature does")
        self.signatures.append(name)
        entry, signed = self.entries[decision], Signed(person.id, file.role, moment, line.number)
        self.entries[decision] = replace(entry, signed=(*entry.signed, signed))


def check_released(
    ledger: Ledger, folder: Path, release: str, models: Sequence[Statement], rights: Mapping[str, Statement]
) -> list[Refusal]:
    """Whatever a release's decisions do not hold of what they must: themselves, that the sources were cleared
    as their rights are stated, that each model's run was decided, and that this release of the first was.

    Waiting times have passed by the last entry: a release is decided once its model is there, and a model is
    there once its sources were cleared. A statement of rights says who attested the card, so a clearance must
    name them; it does not say who the publisher is, and whether a clearance names them is not checked.

    Args:
        models: the model, then those of the project that it was made from.
        rights: source that was read → the last statement about its rights.
    """
    findings = check_decisions(ledger, folder)
    if findings:
        return findings
    lines, people = ledger.journal.lines(), people_in_force(ledger)
    now = latest(lines)
    if people is None or now is None:
        return [Refusal(GOVERNANCE, "governance is declared, and the journal names no file of people")]
    told = standings(read_entries(lines, folder), load_rules(people.rules), now)
    standing = [one.decision for one in told if one.state == "standing"]
    needed = [("run", model.subject.name, "plan", model.inputs["order"]["digest"]) for model in models]
    for kind, name, key, value in [*needed, ("release", release, "model", models[0].digest)]:
        if not any((d.kind, d.subject, d.covers.get(key)) == (kind, name, value) for d in standing):
            findings.append(Refusal(f"{kind}-{name}", "no decision that stands says so"))
    for source, statement in rights.items():
        author = statement.declaration["declared"]["rights"]["attested_by"] or ""
        covers = seen(statement) | {"author": author}
        if clearance(source, covers, told).explanation != "cleared":
            what = "no decision that stands clears the source as its rights are stated"
            findings.append(Refusal(f"clear-{source}", what))
    return findings
