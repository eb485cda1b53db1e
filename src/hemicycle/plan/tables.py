"""The dated tables of this room: carbon factors, cooling, prices, and what projects took.

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


@functools.cache
def factors() -> tuple[Factor, ...]:
    return tuple(
        Factor(r["region"], r["origin"], r["period"], r["scope"], float(r["g_per_kwh"]), r["source"])
        for r in _rows("factors.csv")
    )


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


def _rows(name: str) -> list[dict[str, str]]:
    with Path(__file__).with_name(name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
