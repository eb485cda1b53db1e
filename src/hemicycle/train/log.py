"""The log of a training: what is watched while it runs, as Parquet parts that any tool can read.

Parts are written aside and renamed, so a reader never sees half of one. They hold times, so the log is no
artefact: it lies in the store's cache and may be deleted. What is exact of it (loss, norm and rate by step;
loss by source) also goes into the model's folder, without times.

- ``steps-NNNNNNNNN.parquet``: one row a step (`STEPS`).
- ``groups-NNNNNNNNN.parquet``: the loss by source and language over a window of steps (`GROUPS`).
- ``samples-NNNNNNNNN.parquet``: what the model writes at a step (`SAMPLES`).
- ``run.json``: what is trained, on what, and how it stands (`RunState`).

NNNNNNNNN is the first step of the part. A run that resumes earlier than it had come writes some steps again:
of two rows of one step the one of the later part, by time of writing, counts (`read_steps`).
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

#: loss: mean nats per learnt token of the global batch. seconds: wall clock of the step; of which
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


@dataclass
class RunState:
    """How a run stands, in ``run.json``.

    Attributes:
        flop_per_token: of the stage under way, forward and backward.
        peak: FLOP a second that MFU is a share of: the table's for a known chip (of all ranks), else the rate
            of products of matrices measured on this machine; `peak_of` says which.
        joules: energy so far, None where nothing measures it; `meter` says what measured it.
        reason: one line, where it failed.
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
    started: float = field(default_factory=time.time)
    updated: float = field(default_factory=time.time)
    process: int = field(default_factory=os.getpid)

    def write(self, folder: Path) -> None:
        from hemicycle.store import write_aside

        self.updated = time.time()
        write_aside(folder / "run.json", json.dumps(asdict(self), indent=1).encode("utf-8"))

    @staticmethod
    def read(folder: Path) -> RunState | None:
        try:
            told: dict[str, Any] = json.loads((folder / "run.json").read_text("utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        return RunState(**told)
