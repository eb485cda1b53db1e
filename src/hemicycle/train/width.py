"""How rates follow the width of a model, so that what suits a narrow one suits a wide one.

*Matrices inside layers under Muon*: the rate falls with the square root of the width. Features change alike
at every width where the spectral norm of an update goes with √(outputs / inputs) (Yang, Simon and Bernstein
2023, arXiv 2310.17813, condition 1), here a constant. With AdamW's size of updates (Liu et al. 2025, arXiv
2502.16982) that norm is 0.2 · rate · √(the larger side), and sides grow with the width.

*The same under AdamW alone*: beyond `MEASURED_WIDTH` the rate falls with the width. Its updates are of low
rank, and the norm of such a matrix grows with the side, not with its root (Yang et al. 2022, arXiv
2203.03466, table 3: µP). Below, it was found to follow the root.

*Embeddings, norms and head, always under AdamW*: the rate of an input stays (the same table); that of a head
falls with the width. Small models share one matrix for both. Up to `MEASURED_WIDTH` its best rate was found
not to move (docs/ladder.md); beyond, the head's rule holds, which is the careful one.

First weights are those of the classes of `transformers`, of standard deviation 0.02 at every width: smaller
ones for wider models, as µP has them, smaller or no ones where a layer adds to the stream (Radford et al.
2019), and larger embeddings were all measured, and none was better. Rates do not follow the depth: layers
grow with the width here, and the best rate of one depth was that of twice and four times as many.
"""

from __future__ import annotations

import math
from typing import Literal

from hemicycle.project import Training

#: The width at which rates were measured.
MEASURED_WIDTH = 256


def matrix_factor(width: int, optimiser: Literal["muon", "adamw"]) -> float:
    """Rate of matrices inside layers, relative to that at `MEASURED_WIDTH`."""
    ratio = MEASURED_WIDTH / width
    return math.sqrt(ratio) if optimiser == "muon" or ratio > 1 else ratio


def other_factor(width: int) -> float:
    """Rate of embeddings, norms and head, relative to that at `MEASURED_WIDTH`."""
    return min(1.0, MEASURED_WIDTH / width)


def at_width(training: Training, before: int, after: int) -> Training:
    """Declared rates, which are meant for one width, at another."""
    optimiser = training.optimiser or "muon"
    rate, matrix_rate = training.rate, training.matrix_rate
    if matrix_rate is None and optimiser == "adamw":
        matrix_rate = rate
    if rate is not None:
        rate *= other_factor(after) / other_factor(before)
    if matrix_rate is not None:
        matrix_rate *= matrix_factor(after, optimiser) / matrix_factor(before, optimiser)
    return training.model_copy(update={"rate": rate, "matrix_rate": matrix_rate})
