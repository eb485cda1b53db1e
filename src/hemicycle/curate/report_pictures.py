"""Pictures of a report: bars for each part of a corpus, a histogram with its cut for each bound.

Words in them are the same in both languages.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hemicycle.pictures import new_figure, png_of

INK, BAR, CUT, LEFT_OUT = "#1f2933", "#1f4e79", "#c05a1c", "#b8c0c8"
#: Bars of a picture; the table beside it has the others.
MOST_BARS = 12
#: Documents in a bar above which the heights of a histogram are logarithmic.
PLAIN = 100


def pictures(report: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    """Names of files and their PNG, in the order of the page. Raises DeclarationError without matplotlib."""
    for part, lines in report["composition"].items():
        if lines:
            yield composition_name(part), _composition(part, lines)
    for bound in report["bounds"]:
        if bound["histogram"]:
            yield bound_name(bound["name"]), _histogram(bound)


def composition_name(part: str) -> str:
    return f"by-{part}.png"


def bound_name(rule: str) -> str:
    """`SET/RULE` as a file; both are of letters, figures, hyphens and low lines."""
    return f"bound-{rule.replace('/', '.')}.png"


def _composition(part: str, lines: list[dict[str, Any]]) -> bytes:
    amount = "tokens" if lines[0]["tokens"] is not None else "characters"
    # Periods stand in their order, so a long row of them is not cut to the largest.
    bars = lines if part == "period" else lines[:MOST_BARS]
    total = sum(line[amount] for line in lines)
    figure, axes = _figure(1.0 + 0.28 * len(bars))
    for height, line in enumerate(bars):
        axes.barh(height, line[amount], height=0.7, color=BAR)
        share = f" {line[amount] / total:.1%}" if total else ""
        axes.text(line[amount], height, share, va="center", fontsize=8, color=INK)
    # Names come from outside: a dollar in one would begin a formula.
    labels = [_short(line["name"]) for line in bars]
    axes.set_yticks(range(len(bars)), labels, fontsize=8, parse_math=False)
    axes.set_ylim(len(bars) - 0.4, -0.6)
    axes.set_xlim(0, 1.15 * max([*(line[amount] for line in bars), 1]))
    axes.tick_params(axis="y", length=0)
    size, unit = _unit(max(line[amount] for line in bars))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value / size:g}")
    word = {"tokens": "tokens", "characters": "char."}[amount]
    axes.set_xlabel(f"{word} ({unit})" if unit else word, fontsize=8, color=INK)
    return png_of(figure)


def _histogram(bound: Mapping[str, Any]) -> bytes:
    spread = bound["histogram"]
    counts = spread["counts"]
    width = (spread["high"] - spread["low"]) / len(counts)
    middles = [spread["low"] + (n + 0.5) * width for n in range(len(counts))]
    cuts = [cut for cut in (bound["at_least"], bound["at_most"]) if cut is not None]
    figure, axes = _figure(1.9)
    kept = [_keeps(bound, middle) for middle in middles]
    axes.bar(middles, counts, width=width, color=[BAR if k else LEFT_OUT for k in kept])
    for cut in cuts:
        axes.axvline(cut, color=CUT, linewidth=1.6)
    # Most documents keep most bounds; on a plain scale the ones that do not would be a line of no height.
    if max(counts) > PLAIN:
        axes.set_yscale("symlog", linthresh=10)
    else:
        # There is no half a document.
        axes.yaxis.get_major_locator().set_params(integer=True)
    axes.yaxis.set_major_formatter("{x:.0f}")
    axes.set_ylim(bottom=0)
    # A bound may lie at the edge, and must be seen.
    axes.set_xlim(spread["low"] - width, spread["high"] + width)
    axes.set_xlabel(bound["measure"], fontsize=8, color=INK, parse_math=False)
    axes.set_ylabel("documents", fontsize=8, color=INK)
    return png_of(figure)


def _keeps(bound: Mapping[str, Any], value: float) -> bool:
    low, high = bound["at_least"], bound["at_most"]
    return (low is None or value >= low) and (high is None or value <= high)


def _figure(height: float) -> tuple[Any, Any]:
    figure = new_figure(7.5, height, "train")
    axes = figure.subplots()
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _unit(largest: int) -> tuple[int, str]:
    """What an axis counts in, written in figures, which are the same in both languages."""
    for size, unit in ((10**9, "× 1 000 000 000"), (10**6, "× 1 000 000"), (10**3, "× 1 000")):
        if largest >= size:
            return size, unit
    return 1, ""


def _short(name: str | None) -> str:
    # Where a document says nothing, the page says so in its language; a picture has one label for both.
    text = name or "non indiqué / not stated"
    return text if len(text) <= 36 else f"{text[:35]}…"
