"""Adapters begin as the base, learn alone, and merged are the very model they were trained as."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from hemicycle.errors import DeclarationError
from hemicycle.train import Adapter
from hemicycle.train.model import build_model
from tests.train.families import FAMILIES, shape_of, some_ids

peft = pytest.importorskip("peft")

from hemicycle.train.adapter import add_adapter, merge, save_adapter  # noqa: E402

ADAPTER = Adapter(rank=4, alpha=8.0, targets=None)


def small(family):
    model = build_model(shape_of(family), 0, 1, 3)
    return model.eval()


def logits(model, ids):
    with torch.no_grad():
        return model(torch.from_numpy(ids)).logits


def learn(model, ids, steps=3):
    """A few steps of what may learn; returns the names that changed."""
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    for _ in range(steps):
        tokens = torch.from_numpy(ids)
        model(tokens, labels=tokens).loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    return {name for name, p in model.named_parameters() if not torch.equal(p, before[name])}


@pytest.mark.parametrize("family", FAMILIES)
def test_an_adapted_model_begins_as_its_base_and_learns_in_its_adapters_alone(family: str) -> None:
    ids, model = some_ids(2), small(family)
    base = logits(model, ids)
    add_adapter(model, ADAPTER, seed=5)
    assert torch.equal(logits(model, ids), base)
    changed = learn(model, ids)
    assert changed
    assert changed == {name for name, _ in model.named_parameters() if ".lora_" in name}
    assert not torch.allclose(logits(model, ids), base, atol=1e-3)


@pytest.mark.parametrize("family", FAMILIES)
def test_merged_weights_are_the_model_that_was_trained(family: str, tmp_path: Path) -> None:
    ids, model = some_ids(2), small(family)
    names = set(model.state_dict())
    model.save_pretrained(tmp_path / "base")
    add_adapter(model, ADAPTER, seed=5)
    learn(model, ids)
    adapted = logits(model, ids)
    save_adapter(model, ADAPTER, model.state_dict(), tmp_path / "adapter")
    state = merge(model, ADAPTER, model.state_dict())
    assert set(state) == names == set(model.state_dict())
    model.save_pretrained(tmp_path / "merged", state_dict=state)
    again = type(model).from_pretrained(tmp_path / "merged")
    assert torch.allclose(logits(again, ids), adapted, atol=1e-5)
    # And PEFT makes the same of base and adapter.
    base = type(model).from_pretrained(tmp_path / "base")
    theirs = peft.PeftModel.from_pretrained(base, tmp_path / "adapter")
    assert torch.allclose(logits(theirs, ids), adapted, atol=1e-5)
    assert torch.allclose(logits(theirs.merge_and_unload(), ids), adapted, atol=1e-5)


def test_what_is_written_of_an_adapter_names_no_place_and_is_the_same_each_time(tmp_path: Path) -> None:
    texts = set()
    for attempt in ("one", "two"):
        model = small("llama")
        model.config._name_or_path = str(tmp_path / attempt)
        add_adapter(model, ADAPTER, seed=5)
        save_adapter(model, ADAPTER, model.state_dict(), tmp_path / attempt)
        texts.add((tmp_path / attempt / "adapter_config.json").read_text())
    (text,) = texts
    assert str(tmp_path) not in text
    told = json.loads(text)
    assert (told["r"], told["lora_alpha"], told["peft_type"]) == (4, 8.0, "LORA")
    assert told["target_modules"] == sorted(told["target_modules"])
    one, two = (load_file(tmp_path / a / "adapter_model.safetensors") for a in ("one", "two"))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_targets_choose_layers_and_a_wrong_one_is_refused_with_what_there_is() -> None:
    model = small("llama")
    add_adapter(model, Adapter(rank=2, alpha=4.0, targets=("q_proj", "mlp.up_proj")), seed=1)
    adapted = {name for name, p in model.named_parameters() if p.requires_grad}
    assert {name.split(".lora_")[0].rpartition(".")[2] for name in adapted} == {"q_proj", "up_proj"}
    with pytest.raises(DeclarationError, match="is called “query”") as caught:
        add_adapter(small("llama"), Adapter(rank=2, alpha=4.0, targets=("query",)), seed=1)
    assert "q_proj" in (caught.value.remedy or "")
