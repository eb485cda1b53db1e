"""A kept checkpoint gone on from: the bits of the run that kept it."""

import dataclasses

import pytest

from hemicycle.store import digest_files
from hemicycle.tokens import load_tokenizer, marks
from hemicycle.train import Adapter
from hemicycle.train.export import write_model
from hemicycle.train.loop import train
from hemicycle.train.model import build_model
from hemicycle.train.restore import restore_checkpoint
from tests.train.jobs import CONTEXT, declare, make_job, train_on, write_plan

STEPS = 12
SIZES = {"layers": 2, "width": 32, "heads": 2, "context": CONTEXT}
MODELS = {
    "muon": {},
    "adamw": {"training": {"optimiser": "adamw", "rate": 1e-3}},
    "gpt2": {"architecture": {**SIZES, "kind": "gpt2"}},
    "gemma3": {"architecture": {**SIZES, "kind": "gemma3"}},
    "bloom": {"architecture": {**SIZES, "kind": "bloom"}},
}


@pytest.fixture(scope="module")
def plan(tokens, tmp_path_factory):
    return write_plan(tmp_path_factory.mktemp("plans") / "plan", tokens, steps=STEPS)


def going_on(job, first, tmp_path):
    """The same job again, from a checkpoint that the first kept."""
    again = dataclasses.replace(job, out=tmp_path / "again", scratch=tmp_path / "again-scratch")
    for folder in (again.out, again.scratch):
        folder.mkdir()
    assert restore_checkpoint(first / "checkpoints" / "step-8", again.scratch, 8)
    return again


@pytest.mark.parametrize("name", MODELS)
def test_a_run_that_goes_on_from_a_kept_checkpoint_ends_in_the_same_bits(
    plan, tokens, tokenizer, tmp_path, name
):
    job = make_job(tmp_path / "first", plan, tokens, tokenizer, model=declare(**MODELS[name]), keep=2)
    train(job)
    again = going_on(job, job.out, tmp_path)
    assert train(again)["resumed_at_step"] == 8
    whole = {file.path: file for file in digest_files(job.out)}
    rest = {file.path: file for file in digest_files(again.out)}
    assert rest == {path: f for path, f in whole.items() if not path.startswith("checkpoints/step-4/")}


def test_adapters_go_on_too(plan, tokens, tokenizer, tmp_path):
    model = declare(training={"optimiser": "adamw", "rate": 1e-2})
    job = make_job(tmp_path / "first", plan, tokens, tokenizer, model=model, keep=2)
    base = tmp_path / "base"
    base.mkdir()
    fresh = build_model(job.shape, *marks(tokenizer, load_tokenizer(tokenizer)), 3)
    write_model(base, fresh, fresh.state_dict())
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (base / name).write_bytes((tokenizer / name).read_bytes())
    job = dataclasses.replace(job, base=base, adapter=Adapter(rank=4, alpha=8.0, targets=None))
    train(job)
    again = going_on(job, job.out, tmp_path)
    assert train(again)["resumed_at_step"] == 8
    for file in ("model.safetensors", "figures.parquet", "checkpoints/step-8/optimiser.safetensors"):
        assert (again.out / file).read_bytes() == (job.out / file).read_bytes(), file


def test_what_has_gone_on_since_is_left_alone(plan, tokens, tokenizer, tmp_path):
    job = make_job(tmp_path / "first", plan, tokens, tokenizer, keep=2)
    train(job)
    again = going_on(job, job.out, tmp_path)
    before = digest_files(again.scratch)
    assert not restore_checkpoint(job.out / "checkpoints" / "step-4", again.scratch, 4)
    assert digest_files(again.scratch) == before


@pytest.mark.slow
def test_several_processes_go_on_from_it(plan, tokens, tokenizer, tmp_path):
    job = make_job(tmp_path / "first", plan, tokens, tokenizer, keep=2)
    train(job)
    again = going_on(job, job.out, tmp_path)
    (figures,) = train_on(2, [again], tmp_path / "ranks")
    assert figures["resumed_at_step"] == 8
    assert figures["steps"] == STEPS
