"""Ranks on this machine: the same result on any number, and each way to fail in one line with its remedy."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hemicycle.errors import DeclarationError, HemicycleError, InputError
from hemicycle.train.launch import Here
from hemicycle.train.launch.outcome import failures

from .rank import total_of


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_job_ends_with_its_figures_and_its_files_where_they_are_wanted(make_job, told, ranks):
    job = make_job()
    assert Here(ranks).run(job, told) == {"total": total_of(30), "ranks": ranks, "began": 0}
    assert [path.name for path in job.out.iterdir()] == ["model.txt"]


def test_progress_of_other_processes_is_shown_to_its_end(make_job, told, monkeypatch):
    monkeypatch.setenv("STEP_SECONDS", "0.08")
    Here(2).run(make_job(), told)
    (bar,) = told.bars
    assert (bar.what, bar.total, bar.unit, bar.done, bar.open) == ("train", 30, "steps", 30, False)
    assert bar.notes[-1] == "step 29"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "what", "remedy"),
    [
        ("killed-1", "rank 1 on node .* failed at step 12: it was killed (SIGKILL)", "no memory left"),
        ("full-1", "rank 1 on node .* failed at step 12: there is no room left on the disk", "Make room"),
        (
            "crash-1",
            "rank 1 on node .* the processes lost each other (NCCL) (SIGABRT): .* NCCL error",
            "NCCL",
        ),
    ],
)
def test_a_rank_that_dies_is_named_with_its_reason_in_one_line_and_the_checkpoint_is_kept(
    make_job, told, name, what, remedy
):
    job = make_job(name)
    with pytest.raises(HemicycleError) as caught:
        Here(2).run(job, told)
    assert re.search(what.replace("(", r"\(").replace(")", r"\)"), caught.value.what)
    assert "\n" not in caught.value.sentence
    assert remedy in caught.value.remedy
    assert "The checkpoint of step 10 is kept" in caught.value.remedy
    # The next run goes on from there, on another number of ranks too, to what an undisturbed one ends with.
    assert Here(1).run(job, told) == {"total": total_of(30), "ranks": 1, "began": 10}
    assert told.said == [f"resuming model {name} at step 10 of 30"]


def test_what_the_loop_itself_says_is_told_as_it_was_said(make_job, told):
    with pytest.raises(InputError, match="the loss is nan") as caught:
        Here(2).run(make_job("refused-1"), told)
    assert (caught.value.place, caught.value.remedy) == ("step 12", "Look at its documents.")


@pytest.mark.parametrize(
    ("name", "what"),
    [("full-0", "no room left on the disk"), ("missing-0", "a file that it reads is not there")],
)
def test_in_this_process_a_known_reason_is_a_sentence_too(make_job, told, name, what):
    with pytest.raises(HemicycleError, match=what) as caught:
        Here(1).run(make_job(name), told)
    assert "The checkpoint of step 10 is kept" in caught.value.remedy


def test_in_this_process_a_defect_shows_itself(make_job, told):
    with pytest.raises(ZeroDivisionError):
        Here(1).run(make_job("defect-0"), told)


def test_what_ended_while_nobody_waited_is_taken(make_job, told):
    job = make_job()
    Here(2).run(job, told)
    (job.scratch / "out" / "model.txt").write_text("theirs")
    (job.out / "model.txt").unlink()
    (job.scratch / "result.json").write_text('{"total": 1}')
    assert Here(2).run(job, told) == {"total": 1}
    assert (job.out / "model.txt").read_text() == "theirs"


def test_a_model_that_slurm_trains_is_not_trained_here_at_once(make_job, told):
    job = make_job()
    (job.scratch / "slurm.job").write_text("4711")
    with pytest.raises(DeclarationError, match="by the job 4711 of Slurm"):
        Here(1).run(job, told)


_PARENT = """
import sys
from pathlib import Path
from hemicycle.progress import Lines
from hemicycle.train.job import Job
from hemicycle.train.launch import Here
Here(2).run(Job.from_json(Path(sys.argv[1]).read_text()), Lines())
"""


def children(process):
    """All processes below one, at this moment."""
    below = [int(n) for n in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    return [*below, *(n for child in below for n in children(child))]


def alive(process):
    try:
        return "State:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except FileNotFoundError:
        return False


def patiently(condition):
    for _ in range(300):
        if condition():
            return True
        time.sleep(0.1)
    return False


def parent_of(job, monkeypatch):
    """A process that trains `job` on two ranks, once it has saved a checkpoint; and all below it."""
    monkeypatch.setenv("STEP_SECONDS", "0.1")
    file = job.scratch.parent / "job.json"
    file.write_text(job.to_json())
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT, file], stderr=subprocess.PIPE, start_new_session=True, text=True
    )
    assert patiently(lambda: list(job.scratch.glob("step-*.pt")))
    below = children(parent.pid)
    assert len(below) >= 3
    return parent, below


def test_ctrl_c_saves_a_checkpoint_and_leaves_nobody_behind(make_job, told, monkeypatch):
    job = make_job(steps=1000)
    parent, below = parent_of(job, monkeypatch)
    os.killpg(parent.pid, signal.SIGINT)  # as a terminal does
    said = parent.communicate(timeout=60)[1]
    assert "KeyboardInterrupt" in said
    assert "saving a checkpoint" in said
    assert not any(map(alive, below))
    saved = int(sorted(job.scratch.glob("step-*.pt"))[-1].stem.removeprefix("step-"))
    assert saved % 10, "it was saved where it stood"
    assert not failures(job.scratch)


def test_ranks_end_with_a_command_that_is_killed(make_job, monkeypatch):
    parent, below = parent_of(make_job(steps=1000), monkeypatch)
    parent.kill()
    parent.communicate()
    assert patiently(lambda: not any(map(alive, below)))
