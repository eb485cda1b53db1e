"""One dial: a model's shape and batch follow from its budget, each with the reason and where it is from.

The budget says how much arithmetic there is: the tokens declared, or the minutes times what this machine does
in them. Of all shapes that this pays for, the one is taken whose tokens per parameter come nearest to what is
known to be best. What is declared is never changed. The lock keeps what was derived, as a machine is not
equally fast twice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

from hemicycle.errors import DeclarationError
from hemicycle.project import Architecture, Model
from hemicycle.train.shape import Shape, derive_shape

#: Tokens per parameter that reach the least loss: so many from `LARGE` tokens on, fewer below.
PER_PARAMETER, LARGE_TOKENS = 20.0, 1e10
#: The same for `SMALL_TOKENS`, as measured here (docs/ladder.md).
SMALL_PER_PARAMETER, SMALL_TOKENS = 4.0, 1.5e6
#: Passes over a corpus after which its repetition gains little.
MOST_EPOCHS = 4.0
#: Layers and width grow together: so many units of width a layer, more for wide models up to the second.
ASPECT, WIDEST_ASPECT, ASPECT_WIDTH = 64.0, 128.0, 1_024
#: Tokens of a budget, below which a context is enough.
CONTEXTS = ((1e7, 256), (1e8, 512), (1e9, 1_024), (1e11, 2_048), (math.inf, 4_096))
#: Share of what a processor does in products of matrices that is left of it in training a small model.
CPU_SHARE, GPU_SHARE = 0.3, 0.4
#: How batches grow with tokens.
BATCH_POWER = 0.571
#: Largest batch, in tokens; those of the largest open models.
LARGEST_BATCH = 2**23


@dataclass(frozen=True)
class Derived:
    """What follows from a budget.

    Attributes:
        tokens: what the budget is expected to read; of minutes a forecast, which is measured later.
        corpus_tokens: what there is to read.
    """

    architecture: Architecture
    batch_tokens: int
    tokens: int
    corpus_tokens: int

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "architecture": self.architecture.model_dump(exclude_none=True)}

    @staticmethod
    def from_json(told: dict[str, Any]) -> Derived:
        return Derived(**{**told, "architecture": Architecture.model_validate(told["architecture"])})


def derive(
    model: Model, vocabulary: int, corpus_tokens: int, flop_per_second: Callable[[], float]
) -> Derived:
    """Find what a model made from nothing leaves to its budget.

    Args:
        corpus_tokens: distinct tokens of all corpora it reads.
        flop_per_second: measures what this machine trains with; called for a budget in minutes only.

    Raises DeclarationError where the budget is too small for any model.
    """
    minutes = model.budget.minutes
    flop = flop_per_second() * minutes * 60 if minutes is not None else 0.0

    def affords(shape: Shape) -> int:
        return model.budget.tokens or int(flop / shape.flop_per_token())

    architecture = model.architecture or _best_shape(affords, vocabulary, corpus_tokens)
    read = affords(derive_shape(architecture, vocabulary))
    batch = model.batch_tokens or derive_batch(useful_tokens(read, corpus_tokens), architecture.context)
    return Derived(architecture, batch, read, corpus_tokens)


def useful_tokens(tokens: int, corpus_tokens: int) -> int:
    """Of so many tokens read, those that teach: `MOST_EPOCHS` passes over the corpora at most."""
    return max(1, min(tokens, int(MOST_EPOCHS * corpus_tokens)))


def tokens_per_parameter(tokens: float) -> float:
    """How many tokens a parameter should get, between what was measured and what is known of large models."""
    done = math.log(tokens / SMALL_TOKENS) / math.log(LARGE_TOKENS / SMALL_TOKENS)
    done = min(max(done, 0.0), 1.0)
    return math.exp(
        (1 - done) * math.log(SMALL_PER_PARAMETER) + done * math.log(PER_PARAMETER),
    )


def derive_batch(tokens: float, context: int) -> int:
    """Tokens of a batch: 0.58 D^0.571 for D tokens (Li et al. 2025, arXiv 2503.04715, fitted to 3 700 models
    of up to 1.1e9 parameters), as the nearest power of two, one row at least."""
    return min(LARGEST_BATCH, _in_rows(0.58 * tokens**BATCH_POWER, context))


def scale_batch(batch_tokens: int, share: float, context: int) -> int:
    """Tokens of a batch of a run that reads `share` of the tokens of another, by the same law."""
    return _in_rows(batch_tokens * share**BATCH_POWER, context)


def _in_rows(tokens: float, context: int) -> int:
    doublings = max(0, round(math.log2(max(tokens, context) / context)))
    return int(context * 2**doublings)


def derive_context(tokens: float) -> int:
    return next(context for most, context in CONTEXTS if tokens < most)


def shapes() -> Iterator[tuple[int, int, int]]:
    """Layers, width and heads of models from small to large."""
    width = 32
    while width <= 16_384:
        aspect = min(WIDEST_ASPECT, ASPECT * math.sqrt(max(1.0, width / ASPECT_WIDTH)))
        head = 128 if width >= 2_048 else 64 if width % 64 == 0 else 32
        yield max(2, round(width / aspect)), width, width // head
        width += 32 if width < 256 else 64 if width < 1_024 else 128 if width < 4_096 else 512


def machine_rate(precision: Literal["bf16", "fp32"] | None) -> float:
    """FLOP a second that one process gets out of this machine when it trains a small model: a share of the
    products of matrices, measured now. It is one process that steps are timed with, too."""
    import torch

    from hemicycle.train.machine import accelerators, measured_matmul_rate, precision_here

    dtype = torch.bfloat16 if precision_here(precision) == "bf16" else torch.float32
    if accelerators():
        return GPU_SHARE * measured_matmul_rate(torch.device("cuda"), dtype)
    return CPU_SHARE * measured_matmul_rate(torch.device("cpu"), dtype)


def _best_shape(affords: Callable[[Shape], int], vocabulary: int, corpus_tokens: int) -> Architecture:
    """The architecture that gives parameters the tokens that suit them; `affords`: shape → tokens read."""
    best: tuple[float, Architecture] | None = None
    for layers, width, heads in shapes():
        architecture = _with_context(layers, width, heads, affords, vocabulary, corpus_tokens)
        shape = derive_shape(architecture, vocabulary)
        tokens = affords(shape)
        if tokens < architecture.context:
            break
        useful = useful_tokens(tokens, corpus_tokens)
        off = abs(math.log(useful / shape.parameters / tokens_per_parameter(useful)))
        # More passes than are useful are worse than a larger model. A budget in tokens leaves no choice: it
        # adds the same to all.
        off += 100 * math.log(tokens / useful)
        if best is None or off < best[0]:
            best = off, architecture
    if best is None:
        raise DeclarationError(
            f"the budget is too small for any model: it does not read one row of {CONTEXTS[0][1]} tokens",
            remedy="Give it more minutes or tokens, or declare an `architecture` with a smaller `context`.",
        )
    return best[1]


def _with_context(
    layers: int,
    width: int,
    heads: int,
    affords: Callable[[Shape], int],
    vocabulary: int,
    corpus_tokens: int,
) -> Architecture:
    """A shape with the context that suits what it can read."""
    context = CONTEXTS[0][1]
    for _ in CONTEXTS:
        architecture = Architecture(layers=layers, width=width, heads=heads, context=context)
        tokens = affords(derive_shape(architecture, vocabulary))
        wanted = derive_context(useful_tokens(tokens, corpus_tokens))
        if wanted <= context:
            break
        context = wanted
    return architecture
