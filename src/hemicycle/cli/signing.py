"""Signing a decision from the command line: the options, the signature, the first check, the entry."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from hemicycle.cli.session import Session, print_json
from hemicycle.errors import RightsError
from hemicycle.governance import Decision, Standing, write_decision
from hemicycle.governance.admission import check_signature
from hemicycle.governance.decisions import (
    DecisionFile,
    SignatureFile,
    list_approvals,
    namespace,
    read_decision,
    signature_path,
)
from hemicycle.governance.people import GOVERNANCE, ROLES
from hemicycle.governance.sshsig import parse_sshsig, sign_with_ssh_keygen
from hemicycle.store import write_aside

F = TypeVar("F", bound=Callable[..., Any])


def signing_options(function: F) -> F:
    """In which role, and with which key."""
    function = click.option(
        "--key",
        required=True,
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="Your SSH key: the private file, or the .pub where an agent holds it.",
    )(function)
    return click.option(
        "--role",
        required=True,
        type=click.Choice(ROLES),
        help="The role you sign in; one signature a person.",
    )(function)


def take_signature(
    session: Session,
    decision: Decision,
    role: str,
    key: Path,
    *,
    as_json: bool,
    more: dict[str, Any] | None = None,
) -> None:
    """Sign a decision, or the one that waits for signatures on the same thing, and say what is missing."""
    gate = session.flow.gate
    waiting = _waiting(session, decision)
    path = waiting.path if waiting else gate.approvals / f"{decision.stem}.json"
    file = waiting or DecisionFile(path, decision, decision.to_bytes())
    gate.approvals.mkdir(exist_ok=True)
    draft = gate.approvals / f".{path.name}.draft"
    draft.write_bytes(file.data)
    try:
        armoured = sign_with_ssh_keygen(key, namespace(role), draft)
    finally:
        draft.unlink()
    person = gate.governance.holder(parse_sshsig(armoured, str(key)).public_key)
    if person is None:
        raise RightsError(
            f"the key is nobody's in {GOVERNANCE}",
            place=str(key),
            remedy="`hemicycle govern add` enters a person with a key.",
        )
    target = signature_path(gate.approvals, path.stem, person.id, role)
    signed = [s.path.name for s in list_approvals(gate.approvals)[1] if s.stem == path.stem]
    check_signature(
        SignatureFile(target, path.stem, person.id, role),  # type: ignore[arg-type]
        armoured,
        {path.stem: file},
        gate.governance,
        gate.now(),
        signed,
    )
    write_decision(gate.approvals, file.decision)
    write_aside(target, armoured)
    if session.ledger.writable:
        # Who keeps the ledger enters it at once, so that the waiting time begins.
        with session.pipeline().exclusive(), contextlib.suppress(RightsError):
            session.admit()
    told = next((s for s in gate.standings() if s.entry.file == path.name), None)
    result = {
        "decision": path.name,
        "signature": target.name,
        "person": person.id,
        "role": role,
        "state": told.state if told else "not entered",
        "missing": list(told.missing) if told else None,
        "effective": told.effective.isoformat() if told and told.effective else None,
        **(more or {}),
    }
    if as_json:
        print_json(result)
        return
    click.echo(f"{person.id} signed {path.name} as {role}")
    if told is None:
        click.echo("It counts once whoever keeps the ledger runs `hemicycle clear`.")
    elif told.missing:
        click.echo(f"still to sign: {', '.join(told.missing)}")
    elif told.effective is not None:
        click.echo(f"{told.state} from {told.effective:%Y-%m-%d %H:%M} UTC")
    for name in (more or {}).get("stands_on_it", []):
        click.echo(f"  {name} stands on it")


def _clears(standing: Standing, source: str) -> bool:
    return (standing.decision.kind, standing.decision.subject) == ("clear", source)


def _waiting(session: Session, decision: Decision) -> DecisionFile | None:
    """The decision of the same kind on the same thing that still lacks a signature, if there is one."""
    gate = session.flow.gate
    told = gate.standings()
    cleared = max((s.entry.made_after for s in told if _clears(s, decision.subject)), default=0)
    complete = {
        s.entry.file
        for s in told
        # A revocation that a later clearance followed is done with; another notice is another revocation.
        if s.state != "proposed" and (s.ratify_by is None or s.entry.made_after < cleared)
    }
    for path in reversed(list_approvals(gate.approvals)[0]):
        if path.name in complete:
            continue
        file = read_decision(path)
        same = (file.decision.kind, file.decision.subject, dict(file.decision.covers)) == (
            decision.kind,
            decision.subject,
            dict(decision.covers),
        )
        if same:
            return file
    return None
