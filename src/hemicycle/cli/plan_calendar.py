"""`hemicycle plan calendar`: where and when the runs of several teams can be made."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hemicycle.cli.plan_count import Finite
from hemicycle.cli.plan_place import project_of
from hemicycle.cli.plan_show import show
from hemicycle.cli.session import FOLDER, Session, json_option, progress
from hemicycle.cli.tables import relative
from hemicycle.errors import HemicycleError
from hemicycle.plan.estimate import Work
from hemicycle.plan.programme import PROGRAMME

if TYPE_CHECKING:
    from hemicycle.plan.demand import Demand
    from hemicycle.plan.problem import Schedule


@click.command("calendar")
@click.option(
    "--project",
    "folder",
    type=FOLDER,
    default=Path(),
    help="Where sites.toml, plan.toml and hemicycle.toml are.",
)
@click.option(
    "--declared",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    help=f"The file that declares the programme; by default {PROGRAMME}.",
)
@click.option(
    "--seconds", type=Finite(1, 86_400), default=60.0, show_default=True, help="How long to search."
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="A folder for the page with its picture, calendar.ics and the directives for Slurm.",
)
@json_option
def plan_calendar(folder: Path, file: Path | None, seconds: float, out: Path | None, as_json: bool) -> None:
    """Spread a programme of runs over the sites: a calendar, and what is left for others in each month.

    Deadlines, priorities, maintenance, windows, quotas and the teams' shares are kept; what has no place is
    told with its reason. The schedule is the best there is, or says how much a better one might save.

    \b
    Examples:
      hemicycle plan calendar
      hemicycle plan calendar --seconds 20 --out calendar
    """
    from hemicycle.arithmetic.chips import find_chip
    from hemicycle.plan.calendar import entries, free_hours, team_sums
    from hemicycle.plan.calendar_told import tell_calendar
    from hemicycle.plan.check import violations
    from hemicycle.plan.demand import demand
    from hemicycle.plan.own import own_runs
    from hemicycle.plan.programme import load_programme
    from hemicycle.plan.schedule import schedule
    from hemicycle.sites import load_sites

    def model(name: str) -> Work:
        from hemicycle.flow.plans import planned

        return planned(Session(folder).flow, name)[0]

    folder = project_of(folder)
    posed = demand(
        load_programme(file or folder / PROGRAMME),
        load_sites(folder),
        own=lambda chip, place: own_runs(folder, find_chip(chip), place),
        model=model,
    )

    def day(hour: int) -> date:
        return (posed.begin + timedelta(hours=hour)).date()

    found = schedule(posed.problem, seconds=seconds, progress=progress(), at=day)
    if wrong := violations(posed.problem, found):
        raise HemicycleError(
            f"the schedule that was found cannot be: {wrong[0]}", remedy="Please report this."
        )
    told: dict[str, Any] = {
        "begin": posed.begin.isoformat(),
        "entries": [entry.to_json() for entry in entries(posed, found)],
        "unplaced": [
            {"task": each.task, "reasons": [why.sentence() for why in each.reasons]}
            for each in found.unplaced
        ],
        "objective": found.objective,
        "bound": found.bound,
        "gap": found.gap,
        "optimal": found.optimal,
        "seconds": round(found.seconds, 3),
        "teams": [team.to_json() for team in team_sums(posed, found)],
        "free": [month.to_json() for month in free_hours(posed, found)],
    }
    if out is not None:
        _write(out, posed, found, folder.resolve().name)
    show(partial(tell_calendar, posed, found), told, as_json=as_json, page=out, title=folder.resolve().name)


def _write(out: Path, posed: Demand, found: Schedule, project: str) -> None:
    from hemicycle.plan.calendar import entries, ics, slurm
    from hemicycle.plan.calendar_picture import draw
    from hemicycle.store import write_aside

    told = entries(posed, found)
    write_aside(out / "calendar.ics", ics(told, f"{project} {posed.begin}", datetime.now(UTC)))
    write_aside(out / "calendar.png", draw(posed, found, "en"))
    for older in (out / "slurm").glob("*.sbatch"):
        older.unlink()
    without = set()
    for entry, placement in zip(told, found.placements, strict=True):
        for pool in entry.pools:
            name = pool.partition("/")[0]
            site = posed.sites[name]
            if site.scheduler != "slurm":
                without.add(name)
            else:
                script = slurm(entry, pool, site, placement.mode.hours)
                name = f"{entry.task}.{pool.replace('/', '.')}.sbatch"
                write_aside(out / "slurm" / name, script.encode("utf-8"))
    click.echo(f"wrote {relative(out / 'calendar.ics')}, calendar.png and directives for Slurm", err=True)
    if without:
        click.echo(f'none for {", ".join(sorted(without))}: no `scheduler = "slurm"` is declared', err=True)
