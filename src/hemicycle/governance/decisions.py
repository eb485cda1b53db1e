"""Decisions: what people decided, each in a file of its own, beside the signatures on it.

    approvals/
    ├── clear-sittings-3f2a91c07d5e.json                the decision; its name ends in its digest
    ├── clear-sittings-3f2a91c07d5e.claire.legal.sig    an SSH signature on that file, one a person and role
    └── clear-sittings-3f2a91c07d5e.amir.data.sig

A decision says what it covers by digest, so that it stands for what its signers saw and for nothing that came
later, and it names the head of the journal it was made on, so that it cannot be older or younger than it says
by more than the journal allows. The namespace of a signature is its role: what was signed as `data` cannot be
shown as `legal`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal, cast, get_args

from hemicycle.digests import canonical_json, sha256_bytes
from hemicycle.errors import InputError, IntegrityError
from hemicycle.governance.people import ROLES, Role
from hemicycle.governance.rules import KINDS, DecisionKind
from hemicycle.ledger import Statement
from hemicycle.store import write_aside

APPROVALS = "approvals"
#: A decision with the figures it rests on has a few kilobytes.
LARGEST = 1 << 20
#: Kinds of decisions that put a file in force in the place of another.
FileKind = Literal["governance", "policy"]
FILES: tuple[FileKind, ...] = get_args(FileKind)
#: What a withdrawal covers where its whole source leaves.
WHOLE = "all"

_KIND = "|".join(KINDS)
_DECISION_FILE = re.compile(rf"({_KIND})-([a-z0-9][a-z0-9_-]{{0,63}})-([0-9a-f]{{12}})\.json")
_SIGNATURE_FILE = re.compile(
    rf"((?:{_KIND})-[a-z0-9_-]+-[0-9a-f]{{12}})\.([a-z0-9][a-z0-9_-]{{0,63}})\.([a-z]+)\.sig"
)


@dataclass(frozen=True)
class Decision:
    """One decision.

    Attributes:
        subject: name of the source, model or release, or `project` for the files of people and of policy.
        covers: what was seen, by digest (`verdicts`, `card`, `plan`, `model` …), and what an override lifts;
            of a source, whose affair it is (`author`, `publisher`); for a file, its digest and, under
            `replaces`, that of the one in force; for a withdrawal, under `documents`, those of its source by
            id with the digest of each, or `WHOLE`.
        author: who wrote what is decided on (the person who attests the card); cannot sign.
        parties: organisations it is about; their people do not count.
        head: digest of the journal's last line when it was made.
        made: ISO 8601 time in UTC; what the maker's clock said.
        expires: ISO date of the first day on which it no longer holds.
        summary: figures that its signers saw.
    """

    kind: DecisionKind
    subject: str
    covers: Mapping[str, Any]
    author: str | None
    parties: tuple[str, ...]
    reason: str
    head: str
    made: str
    expires: str | None = None
    summary: Mapping[str, Any] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        body = {
            "type": self.kind,
            "subject": self.subject,
            "covers": dict(self.covers),
            "author": self.author,
            "parties": list(self.parties),
            "reason": self.reason,
            "head": self.head,
            "made": self.made,
            "expires": self.expires,
            "summary": dict(self.summary),
        }
        return (
            json.dumps(body, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False).encode() + b"\n"
        )

    @property
    def stem(self) -> str:
        return f"{self.kind}-{self.subject}-{sha256_bytes(self.to_bytes())[:12]}"

    @classmethod
    def from_bytes(cls, data: bytes, place: str) -> Decision:
        """Read a decision. Raises IntegrityError on whatever is not exactly what `to_bytes` writes."""
        what = "this is not a decision"
        try:
            body = json.loads(data)
            decision = cls(
                kind=body["type"],
                subject=body["subject"],
                covers=body["covers"],
                author=body["author"],
                parties=tuple(body["parties"]),
                reason=body["reason"],
                head=body["head"],
                made=body["made"],
                expires=body["expires"],
                summary=body["summary"],
            )
            same = decision.to_bytes() == data
            words = [decision.kind, decision.subject, decision.reason, decision.head, decision.made]
            words += [*decision.parties, decision.author or "", decision.expires or ""]
            sound = (
                all(isinstance(word, str) for word in words)
                and isinstance(decision.covers, dict)
                and isinstance(decision.summary, dict)
                and datetime.fromisoformat(decision.made).tzinfo is not None
                and (decision.expires is None or bool(date.fromisoformat(decision.expires)))
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise IntegrityError(f"{what} ({type(error).__name__})", place=place) from None
        if not sound or decision.kind not in KINDS or not _covers_soundly(decision):
            raise IntegrityError(what, place=place)
        if not same:
            raise IntegrityError("the decision is not written as decisions are", place=place)
        return decision


def _covers_soundly(decision: Decision) -> bool:
    """Whether a decision covers what its kind must, and says the same of author and holder in both places."""
    covers = decision.covers
    stated = (covers.get("author", decision.author or ""), covers.get("publisher", ""))
    if stated[0] != (decision.author or "") or stated[1] not in ("", *decision.parties):
        return False
    if decision.kind == "override":
        lifts, documents = covers.get("lifts"), covers.get("documents")
        lists = [lifts] if documents is None else [lifts, documents]
        return all(isinstance(words, list) and all(isinstance(w, str) for w in words) for words in lists)
    if decision.kind == "withdraw":
        return set(covers) == {"documents"} and decision.expires is None and _withdraws(covers["documents"])
    files = decision.kind not in FILES or set(covers) == {decision.kind, "replaces"}
    return files and decision.expires is None and all(isinstance(digest, str) for digest in covers.values())


def _withdraws(documents: Any) -> bool:
    if not isinstance(documents, dict):
        return bool(documents == WHOLE)
    return bool(documents) and all(isinstance(digest, str) for digest in documents.values())


@dataclass(frozen=True)
class DecisionFile:
    """A decision as it lies in `approvals/`."""

    path: Path
    decision: Decision
    data: bytes

    @property
    def sha256(self) -> str:
        return sha256_bytes(self.data)


@dataclass(frozen=True)
class SignatureFile:
    """A signature as it lies in `approvals/`: of which decision, whose and for which role its name says."""

    path: Path
    stem: str
    person: str
    role: Role


def now_utc() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def decision_bytes(decision: Decision) -> bytes:
    """What is written of a decision. Raises InputError where it is larger than any that is read."""
    data = decision.to_bytes()
    if len(data) > LARGEST:
        raise InputError(
            f"the decision on {decision.subject} would have {len(data)} bytes, more than {LARGEST}",
            remedy="Decide on fewer documents at once, or on the source as a whole.",
        )
    return data


def write_decision(folder: Path, decision: Decision) -> Path:
    """Write a decision under the name that holds its digest; the same decision is the same file.

    Raises InputError where it is larger than any that is read.
    """
    path, data = folder / f"{decision.stem}.json", decision_bytes(decision)
    if not path.exists():
        write_aside(path, data)
    return path


def read_decision(path: Path) -> DecisionFile:
    """Read one file. Raises IntegrityError where it is none, or was changed after it was named."""
    named = _DECISION_FILE.fullmatch(path.name)
    if named is None:
        raise IntegrityError(
            "the name is not that of a decision",
            place=str(path),
            remedy="Names are KIND-SUBJECT-DIGEST.json.",
        )
    if path.is_symlink() or not path.is_file() or path.stat().st_size > LARGEST:
        raise IntegrityError("this is no plain file of a decision's size", place=str(path))
    data = path.read_bytes()
    if sha256_bytes(data)[:12] != named[3]:
        raise IntegrityError(
            "the decision was changed after it was written: its name holds another digest",
            place=str(path),
            remedy="Take the file back from version control; a new decision is a new file.",
        )
    decision = Decision.from_bytes(data, str(path))
    if (decision.kind, decision.subject) != (named[1], named[2]):
        raise IntegrityError("the decision is about something else than its name says", place=str(path))
    return DecisionFile(path, decision, data)


def signature_path(folder: Path, stem: str, person: str, role: str) -> Path:
    return folder / f"{stem}.{person}.{role}.sig"


def list_approvals(folder: Path) -> tuple[list[Path], list[SignatureFile], list[Path]]:
    """Files of `approvals/`: decisions, signatures, and what is neither, each sorted by name."""
    decisions: list[Path] = []
    signatures: list[SignatureFile] = []
    others: list[Path] = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        named = _SIGNATURE_FILE.fullmatch(path.name)
        if path.is_symlink() or not path.is_file() or path.stat().st_size > LARGEST:
            others.append(path)
        elif _DECISION_FILE.fullmatch(path.name):
            decisions.append(path)
        elif named and named[3] in ROLES:
            signatures.append(SignatureFile(path, named[1], named[2], cast(Role, named[3])))
        elif not path.name.startswith("."):
            others.append(path)
    return decisions, signatures, others


def namespace(role: str) -> str:
    """The SSH signature namespace of a role."""
    return f"hemicycle-{role}"


def seen(rights: Statement) -> dict[str, str]:
    """What whoever clears a source has seen, by digest: verdicts with texts and reasons, what the card says
    of rights, and the project's file of authors where it completed the years of one."""
    return {
        "verdicts": str(rights.figures["verdicts_digest"]),
        "card": sha256_bytes(canonical_json(rights.declaration["declared"]["rights"])),
        "authors": str(rights.figures.get("authors") or ""),
    }
