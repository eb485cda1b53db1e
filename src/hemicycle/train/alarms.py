"""Alarms: where a training is not what was planned, or not what any training should be.

One function of the figures so far, judged anew every time the log is written. Bounds and their sources:

- ``slow``: fewer than half of the planned tokens a second.
- ``low-utilisation``, where no speed is planned and the chip is known: 6 · parameters · tokens a second below
  a tenth or a fifth of the chips' peak, or below half of the planned utilisation. The well-run public
  trainings come to 0.26 to 0.43 (Lucie-7B came to 0.07, Llama 3.1 8B to 0.15). A rate of matrix products
  measured here is no peak, and is never judged by.
- ``loss``: the running mean is above the band that the ladder forecasts.
- ``energy``: more than 1.2 times the highest planned joules a token.
- ``lost-time``: of the time since the first process began, more than a fifth and more than ten minutes went
  by without a step that counts.
- ``data``: more than a tenth of the time goes into waiting for batches.

Speed, energy and waiting are judged over the last minute or more, and not in the first two minutes of a
process, which compiles; a training whose batch still grows is not slow.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hemicycle.arithmetic.chips import device_peak
from hemicycle.train.causes import Cause, causes
from hemicycle.train.expected import TWENTIETH, Expected
from hemicycle.typeset import Language, format_duration, format_number, format_percent

if TYPE_CHECKING:
    from hemicycle.train.log import RunState

Numbers = npt.NDArray[Any]

NAMES = ("slow", "low-utilisation", "loss", "energy", "lost-time", "data")

#: Seconds of a process's steps that are not judged, and over which the present is taken.
GRACE, RECENT = 120.0, 60.0
SLOW = 0.5
TOO_LOW, LOW = 0.1, 0.2
ENERGY = 1.2
LOST_SHARE, LOST_SECONDS = 0.2, 600.0
WAITING = 0.1
#: Steps of a running mean of the loss, where a twentieth of the run is not fewer.
LOSS_STEPS = 128
#: A step with less than this share of a full batch is one of a batch that still grows.
FULL = 0.75

#: What an alarm says, of its figure and what was planned.
_SENTENCES: dict[Language, dict[str, str]] = {
    "en": {
        "slow": "{figure} tokens a second over the last minute, where {planned} were planned",
        "low-utilisation": "{figure} of the chips' peak is used (6 × parameters × tokens), and {planned} is "
        "the least to expect",
        "loss": "the mean loss of the last steps is {figure} nats a token, and {planned} is the most that "
        "was forecast here",
        "energy": "{figure} J a token, where {planned} J was the most that was planned",
        "lost-time": "{figure} were lost to stops, restarts and waiting, and {planned} is the most to expect",
        "data": "{figure} of the last minute went into waiting for data, and {planned} is the most to expect",
    },
    "fr": {
        "slow": "{figure} tokens par seconde sur la dernière minute, pour {planned} prévus",
        "low-utilisation": "{figure} de la puissance crête des puces sert (6 × paramètres × tokens)\u202f; "
        "on en attend au moins {planned}",
        "loss": "la perte moyenne des derniers pas est de {figure} nats par token\u202f; la prévision est "
        "de {planned} au plus à cet endroit",
        "energy": "{figure} J par token, pour {planned} J prévus au plus",
        "lost-time": "{figure} perdues en arrêts, reprises et attentes\u202f; on en attend au plus {planned}",
        "data": "{figure} de la dernière minute est passée à attendre les données\u202f; on en attend au "
        "plus {planned}",
    },
}


@dataclass(frozen=True)
class Alarm:
    """One alarm that stands.

    Attributes:
        since: steps that were done when it was raised.
        figure, planned: what is, and the bound or plan that it is held against: tokens a second, a share of
            the peak, nats a token, joules a token, seconds, a share of the time.
        sentence: what it says, in English.
        causes: likely ones, those that were seen here first.
    """

    name: str
    since: int
    figure: float
    planned: float
    sentence: str
    causes: tuple[Cause, ...]

    @staticmethod
    def from_json(told: dict[str, Any]) -> Alarm:
        """As `dataclasses.asdict` gave it. Raises TypeError or KeyError on anything else."""
        return Alarm(**{**told, "causes": tuple(Cause(**cause) for cause in told["causes"])})


def alarms(
    expected: Expected | None,
    state: RunState,
    steps: Mapping[str, Numbers],
    now: float,
    *,
    grace: float = GRACE,
    joules: tuple[int, float] | None = None,
    seen: Mapping[str, str] | None = None,
) -> list[Alarm]:
    """The alarms that stand; those in `state.alarms` keep the step since which they do.

    Args:
        steps: columns of `log.STEPS`, of all steps done so far.
        now: seconds since the epoch.
        grace: seconds of the steps of this process that speed, energy and waiting are not judged in.
        joules: a step of this process and what was measured since it began; None where nothing measures it.
        seen: causes that show in the run itself, by id (`causes.seen_here`).
    """
    since = {alarm.name: alarm.since for alarm in state.alarms}
    found = dict(_found(expected, state, steps, now, grace, joules))
    return [
        Alarm(
            name,
            since.get(name, state.step),
            figure,
            planned,
            sentence(name, figure, planned, "en"),
            causes(name, seen or {}),
        )
        for name, (figure, planned) in found.items()
    ]


def sentence(name: str, figure: float, planned: float, language: Language) -> str:
    """What an alarm says, in a sentence without its full stop."""
    return _SENTENCES[language][name].format(
        figure=_shown(name, figure, language), planned=_shown(name, planned, language)
    )


def recent(state: RunState, steps: Mapping[str, Numbers], grace: float = GRACE) -> slice | None:
    """The steps of the last minute that may be judged; None where there are none yet."""
    own = int(np.searchsorted(steps["step"], state.resumed_at))
    seconds = steps["seconds"][own:]
    # The step in which the grace ends is that of the compiler, where it is long.
    first = max(_reach(seconds, grace), len(seconds) - _reach(seconds[::-1], RECENT))
    return slice(own + first, None) if first < len(seconds) else None


def _reach(values: Numbers, total: float) -> int:
    """How many of the first values come to a total; all where they do not. A long run has many: looked at in
    pieces."""
    many = 256
    while True:
        sums = np.cumsum(values[:many])
        if many >= len(values) or sums[-1] >= total:
            return min(int(np.searchsorted(sums, total)) + 1, len(values))
        many *= 4


def data_share(steps: Mapping[str, Numbers], part: slice | None) -> float | None:
    """Share of the time of some steps that went into waiting for their batches."""
    seconds = float(steps["seconds"][part].sum()) if part is not None else 0.0
    return float(steps["data_seconds"][part].sum()) / seconds if seconds > 0 else None


Found = Iterator[tuple[str, tuple[float, float]]]


def _found(
    expected: Expected | None,
    state: RunState,
    steps: Mapping[str, Numbers],
    now: float,
    grace: float,
    joules: tuple[int, float] | None,
) -> Found:
    last = recent(state, steps, grace)
    if last is not None:
        yield from _speed(expected, state, steps, last)
        waiting = data_share(steps, last)
        if waiting is not None and waiting > WAITING:
            yield "data", (waiting, WAITING)
    if expected is not None and expected.loss is not None:
        yield from _loss(expected, state, steps)
    if expected is not None and expected.joules_per_token is not None and joules is not None:
        # The meter is of one machine.
        metered = (state.metered_ranks or state.ranks) / state.ranks
        since = int(np.searchsorted(steps["step"], joules[0]))
        tokens = metered * float(steps["tokens"][since:].sum())
        most = expected.joules_per_token.high
        if tokens > 0 and joules[1] / tokens > ENERGY * most:
            yield "energy", (joules[1] / tokens, most)
    passed = now - state.started
    lost, most_lost = passed - float(steps["seconds"].sum()), max(LOST_SECONDS, LOST_SHARE * passed)
    if lost > most_lost:
        yield "lost-time", (lost, most_lost)


def _speed(expected: Expected | None, state: RunState, steps: Mapping[str, Numbers], last: slice) -> Found:
    tokens, seconds = steps["tokens"][last], float(steps["seconds"][last].sum())
    if seconds <= 0 or tokens.mean() < FULL * state.batch_tokens:
        return
    speed = float(tokens.sum()) / seconds
    if expected is not None and expected.tokens_per_second is not None:
        planned = expected.tokens_per_second.expected
        if speed < SLOW * planned:
            yield "slow", (speed, planned)
    elif state.peak and device_peak(state.device) is not None:
        used = 6 * state.parameters * speed / state.peak
        if expected is not None and expected.utilisation is not None:
            least = SLOW * expected.utilisation.expected
        else:
            least = TOO_LOW if used < TOO_LOW else LOW
        if used < least:
            yield "low-utilisation", (used, least)


def _loss(expected: Expected, state: RunState, steps: Mapping[str, Numbers]) -> Found:
    """Where the mean of the last steps is above the band: both are means over stretches, whose middles are
    brought together, as the plan's is a twentieth of the run and this one often shorter."""
    assert expected.loss is not None
    many = max(1, min(round(TWENTIETH * state.steps), LOSS_STEPS))
    if len(steps["loss"]) < many:
        return
    losses, skipped = steps["loss"][-many:], steps["skipped"][-many:]
    losses = losses[np.isfinite(losses) & (skipped == 0)]
    band = expected.loss.at((state.step - many / 2) / state.steps + TWENTIETH / 2)
    if band is not None and len(losses) and float(losses.mean()) > band.high:
        yield "loss", (float(losses.mean()), band.high)


def _shown(name: str, value: float, language: Language) -> str:
    if name in ("low-utilisation", "data"):
        return format_percent(value, language)
    if name == "lost-time":
        return format_duration(value, language)
    # Three digits, or all of those before the point.
    decimals = 3 if name == "loss" else max(0, 2 - math.floor(math.log10(value))) if value > 0 else 0
    return format_number(value, language, decimals=decimals)
