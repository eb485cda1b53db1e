"""Scaling laws: the loss that a model of N parameters reaches after D tokens, as published or as one's own.

    L(N, D) = E + A / N^alpha + B / D^beta               Hoffmann et al. 2022, arXiv 2203.15556, approach 3

The trap is to compare losses of two laws: each is in nats per token of its own tokenizer and of its own text,
and a ladder's is in bits per byte. What compares is where each law has its optimum, and by which share a
choice is above it. The second trap is that the first paper prints its exponents rounded, which moves the
optimum of a large budget by a fifth; the table has them unrounded (Besiroglu et al. 2024, arXiv 2404.10102).

Where text is read more than once, or a model is larger than its text is worth, both count for less
(Muennighoff et al. 2023, arXiv 2305.16264, appendix A):

    D' = U + U R_D* (1 - exp(-R_D / R_D*))               U unique tokens, at most D;   R_D = D/U - 1
    N' = U_N + U_N R_N* (1 - exp(-R_N / R_N*))           R_N = N/U_N - 1
    U_N = min(N, (U G)^(beta/alpha) G)                   the parameters that are optimal for U

with N' and D' in place of N and D. Both constants were fitted with that paper's own law and are borrowed
for the others, since nobody published theirs.
"""

from __future__ import annotations

import csv
import functools
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hemicycle.errors import DeclarationError, InputError, did_you_mean, unparsed

#: R_D* and R_N* of Muennighoff et al., appendix A: past so many repeats, text or parameters add little.
TEXT_REPEATS, PARAMETER_REPEATS = 15.387756, 5.309743
#: A law of small runs is believed for so many times the compute of the largest of them, as its makers do.
BELIEVED = 1_000.0
#: What a file's own points may differ from its constants; these are written with six digits.
DIGITS = 0.005

NATS = "nats per token of its own tokenizer"
_CONSTANTS = ("E", "A", "B", "alpha", "beta")

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Law:
    """Five constants, and what they are worth.

    Attributes:
        repeats: whether what repeats count for was fitted with it; else it is borrowed.
        largest: parameters of the largest model it was fitted to.
        unit: of its losses.
        farthest: FLOP up to which a law of one's own is believed.
        doubt: of a law of one's own, how many times its low end the high end of its best size is.
    """

    name: str
    E: float
    A: float
    B: float
    alpha: float
    beta: float
    source: str
    largest: float
    repeats: bool = False
    unit: str = NATS
    farthest: float | None = None
    doubt: float | None = None

    @property
    def balance(self) -> float:
        """G of equation 4 of Hoffmann et al.: (alpha A / (beta B))^(1/(alpha+beta))."""
        return math.exp(
            (math.log(self.alpha * self.A) - math.log(self.beta * self.B)) / (self.alpha + self.beta)
        )


@functools.cache
def published_laws() -> tuple[Law, ...]:
    with Path(__file__).with_name("laws.csv").open(encoding="utf-8", newline="") as file:
        return tuple(read_laws(csv.DictReader(file)))


def read_laws(rows: Iterable[Mapping[str, str]]) -> list[Law]:
    """Rows of the table."""
    found = []
    for row in rows:
        constants = _constants(row)
        largest, repeats = float(row["largest_parameters"]), row["unique_data"] == "yes"
        found.append(Law(row["name"], *constants, row["source"], largest, repeats))
    return found


def find_law(name: str) -> Law:
    """A published law by its name. Raises DeclarationError on any other."""
    known = {law.name: law for law in published_laws()}
    if name not in known:
        raise DeclarationError(
            f"no scaling law is known as “{name}”",
            remedy=did_you_mean(name, known) or f"Those known: {', '.join(known)}.",
        )
    return known[name]


