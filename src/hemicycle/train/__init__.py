"""Train: tokens and an order in, a model that `transformers` loads out.

The architecture is a class of `transformers`; the loop (`hemicycle.train.loop.train`) is ours, short, and
exact: killed at any step and started again, it ends in the same bits. What is handed out here loads no
torch, so that a look at a project stays quick.
"""

from hemicycle.train.budget import few_steps, resolve_run
from hemicycle.train.job import Adapter, Job, Run
from hemicycle.train.recipe import Recipe, derive_recipe
from hemicycle.train.shape import Shape, derive_shape, grown

__all__ = [
    "Adapter",
    "Job",
    "Recipe",
    "Run",
    "Shape",
    "derive_recipe",
    "derive_shape",
    "few_steps",
    "grown",
    "resolve_run",
]
