"""Sites: the computing centres a project may run on, declared in `sites.toml`, one table a site.

[sites.jean-zay]
scheduler = "slurm"
account = "abc@cpu"
partition = "cpu_p1"
time = "04:00:00"
setup = ["module load python/3.11.5"]

[sites.jean-zay.training]
account = "abc@h100"
partition = "gpu_p6"
nodes = 2
gpus = 4
cpus = 96
time = "20:00:00"

What `hemicycle plan` reckons with stands beside it, each quantity with its unit:

[sites.jean-zay]
pue = 1.2
carbon = { factor = "20 g/kWh", origin = "RTE", period = "2025" }

[sites.jean-zay.pools.h100]
chip = "H100"
gpus = 512
gpus_per_node = 4
price = "1.90 EUR/GPU-h"
power = "551 W/GPU"
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from hemicycle.arithmetic.chips import Chip, find_chip
from hemicycle.errors import DeclarationError, did_you_mean
from hemicycle.project import Declared, Name, load_toml
from hemicycle.units import Quantity, in_units, number, of, quantity, spelled

SITES = "sites.toml"

#: A site in one line, since a remedy is one.
_EXAMPLE = '`sites.my-centre = { scheduler = "slurm", account = "abc@cpu", partition = "cpu_p1" }`'

#: What goes into a `#SBATCH` line is one word: a space or a line end would begin another option.
_Word = Annotated[str, StringConstraints(pattern=r"^[\w@.:/,+-]+$")]


def _some_time(time: str) -> str:
    if not time.strip("0:-"):
        raise ValueError(f"{time} is no time")
    return time


_Time = Annotated[str, StringConstraints(pattern=r"^(\d+-)?\d+(:\d\d){1,2}$"), AfterValidator(_some_time)]
_Memory = Annotated[str, StringConstraints(pattern=r"^\d+[MG]$")]
#: Least and most: that a grid emits, g/kWh; that a card draws with its host, relative to its own most; EUR an
#: hour.
CARBON, POWER_SHARES, PRICES = (1, 1_500), (0.3, 2.0), (0.05, 50.0)

_Variable = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


def _chip(name: str) -> str:
    try:
        return find_chip(name).name
    except DeclarationError as error:
        raise ValueError(f"{error.what}. {error.remedy}") from None


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"“{name}” is no time zone; one is such as “Europe/Paris”") from None
    return name


def check_carbon(factor: Quantity) -> None:
    """Raises ValueError on a factor that no grid has."""
    grams = number(factor, "g/kWh")
    least, most = CARBON
    if not least <= grams <= most:
        raise ValueError(f"no grid emits {grams:g} g/kWh; they emit from {least} to {most}")


def check_power(power: Quantity, chip: Chip) -> None:
    """Raises ValueError on what no card of that kind draws with its host."""
    watts = number(power, "W/GPU")
    if chip.power is not None and not POWER_SHARES[0] <= watts / chip.power <= POWER_SHARES[1]:
        raise ValueError(
            f"power {watts:g} W is {watts / chip.power:.2g} times the {chip.power:g} W of one {chip.name}: "
            "is it of a node, or of a card?"
        )


def check_price(price: Quantity) -> None:
    """Raises ValueError on what nobody takes for an hour of a card."""
    euros = number(price, "EUR/GPU-h")
    # A card may cost nothing to who has it.
    if euros and not PRICES[0] <= euros <= PRICES[1]:
        raise ValueError(f"price {euros:,.2f} EUR for an hour of one card: is it of a node, or of a card?")


class Period(Declared):
    """From the beginning of a day to that of another, UTC."""

    begin: date = Field(alias="from")
    until: date

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.begin >= self.until:
            raise ValueError(f"it ends on {self.until}, no later than it begins")
        return self


class Window(Period):
    """A period in which a pool has another number of cards than usual."""

    gpus: int = Field(ge=0, le=10_000_000)


class Quota(Period):
    """Hours that may be used of a pool in a period."""

    hours: Annotated[str, AfterValidator(in_units("GPU-h", "node-h"))]


class Carbon(Declared):
    """What a kilowatt-hour emits where a site stands. The same run differs by two or three times with it, so
    who published it and for when belong to it."""

    factor: Annotated[str, AfterValidator(in_units("g/kWh"))]
    origin: str = Field(min_length=1, max_length=200)
    period: str = Field(min_length=1, max_length=100)

    @model_validator(mode="after")
    def _of_a_grid(self) -> Self:
        check_carbon(quantity(self.factor, "g/kWh"))
        return self


class Pool(Declared):
    """Cards of one kind at a site.

    Attributes:
        chip: as `arithmetic.chips` knows it.
        price: of an hour, as agreed on the day `priced_on`. Left out, no cost is told.
        utilisation: share of the peak by 6 N D to expect, where no published run tells it.
        power: that a card draws with its share of the host, cooling apart; measured at the node.
        longest: the longest that one job may run.
        windows, quotas: periods with other numbers of cards, and what may be used of them.
    """

    chip: Annotated[str, AfterValidator(_chip)]
    gpus: int = Field(ge=1, le=10_000_000)
    gpus_per_node: int = Field(default=4, ge=1, le=1_000)
    utilisation: float | None = Field(default=None, gt=0, le=1)
    price: Annotated[str, AfterValidator(in_units("EUR/GPU-h", "EUR/node-h"))] | None = None
    priced_on: date | None = None
    power: Annotated[str, AfterValidator(in_units("W/GPU", "W/node"))] | None = None
    account: _Word | None = None
    partition: _Word | None = None
    constraint: _Word | None = None
    longest: _Time = "20:00:00"
    windows: list[Window] = Field(default_factory=list, max_length=1_000)
    quotas: list[Quota] = Field(default_factory=list, max_length=1_000)

    @model_validator(mode="after")
    def _dated(self) -> Pool:
        if (self.price is None) != (self.priced_on is None):
            raise ValueError("price and priced_on belong together: a price is one of a day")
        return self

    @model_validator(mode="after")
    def _of_one_card(self) -> Self:
        """What is declared of a node and written as of a card, or the other way round, is many times off."""
        if self.power is not None:
            check_power(self.each(self.power, "W/GPU"), find_chip(self.chip))
        if self.price is not None:
            check_price(self.each(self.price, "EUR/GPU-h"))
        return self

    def each(self, text: str, unit: str) -> Quantity:
        """A declared quantity by cards: what is said of a node is shared by its cards."""
        try:
            return quantity(text, unit)
        except DeclarationError:
            of_node = quantity(text, unit.replace("GPU", "node"))
            cards = of(self.gpus_per_node, "GPU/node")
            by_card: Quantity = of_node * cards if unit.startswith("GPU") else of_node / cards
            return by_card.to(spelled(unit))


class Training(Declared):
    """Where and how a site trains; account, partition, qos, constraint, setup and container are the site's
    own where they are left out.

    Attributes:
        nodes: of one training.
        gpus: graphics cards of each node; a process each. Without any, one process a node.
        cpus: cores of each node.
        memory: of each node.
        time: the longest one job may take; a training that takes longer goes on in the next.
        exclude: nodes that are not to be used.
        requeue: whether Slurm may put a job back into its queue. Where a site does not let it, a next job is
            submitted instead.
        save_before: seconds before the end of a job's time at which it saves a checkpoint and leaves.
        environment: variables of each process, such as what NCCL needs to know of the site's network.
    """

    account: _Word | None = None
    partition: _Word | None = None
    qos: _Word | None = None
    constraint: _Word | None = None
    reservation: _Word | None = None
    exclude: list[_Word] = Field(default_factory=list)
    nodes: int = Field(default=1, ge=1, le=100_000)
    gpus: int = Field(default=0, ge=0, le=1_000)
    cpus: int = Field(default=1, ge=1, le=10_000)
    memory: _Memory | None = None
    time: _Time = "02:00:00"
    requeue: bool = True
    save_before: int = Field(default=120, ge=1, le=65_535)
    environment: dict[_Variable, str] = Field(default_factory=dict)
    setup: list[str] | None = None
    container: _Word | None = None


class Site(Declared):
    """One site.

    Attributes:
        time: the longest one task may take, as Slurm writes it.
        at_once: tasks of one array that run at the same time, at most; the store's inode and bandwidth limits
            are met here.
        memory: of one task, as Slurm writes it.
        setup: lines of shell before the work, as the site's manual gives them (modules, an environment).
        container: path of an Apptainer image to run in.
        pue: energy of the whole centre for one unit at its machines.
        network: to other sites.
        availability: share of the time that a running job is not stopped by what fails.
        maintenance: periods in which nothing runs.
        timezone: of its clocks, as the IANA names it.
        pools: its cards, by kind.
    """

    scheduler: Literal["local", "slurm"] = "local"
    account: _Word | None = None
    partition: _Word | None = None
    qos: _Word | None = None
    constraint: _Word | None = None
    time: _Time = "02:00:00"
    at_once: int = Field(default=64, ge=1)
    memory: _Memory = "4G"
    setup: list[str] = Field(default_factory=list)
    container: _Word | None = None
    training: Training = Training()
    pue: float | None = Field(default=None, ge=1, le=3)
    carbon: Carbon | None = None
    network: Annotated[str, AfterValidator(in_units("Gbit/s", above_zero=True))] | None = None
    availability: float | None = Field(default=None, gt=0, le=1)
    maintenance: list[Period] = Field(default_factory=list, max_length=1_000)
    timezone: Annotated[str, AfterValidator(_zone)] = "UTC"
    pools: dict[Name, Pool] = Field(default_factory=dict, max_length=1_000)


class Sites(Declared):
    """The whole of `sites.toml`."""

    sites: dict[Name, Site]


def load_sites(folder: Path) -> dict[str, Site]:
    """The sites of a project, none where it has no `sites.toml`. Raises DeclarationError."""
    path = folder / SITES
    return load_toml(path, Sites).sites if path.is_file() else {}


def slurm_site(folder: Path, name: str | None) -> Site:
    """The named site, or the only one with Slurm. Raises DeclarationError where that is not one."""
    sites = {n: site for n, site in load_sites(folder).items() if site.scheduler == "slurm"}
    if name is None and len(sites) == 1:
        return next(iter(sites.values()))
    if name in sites:
        return sites[name]
    which = f"Say which with --site: {', '.join(sites)}."
    raise DeclarationError(
        f"there is no site “{name}” with Slurm" if name else f"{len(sites) or 'no'} sites have Slurm",
        place=str(folder / SITES),
        remedy=(name and did_you_mean(name, sites))
        or (which if sites else f"Write there {_EXAMPLE}; see docs/run.md."),
    )
