"""`hemicycle clear`: what rights let through, and what they hold back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hemicycle.cli.session import (
    Session,
    build,
    finish,
    json_option,
    outcomes_json,
    print_json,
    project_option,
    work_options,
)
from hemicycle.cli.summary import missing_hint, print_sources, sources_table


@click.command()
@click.argument("sources", nargs=-1)
@project_option
@work_options
@json_option
def command(
    sources: tuple[str, ...],
    folder: Path,
    dry_run: bool,
    offline: bool,
    keep_going: bool,
    as_json: bool,
) -> None:
    """Compute rights for SOURCES (all, if none is named) and show them: documents, verdicts, reasons.

    A document passes when training on it and releasing weights are allowed in every jurisdiction of the
    project. Unknown is not allowed.

    \b
    Examples:
      hemicycle clear
      hemicycle clear manpages-fr --json
    """
    session = Session(folder)
    steps = session.flow.up_to("clear", sources)
    outcomes = build(session, steps, dry_run=dry_run, offline=offline, keep_going=keep_going)
    if as_json:
        rows: list[dict[str, Any]] = sources_table(session, outcomes)
        print_json({"steps": outcomes_json(outcomes), "sources": rows})
    elif not dry_run:
        print_sources(session, outcomes)
        missing_hint(session, outcomes)
    finish(outcomes)
