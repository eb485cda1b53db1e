"""Sinks: the figures of a log handed on to TensorBoard or MLflow, while the training goes and after it.

They read the log like everybody else. Both libraries are optional, and neither is told anything but figures:
what the model writes stays here, as it may quote its training text.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from hemicycle.errors import HemicycleError, InputError
from hemicycle.train.alarms import NAMES
from hemicycle.train.log import RunState, alarm_spans, read_alarms, read_groups, read_steps, window_steps

#: Seconds between two looks at a log that grows.
PAUSE = 10.0
#: MLflow takes so many figures at once.
BATCH = 1_000

#: A step and its figures by name, with the seconds since the epoch at which it ended.
Row = tuple[int, float, Mapping[str, float]]


class Sink(Protocol):
    """Where figures go."""

    def begin(self, state: RunState) -> int:
        """Open the run there; the first step it does not have yet."""

    def take(self, rows: list[Row]) -> None: ...

    def end(self, state: RunState) -> None: ...


def open_sink(kind: str, place: str, log: Path) -> Sink:
    """The sink of a name. Raises HemicycleError where its library is not installed."""
    try:
        return TensorBoard(Path(place) / log.name) if kind == "tensorboard" else MLflow(place, log.name)
    except ImportError as error:
        raise HemicycleError(f"{kind} needs {error.name}", remedy="pip install 'hemicycle[watch]'") from None


def follow(
    log: Path, sink: Sink, *, pause: float = PAUSE, sleep: Callable[[float], None] = time.sleep
) -> int:
    """Hand over a training's figures until it has ended, or another of its name begins; the number of steps.

    A training that resumes makes some steps again, and makes them the same: they are not handed over twice.
    """
    first = _state(log)
    begin = steps = windows = sink.begin(first)
    while True:
        # The state first: what is written after it comes with the next look.
        state = _state(log)
        if state.started != first.started:
            break
        ended = state.state != "running"
        rows = [*_step_rows(log, state, steps), *_group_rows(log, state, windows, ended)]
        if rows:
            sink.take(rows)
            steps = max([steps, *(step + 1 for step, _, told in rows if "skipped" in told)])
            windows = max([windows, *(step + 1 for step, _, told in rows if "skipped" not in told)])
        if ended:
            sink.end(state)
            break
        sleep(pause)
    return steps - begin


def _state(log: Path) -> RunState:
    state = RunState.read(log)
    if state is None:
        raise InputError("the log is no longer there", place=str(log))
    return state


def _step_rows(log: Path, state: RunState, first: int) -> Iterator[Row]:
    table = read_steps(log)
    ended = state.started + np.cumsum(table["seconds"].to_numpy())
    read = np.cumsum(table["tokens"].to_numpy())
    begin = int(np.searchsorted(table["step"].to_numpy(), first))
    spans = alarm_spans(read_alarms(log))
    for i, row in enumerate(table.slice(begin).to_pylist(), begin):
        seconds = max(row["seconds"], 1e-9)
        figures = {
            # A step that learnt nothing has neither.
            **{name: row[name] for name in ("loss", "gradient_norm") if row[name] is not None},
            "rate_factor": row["rate_factor"],
            "tokens": float(read[i]),
            "tokens_per_second": row["tokens"] / seconds,
            "data_share": row["data_seconds"] / seconds,
            "memory_bytes": float(row["memory"]),
            "skipped": float(row["skipped"]),
            **{f"alarm/{name}": _stood(spans, name, row["step"]) for name in NAMES},
        }
        yield row["step"], float(ended[i]), figures


def _stood(spans: list[tuple[str, int, int | None]], name: str, step: int) -> float:
    """1 where an alarm stood at a step, else 0."""
    return float(any(n == name and first <= step and (end is None or step < end) for n, first, end in spans))


def _group_rows(log: Path, state: RunState, first: int, ended: bool) -> Iterator[Row]:
    """Losses by source and by language of the windows that are whole, or of all once the run has ended."""
    width = window_steps(state.steps)
    sums: dict[int, dict[str, list[float]]] = {}
    for row in read_groups(log).to_pylist():
        step = row["last_step"]
        if step < first or not (ended or (step + 1) % width == 0 or step + 1 == state.steps):
            continue
        for name in (f"loss_by_source/{row['source']}", f"loss_by_language/{row['language']}"):
            summed = sums.setdefault(step, {}).setdefault(name, [0.0, 0.0])
            summed[0] += row["nats"]
            summed[1] += row["tokens"]
    for step, groups in sorted(sums.items()):
        yield step, state.updated, {name: nats / tokens for name, (nats, tokens) in groups.items()}


class TensorBoard:
    """Event files in a folder. What an earlier call wrote there is hidden by what this one writes."""

    def __init__(self, folder: Path) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer: Any = SummaryWriter(str(folder), purge_step=0)

    def begin(self, state: RunState) -> int:
        return 0

    def take(self, rows: list[Row]) -> None:
        for step, ended, figures in rows:
            for name, value in figures.items():
                self._writer.add_scalar(name, value, step, walltime=ended)
        self._writer.flush()

    def end(self, state: RunState) -> None:
        self._writer.close()


class MLflow:
    """A run of the experiment ``hemicycle``, taken up again by the time at which its training began."""

    def __init__(self, uri: str, name: str) -> None:
        # It would tell its makers of each use, and refuses a folder unless told twice.
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        from mlflow import MlflowClient

        self._uri, self._name = uri, name
        with self._asking():
            self._client: Any = MlflowClient(tracking_uri=uri)
        self._run = ""

    @contextlib.contextmanager
    def _asking(self) -> Iterator[None]:
        from mlflow import MlflowException

        try:
            yield
        except MlflowException as error:
            raise InputError(f"MLflow does not take it: {error}", place=self._uri) from None

    def begin(self, state: RunState) -> int:
        known = f"{self._name} {state.started}"
        with self._asking():
            experiment = self._client.get_experiment_by_name("hemicycle")
            number = experiment.experiment_id if experiment else self._client.create_experiment("hemicycle")
            found = self._client.search_runs([number], f"tags.`hemicycle.run` = '{known}'")
            if found:
                self._run = found[0].info.run_id
                return int(found[0].data.tags.get("hemicycle.steps", 0))
            run = self._client.create_run(number, run_name=self._name, tags={"hemicycle.run": known})
            self._run = run.info.run_id
            for key in ("parameters", "ranks", "device", "precision", "compiled", "steps"):
                self._client.log_param(self._run, key, getattr(state, key))
        return 0

    def take(self, rows: list[Row]) -> None:
        from mlflow.entities import Metric

        figures = [
            Metric(re.sub(r"[^\w./: -]", "_", name), value, int(1000 * ended), step)
            for step, ended, told in rows
            for name, value in told.items()
            if math.isfinite(value)
        ]
        with self._asking():
            for first in range(0, len(figures), BATCH):
                self._client.log_batch(self._run, metrics=figures[first : first + BATCH])
            self._client.set_tag(self._run, "hemicycle.steps", str(max(step for step, _, _ in rows) + 1))

    def end(self, state: RunState) -> None:
        status = {"finished": "FINISHED", "failed": "FAILED", "interrupted": "KILLED"}[state.state]
        with self._asking():
            self._client.set_terminated(self._run, status)
