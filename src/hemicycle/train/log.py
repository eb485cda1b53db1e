"""The log of a training: what is watched while it runs, as Parquet parts that any tool can read.

It holds times, so it is no artefact: it lies in the store's cache and may be deleted. What is exact of it
(loss, norm and rate by step; loss by source) also goes into the model's folder, without times.

- ``steps-NNNNNNNNN.parquet``: one row a step (`STEPS`).
- ``groups-NNNNNNNNN.parquet``: the loss by source and language over a window of steps (`GROUPS`).
- ``samples-NNNNNNNNN.parquet``: what the model writes at a step (`SAMPLES`).
- ``alarms-NNNNNNNNN.parquet``: where an alarm began and where it was over (`ALARMS`).
- ``run.json``: what is trained, on what, and how it stands (`RunState`).

NNNNNNNNN is the first step of the part. The last part of each kind is written again, longer, every ten
seconds, aside and renamed, so a reader never sees half of one; when it is long enough the next begins. So
there is one row of a step wherever the writer is killed, and a few hundred parts after a million steps.

Steps are counted from 0; a run that stands at step n has done the steps before n.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from hemicycle.errors import InputError
from hemicycle.store import write_aside
from hemicycle.train.alarms import Alarm
from hemicycle.train.parts import Parts, read_parts

#: loss: mean nats per learnt token of the global batch; null, like gradient_norm, where there was none.
#: tokens: read by the step; of which learnt have a target. seconds: wall clock of the step; of which
#: data_seconds waiting for its batch. memory: peak bytes of the process, or of the accelerator.
STEPS = pa.schema(
    [
        ("step", pa.int64()),
        ("loss", pa.float64()),
        ("gradient_norm", pa.float64()),
        ("rate_factor", pa.float64()),
        ("tokens", pa.int64()),
        ("learnt", pa.int64()),
        ("skipped", pa.bool_()),
        ("seconds", pa.float64()),
        ("data_seconds", pa.float64()),
        ("memory", pa.int64()),
    ]
)

#: nats and tokens: summed over the steps first_step to last_step.
GROUPS = pa.schema(
    [
        ("first_step", pa.int64()),
        ("last_step", pa.int64()),
        ("source", pa.string()),
        ("language", pa.string()),
        ("nats", pa.float64()),
        ("tokens", pa.int64()),
    ]
)

SAMPLES = pa.schema([("step", pa.int64()), ("prompt", pa.string()), ("text", pa.string())])

#: step: the first with the alarm, or the first without. began: False where it was over.
ALARMS = pa.schema([("step", pa.int64()), ("name", pa.string()), ("began", pa.bool_())])

#: Columns of `STEPS` that alarms are judged by.
_JUDGED = ("step", "loss", "tokens", "skipped", "seconds", "data_seconds")

#: How often the log goes to disk, and which share of the time that may take on a slow disk.
FLUSH_SECONDS, FLUSH_SHARE = 10.0, 0.004
#: Windows over which groups are summed, in a run.
WINDOWS = 200
#: Nats are rounded to multiples of this: sums below 2^37 are then exact, and the same in whatever pieces.
NATS_QUANTUM = 2.0**-16


@dataclass
class RunState:
    """How a run stands, in ``run.json``.

    Attributes:
        steps: of the whole run; `step` of them are done.
        flop_per_token: of the stage under way, forward and backward.
        peak: FLOP a second that MFU is a share of: the table's for a known chip (of all ranks), else the rate
            of products of matrices measured on this machine; `peak_of` says which.
        joules: energy so far, what a kill made worthless included; None where nothing measures it. `meter`
            says what is measured.
        reason: one line, where it failed.
        recompute: activations are forgotten and computed again on the way back.
        batch_tokens: of a full step; 0 where that is not known.
        metered_ranks: those of the machine whose energy is in `joules`; 0: all of them.
        resumed_at: the step this process began at.
        other_ranks: some of its steps were made on another number of ranks.
        alarms: those that stand.
        started: of the first process that trained it.
        updated: seconds since the epoch.
    """

    name: str
    state: Literal["running", "finished", "failed", "interrupted"]
    steps: int
    parameters: int
    flop_per_token: int
    ranks: int
    device: str
    peak: float | None = None
    peak_of: str = ""
    precision: str = ""
    compiled: bool = False
    step: int = 0
    joules: float | None = None
    meter: str = ""
    reason: str = ""
    recompute: bool = False
    batch_tokens: int = 0
    metered_ranks: int = 0
    resumed_at: int = 0
    other_ranks: bool = False
    alarms: list[Alarm] = field(default_factory=list)
    started: float = field(default_factory=time.time)
    updated: float = field(default_factory=time.time)
    process: int = field(default_factory=os.getpid)

    def write(self, folder: Path) -> None:
        self.updated = time.time()
        write_aside(folder / "run.json", json.dumps(asdict(self), indent=1).encode("utf-8"))

    @staticmethod
    def read(folder: Path) -> RunState | None:
        """The state in a folder; None where there is none, or one of another version of this file."""
        try:
            told = json.loads((folder / "run.json").read_text("utf-8"))
            alarms = [Alarm.from_json(alarm) for alarm in told.pop("alarms", [])]
            return RunState(**told, alarms=alarms)
        except (FileNotFoundError, ValueError, TypeError, LookupError, AttributeError):
            return None


class Meters(Protocol):
    """What measures energy: `energy.Meter`, or a sum of those of several machines."""

    covers: str

    def joules(self) -> float | None: ...


class Judge(Protocol):
    """What judges a training as it stands: `lookout.Lookout`."""

    def look(
        self, state: RunState, steps: Mapping[str, npt.NDArray[Any]], now: float
    ) -> list[tuple[str, bool]]: ...


class Log:
    """Writes the log of one run, on rank 0 only. A step is a row in memory; the disk has it ten seconds on.

    Call `flush` with each checkpoint: a run that resumes there then has every row before it.

    Args:
        state: of the run; its `step`, `joules`, `meter` and times are kept up here.
        resume_step: the step the run begins at. Rows of that step and later are deleted: they come again.
        groups: (source, language) of each group number, as `Order.groups` has them.
        meter: of the energy since this process began.
        lookout: looks at the run whenever it is written, and keeps `state.alarms`.
    """

    def __init__(
        self,
        folder: Path,
        state: RunState,
        *,
        resume_step: int = 0,
        groups: Sequence[tuple[str, str | None]] = (),
        meter: Meters | None = None,
        lookout: Judge | None = None,
    ) -> None:
        self.folder, self.state = folder, state
        self._steps = Parts(folder, "steps", STEPS, resume_step)
        self._windows = Parts(folder, "groups", GROUPS, resume_step)
        self._samples = Parts(folder, "samples", SAMPLES, resume_step)
        self._alarms = Parts(folder, "alarms", ALARMS, resume_step)
        self._names = list(groups)
        self._nats: npt.NDArray[np.float64] = np.zeros(len(groups))
        self._tokens: npt.NDArray[np.int64] = np.zeros(len(groups), np.int64)
        self._from: int | None = None
        self._meter, self._before = meter, 0.0
        before = RunState.read(folder) if resume_step else None
        if before is not None:
            state.started, self._before = before.started, before.joules or 0.0
            state.other_ranks = before.other_ranks or before.ranks != state.ranks
        state.step = state.resumed_at = resume_step
        self._lookout = lookout
        self._judged = self._take_up()
        if before is not None and before.state == "finished":
            # A replay goes on from the middle of a training that had ended: nobody lost the time since.
            state.started = time.time() - float(self._judged.read()["seconds"].sum())
        self._due = 0.0
        self._write()

    def step(
        self,
        *,
        step: int,
        loss: float,
        gradient_norm: float,
        rate_factor: float,
        tokens: int,
        learnt: int,
        skipped: bool,
        seconds: float,
        data_seconds: float,
        memory: int,
    ) -> None:
        """Note a step; see `STEPS`: NaN stands for null. Comes after what `groups` and `sample` say of it."""
        told = (None if math.isnan(value) else value for value in (loss, gradient_norm))
        row = (step, *told, rate_factor, tokens, learnt, skipped, seconds, data_seconds, memory)
        self._steps.append(row)
        self._judged.append(step, loss, tokens, skipped, seconds, data_seconds)
        self.state.step = step + 1
        if self.state.step % window_steps(self.state.steps) == 0:
            self._close_window()
        if time.monotonic() >= self._due:
            self._write()

    def groups(
        self,
        step: int,
        ids: npt.NDArray[np.integer[Any]],
        nats: npt.NDArray[np.floating[Any]],
        tokens: npt.NDArray[np.integer[Any]],
    ) -> None:
        """Add a step's nats and learnt tokens to their groups; `ids`, one for each of them, may repeat."""
        if self._from is None:
            self._from = step
        many = len(self._names)
        self._nats += np.rint(np.bincount(ids, nats, many) / NATS_QUANTUM) * NATS_QUANTUM
        self._tokens += np.bincount(ids, tokens, many).astype(np.int64)

    def sample(self, step: int, prompt: str, text: str) -> None:
        """Note what the model writes on a prompt."""
        self._samples.append((step, prompt, text))

    def flush(self) -> None:
        """Bring all to disk, and cut the window under way, so that a resumption finds its edge here."""
        self._close_window()
        self._write()

    def close(self, state: Literal["finished", "failed", "interrupted"], reason: str = "") -> None:
        """End the log; `reason`: one line, where the run failed."""
        self.state.state, self.state.reason = state, reason
        self.flush()

    def alarmed(self) -> dict[str, int]:
        """Steps under each alarm so far."""
        self._write()
        spans = alarm_spans(read_alarms(self.folder))
        names = sorted({name for name, _, _ in spans})
        ends = [(name, first, self.state.step if end is None else end) for name, first, end in spans]
        return {name: sum(end - first for n, first, end in ends if n == name) for name in names}

    def _write(self) -> None:
        began = time.monotonic()
        if self._meter is not None:
            joules = self._meter.joules()
            self.state.joules = None if joules is None else self._before + joules
            self.state.meter = self._meter.covers
        if self._lookout is not None:
            for name, begins in self._lookout.look(self.state, self._judged.read(), time.time()):
                self._alarms.append((self.state.step, name, begins))
        for parts in (self._steps, self._windows, self._samples, self._alarms):
            parts.write()
        self.state.write(self.folder)
        ended = time.monotonic()
        self._due = ended + max(FLUSH_SECONDS, (ended - began) / FLUSH_SHARE)

    def _take_up(self) -> _Columns:
        """The columns that alarms are judged by, with the steps before this process; what stood then is over,
        since each process is judged anew."""
        columns, first = _Columns(_JUDGED), self.state.resumed_at
        # A log is no reason to stop a training.
        with contextlib.suppress(InputError):
            before = read_steps(self.folder).filter(pc.field("step") < first)
            columns.extend([before[name].cast("float64").to_numpy() for name in _JUDGED])
            for name, _, end in alarm_spans(read_alarms(self.folder).filter(pc.field("step") < first)):
                if end is None:
                    self._alarms.append((first, name, False))
        return columns

    def _close_window(self) -> None:
        if self._from is None:
            return
        for group in np.flatnonzero(self._tokens):
            source, language = self._names[group]
            self._windows.append(
                (
                    self._from,
                    self.state.step - 1,
                    source,
                    language,
                    float(self._nats[group]),
                    int(self._tokens[group]),
                )
            )
        self._nats[:], self._tokens[:], self._from = 0, 0, None


