"""What a declared model is to a plan: its size and what it reads, as far as that is known beforehand."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from hemicycle.arithmetic import Configuration, count_weights, from_architecture, read_configuration
from hemicycle.errors import DeclarationError
from hemicycle.flow.models import derived_of, inputs_of, longest_context
from hemicycle.flow.reading import reads, redone
from hemicycle.flow.stages import TOKENISED
from hemicycle.ledger import Statement
from hemicycle.plan.estimate import Line, Work
from hemicycle.project import Model, Stage
from hemicycle.steps import Unresolved

if TYPE_CHECKING:
    from hemicycle.flow.flow import Flow
    from hemicycle.plan.laws import Law
    from hemicycle.train.expected import LossBand


def planned(flow: Flow, name: str) -> tuple[Work, Configuration]:
    """The work of a declared model, one line a stage, and its sizes.

    Nothing is built or measured: sizes and tokens that are declared are enough; what follows from a budget is
    taken from the lock, and what was trained from its statement. Raises DeclarationError where neither tells.
    """
    model, sizes = flow.declaration.models[name], sizes_of(flow, name)
    tokens = model.budget.tokens or _tokens(flow, name, _known(flow, name))
    if tokens is None:
        raise DeclarationError(
            f"model {name}: {model.budget.minutes:g} minutes are no number of tokens yet; they become one "
            "on the machine that trains it",
            place=f"hemicycle.toml, [models.{name}]",
            remedy="Declare its budget in tokens to plan it, or train it once and plan it again.",
        )
    stages = model.stages or [Stage(name="text", share=1)]
    whole = math.fsum(stage.share for stage in stages)
    lines = tuple(Line(stage.name, tokens * stage.share / whole) for stage in stages)
    weights = count_weights(sizes)
    return Work(name, weights.active, lines, whole=weights.total), sizes


def sizes_of(flow: Flow, name: str) -> Configuration:
    """The sizes of a declared model, of its longest stage. Raises DeclarationError where none tells."""
    model, known = flow.declaration.models[name], _known(flow, name)
    vocabulary = _vocabulary(flow, name, known)
    if model.base is None:
        return _from_nothing(flow, name, model, known, vocabulary)
    if "base" in known:
        made = known["base"].subject
        config = flow.store.folder_of(made) / "config.json"
        began = read_configuration(json.loads(config.read_text("utf-8")))
    elif model.base in flow.declaration.models:
        began = sizes_of(flow, model.base)
    else:
        raise DeclarationError(
            f"model {name} begins from {model.base}, whose size is not known yet",
            place=f"hemicycle.toml, [models.{name}]",
            remedy="Build it once, or give --config and --tokens.",
        )
    context = longest_context(model, model.context or began.context)
    return replace(began, vocabulary=max(began.vocabulary, vocabulary or 0), context=context)


@dataclass(frozen=True)
class KnownText:
    """What is known of a model's text: distinct tokens of its corpora by language, and its vocabulary, where
    that is tokenised; and the law of its ladder where one was made."""

    tokens: Mapping[str, float]
    vocabulary: int | None
    law: Law | None


def known_text(flow: Flow, name: str) -> KnownText:
    from hemicycle.plan.laws import read_law

    known = _known(flow, name)
    corpora = reads(flow.declaration, name)
    tokens: dict[str, float] = {}
    if all(corpus in known for corpus in corpora):
        tokens = _by_language(flow, [known[corpus] for corpus in corpora])
    ladder = ladder_of(flow, name)
    return KnownText(
        tokens=tokens,
        vocabulary=_vocabulary(flow, name, known),
        law=read_law(ladder / "scaling.json") if ladder else None,
    )


def _by_language(flow: Flow, made: list[Statement]) -> dict[str, float]:
    """Tokens of tokenised corpora by language, most first; those of a corpus that was deleted are `und`."""
    from hemicycle.curate.language import UNDETERMINED

    tokens: dict[str, float] = defaultdict(float)
    for one in made:
        documents = flow.store.folder_of(one.subject) / "documents.parquet"
        if documents.is_file():
            counted = pq.read_table(documents, columns=["language", "tokens"]).group_by("language")
            for row in counted.aggregate([("tokens", "sum")]).to_pylist():
                tokens[row["language"] or UNDETERMINED] += row["tokens_sum"]
        else:
            tokens[UNDETERMINED] += one.figures["tokens"]
    return dict(sorted(tokens.items(), key=lambda each: (-each[1], each[0])))


def ladder_of(flow: Flow, name: str) -> Path | None:
    """The folder of the law of a model's ladder; None where none was made, or it was deleted."""
    made = _latest(flow).get(("scaling", name))
    folder = flow.store.folder_of(made.subject) if made else None
    return folder if folder is not None and folder.is_dir() else None


