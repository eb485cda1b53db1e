"""Causes: what may lie behind an alarm, how to check it, and which of it can be seen from the run itself.

The table is `causes.csv`, in French and English: a cause, the alarms it may be behind, how to check it, and
where it is known from. What can be seen without asking anybody is looked at here.
"""

from __future__ import annotations

import csv
import functools
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hemicycle.train.chips import device_peak
from hemicycle.typeset import Language, format_percent

if TYPE_CHECKING:
    from hemicycle.train.expected import Expected
    from hemicycle.train.log import RunState

#: Processes that want a core, per core: beyond, they are not this training's alone.
CROWDED = 1.5
#: Share of the time spent waiting for data from which on it is worth saying.
WAITING = 0.1


@dataclass(frozen=True)
class Cause:
    """What may be behind an alarm.

    Attributes:
        id: in the table.
        cause, check: in English; `words` has them in both languages.
        seen: what was seen of it here, as one writes it down: ``CUDA_LAUNCH_BLOCKING=1``; empty for nothing.
    """

    id: str
    cause: str
    check: str
    seen: str = ""


@dataclass(frozen=True)
class Row:
    """A line of the table; `words`: the cause and how to check it, by language."""

    id: str
    alarms: tuple[str, ...]
    words: Mapping[Language, tuple[str, str]]
    source: str
    checked_on: str


@dataclass(frozen=True)
class Machine:
    """What a machine shows of itself.

    Attributes:
        environment: of the training's process.
        load: processes that want a core, mean of the last minutes; None where the system does not tell.
        cores: of the whole machine.
    """

    environment: Mapping[str, str]
    load: float | None
    cores: int

    @staticmethod
    def here() -> Machine:
        load = os.getloadavg()[1] if hasattr(os, "getloadavg") else None
        return Machine(os.environ, load, os.cpu_count() or 1)


def causes(alarm: str, seen: Mapping[str, str]) -> tuple[Cause, ...]:
    """What may be behind an alarm, what was seen (by id) first."""
    found = [Cause(r.id, *r.words["en"], seen.get(r.id, "")) for r in table() if alarm in r.alarms]
    return tuple(sorted(found, key=lambda cause: not cause.seen))


def seen_here(
    state: RunState,
    expected: Expected | None,
    machine: Machine,
    *,
    data_share: float | None = None,
    skipped: int = 0,
) -> dict[str, str]:
    """Causes that show in the run itself, by id.

    Args:
        data_share: of the last minute, waiting for data; None where that is not known.
        skipped: steps left out lately.
    """
    return dict(_seen(state, expected, machine, data_share, skipped))


def _seen(
    state: RunState, expected: Expected | None, machine: Machine, data_share: float | None, skipped: int
) -> Iterator[tuple[str, str]]:
    blocking = machine.environment.get("CUDA_LAUNCH_BLOCKING", "0")
    if blocking not in ("", "0"):
        yield "launch-blocking", f"CUDA_LAUNCH_BLOCKING={blocking[:20]}"
    if state.recompute:
        yield "recomputation", "recompute = true"
    if not state.compiled:
        yield "not-compiled", "compiled = false"
    if data_share is not None and data_share > WAITING:
        yield "waiting", format_percent(data_share, "en")
    if machine.load is not None and machine.load > CROWDED * machine.cores:
        yield "other-jobs", f"load {machine.load:.1f} / {machine.cores}"
    if expected is not None and state.ranks < expected.ranks:
        yield "fewer-ranks", f"{state.ranks} / {expected.ranks}"
    peak = device_peak(state.device)
    chip = peak.chip if peak else state.device
    if expected is not None and chip != expected.chip:
        yield "other-chip", f"{chip} / {expected.chip}"
    if state.resumed_at:
        yield "restarts", f"resumed_at_step = {state.resumed_at}"
    if skipped:
        yield "spikes", f"skipped = {skipped}"


@functools.cache
def table() -> tuple[Row, ...]:
    with Path(__file__).with_name("causes.csv").open(encoding="utf-8", newline="") as file:
        return tuple(_row(told) for told in csv.DictReader(file))


def _row(told: Mapping[str, str]) -> Row:
    words: dict[Language, tuple[str, str]] = {
        "en": (told["cause"], told["check"]),
        "fr": (told["cause_fr"], told["check_fr"]),
    }
    return Row(told["id"], tuple(told["alarms"].split()), words, told["source"], told["checked_on"])
