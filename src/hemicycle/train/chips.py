"""What a share of the machine is a share of: the peak of a known chip, or the rate measured on this one.

The table (`chips.csv`) holds bf16 peaks without sparsity. Data sheets print the sparse figure large, twice
the dense one, and a table that takes it halves every utilisation; so each row has both, and one whose dense
figure is not half of the sparse one is refused. A chip that is not in the table has no peak, as another
chip's would give a figure that means nothing. V100 and T4 are left out: they do not compute in bf16.
"""

from __future__ import annotations

import csv
import functools
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hemicycle.errors import DeclarationError

if TYPE_CHECKING:
    import torch

#: Sheets round: 362.05 is printed beside 733, 1.8 beside 3.5.
ROUNDING = 0.03
#: Sides of the square products that are timed, and for how long.
CPU_SIDE, GPU_SIDE, MEASURED_SECONDS = 1_024, 8_192, 1.0


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


def device_peak(name: str) -> Peak | None:
    """The peak of a device by the whole name that its driver gives it; None for a chip that is not known.

    A slice of a chip (MIG), a laptop's and any other relative bear other names, and are not known.
    """
    for pattern, peak in _table():
        if pattern.fullmatch(name.strip()):
            return peak
    return None


def mfu(tokens_per_second: float, flop_per_token: float, peak: float | None) -> float | None:
    """Model FLOP utilisation: arithmetic of the model as a share of the peak, both of all devices together.

    Chowdhery et al. 2022 (PaLM), appendix B; None where there is no peak.
    """
    return tokens_per_second * flop_per_token / peak if peak else None


def measured_matmul_rate(
    device: torch.device, dtype: torch.dtype, seconds: float = MEASURED_SECONDS
) -> float:
    """FLOP a second of the fastest of many products of square matrices, with the threads torch has now."""
    import torch

    side = GPU_SIDE if device.type == "cuda" else CPU_SIDE
    a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    out = torch.empty_like(a)

    def product() -> float:
        began = time.perf_counter()
        torch.mm(a, b, out=out)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter() - began

    product()
    end = time.perf_counter() + seconds
    fastest = product()
    while time.perf_counter() < end:
        fastest = min(fastest, product())
    return float(2 * side**3 / fastest)


def read_peaks(rows: Iterable[Mapping[str, str]]) -> list[tuple[re.Pattern[str], Peak]]:
    """Rows of the table as patterns of device names with their peaks.

    Raises DeclarationError on a row whose dense figure is not half of its sparse one.
    """
    found = []
    for row in rows:
        tflops, sparse = float(row["tflops"]), row["sparse_tflops"]
        if sparse and abs(2 * tflops / float(sparse) - 1) > ROUNDING:
            raise DeclarationError(
                f"the peak of {row['chip']}, {tflops:g} TFLOP/s, is not half of {sparse} with sparsity",
                place="chips.csv",
                remedy="Give the dense figure: data sheets print the sparse one large.",
            )
        peak = Peak(row["chip"], tflops * 1e12 / int(row["devices"]), row["source"])
        found.append((re.compile(row["device"], re.IGNORECASE), peak))
    return found


@functools.cache
def _table() -> list[tuple[re.Pattern[str], Peak]]:
    with Path(__file__).with_name("chips.csv").open(encoding="utf-8", newline="") as file:
        return read_peaks(csv.DictReader(file))
