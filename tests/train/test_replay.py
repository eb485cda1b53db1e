"""Replay: gone on without a text from before it was read, a model has the bits of one that never had it."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from hemicycle.store import digest_files
from hemicycle.tokens import Order, Phase, exposure, make_plan, tokenize
from hemicycle.tokens.holes import punch
from hemicycle.tokens.megatron import read_shard, shard_name
from hemicycle.train import loop
from hemicycle.train.account import Account
from hemicycle.train.log import read_samples, read_steps
from hemicycle.train.loop import train
from hemicycle.train.stopping import Stopped
from tests.conftest import text, write_corpus
from tests.train.jobs import BATCH, CONTEXT, make_job, train_on, write_plan


@pytest.fixture(scope="module")
def plan(tokens, tmp_path_factory):
    return write_plan(tmp_path_factory.mktemp("plans") / "plan", tokens)


@pytest.fixture(scope="module")
def withdrawn(plan, tokens):
    """The document that is read last for the first time, and the step that reads it."""
    rows = exposure(plan, {"c": tokens}).to_pylist()
    last = max(rows, key=lambda row: row["first_step"])
    assert last["first_step"] > 3
    return last["document"], last["first_step"]


def trained_up_to(step, job, first=0):
    """Train a job, which stands at `first`, and stop at a step; its checkpoint holds what was done."""
    stops = iter([*[False] * (step - first), True])
    with pytest.raises(Stopped, match=f"step {step} of"):
        train(job, stop=lambda: next(stops))


def weights(job):
    return (job.out / "model.safetensors").read_bytes()


def test_a_model_that_goes_on_without_a_text_has_the_bits_of_one_that_never_had_it(
    plan, tokens, tokenizer, withdrawn, tmp_path
):
    document, step = withdrawn
    punch(tokens, tmp_path / "holed", [document])

    with_it = make_job(tmp_path / "with", plan, tokens, tokenizer)
    train(with_it)
    never = make_job(tmp_path / "never", plan, tmp_path / "holed", tokenizer)
    train(never)
    assert weights(never) != weights(with_it)

    trained_up_to(step, make_job(tmp_path / "rewound", plan, tokens, tokenizer))
    rewound = make_job(tmp_path / "rewound", plan, tmp_path / "holed", tokenizer)
    assert train(rewound)["resumed_at_step"] == step
    assert digest_files(rewound.out) == digest_files(never.out)
    assert document not in pq.read_table(rewound.out / "exposure.parquet")["document"].to_pylist()


def test_the_checkpoint_before_a_text_was_read_knows_nothing_of_it(
    plan, tokens, tokenizer, withdrawn, tmp_path, monkeypatch
):
    document, step = withdrawn
    changed = tmp_path / "changed"
    shutil.copytree(tokens, changed)
    (row,) = (r for r in pq.read_table(tokens / "documents.parquet").to_pylist() if r["id"] == document)
    shard = changed / shard_name(row["shard"])
    ids = read_shard(shard).tokens.copy()
    ids[row["first"] : row["first"] + row["tokens"]] = 7
    shard.with_suffix(".bin").write_bytes(ids.tobytes())
    # It would be read at that step, and make another model there.
    one, other = (Order(plan, {"c": each}) for each in (tokens, changed))
    assert all(one.digest(at) == other.digest(at) for at in range(step))
    assert one.digest(step) != other.digest(step)

    monkeypatch.setattr(loop, "CHECKPOINT_SHARE", 1e9)
    kept = []
    for name, folder in (("one", tokens), ("other", changed)):
        job = make_job(tmp_path / name, plan, folder, tokenizer)
        trained_up_to(step, job)
        (checkpoint,) = [path for path in job.scratch.iterdir() if path.name.endswith(f"{step:09d}")]
        # The metadata name the folder that it was written in.
        kept.append([file for file in digest_files(checkpoint) if file.path != ".metadata"])
    assert len(kept[0]) > 1
    assert kept[0] == kept[1]


@pytest.fixture(scope="module")
def ends(tokenizer, tmp_path_factory):
    """Tokens of two more corpora, to be read before and after the other."""
    folder, found = tmp_path_factory.mktemp("ends"), {}
    for number, name in enumerate(("first", "last")):
        corpus = write_corpus(folder / f"{name}-corpus", {name: [text(n + 100 * number) for n in range(9)]})
        (folder / name).mkdir()
        tokenize(corpus, tokenizer, folder / name)
        found[name] = folder / name
    return found


def holed(tokens, to):
    """Tokens of which every document is withdrawn."""
    if not to.exists():
        punch(tokens, to, pq.read_table(tokens / "documents.parquet")["id"].to_pylist())
    return to


def in_phases(folder, tokens, steps):
    """A plan that reads corpora one after another, so many steps each."""
    folder.mkdir(parents=True)
    phases = [Phase(name, many * BATCH, {name: 1.0}, CONTEXT) for name, many in steps.items()]
    make_plan(tokens, phases, folder, batch_tokens=BATCH, seed=1)
    return folder


def losses(job):
    return pq.read_table(job.out / "figures.parquet")["loss"].to_pylist()


def test_steps_of_holes_alone_have_no_loss_and_change_nothing_at_the_beginning_and_at_the_end(
    tokens, ends, tokenizer, tmp_path
):
    whole = {"c": tokens, **ends}
    begun = {**whole, "first": holed(ends["first"], tmp_path / "first")}
    never = {**begun, "last": holed(ends["last"], tmp_path / "last")}
    plan = in_phases(tmp_path / "plan", whole, {"first": 5, "c": 30, "last": 5})

    def job(name, read):
        return replace(make_job(tmp_path / name, plan, tokens, tokenizer, keep_at=(5, 35)), tokens=read)

    one = job("never", never)
    figures = train(one)
    found = losses(one)
    assert found[:5] == found[35:] == [None] * 5
    assert None not in found[5:35]
    assert figures["learning_steps"] == 30
    assert figures["skipped_steps"] == 0
    assert figures["training_loss"] == round(found[34], 4)
    table = pq.read_table(one.out / "figures.parquet").to_pylist()
    assert all((row["gradient_norm"] is None) == (row["learnt"] == 0) for row in table)
    last = one.out / "checkpoints" / "step-35"
    assert (last / "model.safetensors").read_bytes() == weights(one)
    assert (last / "model.safetensors").read_bytes() != (
        one.out / "checkpoints" / "step-5" / "model.safetensors"
    ).read_bytes()

    # What is watched says so, too, and nothing that is no JSON.
    assert read_steps(one.log)["loss"].to_pylist() == found
    assert all(prompt for prompt in read_samples(one.log)["prompt"].to_pylist())
    json.loads((one.log / "run.json").read_text(), parse_constant=pytest.fail)
    json.dumps(figures, allow_nan=False)

    # The end withdrawn later, gone on from before it; and stopped among the holes on the way.
    trained_up_to(3, job("rewound", begun))
    trained_up_to(35, job("rewound", begun), first=3)
    rewound = job("rewound", never)
    assert train(rewound)["resumed_at_step"] == 35
    assert digest_files(rewound.out) == digest_files(one.out)


def test_what_comes_after_steps_of_holes_is_neither_a_spike_nor_a_divergence(
    tokens, ends, tokenizer, tmp_path
):
    read = {"c": tokens, "first": holed(ends["first"], tmp_path / "first")}
    plan = in_phases(tmp_path / "plan", {"c": tokens, "first": ends["first"]}, {"first": 40, "c": 230})
    job = replace(make_job(tmp_path / "job", plan, tokens, tokenizer), tokens=read)
    figures = train(job)
    assert figures["skipped_steps"] == 0
    assert figures["learning_steps"] == 230


def test_a_checkpoint_that_has_noughts_where_nothing_was_learnt_is_read(plan, tokens, tokenizer, tmp_path):
    job = make_job(tmp_path, plan, tokens, tokenizer)
    account = Account(job, Order(plan, {"c": tokens}))
    arrays = account.to_arrays()
    arrays["loss"][:3], arrays["gradient_norm"][:3], arrays["learnt"][:3] = (0, 5, 4), (0, 1, 1), (0, 9, 9)
    account.take(3, arrays)
    assert np.isnan(account.loss).tolist() == np.isnan(account.gradient_norm).tolist()
    assert np.flatnonzero(np.isnan(account.loss)).tolist() == [0]
    assert account.course().tolist() == [[5, 4], [1, 1], [0, 0]]


@pytest.mark.slow
def test_on_two_processes_a_step_has_no_loss_where_neither_learns(tokens, ends, tokenizer, tmp_path):
    read = {"c": tokens, "first": holed(ends["first"], tmp_path / "first")}
    plan = in_phases(tmp_path / "plan", {"c": tokens, "first": ends["first"]}, {"first": 3, "c": 5})
    job = replace(make_job(tmp_path / "job", plan, tokens, tokenizer), tokens=read)
    (figures,) = train_on(2, [job], tmp_path / "ranks")
    assert figures["learning_steps"] == 5
    assert [loss is None for loss in losses(job)] == [True] * 3 + [False] * 5
