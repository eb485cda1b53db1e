"""Training is exact, goes on where it stopped, and what comes out loads elsewhere."""

import errno
import json
import math
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from hemicycle.errors import HemicycleError, IntegrityError
from hemicycle.progress import Lines
from hemicycle.store import digest_files
from hemicycle.tokens import Order
from hemicycle.train import checkpoint, loop
from hemicycle.train.learner import Learner
from hemicycle.train.log import RunState, read_groups, read_steps
from hemicycle.train.loop import split, train
from hemicycle.train.stopping import Stopped
from tests.train.jobs import BATCH, PLAIN, STEPS, declare, make_job, write_plan


@pytest.fixture(scope="module")
def plan(tokens, tmp_path_factory):
    return write_plan(tmp_path_factory.mktemp("plans") / "plan", tokens)


@pytest.fixture
def job_in(plan, tokens, tokenizer):
    return lambda folder, **more: make_job(folder, plan, tokens, tokenizer, **more)


class Killed(BaseException):
    pass


def dying_at(step):
    """`Order.batch` as it is, but that it breaks off at a step."""
    original = Order.batch

    def batch(self, at, *ranks):
        if at == step:
            raise Killed
        return original(self, at, *ranks)

    return batch


def test_it_learns_and_transformers_loads_the_result(job_in, tmp_path):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    job = job_in(tmp_path)
    figures = train(job)
    loss = pq.read_table(job.out / "figures.parquet")["loss"].to_pylist()
    assert loss[0] == pytest.approx(math.log(320), rel=0.03), "a fresh model knows nothing"
    assert loss[-1] < 0.75 * loss[0]
    loaded, words = AutoModelForCausalLM.from_pretrained(job.out), AutoTokenizer.from_pretrained(job.out)
    ids = words("la séance est", return_tensors="pt").input_ids
    assert loaded.generate(ids, max_new_tokens=3, do_sample=False).shape[1] == ids.shape[1] + 3
    facts = json.loads((job.out / "training.json").read_text())
    assert facts["tokens"] == figures["tokens"]
    assert 0.95 * STEPS * BATCH < figures["tokens"] <= figures["places"] == STEPS * BATCH
    assert facts["flop"] == STEPS * BATCH * job.shape.flop_per_token()
    assert sum(p.numel() for p in loaded.parameters()) == job.shape.parameters
    read = pq.read_table(job.out / "exposure.parquet")
    assert sum(read["tokens"].to_pylist()) == figures["tokens"]
    assert RunState.read(job.log).state == "finished"
    assert read_steps(job.log)["loss"].to_pylist() == loss


def test_losses_by_source_add_up_to_the_loss(job_in, tmp_path):
    job = job_in(tmp_path)
    train(job)
    figures, groups = (pq.read_table(job.out / f"{name}.parquet") for name in ("figures", "groups"))
    nats = sum(groups["nats"].to_pylist())
    assert nats == pytest.approx(float(np.dot(figures["loss"], figures["learnt"])), rel=1e-6)
    assert sum(groups["tokens"].to_pylist()) == sum(figures["learnt"].to_pylist())
    assert set(groups["source"].to_pylist()) == {"a", "b"}
    assert read_groups(job.log).equals(groups)


@pytest.mark.parametrize("precision", ["fp32", pytest.param("bf16", marks=pytest.mark.slow)])
@pytest.mark.parametrize("optimiser", ["muon", pytest.param("adamw", marks=pytest.mark.slow)])
def test_killed_at_any_step_and_resumed_it_ends_in_the_same_bits(
    job_in, tmp_path, monkeypatch, precision, optimiser
):
    how = {
        "run": PLAIN.__class__(STEPS, 1, precision, False, 1),
        "model": declare(training={"optimiser": optimiser}),
    }
    calm = job_in(tmp_path / "calm", **how)
    train(calm)
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(loop, "CHECKPOINT_SHARE", 1e9)
    for at in (2, 9, 29):
        job = job_in(tmp_path / f"killed-{at}", **how)
        with monkeypatch.context() as patch:
            patch.setattr(Order, "batch", dying_at(at))
            with pytest.raises(Killed):
                train(job)
        assert RunState.read(job.log).state == "failed"
        figures = train(job)
        assert 0 < figures["resumed_at_step"] < at
        assert digest_files(job.out) == digest_files(calm.out)


def test_asked_to_stop_it_saves_first_and_says_where_it_goes_on(job_in, tmp_path, capsys):
    job, steps = job_in(tmp_path), iter(range(100))
    with pytest.raises(Stopped, match="step 7 of 30"):
        train(job, Lines(), lambda: next(steps) == 7)
    assert RunState.read(job.log).state == "interrupted"
    capsys.readouterr()
    assert train(job, Lines())["resumed_at_step"] == 7
    assert "resuming model petit at step 7 of 30" in capsys.readouterr().err
    calm = job_in(tmp_path / "calm")
    train(calm)
    assert digest_files(job.out) == digest_files(calm.out)


