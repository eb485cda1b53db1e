"""Replay: gone on without a text from before it was read, a model has the bits of one that never had it."""

import shutil

import pyarrow.parquet as pq
import pytest

from hemicycle.store import digest_files
from hemicycle.tokens import Order, exposure
from hemicycle.tokens.holes import punch
from hemicycle.tokens.megatron import read_shard, shard_name
from hemicycle.train import loop
from hemicycle.train.loop import train
from hemicycle.train.stopping import Stopped
from tests.train.jobs import make_job, write_plan


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


def trained_up_to(step, job):
    """Train a job and stop at a step; its checkpoint holds what was done."""
    stops = iter([*[False] * step, True])
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
