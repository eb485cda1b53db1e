"""A model from elsewhere goes through training and comes out as it was where the rate is zero."""

import copy
import itertools
import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from transformers import AutoModelForCausalLM

from hemicycle.train import Shape, derive_recipe
from hemicycle.train.base import load_base, shape_of
from hemicycle.train.learner import Learner
from hemicycle.train.loop import train
from tests.train.bases import FAMILIES, make_base
from tests.train.families import packed_row, some_ids
from tests.train.jobs import PLAIN, declare, make_job, write_plan

STEPS = 3


def job_on(base, folder, tokens, tokenizer, **training):
    plan = write_plan(folder / "plan", tokens, steps=STEPS)
    job = make_job(folder / "job", plan, tokens, tokenizer)
    shape: Shape = shape_of(base)
    model = declare(training={"optimiser": "adamw", **training})
    told = {**vars(job), "shape": shape, "recipe": derive_recipe(model, shape), "base": base}
    return type(job)(**{**told, "run": PLAIN.__class__(STEPS, 1, "fp32", False, 1)})


def generated(folder):
    model = AutoModelForCausalLM.from_pretrained(folder)
    prompt = torch.tensor([[0, 5, 9, 70]])
    return model.generate(prompt, max_new_tokens=20, do_sample=False, top_k=None)


@pytest.mark.parametrize("family", FAMILIES)
def test_at_rate_zero_every_family_comes_out_as_it_went_in(family, tokens, tokenizer, tmp_path):
    base = make_base(tmp_path / "base", family, tokenizer, rows=320)
    job = job_on(base, tmp_path, tokens, tokenizer, rate=0.0, matrix_rate=0.0)
    figures = train(job)
    assert figures["parameters"] == sum(
        p.numel() for p in AutoModelForCausalLM.from_pretrained(base).parameters()
    )
    assert torch.equal(generated(base), generated(job.out))
    before, after = (AutoModelForCausalLM.from_pretrained(f).state_dict() for f in (base, job.out))
    assert all(torch.equal(before[name], after[name]) for name in before)
    configs = [json.loads((folder / "config.json").read_text()) for folder in (base, job.out)]
    assert configs[0] == configs[1]


@pytest.mark.parametrize("family", FAMILIES)
def test_packed_documents_are_as_one_by_one_with_windows_and_shared_heads_too(
    family, tokens, tokenizer, tmp_path
):
    base = make_base(tmp_path / "base", family, tokenizer, rows=320)
    model = load_base(job_on(base, tmp_path, tokens, tokenizer))
    alone, learner = copy.deepcopy(model).eval(), Learner(model, PLAIN)
    ids, lengths = some_ids(1), [20, 30, 14]
    batch = packed_row(ids, lengths)
    nats, ends = learner.loss(batch)[1].detach()[0], np.cumsum([0, *lengths]).tolist()
    for begin, end in itertools.pairwise(ends):
        with torch.no_grad():
            logits = alone(input_ids=torch.from_numpy(ids[:, begin:end])).logits[0]
        targets = torch.from_numpy(batch.targets_BT[0, begin:end])
        expected = F.cross_entropy(logits, targets, reduction="none", ignore_index=-100)
        assert torch.allclose(nats[begin:end], expected, atol=1e-5)
