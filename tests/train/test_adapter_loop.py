"""The loop trains adapters of every family as PEFT would, compiled and on several ranks too."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from hemicycle.tokens import load_tokenizer, marks
from hemicycle.train import Adapter, Run, derive_recipe
from hemicycle.train.export import write_model
from hemicycle.train.loop import train
from hemicycle.train.model import build_model
from tests.train.families import FAMILIES
from tests.train.jobs import CONTEXT, declare, make_job, train_on, write_plan

peft = pytest.importorskip("peft")

ADAPTER = Adapter(rank=4, alpha=8.0, targets=None)
STEPS = 6
IDS = torch.arange(2, 26)[None]


@pytest.fixture(scope="module")
def plan(tokens, tmp_path_factory):
    return write_plan(tmp_path_factory.mktemp("plans") / "plan", tokens, steps=STEPS)


@pytest.fixture(scope="module")
def made(plan, tokens, tokenizer, tmp_path_factory):
    """Folder of a base of each family, and a job that tunes it."""

    def job(folder, family, **run):
        architecture = {"kind": family, "layers": 2, "width": 32, "heads": 2, "context": CONTEXT}
        model = declare(architecture=architecture, training={"optimiser": "adamw", "rate": 1e-2})
        how = Run(STEPS, **{"seed": 1, "precision": "fp32", "compiled": False, "threads": 1, **run})
        told = make_job(folder, plan, tokens, tokenizer, model=model, run=how)
        base = folder / "base"
        base.mkdir()
        fresh = build_model(told.shape, *marks(tokenizer, load_tokenizer(tokenizer)), 3)
        write_model(base, fresh, fresh.state_dict())
        for name in ("tokenizer.json", "tokenizer_config.json"):
            (base / name).write_bytes((tokenizer / name).read_bytes())
        recipe = derive_recipe(model, told.shape)
        return dataclasses.replace(told, base=base, adapter=ADAPTER, recipe=recipe)

    return job


def logits(model):
    with torch.no_grad():
        return model(IDS).logits


@pytest.mark.parametrize("family", FAMILIES)
def test_what_the_loop_writes_is_the_base_with_its_adapters(made, tmp_path, family):
    told = made(tmp_path, family)
    figures = train(told)
    assert figures["steps"] == STEPS
    base, merged = (AutoModelForCausalLM.from_pretrained(f) for f in (told.base, told.out))
    before = logits(base)
    adapted = peft.PeftModel.from_pretrained(base, told.out / "adapter")
    assert torch.allclose(logits(merged), logits(adapted), atol=1e-5)
    assert not torch.allclose(logits(merged), before, atol=1e-2)


@pytest.mark.slow
def test_two_ranks_and_compiled_layers_come_to_the_same_adapters(made, tmp_path):
    alone, shared = made(tmp_path / "alone", "llama"), made(tmp_path / "shared", "llama")
    train(alone)
    train_on(2, [shared], tmp_path / "ranks")
    compiled = made(tmp_path / "compiled", "llama", compiled=True)
    train(compiled)
    ours = load_file(alone.out / "adapter" / "adapter_model.safetensors")
    for other in (shared, compiled):
        theirs = load_file(other.out / "adapter" / "adapter_model.safetensors")
        assert set(ours) == set(theirs)
        for name in ours:
            assert torch.allclose(ours[name], theirs[name], atol=1e-4), name
