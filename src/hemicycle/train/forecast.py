"""The forecast: what the law of a ladder says of the model above it, as a file and a picture.

    scaling.json   points, constants with intervals, fit, the predicted loss, the best size for its cost
    scaling.png    the same to look at

Both are functions of the rungs alone and hold no times.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hemicycle.pictures import new_figure, png_of
from hemicycle.train.scaling import Interval, Law, Point, fit, interval_json, significant
from hemicycle.train.shape import Shape

UNIT = "bits per byte of held-out text"


def forecast(rungs: Mapping[str, Path], shape: Shape, tokens: int, out: Path) -> dict[str, Any]:
    """Fit the law to rungs (name → folder) and write what it says of a model of `shape` that reads `tokens`.

    Returns figures for the statement. Raises InputError where no law can be fitted, or the model is too far.
    """
    told = {name: json.loads((folder / "rung.json").read_text("utf-8")) for name, folder in rungs.items()}
    law = fit([Point(n, r["parameters"], r["tokens"], r["bits_per_byte"]) for n, r in sorted(told.items())])
    flop = 6.0 * shape.parameters * tokens
    predicted = law.predict(shape.parameters, tokens)
    parameters, read = law.optimum(flop)
    target = {
        "parameters": shape.parameters,
        "tokens": tokens,
        "flop": significant(flop),
        "predicted": interval_json(predicted),
        "times_the_largest_rung": significant(law.reach(shape.parameters, tokens), 3),
    }
    optimum = {
        "flop": significant(flop),
        "parameters": interval_json(parameters),
        "tokens": interval_json(read),
    }
    facts = {"unit": UNIT, **law.to_json(), "target": target, "optimum": optimum}
    text = json.dumps(facts, ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False)
    (out / "scaling.json").write_text(text + "\n", "utf-8")
    draw(law, shape.parameters, tokens, predicted, out / "scaling.png")
    return facts


def draw(law: Law, parameters: int, tokens: int, predicted: Interval, path: Path) -> None:
    """Loss over tokens, one curve a size: points, the fit with its band, and what the model should reach."""
    sizes = sorted({p.parameters for p in law.points})
    shades = ["#9db4c0", "#7d9aaa", "#5c7f93", "#3c647d", "#253237"]
    figure = new_figure(7, 4.4, "train")
    axes = figure.add_subplot()
    reads = np.geomspace(min(p.tokens for p in law.points) / 1.3, tokens * 1.3, 60)
    for size, shade in zip([*sizes, parameters], [*_spread(shades, len(sizes)), "#c05a1c"], strict=True):
        found = np.array([law.losses(size, d) for d in reads])
        low, high = np.quantile(found[:, 1:], [0.025, 0.975], axis=1)
        axes.plot(reads, found[:, 0], color=shade, linewidth=1.4, label=f"{size / 1e6:.2f} M")
        axes.fill_between(reads, low, high, color=shade, alpha=0.15, linewidth=0)
        own = [p for p in law.points if p.parameters == size]
        axes.plot([p.tokens for p in own], [p.loss for p in own], "o", color=shade, markersize=4.5)
    axes.plot([tokens, tokens], [predicted.low, predicted.high], color="#c05a1c", linewidth=2)
    axes.plot([tokens], [predicted.value], "D", color="#c05a1c", markersize=6)
    axes.set_xscale("log")
    axes.set_xlabel("tokens")
    axes.set_ylabel(UNIT)
    axes.grid(alpha=0.25)
    axes.legend(frameon=False, title="parameters", fontsize=8)
    path.write_bytes(png_of(figure))


def _spread(shades: list[str], count: int) -> list[str]:
    """So many of the shades, at even distances, repeated where there are not enough."""
    return [shades[round(i * (len(shades) - 1) / max(1, count - 1))] for i in range(count)]
