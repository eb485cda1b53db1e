"""What a run needs beyond the declaration, derived rather than asked.

`Shape` follows from the declaration alone. `Run` also depends on the machine it was first started on
(threads, precision, compiler, speed) and is kept in the lock, because each of these changes the last bits
of the weights.
"""

from __future__ import annotations

import math
import os
import shutil
from dataclasses import dataclass
from typing import Any

from hemicycle.project import Model


@dataclass(frozen=True)
class Shape:
    """The model and its optimiser, fully spelled out.

    Attributes:
        batch_rows: sequences a step; each has `context` tokens.
        tied: input and output embedding share one matrix.
        muon_rate: peak rate of Muon, for the matrices of the layers.
        adam_rate: peak rate of AdamW, for embeddings and norms.
        parameters: all weights, counted once.
        flop_per_token: 6 x (matrix weights, head included) + 12 x layers x width x context, forward and
            backward, as in Chowdhery et al. 2022 (PaLM), appendix B.
    """

    layers: int
    width: int
    heads: int
    kv_heads: int
    feed_forward: int
    context: int
    vocabulary: int
    tied: bool
    batch_rows: int
    muon_rate: float
    adam_rate: float
    parameters: int
    flop_per_token: int


@dataclass(frozen=True)
class Run:
    """How long, and with which arithmetic.

    Attributes:
        precision: ``bf16`` (autocast; weights stay fp32) or ``fp32``.
        compiled: layers and loss go through torch.compile.
        threads: of one process; another number sums in another order.
    """

    steps: int
    seed: int
    precision: str
    compiled: bool
    threads: int

    def to_json(self) -> dict[str, Any]:
        return {
            "steps": self.steps,
            "seed": self.seed,
            "precision": self.precision,
            "compiled": self.compiled,
            "threads": self.threads,
        }


#: Below this many weights the embedding is shared with the head: there it would be most of the model.
TIE_BELOW = 1_000_000_000


def derive_shape(model: Model, vocabulary: int) -> Shape:
    """Spell out a declared model for a tokenizer of `vocabulary` tokens.

    Rates: 6e-3 for Muon (with AdamW's scale of updates) and 3e-3 for AdamW were measured best at widths
    192 and 256 on two cores; beyond width 256 Muon's falls with the square root of the width.
    """
    a = model.architecture
    assert a is not None
    kv_heads = a.kv_heads or a.heads
    feed_forward = a.feed_forward or math.ceil(a.width * 8 / 3 / 64) * 64
    attention = 2 * a.width * a.width + 2 * a.width * (a.width // a.heads * kv_heads)
    matrices = a.layers * (attention + 3 * a.width * feed_forward)
    embedding = vocabulary * a.width
    norms = (2 * a.layers + 1) * a.width
    tied = matrices + embedding < TIE_BELOW
    batch_tokens = model.batch_tokens or max(2_048, a.context)
    return Shape(
        layers=a.layers,
        width=a.width,
        heads=a.heads,
        kv_heads=kv_heads,
        feed_forward=feed_forward,
        context=a.context,
        vocabulary=vocabulary,
        tied=tied,
        batch_rows=max(1, batch_tokens // a.context),
        muon_rate=6e-3 * min(1.0, math.sqrt(256 / a.width)),
        adam_rate=3e-3,
        parameters=matrices + embedding * (1 if tied else 2) + norms,
        flop_per_token=6 * (matrices + embedding) + 12 * a.layers * a.width * a.context,
    )


def has_compiler() -> bool:
    """Whether torch can compile here: it calls $CXX, or g++, and nothing else."""
    return shutil.which(os.environ.get("CXX") or "g++") is not None


def rate_factor(step: int, steps: int) -> float:
    """Share of the peak rate at a step: warm-up, constant to half the run, then linear down to 0.02."""
    warm_up = min(20, max(1, steps // 10))
    if step < warm_up:
        return (step + 1) / warm_up
    half = steps / 2
    if step < half:
        return 1.0
    return 1.0 - 0.98 * (step - half) / max(1.0, steps - 1 - half)
