"""`hemicycle status`: the project at a glance."""

from __future__ import annotations

from pathlib import Path

import click

from hemicycle.cli.session import Session, json_option, outcomes_json, print_json, project_argument
from hemicycle.cli.summary import print_summary, summary


@click.command()
@project_argument
@json_option
def command(folder: Path, as_json: bool) -> None:
    """Show what of PROJECT is built, what is stale or blocked, and why.

    \b
    Examples:
      hemicycle status
      hemicycle status examples/petit-hemicycle --json
    """
    session = Session(folder)
    outcomes = session.pipeline().look(session.flow.all_steps())
    if as_json:
        print_json(
            {"project": session.project.name, "steps": outcomes_json(outcomes), **summary(session, outcomes)}
        )
        return
    for outcome in outcomes:
        state = {"fresh": "up to date"}.get(outcome.state, outcome.state.replace("-", " "))
        reason = f"  ({outcome.reason})" if outcome.reason else ""
        click.echo(f"{state:11} {outcome.step}{reason}")
    click.echo()
    print_summary(session, outcomes)
