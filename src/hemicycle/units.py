"""Quantities with units: what a plan reckons with, so that no hour of a node passes for one of a GPU.

A graphics card, a node, a token, an operation and a euro are dimensions of their own here. What is declared
is written with its unit, as people write it (``"1.90 EUR/GPU-h"``, ``"551 W/GPU"``, ``"20 g/kWh"``), and what
does not fit where it stands is refused with what would have fitted. Pint does the arithmetic and holds every
formula to its dimensions.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hemicycle.errors import DeclarationError

if TYPE_CHECKING:
    from pint import Quantity as PintQuantity
    from pint import UnitRegistry

    Quantity = PintQuantity[Any]
else:
    Quantity = Any

#: Units whose spelling with a hyphen would be a subtraction.
_HYPHENED = re.compile(r"\b(GPU|node)[-·](h|hour|hours)\b")
#: Grams of what: a factor is of nothing else.
_CARBON = re.compile(r"\bg(CO2|CO₂)(eq|e)?\b")
#: A number, then a unit: nothing that a parser could take for a formula.
_WRITTEN = re.compile(
    r"\s*([0-9]{1,15}(?:[_ ][0-9]{3}){0,5}(?:\.[0-9]{1,15})?(?:e[+-]?[0-9]{1,2})?)"
    r"\s*([A-Za-z€][A-Za-z0-9_€/·*-]{0,40})\s*"
)


@functools.cache
def registry() -> UnitRegistry[Any]:
    """The one registry: quantities of two could not be added."""
    import pint

    return pint.UnitRegistry(str(Path(__file__).with_name("units.txt")))


def quantity(text: str, unit: str) -> Quantity:
    """A quantity as declared, in `unit`: ``quantity("1.9 EUR/GPU-h", "EUR/GPU-h")``.

    Raises DeclarationError, without a place, where it is none or of another dimension.
    """
    import pint

    match = _WRITTEN.fullmatch(text)
    if match is None:
        raise DeclarationError(f"“{text}” is no number with a unit", remedy=_such(unit))
    try:
        number = float(re.sub("[_ ]", "", match[1]))
        found: Quantity = registry().Quantity(number, spelled(match[2]))
        return found.to(spelled(unit))
    except pint.DimensionalityError:
        raise DeclarationError(f"“{text}” is not in {unit}", remedy=_such(unit)) from None
    except (pint.UndefinedUnitError, pint.DefinitionSyntaxError, AttributeError, TypeError, ValueError):
        raise DeclarationError(f"“{match[2]}” is no unit that is known here", remedy=_such(unit)) from None


def in_units(*units: str, above_zero: bool = False) -> Callable[[str], str]:
    """A check of a declared text: that it is a quantity in one of these units.

    It raises ValueError, as checks of declared tables do.
    """

    def check(text: str) -> str:
        for unit in units:
            try:
                found = quantity(text, unit)
            except DeclarationError as error:
                refused = error
                continue
            if above_zero and not found.magnitude:
                raise ValueError(f"{text} is not above zero")
            return text
        raise ValueError(f"{refused.what}; it is written in {' or '.join(units)}")

    return check


def of(number: float, unit: str) -> Quantity:
    """A number of our own in a unit."""
    return registry().Quantity(float(number), spelled(unit))


def number(value: Quantity, unit: str) -> float:
    """The number of so many units. Raises pint's DimensionalityError where the formula behind it is wrong."""
    return float(value.to(spelled(unit)).magnitude)


@dataclass(frozen=True)
class Range:
    """What is expected, and how low and high it may come; all three in one dimension.

    Arithmetic keeps the ends: the low end of a quotient is that of the low dividend and the high divisor. So
    the ends are where everything goes well, or badly, at once. Nothing here is negative.
    """

    low: Quantity
    expected: Quantity
    high: Quantity

    def __post_init__(self) -> None:
        if not (self.low <= self.expected <= self.high):
            raise ValueError(f"{self.low}, {self.expected}, {self.high} are not in order")

    def __mul__(self, other: Range) -> Range:
        return Range(self.low * other.low, self.expected * other.expected, self.high * other.high)

    def __truediv__(self, other: Range) -> Range:
        return Range(self.low / other.high, self.expected / other.expected, self.high / other.low)

    def __add__(self, other: Range) -> Range:
        return Range(self.low + other.low, self.expected + other.expected, self.high + other.high)

    def map(self, change: Callable[[Quantity], Quantity]) -> Range:
        """Each of the three through a growing function."""
        return Range(change(self.low), change(self.expected), change(self.high))

    @property
    def spread(self) -> float:
        """How many times the low end the high one is."""
        if not self.low.magnitude:
            return 1.0 if not self.high.magnitude else math.inf
        return float((self.high / self.low).to("").magnitude)

    def to_json(self, unit: str) -> dict[str, float]:
        return {end: _significant(number(getattr(self, end), unit)) for end in ("low", "expected", "high")}


def sure(value: Quantity) -> Range:
    return Range(value, value, value)


def between(low: float, expected: float, high: float, unit: str) -> Range:
    return Range(of(low, unit), of(expected, unit), of(high, unit))


def spelled(unit: str) -> str:
    """A unit as people write it, for the registry."""
    return _HYPHENED.sub(r"\1_h", _CARBON.sub("g", unit)).replace("·", "*").replace("€", "EUR")


def _such(unit: str) -> str:
    return f"Write it with its unit, such as “{_EXAMPLES.get(unit, '1')} {unit}”."


_EXAMPLES = {
    "EUR/GPU-h": "1.90",
    "W/GPU": "551",
    "g/kWh": "20",
    "Gbit/s": "10",
    "GPU-h": "500_000",
    "hour": "20",
}


def _significant(value: float) -> float:
    """Six digits: those behind are of the machine, and no plan has them."""
    return float(f"{value:.6g}")
