"""On a graphics card: the processor's losses, documents blind to each other, runs that go on exactly.

Skipped where there is no card.
"""

import copy

import pytest
import torch

from hemicycle.store import digest_files
from hemicycle.tokens import Order
from hemicycle.train import loop
from hemicycle.train.learner import Learner
from hemicycle.train.loop import train
from hemicycle.train.model import build_model
from tests.train.families import FAMILIES, PLAIN, packed_row, shape_of, some_ids
from tests.train.jobs import STEPS, declare, make_job, write_plan
from tests.train.test_loop import Killed, dying_at

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no graphics card")

LENGTHS = [20, 30, 14]


def learner_on(device, model, run=PLAIN, **more):
    return Learner(copy.deepcopy(model), run, device=device, **more).to(device)


@pytest.mark.parametrize("family", FAMILIES)
def test_losses_and_gradients_are_those_of_the_processor(family):
    model, batch = build_model(shape_of(family), 0, 1, 3), packed_row(some_ids(1), LENGTHS)
    found = []
    for device in ("cpu", "cuda:0"):
        learner = learner_on(device, model)
        total, nats = learner.loss(batch)
        total.backward()
        gradients = torch.cat([p.grad.flatten().cpu() for p in learner.model.parameters()])
        found.append((nats.detach().cpu(), gradients))
    assert torch.allclose(found[0][0], found[1][0], atol=1e-4)
    assert torch.allclose(found[0][1], found[1][1], atol=2e-3, rtol=1e-3)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_changed_document_moves_no_loss_of_its_neighbours(family, tmp_path):
    ids, changed = some_ids(1), some_ids(1)
    changed[0, : LENGTHS[0]] = (changed[0, : LENGTHS[0]] + 7) % 320
    run = PLAIN.__class__(1, 3, "bf16", True, 1)
    learner = learner_on("cuda:0", build_model(shape_of(family), 0, 1, 3), run, cache=tmp_path)
    one, other = (learner.loss(packed_row(given, LENGTHS))[1].detach()[0] for given in (ids, changed))
    assert not torch.equal(one[: LENGTHS[0] - 1], other[: LENGTHS[0] - 1])
    assert torch.equal(one[LENGTHS[0] :], other[LENGTHS[0] :])


@pytest.mark.parametrize("optimiser", ["muon", "adamw"])
def test_killed_and_resumed_it_ends_in_the_same_bits(optimiser, tokens, tokenizer, tmp_path, monkeypatch):
    plan = write_plan(tmp_path / "plan", tokens)
    how = {
        "run": PLAIN.__class__(STEPS, 1, "bf16", True, 1),
        "model": declare(training={"optimiser": optimiser}),
    }
    calm = make_job(tmp_path / "calm", plan, tokens, tokenizer, **how)
    train(calm)
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(loop, "CHECKPOINT_SHARE", 1e9)
    job = make_job(tmp_path / "killed", plan, tokens, tokenizer, **how)
    with monkeypatch.context() as patch:
        patch.setattr(Order, "batch", dying_at(9))
        with pytest.raises(Killed):
            train(job)
    assert 0 < train(job)["resumed_at_step"] < 9
    assert digest_files(job.out) == digest_files(calm.out)
