"""What a share of the machine is a share of: the peak, the memory and the power of the chips that are known.

The table (`chips.csv`) holds bf16 peaks without sparsity. Data sheets print the sparse figure large, twice
the dense one, and a table that takes it halves every utilisation; so each row has both, and one whose dense
figure is not half of the sparse one is refused. A chip that is not in the table has no peak, as another
chip's would give a figure that means nothing. V100 and T4 are left out: they do not compute in bf16.
Names of columns end in their unit.
"""

from __future__ import annotations

import csv
import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hemicycle.errors import DeclarationError, did_you_mean

#: Sheets round: 362.05 is printed beside 733, 1.8 beside 3.5.
ROUNDING = 0.03
#: TFLOP/s for a watt, of all that are sold: what is outside was taken of a node, or of half a card.
EFFICIENCY = (0.2, 3.0)
#: Chips that people ask for and that cannot do this arithmetic.
NO_BF16 = ("v100", "t4", "p100")


@dataclass(frozen=True)
class Chip:
    """One card.

    Attributes:
        name: for people.
        family: of its maker; cards of one reach like shares of their peaks.
        flops: floating-point operations a second in bf16, dense.
        devices: as which the driver lists it.
        memory: bytes.
        bandwidth: of that memory, bytes a second.
        power: the most it may draw, watts; None of what no sheet tells.
        source: where the figures are from.
    """

    name: str
    family: str
    flops: float
    devices: int
    memory: int
    bandwidth: float
    power: float | None
    source: str


@dataclass(frozen=True)
class Peak:
    """The most that one device can do.

    Attributes:
        chip: its name for people.
        flops: floating-point operations a second in bf16, dense, of one device as the driver lists
            it: a card of two devices counts half for each.
        source: where the figure is from.
    """

    chip: str
    flops: float
    source: str


def find_chip(name: str) -> Chip:
    """The chip that people call so: ``h100``, ``A100 80GB``. Raises DeclarationError on any other."""
    known = {alias: row.chip for row in _table() for alias in row.aliases}
    wanted = _plain(name)
    if wanted in known:
        return known[wanted]
    if wanted in NO_BF16:
        raise DeclarationError(
            f"{name} does not compute in bf16, so a share of its peak would mean nothing",
            remedy=f"Chips that are known: {', '.join(chip_names())}.",
        )
    raise DeclarationError(
        f"no chip is known as “{name}”, and another one's peak would give figures that mean nothing",
        remedy=did_you_mean(name, chip_aliases()) or f"Chips that are known: {', '.join(chip_names())}.",
    )


def device_chip(name: str) -> Chip | None:
    """The chip of a device by the whole name that its driver gives it; None for one that is not known.

    A slice of a chip (MIG), a laptop's and any other relative bear other names, and are not known.
    """
    return next((row.chip for row in _table() if row.device.fullmatch(name.strip())), None)


def chip_aliases() -> list[str]:
    """What people call them, in the table's order."""
    return [alias for row in _table() for alias in row.aliases]


def chip_names() -> list[str]:
    return [row.chip.name for row in _table()]


def device_peak(name: str) -> Peak | None:
    """The peak of a device as `device_chip` knows it; None for a chip that is not known."""
    chip = device_chip(name)
    return Peak(chip.name, chip.flops / chip.devices, chip.source) if chip else None


def mfu(tokens_per_second: float, flop_per_token: float, peak: float | None) -> float | None:
    """Model FLOP utilisation: arithmetic of the model as a share of the peak, both of all devices together.

    Chowdhery et al. 2022 (PaLM), appendix B; None where there is no peak.
    """
    return tokens_per_second * flop_per_token / peak if peak else None


@dataclass(frozen=True)
class Row:
    """A chip, how people and how drivers call it."""

    chip: Chip
    aliases: tuple[str, ...]
    device: re.Pattern[str]


def read_chips(rows: Iterable[Mapping[str, str]]) -> list[Row]:
    """Rows of the table.

    Raises DeclarationError on a row whose dense figure is not half of its sparse one, or whose power is not
    that of one card.
    """
    found = []
    for row in rows:
        dense, sparse, power = float(row["dense_tflop_s"]), row["sparse_tflop_s"], float(row["power_w"])
        if sparse and abs(2 * dense / float(sparse) - 1) > ROUNDING:
            raise DeclarationError(
                f"the peak of {row['chip']}, {dense:g} TFLOP/s, is not half of {sparse} with sparsity",
                place="chips.csv",
                remedy="Give the dense figure: data sheets print the sparse one large.",
            )
        if not EFFICIENCY[0] <= dense / power <= EFFICIENCY[1]:
            raise DeclarationError(
                f"{power:g} W for the {dense:g} TFLOP/s of {row['chip']} is no power of one card",
                place="chips.csv",
                remedy="Give watts of one card: not of its node, nor of one of its devices.",
            )
        chip = Chip(
            name=row["chip"],
            family=row["family"],
            flops=dense * 1e12,
            devices=int(row["devices"]),
            memory=int(float(row["memory_gb"]) * 1e9),
            bandwidth=float(row["bandwidth_gb_s"]) * 1e9,
            power=power,
            source=row["source"],
        )
        aliases = {_plain(alias) for alias in [chip.name, *row["aliases"].split("|")]}
        found.append(Row(chip, tuple(sorted(aliases)), re.compile(row["device"], re.IGNORECASE)))
    return found


def _plain(name: str) -> str:
    """A name without what people write or leave out at will."""
    return re.sub(r"[\s_.-]", "", name.lower()).removeprefix("nvidia").removeprefix("amdinstinct")


@functools.cache
def _table() -> list[Row]:
    with Path(__file__).with_name("chips.csv").open(encoding="utf-8", newline="") as file:
        return read_chips(csv.DictReader(file))
