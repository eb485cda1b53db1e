"""A scaling law, fitted to runs of small models: what a larger one would reach, and how sure that is.

The law is L(N, D) = E + A/N^α + B/D^β for N parameters and D tokens (Hoffmann et al. 2022, arXiv
2203.15556, approach 3). As there, a Huber loss of the residuals of log L is minimised over log A, log B,
log E, α and β, from a grid of starts. Two things differ. Rungs are few here, so the Huber loss turns linear
at `HUBER`, not at a tenth of it, where a fit through eight points would pass exactly through five of them.
And the descent is Levenberg's and Marquardt's, made for sums of squares, for all starts and all resamplings
at once.

Intervals are of the parametric bootstrap (Davison and Hinkley 1997, *Bootstrap Methods and their
Application*, chapter 2): the law with fresh noise on every rung is fitted again, and what each of these laws
predicts gets noise too, as a run has luck of its own. Of so few rungs the size of the noise is itself known
badly; it is drawn anew for each resampling, as Student did. Drawing rungs instead would, of so few, often
leave fewer sizes than a law needs.

Everything is computed from the points alone, in double precision and with draws of a fixed seed.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hemicycle.errors import InputError

#: Residual of log L from which on the loss is linear.
HUBER = 0.01
#: Exponents beyond these are no scaling law but a fit to noise.
EXPONENTS = (0.05, 1.5)
REPLICATES, CONFIDENCE, SEED = 1_000, 0.95, 1
DESCENTS, REFITS = 300, 60
#: Fewer runs, sizes or budgets have no law.
FEWEST_RUNS, FEWEST_SIZES, FEWEST_TOKENS = 7, 3, 3
#: No prediction is made for more than this many times the compute of the largest run.
FARTHEST = 1_000.0

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Point:
    """One run: `parameters` N, `tokens` D, and the loss it came to, in bits per byte or any other unit."""

    name: str
    parameters: int
    tokens: int
    loss: float


@dataclass(frozen=True)
class Interval:
    """A value with the interval that holds it with `CONFIDENCE`."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Law:
    """A law with its resamplings.

    Attributes:
        parameters_K5: log A, log B, log E, α, β with N and D relative to `scale`; first the fit, then
            resamplings.
        noise_K: size of the noise of log L; of the fit: estimated.
        scale: geometric means of the points' N and D.
    """

    points: tuple[Point, ...]
    parameters_K5: Floats
    noise_K: Floats
    scale: tuple[float, float]

    def losses(self, parameters: float, tokens: float) -> Floats:
        """What the fit and each resampling say, without noise."""
        at = np.array([[math.log(parameters / self.scale[0])], [math.log(tokens / self.scale[1])]])
        losses: Floats = np.exp(_law(self.parameters_K5, at[0], at[1])[0][:, 0])
        return losses

    def predict(self, parameters: float, tokens: float) -> Interval:
        """The loss of one run. Raises InputError where it is too far from the points."""
        far = self.reach(parameters, tokens)
        if far > FARTHEST:
            raise InputError(
                f"{far:,.0f} times the compute of the largest rung is too far: a law of small runs is "
                f"believed for {FARTHEST:,.0f} times at most",
                remedy="A model in between, with a ladder of its own, is believed further.",
            )
        losses = self.losses(parameters, tokens)
        luck = np.random.Generator(np.random.Philox(key=SEED + 1)).standard_normal(len(losses))
        return _interval(losses[0], losses[1:] * np.exp(self.noise_K * luck)[1:])

    def reach(self, parameters: float, tokens: float) -> float:
        """How many times the compute of the largest point it takes."""
        return parameters * tokens / max(p.parameters * p.tokens for p in self.points)

    def optimum(self, flop: float) -> tuple[Interval, Interval]:
        """Parameters and tokens that reach the least loss with so much compute, C = 6 N D.

        Equation 4 of Hoffmann et al.: N = G (C/6)^(β/(α+β)), D = (C/6)/N, G = (αA/βB)^(1/(α+β)).
        """
        log_a, log_b, _, alpha, beta = self.parameters_K5.T
        pairs = math.log(flop / 6) - sum(map(math.log, self.scale))
        log_n = (np.log(alpha / beta) + log_a - log_b + beta * pairs) / (alpha + beta)
        log_n = np.clip(log_n, -50, 50)
        parameters = np.exp(log_n) * self.scale[0]
        tokens = flop / 6 / parameters
        return _interval(parameters[0], parameters[1:]), _interval(tokens[0], tokens[1:])

    def constants(self) -> dict[str, Interval]:
        """E, A, B, α and β, in the units of the points."""
        log_a, log_b, log_e, alpha, beta = self.parameters_K5.T
        found = {
            "E": np.exp(log_e),
            "A": np.exp(np.minimum(log_a + alpha * math.log(self.scale[0]), 500)),
            "B": np.exp(np.minimum(log_b + beta * math.log(self.scale[1]), 500)),
            "alpha": alpha,
            "beta": beta,
        }
        return {name: _interval(each[0], each[1:]) for name, each in found.items()}

    def residuals(self) -> Floats:
        """log of the measured loss less log of the fitted one, by point."""
        fitted = [self.losses(p.parameters, p.tokens)[0] for p in self.points]
        measured = np.array([p.loss for p in self.points])
        residuals: Floats = np.log(measured) - np.log(fitted)
        return residuals

    def to_json(self) -> dict[str, Any]:
        """The law for a file: points, constants with intervals, how well it fits. Digits past the sixth are
        those of one processor."""
        residuals = self.residuals()
        points = [
            {**asdict(p), "fitted": round(p.loss / math.exp(r), 6)}
            for p, r in zip(self.points, residuals, strict=True)
        ]
        logs = np.log([p.loss for p in self.points])
        spread = float(((logs - logs.mean()) ** 2).sum())
        return {
            "law": "L = E + A / N^alpha + B / D^beta",
            "points": points,
            "constants": {name: interval_json(each) for name, each in self.constants().items()},
            "fit": {
                "noise": significant(self.noise_K[0]),
                "largest_residual": significant(np.abs(residuals).max()),
                "explained": round(1 - float((residuals**2).sum()) / spread, 6) if spread else None,
                "confidence": CONFIDENCE,
                "resamplings": REPLICATES,
            },
        }


