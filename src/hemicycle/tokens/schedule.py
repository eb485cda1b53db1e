"""Phases of a run, and the steps they come to: how many rows each step reads, of which length."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from hemicycle.tokens.strata import Mixture

#: How rows are made of documents; `packing` says what each does.
Packing = Literal["split", "best-fit", "whole"]

#: The order of the rows of a phase; `plan` says what each does.
Reading = Literal["shuffled", "proven-first", "short-first", "old-first"]

#: A batch that warms up has these parts of the full batch, each for as many tokens as the others.
WARM_UP_PARTS = (8, 4, 2)


@dataclass(frozen=True)
class Phase:
    """A part of a run with an order of its own.

    Attributes:
        tokens: that the phase reads: places of its rows, padding included.
        shares: corpus → its share of the rows, relative to their sum.
        context: tokens the model sees at once; a row has one more, the last target.
        mix: shares inside each corpus; None: a corpus is one stratum, read as often as it takes.
    """

    name: str
    tokens: int
    shares: Mapping[str, float]
    context: int
    packing: Packing = "split"
    reading: Reading = "shuffled"
    mix: Mixture | None = None


@dataclass(frozen=True)
class Block:
    """Steps one after another that read equally many rows of one phase."""

    phase: int
    steps: int
    rows: int


def blocks(phases: Sequence[Phase], batch_tokens: int, warm_up: float) -> list[Block]:
    """The steps of a run.

    A full batch has as many rows as `batch_tokens` hold, and one at least. Over the first `warm_up` share of
    the run's tokens it is an eighth, then a quarter, then half of that: early gradients are much alike, so a
    large batch of them is waste (Smith et al. 2018, arXiv 1711.00489; McCandlish et al. 2018,
    arXiv 1812.06162).

    Whole steps miss the tokens asked for: by half a step at most over the whole run, and a phase has one step
    at least. What one phase reads too much, the next reads less.
    """
    total = sum(phase.tokens for phase in phases)
    ends = itertools.accumulate(phase.tokens for phase in phases)
    levels = [
        (parts, warm_up * total * (i + 1) / len(WARM_UP_PARTS)) for i, parts in enumerate(WARM_UP_PARTS)
    ]
    planned, done = [], 0
    for number, (phase, end) in enumerate(zip(phases, ends, strict=True)):
        full = max(1, batch_tokens // phase.context)
        taken = 0
        for parts, until in [*levels, (1, float(total))]:
            rows = max(1, full // parts)
            steps = max(0, round((min(until, end) - done) / (rows * phase.context)))
            if steps:
                planned.append(Block(number, steps, rows))
                done += steps * rows * phase.context
                taken += steps
        if not taken:
            planned.append(Block(number, 1, full))
            done += full * phase.context
    return planned
