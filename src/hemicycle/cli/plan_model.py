"""Which model a plan is of: one of the project, one with a `config.json`, or a size that is said."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

from hemicycle.arithmetic import Configuration, count_weights, read_configuration
from hemicycle.cli.session import Session
from hemicycle.errors import DeclarationError, HemicycleError, InputError, UnknownNameError, did_you_mean
from hemicycle.plan.ai_act import Base
from hemicycle.plan.estimate import Line, Work
from hemicycle.plan.published import six_n_d
from hemicycle.units import number

#: Fewer parameters or tokens are a letter that was forgotten.
FEWEST = 1_000


@dataclass(frozen=True)
class Planned:
    """A model to plan.

    Attributes:
        sizes: None where parameters alone are said.
        base: what it begins from, for the AI Act.
    """

    work: Work
    sizes: Configuration | None
    base: Base | None


def find_model(
    model: str | None,
    config: Path | None,
    parameters: float | None,
    tokens: float | None,
    modalities: tuple[Line, ...],
    gpu_hours: float | None,
    folder: Path,
) -> Planned:
    """What a call means. Raises DeclarationError where it does not say enough, or says two things."""
    names = [line.name for line in modalities]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise DeclarationError(f"the modality {', '.join(twice)} is said twice", remedy="Sum its tokens.")
    if model is not None:
        if (config, parameters, tokens) != (None, None, None):
            raise DeclarationError(
                f"{model} has its own sizes and tokens",
                remedy="Leave --config, --params and --tokens out, or the model.",
            )
        from hemicycle.flow.plans import planned

        session = declared(folder, model)
        work, sizes = planned(session.flow, model)
        began = session.project.declaration.models[model].base
        base = _base(session, began) if began is not None else None
        return Planned(replace(work, lines=(*work.lines, *modalities), gpu_hours=gpu_hours), sizes, base)
    if tokens is None or (config is None) == (parameters is None):
        raise DeclarationError(
            "a plan needs a model, or its size and tokens",
            remedy="Name a model of the project, or say --tokens 1T with --params 6.7B or --config FILE.",
        )
    for what, many in (("parameters", parameters), ("tokens", tokens)):
        if many is not None and many < FEWEST:
            raise DeclarationError(
                f"{many:g} {what} are no plan", remedy=f"Did you mean {many:g}B, or {many:g}M?"
            )
    lines = (Line("text", tokens), *modalities)
    if config is None:
        assert parameters is not None
        return Planned(Work("", parameters, lines, gpu_hours), None, None)
    sizes = sizes_in(config)
    weights, name = count_weights(sizes), config.resolve().parent.name
    return Planned(Work(name, weights.active, lines, gpu_hours, weights.total), sizes, None)


def _base(session: Session, name: str) -> Base:
    """The model that another begins from; of one of the project's own, its operations too where its tokens
    are known."""
    from hemicycle.flow.plans import planned

    if name not in session.project.declaration.models:
        return Base(name)
    try:
        work, _ = planned(session.flow, name)
    except DeclarationError:
        return Base(name, own=True)
    return Base(name, flop=number(six_n_d(work.parameters, work.tokens), "FLOP"), own=True)


def declared(folder: Path, model: str) -> Session:
    """The project, which declares that model. Raises UnknownNameError where it does not."""
    try:
        session = Session(folder)
    except DeclarationError as error:
        raise UnknownNameError(f"“{model}” is no verb, and {error.what}", place=error.place) from None
    if model not in session.project.declaration.models:
        raise UnknownNameError(
            f"no model is called “{model}”",
            remedy=did_you_mean(model, session.project.declaration.models)
            or "`hemicycle status` lists what is declared.",
        )
    return session


def sizes_in(config: Path) -> Configuration:
    """The sizes in a `config.json`, named in what is wrong with it."""
    try:
        told = json.loads(config.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"this configuration cannot be read: {error}", place=str(config)) from None
    if not isinstance(told, dict):
        raise InputError("this is no configuration of a model", place=str(config))
    try:
        sizes = read_configuration(told)
    except HemicycleError as error:
        raise type(error)(error.what, place=str(config), remedy=error.remedy) from None
    if (mixture := sizes.experts) is not None and mixture.chosen > mixture.count:
        what = f"a token cannot have {mixture.chosen} of {mixture.count} experts"
        raise InputError(what, place=str(config))
    if sizes.heads % sizes.kv_heads:
        raise InputError(f"{sizes.heads} heads cannot share {sizes.kv_heads} keys", place=str(config))
    return sizes
