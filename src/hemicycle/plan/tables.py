"""The dated tables of this room: carbon factors, cooling, prices, what projects took, what servers reach,
what making cards emits, and what whole lives of models did.

The name of a column ends in its unit, and a table with another one cannot be read.
"""

from __future__ import annotations

import csv
import functools
from dataclasses import dataclass
from pathlib import Path

from hemicycle.arithmetic.chips import Chip, find_chip


@dataclass(frozen=True)
class Factor:
    """What a kilowatt-hour emits, by one origin: between them a run differs by two to three times.

    Attributes:
        scope: `direct` at the plant, or over the `lifecycle` of plants, of what is produced in the country;
            or the same of its `consumption`, imports included.
    """

    region: str
    origin: str
    period: str
    scope: str
    g_per_kwh: float
    source: str


@dataclass(frozen=True)
class Pue:
    """Energy of a whole centre for one unit at its machines."""

    place: str
    pue: float
    period: str
    source: str


@dataclass(frozen=True)
class Price:
    """Euros for an hour of one card: a list price, or what a public centre spent."""

    chip: Chip
    eur_per_gpu_h: float
    seller: str
    period: str
    source: str


@dataclass(frozen=True)
class Share:
    """How many times its final run a whole project took, experiments and failures included."""

    project: str
    times_final_run: float
    of: str
    source: str


@dataclass(frozen=True)
class Reached:
    """Which share of a card's bandwidth a server reached while it wrote, or of its peak while it read.

    Attributes:
        of: `bandwidth` or `peak`.
        cards: that shared the model; batch: answers that were written at once.
    """

    of: str
    share: float
    model: str
    chip: Chip
    cards: int
    batch: int
    source: str


@dataclass(frozen=True)
class Embodied:
    """What making a card emits, and over how many years, at which use, that is spread.

    Attributes:
        covers: `card` alone, or `card and server`, its share of one.
    """

    chip: Chip
    kg_per_gpu: float
    covers: str
    years: float
    use: float
    source: str


@dataclass(frozen=True)
class WholeLife:
    """What a model emitted in so many months, and the share of its training and use in that; the rest is of
    making machines and of all else."""

    model: str
    months: float
    tco2e: float
    training_and_use: float
    source: str


@functools.cache
def factors() -> tuple[Factor, ...]:
    return tuple(
        Factor(r["region"], r["origin"], r["period"], r["scope"], float(r["g_per_kwh"]), r["source"])
        for r in _rows("factors.csv")
    )


def regions() -> list[str]:
    """Those of which a factor is known."""
    return sorted({factor.region for factor in factors()})


@functools.cache
def pues() -> tuple[Pue, ...]:
    return tuple(Pue(r["place"], float(r["pue"]), r["period"], r["source"]) for r in _rows("pue.csv"))


@functools.cache
def prices() -> tuple[Price, ...]:
    return tuple(
        Price(find_chip(r["chip"]), float(r["eur_per_gpu_h"]), r["seller"], r["period"], r["source"])
        for r in _rows("prices.csv")
    )


@functools.cache
def shares() -> tuple[Share, ...]:
    return tuple(
        Share(r["project"], float(r["times_final_run"]), r["of"], r["source"]) for r in _rows("shares.csv")
    )


@functools.cache
def reached(of: str) -> tuple[Reached, ...]:
    """The shares of one kind, the least first."""
    told = [
        Reached(
            r["of"],
            float(r["share"]),
            r["model"],
            find_chip(r["chip"]),
            int(r["cards"]),
            int(r["batch"]),
            r["source"],
        )
        for r in _rows("reached.csv")
        if r["of"] == of
    ]
    return tuple(sorted(told, key=lambda each: each.share))


@functools.cache
def embodied() -> tuple[Embodied, ...]:
    return tuple(
        Embodied(
            find_chip(r["chip"]),
            float(r["kg_per_gpu"]),
            r["covers"],
            float(r["years"]),
            float(r["use"]),
            r["source"],
        )
        for r in _rows("embodied.csv")
    )


@functools.cache
def lives() -> tuple[WholeLife, ...]:
    return tuple(
        WholeLife(
            r["model"], float(r["months"]), float(r["tco2e"]), float(r["training_and_use"]), r["source"]
        )
        for r in _rows("lives.csv")
    )


def _rows(name: str) -> list[dict[str, str]]:
    with Path(__file__).with_name(name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
