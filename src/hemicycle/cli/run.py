"""`hemicycle run`: build everything the project declares."""

from __future__ import annotations

from pathlib import Path

import click

from hemicycle.cli.session import (
    How,
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
def command(folder: Path, how: How, as_json: bool) -> None:
    """Build everything PROJECT declares, in order, resuming where it stopped.

    What is up to date is left alone; what was interrupted goes on. Running again returns at once.

    --on slurm needs a sites.toml in the project: one table a computing centre, with scheduler, account,
    partition, qos, constraint, time, memory, at_once, setup and container; and a table training inside it,
    for models (docs/run.md says what each is).

    \b
    Examples:
      hemicycle run examples/petit-hemicycle
      hemicycle run --dry-run
      hemicycle run --keep-going --offline
      hemicycle run --on slurm --site jean-zay
    """
    session = Session(folder)
    steps = session.flow.all_steps()
    outcomes = build(session, steps, how, as_json=as_json)
    if as_json:
        print_json(
            {"project": session.project.name, "steps": outcomes_json(outcomes), **summary(session, outcomes)}
        )
    elif not how.dry_run:
        print_summary(session, outcomes)
    finish(outcomes)
