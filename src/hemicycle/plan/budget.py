"""A budget turned into arithmetic: how many FLOP the final run may take, and which limit binds.

The inverse of `estimate`: from euros by price to GPU-hours, from tonnes by carbon, cooling and power, from
days by cards and availability; then by utilisation and peak to FLOP. A budget is of a whole project unless it
says otherwise, so the share of experiments and failures is taken off first. The trap is the other way round:
a final run that takes the whole budget has none left for the runs that lead to it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hemicycle.errors import DeclarationError
from hemicycle.plan.assume import Place
from hemicycle.plan.published import peak
from hemicycle.units import Quantity, Range, number, of, sure


@dataclass(frozen=True)
class Budget:
    """What there is to spend, by any of these; days are of all the cards of the place.

    Attributes:
        tco2e: tonnes.
        whole: whether it is for the project, experiments and failures included, or for the final run alone.
    """

    gpu_hours: float | None = None
    eur: float | None = None
    tco2e: float | None = None
    days: float | None = None
    whole: bool = True


@dataclass(frozen=True)
class Limit:
    """One of them: its amount, and what the final run may take of it."""

    name: str
    amount: Quantity
    unit: str
    gpu_hours: Range
    flop: Range

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "amount": number(self.amount, self.unit),
            "unit": self.unit,
            "gpu_hours": self.gpu_hours.to_json("GPU-h"),
            "flop": self.flop.to_json("FLOP"),
        }


@dataclass(frozen=True)
class Affordable:
    """All limits, the one that binds first as expected, and the FLOP that all of them leave."""

    limits: tuple[Limit, ...]
    binding: Limit
    flop: Range


def afford(budget: Budget, place: Place) -> Affordable:
    """What a budget affords at a place.

    Raises DeclarationError on a budget of nothing, or one in euros or days of a place without price or cards.
    """
    limits = tuple(
        _limit(name, amount, unit, place, budget.whole)
        for name, unit in _UNITS.items()
        if (amount := getattr(budget, name)) is not None
    )
    if not limits:
        raise DeclarationError(
            "a budget needs an amount", remedy="Say GPU-hours, euros, tonnes of CO2 or days, or several."
        )
    ends = {
        end: min((getattr(limit.flop, end) for limit in limits), key=lambda flop: number(flop, "FLOP"))
        for end in ("low", "expected", "high")
    }
    binding = min(limits, key=lambda limit: number(limit.flop.expected, "FLOP"))
    return Affordable(limits, binding, Range(**ends))


def _limit(name: str, amount: float, unit: str, place: Place, whole: bool) -> Limit:
    if not (amount > 0 and math.isfinite(amount)):
        raise DeclarationError(f"a budget of {amount:g} {unit} affords nothing")
    there = of(amount, unit)
    hours = _HOURS[name](sure(there), place)
    if whole:
        hours = hours / place.experiments.range
    flop = hours * place.reached * sure(peak(place.chip))
    return Limit(name, there, unit, hours.map(lambda h: h.to("GPU_h")), flop.map(lambda f: f.to("FLOP")))


def _of_euros(euros: Range, place: Place) -> Range:
    if place.price is None:
        raise DeclarationError(
            f"a budget in euros needs a price, and none is known of {place.name}",
            remedy="Say --price, such as “1.90 EUR/GPU-h”, or declare it of the pool in sites.toml.",
        )
    if not place.price.range.low.magnitude:
        raise DeclarationError(
            "a price of zero bounds nothing", remedy="Plan with a budget in hours, carbon or days."
        )
    return euros / place.price.range


def _of_carbon(tonnes: Range, place: Place) -> Range:
    if place.power is None:
        raise DeclarationError(
            f"a budget in carbon needs the power of a card, and none is known of {place.name}",
            remedy="Say --power, such as “551 W/GPU”, or declare it of the pool in sites.toml.",
        )
    return tonnes / place.carbon.range / place.pue.range / place.power.range


def _of_days(days: Range, place: Place) -> Range:
    if place.gpus is None:
        raise DeclarationError(
            "a budget in days needs to know on how many cards",
            remedy="Say --gpus, or name a pool of sites.toml.",
        )
    return days * sure(of(place.gpus, "GPU")) * place.availability.range


_UNITS = {"gpu_hours": "GPU-h", "eur": "EUR", "tco2e": "t", "days": "day"}
_HOURS: dict[str, Callable[[Range, Place], Range]] = {
    "gpu_hours": lambda hours, _: hours,
    "eur": _of_euros,
    "tco2e": _of_carbon,
    "days": _of_days,
}
