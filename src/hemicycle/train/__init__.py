"""Train: tokens and an order in, a model that `transformers` loads out.

The architecture is a class of `transformers`; the loop is ours, short, and exact: killed at any step and
started again, it ends in the same bits.
"""

from hemicycle.train.budget import resolve_run
from hemicycle.train.loop import train
from hemicycle.train.settings import Run, Shape, derive_shape

__all__ = ["Run", "Shape", "derive_shape", "resolve_run", "train"]
