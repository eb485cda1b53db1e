"""A plan that is kept: the file that a training is held to while it runs, and compared with afterwards.

    plans/NAME.json    the whole estimate, and what follows from it for each second, token and step

The trainer knows nothing of this room; it reads the file (`train.expected`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from hemicycle.errors import DeclarationError, InputError
from hemicycle.plan.estimate import Estimate
from hemicycle.plan.own import PLANS
from hemicycle.plan.published import peak
from hemicycle.store import write_aside
from hemicycle.units import Range, of, sure

VERSION = 1
#: Figures of a kept plan, each with low, expected and high.
BANDS = ("tokens_per_second", "utilisation", "joules_per_token", "seconds")
#: Share of the host in what a card draws with it: most, between, least, as metered in Luciole's trainings.
HOST = (0.22, 0.20, 0.18)


@dataclass(frozen=True)
class SavedPlan:
    """What `plans/NAME.json` says.

    Attributes:
        told: the whole file.
    """

    path: Path
    told: Mapping[str, Any]

    @property
    def estimate(self) -> Mapping[str, Any]:
        """As `Estimate.to_json` gave it."""
        told: Mapping[str, Any] = self.told["plan"]
        return told


def save_plan(folder: Path, found: Estimate, made: datetime, loss: Mapping[str, Any] | None = None) -> Path:
    """Write the plan of a model of the project.

    Args:
        made: with its time zone.
        loss: the curve to expect, as `train.expected` has it.

    Raises DeclarationError where it is not known how many cards there will be.
    """
    place, work = found.place, found.work
    if place.gpus is None:
        raise DeclarationError(
            "a plan to be held to says how many cards train", remedy="Say --gpus, or a site with a pool."
        )
    cards = sure(of(place.gpus, "GPU"))
    a_token = sure(work.parameters * of(6, "FLOP/token"))
    speed = sure(of(work.tokens, "token")) * cards / found.run.gpu_hours
    utilisation = speed * a_token / (sure(peak(place.chip)) * cards)
    joules = None
    if found.run.energy_mwh is not None:
        joules = _joules(found, place.pue.range)
    told = {
        "version": VERSION,
        "model": work.name,
        "made": made.isoformat(timespec="seconds"),
        "chip": place.chip.name,
        "ranks": place.gpus,
        "tokens_per_second": speed.to_json("token/s"),
        "utilisation": utilisation.to_json(""),
        "joules_per_token": joules.to_json("J/token") if joules is not None else None,
        "seconds": found.run.days.to_json("s") if found.run.days is not None else None,
        "loss": loss,
        "plan": found.to_json(),
    }
    path = folder / PLANS / f"{work.name}.json"
    text = json.dumps(told, ensure_ascii=False, indent=1, allow_nan=False)
    write_aside(path, f"{text}\n".encode())
    return path


def read_saved(folder: Path, name: str) -> SavedPlan | None:
    """The plan of a model; None where none is kept. Raises InputError on one that cannot be read."""
    path = folder / PLANS / f"{name}.json"
    try:
        told = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"this plan cannot be read: {error}", place=str(path)) from None
    if not _sound(told):
        raise InputError(
            "this is no plan of this version", place=str(path), remedy="Plan it again with --save."
        )
    return SavedPlan(path, told)


def _sound(told: Any) -> bool:
    """Whether a plan has what is read of it here; the trainer is stricter (`train.expected`)."""
    if not isinstance(told, dict) or told.get("version") != VERSION:
        return False
    place = told["plan"].get("place") if isinstance(told.get("plan"), dict) else None
    if not isinstance(place, dict) or not isinstance(place.get("name"), str):
        return False

    def band(value: Any) -> bool:
        if value is None or not isinstance(value, dict):
            return value is None
        ends = [value.get(end) for end in ("low", "expected", "high")]
        return all(isinstance(end, int | float) and math.isfinite(end) for end in ends)

    return all(band(told.get(name)) for name in BANDS)


def _joules(found: Estimate, pue: Range) -> Range:
    """Energy of a token at the cards: meters of a training see neither their host nor cooling."""
    energy = found.run.energy_mwh
    assert energy is not None
    tokens = of(found.work.tokens, "token")
    return Range(
        (1 - HOST[0]) * energy.low / pue.low / tokens,
        (1 - HOST[1]) * energy.expected / pue.expected / tokens,
        (1 - HOST[2]) * energy.high / pue.high / tokens,
    )
