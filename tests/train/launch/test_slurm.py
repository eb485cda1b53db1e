"""Training on Slurm: the script is what a person would write; the job goes on by itself until all is done."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from hemicycle.errors import DeclarationError, HemicycleError
from hemicycle.sites import Site, Training
from hemicycle.train.launch.outcome import failures
from hemicycle.train.launch.script import training_script
from hemicycle.train.launch.slurm import OnSlurm

from . import cluster
from .rank import total_of

GOLDEN = Path(__file__).parent / "scripts"

SITES = {
    "cards": Site(
        scheduler="slurm",
        account="abc@cpu",
        partition="cpu_p1",
        setup=["module load python/3.11.5"],
        training=Training(
            account="abc@h100",
            partition="gpu_p6",
            qos="qos_gpu_h100-t3",
            constraint="h100",
            reservation="week",
            exclude=["r1i2n3", "r1i2n4"],
            nodes=2,
            gpus=4,
            cpus=96,
            time="20:00:00",
            environment={"NCCL_SOCKET_IFNAME": "ib0", "NCCL_DEBUG": "WARN to all"},
            container="/images/hemicycle.sif",
        ),
    ),
    "cores": Site(
        scheduler="slurm", training=Training(cpus=40, memory="100G", requeue=False, save_before=60)
    ),
}


@pytest.mark.parametrize("name", SITES)
def test_the_script_is_what_a_person_would_write(name, monkeypatch):
    monkeypatch.setattr("sys.executable", "/venv/bin/python")
    ranks = 2 if name == "cores" else None
    text = training_script(SITES[name], "petit", Path("/the project/build/.staging/0123/work"), [], ranks)
    golden = GOLDEN / f"{name}.sbatch"
    if os.environ.get("HEMICYCLE_REGENERATE"):
        golden.write_text(text)
    assert text == golden.read_text()
    assert subprocess.run(["bash", "-n"], input=text, text=True).returncode == 0


def test_a_container_sees_what_the_job_reads(tmp_path):
    for folder in ("store", "work", "elsewhere"):
        (tmp_path / folder).mkdir()
    seen = [tmp_path / "store", tmp_path / "store", tmp_path / "elsewhere"]
    text = training_script(SITES["cards"], "petit", tmp_path / "work", seen)
    assert (
        f"apptainer exec --nv --bind {tmp_path}/elsewhere --bind {tmp_path}/store --bind {tmp_path}/work "
        "/images/hemicycle.sif python -m hemicycle.train.launch.node" in text
    )


@pytest.mark.parametrize("name", ["l'assemblée", 'a"b', "a\\b", "a\nb"])
def test_a_folder_that_slurm_cannot_be_told_is_refused(tmp_path, name):
    with pytest.raises(DeclarationError, match="Slurm cannot be told a path"):
        training_script(SITES["cores"], "petit", tmp_path / name, [])


@pytest.mark.parametrize("key", ["NCCL DEBUG", "A=B", "1X", ""])
def test_the_name_of_a_variable_is_one(key):
    with pytest.raises(ValueError, match="environment"):
        Training(environment={key: "x"})


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The cluster's folder; a job's processes are found by the scratch folder in their command."""
    folder = tmp_path / "cluster"
    cluster.install(folder)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr("hemicycle.engines.sbatch._PATIENCE", (0.1, 0.2))
    yield folder
    for mark in folder.glob("running-*"):
        (folder / f"cancel-{mark.name.split('-')[1]}").touch()


def on(ranks=1, **training):
    return OnSlurm(Site(scheduler="slurm", training=Training(**training)), ranks)


def started(here):
    return (here / "started").read_text().split()


def when_saved(job, act):
    """Do something as soon as the job has saved its first checkpoint."""

    def wait():
        while not list(job.scratch.glob("step-*.pt")):
            time.sleep(0.05)
        act()

    threading.Thread(target=wait, daemon=True).start()


def test_a_job_trains_on_the_ranks_of_its_site(make_job, told, here):
    job = make_job()
    assert on(2).run(job, told) == {"total": total_of(30), "ranks": 2, "began": 0}
    assert (job.out / "model.txt").exists()
    assert told.said == [f"model fine: submitted as job 4711; log: {job.scratch}/slurm.log"]
    assert told.bars[-1].done == 30
    assert not (job.scratch / "slurm.job").exists()


@pytest.mark.slow
@pytest.mark.parametrize("requeue", [True, False])
def test_a_job_whose_time_is_up_saves_and_goes_on_by_itself(make_job, told, here, monkeypatch, requeue):
    monkeypatch.setenv("STEP_SECONDS", "0.1")
    job = make_job(steps=40)
    when_saved(job, (here / "usr1-4711").touch)
    figures = on(requeue=requeue).run(job, told)
    assert started(here) == (["4711", "4711"] if requeue else ["4711", "4712"])
    assert figures["total"] == total_of(40)
    assert 10 < figures["began"] < 40
    assert figures["began"] % 10, "the checkpoint was saved where the job was told that its time was up"
    assert f"resuming model fine at step {figures['began']} of 40" in told.said


@pytest.mark.slow
def test_a_passing_failure_is_tried_again_from_the_checkpoint(make_job, told, here):
    assert on().run(make_job("crash-0"), told)["began"] == 10
    assert started(here) == ["4711", "4711"]


def test_starts_that_do_not_even_begin_come_to_an_end(make_job, told, here):
    (here / "srun").write_text("#!/bin/bash\necho no node answers >&2; exit 1\n")
    with pytest.raises(HemicycleError, match="3 starts brought no checkpoint after the beginning"):
        on().run(make_job(), told)
    assert started(here) == ["4711"] * 4


