"""What was chosen for a model, each with its reason: what is declared, and what was derived from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

from hemicycle.project import Model
from hemicycle.train.derive import (
    LARGE_TOKENS,
    MOST_EPOCHS,
    PER_PARAMETER,
    SMALL_PER_PARAMETER,
    SMALL_TOKENS,
    Derived,
    tokens_per_parameter,
    useful_tokens,
)
from hemicycle.train.recipe import MATRIX_RATE, OTHER_RATE, Recipe
from hemicycle.train.shape import Shape
from hemicycle.train.width import MEASURED_WIDTH
from hemicycle.typeset import format_quantity

DECLARED = "declared"


@dataclass(frozen=True)
class Choice:
    """What was chosen, which value, and why; the reason of what nobody chose is ``declared``."""

    what: str
    value: str
    reason: str

    def __str__(self) -> str:
        return f"{self.what} {self.value}: {self.reason}"

    def to_json(self) -> dict[str, str]:
        return asdict(self)


def choices(model: Model, derived: Derived, shape: Shape, recipe: Recipe) -> list[Choice]:
    """Everything that decides how a model made from nothing is trained, in the order in which it follows."""
    return [*_size(model, derived, shape, recipe), *_learning(model, shape, recipe)]


def _size(model: Model, derived: Derived, shape: Shape, recipe: Recipe) -> Iterator[Choice]:
    minutes, tokens = model.budget.minutes, derived.tokens
    epochs = tokens / max(derived.corpus_tokens, 1)
    repeats = f"; the corpora are read {epochs:.1f} times" if epochs > 1 else ""
    if epochs > MOST_EPOCHS:
        repeats += f", and more than {MOST_EPOCHS:g} gain little (Muennighoff et al. 2023, arXiv 2305.16264)"
    yield Choice(
        "tokens",
        _count(tokens),
        DECLARED + repeats
        if minutes is None
        else f"a forecast: what this machine reads in {minutes:g} minutes; the steps are measured{repeats}",
    )
    useful = useful_tokens(tokens, derived.corpus_tokens)
    counted = f", with {_count(useful)} counted as the corpora are no larger," if useful < tokens else ""
    yield Choice(
        "parameters",
        _count(shape.parameters),
        "of the declared architecture"
        if model.architecture
        else f"of the sizes made here{counted} the nearest to {tokens_per_parameter(useful):.2g} tokens a "
        f"parameter: it has {useful / shape.parameters:.2g}. {SMALL_PER_PARAMETER:g} were best in "
        f"{_count(SMALL_TOKENS)} tokens, as measured here, and {PER_PARAMETER:g} are from "
        f"{_count(LARGE_TOKENS)} on (Hoffmann et al. 2022, arXiv 2203.15556)",
    )
    given = DECLARED if model.architecture else None
    yield Choice(
        "layers, width",
        f"{shape.layers}, {shape.width}",
        given
        or "64 units of width a layer, up to 128 for wide models, and two layers at least; the loss hardly "
        "depends on it (Kaplan et al. 2020, arXiv 2001.08361, figure 5)",
    )
    yield Choice(
        "heads",
        str(shape.heads),
        given or f"of {shape.width // shape.heads} each, as processors and accelerators multiply them best",
    )
    yield Choice(
        "context",
        str(shape.context),
        given or "short where few tokens count: a longer row costs attention and gives fewer rows a batch",
    )
    read = recipe.rows(shape.context) * shape.context
    yield Choice(
        "batch",
        _count(read),
        DECLARED
        + ("" if read == model.batch_tokens else f" as {model.batch_tokens}; a step reads whole rows")
        if model.batch_tokens
        else "0.58 D^0.571 for D tokens, as a power of two rows (Li et al. 2025, arXiv 2503.04715)",
    )


def _learning(model: Model, shape: Shape, recipe: Recipe) -> Iterator[Choice]:
    t = model.training
    yield Choice(
        "optimiser",
        recipe.optimiser,
        DECLARED
        if t.optimiser
        else "Muon for matrices inside layers, AdamW for the rest: less arithmetic for the same loss "
        "(Jordan et al. 2024; Liu et al. 2025, arXiv 2502.16982)",
    )
    falls = {
        "muon": "the root of the width (Yang, Simon and Bernstein 2023, arXiv 2310.17813)",
        "adamw": "the width, or its root below that (Yang et al. 2022, arXiv 2203.03466)",
    }[recipe.optimiser]
    measured = MATRIX_RATE[recipe.optimiser]
    alone = t.rate if recipe.optimiser == "adamw" else None
    yield Choice(
        "matrix rate",
        f"{recipe.matrix_rate:.3g}",
        DECLARED
        if t.matrix_rate is not None or alone is not None
        else f"{measured} at width {MEASURED_WIDTH}, as measured here, and falls with {falls}",
    )
    yield Choice(
        "rate",
        f"{recipe.rate:.3g}",
        DECLARED
        if t.rate is not None
        else f"of all else; {OTHER_RATE} up to width {MEASURED_WIDTH}, as measured here, then falls with the "
        "width (Yang et al. 2022, arXiv 2203.03466)",
    )
    schedule = {
        "wsd": f"up in {recipe.warm_up:.0%} of the steps, level, and down in the last {recipe.decay:.0%}: "
        "a run can be gone on with from before the descent (Hu et al. 2024, arXiv 2404.06395)",
        "cosine": f"up in {recipe.warm_up:.0%} of the steps, then down as a cosine",
        "linear": f"up in {recipe.warm_up:.0%} of the steps, then straight down",
    }[recipe.schedule]
    yield Choice("schedule", recipe.schedule, DECLARED if t.schedule else schedule)


def _count(number: float) -> str:
    return format_quantity(number, "", "en").replace("\u00a0", " ").strip()
