"""Spikes: a step whose loss or gradient is far out of line is left out; a run that diverges is stopped.

A bad batch (damaged text, a freak of repetition) can throw a model off; left out, it does no harm. The rule
is a function of the figures so far, so a resumed run decides as one that was never stopped. The bounds are
those OLMo-core skips by: six standard deviations over the last 128 steps. Steps are those that learnt
something: one that did not has no loss.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from hemicycle.errors import HemicycleError

Floats = npt.NDArray[np.float64]

#: Standard deviations from the mean of the last steps, and how many those are; before `FIRST` none is left
#: out.
DEVIATIONS, WINDOW, FIRST = 6.0, 128, 32
#: A spread is taken as at least this share of the mean: on a plateau nothing would be in line.
LEAST_SPREAD = 0.01
#: So many steps left out of the last so many are no spikes: the run diverges.
MOST, OF = 16, 32


def is_spike(loss: float, norm: float, losses: Floats, norms: Floats) -> bool:
    """Whether a step is far above the steps before it, given their losses and gradient norms.

    Steps that were left out count among those before: a level that lasts becomes the line.
    """
    return _above(loss, losses) or _above(norm, norms)


def _above(value: float, before: Floats) -> bool:
    last = before[-WINDOW:]
    if len(last) < FIRST:
        return False
    mean = float(last.mean())
    return value > mean + DEVIATIONS * max(float(last.std()), LEAST_SPREAD * abs(mean))


def check_finite(loss: float, norm: float | None, step: int) -> None:
    """Raise HemicycleError where a loss or a gradient is not a number: its update would spread it."""
    for what, value in (("loss", loss), ("gradient's norm", norm)):
        if value is not None and not math.isfinite(value):
            raise HemicycleError(
                f"the {what} is {value} at step {step}",
                remedy="That step was not applied and the last checkpoint is sound. `hemicycle tokens where "
                f"MODEL --step {step}` names the documents of its batch; a lower rate may be what it takes.",
            )


def check_course(losses: Floats, skipped: npt.NDArray[Any], step: int, vocabulary: int) -> None:
    """Raise HemicycleError where the run diverges, given which steps so far were skipped.

    It does where half of the last steps were left out, or where the mean loss of the last `WINDOW` steps is
    above a blind guess among the vocabulary, or twice what it was in the beginning.
    """
    out = int(skipped[-OF:].sum())
    if out >= MOST:
        what = f"{out} of the last {OF} steps were far out of line"
    else:
        last = float(np.mean(losses[-WINDOW:]))
        worst = min(1.02 * math.log(vocabulary), 2 * float(np.mean(losses[:8])))
        if len(losses) < 2 * WINDOW or last <= worst:
            return
        what = f"its loss is {last:.3f}, worse than {worst:.3f}"
    raise HemicycleError(
        f"the run diverges at step {step}: {what}",
        remedy="The last checkpoint is kept. Declare a lower `rate` (and `matrix_rate`) under `training`, or "
        "a longer `warm_up`.",
    )
