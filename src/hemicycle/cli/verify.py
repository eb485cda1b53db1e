"""`hemicycle verify`: check a project, a release or the signed trace of a work, offline."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from hemicycle.cli.session import Session, json_option, print_json, progress, say_waiting
from hemicycle.errors import DeclarationError, IntegrityError, visible
from hemicycle.ledger import Finding, Ledger, check_project
from hemicycle.project import DECLARATION
from hemicycle.store import locked_for_reading

_FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")


def _fingerprint_given(_: click.Context, __: click.Parameter, given: str | None) -> str | None:
    if given is not None and not _FINGERPRINT.fullmatch(given):
        raise DeclarationError(
            f"--key: “{given}” is no fingerprint of a key",
            remedy="A fingerprint is SHA256: and 43 characters, as `hemicycle verify` shows it.",
        )
    return given


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path(), metavar="[FOLDER|FILE]")
@click.option(
    "--key", "fingerprint", callback=_fingerprint_given, help="Fingerprint the key must have (SHA256:…)."
)
@click.option(
    "--work",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The work that a signed trace must be about.",
)
@json_option
def command(folder: Path, fingerprint: str | None, work: Path | None, as_json: bool) -> None:
    """Check FOLDER, a project or a release, against its ledger; or FILE, the signed trace of a work, with the
    page and the proofs beside it.

    Every changed, missing or added file, statement and journal line is named. Nothing is fetched and
    nothing is run from the folder. A release and a trace are checked against the key they carry: compare its
    fingerprint with one you got from the publisher by another way, or give that one with --key.

    \b
    Examples:
      hemicycle verify examples/petit-hemicycle
      hemicycle verify releases/v0
      hemicycle verify releases/v0 --key SHA256:6sQ4…
      hemicycle verify work.signed.json --work work.epub
    """
    facts: dict[str, Any] = {}
    sound = "everything is what the ledger says"
    if work is not None and not folder.is_file():
        raise DeclarationError("--work goes with the signed trace of a work", place=str(folder))
    if folder.is_file():
        from hemicycle.trace.signed import check_signed_trace

        findings, facts = check_signed_trace(folder, work)
        sound = "everything is what was signed"
        if work is None:
            sound += "; the work itself was not compared: give it with --work"
        if fingerprint:
            facts.pop("compare", None)
            findings += _check_key(folder, facts.get("fingerprint"), fingerprint)
    elif (folder / "release.json").is_file():
        from hemicycle.release import check_release

        findings, facts = check_release(folder)
        if fingerprint:
            facts.pop("compare", None)
            findings += _check_key(folder / "release.json", facts.get("fingerprint"), fingerprint)
    elif (folder / DECLARATION).is_file():
        session = Session(folder)
        with locked_for_reading(session.ledger.folder / ".lock", say_waiting):
            findings = check_project(session.ledger, session.store, progress=progress())
            # Governed or solo; where the two disagree, asking says so.
            _ = session.flow.gate.declared
            findings += _check_decisions(session)
            findings += _check_complaints(session)
        if fingerprint:
            head = session.ledger.folder / "head.json"
            findings += _check_key(head, _fingerprint(session.ledger), fingerprint)
        facts = {"lines": str(len(session.ledger.journal.read()[0]))}
    else:
        raise DeclarationError(
            f"this is neither a project (no {DECLARATION}) nor a release (no release.json), nor a file",
            place=str(folder),
        )
    if as_json:
        listed = [{"file": f.file, "what": f.what} for f in findings]
        compared = {"work_compared": work is not None} if folder.is_file() else {}
        print_json({"sound": not findings, "findings": listed, **facts, **compared})
    else:
        for finding in findings:
            click.echo(str(finding))
        for key, value in facts.items():
            click.echo(f"{key}: {visible(str(value))}")
        verdict = sound if not findings else f"{len(findings)} finding(s)"
        if facts.get("lines") == "0" and not findings:
            verdict = "nothing has been built here yet"
        click.echo(verdict)
    if findings:
        raise click.exceptions.Exit(1)


def _check_key(signed: Path, found: str | None, wanted: str) -> list[Finding]:
    """Whether what is signed is signed with the key that was asked for."""
    if found == wanted:
        return []
    return [Finding(str(signed), f"it is signed by {found or 'no key that can be read'}, not by {wanted}")]


def _fingerprint(ledger: Ledger) -> str | None:
    """That of a project's public key; None where there is none, or none that can be read."""
    try:
        return ledger.public_key.fingerprint
    except IntegrityError:
        return None


def _check_decisions(session: Session) -> list[Finding]:
    """Decisions and signatures that are no longer what entered the journal."""
    from hemicycle.governance.check import check_decisions

    folder, approvals = session.project.folder, session.flow.gate.approvals
    return [Finding(str(folder / r.path), r.why) for r in check_decisions(session.ledger, approvals)]


def _check_complaints(session: Session) -> list[Finding]:
    """Steps of complaints that are no longer what entered the journal, and what never entered."""
    from hemicycle.governance.complaint_entry import read_complaints

    if session.ledger.journal.read()[1]:
        return []  # What they are held against is itself among the findings.
    found = read_complaints(session.ledger, session.complaints).findings
    return [Finding(str(session.complaints / r.file), r.why) for r in found]
