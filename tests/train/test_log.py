"""The log of a training: whole wherever the writer is killed, exact after any resumption, few files."""

import math
import signal
import subprocess
import sys
import time

import numpy as np
import pyarrow.parquet as pq
import pytest

from hemicycle.errors import InputError
from hemicycle.train import log, parts
from hemicycle.train.log import Log, RunState, read_groups, read_samples, read_steps, window_steps

GROUPS = [("debats", "fr"), ("droit", "fr"), ("debats", "br")]


def state(steps=100, **more):
    return RunState("petit", "running", steps, 1000, 6000, 1, "cpu", **more)


def note(written, step, loss=None):
    """One step as the loop tells it: nats of two rows of group 0 and one of group 2, then the step."""
    nats = np.array([step / 3, 0.1, step / 7])
    written.groups(step, np.array([0, 0, 2]), nats, np.array([5, 5, 4]))
    written.step(
        step=step,
        loss=5 - step / 100 if loss is None else loss,
        gradient_norm=1.0,
        rate_factor=0.5,
        tokens=16,
        learnt=14,
        skipped=step == 7,
        seconds=0.25,
        data_seconds=0.01,
        memory=1 << 20,
    )


def test_what_was_noted_is_read_back(tmp_path):
    written = Log(tmp_path, state(), groups=GROUPS)
    for step in range(100):
        note(written, step)
    written.sample(99, "La séance", " est ouverte")
    written.close("finished")
    steps = read_steps(tmp_path)
    assert steps["step"].to_pylist() == list(range(100))
    assert steps["loss"][30].as_py() == 5 - 30 / 100
    assert [
        s
        for s, skipped in zip(steps["step"].to_pylist(), steps["skipped"].to_pylist(), strict=True)
        if skipped
    ] == [7]
    assert read_samples(tmp_path).to_pylist() == [{"step": 99, "prompt": "La séance", "text": " est ouverte"}]
    told = RunState.read(tmp_path)
    assert (told.state, told.step, told.name) == ("finished", 100, "petit")


def test_a_step_that_learnt_nothing_has_no_loss_in_the_log(tmp_path):
    written = Log(tmp_path, state())
    for step, loss in enumerate((2.0, math.nan)):
        written.step(**(row(step, loss) | {"gradient_norm": loss}))
    written.close("interrupted")
    table = read_steps(tmp_path)
    assert table["loss"].to_pylist() == table["gradient_norm"].to_pylist() == [2.0, None]
    again = Log(tmp_path, state(), resume_step=2)
    again.close("finished")
    assert read_steps(tmp_path).equals(table)


def test_nats_are_summed_by_source_and_language_over_windows(tmp_path):
    written = Log(tmp_path, state(steps=1000), groups=GROUPS)
    for step in range(12):
        note(written, step)
    written.close("interrupted")
    assert window_steps(1000) == 5
    rows = read_groups(tmp_path).to_pylist()
    # The group that no row was of is not there.
    assert [(r["first_step"], r["last_step"], r["source"], r["language"]) for r in rows] == [
        (0, 4, "debats", "br"), (0, 4, "debats", "fr"),
        (5, 9, "debats", "br"), (5, 9, "debats", "fr"),
        (10, 11, "debats", "br"), (10, 11, "debats", "fr"),
    ]  # fmt: skip
    assert rows[1]["tokens"] == 5 * 10
    assert rows[1]["nats"] == pytest.approx(sum(s / 3 + 0.1 for s in range(5)), abs=5 * log.NATS_QUANTUM)


def test_a_run_stopped_at_checkpoints_and_resumed_has_the_log_of_one_that_was_not(tmp_path, monkeypatch):
    calm = Log(tmp_path / "calm", state(steps=1000), groups=GROUPS)
    for step in range(60):
        note(calm, step)
    calm.close("finished")
    monkeypatch.setattr(parts, "ROWS_A_PART", 8)
    monkeypatch.setattr(log, "FLUSH_SECONDS", 0.0)
    at, folder = 0, tmp_path / "stopped"
    for saved, killed in [(3, 4), (13, 31), (13, 14), (32, 58), (60, 60)]:
        written = Log(folder, state(steps=1000), resume_step=at, groups=GROUPS)
        for step in range(at, killed):
            note(written, step)
            if step + 1 == saved:
                written.flush()
        at = min(saved, killed)
    written.close("finished")
    assert read_steps(folder).equals(read_steps(tmp_path / "calm"))
    assert read_groups(folder).equals(read_groups(tmp_path / "calm"))


def test_rows_from_the_resumed_step_on_are_replaced(tmp_path):
    written = Log(tmp_path, state())
    for step in range(50):
        written.step(**row(step, loss=1.0))
    written.sample(10, "a", "kept")
    written.sample(49, "a", "lost")
    written.flush()
    again = Log(tmp_path, state(), resume_step=20)
    assert read_steps(tmp_path)["step"].to_pylist() == list(range(20))
    again.step(**row(20, loss=2.0))
    again.close("interrupted")
    assert read_steps(tmp_path)["loss"].to_pylist() == [1.0] * 20 + [2.0]
    assert read_samples(tmp_path)["text"].to_pylist() == ["kept"]


