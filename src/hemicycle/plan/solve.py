"""Solve: which model a budget should make, how much it should read, and how sure that is.

A budget affords so many FLOP (`budget`); laws say what they are best spent on (`choices`). One law decides: a
ladder's own where its runs are large enough to be believed so far, else a published one. What the others
would have chosen stands beside it: for one budget, published laws differ nearly twofold about the size.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hemicycle.errors import DeclarationError
from hemicycle.plan.assume import Place
from hemicycle.plan.budget import Affordable, Budget, afford
from hemicycle.plan.choices import Choice, Task, choose
from hemicycle.plan.doubts import doubts
from hemicycle.plan.estimate import Line
from hemicycle.plan.flags import Flag
from hemicycle.plan.laws import Law, find_law, law_json, loss, published_laws
from hemicycle.plan.shapes import Shape, shapes, short
from hemicycle.units import number

#: The first law's runs fitted again without its slips; and the one of repeats, where text may run out.
USUAL, OF_REPEATS = "besiroglu-2024", "muennighoff-2023"
#: As of a tokenizer of French and English: Lucie's has 65 024.
VOCABULARY = 65_536
#: Share of the least loss that a smaller model is worth.
ABOVE = 0.01
#: Of a curve: FLOP relative to what is afforded, and how many places.
REACH, PLACES = (1 / 30, 6.0), 48
#: How far above the least loss a valley is told.
RIM = 0.04
#: A curve of one shape begins where it reads so many tokens a parameter.
FEWEST_TOKENS = 2.0


@dataclass(frozen=True)
class Spread:
    """The compute-optimal shape by the law that decides, where something comes out low, expected, high.

    None: where that leaves no text for any.
    """

    of: str
    low: Shape | None
    expected: Shape
    high: Shape

    def to_json(self) -> dict[str, Any]:
        ends = {"low": self.low, "expected": self.expected, "high": self.high}
        return {"of": self.of, **{end: each.parameters if each else None for end, each in ends.items()}}


@dataclass(frozen=True)
class Point:
    """A place on a curve: what is spent, of the whole project where the budget is, and the loss.

    Attributes:
        low, high: the loss where utilisation comes out at its most, and at its least.
    """

    flop: float
    gpu_hours: float
    cost_eur: float | None
    loss: float
    low: float
    high: float

    def to_json(self) -> dict[str, float | None]:
        return {name: None if v is None else float(f"{v:.6g}") for name, v in vars(self).items()}


@dataclass(frozen=True)
class Curve:
    """Loss over what is spent, for one shape; None: for the best of all at each place."""

    shape: Shape | None
    points: tuple[Point, ...]

    def to_json(self) -> dict[str, Any]:
        shape = self.shape.to_json() if self.shape else None
        return {"shape": shape, "points": [point.to_json() for point in self.points]}


@dataclass(frozen=True)
class Valley:
    """By one law: parameters, and the share by which the loss is above the least, all FLOP being spent."""

    law: Law
    points: tuple[tuple[int, float], ...]

    def to_json(self) -> dict[str, Any]:
        return {"law": self.law.name, "points": [[n, round(above, 6)] for n, above in self.points]}


@dataclass(frozen=True)
class Solution:
    """All that a budget leads to; curves and spreads are of the law that decides.

    Attributes:
        languages: tokens of text there are by language, where that is known.
    """

    budget: Budget
    afforded: Affordable
    task: Task
    choices: tuple[Choice, ...]
    spreads: tuple[Spread, ...]
    curves: tuple[Curve, ...]
    valleys: tuple[Valley, ...]
    flags: tuple[Flag, ...]
    languages: Mapping[str, float]

    @property
    def law(self) -> Law:
        """The one that decides."""
        return self.task.laws[0]

    @property
    def decided(self) -> list[Choice]:
        """The choices by that law."""
        return [choice for choice in self.choices if choice.law == self.law]

    def to_json(self) -> dict[str, Any]:
        limits, place = self.afforded.limits, self.task.place
        return {
            "budget": {limit.name: number(limit.amount, limit.unit) for limit in limits},
            "whole_project": self.budget.whole,
            "place": {"name": place.name, "chip": place.chip.name, "gpus": place.gpus},
            "limits": [limit.to_json() for limit in limits],
            "binding": self.afforded.binding.name,
            "flop": self.afforded.flop.to_json("FLOP"),
            "unique_tokens": self.task.unique,
            "languages": dict(self.languages),
            "served_tokens": self.task.served,
            "law": self.law.name,
            "laws": [law_json(law) for law in self.task.laws],
            "choices": [choice.to_json() for choice in self.choices],
            "sizes": [spread.to_json() for spread in self.spreads],
            "curves": [curve.to_json() for curve in self.curves],
            "by_size": [valley.to_json() for valley in self.valleys],
            "assumptions": [each.to_json() for each in place.assumptions],
            "flags": [flag.to_json() for flag in self.flags],
        }


def solve(
    budget: Budget,
    place: Place,
    *,
    law: Law | None = None,
    unique_tokens: float | None = None,
    languages: Mapping[str, float] | None = None,
    served_tokens: float | None = None,
    others: Sequence[Line] = (),
    above: float = ABOVE,
    vocabulary: int = VOCABULARY,
) -> Solution:
    """What to make of a budget at a place.

    Args:
        law: that decides: a ladder's, or a published one. Left out, or where the runs of a ladder are too
            small for this budget: the usual one, or that of repeats where it is said how much text there is.
        unique_tokens: of text in the corpus, by the tokenizer of `vocabulary`.
        languages: those by language; they are told, and change nothing.
        served_tokens: that the model reads and writes in its life.
        others: lines of other modalities.
        above: share above the least loss that the over-trained choice may have.

    Raises DeclarationError on a budget that affords nothing, or no text beside the other lines.
    """
    for amount in (unique_tokens, served_tokens, above, *(line.tokens for line in others)):
        if amount is not None and not (amount > 0 and math.isfinite(amount)):
            raise DeclarationError(f"{amount:g} is no amount to plan with: it is to be above zero")
    afforded = afford(budget, place)
    flop = number(afforded.flop.expected, "FLOP")
    decides = find_law(USUAL if unique_tokens is None else OF_REPEATS)
    if law is not None and (law.farthest is None or flop <= law.farthest):
        decides = law
    task = Task(
        flop=flop,
        place=place,
        laws=(decides, *(known for known in published_laws() if known != decides)),
        sizes=shapes(vocabulary),
        unique=unique_tokens,
        served=served_tokens,
        others=tuple(others),
        above=above,
    )
    if task.text(flop)[0] < 1:
        beside = f" beside {short(task.other_tokens)} other tokens" if others else ""
        raise DeclarationError(
            f"{flop:.3g} FLOP leave no text for the smallest model, {task.sizes[0].name},{beside}",
            remedy="Plan with a larger budget, a smaller vocabulary, or fewer other tokens.",
        )
    choices = choose(task)
    mine = [choice for choice in choices if choice.law == decides]
    drawn = [None, *dict.fromkeys(choice.shape for choice in mine)]
    return Solution(
        budget=budget,
        afforded=afforded,
        task=task,
        choices=tuple(choices),
        spreads=tuple(_spreads(task, afforded)),
        curves=tuple(_curve(task, shape, mine[0], budget.whole) for shape in drawn),
        valleys=tuple(_valley(task, each) for each in task.laws),
        flags=tuple(doubts(task, mine, law)),
        languages=languages or {},
    )


def _by_utilisation(place: Place) -> tuple[float, float]:
    """The least and the most of it, relative to what is expected."""
    reached = place.reached
    return number(reached.low / reached.expected, ""), number(reached.high / reached.expected, "")


def _spreads(task: Task, afforded: Affordable) -> list[Spread]:
    least, most = _by_utilisation(task.place)
    of_all = [number(end, "FLOP") for end in (afforded.flop.low, afforded.flop.high)]
    ends = {"utilisation": (least * task.flop, most * task.flop), "all assumptions": of_all}
    law, found = task.laws[0], []
    for name, (low, high) in ends.items():
        smallest, loss = task.best(law, low)
        found.append(
            Spread(
                name,
                smallest if math.isfinite(loss) else None,
                task.best(law, task.flop)[0],
                task.best(law, high)[0],
            )
        )
    return found


def _curve(task: Task, shape: Shape | None, reference: Choice, whole: bool) -> Curve:
    """What a FLOP costs is known of the reference: all choices are made at one place."""
    spent = reference.estimate.project if whole else reference.estimate.run
    hours = number(spent.gpu_hours.expected, "GPU-h") / reference.flop
    euros = number(spent.cost_eur.expected, "EUR") / reference.flop if spent.cost_eur else None
    least, most = _by_utilisation(task.place)
    points = []
    for flop in map(float, np.geomspace(task.flop * REACH[0], task.flop * REACH[1], PLACES)):
        found = [_loss(task, shape, flop * times) for times in (1.0, most, least)]
        if all(map(math.isfinite, found)):
            points.append(Point(flop, hours * flop, None if euros is None else euros * flop, *found))
    return Curve(shape, tuple(points))


def _valley(task: Task, law: Law) -> Valley:
    found = task.losses(law, task.flop, task.unique)
    above = found / found.min() - 1
    return Valley(
        law,
        tuple((s.parameters, float(a)) for s, a in zip(task.sizes, above, strict=True) if a <= RIM),
    )


def _loss(task: Task, shape: Shape | None, flop: float) -> float:
    """Infinite where nothing, or next to nothing, is read."""
    law = task.laws[0]
    if shape is None:
        return task.best(law, flop)[1]
    tokens = flop / 6 / shape.parameters - task.other_tokens
    if tokens < FEWEST_TOKENS * shape.parameters:
        return math.inf
    return loss(law, shape.parameters, tokens, task.unique)
