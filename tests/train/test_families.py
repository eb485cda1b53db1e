"""Every family learns as a plain `transformers` loop does, and packed documents are blind to each other."""

import copy
import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.optim import AdamW

from hemicycle.project import Model
from hemicycle.train import attention, derive_recipe
from hemicycle.train.learner import Learner
from hemicycle.train.model import build_model, layers_of
from hemicycle.train.optimiser import Optimiser
from tests.train.families import CONTEXT, FAMILIES, PLAIN, packed_row, shape_of, some_ids, whole_rows

STEPS = 50


@pytest.fixture(autouse=True)
def several_blocks(monkeypatch):
    """Rows of these tests are short: without it, one block would hold them."""
    monkeypatch.setattr(attention, "BLOCK", 24)


MODEL = Model.model_validate(
    {
        "corpora": {"c": 1.0},
        "tokenizer": "t",
        "architecture": {"layers": 2, "width": 32, "heads": 2, "context": CONTEXT},
        "budget": {"tokens": "4k"},
        "training": {"optimiser": "adamw", "rate": 1e-3, "spikes": "keep"},
    }
)


@pytest.mark.parametrize("family", FAMILIES)
def test_sizes_are_those_of_the_model_that_transformers_makes(family):
    shape, model = shape_of(family), build_model(shape_of(family), 0, 1, 3)
    assert sum(p.numel() for p in model.parameters()) == shape.parameters
    inside = sum(p.numel() for p in layers_of(model).parameters() if p.ndim == 2)
    assert inside + model.get_output_embeddings().weight.numel() == shape.matrices
    assert len(layers_of(model)) == 2


@pytest.mark.parametrize("family", FAMILIES)
def test_fifty_steps_lose_what_a_plain_transformers_loop_loses(family):
    recipe = derive_recipe(MODEL, shape_of(family))
    plain = build_model(shape_of(family), 0, 1, 3)
    learner = Learner(copy.deepcopy(plain), PLAIN)
    optimiser = Optimiser(learner.model, recipe)
    # the plain loop decays what ours does, with the library's own loss and attention
    for module in plain.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    inside = [p for p in layers_of(plain).parameters() if p.ndim == 2]
    others = [p for p in plain.parameters() if not any(p is q for q in inside)]
    adam = AdamW(
        [{"params": inside, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}],
        lr=1e-3,
        betas=(0.9, 0.95),
    )
    differences = []
    for step in range(STEPS):
        ids = some_ids(4, seed=step)
        batch, labels = whole_rows(ids), torch.from_numpy(ids)
        total, _ = learner.loss(batch)
        ours = total / batch.learnt
        ours.backward()
        optimiser.clip()
        optimiser.step(1.0)
        theirs = plain(input_ids=labels, labels=labels, use_cache=False).loss
        theirs.backward()
        torch.nn.utils.clip_grad_norm_(plain.parameters(), 1.0)
        adam.step()
        adam.zero_grad()
        differences.append(abs(float(ours.detach()) - float(theirs.detach())))
    assert max(differences) < 1e-5


@pytest.mark.parametrize("family", FAMILIES)
def test_packed_documents_are_as_one_by_one_and_blind_to_each_other(family):
    model = build_model(shape_of(family), 0, 1, 3)
    alone, learner = copy.deepcopy(model).eval(), Learner(model, PLAIN)
    ids, lengths = some_ids(1), [20, 30, 14]
    batch = packed_row(ids, lengths)
    nats = learner.loss(batch)[1].detach()[0]
    at = 0
    for length in lengths:
        own = slice(at, at + length)
        with torch.no_grad():
            logits = alone(input_ids=torch.from_numpy(ids[:, own])).logits[0]
        targets = torch.from_numpy(batch.targets_BT[0, own])
        expected = F.cross_entropy(logits, targets, reduction="none", ignore_index=-100)
        assert torch.allclose(nats[own], expected, atol=1e-5)
        at += length
    changed = ids.copy()
    changed[0, :20] = (changed[0, :20] + 7) % 320
    other = learner.loss(packed_row(changed, lengths))[1].detach()[0]
    assert not torch.equal(nats[:19], other[:19])
    assert torch.equal(nats[20:], other[20:]), "a neighbour's text moved these losses"


@pytest.mark.parametrize("family", FAMILIES)
def test_gradients_of_a_packed_row_are_those_of_its_documents(family):
    model = build_model(shape_of(family), 0, 1, 3)
    ids, lengths = some_ids(1), [20, 30, 14]

    def gradients(batches):
        learner = Learner(copy.deepcopy(model), PLAIN)
        for batch in batches:
            learner.loss(batch)[0].backward()
        return [p.grad for p in learner.model.parameters()]

    ends = np.cumsum([0, *lengths])
    alone = [whole_rows(ids[:, a:b].copy()) for a, b in itertools.pairwise(ends)]
    for packed, single in zip(gradients([packed_row(ids, lengths)]), gradients(alone), strict=True):
        assert torch.allclose(packed, single, atol=2e-4, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_compiled_equals_eager(family, tmp_path):
    model = build_model(shape_of(family), 0, 1, 3)
    batch = packed_row(some_ids(1), [20, 30, 14])
    losses, gradients = [], []
    for run in (PLAIN, PLAIN.__class__(1, 3, "fp32", True, 1)):
        learner = Learner(copy.deepcopy(model), run, cache=tmp_path)
        loss = learner.loss(batch)[0] / batch.learnt
        loss.backward()
        losses.append(float(loss.detach()))
        gradients.append(torch.cat([p.grad.flatten() for p in learner.model.parameters()]))
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)
    assert torch.allclose(*gradients, atol=1e-5)