def fit(points: Sequence[Point]) -> Law:
    """Fit the law to runs.

    Raises InputError where they are too few, or of too few sizes or budgets, for five constants.
    """
    _check_enough(points)
    sizes = np.log([float(p.parameters) for p in points])
    reads = np.log([float(p.tokens) for p in points])
    logs = np.log([p.loss for p in points])
    x, y = sizes - sizes.mean(), reads - reads.mean()
    starts = _starts(logs)
    ends, losses = _descend(x, y, np.broadcast_to(logs, (len(starts), len(logs))), starts, DESCENTS)
    best = ends[np.argmin(losses)]
    fitted = _law(best[None], x, y)[0][0]
    free = len(points) - 5
    noise = math.sqrt(float(((logs - fitted) ** 2).sum()) / free)
    dice = np.random.Generator(np.random.Philox(key=SEED))
    noise_K = noise * np.sqrt(free / dice.chisquare(free, REPLICATES))
    drawn = fitted + noise_K[:, None] * dice.standard_normal((REPLICATES, len(points)))
    refitted, _ = _descend(x, y, drawn, np.repeat(best[None], REPLICATES, 0), REFITS)
    return Law(
        tuple(points),
        np.vstack([best[None], refitted]),
        np.append(noise, noise_K),
        (math.exp(sizes.mean()), math.exp(reads.mean())),
    )


def interval_json(interval: Interval) -> dict[str, float]:
    return {name: significant(value) for name, value in asdict(interval).items()}


def significant(value: float, digits: int = 6) -> float:
    """A number with so many significant digits."""
    return float(f"{value:.{digits}g}")


