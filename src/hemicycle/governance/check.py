"""Check: recompute from files and journal who held which role when they signed, and what is missing.

Every decision and signature that entered is held against the file of people in force at that line: the digest
of the file, the signature itself, the role on the day of its entry. Nothing of an earlier verdict is trusted.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from hemicycle.digests import sha256_bytes
from hemicycle.errors import HemicycleError, IntegrityError
from hemicycle.governance.admission import Refusal, check_signature, kept_governance
from hemicycle.governance.decisions import DecisionFile, SignatureFile, list_approvals, read_decision
from hemicycle.governance.people import Governance, parse_governance
from hemicycle.ledger import Ledger, Line


def check_decisions(ledger: Ledger, folder: Path) -> list[Refusal]:
    """Whatever of the decisions in the journal does not hold, each with its file."""
    findings: list[Refusal] = []
    governance: Governance | None = None
    decisions: dict[str, DecisionFile] = {}
    signatures = {s.path.name: s for s in list_approvals(folder)[1]}
    signed: dict[str, str] = {}
    heads: set[str] = set()
    for line in ledger.journal.lines():
        file = str(line.content.get("file", ""))
        try:
            if line.kind == "governance":
                digest = str(line.content["sha256"])
                governance = parse_governance(kept_governance(ledger, digest), file)
            elif line.kind == "decision":
                _check_decision(folder / file, line, heads, decisions)
            elif line.kind == "signature":
                if governance is None:
                    raise IntegrityError("no file of people was in force when it entered")
                _check_signature(signatures.get(file), folder / file, line, decisions, governance, signed)
        except HemicycleError as error:
            findings.append(Refusal(file, error.what))
        except (KeyError, ValueError, TypeError):
            findings.append(Refusal(file, f"line {line.number} of the journal does not say what it should"))
        heads.add(line.digest)
    return findings


def _check_decision(path: Path, line: Line, heads: set[str], decisions: dict[str, DecisionFile]) -> None:
    read = read_decision(path) if path.is_file() else None
    if read is None:
        raise IntegrityError("the decision that entered the journal is missing", place=str(path))
    if read.sha256 != line.content["sha256"]:
        raise IntegrityError("the decision was changed after it entered the journal", place=str(path))
    if read.decision.head not in heads:
        raise IntegrityError("it was made on a head that was not before it in the journal", place=str(path))
    decisions[path.stem] = read


def _check_signature(
    file: SignatureFile | None,
    path: Path,
    line: Line,
    decisions: dict[str, DecisionFile],
    governance: Governance,
    signed: dict[str, str],
) -> None:
    data = path.read_bytes() if file is not None else b""
    if file is None or sha256_bytes(data) != line.content["sha256"]:
        raise IntegrityError("the signature that entered the journal is missing or changed", place=str(path))
    on = datetime.fromisoformat(line.content["entered"])
    person = check_signature(file, data, decisions, governance, on, signed)
    if (person.id, file.role) != (line.content["person"], line.content["role"]):
        raise IntegrityError("the journal names another signer than the signature does", place=str(path))
    signed[path.name] = ""
