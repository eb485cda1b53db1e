"""Assumptions: what a plan takes for granted of a place, each with its range, why, and from where.

What is declared of a site, or said in the call, is taken as it is. What was measured there by runs of one's
own comes next. The rest is ranged over what was published and never left out. Of several figures the median
is expected; of utilisations the lower one, which a run really reached.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from statistics import median
from typing import Any

from hemicycle.arithmetic.chips import Chip
from hemicycle.errors import DeclarationError, did_you_mean
from hemicycle.plan.published import Run, calibrate_power, calibrate_utilisation
from hemicycle.plan.tables import Factor, factors, prices, pues, regions, shares
from hemicycle.plan.wording import Told, say
from hemicycle.sites import Pool, Site
from hemicycle.typeset import Language
from hemicycle.units import Quantity, Range, between, number, of, quantity, sure

#: Where published runs are told, with the source of each.
PUBLISHED = ("runs.csv",)
#: Whole projects took between so many times their final run; OLMo 3 alone tells of more (`shares.csv`).
LEAST_TIMES, MOST_TIMES = 1.3, 5.0
#: Share of the time that a running job is not stopped: one that is looked after reaches the last. Llama 3
#: tells of more than 0.90 on 16 384 cards (arXiv 2407.21783, section 3.3.4).
AVAILABILITY = (0.90, 0.92, 0.95)

#: The family of a machine that no table has and whose rate was measured, and which share of that rate a
#: training reaches.
HERE, HERE_REACHES = "here", (0.2, 0.4, 0.8)


@dataclass(frozen=True)
class Assumption:
    """One of them.

    Attributes:
        reason: why this range: a key of `wording.csv`, and what its sentence tells.
        sources: where its figures are from; none of what was declared.
    """

    name: str
    range: Range
    unit: str
    reason: str
    told: Mapping[str, Told] = field(default_factory=dict)
    sources: tuple[str, ...] = ()

    def because(self, language: Language = "en") -> str:
        return say(f"because_{self.reason}", language, **self.told)

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            **self.range.to_json(self.unit),
            "unit": self.unit,
            "because": self.because(),
            "sources": list(self.sources),
        }


@dataclass(frozen=True)
class Said:
    """What a call says itself, before any site or table; None: nothing."""

    utilisation: float | None = None
    power: Quantity | None = None
    pue: float | None = None
    carbon: Quantity | None = None
    price: Quantity | None = None
    availability: float | None = None
    experiments: float | None = None
    region: str | None = None


@dataclass(frozen=True)
class Place:
    """Where a run is to be made: a kind of card, how many, and what is taken for granted of them.

    Attributes:
        name: of the site and its pool, or of the chip alone.
        gpus: None where nobody said how many.
        utilisation, power, price: None where nothing is known.
        per_node: cards of a node.
        allowed: GPU-hours that its quotas leave from now on; None: it has none.
    """

    name: str
    chip: Chip
    gpus: int | None
    utilisation: Assumption | None
    power: Assumption | None
    pue: Assumption
    carbon: Assumption
    price: Assumption | None
    availability: Assumption
    experiments: Assumption
    factors: tuple[Factor, ...]
    per_node: int = 8
    allowed: float | None = None

    @property
    def reached(self) -> Range:
        """Share of the peak. Raises DeclarationError where nothing tells it: another chip's does not."""
        if self.utilisation is None:
            raise DeclarationError(
                f"no training on a {self.chip.name} or its like was published with its hours, so nothing "
                "says which share of its peak to expect",
                remedy="Say it with --utilisation, such as 0.3, or as `utilisation` of the pool; or measure "
                "a run there, and look at it with `hemicycle plan --actual`.",
            )
        return self.utilisation.range

    @property
    def assumptions(self) -> list[Assumption]:
        every = (self.utilisation, self.power, self.pue, self.carbon, self.price, self.availability)
        return [each for each in (*every, self.experiments) if each is not None]


def assume(
    name: str,
    chip: Chip,
    gpus: int | None,
    *,
    said: Said,
    site: Site | None = None,
    pool: Pool | None = None,
    own: Sequence[Run] = (),
    today: date | None = None,
) -> Place:
    """What to take for granted of a place.

    Args:
        own: runs that were made there before.
        today: quotas that are over by then are left out.

    Raises DeclarationError on a region without a factor.
    """
    carbon, told = _carbon(site, said)
    return Place(
        name=name,
        chip=chip,
        gpus=gpus,
        utilisation=_utilisation(chip, pool, said, own),
        power=_power(chip, pool, said, own),
        pue=_pue(site, said),
        carbon=carbon,
        price=_price(chip, pool, said),
        availability=_availability(site, said),
        experiments=_experiments(said),
        factors=told,
        per_node=pool.gpus_per_node if pool is not None else 8,
        allowed=_allowed(pool, today) if pool is not None else None,
    )


def _allowed(pool: Pool, today: date | None) -> float | None:
    """What can be used at most where quotas may overlap, such as a year's and its quarters': the least that
    quotas come to which together cover every day that any of them covers."""
    if not pool.quotas:
        return None
    every = [quota for quota in pool.quotas if today is None or quota.until > today]
    days = sorted({day for quota in every for day in (quota.begin, quota.until)})
    # Up to each day, the least; each stretch of days is covered by a quota that began before or on its first.
    least = {day: 0.0 for day in days[:1]}
    for first, last in itertools.pairwise(days):
        over = [quota for quota in every if quota.begin <= first and quota.until >= last]
        reached = [least[quota.begin] + number(pool.each(quota.hours, "GPU-h"), "GPU-h") for quota in over]
        least[last] = min(reached, default=least[first])
    return least[days[-1]] if days else 0.0


