"""`hemicycle gc`: delete what the declaration no longer leads to."""

from __future__ import annotations

from pathlib import Path

import click

from hemicycle.cli.session import Session, json_option, print_json, project_argument
from hemicycle.steps import in_order


@click.command()
@project_argument
@click.option("--dry-run", is_flag=True, help="List what would be deleted, and delete nothing.")
@json_option
def command(folder: Path, dry_run: bool, as_json: bool) -> None:
    """Delete the artefacts of PROJECT that its declaration no longer leads to.

    So are work that was begun for it, and logs of trainings that are no longer declared, whose samples
    quote the training text.

    Sources' files and weights that cannot be made again are among them only if nothing declared needs
    them. The ledger keeps their statements, and notes that they were deleted on purpose.

    \b
    Examples:
      hemicycle gc --dry-run
      hemicycle gc examples/petit-hemicycle
    """
    session = Session(folder)
    flow = session.flow
    needed, pipeline = flow.all_steps() + flow.ladders_begun() + flow.indexes_begun(), session.pipeline()
    made = {(s.subject.stage, s.subject.name) for s in session.ledger.current().values()}
    asked = [s for s in needed if s.stage in ("model", "index") and (s.stage, s.name) in made]
    if any(outcome.state != "fresh" for outcome in pipeline.look(asked) if outcome.step in asked):
        # Until what is asked stands without what was withdrawn, it is asked as it was before.
        needed += [step for before in flow.as_before() for step in before.all_steps()]
    sizes = pipeline.collect_garbage(in_order(needed), dry_run=dry_run)
    if as_json:
        print_json({"deleted": not dry_run, "artefacts": {str(p): s for p, s in sizes.items()}})
        return
    for path, size in sizes.items():
        click.echo(f"{'would delete' if dry_run else 'deleted'} {path}  ({size / 1e6:.1f} MB)")
    if not sizes:
        click.echo("nothing to delete")
