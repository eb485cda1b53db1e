"""`hemicycle clear`: what rights let through, and the decisions that let a source through."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click

from hemicycle.cli.decided import granted_and_in, override_json, print_granted, standing_json
from hemicycle.cli.groups import DefaultGroup
from hemicycle.cli.session import (
    How,
    Session,
    build,
    finish,
    json_option,
    outcomes_json,
    print_json,
    project_option,
    work_options,
)
from hemicycle.cli.signing import signing_options, take_signature
from hemicycle.cli.summary import (
    bases_table,
    decided_against,
    list_documents,
    missing_hint,
    print_bases,
    print_overrides,
    print_sources,
    sources_table,
)
from hemicycle.cli.tables import cell, print_table
from hemicycle.errors import DeclarationError, RightsError
from hemicycle.gate import Gate
from hemicycle.governance import Clearance, Standing
from hemicycle.ledger import Statement


@click.group("clear", cls=DefaultGroup, default="show")
def command() -> None:
    """Compute rights and show them; sign, revoke and compare the decisions that let sources through.

    Without a word of the list below, `hemicycle clear [SOURCES]` is `hemicycle clear show [SOURCES]`.

    \b
    Examples:
      hemicycle clear
      hemicycle clear manpages-fr --json
      hemicycle clear sign sittings --role legal --key ~/.ssh/id_ed25519
      hemicycle clear status
    """


@command.command()
@click.argument("sources", nargs=-1)
@click.option("--documents", is_flag=True, help="List every document by its id, with its worst verdict.")
@project_option
@work_options
@json_option
def show(
    sources: tuple[str, ...],
    documents: bool,
    folder: Path,
    how: How,
    as_json: bool,
) -> None:
    """Compute rights for SOURCES (all, if none is named) and show them: documents, verdicts, reasons.

    A document passes when training on it and releasing weights are allowed in every jurisdiction of the
    project and, where several people govern, a signed decision clears its source. Unknown is not allowed.

    Exit code 3 where nothing passes and a decision is what is missing.

    \b
    Examples:
      hemicycle clear
      hemicycle clear manpages-fr --json
      hemicycle clear romans --documents
    """
    session = Session(folder)
    steps = session.flow.up_to("clear", sources)
    outcomes = build(session, steps, how, as_json=as_json)
    rows = sources_table(session, outcomes)
    if documents:
        list_documents(session, outcomes, rows)
    granted = granted_and_in(session, outcomes, rows)
    bases = bases_table(session) if not sources else []
    if as_json:
        told = {"sources": rows, "bases": bases, "granted": granted}
        print_json({"steps": outcomes_json(outcomes), **told})
    elif not how.dry_run:
        print_sources(rows)
        print_granted(granted)
        print_bases(bases)
        missing_hint(session, outcomes)
    finish(outcomes)
    if any(map(decided_against, rows)) and not any(row.get("admitted") for row in rows):
        raise click.exceptions.Exit(RightsError.exit_code)


@command.command()
@project_option
@json_option
def status(folder: Path, as_json: bool) -> None:
    """Show for every source which decision stands on it, who signed, who is missing, and what stands on it.

    \b
    Examples:
      hemicycle clear status
      hemicycle clear status --json
    """
    session = _governed(folder)
    gate = session.flow.gate
    rights = _rights(session)
    clearances, overrides = gate.clearances(rights), session.flow.overrides(rights)
    told = gate.standings()
    refused = gate.refusals()
    rows: list[dict[str, Any]] = []
    for source in session.project.cards:
        if source not in rights:
            rows.append({"source": source, "state": "rights not computed", "decision": None})
            continue
        row = {"source": source, **_decided(source, clearances[source], told, gate)}
        row["overrides"] = [override_json(one) for one in overrides[source]]
        if row["state"] == "cleared" and decided_against(row):
            row["state"] = "lapsed"
        if row["state"] != "cleared":
            row["stands_on_it"] = session.standing_on(source)
        rows.append(row)
    if as_json:
        print_json({"sources": rows, "refused": [{"file": r.file, "why": r.why} for r in refused]})
        return
    print_table(
        ["source", "state", "signed by", "missing", "from"],
        [
            [
                row["source"],
                row["state"],
                ", ".join(f"{s['person']} ({s['role']})" for s in row.get("signed", [])),
                ", ".join(row.get("missing", [])),
                (row.get("effective") or "")[:16],
            ]
            for row in rows
        ],
    )
    for row in rows:
        if row.get("ratify_by"):
            due = "was to be ratified by {}, and is not" if row["overdue"] else "is to be ratified by {}"
            click.echo(f"  {row['source']}: the revocation {due.format(row['ratify_by'])}")
        print_overrides(row)
        if row.get("stands_on_it"):
            click.echo(f"  {row['source']}: made of it so far: {', '.join(row['stands_on_it'])}")
    for refusal in refused:
        click.echo(f"  refused: {cell(str(refusal))}")


@command.command()
@click.argument("source")
@signing_options
@click.option("--reason", default="", help="Why; kept in the decision.")
@project_option
@json_option
def sign(source: str, role: str, key: Path, reason: str, folder: Path, as_json: bool) -> None:
    """Sign that SOURCE may be used as its verdicts, its texts and its card are today.

    The first to sign writes the decision, the others sign the same one. It counts once it has entered the
    journal, which `hemicycle clear` and `hemicycle run` see to, with every signature that the rules ask for.

    \b
    Examples:
      hemicycle clear sign sittings --role data --key ~/.ssh/id_ed25519
      hemicycle clear sign sittings --role legal --key ~/.ssh/id_ed25519.pub
    """
    session = _governed(folder)
    gate = session.flow.gate
    card = _card(session, source)
    statement = _computed(session, source)
    from hemicycle.gate import summary_of

    decision = gate.draft(
        "clear",
        source,
        gate.covers(source, statement),
        reason,
        author=card.rights.attested_by,
        publisher=card.publisher,
        summary=summary_of(statement),
    )
    take_signature(session, decision, role, key, as_json=as_json)


@command.command()
@click.argument("source")
@signing_options
@click.option(
    "--lifts", "codes", multiple=True, required=True, metavar="REASON", help="Which verdicts to lift."
)
@click.option("--document", "documents", multiple=True, metavar="ID", help="Only this document; else all.")
@click.option("--until", type=click.DateTime(formats=["%Y-%m-%d"]), help="First day it no longer holds.")
@click.option("--reason", required=True, help="The public reason.")
@project_option
@json_option
def override(
    source: str,
    role: str,
    key: Path,
    codes: tuple[str, ...],
    documents: tuple[str, ...],
    until: datetime | None,
    reason: str,
    folder: Path,
    as_json: bool,
) -> None:
    """Sign that verdicts `review` of SOURCE are lifted for some reasons, for a time, in public.

    It lifts no `deny`, and it clears nothing: the source needs its clearance too.

    \b
    Examples:
      hemicycle clear override romans --lifts term-contested --role legal --key ~/.ssh/id_ed25519 \\
          --until 2027-06-30 --reason "Opinion of counsel of 3 November 2026: L.123-10 adds to fifty years"
    """
    from hemicycle.flow import USES
    from hemicycle.rights.lifting import check_lifts

    session = _governed(folder)
    card = _card(session, source)
    statement = _computed(session, source)
    artefact = session.store.artefact("rights", source, statement.subject.key)
    check_lifts(source, artefact, USES, codes, documents)
    rules, today = session.flow.gate.rules, session.flow.gate.now().date()
    last = today + timedelta(days=rules.override.expires_days or 365)
    ends = until.date() if until else last
    if ends > last:
        raise DeclarationError(f"an override holds until {last} at most", remedy="Give an earlier --until.")
    if ends <= today:
        raise DeclarationError(
            f"an override until {ends} would never hold: today is {today}", remedy="Give a later --until."
        )
    gate = session.flow.gate
    lifted = {"lifts": sorted(codes), "documents": sorted(documents) or None}
    decision = gate.draft(
        "override",
        source,
        lifted | gate.concerned(source),
        reason,
        author=card.rights.attested_by,
        publisher=card.publisher,
        expires=ends.isoformat(),
    )
    take_signature(session, decision, role, key, as_json=as_json)


@command.command()
@click.argument("source")
@signing_options
@click.option("--reason", required=True, help="Why; kept in the decision.")
@project_option
@json_option
def revoke(source: str, role: str, key: Path, reason: str, folder: Path, as_json: bool) -> None:
    """Take back that SOURCE may be used, at once, and show what stands on it.

    \b
    Examples:
      hemicycle clear revoke sittings --role legal --key ~/.ssh/id_ed25519 --reason "Notice of 3 March"
    """
    session = _governed(folder)
    publisher = _card(session, source).publisher
    decision = session.flow.gate.draft("revoke", source, {}, reason, publisher=publisher)
    take_signature(
        session, decision, role, key, as_json=as_json, more={"stands_on_it": session.standing_on(source)}
    )


@command.command()
@click.argument("sources", nargs=-1)
@project_option
@json_option
def diff(sources: tuple[str, ...], folder: Path, as_json: bool) -> None:
    """Show what changed in the verdicts of SOURCES since the last decision on them, and because of what.

    \b
    Examples:
      hemicycle clear diff
      hemicycle clear diff romans --json
    """
    from hemicycle.gate import changes

    session = _governed(folder)
    for source in sources:
        _card(session, source)
    rights = _rights(session)
    last: dict[str, Standing] = {}
    for standing in session.flow.gate.standings():
        if standing.decision.kind == "clear":
            last[standing.decision.subject] = standing
    rows: list[dict[str, Any]] = []
    for source in sources or session.project.cards:
        if source not in rights:
            rows.append({"source": source, "since": None, "changes": ["its rights are not computed"]})
        elif source not in last:
            rows.append({"source": source, "since": None, "changes": ["no decision was ever taken on it"]})
        else:
            decision = last[source].decision
            covers = session.flow.gate.covers(source, rights[source])
            rows.append(
                {
                    "source": source,
                    "since": decision.made,
                    "decision": last[source].entry.file,
                    "changes": changes(decision, covers, rights[source]),
                }
            )
    if as_json:
        print_json({"sources": rows})
        return
    for row in rows:
        since = f", since {row['since']}" if row["since"] else ""
        click.echo(f"{row['source']}{since}: {'nothing changed' if not row['changes'] else ''}".rstrip())
        for change in row["changes"]:
            click.echo(f"  {cell(change)}")


def _governed(folder: Path) -> Session:
    session = Session(folder)
    if not session.flow.gate.declared:
        raise DeclarationError(
            "the project is solo: nobody signs, and everything it makes says so",
            place=str(session.project.folder / "hemicycle.toml"),
            remedy='`hemicycle govern init` writes a governance.toml; then write governance = "declared".',
        )
    return session


def _card(session: Session, source: str) -> Any:
    from hemicycle.errors import did_you_mean

    cards = session.project.cards
    if source not in cards:
        raise DeclarationError(
            f"there is no source “{cell(source)}”",
            remedy=did_you_mean(source, cards) or f"Sources: {', '.join(cards)}.",
        )
    return cards[source]


def _computed(session: Session, source: str) -> Statement:
    statement = _rights(session).get(source)
    if statement is None:
        raise RightsError(
            f"the rights of {source} are not computed, or no longer those of today",
            remedy="Run `hemicycle clear` first: who signs must see what is signed.",
        )
    return statement


def _rights(session: Session) -> dict[str, Statement]:
    """Source → the statement about its rights, where they are those of today."""
    steps = [session.flow.rights(name) for name in session.project.cards]
    outcomes = session.pipeline().look(steps)
    return {
        o.step.name: o.statement
        for o in outcomes
        if o.step.stage == "rights" and o.state == "fresh" and o.statement is not None
    }


def _decided(source: str, found: Clearance, told: Sequence[Standing], gate: Gate) -> dict[str, Any]:
    """The state of a source, the decision that it comes of, and who has yet to sign for it to be settled."""
    standing = next((s for s in told if s.entry.file == found.decision), None)
    if found.explanation == "clearance-revoked":
        revoking = ("revoke", source, "standing")
        standing = [s for s in told if (s.decision.kind, s.decision.subject, s.state) == revoking][-1]
    row: dict[str, Any] = {
        "state": found.explanation.removeprefix("clearance-"),
        "decision": standing.entry.file if standing else None,
        **(standing_json(standing) if standing else {}),
    }
    needs = gate.rules.clear.needs
    if standing is not None and standing.ratify_by is not None:
        signed = {signature.role for signature in standing.entry.signed}
        row["missing"] = [role for role in needs if role not in signed]
        row |= {
            "ratify_by": standing.ratify_by.isoformat(),
            "overdue": gate.now().date() > standing.ratify_by,
        }
    elif row["state"] in ("missing", "outrun", "expired"):
        # Somebody must begin anew.
        row["missing"] = list(needs)
    return row
