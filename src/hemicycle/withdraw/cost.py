"""Cost: what it takes to train again from the last clean checkpoint, at the speed the training had.

Hours follow from the measured speed, and are of what was measured on. Money, energy and carbon are reckoned
as a plan reckons them (`plan.assume`): of a pool of `sites.toml` with the same cards, or else of what is
published of such cards. Of a machine that no table knows, such as a processor, only the hours are known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hemicycle.arithmetic.chips import device_chip
from hemicycle.plan.assume import Place, Said, assume
from hemicycle.plan.estimate import UNITS
from hemicycle.plan.lifetime import FIGURES, Amounts, of_hours
from hemicycle.sites import Site
from hemicycle.units import of, sure
from hemicycle.withdraw.impact import ModelImpact


@dataclass(frozen=True)
class Cost:
    """What a training from the last clean checkpoint takes.

    Attributes:
        hours: of one card, or of the machine where that has none that is known.
        place: where money and carbon are reckoned for; None: nothing is known of them.
    """

    model: str
    steps: int
    share: float
    hours: float
    device: str
    place: str | None
    amounts: Amounts

    def to_json(self) -> dict[str, Any]:
        told = {
            name: value.to_json(UNITS[name]) if (value := getattr(self.amounts, name)) is not None else None
            for name in FIGURES
        }
        return {
            "model": self.model,
            "steps": self.steps,
            "share": round(self.share, 4),
            "device": self.device,
            "device_hours": float(f"{self.hours:.4g}"),
            "place": self.place,
            **told,
        }


def redo_cost(model: ModelImpact, sites: Mapping[str, Site]) -> list[Cost]:
    """The cost, one line a pool of the project's sites with the cards that the model was made on."""
    hours = model.seconds * model.cards / 3600
    chip = device_chip(model.device)
    places: list[Place] = []
    if chip is not None:
        for name, site in sites.items():
            for pool_name, pool in site.pools.items():
                if pool.chip == chip.name:
                    where = f"{name}/{pool_name}"
                    places.append(assume(where, chip, model.cards, said=Said(), site=site, pool=pool))
        places = places or [assume(chip.name, chip, model.cards, said=Said())]
    known: list[tuple[str | None, Amounts]] = [
        (place.name, of_hours(sure(of(hours, "GPU-h")), place)) for place in places
    ]
    return [
        Cost(model.name, model.redone, model.redo, hours, model.device, place, amounts)
        for place, amounts in known or [(None, Amounts())]
    ]
