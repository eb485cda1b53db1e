"""`hemicycle govern`: the people of a project, changes among them, complaints, and the check of it all."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import click

from hemicycle.cli.decided import withdrawn_documents
from hemicycle.cli.govern_complaint import complaint
from hemicycle.cli.session import Session, json_option, print_json, project_option
from hemicycle.cli.signing import signing_options, take_signature
from hemicycle.cli.tables import cell, relative
from hemicycle.errors import DeclarationError, RightsError, did_you_mean
from hemicycle.gate import Undecided
from hemicycle.governance import GOVERNANCE, Decision, Standing, load_rules
from hemicycle.governance.decisions import APPROVALS, FILES, FileKind, now_utc
from hemicycle.governance.in_force import how_to_change, in_force
from hemicycle.governance.people import (
    RANKS,
    ROLES,
    Office,
    add_person,
    new_governance,
)
from hemicycle.project import find_project
from hemicycle.steps import Step


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
@json_option
def init(folder: Path, as_json: bool) -> None:
    """Write an empty governance.toml, to be filled with `hemicycle govern add` or by hand."""
    path = find_project(folder) / GOVERNANCE
    new_governance(path)
    if as_json:
        print_json({"file": str(path)})
        return
    click.echo(f"wrote {relative(path)}")
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
@json_option
def add(
    person: str,
    name: str,
    organisation: str,
    keys: tuple[str, ...],
    roles: tuple[str, ...],
    start: datetime | None,
    until: datetime | None,
    folder: Path,
    as_json: bool,
) -> None:
    """Enter PERSON, a short name in lower case, into governance.toml.

    \b
    Examples:
      hemicycle govern add amir --name "Amir Benali" --organisation "Ville de Lyon" \\
          --key ~/.ssh/id_ed25519.pub --role data --role governance:colead
    """
    session = Session(folder)
    path = session.project.folder / GOVERNANCE
    before = in_force(session.ledger.journal.lines(), "governance")
    first = start.date() if start else datetime.now(UTC).date()
    offices = [_office(role, first, until) for role in roles]
    add_person(
        path,
        person,
        name=name,
        organisation=organisation,
        keys=[_key(key) for key in keys],
        offices=offices,
    )
    to_do = how_to_change(session.ledger, before) if before is not None else None
    if as_json:
        print_json({"file": str(path), "person": person, "to_do": to_do})
        return
    click.echo(f"entered {person} into {relative(path)}")
    if to_do is not None:
        click.echo(f"It is not in force yet. {to_do}")


@command.command()
@project_option
@json_option
def check(folder: Path, as_json: bool) -> None:
    """Recompute who held which role when they signed, and tell what is missing, refused or wrong.

    Exit code 0 where every decision and signature holds; 1 where one does not or is refused, or a
    complaint's steps are broken. Roles without a lead are told and are no error.

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
    wrong = [f"{refusal.path}: {refusal.why}" for refusal in check_decisions(session.ledger, gate.approvals)]
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
    if wrong or refused:
        raise click.exceptions.Exit(1)


@command.command()
@click.argument("what", type=click.Choice([*FILES, "run", "release", "withdraw"]), default="governance")
@click.argument("name", required=False)
@signing_options
@click.option("--reason", required=True, help="Why; kept in the decision.")
@project_option
@json_option
def sign(what: str, name: str | None, role: str, key: Path, reason: str, folder: Path, as_json: bool) -> None:
    """Sign a decision on the project itself: its people, its policy, the run of a model, a release, a
    withdrawal.

    `governance` (if nothing is said) and `policy` put governance.toml and the policy, as they lie there, in
    force; only a change is signed, since the first ones found the project. `run MODEL` lets MODEL be trained
    by the plan that was made for it, `release NAME` lets a release be made of its model as that is. The
    first to sign writes the decision, the others sign the same one. `withdraw SOURCE` signs what
    `hemicycle withdraw --do` wrote; where several wait on a source, `withdraw FILE` the one that is meant.

    \b
    Examples:
      hemicycle govern sign --role governance --key ~/.ssh/id_ed25519 --reason "Amir leaves on 31 March"
      hemicycle govern sign run petit --role compute --key ~/.ssh/id_ed25519 --reason "One hour"
      hemicycle govern sign release v0 --role legal --key ~/.ssh/id_ed25519 --reason "Cards read"
    """
    session = Session(folder)
    gate = session.flow.gate
    if not gate.declared:
        raise DeclarationError("the project is solo: there is nothing to sign")
    if (name is None) != (what in FILES):
        raise DeclarationError(
            f"“{what}” is of the whole project and takes no name" if name else f"which {what} is not said",
            remedy="`hemicycle govern sign --help` says how it is called.",
        )
    if name is None:
        decision = gate.draft_file(cast(FileKind, what), reason)
    elif what == "withdraw":
        decision = _written(gate.decided_withdrawals(), name)
        if not as_json:
            what = f"{cell(decision.subject)}, {withdrawn_documents(decision)}"
            click.echo(f"to withdraw: {what} ({cell(decision.reason)})")
    else:
        steps = {s.name: s for s in session.flow.all_steps() if s.stage == {"run": "model"}.get(what, what)}
        if name not in steps:
            raise DeclarationError(
                f"there is no {what} “{cell(name)}”",
                remedy=did_you_mean(name, steps) or f"Declared: {', '.join(steps) or 'none'}.",
            )
        decision = _needed(session, steps[name], reason)
    take_signature(session, decision, role, key, as_json=as_json)


def _needed(session: Session, step: Step, reason: str) -> Decision:
    """The decision for want of which a step is not taken."""
    outcome = session.pipeline().look([step])[-1]
    if outcome.error is None:
        raise RightsError(
            f"there is nothing to sign: {outcome.reason or f'{step} is made, and its decision stands'}",
            remedy="`hemicycle run` goes on as far as decisions let it.",
        )
    if not isinstance(outcome.error, Undecided):
        raise outcome.error
    needed = outcome.error
    return session.flow.gate.draft(needed.kind, needed.subject, needed.covers, reason, summary=needed.summary)


def _written(withdrawals: Sequence[Standing], name: str) -> Decision:
    """The withdrawal that waits for signatures on a source, or in a file of `approvals/`."""
    waiting = [one for one in withdrawals if one.missing]
    found = [one for one in waiting if name in (one.decision.subject, one.entry.file)]
    if len(found) == 1:
        return found[0].decision
    if found:
        listed = "; ".join(f"{one.entry.file} ({withdrawn_documents(one.decision)})" for one in found)
        raise DeclarationError(
            f"{len(found)} withdrawals of “{cell(name)}” wait to be signed: {listed}",
            remedy="Name the file of the one that is meant.",
        )
    known = sorted({one.decision.subject for one in waiting} | {one.entry.file for one in waiting})
    raise DeclarationError(
        f"no withdrawal of “{cell(name)}” waits to be signed",
        remedy=did_you_mean(name, known) or "`hemicycle withdraw --do` writes one.",
    )


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
