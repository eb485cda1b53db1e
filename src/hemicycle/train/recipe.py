"""How a model learns: optimiser, rates, schedule, batch; what is not declared is derived, with its reason.

Rates: 6e-3 for Muon (with AdamW's size of updates) and 3e-3 for AdamW beside it were measured best at widths
192 and 256 on two cores. With the width they fall as width rules say (`scaled_rate`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from hemicycle.project import Model
from hemicycle.train.shape import Shape

#: The width at which the rates of this file were measured.
MEASURED_WIDTH = 256

#: Share of the rate of a fresh model to which one that goes on is warmed up again, before a cosine takes it
#: down again. The peak decides what is gained of new text and forgotten of old, and the length of the warm-up
#: hardly anything (Gupta et al. 2023, arXiv 2308.04014; Ibrahim et al. 2024, arXiv 2403.08763, who go back to
#: the whole peak and buy the old text back by replay). With a tenth a small model gained more than it lost,
#: with the whole peak less (`bench/rewarm.py`).
REWARMED = 0.1

#: Rate of low-rank adapters at every width: that of Hu et al. 2021 (arXiv 2106.09685), tables 11 and 12.
ADAPTER_RATE = 2e-4

#: Tokens of a batch where none is declared, for small models; larger ones take more.
SMALLEST_BATCH = 2_048


@dataclass(frozen=True)
class Recipe:
    """How a model learns, spelled out. Rates are peaks; `Schedule` says which share of them a step has.

    Attributes:
        rate: of AdamW; of Muon for `matrix_rate`, which takes the matrices inside layers where the optimiser
            is ``muon``.
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


def derive_recipe(model: Model, shape: Shape) -> Recipe:
    """Spell out how a declared model learns."""
    t, fresh = model.training, model.method == "pretrain"
    optimiser = t.optimiser or ("muon" if fresh else "adamw")
    narrower = min(1.0, math.sqrt(MEASURED_WIDTH / shape.width))
    part = narrower * (1 if fresh else REWARMED)
    rate = 3e-3 if optimiser == "muon" or shape.width > MEASURED_WIDTH else 4e-3
    derived = ADAPTER_RATE if model.lora else rate * part
    return Recipe(
        optimiser=optimiser,
        rate=t.rate if t.rate is not None else derived,
        matrix_rate=t.matrix_rate if t.matrix_rate is not None else 6e-3 * part,
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
