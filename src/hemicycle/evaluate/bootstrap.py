"""Intervals and paired differences of bits per byte, by the bootstrap.

What is resampled are documents where there are enough of them, because characters of one document resemble
each other and an interval over blocks would be too narrow; with few documents, blocks, and the report says
so. A ratio of sums is resampled as a ratio of sums: the mean of the blocks' own ratios would weigh a short
block like a long one.

All series (models, baselines) are resampled with the same draws, so the difference of two of them is paired.
Percentile interval: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13. Step-down
correction: Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics
6 (1979).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

REPLICATES = 10_000
CONFIDENCE = 0.95
SEED = 1
#: With fewer documents than this, blocks are resampled instead.
ENOUGH_DOCUMENTS = 20
#: With fewer units than this an interval would pretend to know something.
FEWEST_UNITS = 5
#: Numbers drawn at once: bounds memory to about 100 MB.
DRAWS_AT_ONCE = 4_000_000

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Unit = Literal["document", "block"]


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval; None where there were too few units for one."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Difference:
    """Value of the first series minus that of the second; two-sided p of no difference."""

    value: float
    low: float | None
    high: float | None
    p: float | None


@dataclass(frozen=True)
class Resampled:
    """Bits per byte of several series over the same units.

    Attributes:
        unit: what was resampled.
        units: how many of them there were.
        values: (series,) over all units.
        replicates: (series, replicates), or None with too few units.
    """

    unit: Unit
    units: int
    values: Floats
    replicates: Floats | None

    def estimate(self, series: int) -> Estimate:
        value = float(self.values[series])
        if self.replicates is None:
            return Estimate(value, None, None)
        return Estimate(value, *_interval(self.replicates[series]))

    def difference(self, first: int, second: int) -> Difference:
        """Paired difference; p: twice the share of replicates on the other side of zero, (b + 1)/(B + 1).

        So no p is below 2/(B + 1): past 250 contrasts Holm's correction leaves nothing of 10 000 replicates.
        """
        value = float(self.values[first] - self.values[second])
        if self.replicates is None:
            return Difference(value, None, None, None)
        drawn = self.replicates[first] - self.replicates[second]
        beyond = min(int(np.count_nonzero(drawn <= 0)), int(np.count_nonzero(drawn >= 0)))
        return Difference(value, *_interval(drawn), min(1.0, 2 * (beyond + 1) / (drawn.size + 1)))


def resample(
    bits: Floats,
    sizes: Integers | Floats,
    documents: Integers,
    *,
    replicates: int = REPLICATES,
    seed: int = SEED,
) -> Resampled:
    """Bits per byte of every series, and its bootstrap replicates.

    Args:
        bits: (series, blocks).
        sizes: (blocks,) bytes of each block, or whatever else its bits are divided by; the same for all
            series.
        documents: (blocks,) the document each block belongs to.
        seed: key of the Philox generator: equal seeds give equal draws on every machine.
    """
    numbers, group = np.unique(documents, return_inverse=True)
    unit: Unit = "document" if numbers.size >= ENOUGH_DOCUMENTS else "block"
    both = np.vstack([bits, sizes[None, :].astype(np.float64)])
    if unit == "document":
        both = np.stack([np.bincount(group, weights=row, minlength=numbers.size) for row in both])
    values = both[:-1].sum(axis=1) / both[-1].sum()
    units = both.shape[1]
    if units < FEWEST_UNITS:
        return Resampled(unit, units, values, None)
    dice = np.random.Generator(np.random.Philox(key=seed))
    drawn = np.empty((bits.shape[0], replicates))
    rows = max(1, DRAWS_AT_ONCE // units)
    for at in range(0, replicates, rows):
        n = min(rows, replicates - at)
        chosen = dice.integers(0, units, size=(n, units)) + np.arange(n)[:, None] * units
        times = np.bincount(chosen.reshape(-1), minlength=n * units).reshape(n, units)
        sums = both @ times.T.astype(np.float64)
        drawn[:, at : at + n] = sums[:-1] / sums[-1]
    return Resampled(unit, units, values, drawn)


def holm(p: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values, in the order given."""
    adjusted = [0.0] * len(p)
    highest = 0.0
    for rank, i in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        highest = max(highest, min(1.0, (len(p) - rank) * p[i]))
        adjusted[i] = highest
    return adjusted


def _interval(replicates: Floats) -> tuple[float, float]:
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(replicates, [tail, 1 - tail])
    return float(low), float(high)
