"""`hemicycle ledger`: show it, follow a lineage, merge journals."""

from __future__ import annotations

from pathlib import Path

import click

from hemicycle.cli.session import Session, json_option, print_json, project_option
from hemicycle.cli.tables import cell
from hemicycle.ledger import Journal
from hemicycle.ledger import lineage as find_lineage


@click.group("ledger")
def command() -> None:
    """Show the ledger, follow an artefact's lineage, or merge another copy's journal.

    \b
    Examples:
      hemicycle ledger show
      hemicycle ledger lineage model/petit
      hemicycle ledger merge ../copy/ledger/journal.jsonl
    """


@command.command()
@project_option
@json_option
def show(folder: Path, as_json: bool) -> None:
    """List the journal: what was made and decided, in order."""
    session = Session(folder)
    lines = session.ledger.journal.lines()
    if as_json:
        listed = [{"line": x.number, "kind": x.kind, "digest": x.digest, **x.content} for x in lines]
        print_json({"lines": listed, "head": session.ledger.journal.head})
        return
    for line in lines:
        what = line.content.get("file") or ", ".join(line.content.get("artefacts", [])) or ""
        click.echo(f"{line.number:5}  {line.digest[:12]}  {line.kind:10} {cell(what)}")


@command.command()
@click.argument("artefact")
@project_option
@json_option
def lineage(artefact: str, folder: Path, as_json: bool) -> None:
    """Show what ARTEFACT was made from, back to the sources.

    ARTEFACT is a stage and name (model/petit), a folder's name, or 12 digits or more of a digest of the
    artefact or of one of its files.
    """
    session = Session(folder)
    session.ledger.journal.lines()
    found = find_lineage(session.ledger.current().values(), artefact)
    if as_json:
        listed = [
            {
                "depth": a.depth,
                "role": a.role,
                "stage": a.statement.subject.stage,
                "name": a.statement.subject.name,
                "key": a.statement.subject.key,
                "digest": a.statement.digest,
                "made": a.statement.made,
                "figures": a.statement.figures,
            }
            for a in found
        ]
        print_json({"lineage": listed})
        return
    for ancestor in found:
        subject = ancestor.statement.subject
        role = f"{ancestor.role}: " if ancestor.role and ancestor.role != subject.stage else ""
        click.echo(
            f"{'  ' * ancestor.depth}{role}{subject.stage} {subject.name}  "
            f"{click.style(ancestor.statement.digest[:12], dim=True)}"
        )


@command.command()
@click.argument("journal", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@project_option
@json_option
def merge(journal: Path, folder: Path, as_json: bool) -> None:
    """Take in the lines of JOURNAL, another copy's, and join both heads by a merge line.

    What it names must be brought along: copy the other ledger's statements/ first, and from its build/
    what cannot be made again (raw, model).
    """
    session = Session(folder)
    with session.pipeline().exclusive():
        other = Journal(journal)
        added = session.ledger.merge(other)
    if as_json:
        print_json({"lines_added": added, "head": session.ledger.journal.head})
    else:
        click.echo(f"{added} line(s) added")
