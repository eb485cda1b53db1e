"""A lifetime: what a model takes from its training to its end, line by line, a year and in all.

    updates       run x (tokens / tokens of the run) x experiments      each
    withdrawals   run x share that is redone                            each
    serving       cards that are on, at every hour
    embodied      GPU-hours x kg of a card / (years x use)              6 years at 85 %, as for BLOOM

Hours become energy, carbon and money as they do in an estimate. Hours of two kinds of cards are not added. A
line that is not declared is absent, and a figure that is not known is missing from the sums; both are said.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median_low
from typing import Any

from hemicycle.arithmetic.chips import Chip
from hemicycle.plan.assume import Assumption, Place
from hemicycle.plan.estimate import UNITS, Estimate, Figures
from hemicycle.plan.life import Life
from hemicycle.plan.serving import ENDS, Serving
from hemicycle.plan.tables import Embodied, embodied, lives
from hemicycle.plan.wording import ranged, say
from hemicycle.typeset import Language, count, format_percent
from hemicycle.units import Range, between, number, of, quantity, sure

#: Figures of a life, in the order in which people read them.
FIGURES = ("gpu_hours", "cost_eur", "energy_mwh", "tco2e")


@dataclass(frozen=True)
class Amounts:
    """Four figures; None: it has none, or nothing is known of it."""

    gpu_hours: Range | None = None
    cost_eur: Range | None = None
    energy_mwh: Range | None = None
    tco2e: Range | None = None

    def times(self, how_often: Range) -> Amounts:
        every = {name: value * how_often if value else None for name, value in self._each}
        return Amounts(**every)

    def __add__(self, other: Amounts) -> Amounts:
        """The sum of what both know; of what one alone knows, that."""
        pairs = {name: (value, getattr(other, name)) for name, value in self._each}
        return Amounts(**{name: a + b if a and b else a or b for name, (a, b) in pairs.items()})

    @property
    def _each(self) -> list[tuple[str, Range | None]]:
        return [(name, getattr(self, name)) for name in FIGURES]

    def to_json(self) -> dict[str, Any]:
        return {
            name: value.to_json(UNITS[name]) if value else dict.fromkeys(ENDS) for name, value in self._each
        }


@dataclass(frozen=True)
class LifeLine:
    """One of what a life takes.

    Attributes:
        chip: on which its hours are; None where it has none.
        a_year: None for what is done once, the training.
    """

    name: str
    chip: Chip | None
    a_year: Amounts | None
    whole: Amounts

    @property
    def missing(self) -> list[str]:
        """Figures that its hours have and of which nothing is known."""
        hours = self.whole.gpu_hours is not None
        return [name for name in FIGURES if hours and getattr(self.whole, name) is None]

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "chip": self.chip.name if self.chip else None,
            "a_year": self.a_year.to_json() if self.a_year else None,
            "whole": self.whole.to_json(),
            "missing": self.missing,
        }


@dataclass(frozen=True)
class Lifetime:
    """All lines.

    Attributes:
        absent: what is left out, and what was supposed (keys of `wording.csv`).
    """

    life: Life
    lines: tuple[LifeLine, ...]
    absent: tuple[str, ...]
    assumptions: tuple[Assumption, ...]

    def line(self, name: str) -> LifeLine | None:
        return next((each for each in self.lines if each.name == name), None)

    @property
    def whole(self) -> Amounts:
        return self._sum([each.whole for each in self.lines])

    @property
    def a_year(self) -> Amounts:
        """All that comes back each year."""
        return self._sum([each.a_year for each in self.lines if each.a_year])

    def _sum(self, every: Sequence[Amounts]) -> Amounts:
        total = Amounts()
        for each in every:
            total += each
        if len({each.chip for each in self.lines if each.chip}) > 1:
            return Amounts(None, total.cost_eur, total.energy_mwh, total.tco2e)
        return total

    @property
    def training_share(self) -> dict[str, float]:
        """Of the training, its experiments included, in the whole life, as expected; figures both have."""
        return self._share(("training",))

    @property
    def computing_share(self) -> float | None:
        """Of what training and use emit in all; the rest is of making the cards. What `lives.csv` tells."""
        computing = [each.name for each in self.lines if each.name != "embodied"]
        return self._share(computing).get("tco2e")

    def _share(self, names: Sequence[str]) -> dict[str, float]:
        found, total = {}, self.whole
        part = self._sum([each.whole for each in self.lines if each.name in names])
        for name in ("cost_eur", "energy_mwh", "tco2e"):
            mine, all_ = getattr(part, name), getattr(total, name)
            if (
                mine
                and all_
                and all_.expected.magnitude
                and not any(name in each.missing for each in self.lines)
            ):
                found[name] = number(mine.expected / all_.expected, "")
        return found

    def to_json(self) -> dict[str, Any]:
        computing = self.computing_share
        return {
            "years": self.life.years,
            "lines": [each.to_json() for each in self.lines],
            "a_year": self.a_year.to_json(),
            "whole": self.whole.to_json(),
            "training_share": {name: round(share, 4) for name, share in self.training_share.items()},
            "computing_share": None if computing is None else round(computing, 4),
            "published": [
                {"model": each.model, "computing_share": each.training_and_use, "source": each.source}
                for each in lives()
            ],
            "absent": [{"name": key, "sentence": say(f"life_{key}", "en")} for key in self.absent],
            "assumptions": [each.to_json() for each in self.assumptions],
        }

    def sentences(self, language: Language) -> list[str]:
        """What people should know of it."""
        year = ("an", "ans") if language == "fr" else ("year", "years")
        years = count(self.life.years, *year, language)
        named = {each.name: say(f"line_{each.name}", language) for each in self.lines}
        told = [
            say("life_line", language, line=named[each.name], told=_told(each.whole, language))
            for each in self.lines
        ]
        told.append(say("life_whole", language, years=years, told=_told(self.whole, language)))
        told.append(say("life_a_year", language, told=_told(self.a_year, language)))
        for name, share in self.training_share.items():
            told.append(say(f"life_share_{name}", language, share=share))
        if self.computing_share is not None:
            other = lives()[0]
            told.append(
                say(
                    "life_computing",
                    language,
                    share=self.computing_share,
                    model=other.model,
                    other=format_percent(other.training_and_use, language),
                )
            )
        for name in ("cost_eur", "energy_mwh", "tco2e"):
            without = [named[each.name] for each in self.lines if name in each.missing]
            if without:
                told.append(say(f"life_missing_{name}", language, lines=", ".join(without)))
        return told + [say(f"life_{key}", language) for key in self.absent]


def lifetime(estimate: Estimate, life: Life, serving: Serving | None, place: Place) -> Lifetime:
    """A model's life.

    Args:
        estimate: of its training; updates and what is redone are made where that was.
        serving: how it answers at `place`, where tokens a day are declared.
        place: where it is evaluated and answers.
    """
    lines = [LifeLine("training", estimate.place.chip, None, _figures(estimate.project))]
    absent = []
    parts: dict[str, tuple[Chip | None, Amounts | str]] = {
        "updates": (estimate.place.chip, _updates(estimate, life)),
        "withdrawals": (estimate.place.chip, _withdrawals(estimate, life)),
        "evaluations": (place.chip, _evaluations(life, place)),
        "serving": (place.chip, _serving(life, serving, place)),
        "storage": (None, _storage(life)),
        "people": (None, _people(life)),
    }
    for name, (chip, found) in parts.items():
        if isinstance(found, str):
            absent.append(f"{found}_{name}")
        else:
            lines.append(LifeLine(name, chip, found, found.times(sure(of(life.years, "")))))
    rates = {chip: embodied_rate(chip) for chip in (estimate.place.chip, place.chip)}
    lines.append(_embodied(lines, {chip: rate.range for chip, rate in rates.items()}))
    if life.serving is not None and life.serving.tokens_a_day is not None and "unknown_serving" not in absent:
        absent.append("even")
    if life.storage is not None:
        absent.append("storage_draws")
    return Lifetime(life, tuple(lines), tuple(absent), tuple(rates.values()))


def embodied_rate(chip: Chip) -> Assumption:
    """What making a card emits, spread over the hours it works.

    From a card alone, the least that is known, to a card with its share of a server; of cards of its family
    where any was looked at, else of all.
    """
    rows = embodied()

    def made(covers: str) -> list[Embodied]:
        every = [each for each in rows if each.covers == covers]
        return [each for each in every if each.chip.family == chip.family] or every

    alone, whole = made("card"), made("card and server")
    rates = sorted(_rate(each) for each in whole)
    low = min(min(_rate(each) for each in alone), rates[0])
    spread = between(low, median_low(rates), rates[-1], "g/GPU-h")
    listed = "; ".join(f"{e.chip.name}, {e.covers}: {e.kg_per_gpu:g} kg" for e in (*alone, *whole))
    years, use = rows[0].years, rows[0].use
    told = {"years": f"{years:g}", "share": f"{use:.0%}", "cards": listed}
    sources = tuple(each.source for each in (*alone, *whole))
    return Assumption("embodied", spread, "g/GPU-h", "embodied", told, sources)


def _rate(each: Embodied) -> float:
    made, works = of(each.kg_per_gpu, "kg/GPU"), each.use * of(each.years, "year")
    return number(made / works, "g/GPU-h")


def _embodied(lines: Sequence[LifeLine], rates: Mapping[Chip, Range]) -> LifeLine:
    """Of every hour of every line."""
    whole, yearly = Amounts(), Amounts()
    for line in lines:
        if line.chip is None or line.whole.gpu_hours is None:
            continue
        rate = rates[line.chip]
        whole += Amounts(tco2e=line.whole.gpu_hours * rate)
        if line.a_year is not None and line.a_year.gpu_hours is not None:
            yearly += Amounts(tco2e=line.a_year.gpu_hours * rate)
    return LifeLine("embodied", None, yearly, whole)


def _figures(figures: Figures) -> Amounts:
    return Amounts(figures.gpu_hours, figures.cost_eur, figures.energy_mwh, figures.tco2e)


def of_hours(hours: Range, place: Place) -> Amounts:
    """What hours of cards take at a place; None of what nothing is known there."""
    energy = hours * place.power.range * place.pue.range if place.power is not None else None
    return Amounts(
        gpu_hours=hours,
        cost_eur=hours * place.price.range if place.price is not None else None,
        energy_mwh=energy,
        tco2e=energy * place.carbon.range if energy is not None else None,
    )


def _updates(estimate: Estimate, life: Life) -> Amounts | str:
    told = life.updates
    if told is None:
        return "no"
    times = told.a_year * told.experiments * told.tokens / estimate.work.tokens
    return _figures(estimate.run).times(sure(of(times, "")))


def _withdrawals(estimate: Estimate, life: Life) -> Amounts | str:
    told = life.withdrawals
    if told is None:
        return "no"
    if told.share is None:
        return "unknown"
    return _figures(estimate.run).times(sure(of(told.share * told.a_year, "")))


def _evaluations(life: Life, place: Place) -> Amounts | str:
    told = life.evaluations
    if told is None:
        return "no"
    return of_hours(sure(told.a_year * quantity(told.hours, "GPU-h")), place)


def _serving(life: Life, serving: Serving | None, place: Place) -> Amounts | str:
    """Cards that are on at every hour: as many copies as the tokens of a day need, evenly."""
    told = life.serving
    if told is None:
        return "no"
    if told.cards is not None:
        cards = sure(of(told.cards, "GPU"))
    elif serving is None or serving.tokens_per_s is None or told.tokens_a_day is None:
        return "unknown"
    else:
        needed = sure(of(told.tokens_a_day, "token/day") * serving.copies) / serving.tokens_per_s
        cards = needed.map(lambda copies: of(serving.cards * math.ceil(number(copies, "")), "GPU"))
    return of_hours(cards * sure(of(1, "year")), place)


def _storage(life: Life) -> Amounts | str:
    told = life.storage
    if told is None:
        return "no"
    cost = quantity(told.size, "TB") * quantity(told.price, "EUR/TB/month") * of(1, "year")
    return Amounts(cost_eur=sure(cost))


def _people(life: Life) -> Amounts | str:
    told = life.people
    if told is None:
        return "no"
    return Amounts(cost_eur=sure(told.posts * quantity(told.cost, "EUR/year") * of(1, "year")))


def _told(amounts: Amounts, language: Language) -> str:
    """Its figures, those that it has."""
    told = [
        say(f"life_{name}", language, value=ranged(value, UNITS[name], language))
        for name in FIGURES
        if (value := getattr(amounts, name)) is not None
    ]
    return (" ; " if language == "fr" else "; ").join(told) if told else "–"
