"""Flags: what of a plan or of a finished run should make somebody look twice, with rule and remedy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hemicycle.plan.wording import Told, say
from hemicycle.typeset import Language

#: Shares of the peak by 6 N D: below the first something is broken, below the second badly set; above the
#: third the peak or the count is wrong, as no published 16-bit training comes near it.
MFU_TOO_LOW, MFU_LOW, MFU_TOO_HIGH = 0.10, 0.20, 0.60
#: Two documents of one run may differ by rounding and by what they count, not by more.
HOURS_DIFFER = 0.05
#: Whole projects took at least so many times their final run.
LEAST_SLACK = 1.3


@dataclass(frozen=True)
class Flag:
    """A name for programs, and what its sentence tells (`wording.csv`)."""

    name: str
    told: Mapping[str, Told] = field(default_factory=dict)

    def sentence(self, language: Language = "en") -> str:
        return say(f"flag_{self.name}", language, **self.told)

    def remedy(self, language: Language = "en") -> str:
        return say(f"remedy_{self.name}", language, **self.told)

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "sentence": self.sentence(), "remedy": self.remedy()}


def utilisation_flag(share: float) -> Flag | None:
    """Of a share of the peak by 6 N D, in 16-bit arithmetic."""
    if share < MFU_TOO_LOW:
        return Flag("MFU_TOO_LOW", {"share": share})
    if share < MFU_LOW:
        return Flag("MFU_LOW", {"share": share})
    return Flag("MFU_TOO_HIGH", {"share": share}) if share > MFU_TOO_HIGH else None


def hours_flag(hours: float, elsewhere: float) -> Flag | None:
    """Of GPU-hours in two places."""
    if abs(elsewhere / hours - 1) <= HOURS_DIFFER:
        return None
    return Flag("GPU_HOURS_MISMATCH", {"hours": hours, "elsewhere": elsewhere})


def unit_flag(gpu_hours: float, wall_hours: float, gpus: int | None) -> Flag | None:
    """Of GPU-hours that are no such number of cards times the wall clock: one is of nodes, or partial."""
    implied = gpu_hours / wall_hours
    if gpus is None or 0.5 <= implied / gpus <= 1.1:
        return None
    told = {"hours": gpu_hours, "wall": wall_hours, "implied": implied, "gpus": float(gpus)}
    return Flag("UNIT_MISMATCH", told)


def allocation_flag(hours: float, allowed: float | None) -> Flag | None:
    """Of GPU-hours of a whole project at a place that allows so many."""
    if allowed is None or hours <= allowed:
        return None
    return Flag("OVER_ALLOCATION", {"hours": hours, "allowed": allowed})


def price_flag(price: float, dearest: float | None) -> Flag | None:
    """Of euros for an hour of a card, beside the dearest price that is known of its kind."""
    if dearest is None or price <= dearest:
        return None
    return Flag("PRICE_ABOVE_LIST", {"price": price, "dearest": dearest})


def slack_flag(times: float) -> Flag | None:
    """Of a whole project by its final run."""
    if times >= LEAST_SLACK:
        return None
    return Flag("NO_SLACK", {"times": times, "least": LEAST_SLACK})


def memory_flag(needed: float, there: float) -> Flag | None:
    """Of bytes that weights, gradients and moments take, and the memory of all cards."""
    if needed <= there:
        return None
    return Flag("DOES_NOT_FIT", {"needed": needed / 1e9, "there": there / 1e9})


def sparse_flag(active: float, whole: float | None) -> Flag | None:
    """Of a mixture of experts: no such run is among those that a utilisation is expected from."""
    if whole is None or whole <= active:
        return None
    return Flag("SPARSE", {"active": active, "whole": whole})