@pytest.mark.slow
def test_starts_that_bring_no_checkpoint_come_to_an_end_and_the_failure_is_told(make_job, told, here):
    job = make_job("always-crash-0")
    with pytest.raises(HemicycleError, match=r"rank 0 on node .* failed at step 12: .*NCCL") as caught:
        on().run(job, told)
    assert "The checkpoint of step 10 is kept" in caught.value.remedy
    # One from the beginning, three from the checkpoint; the fifth gives up before it begins.
    assert len(started(here)) == 5
    assert "3 starts brought no checkpoint after" in (job.scratch / "slurm.log").read_text()
    with pytest.raises(HemicycleError):
        on().run(job, told)
    assert len(started(here)) > 6, "a person who runs it again begins to count anew"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["killed-0", "full-0", "refused-0"])
def test_what_another_start_would_not_mend_is_told_at_once(make_job, told, here, name):
    job = make_job(name)
    with pytest.raises(HemicycleError):
        on().run(job, told)
    assert started(here) == ["4711"]


def test_a_script_that_cannot_begin_is_told_by_the_end_of_its_log(make_job, told, here):
    site = Site(scheduler="slurm", training=Training(setup=["echo no such module >&2", "false"]))
    with pytest.raises(HemicycleError, match="ended without a result: no such module"):
        OnSlurm(site).run(make_job(), told)
    assert started(here) == ["4711"]


_WAITER = """
import sys
from pathlib import Path
from hemicycle.progress import Lines
from hemicycle.sites import Site
from hemicycle.train.job import Job
from hemicycle.train.launch.slurm import OnSlurm
OnSlurm(Site(scheduler="slurm")).run(Job.from_json(Path(sys.argv[1]).read_text()), Lines())
"""


def waiter_of(job, monkeypatch):
    monkeypatch.setenv("STEP_SECONDS", "0.1")
    file = job.scratch.parent / "job.json"
    file.write_text(job.to_json())
    waiter = subprocess.Popen([sys.executable, "-c", _WAITER, file], stderr=subprocess.DEVNULL)
    while not list(job.scratch.glob("step-*.pt")):
        time.sleep(0.05)
    return waiter


@pytest.mark.slow
def test_a_job_whose_waiter_was_killed_is_waited_for_by_the_next_run(make_job, told, here, monkeypatch):
    job = make_job(steps=40)
    waiter = waiter_of(job, monkeypatch)
    waiter.kill()
    waiter.wait()
    # As the pipeline does: what was half built is emptied.
    job.out.rmdir()
    job.out.mkdir()
    assert on().run(job, told) == {"total": total_of(40), "ranks": 1, "began": 0}
    assert told.said == ["model fine: its job 4711 is waited for"]
    assert started(here) == ["4711"]
    assert (job.out / "model.txt").exists()


@pytest.mark.slow
def test_ctrl_c_cancels_the_job_which_saves_and_does_not_go_on(make_job, told, here, monkeypatch):
    job = make_job(steps=1000)
    waiter = waiter_of(job, monkeypatch)
    waiter.send_signal(signal.SIGINT)
    waiter.wait()
    while list(here.glob("running-*")):
        time.sleep(0.05)
    assert started(here) == ["4711"]
    saved = int(sorted(job.scratch.glob("step-*.pt"))[-1].stem.removeprefix("step-"))
    assert saved % 10, "it was saved where it stood"
    assert not failures(job.scratch)
    monkeypatch.setenv("STEP_SECONDS", "0.0001")
    assert on().run(job, told)["began"] == saved
    assert started(here) == ["4711", "4712"]


def test_a_refused_job_says_why(make_job, told, here):
    said = "sbatch: error: Batch job submission failed: Invalid qos specification"
    (here / "sbatch").write_text(f"#!/bin/bash\necho '{said}' >&2; exit 1\n")
    with pytest.raises(DeclarationError, match=r"Slurm refused the job: .*Invalid qos") as caught:
        on().run(make_job(), told)
    assert "qos" in caught.value.remedy


@pytest.mark.slow
def test_two_nodes_meet_and_train_as_one(make_job, tmp_path):
    """Both on this machine, each with one rank."""
    from hemicycle.train.launch.outcome import take, write_job

    job = make_job()
    file = write_job(job)
    command = [sys.executable, "-m", "hemicycle.train.launch.node", file, "--ranks", "1", "--nodes", "2"]
    command += ["--meeting", "localhost:23457"]
    nodes = [
        subprocess.Popen(command, env={**os.environ, "SLURM_NODEID": str(n), "SLURMD_NODENAME": "localhost"})
        for n in range(2)
    ]
    assert [node.wait(60) for node in nodes] == [0, 0]
    assert take(job) == {"total": total_of(30), "ranks": 2, "began": 0}


def slurm_answers():
    try:
        done = subprocess.run(["sinfo", "--noheader"], capture_output=True, text=True, timeout=20)
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and bool(re.search(r"\b(idle|mix)", done.stdout))


@pytest.mark.slow
@pytest.mark.parametrize("requeue", [True, False])
def test_a_slurm_of_this_machine_trains_and_goes_on_when_the_time_is_up(make_job, told, monkeypatch, requeue):
    if not slurm_answers():
        pytest.skip("no Slurm answers here")
    # It counts in minutes; what is requeued waits for two of them.
    monkeypatch.setenv("STEP_SECONDS", "1")
    job = make_job(steps=50)
    figures = on(2, cpus=2, time="00:01:00", save_before=30, requeue=requeue).run(job, told)
    assert figures["total"] == total_of(50)
    assert figures["ranks"] == 2
    assert figures["began"] > 0
