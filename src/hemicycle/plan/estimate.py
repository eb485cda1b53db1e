"""An estimate: from what is to be computed and where, the hours, days, energy, carbon and money it takes.

    FLOP       = 6 N D                                   N active parameters, D tokens seen, all stages summed
    GPU-hours  = FLOP / (utilisation x peak)
    days       = GPU-hours / cards / availability
    energy     = GPU-hours x power of a card with its host x PUE
    carbon     = energy x factor
    cost       = GPU-hours x price
    project    = each of these x the share of experiments and failures

Utilisation is by 6 N D throughout: of published runs nothing else is known. Every step is held to its
dimensions by `hemicycle.units`, so an hour of a node or a watt of a rack comes out as an error, not as a
figure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from hemicycle.errors import DeclarationError
from hemicycle.plan.assume import Assumption, Place
from hemicycle.plan.flags import (
    Flag,
    allocation_flag,
    memory_flag,
    price_flag,
    slack_flag,
    sparse_flag,
    utilisation_flag,
)
from hemicycle.plan.published import peak, six_n_d
from hemicycle.plan.tables import prices
from hemicycle.units import Range, number, of, sure

#: Figures in the order in which people read them, and the unit of each.
UNITS = {
    "flop": "FLOP",
    "gpu_hours": "GPU-h",
    "days": "day",
    "energy_mwh": "MWh",
    "tco2e": "t",
    "cost_eur": "EUR",
}


@dataclass(frozen=True)
class Line:
    """A part of what is read, told apart: a stage, a modality."""

    name: str
    tokens: float


@dataclass(frozen=True)
class Work:
    """What is to be computed.

    Attributes:
        parameters: that work on each token: the active ones of a mixture of experts.
        lines: their tokens are summed.
        whole: all parameters, where not all work on each token.
        gpu_hours: where they are known already and not to be reckoned.
    """

    name: str
    parameters: float
    lines: tuple[Line, ...]
    gpu_hours: float | None = None
    whole: float | None = None

    @property
    def tokens(self) -> float:
        return sum(line.tokens for line in self.lines)

    @property
    def state_bytes(self) -> float:
        """What training keeps of all weights: themselves and their gradients in 16 bits, themselves and two
        moments in 32 (Rajbhandari et al. 2020, arXiv 1910.02054, section 3.1). Activations are beside it."""
        return 16 * (self.whole or self.parameters)


@dataclass(frozen=True)
class Figures:
    """The six figures; None: of what nothing is known."""

    flop: Range
    gpu_hours: Range
    days: Range | None
    energy_mwh: Range | None
    tco2e: Range | None
    cost_eur: Range | None

    def times(self, share: Range) -> Figures:
        every: dict[str, Any] = {
            name: each * share if (each := getattr(self, name)) is not None else None for name in UNITS
        }
        return Figures(**every)

    def to_json(self) -> dict[str, Any]:
        return {
            name: (
                each.to_json(unit)
                if (each := getattr(self, name)) is not None
                else dict.fromkeys(("low", "expected", "high"))
            )
            for name, unit in UNITS.items()
        }


@dataclass(frozen=True)
class Driver:
    """How many times the low end the high one is for one assumption alone, and what it moves."""

    assumption: str
    times: float
    moves: tuple[str, ...]


@dataclass(frozen=True)
class Estimate:
    """The final run, and the project around it."""

    work: Work
    place: Place
    run: Figures
    project: Figures

    @property
    def assumptions(self) -> list[Assumption]:
        """Those it rests on: hours that are known rest on no utilisation."""
        known = self.work.gpu_hours is not None
        return [each for each in self.place.assumptions if not (known and each.name == "utilisation")]

    @property
    def drivers(self) -> list[Driver]:
        """What the spread comes from, the widest first."""
        moved = {
            "utilisation": ("gpu_hours", "days", "energy_mwh", "tco2e", "cost_eur"),
            "power": ("energy_mwh", "tco2e"),
            "pue": ("energy_mwh", "tco2e"),
            "carbon": ("tco2e",),
            "price": ("cost_eur",),
            "availability": ("days",),
            "experiments": ("project",),
        }
        every = [
            Driver(each.name, each.range.spread, moved[each.name])
            for each in self.assumptions
            if each.range.spread > 1
        ]
        return sorted(every, key=lambda driver: -driver.times)

    @property
    def carbon_by_origin(self) -> list[dict[str, Any]]:
        """The run's carbon by each origin of a factor: the spread is of bookkeeping, not of the machine."""
        told: list[dict[str, Any]] = []
        energy = self.run.energy_mwh
        if energy is None:
            return told
        for factor in self.place.factors:
            tonnes = number(energy.expected * of(factor.g_per_kwh, "g/kWh"), "t")
            told.append(
                {
                    "origin": factor.origin,
                    "period": factor.period,
                    "scope": factor.scope,
                    "g_per_kwh": factor.g_per_kwh,
                    "tco2e": float(f"{tonnes:.6g}"),
                }
            )
        return told

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Tokens, arithmetic and hours of each line of the work."""
        hours, tokens = number(self.run.gpu_hours.expected, "GPU-h"), self.work.tokens
        return [
            {
                "name": line.name,
                "tokens": line.tokens,
                "flop": number(six_n_d(self.work.parameters, line.tokens), "FLOP"),
                "gpu_hours": float(f"{hours * line.tokens / tokens:.6g}"),
            }
            for line in self.work.lines
        ]

    @property
    def flags(self) -> list[Flag]:
        found = (
            utilisation_flag(self.utilisation),
            slack_flag(number(self.place.experiments.range.expected, "")),
            self._price_flag(),
            allocation_flag(number(self.project.gpu_hours.expected, "GPU-h"), self.place.allowed),
            memory_flag(self.work.state_bytes, (self.place.gpus or math.inf) * self.place.chip.memory),
            sparse_flag(self.work.parameters, self.work.whole),
        )
        return [flag for flag in found if flag is not None]

    def _price_flag(self) -> Flag | None:
        if self.place.price is None:
            return None
        known = [p.eur_per_gpu_h for p in prices() if p.chip.family == self.place.chip.family]
        return price_flag(number(self.place.price.range.expected, "EUR/GPU-h"), max(known, default=None))

    @property
    def utilisation(self) -> float:
        """Of the peak by 6 N D, as expected."""
        work = self.run.flop.expected
        return number(work / (self.run.gpu_hours.expected * peak(self.place.chip)), "")

    def to_json(self) -> dict[str, Any]:
        return {
            "model": {
                "name": self.work.name,
                "parameters": self.work.parameters,
                "tokens": self.work.tokens,
            },
            "place": {"name": self.place.name, "chip": self.place.chip.name, "gpus": self.place.gpus},
            **self.run.to_json(),
            "project": self.project.to_json(),
            "lines": self.lines,
            "carbon_by_origin": self.carbon_by_origin,
            "drivers": [
                {"assumption": d.assumption, "times": round(d.times, 3), "moves": list(d.moves)}
                for d in self.drivers
            ],
            "assumptions": [each.to_json() for each in self.assumptions],
            "flags": [flag.to_json() for flag in self.flags],
        }


def estimate(work: Work, place: Place) -> Estimate:
    """What it takes. Raises DeclarationError on work of no size, or where nothing tells the utilisation."""
    if work.parameters <= 0 or work.tokens <= 0:
        raise DeclarationError("a plan needs parameters and tokens above zero")
    flop = sure(six_n_d(work.parameters, work.tokens))
    known = work.gpu_hours
    hours = sure(of(known, "GPU-h")) if known is not None else flop / _rate(place)
    energy = hours * place.power.range * place.pue.range if place.power is not None else None
    days = None
    if place.gpus is not None:
        days = hours / sure(of(place.gpus, "GPU")) / place.availability.range
    run = Figures(
        flop=flop,
        gpu_hours=hours,
        days=days,
        energy_mwh=energy,
        tco2e=energy * place.carbon.range if energy is not None else None,
        cost_eur=hours * place.price.range if place.price is not None else None,
    )
    return Estimate(work, place, run, run.times(place.experiments.range))


def _rate(place: Place) -> Range:
    return place.reached * sure(peak(place.chip))
