"""Sentences for people, in English and French: `wording.csv`, and numbers as people say them."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Protocol, TypeAlias, runtime_checkable

from hemicycle.typeset import Language, format_date, format_number, format_percent, read_words
from hemicycle.units import Range, number

#: What stands for a power of a thousand, from a million on.
_LARGE: dict[Language, tuple[str, ...]] = {
    "en": ("million", "billion", "trillion"),
    "fr": ("million", "milliard", "billion"),
}


@functools.cache
def words(language: Language) -> Mapping[str, str]:
    return read_words(Path(__file__).with_name("wording.csv"), language)


@runtime_checkable
class Shown(Protocol):
    """What knows how people write it."""

    def shown(self, language: Language) -> str: ...


#: What a sentence may be told: words, a number, a day, several named numbers, or what knows how it is shown.
Told: TypeAlias = str | float | date | Shown | Sequence[tuple[str, float]]


def say(key: str, language: Language, **told: Told) -> str:
    """The sentence of that key, with what is told put in; a number called `share` as a percentage, one that
    ends in `flop` as a power of ten."""

    def shown(name: str, value: Told) -> str:
        if isinstance(value, str):
            return value
        if isinstance(value, date):
            return format_date(value.isoformat(), language)
        if isinstance(value, Shown):
            return value.shown(language)
        if not isinstance(value, int | float):
            listed = (f"{of} {figure(each, language)}" for of, each in value)
            return ("\u202f; " if language == "fr" else "; ").join(listed)
        if name == "share":
            return format_percent(value, language)
        if name.endswith("flop"):
            return format_number(value, language, significant=3)
        return figure(value, language)

    return words(language)[key].format(**{name: shown(name, value) for name, value in told.items()})


@dataclass(frozen=True)
class Worded:
    """A sentence in each language: a key of `wording.csv`, and what it tells."""

    key: str
    told: Mapping[str, Told] = field(default_factory=dict)

    def sentence(self, language: Language = "en") -> str:
        return say(self.key, language, **self.told)


def figure(value: float, language: Language) -> str:
    """Three digits: ``12``, ``0.0123``, ``1,230``, ``122 billion``; of a count below 100,000, all."""
    if isinstance(value, int) and abs(value) < 10**5:
        return format_number(value, language)
    rounded = float(f"{value:.3g}")
    exponent = int(f"{rounded:.2e}".partition("e")[2])
    if exponent < 6:
        decimals = 0 if rounded.is_integer() else max(0, 2 - exponent)
        return format_number(rounded, language, decimals=decimals)
    power = min(exponent // 3, 4)
    scaled = rounded / 1000**power
    plural = "s" if language == "fr" and abs(scaled) >= 2 else ""
    return f"{figure(scaled, language)}\u00a0{_LARGE[language][power - 2]}{plural}"


def ranged(value: Range, unit: str, language: Language) -> str:
    """What is expected, with its ends: ``0.86 (0.6 to 2.82)``; one figure where it is sure."""
    low, expected, high = (
        figure(number(end, unit), language) for end in (value.low, value.expected, value.high)
    )
    if low == high:
        return expected
    return f"{expected} ({low} {'à' if language == 'fr' else 'to'} {high})"
