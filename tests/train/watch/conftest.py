"""Logs of trainings that never were: a loss that falls, some spikes, hostile names and texts."""

import math

import numpy as np
import pytest

from hemicycle.train.log import Log, RunState

#: What a source or a model may be called, and what a model may write, by somebody who means harm.
HOSTILE = "</script><img src=x onerror=alert(1)>\u202e"


class Training:
    """Steps of an invented training; `folder` holds its log."""

    def __init__(
        self, folder, *, steps=400, groups=(("débats", "fr"), ("lois", "fr"), ("kan", "br")), lookout=None
    ):
        self.folder, self.steps, self.groups = folder, steps, list(groups)
        self._rng = np.random.default_rng(0)
        state = RunState(
            folder.name, "running", steps, 2_600_000, 21_000_000, 1, "a test's processor",
            peak=403e9, peak_of="products of matrices measured here", precision="bf16", compiled=True,
        )  # fmt: skip
        self.log = Log(folder, state, groups=self.groups, lookout=lookout)

    def run(self, until, *, first=0, skipped=(), spikes=()):
        for step in range(first, until):
            base = 2 + 6 * math.exp(-step / 50)
            ids = np.arange(len(self.groups))
            self.log.groups(step, ids, (base + ids) * 100, np.full(len(ids), 100))
            self.log.step(
                step=step,
                loss=math.nan if step in skipped else 50.0 if step in spikes else base,
                gradient_norm=float(0.5 + self._rng.random()),
                rate_factor=min(1.0, (step + 1) / 20),
                tokens=2_048,
                learnt=2_000,
                skipped=step in skipped,
                seconds=0.5,
                data_seconds=0.005,
                memory=1_000_000_000,
            )
        self.log.flush()
        return self


@pytest.fixture
def logs(tmp_path):
    """A project's folder of logs."""
    return tmp_path / "train"


@pytest.fixture
def training(logs):
    return lambda name="petit", **given: Training(logs / name, **given)
