"""`hemicycle plan`: what a model will cost, where and when it can be made, and whether it kept to that."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import click

from hemicycle.cli.groups import DefaultGroup
from hemicycle.cli.plan_actual import plan_actual
from hemicycle.cli.plan_count import Count, Modality
from hemicycle.cli.plan_place import place_options
from hemicycle.cli.plan_runs import plan_runs
from hemicycle.cli.plan_show import page_option, show
from hemicycle.cli.plan_solve import plan_solve
from hemicycle.cli.session import Session, json_option
from hemicycle.cli.tables import relative
from hemicycle.errors import DeclarationError, UnknownNameError, did_you_mean
from hemicycle.plan.assume import Place
from hemicycle.plan.estimate import Estimate, Line, Work, estimate
from hemicycle.plan.estimate_told import tell_estimate
from hemicycle.plan.saved import save_plan
from hemicycle.project import find_project


class _Plans(DefaultGroup):
    """What is asked of a plan may be written as a flag: `plan --solve` is `plan solve`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        for verb in ("solve", "actual"):
            if f"--{verb}" in args and args[0] not in self.commands:
                args = [verb, *(word for word in args if word != f"--{verb}")]
        return super().parse_args(ctx, args)


@click.group(cls=_Plans, default="model")
def command() -> None:
    """Plan a model before anything burns: hours, days, energy, carbon, money; where and when; serving; life.

    Without a verb of its own it is `model`; `--solve` and `--actual` may be written as flags.

    \b
    Examples:
      hemicycle plan petit --site jean-zay
      hemicycle plan --params 6.7B --tokens 1T --chip a100 --gpus 440
      hemicycle plan --solve --eur 800k --chip h100
      hemicycle plan --actual petit
    """


@command.command("model")
@click.argument("model", required=False)
@click.option("--save", is_flag=True, help="Keep the plan in plans/MODEL.json: its training is held to it.")
@click.option("--params", "parameters", type=Count(), help="Parameters that work on each token.")
@click.option("--tokens", type=Count(), help="Tokens that are read, all stages together.")
@click.option(
    "--modality",
    "modalities",
    type=Modality(),
    multiple=True,
    help="Tokens beside text, on a line of their own.",
)
@click.option("--gpu-hours", type=click.FloatRange(0, min_open=True), help="Where they are known already.")
@place_options
@page_option
@json_option
def plan_model(
    model: str | None,
    save: bool,
    parameters: float | None,
    tokens: float | None,
    modalities: tuple[Line, ...],
    gpu_hours: float | None,
    folder: Path,
    place: Callable[[], Place],
    page: Path | None,
    as_json: bool,
) -> None:
    """Estimate MODEL, one the project declares, or a model of so many parameters and tokens.

    Each figure comes with what is expected, how low and how high it may come, and what it rests on; the share
    of experiments and failures is never left out.

    \b
    Examples:
      hemicycle plan petit --site jean-zay
      hemicycle plan --params 6.7B --tokens 1T --chip a100 --gpus 440
      hemicycle plan --params 176.2B --tokens 366B --gpu-hours 1082990 --chip a100 --gpus 384
      hemicycle plan petit --chip here --save
    """
    work = _work(model, parameters, tokens, modalities, gpu_hours, folder)
    found = estimate(work, place())
    if save:
        _save(found, folder)
    tell = partial(tell_estimate, found)
    show(tell, found.to_json(), as_json=as_json, page=page, title=work.name)


def _save(found: Estimate, folder: Path) -> None:
    if not found.work.name:
        raise DeclarationError(
            "only the plan of a model of the project can be kept",
            remedy="Name the model, or leave --save out.",
        )
    path = save_plan(find_project(folder), found, datetime.now(UTC))
    click.echo(f"kept in {relative(path)}: the training of {found.work.name} is held to it", err=True)


def _work(
    model: str | None,
    parameters: float | None,
    tokens: float | None,
    modalities: tuple[Line, ...],
    gpu_hours: float | None,
    folder: Path,
) -> Work:
    """What is to be computed: of the project, or said in the call."""
    if model is None:
        if parameters is None or tokens is None:
            raise DeclarationError(
                "a plan needs a model, or parameters and tokens",
                remedy="Name a model of the project, or say --params 6.7B --tokens 1T.",
            )
        return Work("", parameters, (Line("text", tokens), *modalities), gpu_hours)
    if parameters is not None or tokens is not None:
        raise DeclarationError(
            f"{model} has its own parameters and tokens",
            remedy="Leave --params and --tokens out, or the model.",
        )
    session = Session(folder)
    if model not in session.project.declaration.models:
        raise UnknownNameError(
            f"no model is called “{model}”",
            remedy=did_you_mean(model, session.project.declaration.models)
            or "`hemicycle status` lists what is declared.",
        )
    from hemicycle.flow.plans import planned

    work, _ = planned(session.flow, model)
    return Work(work.name, work.parameters, (*work.lines, *modalities), gpu_hours)


for _verb in (plan_solve, plan_actual, plan_runs):
    command.add_command(_verb)
