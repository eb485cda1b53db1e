"""A run beside its plan: what was planned, what it came to, and what that says for the next plans there."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from hemicycle.errors import DeclarationError, InputError
from hemicycle.plan.own import OwnRun
from hemicycle.plan.published import COLUMNS, Run, published_runs, read_runs
from hemicycle.plan.review import Reviewed, review_run
from hemicycle.plan.saved import SavedPlan
from hemicycle.plan.training_log import Trained
from hemicycle.units import number, of

#: A training of so few seconds tells of its start, not of a place.
LEAST_SECONDS = 600.0


@dataclass(frozen=True)
class Compared:
    """One figure: what was planned, low to high, what it came to, and whether that is inside."""

    name: str
    unit: str
    low: float
    expected: float
    high: float
    actual: float

    @property
    def inside(self) -> bool:
        return self.low <= self.actual <= self.high

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "unit": self.unit,
            "low": self.low,
            "expected": self.expected,
            "high": self.high,
            "actual": float(f"{self.actual:.6g}"),
            "inside": self.inside,
        }


def compare(trained: Trained, plan: SavedPlan | None) -> list[Compared]:
    """Figures of a training that its plan has too."""
    if plan is None:
        return []
    actual: dict[str, tuple[str, float | None]] = {
        "tokens_per_second": ("token/s", trained.tokens_per_second or None),
        "utilisation": ("", _utilisation(trained)),
        "joules_per_token": ("J/token", trained.joules / trained.tokens if trained.joules else None),
        "seconds": ("s", trained.wall_seconds if trained.state == "finished" else None),
    }
    found = []
    for name, (unit, value) in actual.items():
        planned = plan.told.get(name)
        if planned is not None and value is not None:
            found.append(Compared(name, unit, planned["low"], planned["expected"], planned["high"], value))
    return found


def as_run(trained: Trained, today: date) -> Run | None:
    """A training as a row of a table of runs; None where it is on no known chip, too short to tell, or was
    made on one number of cards and then another, as nothing then tells its hours.

    Its hours are those at work: what stops and restarts took is what availability stands for. Meters of a
    training see its cards and not their host, so its energy says nothing of a whole machine's power.
    """
    if trained.chip is None or trained.seconds < LEAST_SECONDS or not trained.one_size:
        return None
    wall_hours = number(of(trained.wall_seconds, "s"), "hour")
    return Run(
        id=trained.name,
        name=trained.name,
        parameters=trained.parameters,
        tokens=trained.tokens,
        chip=trained.chip,
        gpus=trained.cards,
        gpu_hours=number(of(trained.seconds, "s"), "hour") * trained.cards,
        hours_of="measured",
        card_hours=None,
        wall_hours=wall_hours,
        energy_kwh=number(of(trained.joules, "J"), "kWh") if trained.joules else None,
        energy_of=f"metered, cards only: {trained.meter}" if trained.joules else "",
        tco2=None,
        source="its log",
        checked_on=today.isoformat(),
    )


def keeps(run: Run | None, place: str) -> OwnRun | None:
    """What later plans of the place will rest on; a run that is flagged is no measure of it."""
    return OwnRun(place, run) if run is not None and run.calibrates else None


def review_file(path: Path) -> list[Reviewed]:
    """Runs that a file tells of, in the columns of the published ones, beside what would have been planned.

    Raises InputError where it cannot be read, DeclarationError where a chip is not known.
    """
    try:
        rows = list(csv.DictReader(io.StringIO(path.read_text("utf-8-sig"))))
        missing = [name for name in COLUMNS if not rows or name not in rows[0]]
        if missing:
            raise InputError(
                f"this is no table of runs: it has no column {', '.join(missing)}, or commas are missing",
                place=str(path),
                remedy=f"Its columns are {', '.join(COLUMNS)}; what is not known stays empty.",
            )
        runs = [_row(path, number, row) for number, row in enumerate(rows, 2)]
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"this file cannot be read: {error}", place=str(path)) from None
    return [review_run(run, published_runs()) for run in runs]


def _row(path: Path, number: int, row: Mapping[str, str]) -> Run:
    place = f"{path}, line {number}"
    try:
        return read_runs([row])[0]
    except DeclarationError as error:
        raise DeclarationError(error.what, place=place, remedy=error.remedy) from None
    except ValueError as error:
        raise InputError(
            str(error),
            place=place,
            remedy="Numbers are written as 7e9 or 480000, without units and spaces.",
        ) from None


def _utilisation(trained: Trained) -> float | None:
    """Share of the peak by 6 N D while it was at work."""
    if trained.peak is None or not trained.tokens_per_second or not trained.one_size:
        return None
    flop = trained.parameters * of(6, "FLOP/token") * of(trained.tokens_per_second, "token/s")
    return number(flop, "FLOP/s") / trained.peak
