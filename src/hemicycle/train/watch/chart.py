"""Charts as SVG: many points thinned to few, without losing a spike; axes; nothing but numbers and paths.

A chart is drawn into a square of 1000 by 1000 that the page stretches to its own size, so lines keep their
width and labels, which stand outside the square, their size. Text is the page's business.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]

#: Points of a line at most: more than a screen shows.
POINTS = 400
SIDE = 1000
#: Lines of one chart: six colours, each plain and dashed.
MOST_LINES = 12
#: Marks of skipped steps at most; beyond, they are a band anyway.
MOST_MARKS = 200
#: Share of a band that may lie outside the chart at each end, so that one spike does not flatten it.
OUTSIDE = 0.005


@dataclass(frozen=True)
class Line:
    """Points of a line, and the band in which the values lie that it is the mean of."""

    name: str
    x: Numbers
    y: Numbers
    low: Numbers | None = None
    high: Numbers | None = None


@dataclass(frozen=True)
class Chart:
    """What is to be drawn.

    Attributes:
        log: the y axis is logarithmic; what is not above zero is left out.
        floor: a linear y axis begins at or below it.
        marks: x of steps that were skipped.

    The x axis begins at zero.
    """

    name: str
    lines: Sequence[Line]
    log: bool = False
    floor: float | None = None
    marks: Numbers = field(default_factory=lambda: np.zeros(0))


@dataclass(frozen=True)
class Drawing:
    """A chart as numbers and `points` of SVG in a square of `SIDE`.

    Attributes:
        lines: name, points, points of the band (empty: none), last value.
        x_ticks, y_ticks: share of the square's side from the left and from the top, and the value there.
        x_axis, y_axis: values at both ends; of a logarithmic axis, the values and not their logarithms.
        marks: x in the square.
    """

    name: str
    lines: list[tuple[str, str, str, float]]
    x_ticks: list[tuple[float, float]]
    y_ticks: list[tuple[float, float]]
    x_axis: tuple[float, float]
    y_axis: tuple[float, float]
    log: bool
    marks: list[float]


def thin(x: Numbers, y: Numbers, name: str = "", points: int = POINTS) -> Line:
    """At most `points` stretches of a curve: mean, least and greatest of each, at its last x.

    What is not a number is left out.
    """
    real = np.isfinite(y)
    x, y = x[real], y[real]
    if not len(y):
        return Line(name, x, y, y, y)
    starts = np.unique(np.linspace(0, len(y), min(points, len(y)) + 1).astype(np.int64)[:-1])
    ends = np.append(starts[1:], len(y))
    means = np.add.reduceat(y, starts) / (ends - starts)
    return Line(name, x[ends - 1], means, np.minimum.reduceat(y, starts), np.maximum.reduceat(y, starts))


def running_mean(y: Numbers, window: int) -> Numbers:
    """Mean of `window` values around each, of fewer at both ends."""
    sums = np.cumsum(np.insert(y, 0, 0.0))
    at = np.arange(len(y))
    starts, ends = np.maximum(0, at - window // 2), np.minimum(len(y), at + (window + 1) // 2)
    return np.asarray((sums[ends] - sums[starts]) / (ends - starts))


def draw(chart: Chart) -> Drawing | None:
    """Lay a chart out; None where it has no point."""
    lines = [_positive(line) if chart.log else line for line in chart.lines]
    lines = [line for line in lines if len(line.x)]
    if not lines:
        return None
    x_axis = 0.0, max(1.0, *(float(line.x.max()) for line in lines))
    lowest, highest = _range(lines)
    if chart.floor is not None and not chart.log:
        lowest = min(lowest, chart.floor)
    y_axis = _pad_log(lowest, highest) if chart.log else _pad(lowest, highest, chart.floor)

    def across(x: Numbers) -> Numbers:
        return np.asarray((x - x_axis[0]) / (x_axis[1] - x_axis[0]))

    def down(y: Numbers) -> Numbers:
        low, high = (math.log10(v) for v in y_axis) if chart.log else y_axis
        return np.asarray(1 - ((np.log10(y) if chart.log else y) - low) / (high - low))

    def points(x: Numbers, y: Numbers) -> str:
        # What is far outside is as invisible just outside, and shorter to write.
        return " ".join(
            f"{a:.0f},{b:.0f}" for a, b in zip(SIDE * across(x), SIDE * down(y).clip(-1, 2), strict=True)
        )

    drawn = []
    for line in lines:
        band = ""
        if line.low is not None and line.high is not None:
            band = points(np.concatenate([line.x, line.x[::-1]]), np.concatenate([line.high, line.low[::-1]]))
        drawn.append((line.name, points(line.x, line.y), band, float(line.y[-1])))
    x_values = ticks(*x_axis, 5)
    y_values = log_ticks(*y_axis) if chart.log else ticks(*y_axis, 4)
    inside = chart.marks[chart.marks <= x_axis[1]]
    return Drawing(
        chart.name,
        drawn,
        [(float(s), v) for s, v in zip(across(np.array(x_values)), x_values, strict=True)],
        [(float(s), v) for s, v in zip(down(np.array(y_values)), y_values, strict=True)],
        x_axis,
        y_axis,
        chart.log,
        [round(SIDE * float(m)) for m in across(inside[:MOST_MARKS])],
    )


def ticks(low: float, high: float, about: int) -> list[float]:
    """Round values between two, `about` so many: multiples of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * next(m for m in (1, 2, 5, 10) if m * power >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [n * step for n in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten between two values; with their halves and fifths where there are few."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    many = (1, 2, 5) if last - first <= 3 else (1,)
    apart = max(1, -(-(last - first) // 5))
    values = [m * 10.0**p for p in range(first, last + 1, apart) for m in many]
    return [v for v in values if low * 0.999 <= v <= high * 1.001]


def _positive(line: Line) -> Line:
    """The points of a line that a logarithmic axis has room for."""
    kept = line.y > 0
    low, high = (None if side is None else side[kept] for side in (line.low, line.high))
    if low is not None:
        low = np.where(low > 0, low, line.y[kept])
    return Line(line.name, line.x[kept], line.y[kept], low, high)


def _range(lines: Sequence[Line]) -> tuple[float, float]:
    """Lowest and highest value to show: all of the lines, and of the bands all but a few spikes."""
    shown = [line.y for line in lines]
    for line in lines:
        if line.low is not None and line.high is not None:
            shown += [np.quantile(line.low, [OUTSIDE]), np.quantile(line.high, [1 - OUTSIDE])]
    values = np.concatenate(shown)
    return float(values.min()), float(values.max())


def _pad(low: float, high: float, floor: float | None) -> tuple[float, float]:
    """A little air above and below; none below a floor."""
    room = (high - low) or abs(high) or 1.0
    return (low if floor is not None and low >= floor else low - 0.04 * room), high + 0.06 * room


def _pad_log(low: float, high: float) -> tuple[float, float]:
    room = max((high / low) ** 0.06, 1.1)
    return low / room, high * room
