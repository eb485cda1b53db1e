"""The manifest: `release.json`, a signed in-toto statement that lists every other file of the folder.

Whoever opens one reads a stranger's file. Its paths are taken only if they stay inside the folder, and its
bytes only if they are exactly those the signature implies: an envelope has parts that no signature covers
(spaces, the name of the key), and a changed byte in them would go unseen.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hemicycle.errors import IntegrityError
from hemicycle.ledger.signatures import PublicKey, SigningKey
from hemicycle.ledger.statements import PAYLOAD_TYPE, STATEMENT_TYPE

MANIFEST = "release.json"
PREDICATE_TYPE = "urn:hemicycle:release:v1"

#: Fields of the predicate and their types.
_FIELDS: Mapping[str, type] = {
    "name": str,
    "project": str,
    "model": dict,
    "journal": dict,
    "license": str,
    "governance": str,
    "jurisdictions": list,
    "as_of": list,
}
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Manifest:
    """What a release states about itself.

    Attributes:
        files: path → SHA-256 of every file but the manifest.
        model: name of the model, and digest of its artefact.
        head: digest of the journal's last line at the time; `lines` counts them.
        as_of: first and last day for which the verdicts are given.
    """

    files: Mapping[str, str]
    name: str
    project: str
    model: str
    model_digest: str
    head: str
    lines: int
    license: str
    governance: str
    jurisdictions: tuple[str, ...]
    as_of: tuple[str, ...]

    def seal(self, key: SigningKey) -> bytes:
        """The bytes of `release.json`."""
        statement = {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": p, "digest": {"sha256": d}} for p, d in sorted(self.files.items())],
            "predicateType": PREDICATE_TYPE,
            "predicate": {
                "name": self.name,
                "project": self.project,
                "model": {"name": self.model, "digest": self.model_digest},
                "journal": {"head": self.head, "lines": self.lines},
                "license": self.license,
                "governance": self.governance,
                "jurisdictions": list(self.jurisdictions),
                "as_of": list(self.as_of),
            },
        }
        return key.seal(statement, PAYLOAD_TYPE)


def open_manifest(envelope: bytes, key: PublicKey, place: str) -> Manifest:
    """Read a manifest. Raises IntegrityError unless the key signed exactly these bytes."""
    try:
        statement = key.open(envelope, PAYLOAD_TYPE, place)
        manifest = _parse(statement)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise IntegrityError(f"this is not the statement of a release ({error!r})", place=place) from None
    for path in manifest.files:
        if not is_inside(path) or path == MANIFEST:
            raise IntegrityError(f"it names {path!r}, which is no path inside a release", place=place)
    return manifest


def is_inside(path: str) -> bool:
    """Whether a path is relative, plain, and cannot lead out of the folder it is taken from."""
    parts = path.split("/")
    plain = not any(c == "\\" or c == ":" or ord(c) < 32 or 0xD800 <= ord(c) < 0xE000 for c in path)
    return plain and all(part not in ("", ".", "..") for part in parts)


def _parse(statement: Any) -> Manifest:
    predicate = statement["predicate"]
    if statement["_type"] != STATEMENT_TYPE or statement["predicateType"] != PREDICATE_TYPE:
        raise ValueError("another type of statement")
    for field, kind in _FIELDS.items():
        if not isinstance(predicate[field], kind):
            raise ValueError(f"{field} has another type")
    files: dict[str, str] = {}
    for entry in statement["subject"]:
        path, digest = entry["name"], entry["digest"]["sha256"]
        if not _SHA256.fullmatch(digest) or path in files:
            raise ValueError(f"the entry of {path!r}")
        files[path] = digest
    return Manifest(
        files=files,
        name=predicate["name"],
        project=predicate["project"],
        model=str(predicate["model"]["name"]),
        model_digest=str(predicate["model"]["digest"]),
        head=str(predicate["journal"]["head"]),
        lines=int(predicate["journal"]["lines"]),
        license=predicate["license"],
        governance=predicate["governance"],
        jurisdictions=tuple(map(str, predicate["jurisdictions"])),
        as_of=tuple(map(str, predicate["as_of"])),
    )
