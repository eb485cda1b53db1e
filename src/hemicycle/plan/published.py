"""Published trainings, and what they say of a chip: which share of its peak a run reaches, and what it draws.

A run that reached next to nothing is told and left out: it says what went wrong there, not what a chip does.
Of the others the lower median stands for what is expected, since it is what a run really came to, on the side
of more hours; the least and the most are the ends.
"""

from __future__ import annotations

import csv
import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median, median_low

from hemicycle.arithmetic.chips import Chip, find_chip
from hemicycle.plan.flags import utilisation_flag
from hemicycle.units import Quantity, Range, between, number, of

#: Columns of a table of runs.
COLUMNS = (
    *("id", "name", "parameters", "tokens", "chip", "gpus", "gpu_hours", "hours_of", "card_gpu_hours"),
    *("wall_hours", "energy_kwh", "energy_of", "tco2", "source", "checked_on"),
)
#: No figure of a run is larger.
MOST = 1e21


@dataclass(frozen=True)
class Run:
    """One training as its makers told of it; what they did not tell is None.

    Attributes:
        parameters: active ones; tokens: of all its stages.
        hours_of: `published` or `measured`, or what they were derived from.
        card_hours: GPU-hours that another document of theirs has.
        wall_hours: from its first step to its last.
        energy_of: what the energy covers, and how it is known.
        tco2: tonnes of CO2 equivalent of that energy, as published.
        checked_on: the day on which somebody last looked, ISO 8601.
    """

    id: str
    name: str
    parameters: float
    tokens: float
    chip: Chip
    gpus: int | None
    gpu_hours: float | None
    hours_of: str
    card_hours: float | None
    wall_hours: float | None
    energy_kwh: float | None
    energy_of: str
    tco2: float | None
    source: str
    checked_on: str

    @property
    def flop(self) -> Quantity:
        """6 N D (Kaplan et al. 2020, arXiv 2001.08361, section 2.1): attention and recomputation left out."""
        return six_n_d(self.parameters, self.tokens)

    @property
    def utilisation(self) -> float | None:
        """Share of the peak that 6 N D came to."""
        if self.gpu_hours is None:
            return None
        return number(self.flop / (of(self.gpu_hours, "GPU-h") * peak(self.chip)), "")

    @property
    def metered(self) -> bool:
        return self.energy_of.startswith("metered")

    @property
    def of_machine(self) -> bool:
        """Whether its energy is of cards with their host."""
        return self.metered and "cards only" not in self.energy_of

    @property
    def calibrates(self) -> bool:
        """Whether its hours are its makers' and its utilisation is not one to be warned of."""
        share = self.utilisation
        return (
            share is not None
            and self.hours_of in ("published", "measured")
            and utilisation_flag(share) is None
        )


@dataclass(frozen=True)
class Calibration:
    """What runs say: a range, the names of the runs, and whether they are on chips of that family."""

    range: Range
    runs: tuple[str, ...]
    alike: bool = True


def six_n_d(parameters: float, tokens: float) -> Quantity:
    flop: Quantity = parameters * of(6, "FLOP/token") * of(tokens, "token")
    return flop


def peak(chip: Chip) -> Quantity:
    return of(chip.flops, "FLOP/s/GPU")


@functools.cache
def published_runs() -> tuple[Run, ...]:
    with Path(__file__).with_name("runs.csv").open(encoding="utf-8", newline="") as file:
        return tuple(read_runs(csv.DictReader(file)))


def read_runs(rows: Iterable[Mapping[str, str]]) -> list[Run]:
    """Rows of the table."""

    def told(row: Mapping[str, str], key: str) -> float | None:
        """A figure above zero; ValueError on any other."""
        text = row[key]
        if not text:
            return None
        try:
            value = float(text)
        except ValueError:
            raise ValueError(f"{key} “{text}” is no number") from None
        if not 0 < value <= MOST:
            raise ValueError(f"{key} {text} is not above zero, or too much")
        return value

    def cards(row: Mapping[str, str]) -> int | None:
        value = told(row, "gpus")
        if value is not None and value != int(value):
            raise ValueError(f"{row['gpus']} cards are no whole number")
        return None if value is None else int(value)

    def must(row: Mapping[str, str], key: str) -> float:
        value = told(row, key)
        if value is None:
            raise ValueError(f"it says no {key}")
        return value

    return [
        Run(
            id=row["id"],
            name=row["name"],
            parameters=must(row, "parameters"),
            tokens=must(row, "tokens"),
            chip=find_chip(row["chip"] or ""),
            gpus=cards(row),
            gpu_hours=told(row, "gpu_hours"),
            hours_of=row["hours_of"] or "",
            card_hours=told(row, "card_gpu_hours"),
            wall_hours=told(row, "wall_hours"),
            energy_kwh=told(row, "energy_kwh"),
            energy_of=row["energy_of"] or "",
            tco2=told(row, "tco2"),
            source=row["source"],
            checked_on=row["checked_on"],
        )
        for row in rows
    ]


def run_row(run: Run) -> dict[str, str]:
    """A run as a row of such a table."""

    def told(value: float | None) -> str:
        return "" if value is None else f"{value:.12g}"

    return {
        "id": run.id,
        "name": run.name,
        "parameters": told(run.parameters),
        "tokens": told(run.tokens),
        "chip": run.chip.name,
        "gpus": told(run.gpus),
        "gpu_hours": told(run.gpu_hours),
        "hours_of": run.hours_of,
        "card_gpu_hours": told(run.card_hours),
        "wall_hours": told(run.wall_hours),
        "energy_kwh": told(run.energy_kwh),
        "energy_of": run.energy_of,
        "tco2": told(run.tco2),
        "source": run.source,
        "checked_on": run.checked_on,
    }


def calibrate_utilisation(chip: Chip, runs: Sequence[Run] | None = None) -> Calibration | None:
    """Share of its peak that a chip's trainings reach, by those on chips of its family.

    None where no such run was published: the share of another kind of chip is no guess.
    """
    told = _of_family(chip, published_runs() if runs is None else runs)
    shares = {run.name: run.utilisation for run in told if run.calibrates}
    reached = sorted(share for share in shares.values() if share is not None)
    if not reached:
        return None
    return Calibration(between(reached[0], median_low(reached), reached[-1], ""), tuple(shares))


def calibrate_power(chip: Chip, runs: Sequence[Run] | None = None) -> Calibration | None:
    """Watts that a card draws with its host while it trains, by the metered runs.

    Where no chip of its family was metered: the same share of its most as the metered ones drew of theirs.
    None where nothing tells what it draws at most.
    """
    most = chip.power
    if most is None:
        return None
    every = [
        run
        for run in (published_runs() if runs is None else runs)
        if run.of_machine and run.energy_kwh and run.gpu_hours
    ]
    alike = _of_family(chip, every)
    told = alike or every
    shares = sorted(
        number(of(run.energy_kwh, "kWh") / of(run.gpu_hours, "GPU-h"), "W/GPU") / run.chip.power
        for run in told
        if run.energy_kwh and run.gpu_hours and run.chip.power
    )
    if not shares:
        return None
    # Where another kind of card stands for it, it may draw all it is made for.
    upper = shares[-1] if alike else max(shares[-1], 1.0)
    low, middle, high = (most * share for share in (shares[0], median(shares), upper))
    return Calibration(between(low, middle, high, "W/GPU"), tuple(run.name for run in told), bool(alike))


def _of_family(chip: Chip, runs: Iterable[Run]) -> list[Run]:
    return [run for run in runs if run.chip.family == chip.family]
