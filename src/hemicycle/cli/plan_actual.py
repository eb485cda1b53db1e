"""`hemicycle plan --actual`: a training beside its plan, and what later plans learn from it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from hemicycle.cli.plan_runs import print_reviewed
from hemicycle.cli.plan_show import short, show_flags
from hemicycle.cli.session import Session, json_option, print_json, project_option
from hemicycle.cli.tables import print_table
from hemicycle.errors import InputError, UnknownNameError, did_you_mean
from hemicycle.plan.actual import as_run, compare, keeps, review_file
from hemicycle.plan.own import write_own
from hemicycle.plan.review import flags_of
from hemicycle.plan.saved import read_saved
from hemicycle.plan.told import many
from hemicycle.plan.training_log import Trained, read_training
from hemicycle.typeset import format_duration


@click.command("actual")
@click.argument("run")
@project_option
@json_option
def plan_actual(run: str, folder: Path, as_json: bool) -> None:
    """Compare RUN with its plan: a model of the project that trains or has trained, or a table of runs (CSV).

    What a run of one's own came to is kept in plans/runs.csv, and later plans of that place rest on it; one
    that is flagged as badly run is not. Written as a flag, `hemicycle plan --actual RUN` is the same.

    \b
    Examples:
      hemicycle plan actual petit
      hemicycle plan actual their-runs.csv
    """
    if run.endswith(".csv") and not Path(run).is_file():
        raise InputError("there is no such file", place=run)
    if Path(run).is_file():
        reviewed = review_file(Path(run))
        if as_json:
            print_json({"runs": [each.to_json() for each in reviewed]})
        else:
            print_reviewed(reviewed)
        return
    session = Session(folder)
    log = session.store.trainings / run
    if not log.is_dir() and run not in session.project.declaration.models:
        raise UnknownNameError(
            f"no model and no file is called “{run}”",
            remedy=did_you_mean(run, session.project.declaration.models)
            or "`hemicycle status` lists what is declared.",
        )
    trained, plan = read_training(log), read_saved(session.project.folder, run)
    found = as_run(trained, datetime.now(UTC).date())
    planned_place = plan.estimate["place"]["name"] if plan is not None else None
    kept = keeps(found, planned_place or (trained.chip.name if trained.chip else ""))
    if kept is not None:
        write_own(session.project.folder, kept)
    compared = compare(trained, plan)
    flags = flags_of(found) if found is not None else []
    if as_json:
        print_json(
            {
                "run": {
                    "name": trained.name,
                    "state": trained.state,
                    "parameters": trained.parameters,
                    "tokens": trained.tokens,
                    "device": trained.device,
                    "cards": trained.cards,
                    "seconds": trained.seconds,
                    "wall_seconds": trained.wall_seconds,
                    "lost": trained.lost,
                    "tokens_per_second": trained.tokens_per_second,
                    "joules": trained.joules,
                    "loss": trained.loss,
                },
                "compared": [each.to_json() for each in compared],
                "flags": [flag.to_json() for flag in flags],
                "kept": kept is not None,
            }
        )
        return
    _show(trained)
    if plan is None:
        click.echo(f"it had no plan: `hemicycle plan {run} --save` keeps one before a training")
    else:
        print_table(
            ["", "planned: low", "expected", "high", "actual", ""],
            [
                [
                    each.name.replace("_", " "),
                    *(short(value, each.unit) for value in (each.low, each.expected, each.high, each.actual)),
                    "" if each.inside else "outside its plan",
                ]
                for each in compared
            ],
        )
    show_flags(flags)
    if kept is not None:
        click.echo(f"plans of {kept.place} rest on it from now on (plans/runs.csv)", err=True)
    elif trained.chip is None:
        click.echo(f"no later plan rests on it: “{trained.device}” is no chip that is known", err=True)


def _show(trained: Trained) -> None:
    lost = f", {trained.lost:.0%} of it lost to stops and restarts" if trained.lost >= 0.01 else ""
    click.echo(
        f"{trained.name}: {trained.state}, {trained.share:.0%} of its steps; "
        f"{many(trained.tokens)} tokens in {format_duration(trained.wall_seconds, 'en')}{lost}; "
        f"{short(trained.tokens_per_second)} tokens/s on {trained.cards} × {trained.device}"
    )
