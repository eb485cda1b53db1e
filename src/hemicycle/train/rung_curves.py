"""The course of a model's loss, from the curves of the small trainings of its ladder.

Curves of trainings of one family, each spending its compute as well as can be, fall onto one another once
steps are a share of all steps and losses are divided by the last (Qiu et al. 2025, arXiv 2507.02119). Here
the loss of a rung, in nats a token, is divided by the bits per byte it came to on held-out text: those are
what the ladder forecasts for the model. The logarithm of that ratio still moves a little with the compute,
in the beginning most, where every model begins from the same blind guess; so at each share of the steps it is
fitted by a straight line over log N·D, and read off at the model's own. Text that is read again costs less in
training than held-out text does: a model that reads its corpora more often than its rungs falls below its
band, and raises no alarm by it.

The band holds what both forecasts leave open, as the root of the sum of their squares in the logarithm: that
of the bits per byte (`scaling.json`), and the 95 % interval of one more curve around such a line, by
Student's t (Draper and Smith 1998, *Applied Regression Analysis*), with the scatter of all shares together.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hemicycle.errors import InputError
from hemicycle.train.expected import TWENTIETH, LossBand

Floats = npt.NDArray[np.float64]

#: Shares of the steps at which the course is told.
SHARES = round(1 / TWENTIETH)
#: 97.5 % quantiles of Student's t with 1, 2, … degrees of freedom; beyond, the last, which is wider.
STUDENT = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306)
FEWEST = 3


def curve_of_rungs(rungs: Iterable[Path], scaling: Path) -> LossBand:
    """The course of the loss that a ladder forecasts for its model.

    Args:
        rungs: folders of the rungs, each with ``rung.json`` and ``figures.parquet``.
        scaling: folder of the forecast, with ``scaling.json``.

    Raises InputError where a file is missing or damaged, or the rungs are too few or alike.
    """
    read = [_rung(folder) for folder in rungs]
    target = _json(scaling / "scaling.json", "target")
    with _reading(scaling / "scaling.json"):
        value, low, high = (float(target["predicted"][key]) for key in ("value", "low", "high"))
        at = math.log(float(target["parameters"]) * float(target["tokens"]))
    x_R = np.array([x for x, _ in read])
    if len(read) < FEWEST or np.ptp(x_R) == 0:
        raise InputError(
            f"a course of the loss is read off at least {FEWEST} rungs of different compute, not {len(read)}",
            place=str(scaling),
        )
    logs_S, half = _line(x_R, np.stack([ratios for _, ratios in read]), at)
    expected_S = value * np.exp(logs_S)
    up, down = math.hypot(math.log(high / value), half), math.hypot(math.log(value / low), half)
    shares = np.arange(1, SHARES + 1) / SHARES
    told = (shares, expected_S * math.exp(-down), expected_S, expected_S * math.exp(up))
    return LossBand(*(tuple(float(f"{v:.6g}") for v in column) for column in told))


def _line(x_R: Floats, y_RS: Floats, at: float) -> tuple[Floats, float]:
    """Straight lines through R points for each of S shares: where they are at `at`, and half the width of the
    interval that holds one more point there."""
    count, middle = len(x_R), x_R.mean()
    spread = float(((x_R - middle) ** 2).sum())
    slope_S = (x_R - middle) @ (y_RS - y_RS.mean(0)) / spread
    residuals_RS = y_RS - y_RS.mean(0) - np.outer(x_R - middle, slope_S)
    free = count - 2
    scatter = math.sqrt(float((residuals_RS**2).sum(0).mean()) / free)
    student = STUDENT[min(free, len(STUDENT)) - 1]
    half = student * scatter * math.sqrt(1 + 1 / count + (at - middle) ** 2 / spread)
    return y_RS.mean(0) + slope_S * (at - middle), half


def _rung(folder: Path) -> tuple[float, Floats]:
    """log N·D of a rung, and at each share the log of its loss over the bits per byte it came to."""
    told = _json(folder / "rung.json")
    figures = folder / "figures.parquet"
    with _reading(folder / "rung.json"):
        compute = math.log(float(told["parameters"]) * float(told["tokens"]))
        bits = math.log(float(told["bits_per_byte"]))
    with _reading(figures):
        table = pq.read_table(figures, columns=["loss", "learnt", "skipped"])
        # Steps that learnt nothing have none, and a course goes on where they end: so does the shares' count.
        learnt = table.filter(pc.greater(table["learnt"], 0))
        loss = learnt["loss"].to_numpy()
        weight = learnt["learnt"].to_numpy() * ~learnt["skipped"].to_numpy()
        edges = np.rint(np.linspace(0, len(loss), SHARES + 1)).astype(np.int64)
        means = [np.average(loss[a:b], weights=weight[a:b]) for a, b in itertools.pairwise(edges)]
        logs = np.log(np.array(means))
        if not np.isfinite(logs).all():
            raise ValueError("a loss that is no number above zero")
    return compute, logs - bits


def _json(path: Path, key: str | None = None) -> Mapping[str, Any]:
    with _reading(path):
        told = json.loads(path.read_text("utf-8"))
        found: Mapping[str, Any] = told if key is None else told[key]
        return found


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Say of a file of a ladder what is wrong with it."""
    try:
        yield
    except (OSError, ValueError, LookupError, TypeError, ZeroDivisionError, pa.ArrowException) as error:
        raise InputError(
            f"this file of a ladder cannot be read: {error}",
            place=str(path),
            remedy="`hemicycle train MODEL --ladder` makes the ladder again.",
        ) from None
