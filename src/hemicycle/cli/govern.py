"""`hemicycle govern`: the people of a project, changes among them, complaints, and the check of it all."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from hemicycle.cli.govern_complaint import complaint
from hemicycle.cli.session import Session, json_option, print_json, project_option
from hemicycle.cli.signing import signing_options, take_signature
from hemicycle.cli.tables import cell, relative
from hemicycle.digests import sha256_file
from hemicycle.errors import DeclarationError
from hemicycle.governance import GOVERNANCE, Decision, load_rules
from hemicycle.governance.decisions import APPROVALS, now_utc
from hemicycle.governance.people import (
    RANKS,
    ROLES,
    Office,
    add_person,
    new_governance,
)
from hemicycle.project import find_project


@click.group("govern")
def command() -> None:
    """Say who may decide what, check it, change it; take complaints to a decision.

    \b
    Examples:
      hemicycle govern init
      hemicycle govern add claire --name "Claire Martin" --organisation "Université de Lorraine" \\
          --key ~/.ssh/id_ed25519.pub --role legal
      hemicycle govern check
    """


command.add_command(complaint)


@command.command()
@project_option
def init(folder: Path) -> None:
    """Write an empty governance.toml, to be filled with `hemicycle govern add` or by hand."""
    root = find_project(folder)
    new_governance(root / GOVERNANCE)
    click.echo(f"wrote {relative(root / GOVERNANCE)}")
    click.echo('Enter people, then write governance = "declared" under [project] of hemicycle.toml.')


@command.command()
@click.argument("person")
@click.option("--name", required=True, help="As people know them.")
@click.option(
    "--organisation", required=True, help="Whom they work for: its own affairs are not theirs to sign."
)
@click.option(
    "--key", "keys", multiple=True, required=True, metavar="FILE|LINE", help="Public SSH key, Ed25519."
)
@click.option("--role", "roles", multiple=True, metavar="ROLE[:RANK]", help="lead, if no rank is given.")
@click.option("--from", "start", type=click.DateTime(formats=["%Y-%m-%d"]), help="First day; today, if none.")
@click.option("--until", type=click.DateTime(formats=["%Y-%m-%d"]), help="Last day.")
@project_option
def add(
    person: str,
    name: str,
    organisation: str,
    keys: tuple[str, ...],
    roles: tuple[str, ...],
    start: datetime | None,
    until: datetime | None,
    folder: Path,
) -> None:
    """Enter PERSON, a short name in lower case, into governance.toml.

    \b
    Examples:
      hemicycle govern add amir --name "Amir Benali" --organisation "Ville de Lyon" \\
          --key ~/.ssh/id_ed25519.pub --role data --role governance:colead
    """
    root = find_project(folder)
    first = start.date() if start else datetime.now(UTC).date()
    offices = [_office(role, first, until) for role in roles]
    add_person(
        root / GOVERNANCE,
        person,
        name=name,
        organisation=organisation,
        keys=[_key(key) for key in keys],
        offices=offices,
    )
    click.echo(f"entered {person} into {relative(root / GOVERNANCE)}")


@command.command()
@project_option
@json_option
def check(folder: Path, as_json: bool) -> None:
    """Recompute who held which role when they signed, and tell what is missing, refused or wrong.

    Exit code 0 where every decision holds; 1 where one does not, or a complaint's steps are broken. Roles
    without a lead are told and are no error.

    \b
    Examples:
      hemicycle govern check
      hemicycle govern check --json
    """
    from hemicycle.governance.check import check_decisions
    from hemicycle.governance.complaint_entry import read_complaints

    session = Session(folder)
    gate = session.flow.gate
    if not gate.declared:
        raise DeclarationError(
            "the project is solo: there is nobody to check",
            place=str(session.project.folder / "hemicycle.toml"),
            remedy="`hemicycle govern init` begins otherwise.",
        )
    today = now_utc().date()
    wrong = [str(refusal) for refusal in check_decisions(session.ledger, gate.approvals)]
    complaints = read_complaints(session.ledger, session.complaints)
    wrong += [f"{session.complaints.name}/{finding}" for finding in complaints.findings]
    refused = [f"{APPROVALS}/{refusal}" for refusal in gate.refusals()] if not wrong else []
    gaps = gate.governance.gaps(today, load_rules(gate.governance.rules).together)
    if as_json:
        print_json({"wrong": wrong, "refused": refused, "gaps": gaps})
    else:
        for title, found in (("wrong", wrong), ("refused", refused), ("missing", gaps)):
            for line in found:
                click.echo(f"{title}: {cell(line)}")
        if not wrong and not refused:
            click.echo("every decision in the journal holds")
    if wrong:
        raise click.exceptions.Exit(1)


@command.command()
@signing_options
@click.option("--reason", required=True, help="Why; kept in the decision.")
@project_option
@json_option
def sign(role: str, key: Path, reason: str, folder: Path, as_json: bool) -> None:
    """Sign that governance.toml, as it lies there, is to be in force.

    Only for a change: the first one founds the project. Two leads or coleads of governance sign, by the file
    that is in force until then.

    \b
    Examples:
      hemicycle govern sign --role governance --key ~/.ssh/id_ed25519 --reason "Amir leaves on 31 March"
    """
    session = Session(folder)
    gate = session.flow.gate
    if not gate.declared:
        raise DeclarationError("the project is solo: there is nothing to sign")
    decision = Decision(
        kind="governance",
        subject="project",
        covers={"governance": sha256_file(gate.people_file)},
        author=None,
        parties=(),
        reason=reason,
        head=session.ledger.journal.head,
        made=now_utc().isoformat(),
    )
    take_signature(session, decision, role, key, as_json=as_json)


def _office(written: str, start: object, until: datetime | None) -> Office:
    from datetime import date

    role, _, rank = written.partition(":")
    rank = rank or "lead"
    if role not in ROLES or rank not in RANKS:
        raise DeclarationError(
            f"“{cell(written)}” is not a role, or not a rank of one",
            remedy=f"Roles: {', '.join(ROLES)}; ranks: {', '.join(RANKS)}, as legal:colead.",
        )
    assert isinstance(start, date)
    return Office(role, rank, start, until.date() if until else None)


def _key(given: str) -> str:
    path = Path(given).expanduser()
    if given.startswith("ssh-") or not path.is_file():
        return given
    return path.read_text("utf-8", "replace").strip()
