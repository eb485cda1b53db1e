"""A rank that stands still is found by its heartbeat, however long its steps are, and ended with a word."""

import os
import subprocess
import sys
import time
from contextlib import suppress
from types import SimpleNamespace

import pytest

from hemicycle.errors import HemicycleError
from hemicycle.train.launch.local import why_not
from hemicycle.train.launch.outcome import failures, write_job
from hemicycle.train.launch.watchdog import Heartbeat, Patience, Watch, read_pulse

#: A minute at least, twenty steps, an hour for the first.
PATIENCE = Patience(least=60, times=20, first=3600)


@pytest.fixture
def clock(monkeypatch):
    """The machine's clock, in the test's hands; and every rank a child of this process."""
    monkeypatch.setattr("hemicycle.train.launch.watchdog.os.getppid", os.getpid)
    now = [1000.0]
    monkeypatch.setattr("hemicycle.train.launch.watchdog.time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


def ranks(watch, now):
    return [pulse.rank for pulse in watch.standing(now)]


def test_the_first_step_may_take_long(tmp_path, clock):
    watch = Watch(tmp_path, 1, PATIENCE)
    with Heartbeat(tmp_path, 0) as heart:
        assert ranks(watch, 1000 + 3599) == []
        assert ranks(watch, 1000 + 3601) == [0]
        clock[0] = 4000.0
        heart.beat(0)
        assert ranks(watch, 4000 + 3599) == [], "nobody knows yet how long a step takes"


@pytest.mark.parametrize(("seconds", "limit"), [([1] * 5, 60), ([10] * 5, 200), ([1, 1, 50, 1, 1], 60)])
def test_a_rank_may_stand_for_twenty_median_steps_and_a_minute_at_least(tmp_path, clock, seconds, limit):
    watch = Watch(tmp_path, 2, PATIENCE)
    with Heartbeat(tmp_path, 0) as heart, Heartbeat(tmp_path, 1) as other:
        for step, duration in enumerate([900, *seconds]):
            clock[0] += duration
            heart.beat(step)
            other.beat(step)
        stood = clock[0]
        assert ranks(watch, stood + limit - 1) == []
        clock[0] += limit
        other.beat(6)
        assert ranks(watch, stood + limit + 1) == [0]


def test_a_machine_that_slept_does_not_find_its_ranks_standing(tmp_path, clock):
    watch = Watch(tmp_path, 1, PATIENCE)
    with Heartbeat(tmp_path, 0):
        watch._woke = 50_000.0
        assert ranks(watch, 50_010) == []


def test_ranks_that_others_started_are_left_alone(tmp_path, clock, monkeypatch):
    watch = Watch(tmp_path, 1, PATIENCE)
    monkeypatch.setattr("hemicycle.train.launch.watchdog.os.getppid", lambda: 1)
    with Heartbeat(tmp_path, 0):
        assert ranks(watch, 1e9) == []


def test_a_heartbeat_goes_with_the_loop_that_ended_and_stays_with_one_that_failed(tmp_path):
    with Heartbeat(tmp_path, 0) as heart:
        heart.beat(4)
        assert read_pulse(heart.path).step == 4
    assert not heart.path.exists()
    with suppress(ValueError), Heartbeat(tmp_path, 0) as heart:
        heart.beat(5)
        raise ValueError
    assert read_pulse(heart.path).step == 5


def test_a_beat_costs_next_to_nothing(tmp_path):
    with Heartbeat(tmp_path, 0) as heart:
        began = time.perf_counter()
        for step in range(1000):
            heart.beat(step)
        assert (time.perf_counter() - began) / 1000 < 1e-3


_NODE = """
import sys
from pathlib import Path
from hemicycle.train.launch.node import run_node
from hemicycle.train.launch.watchdog import Patience
sys.exit(run_node(Path(sys.argv[1]), 2, patience=Patience(1.0, 20, 30.0, look=0.1, dump=0.5)))
"""


@pytest.mark.slow
def test_a_run_that_hangs_is_ended_and_it_is_said_after_which_step(make_job):
    job = make_job("hang-1")
    began = time.monotonic()
    code = subprocess.run([sys.executable, "-c", _NODE, write_job(job)], timeout=60).returncode
    assert code == 1
    assert time.monotonic() - began < 40
    (failure,) = [f for f in failures(job.scratch) if not f.follows]
    assert failure.again
    error = why_not(job, code, job.scratch / "node-0.log")
    assert isinstance(error, HemicycleError)
    assert error.what.startswith("ranks 0-1 stood still for ")
    assert "at step 12" in error.what
    assert "The checkpoint of step 10 is kept" in error.remedy
    # Where it stood is in its log.
    assert "in fault" in (job.scratch / "rank-1.log").read_text()
