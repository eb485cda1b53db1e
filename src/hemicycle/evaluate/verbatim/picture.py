"""What was checked as pictures whose few words stand in both languages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hemicycle.evaluate.verbatim.sets import source_of
from hemicycle.pictures import new_figure, png_of
from hemicycle.typeset import flatten

INK, CLEAN, PARTLY, WHOLLY, UNJUDGED = "#1f2933", "#c9d6df", "#e0a458", "#b3361c", "#f0f2f4"
TRAINING, CONTROL = "#1f4e79", "#7a8791"
_VERDICTS = {"clean": CLEAN, "partly": PARTLY, "contaminated": WHOLLY, "unjudged": UNJUDGED}
#: What a line is of, its colour, and what it is called.
LINES = (("all", TRAINING, "read · lu"), ("control", CONTROL, "held out · à l’écart"))
#: Bars of a panel; sets beyond are in the files.
MOST_BARS = 20


def draw_contamination(results: Mapping[str, Any], path: Path) -> None:
    """Write a PNG with a bar a set, one panel a training text: ✓ clean, ≥ 20 %, ≥ 80 %, ? not judged."""
    panels = [(text["training"], _bars(text)[:MOST_BARS]) for text in results["training"]]
    deep = sum(len(bars) + 2 for _, bars in panels)
    figure = new_figure(7.6, 0.9 + 0.3 * deep, "evaluate", dpi=144)
    heights = [len(bars) + 2 for _, bars in panels]
    axes = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights)
    for panel, (name, bars) in zip(axes.flat, panels, strict=True):
        for height, (_, counted) in enumerate(bars):
            at, total = 0.0, max(1, sum(counted[v] for v in _VERDICTS))
            for verdict, colour in _VERDICTS.items():
                share = counted[verdict] / total
                panel.barh(height, share, left=at, height=0.7, color=colour)
                at += share
        _label(panel, [name for name, _ in bars])
        panel.set_title(flatten(name, 60), loc="left", fontsize=9, color=INK, parse_math=False)
        panel.set_xlim(0, 1)
    handles = [_patch(colour) for colour in _VERDICTS.values()]
    figure.legend(handles, ["✓", "≥ 20 %", "≥ 80 %", "?"], loc="outside lower center", ncols=4, fontsize=8)
    path.write_bytes(png_of(figure))


def _bars(text: Mapping[str, Any]) -> list[tuple[str, Mapping[str, int]]]:
    bars = []
    for one in (*text["sets"], *text["held_out"]):
        source = source_of(one["set"])
        name = one["set"] if source is None else f"{source} (held out · à l’écart)"
        bars.append((name, one["question"]))
        if one["context"]:
            bars.append((f"{name} (…)", one["context"]))
    return bars


def draw_regurgitation(results: Mapping[str, Any], path: Path) -> None:
    """Write a PNG, a line of panels a model: share of exact continuations by length of the prefix, training
    text against held-out text; and by number of copies."""
    models = results["models"]
    figure = new_figure(7.6, 0.4 + 2.5 * len(models), "evaluate", dpi=144)
    axes = figure.subplots(len(models), 2, squeeze=False, sharey="row")
    for (left, right), (name, model) in zip(axes, models.items(), strict=True):
        for by, colour, label in LINES:
            rows = [row for row in model["rows"] if row["by"] == by]
            _whiskers(left, [row["prefix"] for row in rows], rows, colour, label)
        left.set_xscale("log", base=2)
        left.set_xticks(lengths := model["lengths"], [str(n) for n in lengths], fontsize=8)
        left.minorticks_off()
        left.set_xlabel("tokens · jetons →", fontsize=8, color=INK)
        left.set_title(flatten(name, 40), loc="left", fontsize=9, color=INK, parse_math=False)
        left.legend(fontsize=8, frameon=False)
        rows = [r for r in model["rows"] if r["by"] == "copies" and r["prefix"] == max(lengths)]
        _whiskers(right, list(range(len(rows))), rows, TRAINING, "")
        right.set_xticks(range(len(rows)), [row["value"] for row in rows], fontsize=8)
        right.set_xlabel("× copies →", fontsize=8, color=INK)
        for panel in (left, right):
            panel.set_ylim(bottom=0)
            panel.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.3g} %")
            panel.tick_params(axis="y", labelsize=8)
            panel.spines[["top", "right"]].set_visible(False)
    path.write_bytes(png_of(figure))


def _whiskers(
    panel: Any, places: Sequence[float], rows: Sequence[Mapping[str, Any]], colour: str, label: str
) -> None:
    values = [row["exact"]["value"] for row in rows]
    panel.plot(places, values, "o-", color=colour, markersize=4, linewidth=1.2, label=label)
    for place, row in zip(places, rows, strict=True):
        if row["exact"]["low"] is not None:
            panel.vlines(place, row["exact"]["low"], row["exact"]["high"], color=colour, linewidth=1)


def _patch(colour: str) -> Any:
    from matplotlib.patches import Patch

    return Patch(color=colour)


def _label(panel: Any, names: Sequence[str]) -> None:
    # Names come from outside: a dollar in one would begin a formula.
    shown = [flatten(name, 44) for name in names]
    panel.set_yticks(range(len(names)), shown, fontsize=8, parse_math=False)
    panel.set_ylim(len(names) - 0.5, -0.5)
    panel.tick_params(axis="y", length=0)
    panel.tick_params(axis="x", labelsize=8)
    panel.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    panel.spines[["top", "right", "left"]].set_visible(False)
