"""`hemicycle plan solve`: the model that a budget should make."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hemicycle.cli.plan_count import Count, Modality
from hemicycle.cli.plan_model import declared
from hemicycle.cli.plan_place import place_options
from hemicycle.cli.plan_show import page_option, show
from hemicycle.cli.session import json_option
from hemicycle.plan.assume import Place
from hemicycle.plan.estimate import Line

if TYPE_CHECKING:
    from hemicycle.plan.laws import Law


@click.command("solve")
@click.argument("model", required=False)
@click.option("--gpu-hours", type=Count(), help="Hours of cards that there are.")
@click.option("--eur", type=Count(), help="Euros that there are.")
@click.option("--tco2e", type=Count(), help="Tonnes of CO2 equivalent that may be emitted.")
@click.option("--days", type=Count(), help="Days until it has to be made, on so many cards.")
@click.option(
    "--final-run", is_flag=True, help="The budget is for the final run alone, not the whole project."
)
@click.option("--text", "unique", type=Count(), help="Tokens of text there are; by default MODEL's corpora.")
@click.option("--served", type=Count(), help="Tokens it will read and write in its life.")
@click.option("--modality", "modalities", type=Modality(), multiple=True, help="Tokens read beside text.")
@click.option(
    "--vocabulary", type=click.IntRange(256, 2**20), help="Of its tokenizer; by default MODEL's, or 65536."
)
@place_options
@page_option
@json_option
def plan_solve(
    model: str | None,
    gpu_hours: float | None,
    eur: float | None,
    tco2e: float | None,
    days: float | None,
    final_run: bool,
    unique: float | None,
    served: float | None,
    modalities: tuple[Line, ...],
    vocabulary: int | None,
    folder: Path,
    place: Callable[[], Place],
    page: Path | None,
    as_json: bool,
) -> None:
    """Find the model that a budget should make: how large, on how much text, by which law, and how sure.

    A MODEL of the project gives the text there is, the vocabulary and, where a ladder was made of it, a law
    of one's own. Written as a flag, `hemicycle plan --solve` is the same.

    \b
    Examples:
      hemicycle plan solve --eur 800k --chip h100
      hemicycle plan solve --gpu-hours 500k --days 60 --gpus 512 --chip h100 --text 800B
      hemicycle plan solve petit --gpu-hours 10 --chip here
    """
    from hemicycle.plan.budget import Budget
    from hemicycle.plan.solve import VOCABULARY, solve
    from hemicycle.plan.solve_told import tell_solution

    law: Law | None = None
    languages: Mapping[str, float] = {}
    if model is not None:
        from hemicycle.flow.plans import known_text

        session = declared(folder, model)
        known = known_text(session.flow, model)
        vocabulary, law = vocabulary or known.vocabulary, known.law
        if unique is None and known.tokens:
            unique, languages = sum(known.tokens.values()), known.tokens
    found = solve(
        Budget(gpu_hours=gpu_hours, eur=eur, tco2e=tco2e, days=days, whole=not final_run),
        place(),
        law=law,
        unique_tokens=unique,
        languages=languages,
        served_tokens=served,
        others=modalities,
        vocabulary=vocabulary or VOCABULARY,
    )
    if model is not None and unique is None:
        click.echo(
            f"the text of {model} is not tokenised yet: how much there is to read is left out", err=True
        )
    show(partial(tell_solution, found), found.to_json(), as_json=as_json, page=page, title=model or "")
