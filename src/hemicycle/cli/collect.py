"""`hemicycle collect`: bring the sources' files in and read them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

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
from hemicycle.cli.summary import missing_hint
from hemicycle.cli.tables import cell, print_table
from hemicycle.steps import Outcome


@click.command()
@click.argument("sources", nargs=-1)
@click.option("--update", is_flag=True, help="Fetch anew what hemicycle.lock pins, and pin what comes.")
@project_option
@work_options
@json_option
def command(
    sources: tuple[str, ...],
    update: bool,
    folder: Path,
    how: How,
    as_json: bool,
) -> None:
    """Bring the files of SOURCES (all, if none is named) in, with digests, and read them as documents; and
    those of the models that others begin from.

    \b
    Examples:
      hemicycle collect
      hemicycle collect debian-handbook
      hemicycle collect --update debian-handbook
    """
    chosen = frozenset(sources or Session(folder).project.cards) if update else frozenset()
    session = Session(folder, update=chosen)
    steps = session.flow.up_to("collect", sources)
    force = frozenset(f"raw {name}" for name in chosen)
    outcomes = build(session, steps, how, as_json=as_json, force=force)
    if as_json:
        print_json({"steps": outcomes_json(outcomes)})
    elif not how.dry_run:
        _print_collected(outcomes)
        missing_hint(session, outcomes)
    finish(outcomes)


def _print_collected(outcomes: list[Outcome]) -> None:
    by_step = {(o.step.stage, o.step.name): o for o in outcomes}
    rows: list[list[Any]] = []
    without = []
    for name in sorted({o.step.name for o in outcomes if o.step.stage == "documents"}):
        raw, read = by_step[("raw", name)], by_step[("documents", name)]
        if read.statement and raw.statement:
            got, figures = raw.statement.figures, read.statement.figures
            rows.append([name, got["files"], got["bytes"], figures["documents"], figures["characters"]])
        else:
            rows.append([name, None, None, None, None])
            without.append((name, read.reason if raw.statement else raw.reason))
    print_table(["source", "files", "bytes", "documents", "characters"], rows)
    for name, reason in without:
        click.echo(f"  {name}: {cell(reason)}")
    _print_bases([o for o in outcomes if o.step.stage == "base"])


def _print_bases(outcomes: list[Outcome]) -> None:
    """Models that others begin from."""
    if not outcomes:
        return
    told = ("family", "files", "bytes", "licence")
    figures = [(o.step.name, o.statement.figures if o.statement else {}) for o in outcomes]
    print_table(
        ["base", "family", "files", "bytes", "licence declared", "parameters"],
        [[name, *(f.get(key) for key in told), f.get("shape", {}).get("parameters")] for name, f in figures],
    )
    for outcome in outcomes:
        if not outcome.statement:
            click.echo(f"  {outcome.step.name}: {cell(outcome.reason)}")