def read_law(path: Path) -> Law:
    """The law that a ladder of one's own was fitted to, from its `scaling.json`.

    Its losses are in the file's unit (bits per byte of held-out text), its tokens those of the project's
    tokenizer. The file's own points are held against its constants: constants relative to another scale of
    N or D, which is what the fit works with, would miss them.

    Raises InputError where the file is not one, or its constants are not those of its points.
    """
    place = str(path)
    try:
        facts = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"it cannot be read: {error.strerror}", place=place) from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"it is no JSON: {unparsed(error)}", place=place) from None
    try:
        constants = _constants({name: each["value"] for name, each in facts["constants"].items()})
        points = [(float(p["parameters"]), float(p["tokens"]), float(p["fitted"])) for p in facts["points"]]
        unit, best = str(facts["unit"]), facts["optimum"]["parameters"]
        doubt = float(best["high"]) / float(best["low"])
    except (AttributeError, KeyError, TypeError, ValueError, ZeroDivisionError):
        raise InputError(
            "it has no points and constants of a scaling law",
            place=place,
            remedy="Name the scaling.json that a ladder left; see docs/ladder.md.",
        ) from None
    if not (points and all(math.isfinite(c) and c > 0 for c in constants) and math.isfinite(doubt)):
        raise InputError("its constants are not those of a scaling law: all are above zero", place=place)
    law = Law(
        "ladder",
        *constants,
        f"scaling.json: {len(points)} runs of one's own",
        largest=max(n for n, _, _ in points),
        unit=unit,
        farthest=BELIEVED * max(6 * n * d for n, d, _ in points),
        doubt=doubt,
    )
    for parameters, tokens, fitted in points:
        said = loss(law, parameters, tokens)
        if not abs(said / fitted - 1) <= DIGITS:
            raise InputError(
                f"its constants give {said:.4g} for {parameters:,.0f} parameters and {tokens:,.0f} tokens, "
                f"and it says {fitted:.4g} itself",
                place=place,
                remedy="Make the ladder again: the constants are of another scale, or were changed.",
            )
    return law


def _constants(told: Mapping[str, Any]) -> tuple[float, float, float, float, float]:
    return tuple(float(told[name]) for name in _CONSTANTS)  # type: ignore[return-value]


def loss(law: Law, parameters: float, tokens: float, unique: float | None = None) -> float:
    """The loss, in the law's own unit; `unique`: tokens there are to read, of which no more are new."""
    return float(losses(law, np.array([parameters]), np.array([tokens]), unique)[0])


def losses(law: Law, parameters: Floats, tokens: Floats, unique: float | None = None) -> Floats:
    """The same for many at once."""
    if unique is not None:
        new = np.minimum(unique, tokens)
        worth = np.minimum(parameters, law.balance * (new * law.balance) ** (law.beta / law.alpha))
        parameters = _worth(parameters, worth, PARAMETER_REPEATS)
        tokens = _worth(tokens, new, TEXT_REPEATS)
    found: Floats = law.E + law.A / parameters**law.alpha + law.B / tokens**law.beta
    return found


def _worth(whole: Floats, new: Floats, repeats: float) -> Floats:
    """What a number counts for of which only `new` is new."""
    again = whole / new - 1
    found: Floats = new - new * repeats * np.expm1(-again / repeats)
    return found


def optimum(law: Law, flop: float) -> tuple[float, float]:
    """Parameters and tokens of least loss for C = 6 N D, of text that does not run out.

    Equation 4 of Hoffmann et al.: N = G (C/6)^(beta/(alpha+beta)), D = (C/6) / N.
    """
    parameters = law.balance * (flop / 6) ** (law.beta / (law.alpha + law.beta))
    return parameters, flop / 6 / parameters


def lifetime(
    law: Law, flop: float, served: float, *, unique: float | None = None, others: float = 0.0
) -> tuple[float, float]:
    """Parameters and tokens for a training of `flop` that is the cheapest of its loss once it has served.

    Of all models of one loss, that of least 6 N (D + others) + 2 N served (Sardana et al. 2023, arXiv
    2401.00448, equation 3; `others`: tokens that are read and that the law does not count). There a share
    more of N buys as much as it costs relative to one of D:

        (dL/dlog N) / (dL/dlog D) = (D + others + served/3) / D

    The left side falls with N on the curve of 6 N (D + others) = flop, and the right side grows, so the two
    meet once. Without anything served or else read it is the compute-optimal one.
    """

    def tokens(parameters: float) -> float:
        return flop / 6 / parameters - others

    def too_small(log_n: float) -> bool:
        parameters, step = math.exp(log_n), 1e-4
        read = tokens(parameters)
        if read <= 0:
            return False
        by_n = [loss(law, parameters * math.exp(s), read, unique) for s in (-step, step)]
        by_d = [loss(law, parameters, read * math.exp(s), unique) for s in (-step, step)]
        return (by_n[0] - by_n[1]) * read > (by_d[0] - by_d[1]) * (read + others + served / 3)

    low, high = 0.0, math.log(flop / 6 / (others + 1))
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if too_small(middle) else (low, middle)
    return math.exp(low), tokens(math.exp(low))


def law_json(law: Law) -> dict[str, Any]:
    return {
        "name": law.name,
        **{name: getattr(law, name) for name in _CONSTANTS},
        "unit": law.unit,
        "source": law.source,
    }
