"""Runs: the logs that lie in a folder, and the figures of each as it stands now."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hemicycle.arithmetic.chips import mfu
from hemicycle.train.log import RunState, read_steps

Numbers = npt.NDArray[np.float64]

#: Present figures are means over so many seconds behind, and at least so many steps.
RECENT_SECONDS, RECENT_STEPS = 60.0, 10
#: A run that writes nothing for so long is said to be silent; longer where its steps are long.
SILENT_SECONDS = 120.0


@dataclass(frozen=True)
class Run:
    """One training: its name, its log's folder, how it stands, and the columns of its steps as numbers.

    Skipped is 0 or 1; the rest as in `log.STEPS`.
    """

    name: str
    folder: Path
    state: RunState
    steps: Mapping[str, Numbers]

    @property
    def applied(self) -> npt.NDArray[np.bool_]:
        """Steps that were not skipped and whose loss is a number."""
        return np.asarray(np.isfinite(self.steps["loss"]) & (self.steps["skipped"] == 0))


def find_runs(folder: Path) -> list[str]:
    """Names of the runs whose logs lie in a folder, the one begun last first."""
    logs = [path.parent for path in folder.glob("*/run.json")]
    states = [(RunState.read(log), log.name) for log in logs]
    return [name for _, name in sorted((-state.started, name) for state, name in states if state)]


def read_run(folder: Path) -> Run | None:
    """The run whose log is in a folder; None where there is none."""
    state = RunState.read(folder)
    if state is None:
        return None
    table = read_steps(folder)
    columns = {name: table[name].cast("float64").to_numpy() for name in table.column_names}
    return Run(folder.name, folder, state, columns)


def figures(run: Run, now: float | None = None) -> dict[str, Any]:
    """How a run stands, for people and for JSON.

    Beside the fields of `RunState`: tokens read; of the last minute loss (nats), tokens_per_second, mfu (a
    share of `peak`), data_share (of the time, waiting for batches); seconds of all steps, seconds_left;
    skipped steps; memory in bytes; silent: seconds since a running run last wrote, where that is too long,
    else None.
    """
    state, steps = run.state, run.steps
    seconds = steps["seconds"]
    recent = slice(_first_recent(seconds), None)
    spent = float(seconds[recent].sum())
    speed = float(steps["tokens"][recent].sum()) / spent if spent > 0 else None
    losses = steps["loss"][recent][run.applied[recent]]
    age = (time.time() if now is None else now) - state.updated
    a_step = spent / len(seconds[recent]) if spent > 0 else None
    running = state.state == "running"
    silent = running and age > max(SILENT_SECONDS, 10 * (a_step or 0.0))
    going = running and not silent
    return {
        **asdict(state),
        "name": run.name,
        "tokens": int(steps["tokens"].sum()),
        "loss": _finite(losses.mean()) if len(losses) else None,
        "tokens_per_second": speed,
        "mfu": mfu(speed, state.flop_per_token, state.peak) if speed is not None else None,
        "data_share": float(steps["data_seconds"][recent].sum()) / spent if spent > 0 else None,
        "seconds": float(seconds.sum()),
        "seconds_left": a_step * (state.steps - state.step) if going and a_step is not None else None,
        "skipped": int(steps["skipped"].sum()),
        "memory": int(steps["memory"].max()) if len(seconds) else None,
        "silent": age if silent else None,
    }


def _first_recent(seconds: Numbers) -> int:
    behind = np.cumsum(seconds[::-1])
    many = int(np.searchsorted(behind, RECENT_SECONDS)) + 1
    return max(0, len(seconds) - max(RECENT_STEPS, many))


def _finite(value: float) -> float | None:
    """JSON has no word for what is no number."""
    return float(value) if math.isfinite(value) else None
