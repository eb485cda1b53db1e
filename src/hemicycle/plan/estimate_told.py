"""An estimate as people read it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from hemicycle.plan.assume import Assumption
from hemicycle.plan.estimate import UNITS, Estimate, Figures, Work
from hemicycle.plan.flags import Flag
from hemicycle.plan.told import Bars, Heading, Piece, Sentence, Table, ends, many, tonnes
from hemicycle.plan.wording import say, words
from hemicycle.typeset import Language, format_number


def tell_estimate(found: Estimate, language: Language) -> Iterator[Piece]:
    """The final run beside the whole project; then what is read, what it rests on, and what to look at."""
    named = words(language)
    yield Sentence(_subject(found, language))
    yield figures_table({named["final_run"]: found.run, named["project"]: found.project}, language)
    if len(found.lines) > 1:
        yield Table(
            [named["of_which"], named["tokens"], named["flop"], named["gpu_hours"]],
            [
                [
                    line["name"],
                    many(line["tokens"], language),
                    format_number(line["flop"], language, significant=3),
                    format_number(line["gpu_hours"], language, decimals=0),
                ]
                for line in found.lines
            ],
        )
        yield Sentence(say("encoders", language))
    yield Heading(named["assumed"])
    yield assumptions_table(found.assumptions, language)
    if found.drivers:
        told = ", ".join(f"{named[d.assumption]} {format_number(d.times, language)}×" for d in found.drivers)
        yield Sentence(say("drivers", language, drivers=told))
        most = found.drivers[0].times
        yield Bars(
            [
                (named[d.assumption], d.times / most, f"{format_number(d.times, language)}×")
                for d in found.drivers
            ]
        )
    if found.carbon_by_origin:
        yield Heading(named["by_origin"])
        yield Table(
            [named["origin"], named["period"], named["scope"], "g/kWh", "CO₂e"],
            [
                [
                    each["origin"],
                    each["period"],
                    named[f"scope_{each['scope']}"],
                    format_number(each["g_per_kwh"], language, decimals=1),
                    tonnes(each["tco2e"], language),
                ]
                for each in found.carbon_by_origin
            ],
        )
        yield Sentence(say("not_embodied", language))
    yield from flag_pieces(found.flags, language)
    yield Heading(named["sources"])
    yield Table(
        ["", named["sources"]],
        [[named[each.name], "; ".join(each.sources)] for each in found.assumptions if each.sources],
        page_only=True,
    )


def flag_pieces(flags: Iterable[Flag], language: Language) -> Iterator[Piece]:
    for flag in flags:
        yield Sentence(f"{flag.sentence(language)} {flag.remedy(language)}", flag.name)


def figures_table(columns: dict[str, Figures], language: Language) -> Table:
    """Six figures, low to high, of each of some figures side by side."""
    named = words(language)
    rows = [
        [
            named[name],
            *(text for each in columns.values() for text in ends(name, getattr(each, name), language)),
        ]
        for name in UNITS
    ]
    head = [
        f"{column}{named['colon']} {named['low']}" if end == "low" else named[end]
        for column in columns
        for end in ("low", "expected", "high")
    ]
    return Table(["", *head], rows)


def assumptions_table(assumed: Sequence[Assumption], language: Language) -> Table:
    named = words(language)

    def figure(value: float) -> str:
        return format_number(value, language, decimals=0 if value >= 100 else 1 if value >= 10 else 2)

    rows = []
    for each in assumed:
        told = each.range.to_json(each.unit)
        three = [figure(told[end]) for end in ("low", "expected", "high")]
        rows.append([named[each.name], *three, each.unit, each.because(language)])
    return Table(["", named["low"], named["expected"], named["high"], "", named["because"]], rows)


def _parameters(work: Work, language: Language) -> str:
    active = many(work.parameters, language)
    if work.whole is None or work.whole <= work.parameters:
        return active
    return say("active_of", language, active=active, whole=many(work.whole, language))


def _subject(found: Estimate, language: Language) -> str:
    work, place = found.work, found.place
    cards = f"{format_number(place.gpus, language)} × {place.chip.name}" if place.gpus else place.chip.name
    return say(
        "subject",
        language,
        name=f"{work.name}{words(language)['colon']} " if work.name else "",
        parameters=_parameters(work, language),
        tokens=many(work.tokens, language),
        where=cards if place.name == place.chip.name else f"{place.name}, {cards}",
    )
