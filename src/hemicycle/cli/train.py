"""`hemicycle train`: train the models, or small ones below them."""

from __future__ import annotations

import json
from pathlib import Path

import click

from hemicycle.cli.session import How, Session, json_option, project_option, work_options
from hemicycle.cli.stage import bring_up
from hemicycle.cli.tables import print_table, relative
from hemicycle.flow.models import known_choices
from hemicycle.ledger import Statement
from hemicycle.typeset import format_quantity


def show(made: list[tuple[Statement, Path]]) -> None:
    print_table(
        ["model", "parameters", "steps", "tokens", "training loss", "tokens/s", "seconds"],
        [
            [
                s.subject.name,
                s.figures["parameters"],
                s.figures["steps"],
                s.figures["tokens"],
                s.figures["training_loss"],
                s.figures["tokens_per_second"],
                s.made["seconds"],
            ]
            for s, _ in made
        ],
    )


def show_ladders(made: list[tuple[Statement, Path]]) -> None:
    """The rungs of each ladder, and in a sentence what its law says of the model."""
    for statement, folder in made:
        law = json.loads((folder / "scaling.json").read_text("utf-8"))
        print_table(
            ["rung", "parameters", "tokens", "bits per byte", "law"],
            [[p["name"], p["parameters"], p["tokens"], p["loss"], p["fitted"]] for p in law["points"]],
        )
        target, best = law["target"], law["optimum"]
        click.echo(
            f"model {statement.subject.name}, {_short(target['parameters'])} parameters and "
            f"{_short(target['tokens'])} tokens: {_interval(target['predicted'])} bits per byte, "
            f"{target['times_the_largest_rung']:g} times the arithmetic of the largest rung"
        )
        click.echo(
            f"of its arithmetic the law would rather make {_short(best['parameters']['value'])} parameters "
            f"[{_short(best['parameters']['low'])}, {_short(best['parameters']['high'])}] and "
            f"{_short(best['tokens']['value'])} tokens"
        )
        click.echo(relative(folder / "scaling.png"))


def show_choices(session: Session, names: tuple[str, ...]) -> None:
    """What is chosen for each model made from nothing, and why."""
    for name in names or session.project.declaration.models:
        choices = known_choices(session.flow, name)
        if choices:
            print_table(
                ["model", "choice", "value", "because"], [[name, c.what, c.value, c.reason] for c in choices]
            )


@click.command()
@click.argument("names", nargs=-1, metavar="[MODEL]...")
@click.option(
    "--ladder",
    is_flag=True,
    help="Train small models in place of each, and predict by a scaling law what it would come to.",
)
@project_option
@work_options
@json_option
def command(names: tuple[str, ...], ladder: bool, folder: Path, how: How, as_json: bool) -> None:
    """Train each MODEL the project declares.

    Interrupted or killed, the next call goes on from the last checkpoint and ends in the same bits. A
    budget in minutes becomes a number of steps once; hemicycle.lock keeps it.

    \b
    Examples:
      hemicycle train
      hemicycle train petit --dry-run
      hemicycle train petit --ranks 4
      hemicycle train petit --on slurm --nodes 8
      hemicycle train petit --ladder
    """
    session = Session(folder)
    if ladder:
        bring_up(session, session.flow.ladders(names), "scaling", show_ladders, how, as_json=as_json)
        return
    steps = session.flow.up_to("train", names)
    if how.dry_run and not as_json:
        show_choices(session, names)
    bring_up(session, steps, "model", show, how, as_json=as_json)


def _short(number: float) -> str:
    return format_quantity(number, "", "en").replace("\u00a0", " ").strip()


def _interval(told: dict[str, float]) -> str:
    return f"{told['value']:.2f} [{told['low']:.2f}, {told['high']:.2f}]"
