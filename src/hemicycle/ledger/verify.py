"""Verify: find whatever in a project is not what the ledger says.

Three circles, from the outside in: the signed head covers the journal, the journal covers the statements,
the statements cover the artefacts. What lies outside all three is found too: a statement that no line
names, an artefact that no statement describes. Only the store's cache is exempt.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hemicycle.digests import sha256_file
from hemicycle.errors import IntegrityError, visible
from hemicycle.ledger.journal import Line, dropped_in, statements_in
from hemicycle.ledger.ledger import HEAD_TYPE, Ledger
from hemicycle.ledger.statements import Statement
from hemicycle.progress import QUIET, Progress
from hemicycle.stamps import Stamps, stamp_of
from hemicycle.store import FileDigest, Store, digest_files, list_files

#: Bytes from which on reading takes long enough to be shown.
LONG = 2**28


@dataclass(frozen=True)
class Finding:
    """Something wrong: the file, and what is wrong with it, both made `visible`: others name files too."""

    file: str
    what: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "file", visible(self.file))
        object.__setattr__(self, "what", visible(self.what))

    def __str__(self) -> str:
        return f"{self.file}: {self.what}"


def check_project(ledger: Ledger, store: Store, *, progress: Progress = QUIET) -> list[Finding]:
    """Check a project's ledger and every artefact of its store; an empty list means nothing is wrong."""
    if not ledger.begun and (store.artefacts() or store.released()):
        return [
            Finding(
                str(ledger.folder),
                "the ledger is missing: restore it from a copy, for nothing else says what was built",
            )
        ]
    findings, statements = check_ledger(ledger)
    findings += _check_store(ledger, statements, store, progress)
    return findings


def check_ledger(ledger: Ledger, *, partial: bool = False) -> tuple[list[Finding], list[Statement]]:
    """Check journal, head and statements; also returns the statements that are sound, oldest first.

    A release carries the statements of its own lineage only: with `partial`, a line whose statement is
    withheld is no finding. Its digest still chains, so nothing can be put in its place.
    """
    journal_file = str(ledger.journal.path)
    lines, problems = ledger.journal.read()
    findings = [Finding(f"{journal_file}, line {number}", what) for number, what in problems]
    findings += _check_head(ledger, lines)
    folder = ledger.folder / "statements"
    try:
        present = set(list_files(folder)) if folder.is_dir() else set()
    except IntegrityError as error:
        return [*findings, Finding(error.place or str(folder), error.what)], []
    statements: list[Statement] = []
    named = statements_in(lines)
    for file, sha256 in named.items():
        if partial and file not in present:
            continue
        try:
            statements.append(ledger.read(file, sha256))
        except IntegrityError as error:
            findings.append(Finding(error.place or file, error.what))
    for file in sorted(present - named.keys()):
        findings.append(Finding(str(folder / file), "no line of the journal names this statement"))
    return findings, statements


def _check_head(ledger: Ledger, lines: list[Line]) -> list[Finding]:
    journal = str(ledger.journal.path)
    head_file = ledger.folder / "head.json"
    if not head_file.exists():
        return [Finding(str(head_file), "the signed head is missing")] if lines else []
    try:
        head = ledger.public_key.open(head_file.read_bytes(), HEAD_TYPE, str(head_file))["head"]
    except IntegrityError as error:
        return [Finding(error.place or str(head_file), error.what)]
    digests = [line.digest for line in lines]
    if head not in digests:
        what = "the signed head is not among its lines: the tail was lost, or a run was interrupted"
        return [Finding(journal, what)]
    after = len(digests) - 1 - digests.index(head)
    return (
        [Finding(journal, f"{after} line(s) after the signed head are not this project's")] if after else []
    )


def _check_store(
    ledger: Ledger, statements: list[Statement], store: Store, progress: Progress
) -> list[Finding]:
    latest = {_stands_as(s): s for s in statements}
    dropped = dropped_in(ledger.journal.read()[0])
    findings: list[Finding] = []
    standing = {f"{path.parent.name}/{path.name}": path for path in store.artefacts()}
    standing |= {f"release/{path.name}": path for path in store.released()}
    for name, path in standing.items():
        if name not in latest:
            findings.append(Finding(str(path), "no statement describes this artefact"))
    findings += [Finding(str(path), "this does not belong here") for path in store.strays()]
    size = sum(f.size for name, s in latest.items() if name in standing for f in s.files)
    with progress.start("verify", size, "B") as bar:
        for name, statement in latest.items():
            if name in standing:
                findings += check_files(standing[name], statement)
                bar.advance(sum(f.size for f in statement.files))
            elif not statement.rebuildable and name not in dropped:
                findings.append(Finding(str(store.root / name), "a kept artefact is missing"))
    return findings


def _stands_as(statement: Statement) -> str:
    """The name under which an artefact stands: a release's has no key, the newest takes its place."""
    subject = statement.subject
    return f"release/{subject.name}" if subject.stage == "release" else str(subject)


def check_files(folder: Path, statement: Statement) -> list[Finding]:
    """Compare the files of one artefact with its statement."""
    if not folder.is_dir():
        return [Finding(str(folder), "this is not a folder")]
    try:
        found = {f.path: f for f in digest_files(folder)}
    except IntegrityError as error:
        return [Finding(error.place or str(folder), error.what)]
    stated = {f.path: f for f in statement.files}
    findings = [Finding(str(folder / p), "the file is missing") for p in stated.keys() - found.keys()]
    findings += [
        Finding(str(folder / p), "the ledger does not know this file") for p in found.keys() - stated.keys()
    ]
    findings += [
        _differs(folder, stated[p], found[p].sha256)
        for p in stated.keys() & found.keys()
        if stated[p] != found[p]
    ]
    return sorted(findings, key=lambda f: f.file)


def check_changed(
    folder: Path, statement: Statement, stamps: Stamps, *, whole: int = 0, progress: Progress = QUIET
) -> list[Finding] | None:
    """As `check_files`, without reading again a file whose stamp says that it was not touched since.

    Made for every day: files that the ledger does not know are left to `check_files`.

    Args:
        whole: files of at most so many bytes are read whatever their stamps say.

    Returns:
        What differs; None where a file is missing.
    """
    known, began = stamps.known(statement), stamps.now()
    try:
        seen = {f.path: stamp_of(folder / f.path) for f in statement.files}
        doubtful = [f for f in statement.files if f.size <= whole or seen[f.path] != known.get(f.path)]
        size = sum(f.size for f in doubtful)
        findings = []
        with (progress if size > LONG else QUIET).start(str(statement.subject), size, "B") as bar:
            for file in doubtful:
                found = _sha256_of_plain(folder / file.path)
                if found != file.sha256:
                    findings.append(_differs(folder, file, found))
                bar.advance(file.size)
        moved = {f.path for f in doubtful if stamp_of(folder / f.path) != seen[f.path]}
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not findings:
        believed = {f.path: seen[f.path] for f in statement.files if f.size > whole and f.path not in moved}
        stamps.keep(statement, believed, began)
    return findings


def _sha256_of_plain(path: Path) -> str:
    return sha256_file(path) if path.is_file() and not path.is_symlink() else "no plain file"


def _differs(folder: Path, stated: FileDigest, found: str) -> Finding:
    what = f"the content differs from what the ledger states: SHA-256 {stated.sha256}, found {found}"
    return Finding(str(folder / stated.path), what)
