"""Which rates suit a width: what the rule of `train.width` rests on.

Models of several widths are trained on the same batches, once with each of some rates of the matrices inside
layers and once with each of some rates of the rest; what counts is the mean loss over the last steps, on text
not read before. A parabola through the three best, over the logarithm of the rate, gives the best rate. By
the rule the last column is the same for every width.

    python bench/width.py [FOLDER] [--widths 64 128 256] [--layers 2] [--optimiser muon]
                          [--steps 200 --batch 1024 --context 128 --vocab 4096]

The corpus is that of bench/french.py, in FOLDER. One thread; half an hour as it stands.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from french import corpus_of
from hemicycle.project import Architecture, Model
from hemicycle.tokens import Order, Phase, make_plan, tokenize, train_tokenizer
from hemicycle.train import Recipe, Run, Shape, derive_recipe, derive_shape
from hemicycle.train.learner import Learner
from hemicycle.train.machine import has_fast_bf16
from hemicycle.train.model import build_model
from hemicycle.train.optimiser import Optimiser
from peers import cache_folder

#: Rates relative to those of the rule.
FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)
#: Steps at the end whose losses are averaged.
LAST = 20


def final_loss(order: Order, shape: Shape, recipe: Recipe) -> float:
    """Mean loss of the last steps of a training over a whole plan, nats a token."""
    run = Run(order.steps, 1, "bf16" if has_fast_bf16() else "fp32", False, 1, recipe.batch_tokens)
    learner = Learner(build_model(shape, 0, 1, run.seed), run)
    optimiser = Optimiser(learner.model, recipe)
    losses = []
    for step in range(order.steps):
        batch = order.batch(step)
        total, _ = learner.loss(batch)
        (total / batch.learnt).backward()  # type: ignore[no-untyped-call]
        losses.append(float(total.detach()) / batch.learnt)
        optimiser.clip()
        optimiser.step(recipe.rate_factor(step, order.steps))
    return float(np.mean(losses[-LAST:]))


def best(rates: list[float], losses: list[float]) -> float:
    """Where a parabola through the least loss and its neighbours has its bottom, over log rate; nan where it
    has none."""
    at = int(np.argmin(losses))
    if not 0 < at < len(losses) - 1:
        return math.nan
    near = slice(at - 1, at + 2)
    a, b, _ = np.polyfit(np.log(rates[near]), losses[near], 2)
    return math.exp(-b / (2 * a))


def main() -> None:
    parser = argparse.ArgumentParser(description="Sweep rates over widths.")
    parser.add_argument("folder", type=Path, nargs="?", default=cache_folder() / "french")
    parser.add_argument("--optimiser", choices=["muon", "adamw"], default="muon")
    parser.add_argument("--widths", type=int, nargs="+", default=[64, 128, 256])
    for name, value in (("layers", 2), ("steps", 200), ("batch", 1_024), ("context", 128), ("vocab", 4_096)):
        parser.add_argument(f"--{name}", type=int, default=value)
    given = parser.parse_args()
    corpus = corpus_of(given.folder)
    with tempfile.TemporaryDirectory() as name:
        here = Path(name)
        for part in ("tokenizer", "tokens", "plan"):
            (here / part).mkdir()
        vocabulary = train_tokenizer(corpus, here / "tokenizer", vocab=given.vocab)["vocabulary"]
        tokenize(corpus, here / "tokenizer", here / "tokens")
        total, tokens = given.steps * given.batch, {"c": here / "tokens"}
        phase = Phase("main", total, {"c": 1.0}, given.context)
        make_plan(tokens, [phase], here / "plan", batch_tokens=given.batch, seed=1)
        order = Order(here / "plan", tokens)
        losses_at = "loss at " + ", ".join(f"{factor:g}" for factor in FACTORS) + " times the rule's rate"
        print(f"{'width':>6}  {'rate of':12} {losses_at:48} {'best':7} best / rule")
        for width in given.widths:
            architecture = Architecture(
                layers=given.layers, width=width, heads=max(1, width // 64), context=given.context
            )
            shape = derive_shape(architecture, vocabulary)
            model = Model.model_validate(
                {
                    "corpora": {"c": 1.0},
                    "tokenizer": "t",
                    "architecture": architecture.model_dump(),
                    "budget": {"tokens": total},
                    "batch_tokens": given.batch,
                    "training": {"optimiser": given.optimiser},
                }
            )
            recipe = derive_recipe(model, shape)
            for name in ("matrix_rate", "rate"):
                rule = getattr(recipe, name)
                rates = [rule * factor for factor in FACTORS]
                losses = [final_loss(order, shape, replace(recipe, **{name: rate})) for rate in rates]
                found = best(rates, losses)
                told = ", ".join(f"{loss:.3f}" for loss in losses)
                print(f"{width:>6}  {name:12} {told:48} {found:.4f}  {found / rule:.2f}", flush=True)


if __name__ == "__main__":
    main()
