"""Statements: one an artefact, in the form of in-toto Statement v1.

A statement names what was made (subject: every file with its digest) and how (predicate: stage,
declaration, inputs, code, time, machine, figures). Times and machines live here and never in artefacts,
so that an artefact made twice has one digest.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hemicycle.errors import IntegrityError
from hemicycle.store import FileDigest, artefact_digest

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "urn:hemicycle:stage:v1"
#: The type DSSE gives to in-toto statements (in-toto/attestation, spec/v1/envelope.md).
PAYLOAD_TYPE = "application/vnd.in-toto+json"


@dataclass(frozen=True)
class Subject:
    """What a statement is about: an artefact of a stage, by name and key."""

    stage: str
    name: str
    key: str

    def __str__(self) -> str:
        return f"{self.stage}/{self.name}-{self.key[:12]}"


@dataclass(frozen=True)
class Statement:
    """One statement.

    Attributes:
        files: the artefact's files with their digests.
        digest: of the artefact as a whole (that of the list of its files).
        rebuildable: deleted, it comes back with the same digest; otherwise it is kept.
        declaration: what was declared, as JSON.
        inputs: role → (stage/name-key, digest of the artefact read).
        figures: what the stage measured and counted; the cards are made of these.
        made: versions, times and machine class.
    """

    subject: Subject
    files: tuple[FileDigest, ...]
    rebuildable: bool
    declaration: Any
    inputs: dict[str, dict[str, str]] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)
    made: dict[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        return artefact_digest(list(self.files))

    @property
    def file_name(self) -> str:
        """Where the statement stands below `statements/`: its own artefact's digest tells reruns apart."""
        return f"{self.subject.stage}/{self.subject.name}-{self.subject.key[:12]}-{self.digest[:16]}.json"

    def to_bytes(self) -> bytes:
        statement = {
            "_type": STATEMENT_TYPE,
            "subject": [
                {"name": f"{self.subject}/{f.path}", "digest": {"sha256": f.sha256}} for f in self.files
            ],
            "predicateType": PREDICATE_TYPE,
            "predicate": {
                "stage": self.subject.stage,
                "name": self.subject.name,
                "key": self.subject.key,
                "digest": self.digest,
                "sizes": {f.path: f.size for f in self.files},
                "rebuildable": self.rebuildable,
                "declaration": self.declaration,
                "inputs": self.inputs,
                "figures": self.figures,
                "made": self.made,
            },
        }
        text = json.dumps(statement, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
        return text.encode("utf-8") + b"\n"

    @classmethod
    def from_bytes(cls, data: bytes, place: str) -> Statement:
        """Parse a statement file. Raises IntegrityError where it is not one or contradicts itself."""
        try:
            raw = json.loads(data)
            predicate = raw["predicate"]
            subject = Subject(predicate["stage"], predicate["name"], predicate["key"])
            files = tuple(
                FileDigest(path, predicate["sizes"][path], entry["digest"]["sha256"])
                for entry in raw["subject"]
                for path in [entry["name"].removeprefix(f"{subject}/")]
            )
            statement = cls(
                subject,
                files,
                predicate["rebuildable"],
                predicate["declaration"],
                predicate["inputs"],
                predicate["figures"],
                predicate["made"],
            )
            consistent = (
                raw["_type"] == STATEMENT_TYPE
                and raw["predicateType"] == PREDICATE_TYPE
                and predicate["digest"] == statement.digest
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise IntegrityError(f"this is not a statement of Hemicycle ({error!r})", place=place) from None
        if not consistent:
            raise IntegrityError("the statement contradicts itself", place=place)
        return statement


def read_statement(path: Path) -> Statement:
    return Statement.from_bytes(path.read_bytes(), str(path))
