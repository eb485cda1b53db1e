"""What people decided on sources, as JSON and in sentences: what `clear`, `run` and `status` tell of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from hemicycle.cli.session import Session
from hemicycle.cli.tables import cell
from hemicycle.governance import Standing
from hemicycle.governance.complaint_entry import read_complaints
from hemicycle.governance.complaints import granted
from hemicycle.governance.decisions import WHOLE, Decision
from hemicycle.governance.overrides import Override
from hemicycle.steps import Outcome, in_order

#: Stages that a withdrawal leaves as they are.
STAYS = ("tokenizer", "order")

#: Documents of a withdrawal that are named; --json has them all.
SHOWN = 5


def standing_json(standing: Standing) -> dict[str, Any]:
    return {
        "signed": [
            {"person": s.person, "role": s.role, "entered": s.entered.isoformat()}
            for s in standing.entry.signed
        ],
        "missing": list(standing.missing),
        "effective": standing.effective.isoformat() if standing.effective else None,
        "expires": standing.ends.isoformat() if standing.ends else None,
    }


def withdrawal_json(standing: Standing) -> dict[str, Any]:
    """A withdrawal in force; `documents`: "all", or their ids."""
    documents = standing.decision.covers["documents"]
    return {
        "source": standing.decision.subject,
        "documents": documents if documents == WHOLE else sorted(documents),
        "on": standing.effective.date().isoformat() if standing.effective else None,
        "reason": standing.decision.reason,
        "decision": standing.entry.file,
    }


def withdrawals_and_behind(session: Session, outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """The withdrawals in force. `behind`: the steps that were made of the source before and are not up to
    date; until they are, something may stand with the text. What holds none and stays is not among them."""
    made = {(s.subject.stage, s.subject.name) for s in session.ledger.current().values()}
    stale = [
        o.step
        for o in outcomes
        if o.state != "fresh" and (o.step.stage, o.step.name) in made and o.step.stage not in STAYS
    ]
    of = {str(step): {s.name for s in in_order([step]) if s.stage == "raw"} for step in stale}
    return [
        withdrawal_json(one) | {"behind": [name for name, raw in of.items() if one.decision.subject in raw]}
        for one in session.flow.gate.withdrawals()
    ]


def print_withdrawals(told: Iterable[Mapping[str, Any]]) -> None:
    """What `withdrawals_and_behind` says, for people."""
    for one in told:
        what = _documents(one["documents"])
        click.echo(f"{cell(one['source'])}, on {one['on']}: {what} ({cell(one['reason'])})")
        if behind := one["behind"]:
            which = (
                f"not up to date yet: {', '.join(map(cell, behind))}; `hemicycle run` makes them without it, "
                "or says what stands in the way"
            )
            click.echo(click.style(f"  {which}", fg="yellow"))
        else:
            click.echo("  everything that is declared and was made of it stands without it")


def withdrawn_documents(decision: Decision) -> str:
    """What of its source a withdrawal is of, for people."""
    return _documents(decision.covers["documents"])


def _documents(covered: str | Iterable[str]) -> str:
    """`WHOLE` or ids, of which the first are named."""
    if covered == WHOLE:
        return "all of it"
    ids = sorted(covered)
    more = f" … and {len(ids) - SHOWN} more" if len(ids) > SHOWN else ""
    return f"{', '.join(map(cell, ids[:SHOWN]))}{more}"


def override_json(override: Override) -> dict[str, Any]:
    """`missed`: the reasons that hold documents again since it ended."""
    decision = override.standing.decision
    return {
        "decision": override.standing.entry.file,
        "state": override.standing.state,
        "lifts": decision.covers["lifts"],
        "documents": decision.covers["documents"],
        "reason": decision.reason,
        **standing_json(override.standing),
        "missed": list(override.missed),
    }


def override_sentence(told: Mapping[str, Any]) -> str:
    """What `override_json` says, for people."""
    documents = told["documents"]
    on = f" for {', '.join(documents)}" if documents is not None and len(documents) < 4 else ""
    on = on or (f" for {len(documents)} documents" if documents is not None else "")
    said = {
        "proposed": f"is still to be signed by {', '.join(told['missing'])}",
        "cooling": f"is in force from {str(told['effective'])[:16]}",
        "standing": f"is in force until {told['expires']}",
        "expired": f"ended on {told['expires']}; documents are held again for {', '.join(told['missed'])}",
        "revoked": f"was revoked; documents are held again for {', '.join(told['missed'])}",
    }[told["state"]]
    return f"the override of {', '.join(told['lifts'])}{on} {said}"


def granted_and_in(
    session: Session, outcomes: Iterable[Outcome], rows: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """What complaints were granted for and is still let through: `complaint`, `subject` and `source`.

    Where every source was looked at, a subject that is nothing of theirs is told too, with no source, until
    its complaint is closed: nobody but a person can say whether it was taken out.

    Args:
        rows: those of `sources_table`.
    """
    reading = read_complaints(session.ledger, session.complaints)
    wanted = [(c, subject) for c in reading.complaints.values() for subject in granted([c])]
    if not wanted:
        return []
    subjects = [subject for _, subject in wanted]
    places: dict[str, list[str]] = {subject: [] for subject in subjects}
    for outcome in outcomes:
        name = outcome.step.name
        if outcome.step.stage == "documents" and outcome.folder is not None:
            found = _named(outcome.folder / "documents.parquet", subjects)
            for subject in found | ({name} & places.keys()):
                places[subject].append(name)
    passing = {row["source"] for row in rows if row.get("admitted")}
    told: list[dict[str, Any]] = []
    for complaint, subject in wanted:
        inside: list[str | None] = [source for source in places[subject] if source in passing]
        nowhere = not places[subject] and complaint.last.step != "close"
        if nowhere and len(rows) == len(session.project.cards):
            inside = [None]
        told += [{"complaint": complaint.id, "subject": subject, "source": source} for source in inside]
    return told


def _named(documents: Path, subjects: Sequence[str]) -> set[str]:
    """Those of the subjects that are the id or the origin of a document."""
    import pyarrow.parquet as pq

    filters = [[(column, "in", list(subjects))] for column in ("id", "origin")]
    table = pq.read_table(documents, columns=["id", "origin"], filters=filters)
    return set(subjects) & {value for column in table.columns for value in column.to_pylist()}


def print_granted(told: Iterable[Mapping[str, Any]]) -> None:
    for one in told:
        number, subject, source = one["complaint"], cell(one["subject"]), one["source"]
        said = f"  complaint {number} was granted, and {subject} is still let through with {source}"
        if source is None:
            said = f"  complaint {number} was granted for {subject}, which no source has; if so, close it"
        click.echo(click.style(said, fg="yellow"))
