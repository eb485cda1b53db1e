"""The ledger of one project: its folder, and the order in which things are written to it.

    ledger/
    ├── statements/STAGE/NAME-KEY-DIGEST.json    the truth
    ├── journal.jsonl                            the order, chained
    ├── head.json                                the last line's digest, signed
    └── keys/solo.pub                            the key it is signed with

A statement is written first, its journal line next, the signed head last. Killed in between, the ledger
is behind by what is still in the staging area and catches up at the next start; it is never ahead.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from hemicycle.digests import sha256_bytes
from hemicycle.errors import IntegrityError
from hemicycle.ledger.journal import BEGINNING, Journal, statements_in
from hemicycle.ledger.signatures import PublicKey, SigningKey
from hemicycle.ledger.statements import Statement, Subject
from hemicycle.store import write_aside

HEAD_TYPE = "application/vnd.hemicycle.head+json"


class Ledger:
    """Statements, journal and signed head below one folder."""

    def __init__(self, folder: Path, private_key: Path | None = None) -> None:
        self.folder = folder
        self.journal = Journal(folder / "journal.jsonl")
        self._private_key = private_key
        self._by_key: dict[str, Statement] | None = None

    @property
    def public_key(self) -> PublicKey:
        path = self.folder / "keys" / "solo.pub"
        try:
            return PublicKey.parse(path.read_bytes(), str(path))
        except FileNotFoundError:
            raise IntegrityError("the public key of the ledger is missing", place=str(path)) from None

    @property
    def signing_key(self) -> SigningKey:
        """The project's own key, made on first use. Its public half goes into the ledger."""
        if self._private_key is None:
            raise IntegrityError("this ledger was opened for reading", place=str(self.folder))
        key = SigningKey.load_or_make(self._private_key)
        path = self.folder / "keys" / "solo.pub"
        if not path.exists():
            write_aside(path, key.public.line + b" hemicycle solo\n")
        elif self.public_key.line != key.public.line:
            raise IntegrityError(
                "the private key is not the one this ledger was begun with",
                place=str(self._private_key),
                remedy=f"Restore the key whose public half is {path}.",
            )
        return key

    def current(self) -> dict[str, Statement]:
        """Key → the latest journaled statement about it. Raises IntegrityError where the two disagree."""
        if self._by_key is None:
            by_key: dict[str, Statement] = {}
            for line in self.journal.lines():
                if line.kind == "statement":
                    statement = self.read(str(line.content.get("file")), str(line.content.get("sha256")))
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
        if sha256_bytes(data) != sha256:
            raise IntegrityError("the statement was changed after it entered the journal", place=str(path))
        return Statement.from_bytes(data, str(path))

    def record(self, data: bytes) -> Statement:
        """Enter a statement. Doing it twice, as after a crash, is the same as doing it once."""
        statement = Statement.from_bytes(data, "statement")
        file = statement.file_name
        entered = statements_in(self.journal.lines())
        path = self.folder / "statements" / file
        if file in entered:
            self.read(file, entered[file])
            latest = self.current().get(statement.subject.key)
            if latest is not None and latest.digest == statement.digest:
                return statement
            data = path.read_bytes()
        else:
            write_aside(path, data)
        self.journal.append("statement", {"file": file, "sha256": sha256_bytes(data)})
        self.sign_head()
        if self._by_key is not None:
            self._by_key[statement.subject.key] = statement
        return statement

    def note_dropped(self, subjects: list[Subject]) -> None:
        """Enter that artefacts were deleted on purpose, so that their absence is no finding."""
        self.journal.append("drop", {"artefacts": [str(s) for s in subjects]})
        self.sign_head()

    def merge(self, other: Journal) -> int:
        """Take in another copy's journal; every statement it names must be here, unchanged."""
        mine = statements_in(self.journal.lines())
        for file, sha256 in statements_in(other.lines()).items():
            if file not in mine:
                self.read(file, sha256)
        added = self.journal.merge(other)
        self._by_key = None
        self.sign_head()
        return added

    def sign_head_if_behind(self) -> None:
        """Sign the head anew where a crash came between a line and its signature."""
        head = self.folder / "head.json"
        if head.exists():
            signed = self.public_key.open(head.read_bytes(), HEAD_TYPE, str(head))["head"]
            lines = self.journal.lines()
            if lines and signed == lines[-1].digest:
                return
            if signed not in {line.digest for line in lines}:
                raise IntegrityError(
                    "the signed head is not among the journal's lines: its tail was lost",
                    place=str(self.journal.path),
                    remedy="Restore the journal from a copy; `hemicycle verify` lists what is wrong.",
                )
        self.sign_head()

    def sign_head(self) -> None:
        """Sign the journal's head, so that a tail cut off later shows."""
        lines = self.journal.lines()
        payload = {
            "head": lines[-1].digest if lines else BEGINNING,
            "lines": len(lines),
            "signed": datetime.now(UTC).isoformat(timespec="seconds"),
            "governance": "solo",
        }
        write_aside(self.folder / "head.json", self.signing_key.seal(payload, HEAD_TYPE))
