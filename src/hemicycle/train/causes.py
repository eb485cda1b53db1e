"""Causes: what may lie behind an alarm, how to check it, and which of it can be seen from the run itself.

The table is `causes.csv`, in French and English: a cause, the alarms it may be behind, how to check it, and
where it is known from. What can be seen without asking anybody is looked at here.
"""

from __future__ import annotations

import csv
import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hemicycle.arithmetic.chips import device_peak
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
    """What may be behind an alarm, what was seen (`seen_here`) first, without what was looked for in vain."""
    rows = [row for row in table() if alarm in row.alarms and seen.get(row.id) != ""]
    found = [Cause(row.id, *row.words["en"], seen.get(row.id, "")) for row in rows]
    return tuple(sorted(found, key=lambda cause: not cause.seen))


def seen_here(
    state: RunState,
    expected: Expected | None,
    machine: Machine,
    *,
    data_share: float | None = None,
    skipped: int = 0,
) -> dict[str, str]:
    """Causes that can be looked for in the run itself, by id: what was seen of each; empty: it is not so.

    Those that may be there unseen, as others' work on the cards, are left out where nothing was seen.

    Args:
        data_share: of the last minute, waiting for data; None where that is not known.
        skipped: steps left out lately.
    """
    # A processor launches no kernels.
    environment = machine.environment if state.device != "processor" else {}
    blocking = environment.get("CUDA_LAUNCH_BLOCKING", "0")[:20]
    peak = device_peak(state.device)
    chip = peak.chip if peak else state.device
    ranks, planned = (expected.ranks, expected.chip) if expected is not None else (0, chip)
    seen = {
        "launch-blocking": f"CUDA_LAUNCH_BLOCKING={blocking}" if blocking not in ("", "0") else "",
        "recomputation": "recompute = true" if state.recompute else "",
        "not-compiled": "compiled = false" if not state.compiled else "",
        "fewer-ranks": f"{state.ranks} / {ranks}" if state.ranks < ranks else "",
        "other-chip": f"{chip} / {planned}" if chip != planned else "",
        "restarts": f"resumed_at_step = {state.resumed_at}" if state.resumed_at else "",
    }
    if state.ranks == 1:
        seen |= {"cut-up": "", "slow-rank": ""}
    if data_share is not None:
        seen["waiting"] = format_percent(data_share, "en") if data_share > WAITING else ""
    if machine.load is not None and machine.load > CROWDED * machine.cores:
        seen["other-jobs"] = f"load {machine.load:.1f} / {machine.cores}"
    if skipped:
        seen["spikes"] = f"skipped = {skipped}"
    return seen


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
