"""`hemicycle plan runs`: the published trainings that plans rest on, and what the planner would have said."""

from __future__ import annotations

from collections.abc import Sequence

import click

from hemicycle.cli.plan_show import show_flags
from hemicycle.cli.session import json_option, print_json
from hemicycle.cli.tables import print_table
from hemicycle.plan.review import Reviewed, review_published
from hemicycle.plan.told import many


@click.command("runs")
@json_option
def plan_runs(as_json: bool) -> None:
    """List published trainings with what the planner makes of each: hours predicted, flags.

    Each is predicted twice: by one utilisation per kind of chip, and by that of the others alone.
    """
    told = review_published()
    if as_json:
        print_json({"runs": [each.to_json() for each in told]})
        return
    print_reviewed(told)


def print_reviewed(told: Sequence[Reviewed]) -> None:
    """A line a run, then each flag that says something of one run alone."""
    print_table(
        [
            "run",
            "chip",
            "parameters",
            "tokens",
            "GPU-hours",
            "of the peak",
            "predicted",
            "without it",
            "flags",
        ],
        [
            [
                each.run.name,
                each.run.chip.name,
                many(each.run.parameters),
                many(each.run.tokens),
                round(each.run.gpu_hours) if each.run.gpu_hours else None,
                f"{each.run.utilisation:.1%}" if each.run.utilisation else None,
                f"{each.predicted - 1:+.0%}" if each.predicted else None,
                f"{each.without - 1:+.0%}" if each.without else None,
                " ".join(flag.name for flag in each.flags),
            ]
            for each in told
        ],
    )
    click.echo()
    for each in told:
        own = [flag for flag in each.flags if flag.name != "NO_ENERGY_METER"]
        if own:
            click.echo(each.run.name)
            show_flags(own)
