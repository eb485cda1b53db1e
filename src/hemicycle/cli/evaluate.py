"""`hemicycle evaluate`: measure models on held-out documents."""

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
    project_option,
    work_options,
)
from hemicycle.cli.summary import print_evaluation


@click.command()
@click.argument("names", nargs=-1, metavar="[EVALUATION]...")
@click.option(
    "--compare",
    "compared",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Another model's folder to measure on the same documents; may be given several times.",
)
@project_option
@work_options
@json_option
def command(
    names: tuple[str, ...],
    compared: tuple[Path, ...],
    folder: Path,
    how: How,
    as_json: bool,
) -> None:
    """Measure the models of each EVALUATION in bits per byte, beside character n-grams and xz.

    \b
    Examples:
      hemicycle evaluate
      hemicycle evaluate base --json
      hemicycle evaluate base --compare ../other-model
    """
    session = Session(folder)
    if compared:
        session.compare_with([str(path.resolve()) for path in compared], names)
    steps = session.flow.up_to("evaluate", names)
    outcomes = build(session, steps, how, as_json=as_json)
    made = [o for o in outcomes if o.statement and o.step.stage == "evaluation"]
    if as_json:
        figures = {o.step.name: o.statement.figures for o in made if o.statement}
        print_json({"steps": outcomes_json(outcomes), "evaluation": figures})
    elif not how.dry_run:
        for outcome in made:
            print_evaluation(outcome)
    finish(outcomes)
