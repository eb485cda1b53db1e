"""Own runs: what trainings came to where they were made, beside the published ones and in the same columns.

    plans/runs.csv     one line a run that `hemicycle plan --actual` looked at

A place where runs were made is planned by these, and no longer by what others reached elsewhere.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hemicycle.arithmetic.chips import Chip
from hemicycle.errors import DeclarationError, InputError
from hemicycle.plan.published import COLUMNS, Run, read_runs, run_row
from hemicycle.store import write_aside

#: The folder of plans in a project, and its file of runs.
PLANS, RUNS = "plans", "runs.csv"


@dataclass(frozen=True)
class OwnRun:
    """A run with the place where it was made, ``site/pool`` or a chip's name."""

    place: str
    run: Run


def own_runs(folder: Path, chip: Chip, place: str) -> list[Run]:
    """Runs on chips of that family that were made at that place."""
    return [own.run for own in read_own(folder) if own.run.chip.family == chip.family and own.place == place]


def read_own(folder: Path) -> list[OwnRun]:
    """All of them; none where there is no file. Raises InputError where it is damaged."""
    path = folder / PLANS / RUNS
    if not path.is_file():
        return []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        runs = read_runs(rows)
        return [OwnRun(row["place"], run) for row, run in zip(rows, runs, strict=True)]
    except (DeclarationError, KeyError, ValueError, TypeError, csv.Error) as error:
        raise InputError(
            f"this file of own runs cannot be read: {error}",
            place=str(path),
            remedy="Mend it, or delete it and look at the runs again with `hemicycle plan --actual`.",
        ) from None


def write_own(folder: Path, added: OwnRun) -> None:
    """Add a run, or put it in place of the one of its name at its place."""
    kept = [own for own in read_own(folder) if (own.place, own.run.id) != (added.place, added.run.id)]
    (folder / PLANS).mkdir(exist_ok=True)
    write_aside(folder / PLANS / RUNS, _table([*kept, added]).encode("utf-8"))


def _table(runs: Sequence[OwnRun]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, ("place", *COLUMNS), lineterminator="\n")
    writer.writeheader()
    for own in runs:
        writer.writerow({"place": own.place, **run_row(own.run)})
    return out.getvalue()
