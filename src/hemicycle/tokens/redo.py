"""Redo: what part of a run must be read again when a source leaves it.

A withdrawn text is out of the weights where training goes back to before the first step that read it, and
reads the rest again without it. So the price of a withdrawal is decided by the order: a shuffled run reads
every source at once and is redone whole; one that reads revocable sources last loses its tail.

Where sources leave independently of one another, each with its own probability, what is redone is what the
earliest of them asks for. Its expectation, given that one leaves at all, needs no simulation:

    sum over sources, the earliest first, of  h_i x product of (1 - h_j) over those before it  x  redo_i
    divided by  1 - product of (1 - h_j) over all

Of k documents of a uniform shuffle it is k/(k+1): the first of k even draws.

The trap is the checkpoint. These are the least that can be: a run goes back to the last checkpoint before
that step, and not to the step itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from hemicycle.errors import DeclarationError
from hemicycle.tokens.exposure import exposure
from hemicycle.tokens.order import Order


def redo_of(plan: Path, tokens: Mapping[str, Path]) -> dict[str, tuple[int, float]]:
    """Source → the first step that reads it, and the share of the run's tokens from that step on.

    Sources that the plan never comes to are absent: to withdraw one costs nothing.
    """
    order = Order(plan, tokens)
    read = exposure(plan, tokens).group_by("source").aggregate([("first_step", "min")])
    whole = order.tokens_before(order.steps)
    return {
        row["source"]: (row["first_step_min"], 1 - order.tokens_before(row["first_step_min"]) / whole)
        for row in sorted(read.to_pylist(), key=lambda row: (row["first_step_min"], row["source"]))
    }


def expected_redo(redo: Mapping[str, float], hazards: Mapping[str, float]) -> float:
    """The share of a run that is expected to be redone, given that at least one source leaves.

    Args:
        redo: source → share of the run that is redone where it leaves alone.
        hazards: source → probability that it leaves; those without one stay.

    Raises DeclarationError where a probability is none, or no source can leave.
    """
    if wrong := [name for name, hazard in hazards.items() if not 0 <= hazard <= 1]:
        raise DeclarationError(f"the probability that {wrong[0]} leaves is {hazards[wrong[0]]}, not 0 to 1")
    expected, stay = [], 1.0
    for name in sorted(hazards, key=lambda name: -redo.get(name, 0.0)):
        expected.append(stay * hazards[name] * redo.get(name, 0.0))
        stay *= 1 - hazards[name]
    if stay == 1.0:
        raise DeclarationError("no source can leave, so nothing is ever redone")
    return math.fsum(expected) / (1 - stay)
