"""A calendar as people read it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from hemicycle.plan.calendar import Entry, Month, entries, free_hours
from hemicycle.plan.calendar_picture import draw
from hemicycle.plan.demand import Demand
from hemicycle.plan.problem import Schedule
from hemicycle.plan.told import Heading, Picture, Piece, Sentence, Table, tonnes
from hemicycle.plan.wording import say, words
from hemicycle.typeset import Language, format_number, format_percent, format_quantity


def tell_calendar(posed: Demand, found: Schedule, language: Language) -> Iterator[Piece]:
    """What runs where and when, what has no place and why, how good that is, and what is left for others."""
    named, told = words(language), entries(posed, found)
    placed, whole = len(told), len(posed.problem.tasks)
    counted = {
        "placed": format_number(placed, language),
        "whole": format_number(whole, language),
        "seconds": format_number(found.seconds, language, decimals=1),
    }
    yield Sentence(say("placed", language, **counted))
    if placed:
        yield Sentence(named["proven"] if found.optimal else say("gap", language, share=found.gap))
    yield Table(
        [
            named[key]
            for key in ("task", "team", "pool", "cards", "from", "until", "reserved", "cost_eur", "late")
        ],
        [_row(entry, language) for entry in told],
    )
    yield Sentence(named["calendar_hours"])
    for unplaced in found.unplaced:
        yield Sentence(f"{unplaced.task}{named['colon']} {unplaced.reason}", "NOT_PLACED")
    yield Heading(named["calendar"])
    yield Picture(lambda: draw(posed, found, language), named["calendar_words"])
    yield Heading(named["by_team"])
    yield _teams(told, language)
    yield Heading(named["free"])
    yield _free(free_hours(posed, found), language)
    yield Sentence(named["free_words"])


def _row(entry: Entry, language: Language) -> list[str]:
    return [
        entry.task,
        entry.team,
        ", ".join(entry.pools),
        format_number(sum(entry.pools.values()), language),
        entry.start.strftime("%Y-%m-%d %H:%M"),
        entry.end.strftime("%Y-%m-%d %H:%M"),
        format_number(entry.gpu_hours, language, decimals=0),
        format_quantity(entry.eur, "€", language),
        format_quantity(entry.late, "h", language) if entry.late else "",
    ]


def _teams(told: list[Entry], language: Language) -> Table:
    named = words(language)
    sums: dict[str, list[Entry]] = defaultdict(list)
    for entry in told:
        sums[entry.team].append(entry)
    total = sum(entry.gpu_hours for entry in told) or 1.0
    rows = []
    for team, own in sorted(sums.items()):
        hours = sum(entry.gpu_hours for entry in own)
        euros = [entry.eur for entry in own if entry.eur is not None]
        carbon = [entry.tco2e for entry in own if entry.tco2e is not None]
        rows.append(
            [
                team,
                format_number(hours, language, decimals=0),
                format_percent(hours / total, language),
                format_quantity(sum(euros), "€", language) if len(euros) == len(own) else "–",
                tonnes(sum(carbon), language) if len(carbon) == len(own) else "–",
            ]
        )
    return Table([named[key] for key in ("team", "reserved", "of_all", "cost_eur", "tco2e")], rows)


def _free(months: list[Month], language: Language) -> Table:
    pools = list(dict.fromkeys(month.pool for month in months))
    names = list(dict.fromkeys(month.month for month in months))
    by_place = {(month.pool, month.month): month for month in months}
    rows = []
    for name in names:
        row = [name]
        for pool in pools:
            month = by_place[pool, name]
            share = month.free / month.whole if month.whole else 0.0
            row.append(f"{format_quantity(month.free, 'h', language)} ({format_percent(share, language)})")
        rows.append(row)
    return Table(["", *pools], rows)
