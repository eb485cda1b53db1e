"""What is told of a plan, piece by piece, in one language: the terminal prints it, the page shows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from hemicycle.typeset import Language, format_duration, format_number, format_quantity
from hemicycle.units import Range

#: Figure → unit of an estimate, unit for people, and how many of those make one of the former.
SHOWN: dict[str, tuple[str, str, float]] = {
    "gpu_hours": ("GPU-h", "h", 1.0),
    "days": ("day", "", 1.0),
    "energy_mwh": ("MWh", "Wh", 1e6),
    "cost_eur": ("EUR", "€", 1.0),
}


@dataclass(frozen=True)
class Heading:
    text: str


@dataclass(frozen=True)
class Sentence:
    """`name`: of a flag, which makes it a warning."""

    text: str
    name: str = ""


@dataclass(frozen=True)
class Table:
    """`page_only`: too long for a terminal."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    page_only: bool = False


@dataclass(frozen=True)
class Bars:
    """Lengths beside each other, each with a label and its figure; on the page only."""

    rows: Sequence[tuple[str, float, str]]


@dataclass(frozen=True)
class Picture:
    """A PNG, drawn when it is asked for, and what it shows in words; on the page only."""

    draw: Callable[[], bytes]
    words: str


Piece: TypeAlias = Heading | Sentence | Table | Bars | Picture


def ends(name: str, value: Range | None, language: Language) -> list[str]:
    """Low, expected and high of a figure of an estimate for people."""
    if value is None:
        return ["–"] * 3
    if name == "flop":
        return [format_number(end, language, significant=3) for end in _three(value, "FLOP")]
    if name == "tco2e":
        return [tonnes(end, language) for end in _three(value, "t")]
    unit, shown, factor = SHOWN[name]
    three = _three(value, unit)
    if name == "days" and three[-1] < 2:
        return [format_duration(86_400 * end, language) for end in three]
    if name == "days":
        return [_days(end, language) for end in three]
    return [format_quantity(factor * end, shown, language) for end in three]


def _days(value: float, language: Language) -> str:
    decimals = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{format_number(value, language, decimals=decimals)}\u00a0{'j' if language == 'fr' else 'd'}"


def tonnes(value: float, language: Language) -> str:
    """Tonnes of CO2 equivalent; less than a hundredth of one in kilograms or grams."""
    if 0 < value < 0.01:
        return format_quantity(1e6 * value, "g", language)
    decimals = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3
    return f"{format_number(value, language, decimals=decimals)}\u00a0t"


def many(value: float, language: Language = "en") -> str:
    """Parameters or tokens as the field counts them: 6.70 B and 1.00 T; 6,70 Md and 1,00 T in French."""
    billion = "Md" if language == "fr" else "B"
    return format_quantity(value, "", language).replace("G", billion).strip("\u00a0 ")


def _three(value: Range, unit: str) -> list[float]:
    told = value.to_json(unit)
    return [told[end] for end in ("low", "expected", "high")]
