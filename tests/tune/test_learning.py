"""A tuning learns what is answered, and nothing of what is asked."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from hemicycle.evaluate import bits
from hemicycle.tokens import DialogueEncoder, Phase, make_plan, tokenize_dialogues
from hemicycle.train import Adapter, Run, derive_recipe
from hemicycle.train.loop import train
from hemicycle.tune import Turn
from tests.tokens.test_dialogues import row, write_rows
from tests.train.jobs import declare, make_job

CONTEXT, BATCH, STEPS = 128, 512, 60
ARCHITECTURE = {"layers": 2, "width": 32, "heads": 2, "context": CONTEXT}
RUN = Run(STEPS, seed=1, precision="fp32", compiled=False, threads=1)


def talk(number):
    """A question of letters drawn at random, so that none can be guessed, and the answer to all of them."""
    draw = random.Random(number)
    asked = "".join(draw.choice("abcdefghijklmnopqrstuvwxyz ") for _ in range(20)).strip()
    return Turn("user", asked), Turn("assistant", "la séance est ouverte")


@pytest.fixture(scope="module")
def made(tokenizer, tokens, tmp_path_factory):
    """What is tuned on, and a base: a model that read a few texts."""
    folder = tmp_path_factory.mktemp("made")
    corpus = write_rows(folder / "corpus", [row(str(n), talk(n)) for n in range(100)])
    (folder / "dialogues").mkdir()
    tokenize_dialogues(corpus, tokenizer, folder / "dialogues")
    base = job(folder / "base", tokens, tokenizer, model=declare(architecture=ARCHITECTURE))
    train(base)
    return folder / "dialogues", base.out


def job(folder, tokens, tokenizer, *, packing="split", model, **more):
    (folder / "plan").mkdir(parents=True)
    phase = Phase("main", STEPS * BATCH, {"c": 1.0}, CONTEXT, packing)
    make_plan({"c": tokens}, [phase], folder / "plan", batch_tokens=BATCH, seed=1)
    return make_job(folder, folder / "plan", tokens, tokenizer, model=model, run=RUN, **more)


def tuned(folder, made, tokenizer, rate, adapter=None):
    dialogues, base = made
    told = job(
        folder,
        dialogues,
        tokenizer,
        packing="whole",
        model=declare(architecture=ARCHITECTURE),
        base=base,
        adapter=adapter,
    )
    declared = declare(architecture=ARCHITECTURE, training={"rate": rate, "optimiser": "adamw"})
    told = dataclasses.replace(told, recipe=derive_recipe(declared, told.shape))
    return told, train(told)


def costs(folder: Path, tokenizer: Path):
    """Nats a token of questions that were read in training, and of their answers."""
    encoder = DialogueEncoder(tokenizer)
    dialogues = [encoder.encode(talk(n)) for n in range(20)]
    asked, answered = [], []
    for dialogue, nats in zip(
        dialogues, bits.load(folder).score_tokens(d.ids for d in dialogues), strict=True
    ):
        begin, stop = dialogue.answers[0]
        asked.append(nats[8 : begin - 10])  # the marks of the template around the question left out
        answered.append(nats[begin:stop])
    return float(np.concatenate(asked).mean()), float(np.concatenate(answered).mean())


def test_answers_are_learnt_and_questions_are_not(made, tokenizer, tmp_path):
    before = costs(made[1], tokenizer)
    told, figures = tuned(tmp_path, made, tokenizer, rate=1e-2)
    after = costs(told.out, tokenizer)
    assert after[1] < 0.1 * before[1]
    assert after[0] > before[0], "nothing was learnt of the questions, though each was read several times"
    assert figures["learnt"] < 0.5 * figures["tokens"]
    assert figures["epochs"]["c"] > 3


def test_adapters_learn_the_same_and_leave_the_rest_as_it_was(made, tokenizer, tmp_path):
    before = costs(made[1], tokenizer)
    told, _ = tuned(tmp_path, made, tokenizer, rate=1e-2, adapter=Adapter(rank=8, alpha=16.0, targets=None))
    after = costs(told.out, tokenizer)
    assert after[1] < 0.75 * before[1]
    base, merged = (load_file(folder / "model.safetensors") for folder in (made[1], told.out))
    assert set(base) == set(merged)
    same = {name for name in base if torch.equal(base[name], merged[name])}
    assert same == {name for name in base if not name.endswith("_proj.weight")}
    adapters = load_file(told.out / "adapter" / "adapter_model.safetensors")
    assert len(adapters) == 2 * (len(base) - len(same))


@pytest.mark.slow
def test_a_tuning_with_adapters_goes_on_after_a_kill_to_the_same_bits(made, tokenizer, tmp_path, monkeypatch):
    from hemicycle.store import digest_files
    from hemicycle.tokens import Order
    from hemicycle.train import loop

    adapter = Adapter(rank=4, alpha=8.0, targets=("q_proj", "v_proj"))
    calm, _ = tuned(tmp_path / "calm", made, tokenizer, rate=1e-3, adapter=adapter)
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(loop, "CHECKPOINT_SHARE", 1e9)
    original = Order.batch

    def dying(self, at, *ranks):
        if at == 40:
            raise KeyError("killed")
        return original(self, at, *ranks)

    with monkeypatch.context() as patch:
        patch.setattr(Order, "batch", dying)
        with pytest.raises(KeyError):
            tuned(tmp_path / "killed", made, tokenizer, rate=1e-3, adapter=adapter)
    job_again = dataclasses.replace(
        calm, **{name: tmp_path / "killed" / name for name in ("plan", "out", "scratch", "log")}
    )
    figures = train(job_again)
    assert 0 < figures["resumed_at_step"] < 40
    assert digest_files(job_again.out) == digest_files(calm.out)