def _utilisation(chip: Chip, pool: Pool | None, said: Said, own: Sequence[Run]) -> Assumption | None:
    name = "utilisation"
    if said.utilisation is not None:
        return _declared(name, of(said.utilisation, ""), "", "said")
    if pool is not None and pool.utilisation is not None:
        return _declared(name, of(pool.utilisation, ""), "", "pool")
    if chip.family == HERE:
        return Assumption(name, between(*HERE_REACHES, ""), "", "here", sources=("bench/train.py",))
    measured = [run for run in own if run.calibrates]
    found = calibrate_utilisation(chip, measured or None)
    if found is None:
        return None
    reason, sources = ("own", ()) if measured else ("published", PUBLISHED)
    return Assumption(name, found.range, "", reason, {"runs": ", ".join(found.runs)}, sources)


def _power(chip: Chip, pool: Pool | None, said: Said, own: Sequence[Run]) -> Assumption | None:
    name, unit = "power", "W/GPU"
    if said.power is not None:
        return _declared(name, said.power, unit, "said")
    if pool is not None and pool.power is not None:
        return _declared(name, pool.each(pool.power, unit), unit, "pool")
    measured = [run for run in own if run.of_machine and run.energy_kwh and run.gpu_hours]
    found = calibrate_power(chip, measured or None)
    if found is None:
        return None
    sources = () if measured else PUBLISHED
    reason = "metered" if found.alike else "scaled"
    return Assumption(name, found.range, unit, reason, {"runs": ", ".join(found.runs)}, sources)


def _pue(site: Site | None, said: Said) -> Assumption:
    name = "pue"
    if said.pue is not None:
        return _declared(name, of(said.pue, ""), "", "said")
    if site is not None and site.pue is not None:
        return _declared(name, of(site.pue, ""), "", "site")
    told = sorted(pues(), key=lambda row: row.pue)
    places = {"least": told[0].place, "most": told[-1].place}
    values = [row.pue for row in told]
    spread = between(values[0], median(values), values[-1], "")
    return Assumption(name, spread, "", "cooling", places, tuple(row.source for row in told))


def _carbon(site: Site | None, said: Said) -> tuple[Assumption, tuple[Factor, ...]]:
    name, unit = "carbon", "g/kWh"
    if said.carbon is not None:
        return _declared(name, said.carbon, unit, "said"), ()
    if said.region is None and site is not None and site.carbon is not None:
        declared = site.carbon
        origin = {"origin": declared.origin, "period": declared.period}
        return _declared(name, quantity(declared.factor, unit), unit, "grid", origin), ()
    region = said.region or "FR"
    told = tuple(sorted((f for f in factors() if f.region == region), key=lambda f: f.g_per_kwh))
    if not told:
        raise DeclarationError(
            f"no carbon factor is known of “{region}”",
            remedy=did_you_mean(region, regions()) or f"Say --carbon, or one of {', '.join(regions())}.",
        )
    grams = [f.g_per_kwh for f in told]
    origins = [(f"{f.origin} {f.period}", f.g_per_kwh) for f in told]
    spread = between(grams[0], median(grams), grams[-1], unit)
    said_of: dict[str, Told] = {"region": region, "origins": origins}
    return Assumption(name, spread, unit, "origins", said_of, tuple(f.source for f in told)), told


def _price(chip: Chip, pool: Pool | None, said: Said) -> Assumption | None:
    name, unit = "price", "EUR/GPU-h"
    if said.price is not None:
        return _declared(name, said.price, unit, "said")
    if pool is not None and pool.price is not None and pool.priced_on is not None:
        return _declared(name, pool.each(pool.price, unit), unit, "priced", {"day": pool.priced_on})
    same = [p for p in prices() if p.chip.name == chip.name]
    like = [p for p in prices() if p.chip.family == chip.family and p.chip.memory == chip.memory]
    told = sorted(same or like, key=lambda p: p.eur_per_gpu_h)
    if not told or pool is not None:
        # A site's own price is a matter of contract: another's says nothing of it.
        return None
    euros = [p.eur_per_gpu_h for p in told]
    listed = [(f"{p.seller} {p.period}", p.eur_per_gpu_h) for p in told]
    spread = between(euros[0], median(euros), euros[-1], unit)
    return Assumption(
        name,
        spread,
        unit,
        "prices" if same else "prices_like",
        {"prices": listed},
        tuple(p.source for p in told),
    )


def _availability(site: Site | None, said: Said) -> Assumption:
    name = "availability"
    if said.availability is not None:
        return _declared(name, of(said.availability, ""), "", "said")
    if site is not None and site.availability is not None:
        return _declared(name, of(site.availability, ""), "", "site")
    source = "arXiv 2407.21783, section 3.3.4"
    return Assumption(name, between(*AVAILABILITY, ""), "", "failures", sources=(source,))


def _experiments(said: Said) -> Assumption:
    name = "experiments"
    if said.experiments is not None:
        return _declared(name, of(said.experiments, ""), "", "said")
    told = sorted(shares(), key=lambda s: s.times_final_run)
    middle = median([s.times_final_run for s in told])
    listed = [(s.project, s.times_final_run) for s in told]
    spread = between(LEAST_TIMES, middle, MOST_TIMES, "")
    return Assumption(name, spread, "", "projects", {"projects": listed}, tuple(s.source for s in told))


def _declared(
    name: str, value: Quantity, unit: str, reason: str, told: Mapping[str, Told] | None = None
) -> Assumption:
    return Assumption(name, sure(value), unit, reason, told or {})
