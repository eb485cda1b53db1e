"""Choices: which shapes a number of FLOP is best spent on, by each law, and why.

    compute-optimal   the one of least loss
    over-trained      the smallest whose loss stays within a share of the least: what is served must be small
    lifetime          of all models of its loss, the cheapest to train and then to serve so many tokens
    largest           the largest that still reads 20 tokens a parameter, whatever the law

All of them spend all FLOP, so their hours, carbon and cost differ by rounding alone; what differs is the
loss, and the size that will be served. Losses are of text: tokens of sound and pictures are arithmetic like
any other, are taken off what is left for text, and earn nothing here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from hemicycle.plan.assume import Place
from hemicycle.plan.estimate import Estimate, Line, Work, estimate
from hemicycle.plan.laws import Floats, Law, lifetime, losses
from hemicycle.plan.shapes import Shape
from hemicycle.plan.wording import Worded
from hemicycle.units import number

OPTIMAL, OVER_TRAINED, LIFETIME, LARGEST = "compute-optimal", "over-trained", "lifetime", "largest"
#: With fewer tokens a parameter, a smaller model is the better one (Hoffmann et al. 2022, section 3.4).
LEAST_TOKENS = 20.0


@dataclass(frozen=True)
class Task:
    """What is to be spent, where, and on what.

    Attributes:
        laws: the one that decides first.
        sizes: the smallest first.
        unique: tokens of text there are; None: as many as wanted.
        served: tokens that the model will read and write once it is trained.
        others: what is read besides text, once.
        above: share above the least loss that a smaller model is worth.
    """

    flop: float
    place: Place
    laws: tuple[Law, ...]
    sizes: tuple[Shape, ...]
    unique: float | None
    served: float | None
    others: tuple[Line, ...]
    above: float

    @property
    def parameters(self) -> Floats:
        return np.array([float(shape.parameters) for shape in self.sizes])

    @property
    def other_tokens(self) -> float:
        return sum(line.tokens for line in self.others)

    def text(self, flop: float) -> Floats:
        """Whole tokens of text that each size reads for so many FLOP; below one for a size too large."""
        read: Floats = np.floor(flop / 6 / self.parameters - self.other_tokens)
        return read

    def losses(self, law: Law, flop: float, unique: float | None) -> Floats:
        """Of each size; infinite where nothing is left for text."""
        read = self.text(flop)
        found = losses(law, self.parameters, np.maximum(read, 1.0), unique)
        return np.where(read >= 1, found, np.inf)

    def best(self, law: Law, flop: float) -> tuple[Shape, float]:
        """The shape of least loss, and the loss."""
        found = self.losses(law, flop, self.unique)
        return self.sizes[int(found.argmin())], float(found.min())


@dataclass(frozen=True)
class Judged:
    """What a law says of a choice; `above`: share above the least loss that it finds for as many FLOP."""

    law: Law
    loss: float
    above: float

    def to_json(self) -> dict[str, Any]:
        return {
            "law": self.law.name,
            "loss": round(self.loss, 5),
            "unit": self.law.unit,
            "above": round(self.above, 5),
        }


@dataclass(frozen=True)
class Choice:
    """A shape, what it reads, and why.

    Attributes:
        law: by which it was chosen.
        tokens: of text, repeats included.
        epochs: times that the text there is is read; None where nobody said how much there is.
        judged: by every law, that by which it was chosen first.
    """

    name: str
    law: Law
    shape: Shape
    tokens: float
    epochs: float | None
    judged: tuple[Judged, ...]
    estimate: Estimate
    reason: Worded

    @property
    def loss(self) -> float:
        """In the law's own unit."""
        return self.judged[0].loss

    @property
    def flop(self) -> float:
        return number(self.estimate.run.flop.expected, "FLOP")

    def to_json(self) -> dict[str, Any]:
        shares = [each.above for each in self.judged]
        return {
            "name": self.name,
            "law": self.law.name,
            **self.shape.to_json(),
            "tokens": self.tokens,
            "tokens_per_parameter": round(self.tokens / self.shape.parameters, 2),
            "epochs": None if self.epochs is None else round(self.epochs, 3),
            "loss": round(self.loss, 5),
            "unit": self.law.unit,
            "losses": [each.to_json() for each in self.judged],
            "above": {"low": round(min(shares), 5), "high": round(max(shares), 5)},
            **self.estimate.run.to_json(),
            "project": self.estimate.project.to_json(),
            "lines": self.estimate.lines,
            "reason": self.reason.sentence(),
        }


