"""What a training was planned to come to: the file that the plan writes and the trainer reads.

``plans/NAME.json`` in the project's folder, an object with the fields of `Expected`. It decides nothing that
is learnt, so it is in no artefact's key: written anew while a model trains, it serves the next start.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from hemicycle.errors import InputError, unparsed
from hemicycle.store import write_aside

VERSION = 1

#: No figure of a training is so large, and none that is can be written out.
MOST = 1e15

#: Larger files are no plan: nothing of that size is read into memory.
MOST_BYTES = 1_000_000

_FIGURES = ("tokens_per_second", "utilisation", "joules_per_token", "seconds")
_REMEDY = "Have the plan written again, or take the file away to train without one."


@dataclass(frozen=True)
class Band:
    """A planned figure, with the bounds in which it is believed to fall."""

    low: float
    expected: float
    high: float


@dataclass(frozen=True)
class LossBand:
    """The planned course of the training loss, in nats a learnt token.

    Attributes:
        share: shares of the steps, rising, above 0 up to 1. At each, the others say the mean loss of the
            twentieth of the run that ends there (`TWENTIETH`).
    """

    share: tuple[float, ...]
    low: tuple[float, ...]
    expected: tuple[float, ...]
    high: tuple[float, ...]

    def at(self, share: float) -> Band | None:
        """The band at a share of the steps, on straight lines between those given; None before the first."""
        if share < self.share[0]:
            return None
        after = min(bisect_right(self.share, share), len(self.share) - 1)
        before = max(after - 1, 0)
        wide = self.share[after] - self.share[before]
        part = min((share - self.share[before]) / wide, 1.0) if wide else 0.0

        def between(values: Sequence[float]) -> float:
            return values[before] + part * (values[after] - values[before])

        return Band(between(self.low), between(self.expected), between(self.high))


#: The stretch over which the loss of a `LossBand` is a mean, as a share of the steps.
TWENTIETH = 0.05


@dataclass(frozen=True)
class Expected:
    """The plan of one training; what is not planned is None.

    Attributes:
        made: when the plan was made, ISO 8601.
        chip: as the table of chips names it, or as `RunState.device` does where it is in no table.
        tokens_per_second: of all ranks together.
        utilisation: 6 · parameters · tokens a second as a share of the chips' peak, bf16 without sparsity.
        joules_per_token: a token read.
        seconds: wall clock of the whole run.
    """

    model: str
    made: str
    chip: str
    ranks: int
    tokens_per_second: Band | None = None
    utilisation: Band | None = None
    joules_per_token: Band | None = None
    seconds: Band | None = None
    loss: LossBand | None = None

    def write(self, path: Path) -> None:
        told = {"version": VERSION, **asdict(self)}
        write_aside(path, (json.dumps(told, ensure_ascii=False, indent=1, allow_nan=False) + "\n").encode())


def read_expected(path: Path) -> Expected:
    """The plan in a file.

    Raises InputError where there is none, or the file is damaged or of another version; with the key.
    """
    try:
        with path.open("rb") as file:
            text = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise _wrong(path, f"this plan cannot be read: {error.strerror}") from None
    if len(text) > MOST_BYTES:
        raise _wrong(path, f"this is no plan: it has more than {MOST_BYTES:,} bytes")
    try:
        told = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _wrong(path, f"this plan is not JSON: {unparsed(error)}") from None
    if not isinstance(told, dict):
        raise _wrong(path, "this plan is not an object of JSON")
    if told.pop("version", None) != VERSION:
        raise _wrong(path, f"this plan is not of version {VERSION}, the one known here", "version")
    # The whole plan, for people and for the plan's own room.
    told.pop("plan", None)
    names = [field.name for field in fields(Expected)]
    if unknown := sorted(set(told) - set(names)):
        raise _wrong(path, "a plan has no such key", unknown[0])
    for name in ("model", "made", "chip"):
        if not isinstance(told.get(name), str):
            raise _wrong(path, "this plan lacks a text", name)
    ranks = told.get("ranks")
    if type(ranks) is not int or ranks < 1:
        raise _wrong(path, "this plan lacks a number of ranks", "ranks")
    bands = {name: _band(path, name, told.get(name)) for name in _FIGURES}
    return Expected(
        told["model"], told["made"], told["chip"], ranks, **bands, loss=_loss(path, told.get("loss"))
    )


def _band(path: Path, name: str, told: Any) -> Band | None:
    if told is None:
        return None
    _check_keys(path, name, told, Band)
    low, expected, high = (_number(path, f"{name}.{key}", told[key]) for key in ("low", "expected", "high"))
    if not 0 <= low <= expected <= high or expected <= 0:
        raise _wrong(path, "these are not bounds around a figure above zero: low, expected, high", name)
    return Band(low, expected, high)


def _loss(path: Path, told: Any) -> LossBand | None:
    if told is None:
        return None
    _check_keys(path, "loss", told, LossBand)
    columns = []
    for field in fields(LossBand):
        key, values = f"loss.{field.name}", told[field.name]
        if not isinstance(values, list) or not values or len(values) != len(told["share"]):
            raise _wrong(path, "this is no list of as many numbers as there are shares", key)
        columns.append(tuple(_number(path, f"{key}[{i}]", value) for i, value in enumerate(values)))
    band = LossBand(*columns)
    rising = all(a < b for a, b in zip((0.0, *band.share), band.share, strict=False))
    if not rising or band.share[-1] > 1:
        raise _wrong(path, "shares of the steps rise from above 0 to 1 at most", "loss.share")
    for i, (low, expected, high) in enumerate(zip(band.low, band.expected, band.high, strict=True)):
        if not 0 <= low <= expected <= high:
            raise _wrong(path, f"entry {i} has bounds that are not around its figure", "loss")
    return band


def _check_keys(path: Path, name: str, told: Any, kind: type) -> None:
    keys = [field.name for field in fields(kind)]
    if not isinstance(told, dict) or sorted(told) != sorted(keys):
        raise _wrong(path, f"this must be null or have the keys {', '.join(keys)}, and no others", name)


def _number(path: Path, key: str, told: Any) -> float:
    # A boolean is an int to Python.
    if type(told) in (int, float) and abs(told) <= MOST:
        return float(told)
    raise _wrong(path, "this is no number", key)


def _wrong(path: Path, what: str, key: str | None = None) -> InputError:
    return InputError(what, place=f"{path}, key {key}" if key else str(path), remedy=_REMEDY)
