"""The calendar to look at: a lane for each pool, in it the cards that each run has, over the year.

Runs lie above each other as they share a pool, as high as they have cards; what is hatched is closed, and
what a window takes away is grey. Colours are those of teams.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import numpy as np

from hemicycle.pictures import new_figure, png_of
from hemicycle.plan.demand import Demand
from hemicycle.plan.hours import Clock, Hours
from hemicycle.plan.problem import Placement, Schedule
from hemicycle.plan.wording import words
from hemicycle.typeset import Language

INK, PALE, CLOSED = "#1f2933", "#e4e7eb", "#9aa5b1"
COLOURS = ("#1f4e79", "#c05a1c", "#2f7d4f", "#7a4f79", "#7a6a2f", "#3c8d93", "#a63a2b", "#52606d")
#: A name is written into a bar that is so wide, a share of the calendar, and so high, a share of a lane.
WIDE, HIGH = 0.06, 0.12


def draw(posed: Demand, found: Schedule, language: Language) -> bytes:
    """The picture as PNG. Raises DeclarationError without matplotlib."""
    named, clock, pools = words(language), Clock(posed.problem), posed.problem.pools
    figure = new_figure(12, 1.2 + 1.5 * len(pools), "plan")
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, DateFormatter
    from matplotlib.patches import Patch

    teams = sorted({task.team for task in posed.problem.tasks})
    colour = {team: COLOURS[i % len(COLOURS)] for i, team in enumerate(teams)}
    lanes = np.atleast_1d(figure.subplots(len(pools), 1, sharex=True))
    for axes, pool in zip(lanes, pools, strict=True):
        _lane(axes, posed, found, clock, pool.name, colour)
        axes.set_ylabel(f"{pool.name}\n{named['cards']}", fontsize=8, color=INK, parse_math=False)
        axes.tick_params(labelsize=7)
        axes.spines[["top", "right"]].set_visible(False)
    last = lanes[-1]
    locator = AutoDateLocator()  # type: ignore[no-untyped-call]
    last.xaxis.set_major_locator(locator)
    # The concise one knows the names of months in English alone.
    french = DateFormatter("%d/%m/%y")  # type: ignore[no-untyped-call]
    usual = ConciseDateFormatter(locator)  # type: ignore[no-untyped-call]
    last.xaxis.set_major_formatter(french if language == "fr" else usual)
    keys = [Patch(color=colour[team], label=team) for team in teams]
    keys.append(Patch(facecolor="white", edgecolor=CLOSED, hatch="////", label=named["picture_closed"]))
    if any(pool.windows for pool in pools):
        keys.append(Patch(color=PALE, label=named["picture_taken"]))
    legend = figure.legend(
        handles=keys, loc="outside upper center", ncols=min(8, len(keys)), frameon=False, fontsize=8
    )
    for text in legend.get_texts():
        text.set_parse_math(False)
    return png_of(figure)


def _lane(axes: Any, posed: Demand, found: Schedule, clock: Clock, pool: str, colour: dict[str, str]) -> None:
    horizon, capacity = posed.problem.horizon, clock.capacity[pool]
    top = int(capacity.max())

    def at(hour: int) -> Any:
        return posed.begin + timedelta(hours=int(hour))

    for start, end, height in _stretches(capacity):
        if height < top:
            axes.fill_between([at(start), at(end)], height, top, color=PALE, linewidth=0)
    longest: dict[str, tuple[int, int, int, int]] = {}
    for placement, start, end, low in _stack(found.placements, pool):
        gpus = placement.mode.demands[pool]
        team = posed.problem.task(placement.task).team
        axes.bar(
            at(start),
            gpus,
            width=at(end) - at(start),
            bottom=low,
            align="edge",
            color=colour[team],
            edgecolor="white",
            linewidth=0.4,
        )
        known = longest.get(placement.task, (0, 0, 0, 0))
        if end - start > known[1] - known[0]:
            longest[placement.task] = start, end, low, gpus
    for name, (start, end, low, gpus) in longest.items():
        if (end - start) / horizon >= WIDE and gpus / max(1, top) >= HIGH:
            axes.text(
                at((start + end) // 2),
                low + gpus / 2,
                name,
                ha="center",
                va="center",
                fontsize=6.5,
                color="white",
                parse_math=False,
                clip_on=True,
            )
    for start, end, closed in _stretches(clock.closed(pool).astype(np.int64)):
        if closed:
            axes.axvspan(at(start), at(end), facecolor="white", edgecolor=CLOSED, hatch="////", linewidth=0)
    axes.set_xlim(at(0), at(horizon))
    axes.set_ylim(0, 1.02 * max(1, top))


def _stretches(values: Hours) -> list[tuple[int, int, int]]:
    """Runs of equal values: begin, end, value."""
    edges = [0, *(np.flatnonzero(np.diff(values)) + 1).tolist(), len(values)]
    return [(a, b, int(values[a])) for a, b in itertools.pairwise(edges)]


def _stack(placements: Iterable[Placement], pool: str) -> list[tuple[Placement, int, int, int]]:
    """Pieces of runs with the height at which each lies: start, end, cards below it.

    Where something begins or ends all that runs is stacked anew, the earliest lowest, so that a lane is never
    higher than its pool: what runs beside may come and go, and leave room in pieces.
    """
    own = sorted((p for p in placements if pool in p.mode.demands), key=lambda p: (p.start, p.task))
    edges = sorted({edge for p in own for edge in (p.start, p.end)})
    pieces: dict[str, list[tuple[Placement, int, int, int]]] = defaultdict(list)
    for start, end in itertools.pairwise(edges):
        low = 0
        for placement in own:
            if placement.start <= start < placement.end:
                before = pieces[placement.task]
                if before and before[-1][2:] == (start, low):
                    before[-1] = placement, before[-1][1], end, low
                else:
                    before.append((placement, start, end, low))
                low += placement.mode.demands[pool]
    return [piece for own_pieces in pieces.values() for piece in own_pieces]
