"""Rules by which rates follow the width of a model, so that what suits a narrow one suits a wide one."""

from __future__ import annotations

import math

from hemicycle.project import Training

#: The width at which the rates were measured.
MEASURED_WIDTH = 256
MATRIX_REASON = ""
RATE_REASON = ""


def matrix_factor(width: int) -> float:
    return math.sqrt(MEASURED_WIDTH / width)


def at_width(training: Training, before: int, after: int) -> Training:
    return training
