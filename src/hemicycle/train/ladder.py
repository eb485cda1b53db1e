"""The ladder: small models of the same shape, trained on the same text, from which a scaling law is fitted.

Each rung is the target made narrower and flatter alike, so that its proportions stay; each size reads two
budgets, as one alone cannot tell a lack of parameters from a lack of tokens. All of it is trained as the
target would be, by the same loop, with rates that follow the width (`train.width`) and batches that follow
the tokens.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from hemicycle.errors import DeclarationError
from hemicycle.project import Architecture
from hemicycle.train.budget import COMPILE_FROM_FLOP, FEW_STEPS
from hemicycle.train.derive import scale_batch
from hemicycle.train.job import Run
from hemicycle.train.shape import Shape, derive_shape

#: Parameters of the sizes, and tokens of the budgets of a size, relative to the largest.
SIZES, BUDGETS = (1.0, 0.6, 0.36, 0.22), (1.0, 1 / 3)
RUNGS = len(SIZES) * len(BUDGETS)
#: Neighbouring sizes differ by so much at least.
LEAST_RATIO = 1.3
#: Share of the arithmetic of the target that all rungs take together.
SHARE = 0.1
#: Small budgets take a larger share, for the least rung to have steps enough, but no more than the target.
MOST = 1.0


@dataclass(frozen=True)
class Rung:
    """One training: a small model's, or that of the target."""

    architecture: Architecture
    batch_tokens: int
    steps: int

    @property
    def tokens(self) -> int:
        return self.steps * self.batch_tokens

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "architecture": self.architecture.model_dump()}


@dataclass(frozen=True)
class Ladder:
    """The rungs of a target, the largest first; `share`: their arithmetic relative to the target's."""

    rungs: tuple[Rung, ...]
    share: float


def derive_ladder(run: Rung, vocabulary: int, longest: int) -> Ladder:
    """The rungs below a training.

    Args:
        longest: context of its longest stage, of which a step reads whole rows.

    Raises DeclarationError where a training of that length is too short for any.
    """
    target = derive_shape(run.architecture, vocabulary)
    whole = _flop(run, vocabulary)
    size = math.sqrt(SHARE / (sum(s * s for s in SIZES) * sum(BUDGETS)))
    while True:
        rungs = tuple(_rung(target, size * s, size * s * b, run, longest) for s in SIZES for b in BUDGETS)
        share = sum(_flop(rung, vocabulary) for rung in rungs) / whole
        if min(rung.steps for rung in rungs) >= FEW_STEPS and _apart(rungs, vocabulary):
            break
        size *= 1.05
        if share > MOST or size >= 1:
            raise DeclarationError(
                f"a ladder of a model of {target.parameters:,} parameters and {run.tokens:,} tokens would "
                f"cost more than the model: its least rung takes {FEW_STEPS} steps, and its embedding stays",
                remedy="A training this small is its own measurement; a ladder pays for larger ones. More "
                "tokens or a smaller `vocab` make room, where the corpora hold text enough.",
            )
    return Ladder(rungs, share)


def _rung(target: Shape, size: float, share: float, run: Rung, longest: int) -> Rung:
    small = shrink(run.architecture, target.vocabulary, size * target.parameters)
    batch = scale_batch(run.batch_tokens, share, longest)
    return Rung(small, batch, max(1, round(share * run.tokens / batch)))


def _apart(rungs: tuple[Rung, ...], vocabulary: int) -> bool:
    """Whether sizes differ by something: the embedding of a small model leaves little to shrink."""
    sizes = sorted({derive_shape(rung.architecture, vocabulary).parameters for rung in rungs})
    return len(sizes) == len(SIZES) and all(b > LEAST_RATIO * a for a, b in itertools.pairwise(sizes))


def _flop(rung: Rung, vocabulary: int) -> float:
    return derive_shape(rung.architecture, vocabulary).flop_per_token() * float(rung.tokens)


def shrink(architecture: Architecture, vocabulary: int, parameters: float) -> Architecture:
    """The same proportions with about so many parameters: layers and width by one factor."""
    best: tuple[float, Architecture] | None = None
    for percent in range(100, 4, -1):
        small = _scaled(architecture, percent / 100)
        off = abs(math.log(derive_shape(small, vocabulary).parameters / parameters))
        if best is None or off < best[0]:
            best = off, small
    assert best is not None
    return best[1]


def _scaled(a: Architecture, factor: float) -> Architecture:
    """Heads keep their groups and, as near as can be, their size, which is even."""
    head, unit = a.width // a.heads, 64 if a.width * factor >= 512 else 8
    width = max(16, round(a.width * factor / unit) * unit)
    groups = a.heads // (a.kv_heads or a.heads)
    fitting = [h for h in range(groups, width // 2 + 1, groups) if width % (2 * h) == 0] or [1]
    heads = min(fitting, key=lambda h: (abs(math.log(width / h / head)), h))
    kv_heads = heads // groups if a.kv_heads and heads % groups == 0 else None
    return Architecture(
        kind=a.kind,
        layers=max(1, round(a.layers * factor)),
        width=width,
        heads=heads,
        kv_heads=kv_heads,
        feed_forward=max(16, round(a.feed_forward * factor / 16) * 16) if a.feed_forward else None,
        context=a.context,
    )


def arithmetic(run: Mapping[str, Any], rung: Rung, vocabulary: int) -> Run:
    """The target's arithmetic for a rung: compiled where that pays, a whole batch at once if it fits."""
    return Run(
        steps=rung.steps,
        seed=run["seed"],
        precision=run["precision"],
        compiled=run["compiled"] and _flop(rung, vocabulary) >= COMPILE_FROM_FLOP,
        threads=run["threads"],
        micro_tokens=min(run["micro_tokens"], rung.batch_tokens),
    )
