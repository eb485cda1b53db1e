"""Fertility as bars: bytes per token of each tokenizer, group by group, without words that need translating.

Bytes per token, for they compare tokenizers whatever a word is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hemicycle.pictures import new_figure, png_of

INK = "#1f2933"
#: Of the tokenizers in their order; past the last they begin again.
COLOURS = ("#1f4e79", "#c05a1c", "#b8c0c8", "#7a6a2f", "#2f7d4f", "#7a4f79")
#: Groups of a picture, those with the most words; the table has the others.
MOST_GROUPS = 12


def fertility_picture(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """A PNG of what `fertility` returns. Raises DeclarationError without matplotlib."""
    *groups, total = rows
    shown = sorted(groups, key=lambda row: -row["words"])[:MOST_GROUPS]
    # The table's order again; where there is one group, it is the total.
    drawn = [row for row in groups if row in shown] if len(groups) > 1 else []
    drawn.append(total)
    names = list(total["tokenizers"])
    thick = 0.8 / len(names)
    bars: list[Any] = []
    figure = new_figure(7.5, 1.1 + (0.16 + 0.17 * len(names)) * len(drawn), "train")
    axes = figure.subplots()
    for number, name in enumerate(names):
        values = [row["tokenizers"][name]["bytes_per_token"] for row in drawn]
        heights = [place - 0.4 + thick * (number + 0.5) for place in range(len(drawn))]
        colour = COLOURS[number % len(COLOURS)]
        bars.append(axes.barh(heights, values, height=0.9 * thick, color=colour))
        for height, value in zip(heights, values, strict=True):
            axes.text(value, height, f" {value:.2f}", va="center", fontsize=7, color=INK)
    labels = [*(_label(row) for row in drawn[:-1]), "Σ"]
    # Names come from outside: a dollar in one would begin a formula.
    axes.set_yticks(range(len(drawn)), labels, fontsize=8, parse_math=False)
    axes.set_ylim(len(drawn) - 0.4, -0.6)
    most = max(found["bytes_per_token"] for row in drawn for found in row["tokenizers"].values())
    axes.set_xlim(0, 1.15 * max(most, 1))
    axes.tick_params(axis="x", labelsize=8)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel("bytes / token · octets / token   (↑)", fontsize=8, color=INK)
    legend = figure.legend(bars, [_short(name) for name in names], fontsize=8, loc="outside upper left")
    for text in legend.get_texts():
        text.set_parse_math(False)
    return png_of(figure)


def _label(row: Mapping[str, Any]) -> str:
    """A group as it is named: the variety says the language too."""
    return _short("  ".join(text or "–" for text in (row["variety"] or row["language"], row["period"])))


def _short(name: str) -> str:
    """A name of bounded length; of a path, the end tells more."""
    return name if len(name) <= 36 else f"…{name[-35:]}"
