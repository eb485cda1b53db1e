"""`hemicycle govern complaint`: open, triage, decide, close; list them, and publish the register."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar, get_args

import click

from hemicycle.cli.session import json_option, print_json, project_option
from hemicycle.cli.tables import lines, print_table, relative
from hemicycle.errors import DeclarationError, IntegrityError, did_you_mean
from hemicycle.governance.complaint_step import Category, StepName
from hemicycle.governance.complaints import (
    FOLDER,
    NAMESPACES,
    SIGNED_FOR,
    Complaint,
    add_step,
    check_complaints,
    complaint_folders,
    granted,
    load_complaint,
    load_complaints,
    next_step,
    open_complaint,
)
from hemicycle.governance.people import GOVERNANCE, Governance, load_governance
from hemicycle.project import find_project

F = TypeVar("F", bound=Callable[..., Any])

CATEGORIES = list(get_args(Category))


@click.group("complaint")
def complaint() -> None:
    """Take a complaint from its opening to its end, in dated and signed steps.

    A complaint is a folder complaints/ID of step files; each names the digest of the one before. Opening
    needs no key; triage and closing are signed by governance or legal, a decision by legal. The complainant's
    name and contact stay in a file that version control ignores.

    \b
    Examples:
      hemicycle govern complaint open --category copyright --subject romans:notre-dame \\
        --text "The edition is not free" --name "Jeanne Aubert" --contact jeanne@example.org
      hemicycle govern complaint triage 2026-001 --as amin --key ~/.ssh/id_ed25519 --text "Edition of 1998"
      hemicycle govern complaint decide 2026-001 granted --as claire --key ~/.ssh/id_ed25519 --text "…"
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
        help="A source, a document's id or an address, where it turns out to be another. Repeatable.",
    )(function)
    return click.option(
        "--category", type=click.Choice(CATEGORIES), help="The ground, where it turns out to be another."
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
@click.option("--name", help="The complainant's name; kept in private.json only.")
@click.option("--contact", help="How to reach the complainant; kept in private.json only.")
@click.option("--as", "by", metavar="PERSON", help="Your id in governance.toml, if you complain as a member.")
@project_option
@json_option
def open_(
    category: str,
    subjects: tuple[str, ...],
    text: str,
    name: str | None,
    contact: str | None,
    by: str | None,
    folder: Path,
    as_json: bool,
) -> None:
    """Open a complaint under the next number of the year. No key is needed.

    \b
    Examples:
      hemicycle govern complaint open --category opt-out --subject an-15 --text "robots.txt says no"
      hemicycle govern complaint open --category personal-data --subject https://example.org/page \\
        --text "A private address" --name "Jeanne Aubert" --contact "+33 1 23 45 67 89"
    """
    root = find_project(folder)
    if by is not None:
        _person(load_governance(root / GOVERNANCE), by, root)
    opened = open_complaint(
        root / FOLDER,
        category=category,
        subject=subjects,
        text=text,
        now=datetime.now(UTC),
        by=by,
        name=name,
        contact=contact,
    )
    _told(opened, as_json)


@complaint.command()
@click.argument("complaint_id", metavar="ID")
@_text_option
@_subject_options
@_signing_options
@project_option
@json_option
def triage(complaint_id: str, folder: Path, as_json: bool, **words: Any) -> None:
    """Say what complaint ID is about and that somebody looks at it; signed by governance or legal.

    \b
    Examples:
      hemicycle govern complaint triage 2026-001 --as amin --key ~/.ssh/id_ed25519 --text "Edition of 1998"
      hemicycle govern complaint triage 2026-001 --as amin --key ~/.ssh/id_ed25519.pub \\
        --subject romans:notre-dame --text "The address is that of this document"
    """
    _told(_take("triage", complaint_id, folder, **words), as_json)


@complaint.command()
@click.argument("complaint_id", metavar="ID")
@click.argument("outcome", type=click.Choice(["granted", "partly-granted", "refused"]))
@_text_option
@_subject_options
@_signing_options
@project_option
@json_option
def decide(complaint_id: str, folder: Path, as_json: bool, **words: Any) -> None:
    """Decide complaint ID; signed by legal. What is granted is to be withdrawn.

    Where a part is granted, name with --subject what that part is.

    \b
    Examples:
      hemicycle govern complaint decide 2026-001 granted --as claire --key ~/.ssh/id_ed25519 --text "…"
      hemicycle govern complaint decide 2026-002 partly-granted --subject an-15:7 \\
        --as claire --key ~/.ssh/id_ed25519 --text "Only this sitting quotes the article"
    """
    _told(_take("decide", complaint_id, folder, **words), as_json)


@complaint.command()
@click.argument("complaint_id", metavar="ID")
@click.option("--withdrawn", is_flag=True, help="The complainant took it back; nothing was decided.")
@_text_option
@_signing_options
@project_option
@json_option
def close(complaint_id: str, withdrawn: bool, folder: Path, as_json: bool, **words: Any) -> None:
    """Close complaint ID once its decision is carried out; signed by governance or legal.

    private.json is no longer needed then: delete it when your retention time is over.

    \b
    Examples:
      hemicycle govern complaint close 2026-001 --as amin --key ~/.ssh/id_ed25519 --text "Taken out of v1"
      hemicycle govern complaint close 2026-003 --withdrawn --as amin --key ~/.ssh/id_ed25519 \\
        --text "Taken back by letter of 3 March"
    """
    words["outcome"] = "withdrawn" if withdrawn else None
    _told(_take("close", complaint_id, folder, **words), as_json)


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
    root = find_project(folder)
    today = datetime.now(UTC).date()
    findings = _findings(root)
    sound = []
    for place in complaint_folders(root / FOLDER):
        try:
            sound.append(load_complaint(place))
        except IntegrityError:
            continue  # it is among the findings, with its reason
    if as_json:
        # What to withdraw is told only where nothing is in doubt.
        withdraw = [] if findings else granted(sound)
        listed = [_facts(c) | {"overdue": c.overdue(today)} for c in sound]
        print_json({"complaints": listed, "withdraw": withdraw, "findings": findings})
    else:
        rows = [
            [c.id, _state(c), c.public.category, _subjects(c), c.last.due, c.overdue(today)] for c in sound
        ]
        print_table(["complaint", "state", "category", "subject", "due", "overdue"], rows)
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

    root = find_project(folder)
    findings = _findings(root)
    if findings:
        raise IntegrityError(
            findings[0], remedy="`hemicycle govern complaint list` shows all; what is wrong is not published."
        )
    complaints = load_complaints(root / FOLDER)
    into = out or root / "register"
    write_register(complaints, into, datetime.now(UTC).date())
    if as_json:
        print_json({"folder": str(into), "complaints": len(complaints)})
    else:
        click.echo(relative(into / "index.html"))
        click.echo(relative(into / "complaints.csv"))


def _take(
    step: StepName,
    complaint_id: str,
    folder: Path,
    *,
    by: str,
    key: Path,
    text: str,
    outcome: str | None = None,
    category: str | None = None,
    subjects: tuple[str, ...] = (),
) -> Complaint:
    """Make a step, have it signed and add it."""
    from hemicycle.governance.sshsig import sign_with_ssh_keygen

    root = find_project(folder)
    governance = load_governance(root / GOVERNANCE)
    _person(governance, by, root)
    before = _find(root, complaint_id)
    made = next_step(
        before,
        step,
        by=by,
        text=text,
        now=datetime.now(UTC),
        outcome=outcome,
        category=category,
        subject=subjects,
    )
    namespaces = SIGNED_FOR[step]
    held = [n for n in namespaces if governance.people[by].holds(NAMESPACES[n], made.day)]
    if not held:
        needed = " or ".join(NAMESPACES[n] for n in namespaces)
        raise DeclarationError(
            f"“{by}” holds no role that signs this on {made.day}", remedy=f"It takes somebody of {needed}."
        )
    with tempfile.TemporaryDirectory(prefix="hemicycle-step-") as aside:
        file = Path(aside, made.file_name)
        file.write_bytes(made.to_bytes())
        signature = sign_with_ssh_keygen(key.expanduser(), held[0], file)
    return add_step(before, made, signature, governance)


def _person(governance: Governance, by: str, root: Path) -> None:
    if by not in governance.people:
        known = ", ".join(governance.people) or "nobody"
        raise DeclarationError(
            f"there is no “{by}” in {GOVERNANCE}",
            place=str(root / GOVERNANCE),
            remedy=did_you_mean(by, governance.people) or f"There: {known}.",
        )


def _find(root: Path, complaint_id: str) -> Complaint:
    known = {folder.name: folder for folder in complaint_folders(root / FOLDER)}
    if complaint_id not in known:
        raise DeclarationError(
            f"there is no complaint “{complaint_id}”",
            place=str(root / FOLDER),
            remedy=did_you_mean(complaint_id, known) or "`hemicycle govern complaint list` shows them.",
        )
    return load_complaint(known[complaint_id])


def _findings(root: Path) -> list[str]:
    path = root / GOVERNANCE
    # Without the file nobody may sign: complaints may be open, and every later step is a finding.
    governance = load_governance(path) if path.exists() else Governance("default", {})
    return check_complaints(root / FOLDER, governance, datetime.now(UTC).date())


def _state(complaint: Complaint) -> str:
    words = {"open": "open", "triage": "under examination", "decide": "decided", "close": "closed"}
    state = words[complaint.last.step]
    return f"{state}, {complaint.public.outcome}" if complaint.public.outcome else state


def _subjects(complaint: Complaint) -> str:
    first, *others = complaint.public.subject
    return f"{first} (+{len(others)})" if others else first


def _facts(complaint: Complaint) -> dict[str, Any]:
    public = complaint.public.model_dump(mode="json")
    days = {f"{step.step}_date": step.date for step in complaint.steps}
    return {
        "complaint": complaint.id,
        "step": complaint.last.step,
        "due": complaint.last.due,
        **public,
        **days,
        "head": complaint.head,
    }


def _told(complaint: Complaint, as_json: bool) -> None:
    if as_json:
        print_json(_facts(complaint) | {"folder": str(complaint.folder)})
        return
    click.echo(complaint.id)
    due = f"; the next step is due by {complaint.last.due}" if complaint.last.due else ""
    click.echo(f"{_state(complaint)}{due}", err=True)
