"""The comparison as bars with intervals, one panel a source, without words that need translating."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hemicycle.evaluate.wording import ANSWERS, TOTAL, scopes
from hemicycle.pictures import new_figure, png_of

INK, MODEL, BASE, COMPARED, BASELINE = "#1f2933", "#1f4e79", "#7ba0c0", "#c05a1c", "#b8c0c8"
COLOURS = {"model": MODEL, "base": BASE, "compared": COMPARED, "baseline": BASELINE}
PANELS_ABREAST = 3


def draw(results: Mapping[str, Any], path: Path) -> None:
    """Write a PNG with a panel a scope (“? →”: answers); a shorter bar is a better model."""
    rows = results["rows"]
    names = list(dict.fromkeys(row["name"] for row in rows))
    shown = scopes(rows)
    abreast = min(PANELS_ABREAST, len(shown))
    deep = math.ceil(len(shown) / abreast)
    figure = new_figure(2.6 + 3.2 * abreast, (0.9 + 0.34 * len(names)) * deep, "evaluate", dpi=144)
    axes = figure.subplots(deep, abreast, sharex=True, sharey=True, squeeze=False)
    longest = max(row["high"] or row["bits_per_byte"] for row in rows if row["source"] in shown)
    for panel, scope in zip(axes.flat, shown, strict=False):
        _panel(panel, names, [row for row in rows if row["source"] == scope], gap=0.015 * longest)
        panel.set_xlim(0, 1.22 * longest)
        kilobytes = next(row["bytes"] for row in rows if row["source"] == scope) / 1000
        title = {TOTAL: "Σ", ANSWERS: "? →"}.get(scope, scope)
        panel.set_title(f"{title}  ({kilobytes:.0f} kB)", loc="left", fontsize=9, color=INK)
    for panel in axes.flat[len(shown) :]:
        panel.set_axis_off()
    figure.supxlabel("bits / byte · bits / octet   (↓)", fontsize=9, color=INK)
    path.write_bytes(png_of(figure))


def _panel(panel: Any, names: list[str], rows: list[dict[str, Any]], gap: float) -> None:
    by_name = {row["name"]: row for row in rows}
    for height, name in enumerate(names):
        row = by_name.get(name)
        if row is None:
            continue
        value, low, high = row["bits_per_byte"], row["low"], row["high"]
        panel.barh(height, value, height=0.68, color=COLOURS[row["kind"]])
        if low is not None:
            panel.hlines(height, low, high, color=INK, linewidth=1.2)
            panel.vlines([low, high], height - 0.16, height + 0.16, color=INK, linewidth=1.2)
        panel.text(
            (high or value) + gap, height, f"{value:.2f}", va="center", ha="left", fontsize=8, color=INK
        )
    panel.set_yticks(range(len(names)), [_short(name) for name in names], fontsize=8)
    panel.set_ylim(len(names) - 0.5, -0.5)
    panel.tick_params(axis="x", labelsize=8)
    panel.tick_params(axis="y", length=0)
    panel.spines[["top", "right", "left"]].set_visible(False)


def _short(name: str) -> str:
    """A label that stands in both languages and in little room."""
    name = name.replace("character n-gram of order", "n-gram")
    name = name if len(name) <= 28 else f"{name[:27]}…"
    return name.replace("$", r"\$")  # a pair of dollars would be read as a formula
