"""`hemicycle plan serving` and `hemicycle plan life`: what a model takes once it is trained."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import click

from hemicycle.arithmetic import Configuration
from hemicycle.cli.plan_count import Count, Finite
from hemicycle.cli.plan_model import declared, find_model, sizes_in
from hemicycle.cli.plan_place import place_options, project_of
from hemicycle.cli.plan_show import page_option, show
from hemicycle.cli.session import json_option
from hemicycle.errors import DeclarationError
from hemicycle.plan.assume import Place
from hemicycle.plan.estimate import estimate
from hemicycle.plan.estimate_told import assumptions_table
from hemicycle.plan.life import Life
from hemicycle.plan.programme import PROGRAMME, load_life
from hemicycle.plan.served import served
from hemicycle.plan.serving import PACE, Load, Serving, serve, shares_reached
from hemicycle.plan.told import Heading, Piece, Sentence
from hemicycle.plan.wording import words
from hemicycle.typeset import Language

_CONFIG = click.Path(exists=True, dir_okay=False, path_type=Path)


def _load_options(function: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(
        (
            click.option(
                "--prompt",
                type=Finite(0, 1e9),
                help="Mean tokens of a prompt.  [default: 1000, or half of what the model takes]",
            ),
            click.option(
                "--answer",
                type=Finite(1, 1e9),
                help="Mean tokens of an answer.  [default: 300, or half of what the model takes]",
            ),
            click.option(
                "--pace",
                type=Finite(0.01, 1e6),
                default=PACE,
                show_default=True,
                help="Tokens a second that a reader needs.",
            ),
            click.option(
                "--bytes",
                "weight_bytes",
                type=click.Choice(["2", "1", "0.5"]),
                default="2",
                show_default=True,
                help="Of a weight: 16, 8 or 4 bits.",
            ),
        )
    ):
        function = option(function)
    return function


@click.command("serving")
@click.argument("model", required=False)
@click.option("--config", type=_CONFIG, help="The config.json of a model, as transformers writes it.")
@_load_options
@place_options
@page_option
@json_option
def plan_serving(
    model: str | None,
    config: Path | None,
    prompt: float | None,
    answer: float | None,
    pace: float,
    weight_bytes: str,
    folder: Path,
    place: Callable[[], Place],
    page: Path | None,
    as_json: bool,
) -> None:
    """Say what serving MODEL takes: memory, cards, speed, people at once, cost of a million tokens.

    \b
    Examples:
      hemicycle plan serving petit --chip l4
      hemicycle plan serving --config Llama-3.1-8B/config.json --chip h100 --gpus 2 --prompt 2000
    """
    name, sizes = _sizes(model, config, folder)
    found = serve(
        served(name, sizes, weight_bytes=float(weight_bytes)), place(), _load(sizes, prompt, answer, pace)
    )
    show(partial(_tell_serving, found), found.to_json(), as_json=as_json, page=page, title=name)


@click.command("life")
@click.argument("model", required=False)
@click.option("--config", type=_CONFIG, help="The config.json of a model, as transformers writes it.")
@click.option("--params", "parameters", type=Count(), help="Parameters, where no sizes are known.")
@click.option(
    "--tokens", type=Count(), help="Tokens it was trained on, where no model of the project is named."
)
@click.option(
    "--declared",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    help=f"The file whose table [life] says what comes after training; by default {PROGRAMME}.",
)
@_load_options
@place_options
@page_option
@json_option
def plan_life(
    model: str | None,
    config: Path | None,
    parameters: float | None,
    tokens: float | None,
    file: Path | None,
    prompt: float | None,
    answer: float | None,
    pace: float,
    weight_bytes: str,
    folder: Path,
    place: Callable[[], Place],
    page: Path | None,
    as_json: bool,
) -> None:
    """Say what MODEL takes over its life: updates, withdrawals, serving, storage, people, year by year.

    What is not declared in the table [life] is left out of the sums, and that is said.

    \b
    Examples:
      hemicycle plan life luciole --site jean-zay
      hemicycle plan life --params 8B --tokens 2T --site jean-zay
    """
    from hemicycle.plan.life_told import tell_lifetime
    from hemicycle.plan.lifetime import lifetime

    found, there = find_model(model, config, parameters, tokens, (), None, folder), place()
    life = load_life(file or project_of(folder) / PROGRAMME)
    if life.withdrawals is not None and life.withdrawals.share is None and model is not None:
        life = _told_by_order(life, model, folder)
    serving = None
    if found.sizes is not None and life.serving is not None and there.chip.bandwidth > 0:
        weights = served(found.work.name, found.sizes, weight_bytes=float(weight_bytes))
        serving = serve(weights, there, _load(found.sizes, prompt, answer, pace))
    whole = lifetime(estimate(found.work, there), life, serving, there)
    show(
        partial(tell_lifetime, whole),
        whole.to_json(),
        as_json=as_json,
        page=page,
        title=found.work.name,
    )


def _told_by_order(life: Life, model: str, folder: Path) -> Life:
    """What a withdrawal redoes, as the order of the model has it, where that was made."""
    from hemicycle.flow.plans import share_redone

    share = share_redone(declared(folder, model).flow, model)
    if share is None or life.withdrawals is None:
        return life
    click.echo(f"a withdrawal redoes {share:.1%} of the run, by the order of {model}", err=True)
    return life.model_copy(update={"withdrawals": life.withdrawals.model_copy(update={"share": share})})


def _load(sizes: Configuration, prompt: float | None, answer: float | None, pace: float) -> Load:
    """What is asked, and what is usual where nobody said it; less of a model that takes less."""
    half = sizes.context / 2
    return Load(
        min(1_000, half) if prompt is None else prompt, min(300, half) if answer is None else answer, pace
    )


def _sizes(model: str | None, config: Path | None, folder: Path) -> tuple[str, Configuration]:
    if (model is None) == (config is None):
        raise DeclarationError(
            "serving is of a model of the project, or of a config.json",
            remedy="Name a model, or say --config." if config is None else "Name one of them, not both.",
        )
    if config is not None:
        return config.resolve().parent.name, sizes_in(config)
    from hemicycle.flow.plans import sizes_of

    assert model is not None
    return model, sizes_of(declared(folder, model).flow, model)


def _tell_serving(found: Serving, language: Language) -> Iterator[Piece]:
    for sentence in found.sentences(language):
        yield Sentence(sentence)
    yield Heading(words(language)["assumed"])
    yield assumptions_table([*shares_reached(), *found.assumed], language)
