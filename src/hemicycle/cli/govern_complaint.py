"""`hemicycle govern complaint`: open, triage, decide, appeal, close; list them, and publish the register."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, get_args

import click

from hemicycle.cli.complaint_steps import (
    find,
    open_complaint,
    read_contact,
    sign_waiting,
    sound_reading,
    take_step,
    waits_for,
    warnings,
)
from hemicycle.cli.session import Session, json_option, print_json, project_option
from hemicycle.cli.tables import cell, lines, print_table, relative
from hemicycle.errors import IntegrityError
from hemicycle.governance.complaint_entry import read_complaints
from hemicycle.governance.complaint_files import FOLDER
from hemicycle.governance.complaint_step import Category
from hemicycle.governance.complaints import Complaint, granted

F = TypeVar("F", bound=Callable[..., Any])

CATEGORIES = list(get_args(Category))

_STATES = {
    "open": "open",
    "triage": "under examination",
    "decide": "decided",
    "appeal": "under appeal",
    "review": "decided on appeal",
    "close": "closed",
}


@click.group("complaint")
def complaint() -> None:
    """Take a complaint from its opening to its end, in dated and signed steps.

    A complaint is a folder complaints/ID of step files; each names the digest of the one before, and enters
    the journal once it has the signatures that the rules ask for. Opening and appealing need no key. Who
    complains, or is complained about, signs nothing. The complainant's name and contact stay in a file that
    version control ignores.

    \b
    Examples:
      hemicycle govern complaint open --category copyright --subject romans:notre-dame \\
        --text "The edition is not free" --contact-file letter.txt
      hemicycle govern complaint triage 2026-001 --as amin --key ~/.ssh/id_ed25519 --text "Edition of 1998"
      hemicycle govern complaint decide 2026-001 refused --as claire --key ~/.ssh/id_ed25519 --text "…"
      hemicycle govern complaint sign 2026-001 --as nora --key ~/.ssh/id_ed25519
      hemicycle govern complaint appeal 2026-001 --text "The preface is of 1998"
      hemicycle govern complaint decide 2026-001 granted --as amin --key ~/.ssh/id_ed25519 --text "…"
      hemicycle govern complaint close 2026-001 --as amin --key ~/.ssh/id_ed25519 --text "Taken out"
      hemicycle govern complaint list
      hemicycle govern complaint register
    """


def _text_option(function: F) -> F:
    return click.option(
        "--text", required=True, help="Why, in a few sentences. It is public: name no complainant here."
    )(function)


def _subject_options(function: F) -> F:
    function = click.option(
        "--subject",
        "subjects",
        multiple=True,
        help="A source, a document's id or an address: in a triage, beside those of the complaint; in a "
        "decision, the part that is granted. Repeatable.",
    )(function)
    function = _party_option(function)
    return click.option(
        "--category", type=click.Choice(CATEGORIES), help="The ground, where it turns out to be another."
    )(function)


def _party_option(function: F) -> F:
    return click.option(
        "--party",
        "parties",
        multiple=True,
        help="An organisation or a member that complains or is complained about, beside those of the cards: "
        "theirs sign nothing. It is public. Repeatable.",
    )(function)


def _signing_options(function: F) -> F:
    function = click.option(
        "--key",
        type=click.Path(path_type=Path),
        required=True,
        help="Your SSH key, or the .pub of one that is in the agent.",
    )(function)
    return click.option("--as", "by", required=True, metavar="PERSON", help="Your id in governance.toml.")(
        function
    )


def _member_options(function: F) -> F:
    function = click.option(
        "--key", type=click.Path(path_type=Path), help="Your SSH key, if you act as a member."
    )(function)
    return click.option(
        "--as", "by", metavar="PERSON", help="Your id in governance.toml, if you act as a member."
    )(function)


@complaint.command("open")
@click.option("--category", type=click.Choice(CATEGORIES), required=True, help="The ground.")
@click.option(
    "--subject",
    "subjects",
    multiple=True,
    required=True,
    help="What it is about: a source, a document's id or an address. Repeatable.",
)
@_text_option
@click.option(
    "--contact-file",
    "contact",
    type=click.File("rb"),
    help="Who complains and how to reach them, as plain text; - reads standard input. It is kept in "
    "private.json and goes nowhere else.",
)
@_party_option
@_member_options
@project_option
@json_option
def open_(
    category: str,
    subjects: tuple[str, ...],
    text: str,
    contact: BinaryIO | None,
    parties: tuple[str, ...],
    by: str | None,
    key: Path | None,
    folder: Path,
    as_json: bool,
) -> None:
    """Open a complaint under the next number of the year. A member signs it; others need no key.

    \b
    Examples:
      hemicycle govern complaint open --category opt-out --subject an-15 --text "robots.txt says no"
      hemicycle govern complaint open --category personal-data --subject https://example.org/page \\
        --text "A private address" --contact-file -
    """
    session = _session(folder)
    opened = open_complaint(
        session,
        category=category,
        subjects=subjects,
        parties=parties,
        text=text,
        contact=read_contact(contact) if contact else None,
        by=by,
        key=key,
    )
    _told(session, opened, as_json)


@complaint.command()
@click.argument("complaint_id", metavar="ID")
@_text_option
@_subject_options
@_signing_options
@project_option
@json_option
def triage(complaint_id: str, folder: Path, as_json: bool, **words: Any) -> None:
    """Say what complaint ID is about and that somebody looks at it; signed by governance or legal.

    Where no card says whose affair it is, name with --party who complains or is complained about.

    \b
    Examples:
      hemicycle govern complaint triage 2026-001 --as amin --key ~/.ssh/id_ed25519 --text "Edition of 1998"
      hemicycle govern complaint triage 2026-001 --as amin --key ~/.ssh/id_ed25519.pub \\
        --subject romans:notre-dame --text "The address is that of this document"
    """
    session = _session(folder)
    take_step(session, "triage", complaint_id, **words)
    _told(session, complaint_id, as_json)


@complaint.command()
@click.argument("complaint_id", metavar="ID")
@click.argument("outcome", type=click.Choice(["granted", "partly-granted", "refused"]))
@_text_option
@_subject_options
@_signing_options
@project_option
@json_option
def decide(complaint_id: str, folder: Path, as_json: bool, **words: Any) -> None:
    """Decide complaint ID, or the appeal against its decision. What is granted is to be withdrawn.

    legal grants; what is refused, if only in part, is signed by legal and governance. Who examined the
    complaint does not decide it. An appeal is decided by those of governance who did not sign the decision.
    Where a part is granted, name with --subject what that part is.

    \b
    Examples:
      hemicycle govern complaint decide 2026-001 granted --as claire --key ~/.ssh/id_ed25519 --text "…"
      hemicycle govern complaint decide 2026-002 partly-granted --subject an-15:7 \\
        --as claire --key ~/.ssh/id_ed25519 --text "Only this sitting quotes the article"
    """
    session = _session(folder)
    last = find(session, sound_reading(session), complaint_id).last.step
    take_step(session, "review" if last == "appeal" else "decide", complaint_id, **words)
    _told(session, complaint_id, as_json)


@complaint.command()
@click.argument("complaint_id", metavar="ID")
@_signing_options
@project_option
@json_option
def sign(complaint_id: str, by: str, key: Path, folder: Path, as_json: bool) -> None:
    """Sign the step of complaint ID that waits for another signature, as it was drafted.

    \b
    Examples:
      hemicycle govern complaint sign 2026-002 --as nora --key ~/.ssh/id_ed25519
    """
    session = _session(folder)
    sign_waiting(session, complaint_id, by, key)
    _told(session, complaint_id, as_json)


@complaint.command()
@click.argument("complaint_id", metavar="ID")
@_text_option
@_member_options
@project_option
@json_option
def appeal(complaint_id: str, folder: Path, as_json: bool, **words: Any) -> None:
    """Appeal against the decision on complaint ID, once and in time. A member signs it; others need no key.

    What was decided holds until the appeal is decided, by others.

    \b
    Examples:
      hemicycle govern complaint appeal 2026-002 --text "The preface is of 1998"
    """
    session = _session(folder)
    take_step(session, "appeal", complaint_id, **words)
    _told(session, complaint_id, as_json)


@complaint.command()
@click.argument("complaint_id", metavar="ID")
@click.option("--withdrawn", is_flag=True, help="The complainant took it back; nothing was decided.")
@_text_option
@_signing_options
@project_option
@json_option
def close(complaint_id: str, withdrawn: bool, folder: Path, as_json: bool, **words: Any) -> None:
    """Close complaint ID once its decision is carried out; signed by governance or legal.

    One that was taken back is closed by both. private.json is no longer needed once the time to appeal is
    over: delete it when your retention time is.

    \b
    Examples:
      hemicycle govern complaint close 2026-001 --as amin --key ~/.ssh/id_ed25519 --text "Taken out of v1"
      hemicycle govern complaint close 2026-003 --withdrawn --as amin --key ~/.ssh/id_ed25519 \\
        --text "Taken back by letter of 3 March"
    """
    session = _session(folder)
    outcome = "withdrawn" if withdrawn else None
    take_step(session, "close", complaint_id, outcome=outcome, **words)
    _told(session, complaint_id, as_json)


@complaint.command("list")
@project_option
@json_option
def list_(folder: Path, as_json: bool) -> None:
    """List complaints with what is due, and check every step and signature; 1 where something is wrong.

    \b
    Examples:
      hemicycle govern complaint list
      hemicycle govern complaint list --json
    """
    session = _session(folder)
    today = session.flow.gate.now().date()
    reading = read_complaints(session.ledger, session.complaints)
    findings = [f"{FOLDER}/{finding}" for finding in reading.findings]
    waiting = {id: waits_for(session, reading, id) for id in reading.waiting}
    sound = list(reading.complaints.values())
    if as_json:
        # What to withdraw is told only where nothing is in doubt.
        withdraw = [] if findings else granted(sound)
        listed = [_facts(c) | {"overdue": c.overdue(today)} for c in sound]
        print_json({"complaints": listed, "waiting": waiting, "withdraw": withdraw, "findings": findings})
    else:
        rows = [
            [c.id, _state(c), c.public.category, _subjects(c), c.last.due, c.overdue(today), c.appeal_until]
            for c in sound
        ]
        head = ["complaint", "state", "category", "subject", "due", "overdue", "appeal until"]
        print_table(head, rows)
        for id, waits in waiting.items():
            click.echo(f"{id}: {cell(waits)}")
        for finding in findings:
            click.echo(lines(finding), err=True)
    if findings:
        raise click.exceptions.Exit(1)


@complaint.command()
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="Where to; by default register/."
)
@project_option
@json_option
def register(out: Path | None, folder: Path, as_json: bool) -> None:
    """Write the public register: one page in French and English, and the same as a table.

    It names no person. Where a step or a signature is wrong, nothing is published.

    \b
    Examples:
      hemicycle govern complaint register
      hemicycle govern complaint register --out public/complaints
    """
    from hemicycle.governance.register import write_register

    session = _session(folder)
    reading = read_complaints(session.ledger, session.complaints)
    for finding in reading.findings:
        raise IntegrityError(
            finding.why,
            place=str(session.complaints / finding.file),
            remedy="`hemicycle govern complaint list` shows all; what is wrong is not published.",
        )
    into = out or session.project.folder / "register"
    write_register(reading.complaints.values(), into, session.flow.gate.now().date())
    if as_json:
        print_json({"folder": str(into), "complaints": len(reading.complaints)})
    else:
        click.echo(relative(into / "index.html"))
        click.echo(relative(into / "complaints.csv"))


def _session(folder: Path) -> Session:
    session = Session(folder)
    # Asked for first: where declaration and files disagree, nobody knows who may sign.
    _ = session.flow.gate.declared
    return session


def _state(complaint: Complaint) -> str:
    state = _STATES[complaint.last.step]
    return f"{state}, {complaint.public.outcome}" if complaint.public.outcome else state


def _subjects(complaint: Complaint) -> str:
    first, *others = complaint.public.subject
    return f"{first} (+{len(others)})" if others else first


def _facts(complaint: Complaint) -> dict[str, Any]:
    return {
        "complaint": complaint.id,
        "step": complaint.last.step,
        "due": complaint.last.due,
        "appeal_until": complaint.appeal_until,
        **complaint.public.model_dump(mode="json"),
        **{f"{taken.step.step}_date": taken.entered.isoformat() for taken in complaint.taken},
        "head": complaint.head,
    }


def _told(session: Session, complaint_id: str, as_json: bool) -> None:
    """What a complaint has come to, and what a step of it waits for."""
    reading = read_complaints(session.ledger, session.complaints)
    complaint = reading.complaints.get(complaint_id)
    waits = waits_for(session, reading, complaint_id)
    warned = warnings(session, complaint) if complaint else []
    if as_json:
        facts = _facts(complaint) if complaint else {"complaint": complaint_id}
        folder = str(session.complaints / complaint_id)
        print_json(facts | {"waiting": waits, "warnings": warned, "folder": folder})
        return
    click.echo(complaint_id)
    if complaint is not None:
        due = f"; the next step is due by {complaint.last.due}" if complaint.last.due else ""
        click.echo(f"{_state(complaint)}{due}", err=True)
    if waits is not None:
        click.echo(cell(waits), err=True)
    for warning in warned:
        click.echo(f"warning: {cell(warning)}", err=True)
