"""What befalls several processes in the midst of a real training: found, said in one line, gone on from."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from hemicycle.errors import HemicycleError
from hemicycle.progress import QUIET
from hemicycle.train.launch import Here
from hemicycle.train.launch.outcome import kept_step
from tests.train.jobs import STEPS, make_job, write_plan

#: Each rank imports this before anything else: a checkpoint every step, and `BEFALLS` before a batch.
_SITE = """
import os
if "RANK" in os.environ:
    import pathlib, signal
    import hemicycle.train.loop as loop
    from hemicycle.tokens import Order
    loop.CHECKPOINT_SECONDS, loop.CHECKPOINT_SHARE = 0.0, 1.0
    original = Order.batch
    def batch(self, step, rank=0, ranks=1):
        if step == 12 and pathlib.Path(os.environ["ONCE"]).exists():
            exec(os.environ["BEFALLS"])
        return original(self, step, rank, ranks)
    Order.batch = batch
"""

_DIES = "if rank: os.kill(os.getpid(), signal.SIGKILL)"
_FILLS = """if not rank:
    try:
        with open(os.environ["DISK"] + "/filler", "wb", buffering=0) as f:
            while True: f.write(bytes(4096))
    except OSError: pass"""


@pytest.fixture
def befalls(tmp_path, monkeypatch):
    """Have something happen to a training of two ranks before the batch of step 12, once."""
    site, once = tmp_path / "site", tmp_path / "once"
    site.mkdir()
    (site / "sitecustomize.py").write_text(_SITE)
    root = Path(__file__).resolve().parents[2]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site), str(root), *filter(None, sys.path)]))
    monkeypatch.setenv("ONCE", str(once))

    def arrange(what):
        monkeypatch.setenv("BEFALLS", what)
        once.touch()
        return once

    return arrange


@pytest.fixture(scope="module")
def plan(tokens, tmp_path_factory):
    return write_plan(tmp_path_factory.mktemp("plans") / "plan", tokens)


def losses(job):
    return pq.read_table(job.out / "figures.parquet")["loss"].to_pylist()


@pytest.mark.slow
def test_a_rank_that_dies_is_named_and_the_next_run_ends_as_an_undisturbed_one(
    plan, tokens, tokenizer, tmp_path, befalls
):
    job = make_job(tmp_path / "befallen", plan, tokens, tokenizer)
    once = befalls(_DIES)
    with pytest.raises(HemicycleError, match=r"rank 1 on node .*: it was killed \(SIGKILL\)") as caught:
        Here(2).run(job, QUIET)
    kept = kept_step(job.scratch)
    assert kept is not None
    assert f"The checkpoint of step {kept} is kept" in caught.value.remedy
    once.unlink()
    assert Here(2).run(job, QUIET)["resumed_at_step"] == kept
    undisturbed = make_job(tmp_path / "undisturbed", plan, tokens, tokenizer)
    assert Here(2).run(undisturbed, QUIET)["ranks"] == 2
    assert losses(job) == losses(undisturbed)


@pytest.mark.slow
def test_a_disk_that_fills_up_is_said_and_costs_no_checkpoint_that_was_there(
    plan, tokens, tokenizer, tmp_path, befalls, monkeypatch
):
    disk = tmp_path / "befallen"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", disk], capture_output=True)
    if mounted.returncode:
        pytest.skip("no disk can be made here")
    try:
        job = make_job(disk, plan, tokens, tokenizer)
        monkeypatch.setenv("DISK", str(disk))
        once = befalls(_FILLS)
        with pytest.raises(HemicycleError, match="there is no room left on the disk") as caught:
            Here(2).run(job, QUIET)
        kept = int(re.search(r"The checkpoint of step (\d+) is kept", caught.value.remedy)[1])
        assert 0 < kept <= 12
        once.unlink()
        (disk / "filler").unlink()
        assert Here(2).run(job, QUIET)["resumed_at_step"] == kept
        assert len(losses(job)) == STEPS
    finally:
        subprocess.run(["umount", "-l", disk], check=True)