@pytest.mark.parametrize(("ended", "lost"), [("finished", 0), ("interrupted", 4_000)])
def test_the_time_since_a_training_that_had_ended_is_not_lost_to_its_replay(tmp_path, ended, lost):
    began = time.time() - 4_010
    first = Log(tmp_path, state(started=began))
    for step in range(10):
        first.step(**row(step, loss=1.0))
    first.close(ended)
    again = state()
    Log(tmp_path, again, resume_step=5)
    assert time.time() - again.started == pytest.approx(5 + lost + 5 * (lost > 0), abs=3)


def test_a_run_from_the_start_forgets_an_earlier_one_of_its_name(tmp_path):
    first = Log(tmp_path, state(), groups=GROUPS)
    for step in range(50):
        note(first, step)
    first.close("finished")
    Log(tmp_path, state())
    assert read_steps(tmp_path).num_rows == read_groups(tmp_path).num_rows == 0


def row(step, loss):
    names = ("gradient_norm", "rate_factor", "tokens", "learnt", "seconds", "data_seconds", "memory")
    return {"step": step, "loss": loss, "skipped": False, **dict.fromkeys(names, 1)}


def test_a_long_run_has_few_parts_though_it_is_written_often(tmp_path, monkeypatch):
    monkeypatch.setattr(log, "FLUSH_SECONDS", 0.0)
    monkeypatch.setattr(log, "FLUSH_SHARE", 1e9)
    monkeypatch.setattr(parts, "ROWS_A_PART", 100)
    written = Log(tmp_path, state(steps=1000))
    for step in range(500):
        written.step(**row(step, loss=1.0))
    assert len(list(tmp_path.glob("steps-*.parquet"))) == 5
    assert read_steps(tmp_path)["step"].to_pylist() == list(range(500))


class Counted:
    covers = "1 processor package; not: fans"

    def __init__(self, joules):
        self._joules = joules

    def joules(self):
        return self._joules


def test_energy_goes_on_from_where_a_killed_run_had_come(tmp_path):
    written = Log(tmp_path, state(), meter=Counted(100.0))
    written.step(**row(0, loss=1.0))
    written.flush()
    started = RunState.read(tmp_path).started
    time.sleep(0.01)
    again = Log(tmp_path, state(), resume_step=1, meter=Counted(7.0))
    again.close("finished")
    assert RunState.read(tmp_path).joules == 107.0
    assert RunState.read(tmp_path).meter == "1 processor package; not: fans"
    assert RunState.read(tmp_path).started == started


def test_unmeasured_energy_is_not_zero(tmp_path):
    Log(tmp_path, state(), meter=Counted(None)).close("finished")
    assert RunState.read(tmp_path).joules is None


WRITER = """
import sys
from pathlib import Path
from hemicycle.train import log, parts
log.FLUSH_SECONDS, log.FLUSH_SHARE, parts.ROWS_A_PART = 0.0, 1e9, 7
state = log.RunState("petit", "running", 100000, 1, 1, 1, "cpu")
written = log.Log(Path(sys.argv[1]), state, groups=[("a", "fr")])
import numpy as np
for step in range(100000):
    written.groups(step, np.array([0]), np.array([1.0]), np.array([1]))
    written.step(step=step, loss=1.0, gradient_norm=1.0, rate_factor=1.0, tokens=1, learnt=1, skipped=False,
                 seconds=1.0, data_seconds=0.0, memory=1)
    if step == 3:
        print("going", flush=True)
"""


def test_a_killed_writer_leaves_a_log_without_gaps(tmp_path):
    rng = np.random.default_rng(0)
    for delay in rng.uniform(0.01, 0.2, 4):
        process = subprocess.Popen([sys.executable, "-c", WRITER, tmp_path], stdout=subprocess.PIPE)
        assert process.stdout.readline() == b"going\n"
        # Read while it writes: each time a whole beginning of the run.
        end = time.monotonic() + delay
        while time.monotonic() < end:
            seen = read_steps(tmp_path)["step"].to_pylist()
            assert seen == list(range(len(seen)))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        left = read_steps(tmp_path)["step"].to_pylist()
        assert len(left) >= 4
        assert left == list(range(len(left)))


def test_a_broken_part_is_named_and_does_not_stop_a_resumption(tmp_path):
    written = Log(tmp_path, state())
    for step in range(5):
        written.step(**row(step, loss=1.0))
    written.flush()
    part = tmp_path / "steps-000000000.parquet"
    part.write_bytes(part.read_bytes()[:-9])
    with pytest.raises(InputError, match="cannot be read"):
        read_steps(tmp_path)
    Log(tmp_path, state(), resume_step=5)
    assert read_steps(tmp_path).num_rows == 0


def test_any_tool_reads_the_parts(tmp_path):
    written = Log(tmp_path, state(), groups=GROUPS)
    note(written, 0)
    written.close("finished")
    assert pq.read_table(tmp_path / "steps-000000000.parquet").schema.equals(log.STEPS)
    assert pq.read_table(tmp_path / "groups-000000000.parquet").schema.equals(log.GROUPS)
