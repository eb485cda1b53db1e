"""What the verbs that bring a project up to one stage have in common."""

from __future__ import annotations

from collections.abc import Callable
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
from hemicycle.ledger import Statement
from hemicycle.steps import Step

#: Prints what a verb made: each statement with the folder of its artefact.
Show = Callable[[list[tuple[Statement, Path]]], None]


def stage_verb(
    verb: str, stage: str, metavar: str, show: Show, text: str, *, every_byte: bool = False
) -> click.Command:
    """A command that builds up to `verb` and shows the statements of `stage`.

    With `every_byte`, it believes no stamp: whatever the stage stands on is read.
    """

    @click.argument("names", nargs=-1, metavar=f"[{metavar}]...")
    @project_option
    @work_options
    @json_option
    def body(names: tuple[str, ...], folder: Path, how: How, as_json: bool) -> None:
        session = Session(folder)
        steps = session.flow.up_to(verb, names)
        bring_up(session, steps, stage, show, how, as_json=as_json, every_byte=every_byte)

    return click.command(verb, help=text)(body)


def bring_up(
    session: Session,
    steps: list[Step],
    stage: str,
    show: Show,
    how: How,
    *,
    as_json: bool,
    every_byte: bool = False,
) -> None:
    """Bring steps up to date and show the statements of `stage`."""
    outcomes = build(session, steps, how, as_json=as_json, every_byte=every_byte)
    made = [(o.statement, o.folder) for o in outcomes if o.statement and o.folder and o.step.stage == stage]
    if as_json:
        figures: dict[str, Any] = {s.subject.name: s.figures for s, _ in made}
        print_json({"steps": outcomes_json(outcomes), stage: figures})
    elif not how.dry_run:
        show(made)
        missing_hint(session, outcomes)
    finish(outcomes)
