"""How a model learns: optimiser, rates, schedule, batch; what is not declared is derived, with its reason.

Rates of a model made from nothing were swept on small ones (docs/ladder.md), and follow the width
(`train.width`). What has learnt already goes on at less.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from hemicycle.project import Model
from hemicycle.train.shape import Shape
from hemicycle.train.width import MEASURED_WIDTH, matrix_factor, other_factor

#: Best rates at `MEASURED_WIDTH` for matrices inside layers, by optimiser, and for the rest.
MATRIX_RATE, OTHER_RATE = {"muon": 3.5e-3, "adamw": 7e-4}, 0.03

#: Rates to which what has learnt already is warmed up again, at `MEASURED_WIDTH`, before a cosine takes them
#: down again. The peak decides what is gained of new text and forgotten of old, and the length of the warm-up
#: hardly anything (Gupta et al. 2023, arXiv 2308.04014; Ibrahim et al. 2024, arXiv 2403.08763, who go back to
#: the whole peak and buy the old text back by replay). A small model gained more than it lost with these, and
#: with ten times as much less (`bench/rewarm.py`).
MATRIX_RATE_ON, RATE_ON = 6e-4, 3e-4

#: Rate of low-rank adapters at every width: that of Hu et al. 2021 (arXiv 2106.09685), tables 11 and 12.
ADAPTER_RATE = 2e-4

#: Tokens of a batch where none is declared, for small models; larger ones take more.
SMALLEST_BATCH = 2_048


@dataclass(frozen=True)
class Recipe:
    """How a model learns, spelled out. Rates are peaks; `Schedule` says which share of them a step has.

    Attributes:
        rate: of AdamW, for embeddings, head, norms and biases.
        matrix_rate: of the optimiser, for matrices inside layers.
        warm_up, decay: shares of the steps.
        skip_spikes: whether a step far out of line is left out (`train.spikes`).
    """

    optimiser: Literal["muon", "adamw"]
    rate: float
    matrix_rate: float
    schedule: Literal["wsd", "cosine", "linear"]
    warm_up: float
    decay: float
    final: float
    weight_decay: float
    clip: float
    z_loss: float
    skip_spikes: bool
    batch_tokens: int
    batch_warm_up: float

    def rows(self, context: int) -> int:
        """Rows of a full batch."""
        return max(1, self.batch_tokens // context)

    def rate_factor(self, step: int, steps: int) -> float:
        """Share of the peak rate at a step: warm-up, then as the schedule says, down to `final`."""
        warm_up = max(1, round(self.warm_up * steps))
        if step < warm_up:
            return (step + 1) / warm_up
        decay = max(1, round(self.decay * steps)) if self.schedule == "wsd" else steps - warm_up
        begin = steps - decay
        if step < begin:
            return 1.0
        done = (step - begin) / max(1, decay - 1)
        if self.schedule == "cosine":
            return self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * done))
        return 1.0 - (1 - self.final) * done


def _rates(model: Model, optimiser: Literal["muon", "adamw"], width: int) -> tuple[float, float]:
    """Peak rates of matrices inside layers and of the rest, as declared or derived."""
    if model.lora:
        rate, matrix_rate = ADAPTER_RATE, ADAPTER_RATE
    elif model.method == "pretrain":
        rate = OTHER_RATE * other_factor(width)
        matrix_rate = MATRIX_RATE[optimiser] * matrix_factor(width, optimiser)
    else:
        narrower = min(1.0, math.sqrt(MEASURED_WIDTH / width))
        rate = RATE_ON * narrower
        matrix_rate = MATRIX_RATE_ON * narrower if optimiser == "muon" else rate
    declared = model.training
    if declared.rate is not None:
        # AdamW alone has one rate, unless two are declared.
        rate, matrix_rate = declared.rate, declared.rate if optimiser == "adamw" else matrix_rate
    return matrix_rate if declared.matrix_rate is None else declared.matrix_rate, rate


def derive_recipe(model: Model, shape: Shape) -> Recipe:
    """Spell out how a declared model learns."""
    t, fresh = model.training, model.method == "pretrain"
    optimiser: Literal["muon", "adamw"] = t.optimiser or ("muon" if fresh else "adamw")
    matrix_rate, rate = _rates(model, optimiser, shape.width)
    return Recipe(
        optimiser=optimiser,
        rate=rate,
        matrix_rate=matrix_rate,
        schedule=t.schedule or ("wsd" if fresh else "cosine"),
        warm_up=t.warm_up if t.warm_up is not None else 0.02,
        decay=t.decay if t.decay is not None else 0.5,
        final=t.final if t.final is not None else 0.02,
        weight_decay=t.weight_decay if t.weight_decay is not None else 0.1,
        clip=t.clip,
        z_loss=t.z_loss,
        skip_spikes=t.spikes == "skip",
        batch_tokens=max(model.batch_tokens or SMALLEST_BATCH, shape.context),
        batch_warm_up=model.batch_warm_up,
    )
