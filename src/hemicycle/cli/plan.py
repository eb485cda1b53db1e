"""`hemicycle plan`: what a model will cost, where and when it can be made, and whether it kept to that."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

from hemicycle.cli.groups import DefaultGroup
from hemicycle.cli.plan_actual import plan_actual
from hemicycle.cli.plan_calendar import plan_calendar
from hemicycle.cli.plan_count import Count, Modality
from hemicycle.cli.plan_model import find_model
from hemicycle.cli.plan_place import place_options
from hemicycle.cli.plan_runs import plan_runs
from hemicycle.cli.plan_serving import plan_life, plan_serving
from hemicycle.cli.plan_show import page_option, show
from hemicycle.cli.plan_solve import plan_solve
from hemicycle.cli.session import Session, json_option
from hemicycle.cli.tables import relative
from hemicycle.errors import DeclarationError
from hemicycle.plan.assume import HERE, Place
from hemicycle.plan.estimate import Estimate, Line, estimate
from hemicycle.plan.estimate_told import tell_estimate
from hemicycle.plan.saved import save_plan
from hemicycle.plan.sizes_told import (
    USUAL_CONTEXT,
    judged,
    layouts_json,
    sizes_json,
    tell_act,
    tell_layouts,
    tell_sizes,
)
from hemicycle.plan.told import Piece
from hemicycle.project import find_project
from hemicycle.typeset import Language


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
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The config.json of a model, as transformers writes it, for its sizes.",
)
@click.option(
    "--context",
    type=click.IntRange(16),
    help=f"Tokens of a row while it trains; by default the model's own, {USUAL_CONTEXT} at most.",
)
@click.option("--params", "parameters", type=Count(), help="Parameters that work on each token.")
@click.option("--tokens", type=Count(), help="Tokens that are read, all stages together.")
@click.option(
    "--modality",
    "modalities",
    type=Modality(),
    multiple=True,
    help="Tokens beside text, on a line of their own.",
)
@click.option("--gpu-hours", type=Count(), help="Where they are known already.")
@place_options
@page_option
@json_option
def plan_model(
    model: str | None,
    save: bool,
    config: Path | None,
    context: int | None,
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
      hemicycle plan --config Llama-3.1-8B/config.json --tokens 15T --chip h100 --gpus 2048
      hemicycle plan petit --chip here --save
    """
    found = find_model(model, config, parameters, tokens, modalities, gpu_hours, folder)
    there = place()
    planned = estimate(found.work, there)
    if save:
        _save(planned, folder)

    sizes = memory = None
    if found.sizes is not None:
        length = context or min(found.sizes.context, USUAL_CONTEXT)
        sizes = sizes_json(found.sizes, length)
        if there.chip.family != HERE:
            memory = layouts_json(found.sizes, there, length)
    act = judged(planned, sizes["flop_per_token"]["exact"] if sizes else None, found.base)

    def tell(language: Language) -> Iterator[Piece]:
        yield from tell_estimate(planned, language)
        if sizes is not None:
            yield from tell_sizes(sizes, language)
        if memory is not None:
            yield from tell_layouts(memory, there, language)
        yield from tell_act(act, language)

    told = {**planned.to_json(), "sizes": sizes, "memory": memory, "ai_act": act.to_json()}
    show(tell, told, as_json=as_json, page=page, title=found.work.name)


def _save(found: Estimate, folder: Path) -> None:
    if not found.work.name:
        raise DeclarationError(
            "only the plan of a model of the project can be kept",
            remedy="Name the model, or leave --save out.",
        )
    from hemicycle.flow.plans import loss_course

    course = loss_course(Session(folder).flow, found.work.name)
    loss = asdict(course) if course is not None else None
    path = save_plan(find_project(folder), found, datetime.now(UTC), loss)
    click.echo(f"kept in {relative(path)}: the training of {found.work.name} is held to it", err=True)


for _verb in (plan_solve, plan_calendar, plan_serving, plan_life, plan_actual, plan_runs):
    command.add_command(_verb)