def loss_course(flow: Flow, name: str) -> LossBand | None:
    """The course of the loss that a model's ladder forecasts; None where none was made."""
    from hemicycle.train.ladder import RUNGS
    from hemicycle.train.rung_curves import curve_of_rungs

    ladder, latest = ladder_of(flow, name), _latest(flow)
    made = [latest.get(("rung", f"{name}.{number}")) for number in range(1, RUNGS + 1)]
    rungs = [flow.store.folder_of(s.subject) for s in made if s is not None]
    if ladder is None or len(rungs) < len(made) or not all(rung.is_dir() for rung in rungs):
        return None
    return curve_of_rungs(rungs, ladder)


def share_redone(flow: Flow, name: str) -> float | None:
    """The share of a model's run that is redone where one of its revocable sources leaves; None where none is
    revocable, or its order was not made or is not here."""
    latest = _latest(flow)
    order = flow.order(name)
    steps = {role: step for role, step in order.inputs.items() if step.stage in TOKENISED} | {"": order}
    made = {role: latest.get((step.stage, step.name)) for role, step in steps.items()}
    folders = {role: flow.store.folder_of(s.subject) for role, s in made.items() if s is not None}
    if len(folders) < len(steps) or not all(folder.is_dir() for folder in folders.values()):
        return None
    share: float | None = redone(folders.pop(""), folders)["expected"]
    return share


def _latest(flow: Flow) -> dict[tuple[str, str], Statement]:
    """Stage and name → the last statement of it."""
    return {(s.subject.stage, s.subject.name): s for s in flow.ledger.current().values()}


def _known(flow: Flow, name: str) -> dict[str, Statement]:
    """Role → the last statement of each of a model's inputs that was made, and of the model."""
    latest = _latest(flow)
    wanted = {role: (step.stage, step.name) for role, step in inputs_of(flow, name).items()}
    wanted["itself"] = ("model", name)
    return {role: latest[key] for role, key in wanted.items() if key in latest}


def _from_nothing(
    flow: Flow, name: str, model: Model, known: dict[str, Statement], vocabulary: int | None
) -> Configuration:
    architecture = model.architecture
    if architecture is None:
        try:
            architecture = derived_of(flow, name, known).architecture
        except (Unresolved, KeyError):
            raise DeclarationError(
                f"model {name}: its shape follows from its budget, once its text is tokenised",
                place=f"hemicycle.toml, [models.{name}]",
                remedy="Run `hemicycle tokenize` (and train once where the budget is in minutes), or declare "
                "an architecture.",
            ) from None
    if vocabulary is None:
        raise DeclarationError(
            f"model {name}: the size of its vocabulary is not known before its tokenizer is made",
            place=f"hemicycle.toml, [models.{name}]",
            remedy="Run `hemicycle tokenize` first.",
        )
    context = longest_context(model, architecture.context)
    return from_architecture(architecture.model_copy(update={"context": context}), vocabulary)


def _vocabulary(flow: Flow, name: str, known: dict[str, Statement]) -> int | None:
    """Tokens of a model's tokenizer: as made, else as declared; None where a base has it that is not here."""
    if "tokenizer" in known:
        return int(known["tokenizer"].figures["vocabulary"])
    declared = flow.declaration.tokenizers.get(flow.declaration.tokenizer_of(name))
    return declared.vocab if declared is not None else None


def _tokens(flow: Flow, name: str, known: dict[str, Statement]) -> int | None:
    """What minutes came to: as trained, else as derived."""
    if "itself" in known:
        return int(known["itself"].figures["places"])
    try:
        return derived_of(flow, name, known).tokens
    except (Unresolved, KeyError):
        return None
