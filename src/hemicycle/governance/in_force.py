"""In force: the two files that only a decision changes, who may sign and what the policy is.

The first of each founds the project and is signed by nobody. A later one comes into force by a decision that
names both, the file that is to be and the one it replaces. The trap is an approval that is used again: the
list with somebody in it who has left since was approved too. So the decision must have been made while what
it replaces was in force, and that is over as soon as it was used.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from hemicycle.digests import sha256_bytes
from hemicycle.errors import DeclarationError, IntegrityError, RightsError
from hemicycle.governance.clock import not_before
from hemicycle.governance.decisions import FileKind
from hemicycle.governance.people import GOVERNANCE, LARGEST, Governance, parse_governance
from hemicycle.governance.rules import load_rules
from hemicycle.governance.standing import Standing, read_entries, standings
from hemicycle.ledger import Ledger, Line


@dataclass(frozen=True)
class InForce:
    """A file that came into force: its digest, and the number of the journal's line that says so."""

    kind: FileKind
    sha256: str
    number: int

    @property
    def file(self) -> str:
        """Where the ledger keeps it, by the digest."""
        return f"{self.kind}/{self.sha256[:16]}.toml"


def in_force(lines: Iterable[Line], kind: FileKind) -> InForce | None:
    """The last file of a kind that the lines put in force; None before there is one."""
    last = None
    for line in lines:
        if line.kind == kind:
            last = InForce(kind, str(line.content.get("sha256")), line.number)
    return last


def replaces(one: Standing, kind: FileKind, sha256: str, before: InForce) -> bool:
    """Whether a decision puts this file in force in the place of the one before."""
    covers = {kind: sha256, "replaces": before.sha256}
    return (one.decision.kind, one.state, dict(one.decision.covers)) == (
        kind,
        "standing",
        covers,
    ) and one.entry.made_after >= before.number


def kept(ledger: Ledger, file: InForce) -> bytes:
    """A file that was in force. Raises IntegrityError where it is not as it entered."""
    path = ledger.folder / file.file
    data = b""
    if re.fullmatch(r"[0-9a-f]{64}", file.sha256) and path.is_file():
        with path.open("rb") as opened:
            data = opened.read(LARGEST + 1)
    if sha256_bytes(data) != file.sha256:
        raise IntegrityError("the file that the journal names is missing or changed", place=str(path))
    return data


def people_in_force(ledger: Ledger) -> Governance | None:
    """The people whom the journal's last file of people names; None before there is one."""
    last = in_force(ledger.journal.lines(), "governance")
    return None if last is None else parse_governance(kept(ledger, last), last.file)


def how_to_change(ledger: Ledger, before: InForce) -> str:
    """Who puts another file in force in the place of this one, and how work goes on meanwhile."""
    lies = f"{ledger.folder.name}/{before.file}"
    by_copy = f"copy {lies} back to {GOVERNANCE}"
    go_on = by_copy if before.kind == "governance" else f'write policy = "{lies}" under [project]'
    return (
        f"Two leads of governance sign it with `hemicycle govern sign {before.kind}`, and its waiting time "
        f"passes; to go on until then, {go_on}."
    )


def admit_file(ledger: Ledger, kind: FileKind, path: Path, data: bytes, folder: Path, now: datetime) -> None:
    """Bring the file that was read from a path into force if it is new, by the decisions of `folder`.

    Raises RightsError where it is another than the one in force and no standing decision says so.
    """
    if len(data) > LARGEST:
        raise DeclarationError(f"the file has more than {LARGEST} bytes", place=str(path))
    digest, lines = sha256_bytes(data), ledger.journal.lines()
    before, people = in_force(lines, kind), people_in_force(ledger)
    if before is not None and before.sha256 == digest:
        return
    now = not_before(lines, now)
    content = {"sha256": digest, "entered": now.isoformat(timespec="seconds")}
    if before is not None:
        entries = read_entries(lines, folder)
        told = standings(entries, load_rules(people.rules), now) if people is not None else []
        decision = next((s for s in told if replaces(s, kind, digest, before)), None)
        if decision is None:
            raise RightsError(
                f"{path.name} was changed, and no standing decision says so",
                place=str(path),
                remedy=how_to_change(ledger, before),
            )
        content["decision"] = decision.entry.file
    file = InForce(kind, digest, 0).file
    ledger.keep(file, data)
    ledger.enter(kind, {"file": file, **content})