def window_steps(steps: int) -> int:
    """How many steps of a run make a window; it begins at a multiple of that."""
    return max(1, -(-steps // WINDOWS))


def read_steps(folder: Path) -> pa.Table:
    """All rows of `STEPS`, by step. Raises InputError on a part that is none."""
    return read_parts(folder, "steps", STEPS)


def read_groups(folder: Path) -> pa.Table:
    """All rows of `GROUPS`, one for each window and group, in their order.

    The same for a run that was never stopped and one that was, as sums are exact (`NATS_QUANTUM`).
    """
    pieces = read_parts(folder, "groups", GROUPS)
    state = RunState.read(folder)
    width = window_steps(state.steps if state else 1)
    window = pa.array(pieces["first_step"].to_numpy() // width)
    keys = ["window", "source", "language"]
    sums = [("first_step", "min"), ("last_step", "max"), ("nats", "sum"), ("tokens", "sum")]
    whole = pieces.append_column("window", window).group_by(keys).aggregate(sums)
    whole = whole.select([*keys, *(f"{name}_{how}" for name, how in sums)])
    whole = whole.rename_columns([*keys, *(name for name, _ in sums)])
    return whole.sort_by([(key, "ascending") for key in keys]).select(GROUPS.names).cast(GROUPS)


def read_samples(folder: Path) -> pa.Table:
    """All rows of `SAMPLES`, by step."""
    return read_parts(folder, "samples", SAMPLES)


def read_alarms(folder: Path) -> pa.Table:
    """All rows of `ALARMS`, in their order."""
    return read_parts(folder, "alarms", ALARMS)


def alarm_spans(rows: pa.Table) -> list[tuple[str, int, int | None]]:
    """Each alarm with its first step and the first without it again; None where it still stands."""
    spans: list[tuple[str, int, int | None]] = []
    begun: dict[str, int] = {}
    for row in rows.to_pylist():
        if row["began"]:
            begun.setdefault(row["name"], row["step"])
        elif row["name"] in begun:
            spans.append((row["name"], begun.pop(row["name"]), row["step"]))
    return [*spans, *((name, first, None) for name, first in begun.items())]


class _Columns:
    """Columns of numbers that grow by rows."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names, self._rows = names, 0
        self._values: npt.NDArray[np.float64] = np.zeros((len(names), 1_024))

    def append(self, *row: float) -> None:
        self._make_room(1)
        self._values[:, self._rows] = row
        self._rows += 1

    def extend(self, columns: Sequence[npt.NDArray[np.float64]]) -> None:
        many = len(columns[0])
        self._make_room(many)
        self._values[:, self._rows : self._rows + many] = columns
        self._rows += many

    def _make_room(self, rows: int) -> None:
        if self._rows + rows > self._values.shape[1]:
            more = np.zeros((len(self._names), self._values.shape[1] + rows))
            self._values = np.concatenate([self._values, more], axis=1)

    def read(self) -> dict[str, npt.NDArray[np.float64]]:
        return {name: self._values[i, : self._rows] for i, name in enumerate(self._names)}
