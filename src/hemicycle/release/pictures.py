"""Pictures: what a model read, by source and by licence, as bars."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hemicycle.pictures import new_figure, png_of
from hemicycle.release.facts import Facts
from hemicycle.typeset import flatten

INK, SOURCE, LICENCE = "#1f2933", "#1f4e79", "#7a6a2f"
#: Bars of a panel; what is smaller is drawn together.
MOST_BARS = 12


def draw_composition(facts: Facts, path: Path) -> None:
    """Write a PNG with tokens read by source and by licence; words are the same in both languages."""
    by_source = _largest([(source.name, source.tokens) for source in facts.sources if source.tokens])
    licences: dict[str, int] = {}
    for share in facts.licences:
        name = share.licence or "term over · droits expirés"
        licences[name] = licences.get(name, 0) + share.tokens
    by_licence = _largest(list(licences.items()))
    rows = len(by_source) + len(by_licence)
    figure = new_figure(8, 1.6 + 0.3 * rows, "train", dpi=120)
    upper, lower = figure.subplots(2, 1, height_ratios=[len(by_source) + 1, len(by_licence) + 1], sharex=True)
    unit, name = (1e6, "10⁶ tokens") if facts.tokens >= 1e6 else (1e3, "10³ tokens")
    _bars(upper, by_source, unit, SOURCE, "source")
    _bars(lower, by_licence, unit, LICENCE, "licence")
    upper.set_xlim(0, 1.15 * max((tokens for _, tokens in [*by_source, *by_licence]), default=1) / unit)
    lower.set_xlabel(name, fontsize=9, color=INK)
    path.write_bytes(png_of(figure))


def _largest(parts: list[tuple[str, int]]) -> list[tuple[str, int]]:
    ordered = sorted(parts, key=lambda part: (-part[1], part[0]))
    rest = ordered[MOST_BARS:]
    return ordered[:MOST_BARS] + ([(f"… +{len(rest)}", sum(t for _, t in rest))] if rest else [])


def _bars(axes: Any, parts: list[tuple[str, int]], unit: float, colour: str, title: str) -> None:
    total = sum(tokens for _, tokens in parts)
    for height, (_, tokens) in enumerate(parts):
        axes.barh(height, tokens / unit, height=0.7, color=colour)
        axes.text(tokens / unit, height, f" {tokens / total:.0%}", va="center", fontsize=8, color=INK)
    # Names come from outside: a dollar in one would begin a formula.
    labels = [flatten(name, 40) for name, _ in parts]
    axes.set_yticks(range(len(parts)), labels, fontsize=8, parse_math=False)
    axes.set_ylim(len(parts) - 0.4, -0.6)
    axes.set_title(title, loc="left", fontsize=9, color=INK)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=8)
    axes.spines[["top", "right", "left"]].set_visible(False)
