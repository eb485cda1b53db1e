"""`hemicycle run`: build everything the project declares."""

from __future__ import annotations

from pathlib import Path

import click

from hemicycle.cli.session import (
    Session,
    build,
    finish,
    json_option,
    outcomes_json,
    print_json,
    project_argument,
    work_options,
)
from hemicycle.cli.summary import print_summary, summary


@click.command()
@project_argument
@work_options
@json_option
def command(folder: Path, dry_run: bool, offline: bool, keep_going: bool, as_json: bool) -> None:
    """Build everything PROJECT declares, in order, resuming where it stopped.

    What is up to date is left alone; what was interrupted goes on. Running again returns at once.

    \b
    Examples:
      hemicycle run examples/petit-hemicycle
      hemicycle run --dry-run
      hemicycle run --keep-going --offline
    """
    session = Session(folder)
    steps = session.flow.all_steps()
    outcomes = build(session, steps, dry_run=dry_run, offline=offline, keep_going=keep_going, as_json=as_json)
    if as_json:
        print_json(
            {"project": session.project.name, "steps": outcomes_json(outcomes), **summary(session, outcomes)}
        )
    elif not dry_run:
        print_summary(session, outcomes)
    finish(outcomes)