def test_a_full_disk_is_said_and_the_checkpoint_before_stays(job_in, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(loop, "CHECKPOINT_SHARE", 1e9)
    job, written = job_in(tmp_path), []
    original = checkpoint.save

    def filling(state, **more):
        written.append(more["checkpoint_id"])
        if len(written) > 3:
            raise OSError(errno.ENOSPC, "No space left on device", str(more["checkpoint_id"]))
        original(state, **more)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save", filling)
        with pytest.raises(OSError, match="No space left"):
            train(job)
    assert len(list(job.scratch.glob("step-*"))) == 2
    assert train(job)["resumed_at_step"] == 3


def test_only_the_last_two_checkpoints_and_those_to_keep_stay(job_in, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(loop, "CHECKPOINT_SHARE", 1e9)
    job = job_in(tmp_path, keep=2, keep_at=(7,))
    train(job)
    assert [p.name for p in sorted(job.scratch.glob("*"))] == [
        "step-000000007",
        "step-000000010",
        "step-000000020",
        "step-000000028",
        "step-000000029",
    ]
    assert sorted(p.name for p in (job.out / "checkpoints").glob("*")) == ["step-10", "step-20", "step-7"]


def test_a_loss_that_is_not_a_number_stops_before_the_update(job_in, tmp_path, monkeypatch):
    original = Learner.loss

    def broken(self, batch):
        total, nats = original(self, batch)
        return total * math.nan, nats * math.nan

    monkeypatch.setattr(Learner, "loss", broken)
    with pytest.raises(HemicycleError, match="loss is nan at step 0"):
        train(job_in(tmp_path))


def test_a_gradient_that_is_not_a_number_stops_before_the_update(job_in, tmp_path, monkeypatch):
    original = Learner.loss

    def broken(self, batch):
        total, nats = original(self, batch)
        return total * math.inf, nats

    monkeypatch.setattr(Learner, "loss", broken)
    with pytest.raises(HemicycleError, match="gradient's norm is"):
        train(job_in(tmp_path))


def test_a_run_at_far_too_high_a_rate_is_stopped_as_diverging(plan, tokens, tokenizer, tmp_path):
    long = write_plan(tmp_path / "plan", tokens, steps=400)
    wild = declare(training={"optimiser": "adamw", "rate": 10.0, "warm_up": 0.0, "clip": 1e9})
    with pytest.raises(HemicycleError, match=r"the run diverges at step|is nan at step") as caught:
        train(make_job(tmp_path / "wild", long, tokens, tokenizer, model=wild))
    assert "rate" in str(caught.value)


def test_a_missing_shard_is_named(plan, tokens, tokenizer, tmp_path):
    lacking = tmp_path / "tokens"
    shutil.copytree(tokens, lacking)
    (lacking / "tokens-00000.bin").unlink()
    with pytest.raises((HemicycleError, OSError), match=r"tokens-00000|shards of corpus c"):
        train(make_job(tmp_path / "job", plan, lacking, tokenizer))


def test_accumulating_rows_one_by_one_is_one_batch(job_in, tmp_path):
    whole = job_in(tmp_path / "whole")
    rows = job_in(tmp_path / "rows", run=PLAIN.__class__(STEPS, 1, "fp32", False, 1, micro_tokens=32))
    train(whole)
    train(rows)
    losses = [pq.read_table(j.out / "figures.parquet")["loss"].to_numpy() for j in (whole, rows)]
    assert np.abs(losses[0] - losses[1]).max() < 2e-3
    assert abs(losses[0][0] - losses[1][0]) < 1e-6


def test_recomputed_activations_change_nothing(job_in, tmp_path):
    kept, again = job_in(tmp_path / "kept"), job_in(tmp_path / "again", recompute=True)
    train(kept)
    train(again)
    assert digest_files(kept.out) == digest_files(again.out)


def test_a_batch_is_split_into_equal_parts(plan, tokens):
    batch = Order(plan, {"c": tokens}).batch(0)
    assert [len(part.tokens_BT) for part in split(batch, 64)] == [2, 2]
    assert [len(part.tokens_BT) for part in split(batch, 1)] == [1, 1, 1, 1]
    (whole,) = split(batch, 10_000)
    assert torch.equal(torch.from_numpy(whole.tokens_BT), torch.from_numpy(batch.tokens_BT))


def test_a_damaged_checkpoint_is_named_and_the_one_before_serves(job_in, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(loop, "CHECKPOINT_SHARE", 1e9)
    job = job_in(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(Order, "batch", dying_at(9))
        with pytest.raises(Killed):
            train(job)
    *_, before, newest = sorted(job.scratch.glob("step-*"))
    (part,) = newest.glob("*.distcp")
    part.write_bytes(part.read_bytes()[: part.stat().st_size // 2])
    with pytest.raises(IntegrityError, match="the checkpoint cannot be read") as told:
        train(job)
    assert told.value.place == str(newest)
    shutil.rmtree(newest)
    assert train(job)["resumed_at_step"] == int(before.name.removeprefix("step-"))
