"""The ledger of one project: its folder, and the order in which things are written to it.

    ledger/
    ├── statements/STAGE/NAME-KEY-DIGEST.json    the truth
    ├── journal.jsonl                            the order, chained
    ├── head.json                                the last line, signed
    ├── keys/solo.pub                            the key it is signed with
    ├── governance/DIGEST.toml                   every file of people that was ever in force
    └── policy/DIGEST.toml                       every policy that was, where several people govern

A statement is written first, then the signed head with the line that is to come, then the line. So nothing
is ever in the journal that was not signed for, and a crash loses no line: at the next start it is taken from
the head. What follows the signed head was written by somebody else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hemicycle.digests import sha256_bytes
from hemicycle.errors import IntegrityError
from hemicycle.ledger.journal import (
    BEGINNING,
    Journal,
    Line,
    dropped_in,
    make_line,
    parse_line,
    read_lines,
    statements_in,
)
from hemicycle.ledger.signatures import PublicKey, SigningKey
from hemicycle.ledger.statements import Statement, Subject
from hemicycle.store import write_aside

HEAD_TYPE = "application/vnd.hemicycle.head+json"


@dataclass(frozen=True)
class SignedHead:
    """The digest of the last line, and the lines that were about to be written when it was signed."""

    digest: str
    coming: tuple[Line, ...]


class Ledger:
    """Statements, journal and signed head below one folder."""

    def __init__(self, folder: Path, private_key: Path | None = None, governance: str = "solo") -> None:
        self.folder = folder
        self.governance = governance
        self.journal = Journal(folder / "journal.jsonl")
        self._private_key = private_key
        self._by_key: dict[str, Statement] | None = None

    @property
    def begun(self) -> bool:
        """Whether anything was ever signed here."""
        return any((self.folder / name).exists() for name in ("journal.jsonl", "head.json", "keys/solo.pub"))

    @property
    def writable(self) -> bool:
        """Whether this copy can go on with it: its private key is here, or nothing was ever signed."""
        return self._private_key is not None and (self._private_key.exists() or not self.begun)

    @property
    def public_key(self) -> PublicKey:
        path = self.folder / "keys" / "solo.pub"
        try:
            return PublicKey.read(path)
        except FileNotFoundError:
            raise IntegrityError("the public key of the ledger is missing", place=str(path)) from None

    @property
    def signing_key(self) -> SigningKey:
        """The project's own key, made on first use. Its public half goes into the ledger.

        For a ledger that was begun, none is made: what another key signs would not be its continuation.
        """
        if self._private_key is None:
            raise IntegrityError("this ledger was opened for reading", place=str(self.folder))
        path = self.folder / "keys" / "solo.pub"
        if self.begun and not self._private_key.exists():
            raise IntegrityError(
                "the private key of this ledger is missing, and no other can go on with it",
                place=str(self._private_key),
                remedy=f"Restore the key whose public half is {path}.",
            )
        key = SigningKey.load_or_make(self._private_key)
        if not path.exists():
            write_aside(path, key.public.file)
        elif self.public_key.line != key.public.line:
            raise IntegrityError(
                "the private key is not the one this ledger was begun with",
                place=str(self._private_key),
                remedy=f"Restore the key whose public half is {path}.",
            )
        return key

    def forget(self) -> None:
        """Drop what was read: another process may have written since."""
        self._by_key = None

    def current(self) -> dict[str, Statement]:
        """Key → the latest journaled statement about it, in the order of the journal.

        Raises IntegrityError where journal and statements disagree.
        """
        if self._by_key is None:
            by_key: dict[str, Statement] = {}
            for line in self.journal.lines():
                if line.kind == "statement":
                    statement = self.read(str(line.content.get("file")), str(line.content.get("sha256")))
                    by_key.pop(statement.subject.key, None)
                    by_key[statement.subject.key] = statement
            self._by_key = by_key
        return self._by_key

    def read(self, file: str, sha256: str) -> Statement:
        path = self.folder / "statements" / file
        if Path(file).is_absolute() or ".." in Path(file).parts:
            raise IntegrityError(
                f"the journal names a statement outside the ledger: {file!r}", place=str(self.journal.path)
            )
        try:
            data = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise IntegrityError("the journal names this statement; it is missing", place=str(path)) from None
        if (found := sha256_bytes(data)) != sha256:
            raise IntegrityError(
                f"the statement was changed after it entered the journal: SHA-256 {sha256}, found {found}",
                place=str(path),
                remedy="Restore it from a copy.",
            )
        return Statement.from_bytes(data, str(path))

    def record(self, data: bytes) -> Statement:
        """Enter a statement. Doing it twice, as after a crash, is the same as doing it once."""
        statement = Statement.from_bytes(data, "statement")
        file = statement.file_name
        lines = self.journal.lines()
        entered = statements_in(lines)
        path = self.folder / "statements" / file
        if file in entered:
            self.read(file, entered[file])
            latest = self.current().get(statement.subject.key)
            gone = str(statement.subject) in dropped_in(lines)
            if latest is not None and latest.digest == statement.digest and not gone:
                return statement
            data = path.read_bytes()
            statement = Statement.from_bytes(data, str(path))
        else:
            write_aside(path, data)
        self.enter("statement", {"file": file, "sha256": sha256_bytes(data)})
        if self._by_key is not None:
            self._by_key.pop(statement.subject.key, None)
            self._by_key[statement.subject.key] = statement
        return statement

    def note_dropped(self, subjects: list[Subject]) -> None:
        """Enter that artefacts were deleted on purpose, so that their absence is no finding."""
        self.enter("drop", {"artefacts": [str(s) for s in subjects]})

    def merge(self, other: Journal) -> int:
        """Take in another copy's journal; every statement it names must be here, unchanged."""
        mine = statements_in(self.journal.lines())
        for file, sha256 in statements_in(other.lines()).items():
            if file not in mine:
                self.read(file, sha256)
        lines = self.journal.lines_to_join(other)
        if lines:
            self.sign_head(lines)
            self.journal.write(lines)
            self._by_key = None
        return len(lines)

    def keep(self, file: str, data: bytes) -> None:
        """Write a file beside the statements, for a line of the journal to name by its digest."""
        write_aside(self.folder / file, data)

    def enter(self, kind: str, content: dict[str, Any]) -> None:
        """Add one line to the journal, signed for before it is written."""
        line = make_line(kind, content, (self.journal.head,))
        self.sign_head([line])
        self.journal.write([line])

    def recover(self) -> None:
        """After a crash: mend a torn last line, and write the lines that were signed for but not yet there.

        Raises IntegrityError where the journal is shorter or longer than its signed head in any other way.
        """
        self.journal.mend_torn_tail()
        signed = self.signed_head()
        if signed is None:
            return
        data = self.journal.path.read_bytes() if self.journal.path.exists() else b""
        known = {line.digest for line in read_lines(data)[0]}
        missing = [line for line in signed.coming if line.digest not in known]
        lines, problems = read_lines(data + b"".join(line.raw + b"\n" for line in missing))
        if problems or not lines or lines[-1].digest != signed.digest:
            raise IntegrityError(
                "the journal does not end at its signed head: its tail was lost, changed or added to",
                place=str(self.journal.path),
                remedy="`hemicycle verify` lists what is wrong; restore the journal from a copy.",
            )
        if missing:
            self.journal.write(missing)

    def signed_head(self) -> SignedHead | None:
        """The head that was signed last; None in a ledger that was never written to."""
        path = self.folder / "head.json"
        if not path.exists():
            if self.journal.path.exists() and self.journal.path.stat().st_size:
                raise IntegrityError("the signed head is missing", place=str(path))
            return None
        payload = self.public_key.open(path.read_bytes(), HEAD_TYPE, str(path))
        coming = [parse_line(0, raw.encode("utf-8")) for raw in payload["coming"]]
        return SignedHead(payload["head"], tuple(line for line in coming if isinstance(line, Line)))

    def sign_head(self, coming: Sequence[Line] = ()) -> None:
        """Sign the journal's head, or that of the lines about to be written."""
        lines = self.journal.lines()
        head = coming[-1].digest if coming else lines[-1].digest if lines else BEGINNING
        payload = {
            "head": head,
            "lines": len(lines) + len(coming),
            "coming": [line.raw.decode("utf-8") for line in coming],
            "signed": datetime.now(UTC).isoformat(timespec="seconds"),
            "governance": self.governance,
        }
        write_aside(self.folder / "head.json", self.signing_key.seal(payload, HEAD_TYPE))
