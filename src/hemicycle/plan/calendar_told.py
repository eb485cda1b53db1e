"""A calendar as people read it."""

from __future__ import annotations

from collections.abc import Iterator

from hemicycle.plan.calendar import Entry, Month, TeamSum, entries, free_hours, team_sums
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
        why = "; ".join(each.sentence(language) for each in unplaced.reasons)
        yield Sentence(f"{unplaced.task}{named['colon']} {why}", "NOT_PLACED")
    yield Heading(named["calendar"])
    yield Picture(lambda: draw(posed, found, language), named["calendar_words"])
    yield Heading(named["by_team"])
    yield _teams(team_sums(posed, found), language)
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


def _teams(sums: list[TeamSum], language: Language) -> Table:
    named, rows = words(language), []
    for each in sums:
        cost = format_quantity(each.eur, "€", language)
        rows.append(
            [
                each.team,
                format_number(each.gpu_hours, language, decimals=0),
                format_percent(each.share, language),
                format_percent(each.entitled, language),
                format_percent(each.slowdown, language),
                f"≥ {cost} ({named['unpriced']}{named['colon']} {each.unpriced})" if each.unpriced else cost,
                tonnes(each.tco2e, language),
            ]
        )
    keys = ("team", "reserved", "of_all", "entitled", "slowdown", "cost_eur", "tco2e")
    return Table([named[key] for key in keys], rows)


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
