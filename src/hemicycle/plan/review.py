"""A finished run beside what would have been planned, and what of it should make somebody look twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hemicycle.plan.flags import Flag, hours_flag, unit_flag, utilisation_flag
from hemicycle.plan.published import Run, calibrate_utilisation, published_runs
from hemicycle.units import number


@dataclass(frozen=True)
class Reviewed:
    """A run, and the planner's word on it.

    Attributes:
        predicted: hours planned for each that it took, by all runs on that kind of chip.
        without: the same by the others alone; None where there are none, or it has no hours.
    """

    run: Run
    predicted: float | None
    without: float | None
    flags: tuple[Flag, ...]

    def to_json(self) -> dict[str, Any]:
        run = self.run
        return {
            "id": run.id,
            "name": run.name,
            "chip": run.chip.name,
            "parameters": run.parameters,
            "tokens": run.tokens,
            "flop": number(run.flop, "FLOP"),
            "gpu_hours": run.gpu_hours,
            "hours_of": run.hours_of,
            "utilisation": run.utilisation,
            "calibrates": run.calibrates,
            "predicted": self.predicted,
            "without_it": self.without,
            "flags": [flag.to_json() for flag in self.flags],
            "source": run.source,
        }


def review_run(run: Run, others: Sequence[Run]) -> Reviewed:
    """What the planner says of a run; `others`: those it is planned by, itself among them or not."""
    share = run.utilisation
    rest = [other for other in others if other.id != run.id]
    return Reviewed(run, _ratio(share, run, others), _ratio(share, run, rest), tuple(flags_of(run)))


def review_published() -> list[Reviewed]:
    """All published runs."""
    every = published_runs()
    return [review_run(run, every) for run in every]


def flags_of(run: Run) -> list[Flag]:
    """Whatever of a run should make somebody look twice."""
    found = []
    if run.utilisation is not None:
        found.append(utilisation_flag(run.utilisation))
    if run.gpu_hours is not None and run.card_hours is not None:
        found.append(hours_flag(run.gpu_hours, run.card_hours))
    if run.gpu_hours is not None and run.wall_hours is not None:
        found.append(unit_flag(run.gpu_hours, run.wall_hours, run.gpus))
    if run.gpu_hours is not None and not run.metered:
        found.append(Flag("NO_ENERGY_METER"))
    return [flag for flag in found if flag is not None]


def _ratio(share: float | None, run: Run, others: Sequence[Run]) -> float | None:
    """Hours planned for each that the run took."""
    if share is None:
        return None
    planned = calibrate_utilisation(run.chip, others)
    return share / number(planned.range.expected, "") if planned is not None else None