def _check_enough(points: Sequence[Point]) -> None:
    sizes, reads = {p.parameters for p in points}, {p.tokens for p in points}
    for what, found, needed in (
        ("runs", len(points), FEWEST_RUNS),
        ("sizes of model", len(sizes), FEWEST_SIZES),
        ("numbers of tokens", len(reads), FEWEST_TOKENS),
    ):
        if found < needed:
            raise InputError(
                f"a scaling law has five constants, and {found} {what} do not fix them: it takes {needed}",
            )
    for point in points:
        if not (point.loss > 0 and math.isfinite(point.loss)):
            raise InputError(
                f"the loss is {point.loss}, and a law is fitted to finite ones", place=point.name
            )


def _law(parameters_K5: Floats, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """log L of K laws at n places (K x n), and the share that each of the terms has of L (K x n x 3)."""
    log_a, log_b, log_e, alpha, beta = (column[:, None] for column in parameters_K5.T)
    terms = np.stack(np.broadcast_arrays(log_a - alpha * x, log_b - beta * y, log_e + 0 * x), axis=-1)
    top = terms.max(-1, keepdims=True)
    parts = np.exp(terms - top)
    whole = parts.sum(-1, keepdims=True)
    logs: Floats = (top + np.log(whole))[..., 0]
    return logs, parts / whole


def _starts(logs: Floats) -> Floats:
    """Laws to begin from: how much of the least loss is E, how much of it N and D explain, how steeply."""
    least = float(logs.min())
    grid = itertools.product(
        (-3.0, -1.5, 0.0), (-3.0, -1.5, 0.0), (-1.5, -0.5, -0.1), (0.15, 0.35, 0.7), (0.15, 0.35, 0.7)
    )
    starts: Floats = np.array(list(grid)) + np.array([least, least, least, 0.0, 0.0])
    return starts


def _descend(
    x: Floats, y: Floats, logs_Kn: npt.NDArray[np.float64], starts: Floats, most: int
) -> tuple[Floats, Floats]:
    """Levenberg-Marquardt on the Huber loss, weighted anew at each step, for K problems side by side.

    Each step is taken where it lowers the loss; where not, the next one is shorter. Returns parameters
    (K x 5) and losses (K).
    """
    at, damping = starts.copy(), np.full(len(starts), 1e-2)

    def look(at: Floats) -> tuple[Floats, Floats, Floats]:
        fitted, shares = _law(at, x, y)
        off = fitted - logs_Kn
        size = np.abs(off)
        return np.where(size <= HUBER, off**2 / 2, HUBER * (size - HUBER / 2)).sum(1), off, shares

    loss, off, shares = look(at)
    for _ in range(most):
        weight = np.minimum(1.0, HUBER / np.maximum(np.abs(off), 1e-300))
        slope = np.stack(
            [shares[..., 0], shares[..., 1], shares[..., 2], -shares[..., 0] * x, -shares[..., 1] * y], -1
        )
        downhill = np.einsum("kni,kn,kn->ki", slope, weight, off)
        curve = np.einsum("kni,kn,knj->kij", slope, weight, slope)
        widths = np.einsum("kii->ki", curve) + 1e-9
        step = np.linalg.solve(curve + (damping[:, None] * widths)[:, None] * np.eye(5), -downhill[..., None])
        tried = at + np.clip(step[..., 0], -2.0, 2.0)
        tried[:, 3:] = np.clip(tried[:, 3:], *EXPONENTS)
        found = look(tried)
        better = found[0] < loss
        at = np.where(better[:, None], tried, at)
        loss, off = np.where(better, found[0], loss), np.where(better[:, None], found[1], off)
        shares = np.where(better[:, None, None], found[2], shares)
        damping = np.clip(np.where(better, damping / 3, damping * 4), 1e-9, 1e9)
        if (damping >= 1e9).all():
            break
    return at, loss


def _interval(value: float, resampled: Floats) -> Interval:
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail])
    return Interval(float(value), float(min(low, value)), float(max(high, value)))
