"""Floating-point operations a token, forward and backward.

Three numbers go by that name, and a share of a chip's peak means nothing without the one it was made with:

* `six_n`: 6 for each weight that a token meets (Kaplan et al. 2020, arXiv 2001.08361, section 2.1). Attention
  is not in it, and embeddings are, though they multiply nothing.
* `model_flop`: 6 for each weight that multiplies a token, and for each number of the keys and values that its
  attention meets (Chowdhery et al. 2022, arXiv 2204.02311, appendix B). Attention counts as if it looked
  ahead as well: half of it is left out by kernels that know better, and by no formula in use.
* `hardware_flop`: what is computed where activations are computed again on the way back (Korthikanti et al.
  2022, arXiv 2205.05198, appendix A).

A product of matrices takes two operations for each weight and token, a multiplication and an addition, and
backward takes two products of that size: one for what came in, one for the weights. Norms, activations,
positions and the optimiser are not counted: together they are below a hundredth in all but the smallest.
"""

from __future__ import annotations

from typing import Literal

from hemicycle.arithmetic.configuration import Configuration
from hemicycle.arithmetic.weights import count_weights

#: What is forgotten on the way forward and computed again on the way back: nothing, the products of attention
#: that grow with the context, or all that is inside layers.
Recompute = Literal["none", "selective", "full"]


def six_n(c: Configuration) -> int:
    """6 N: six for each weight that a token meets."""
    return 6 * count_weights(c).active


def model_flop(c: Configuration, context: int | None = None) -> int:
    """What a token of a row of `context` tokens costs, the model's own by default."""
    return flop_of(count_weights(c).matrices, reach(c, context or c.context))


def hardware_flop(c: Configuration, context: int | None, recompute: Recompute) -> int:
    """The same with what is computed again: the way forward inside layers, or that of attention alone.

    The head and the loss are not computed again. Scores that a fused attention computes again inside its own
    kernel are not counted, as none of the formulas in use does.
    """
    again, weights = reach(c, context or c.context), count_weights(c)
    extra = {"none": 0, "selective": again, "full": weights.inside - weights.idle + again}[recompute]
    return model_flop(c, context) + 2 * extra


def flop_of(matrices: int, met: int) -> int:
    """Forward and backward over so many weights, and so many numbers of keys and values that are met."""
    return 6 * (matrices + met)


def reach(c: Configuration, context: int) -> int:
    """Numbers of keys and values that a token's heads meet in all layers, of the row or of a window."""
    seen = (c.layers - c.windowed) * context + c.windowed * min(context, c.window or context)
    return c.heads * (c.head_size + c.value_size) * seen