def choose(task: Task) -> list[Choice]:
    """All choices, those of the law that decides first."""
    found = []
    for law in task.laws:
        found += [_optimal(task, law), _over_trained(task, law)]
        if task.served is not None:
            found.append(_lifetime(task, law, task.served))
        if law == task.laws[0] and (largest := _largest(task, law)):
            found.append(largest)
    return found


def _optimal(task: Task, law: Law) -> Choice:
    shape, _ = task.best(law, task.flop)
    reason = Worded("choice_optimal", {"law": law.name, "flop": task.flop, "sizes": len(task.sizes)})
    return _choice(task, law, OPTIMAL, shape, reason)


def _over_trained(task: Task, law: Law) -> Choice:
    best, least = task.best(law, task.flop)
    within = task.losses(law, task.flop, task.unique) <= least * (1 + task.above)
    # An index of the first: the smallest.
    shape = task.sizes[int(within.argmax())]
    times = best.parameters / shape.parameters
    told = {"share": task.above, "times": times}
    reason = Worded("choice_over_trained" if times > 1 else "choice_no_smaller", told)
    return _choice(task, law, OVER_TRAINED, shape, reason)


def _lifetime(task: Task, law: Law, served: float) -> Choice:
    wanted, _ = lifetime(law, task.flop, served, unique=task.unique, others=task.other_tokens)
    fits = np.where(task.text(task.flop) >= 1, np.abs(np.log(task.parameters / wanted)), np.inf)
    shape = task.sizes[int(fits.argmin())]
    loss = float(task.losses(law, task.flop, task.unique)[task.sizes.index(shape)])
    other, flop = _as_good(task, law, loss)
    whole, instead = (f + 2 * s.parameters * served for f, s in ((task.flop, shape), (flop, other)))
    reason = Worded(
        "choice_lifetime",
        {
            "served": served,
            "whole_flop": whole,
            "other": other,
            "instead_flop": instead,
            "share": instead / whole - 1,
        },
    )
    return _choice(task, law, LIFETIME, shape, reason)


def _as_good(task: Task, law: Law, loss: float) -> tuple[Shape, float]:
    """The compute-optimal shape of that loss, and its FLOP: no more than are spent here."""
    low, high = math.log(task.flop) - 20, math.log(task.flop)
    for _ in range(50):
        middle = (low + high) / 2
        good = task.text(math.exp(middle))[0] >= 1 and task.best(law, math.exp(middle))[1] <= loss
        low, high = (low, middle) if good else (middle, high)
    return task.best(law, math.exp(high))[0], math.exp(high)


def _largest(task: Task, law: Law) -> Choice | None:
    fed = np.flatnonzero(task.text(task.flop) >= LEAST_TOKENS * task.parameters)
    best, _ = task.best(law, task.flop)
    if not len(fed) or task.sizes[int(fed[-1])].parameters <= best.parameters:
        return None
    reason = Worded("choice_largest", {"tokens": LEAST_TOKENS})
    return _choice(task, law, LARGEST, task.sizes[int(fed[-1])], reason)


def _choice(task: Task, law: Law, name: str, shape: Shape, reason: Worded) -> Choice:
    index = task.sizes.index(shape)
    tokens = float(task.text(task.flop)[index])
    judged = []
    for each in (law, *(other for other in task.laws if other != law)):
        found = task.losses(each, task.flop, task.unique)
        judged.append(Judged(each, float(found[index]), float(found[index] / found.min()) - 1))
    lines = (Line("text", tokens), *task.others)
    return Choice(
        name=name,
        law=law,
        shape=shape,
        tokens=tokens,
        epochs=tokens / task.unique if task.unique else None,
        judged=tuple(judged),
        estimate=estimate(Work(f"{name}: {shape.name}", shape.parameters, lines), task.place),
        reason=reason,
    )
