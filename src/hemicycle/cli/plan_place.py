"""What verbs of planning have in common: which cards, whose, and what is said of them in the call."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from hemicycle.arithmetic.chips import Chip, chip_aliases, device_chip, find_chip
from hemicycle.cli.plan_count import Finite
from hemicycle.cli.session import FOLDER
from hemicycle.errors import DeclarationError, HemicycleError, did_you_mean
from hemicycle.plan.assume import HERE, Place, Said, assume
from hemicycle.plan.own import own_runs
from hemicycle.plan.tables import regions
from hemicycle.project import find_project
from hemicycle.sites import SITES, Pool, Site, check_carbon, check_power, check_price, load_sites
from hemicycle.units import Quantity, quantity


class InUnit(click.ParamType[Quantity]):
    """A quantity with its unit, as in sites.toml."""

    def __init__(self, unit: str) -> None:
        self.unit = unit
        self.name = f"“{unit}”"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Quantity:
        try:
            return quantity(value, self.unit)
        except DeclarationError as error:
            self.fail(f"{error.what}. {error.remedy}", param, ctx)


_SHARE = Finite(1e-4, 1)


def _site_names() -> list[str]:
    """What the shell may offer where one stands."""
    try:
        return [f"{n}/{pool}" for n, site in load_sites(project_of(Path())).items() for pool in site.pools]
    except DeclarationError:
        return []


_OPTIONS = (
    click.option(
        "--chip",
        help="The kind of card, such as a100, h100, mi300x; “here” measures this machine.",
        shell_complete=lambda ctx, param, begun: [n for n in [*chip_aliases(), HERE] if n.startswith(begun)],
    ),
    click.option("--gpus", type=click.IntRange(1, 10_000_000), help="How many of them at once."),
    click.option(
        "--site",
        metavar="SITE[/POOL]",
        help="A site of sites.toml, and its pool where it has several.",
        shell_complete=lambda ctx, param, begun: [n for n in _site_names() if n.startswith(begun)],
    ),
    click.option(
        "--project", "folder", type=FOLDER, default=Path(), help="Where sites.toml and hemicycle.toml are."
    ),
    click.option(
        "--utilisation",
        type=_SHARE,
        help="Share of the peak by 6 N D; by default what published runs reached.",
    ),
    click.option("--power", type=InUnit("W/GPU"), help="Of a card with its share of the host."),
    click.option("--pue", type=Finite(1, 3), help="Energy of the centre for one unit at its machines."),
    click.option("--carbon", type=InUnit("g/kWh"), help="What a kilowatt-hour emits."),
    click.option(
        "--region",
        metavar="COUNTRY",
        help="Whose published carbon factors to range over.  [default: FR]",
        shell_complete=lambda ctx, param, begun: [r for r in regions() if r.startswith(begun)],
    ),
    click.option("--price", type=InUnit("EUR/GPU-h"), help="Of an hour of a card."),
    click.option(
        "--availability", type=_SHARE, help="Share of the calendar that a running job is not stopped."
    ),
    click.option(
        "--experiments",
        type=Finite(1, 100),
        help="The whole project by its final run; by default ranged from 1.3 to 5.",
    ),
)


def place_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say where; handed over as `place`, a function, since a mode may need none."""

    @functools.wraps(function)
    def gathered(**given: Any) -> Any:
        said = Said(**{name: given.pop(name) for name in (field.name for field in dataclasses.fields(Said))})
        if said.region is not None and said.carbon is not None:
            raise click.UsageError("--region and --carbon say the same of two origins: say one")
        chip, gpus, site = given.pop("chip"), given.pop("gpus"), given.pop("site")
        return function(**given, place=lambda: find_place(given["folder"], chip, gpus, site, said))

    command: Callable[..., Any] = gathered
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def find_place(folder: Path, chip: str | None, gpus: int | None, where: str | None, said: Said) -> Place:
    """The cards that a call means. Raises DeclarationError where it does not say enough."""
    folder = project_of(folder)
    sites = load_sites(folder)
    if where is None and chip is not None:
        card = _this_machine() if chip == HERE else find_chip(chip)
        _check(said, card)
        here = 1 if card.family == HERE else None
        return assume(card.name, card, gpus or here, said=said, own=own_runs(folder, card, card.name))
    name, site, pool_name, pool = _pool(sites, where, chip, folder)
    card = find_chip(pool.chip)
    _check(said, card)
    if gpus is not None and gpus > pool.gpus:
        raise DeclarationError(
            f"{gpus} cards are more than the {pool.gpus} of {name}/{pool_name}", place=str(folder / SITES)
        )
    place = f"{name}/{pool_name}"
    own = own_runs(folder, card, place)
    today = datetime.now(UTC).date()
    cards = gpus or pool.gpus
    return assume(place, card, cards, said=said, site=site, pool=pool, own=own, today=today)


def project_of(folder: Path) -> Path:
    """The folder of the project that one is in; outside of any, the folder itself."""
    try:
        return find_project(folder)
    except DeclarationError:
        return folder


def _check(said: Said, card: Chip) -> None:
    """What is said is held to what a site may declare. Raises DeclarationError."""
    try:
        if said.power is not None:
            check_power(said.power, card)
        if said.carbon is not None:
            check_carbon(said.carbon)
        if said.price is not None:
            check_price(said.price)
    except ValueError as error:
        raise DeclarationError(str(error)) from None


def _this_machine() -> Chip:
    """The card here, or the processor as if it were one, by its rate of products of matrices."""
    try:
        import torch
    except ImportError:
        raise HemicycleError(
            "measuring this machine needs torch", remedy="pip install 'hemicycle[train]'"
        ) from None
    from hemicycle.train.machine import accelerators, measured_matmul_rate, precision_here

    device = torch.device("cuda" if accelerators() else "cpu")
    # As a training calls it in its log.
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "processor"
    known = device_chip(name)
    if known is not None:
        return known
    precision = precision_here(None)
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    rate = measured_matmul_rate(device, dtype)
    return Chip(name, HERE, rate, 1, memory, 0.0, None, f"measured now in {precision}")


def _pool(
    sites: dict[str, Site], where: str | None, chip: str | None, folder: Path
) -> tuple[str, Site, str, Pool]:
    known = {
        f"{name}/{pool}": (name, site, pool, site.pools[pool])
        for name, site in sites.items()
        for pool in site.pools
    }
    if not known:
        raise DeclarationError(
            f"no site with a pool of cards is declared, so “{where}” is none"
            if where is not None
            else "nothing says on which cards",
            place=str(folder / SITES) if where is not None else None,
            remedy=f"Name a chip, as in `--chip h100`, or declare pools in {SITES}; see docs/plan.md.",
        )
    found = {
        place: each
        for place, each in known.items()
        if (where is None or where in (place, each[0]))
        and (chip is None or find_chip(chip).name == each[3].chip)
    }
    if len(found) == 1:
        return next(iter(found.values()))
    if not found:
        there = where in known or where in sites
        raise DeclarationError(
            f"{where} has no {f'pool with {chip}' if chip else 'pool of cards'}"
            if there
            else f"no pool is “{where}”"
            if where
            else f"no pool has {chip}",
            place=str(folder / SITES),
            remedy=(where and not there and did_you_mean(where, [*known, *sites]))
            or f"Pools: {', '.join(f'{name} ({each[3].chip})' for name, each in known.items())}.",
        )
    raise DeclarationError(
        f"{len(found)} pools are meant",
        place=str(folder / SITES),
        remedy=f"Say one: --site {' or '.join(found)}.",
    )
