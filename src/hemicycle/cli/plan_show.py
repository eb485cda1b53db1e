"""Plans on the terminal: figures in tables, then what they rest on."""

from __future__ import annotations

from collections.abc import Iterable

import click

from hemicycle.cli.tables import cell, print_table
from hemicycle.plan.assume import Place
from hemicycle.plan.estimate import UNITS, Estimate, Figures
from hemicycle.plan.flags import Flag
from hemicycle.typeset import format_duration, format_number, format_quantity
from hemicycle.units import Range

#: Figure → how it is called in a table.
NAMES = {
    "flop": "operations",
    "gpu_hours": "GPU-hours",
    "days": "days",
    "energy_mwh": "energy",
    "tco2e": "carbon",
    "cost_eur": "cost",
}
#: Figure → unit for people, and how many of them make one of `UNITS`.
_SHOWN = {
    "gpu_hours": ("h", 1.0),
    "days": ("d", 1.0),
    "energy_mwh": ("Wh", 1e6),
    "cost_eur": ("€", 1.0),
}


def show_estimate(found: Estimate) -> None:
    """The final run beside the whole project; then lines, drivers, assumptions, origins of carbon, flags."""
    work, place = found.work, found.place
    cards = f"{cell(place.gpus)} × {place.chip.name}" if place.gpus else place.chip.name
    where = cards if place.name == place.chip.name else f"{place.name}, {cards}"
    said = f"{many(work.parameters)} parameters, {many(work.tokens)} tokens"
    click.echo(f"{cell(work.name) + ': ' if work.name else ''}{said}, on {where}\n")
    show_figures({"final run": found.run, "whole project": found.project})
    if len(found.lines) > 1:
        click.echo()
        print_table(
            ["of which", "tokens", "operations", "GPU-hours"],
            [
                [
                    line["name"],
                    many(line["tokens"]),
                    format_number(line["flop"], "en", significant=3),
                    short(line["gpu_hours"], "h"),
                ]
                for line in found.lines
            ],
        )
    click.echo()
    show_assumptions(place)
    if found.drivers:
        told = ", ".join(f"{d.assumption} {d.times:.3g}×" for d in found.drivers)
        click.echo(f"\nfrom low to high, each alone: {told}")
    if found.carbon_by_origin:
        told = ", ".join(f"{o['origin']} {o['period']} {o['tco2e']:.3g} t" for o in found.carbon_by_origin)
        click.echo(f"carbon of the final run by origin of the factor: {told}")
    show_flags(found.flags)


def show_figures(columns: dict[str, Figures]) -> None:
    """Six figures, low to high, of each of some figures side by side."""
    rows = []
    for name in UNITS:
        row = [NAMES[name]]
        for figures in columns.values():
            row += shown(name, getattr(figures, name))
        rows.append(row)
    heads = [
        f"{column}: {end}" if end == "low" else end
        for column in columns
        for end in ("low", "expected", "high")
    ]
    print_table(["", *heads], rows)


def shown(name: str, value: Range | None) -> list[str]:
    """Low, expected and high of a figure for people."""
    if value is None:
        return ["–"] * 3
    told = value.to_json(UNITS[name])
    ends = [told[end] for end in ("low", "expected", "high")]
    if name == "flop":
        return [format_number(end, "en", significant=3) for end in ends]
    if name == "tco2e":
        return [f"{end:.3g} t CO₂e" if end < 1000 else f"{end:,.0f} t CO₂e" for end in ends]
    if name == "days" and ends[-1] < 2:
        return [format_duration(86_400 * end, "en") for end in ends]
    unit, factor = _SHOWN[name]
    return [short(factor * end, unit) for end in ends]


def show_assumptions(place: Place) -> None:
    rows = []
    for each in place.assumptions:
        told = each.range.to_json(each.unit)
        unit = each.unit or ""
        rows.append(
            [each.name, *(f"{told[end]:.3g}" for end in ("low", "expected", "high")), unit, each.because()]
        )
    print_table(["assumed", "low", "expected", "high", "", "because"], rows)


def show_flags(flags: Iterable[Flag]) -> None:
    for flag in flags:
        click.echo(f"{click.style(flag.name, fg='yellow')}: {flag.sentence()} {flag.remedy()}")


def short(number: float, unit: str = "") -> str:
    """Three digits and a unit, with plain spaces."""
    return format_quantity(number, unit, "en").replace("\u00a0", " ").strip()


def many(number: float) -> str:
    """Parameters or tokens as the field counts them: 6.70 B, 1.00 T."""
    return short(number).replace("G", "B")
