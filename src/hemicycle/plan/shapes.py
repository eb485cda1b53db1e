"""Shapes: the sizes of model that a plan chooses among, each one that could be declared as it stands.

Llamas, from a width of 128 to one of 20 480, their layers from a 144th to a 96th of the width: published ones
lie between (Llama 2 7B 1/128, 70B 1/102), and Kaplan et al. 2020 (arXiv 2001.08361, figure 5) find that far
around these the loss follows the number of parameters alone. Heads are of 64 below a width of 2 048 and of
128 from there.

Parameters are all of them, embedding and head included, as the laws and 6 N D count them. The vocabulary is
fixed, so a small model is mostly rows of it: a plan that leaves them out would choose one too large.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

from hemicycle.arithmetic import count_weights, from_architecture
from hemicycle.plan.told import many
from hemicycle.project import Architecture
from hemicycle.typeset import Language

#: Between two widths of the grid, from which width on.
STEPS = ((128, 64), (1_024, 128), (4_096, 256), (8_192, 512), (16_384, 1_024))
WIDEST = 20_480
#: Width for each layer.
FLATTEST, DEEPEST = 144, 96
WIDE_HEADS_FROM, HEAD, WIDE_HEAD = 2_048, 64, 128
#: Weights do not depend on it; a declaration asks for one.
CONTEXT = 4_096


@dataclass(frozen=True)
class Shape:
    """A llama.

    Attributes:
        parameters: all weights.
        of_vocabulary: those of the embedding and of the head.
    """

    layers: int
    width: int
    heads: int
    feed_forward: int
    vocabulary: int
    parameters: int
    of_vocabulary: int

    @property
    def name(self) -> str:
        return f"{short(self.parameters)} ({self.layers} × {self.width})"

    def shown(self, language: Language) -> str:
        return f"{many(self.parameters, language)} ({self.layers} × {self.width})"

    def to_json(self) -> dict[str, Any]:
        return {
            "parameters": self.parameters,
            "layers": self.layers,
            "width": self.width,
            "heads": self.heads,
            "feed_forward": self.feed_forward,
            "vocabulary": self.vocabulary,
            "vocabulary_share": round(self.of_vocabulary / self.parameters, 4),
        }


@functools.cache
def shapes(vocabulary: int) -> tuple[Shape, ...]:
    """All of them, the smallest first."""
    found = {
        (width, layers)
        for width in _widths()
        for layers in range(max(1, round(width / FLATTEST)), max(2, round(width / DEEPEST)) + 1)
        # Deep models differ by little from one layer to the next.
        if layers < 32 or layers % 4 == 0
    }
    return tuple(sorted((_shape(w, n, vocabulary) for w, n in found), key=lambda s: s.parameters))


def short(number: float) -> str:
    """A number of parameters or tokens as people say it: ``6.7 B``, ``1.3 T``."""
    number = float(f"{number:.3g}")
    if number < 1_000:
        return f"{number:g}"
    power = min(int(math.log10(number) // 3), 4)
    return f"{number / 1000**power:.3g} {' kMBT'[power]}"


def _widths() -> list[int]:
    ends = [*(start for start, _ in STEPS[1:]), WIDEST + STEPS[-1][1]]
    return [w for (start, step), end in zip(STEPS, ends, strict=True) for w in range(start, end, step)]


def _shape(width: int, layers: int, vocabulary: int) -> Shape:
    heads = width // (WIDE_HEAD if width >= WIDE_HEADS_FROM else HEAD)
    declared = Architecture(kind="llama", layers=layers, width=width, heads=heads, context=CONTEXT)
    sizes = from_architecture(declared, vocabulary)
    weights = count_weights(sizes)
    return Shape(
        layers=layers,
        width=width,
        heads=heads,
        feed_forward=sizes.feed_forward,
        vocabulary=vocabulary,
        parameters=weights.total,
        of_vocabulary=weights.embedding + weights.head,
    )
