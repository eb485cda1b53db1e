"""Layouts: the ways to lay a training out over so many cards, and which of them fit into a card's memory.

Looked at are those that people use: weights sharded over all cards (FSDP), or kept whole on each; tensor
parallelism inside a node; pipelines of nodes; with activations kept, or computed again. Of those that fit,
the simplest comes first: what is computed again costs a third of the arithmetic, and what is cut finer waits
for what it exchanges.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from hemicycle.arithmetic import Configuration, Recompute, count_weights
from hemicycle.arithmetic.chips import Chip
from hemicycle.arithmetic.memory import Layout, Memory, training_memory
from hemicycle.errors import DeclarationError

#: Share of a card's memory that a plan may fill: buffers of communication and holes take the rest.
ROOM = 0.9
#: Rows of a micro-batch that are tried.
ROWS = (1, 2, 4, 8)
#: Nothing, or all that is inside layers: with fused attention there is nothing worth choosing in between.
RECOMPUTED: tuple[Recompute, ...] = ("none", "full")


@dataclass(frozen=True)
class Fit:
    """A layout, what the fullest of its cards holds, and which share of it that is."""

    layout: Layout
    memory: Memory
    share: float

    @property
    def fits(self) -> bool:
        return self.share <= ROOM

    def to_json(self) -> dict[str, Any]:
        layout, memory = self.layout, self.memory
        return {
            "data": layout.data,
            "shard": layout.shard,
            "tensor": layout.tensor,
            "pipeline": layout.pipeline,
            "rows": layout.rows,
            "recompute": layout.recompute,
            "weights_gb": round((memory.weights + memory.copies) / 1e9, 3),
            "gradients_gb": round(memory.gradients / 1e9, 3),
            "moments_gb": round(memory.moments / 1e9, 3),
            "activations_gb": round((memory.activations + memory.loss) / 1e9, 3),
            "total_gb": round(memory.total / 1e9, 3),
            "share": round(self.share, 4),
            "fits": self.fits,
        }


def layouts(sizes: Configuration, chip: Chip, cards: int, *, context: int, per_node: int = 8) -> list[Fit]:
    """Each way of cutting, at the most rows a micro-batch that fit, the simplest first; those that do not fit
    even with one row come last.

    Args:
        context: tokens of a row.
        per_node: cards of a node, over which a matrix may be shared.
    """
    found = [_fullest(sizes, chip, layout, context) for layout in _ways(sizes, cards, per_node)]
    known = [fit for fit in found if fit is not None]
    return sorted(known, key=lambda fit: (not fit.fits, _trouble(fit.layout), fit.share))


def _ways(sizes: Configuration, cards: int, per_node: int) -> Iterator[Layout]:
    tensor = 1
    while tensor <= min(per_node, cards):
        pipeline = 1
        while pipeline <= 16 and tensor * pipeline <= cards:
            data, left = divmod(cards, tensor * pipeline)
            if not left:
                # A pipeline gathers its weights anew for each micro-batch where they are sharded.
                for shard in (0, 3) if pipeline == 1 else (1,):
                    if data == 1 and shard == 3:
                        continue
                    for recompute in RECOMPUTED:
                        yield Layout(data, shard, tensor, pipeline, recompute=recompute)
            pipeline *= 2
        tensor *= 2


def _fullest(sizes: Configuration, chip: Chip, layout: Layout, context: int) -> Fit | None:
    """A way with as many rows as fit; None where heads or layers cannot be cut so."""
    best = None
    for rows in ROWS:
        with_rows = replace(layout, rows=rows)
        try:
            memory = training_memory(sizes, with_rows, context=context)
        except DeclarationError:
            return None
        fit = Fit(with_rows, memory, memory.total / chip.memory)
        if best is not None and not fit.fits:
            break
        best = fit
    return best


def _trouble(layout: Layout) -> tuple[int, int, int, int]:
    """What a layout costs beside memory: arithmetic done again first, then how finely it is cut."""
    return (
        layout.recompute == "full",
        layout.pipeline,
        layout.tensor,
        layout.shard,
    )


def fewest(sizes: Configuration, chip: Chip, *, context: int, per_node: int = 8) -> int | None:
    """The fewest cards, a power of two, on which a training fits; None where 4 096 are too few."""
    cards = max(1, 1 << max(0, (count_weights(sizes).total * 2 // chip.memory).bit_length() - 1))
    while cards <= 4_096:
        if any(fit.fits for fit in layouts(sizes, chip, cards, context=context, per_node=per_node)):
            return cards
        cards *= 2
    return None
