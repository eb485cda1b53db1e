"""Several processes train as one does, read the same documents at each step, and go on from one another."""

import dataclasses

import numpy as np
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file

from hemicycle.tokens import Order
from hemicycle.train.loop import train
from tests.train.families import FAMILIES
from tests.train.jobs import CONTEXT, PLAIN, declare, make_job, train_on, write_plan

STEPS = 20
#: As of a larger model: the higher the rates, the sooner two sums that differ in their last bits drift apart.
RATES = {"rate": 3e-3, "matrix_rate": 6e-3}


@pytest.fixture(scope="module")
def plan(tokens, tmp_path_factory):
    return write_plan(tmp_path_factory.mktemp("plans") / "plan", tokens, steps=STEPS)


def job_of(folder, plan, tokens, tokenizer, family="llama", **training):
    architecture = {"kind": family, "layers": 2, "width": 32, "heads": 2, "context": CONTEXT}
    rates = RATES if training.get("optimiser") != "adamw" else {"rate": RATES["rate"]}
    model = declare(architecture=architecture, training={**rates, **training})
    run = dataclasses.replace(PLAIN, steps=STEPS)
    return make_job(folder, plan, tokens, tokenizer, model=model, run=run)


def losses(job):
    return pq.read_table(job.out / "figures.parquet")["loss"].to_numpy()


def weights(job):
    return load_file(job.out / "model.safetensors")


@pytest.mark.slow
def test_two_processes_lose_what_one_loses(plan, tokens, tokenizer, tmp_path):
    def jobs(name):
        adamw = [(f, {"optimiser": "adamw"}) for f in FAMILIES]
        return [
            job_of(tmp_path / name / f"{family}-{number}", plan, tokens, tokenizer, family, **training)
            for number, (family, training) in enumerate([*adamw, ("llama", {"optimiser": "muon"})])
        ]

    alone, together = jobs("alone"), jobs("together")
    for job in alone:
        train(job)
    assert {figures["ranks"] for figures in train_on(2, together, tmp_path)} == {2}
    for one, two in zip(alone, together, strict=True):
        # Muon turns matrices in bf16, whose rounding goes with how they are cut.
        bound = 1e-5 if one.recipe.optimiser == "adamw" else 5e-3
        assert np.abs(losses(one) - losses(two)).max() < bound, one.shape.family
        assert set(weights(one)) == set(weights(two))


@pytest.mark.slow
def test_four_processes_lose_what_one_loses(plan, tokens, tokenizer, tmp_path):
    one, four = (job_of(tmp_path / n, plan, tokens, tokenizer, optimiser="adamw") for n in ("one", "four"))
    train(one)
    train_on(4, [four], tmp_path)
    assert np.abs(losses(one) - losses(four)).max() < 1e-5


@pytest.mark.slow
def test_two_nodes_of_two_processes_lose_what_one_loses(plan, tokens, tokenizer, tmp_path):
    one, four = (job_of(tmp_path / n, plan, tokens, tokenizer, optimiser="adamw") for n in ("one", "four"))
    train(one)
    train_on(4, [four], tmp_path, "import os\nos.environ['LOCAL_WORLD_SIZE'] = '2'")
    assert np.abs(losses(one) - losses(four)).max() < 1e-5


#: Notes which documents each batch has, and stops after the tenth step where it is asked to.
NOTING = """
import os, json
from hemicycle.tokens import Order
from hemicycle.train import stopping
import hemicycle.train.loop as loop
original = Order.batch
def noting(self, step, rank=0, ranks=1):
    batch = original(self, step, rank, ranks)
    with open(os.environ["NOTES"] + f"-{rank}", "a") as f:
        for row, targets in zip(batch.tokens_BT.tolist(), batch.targets_BT.tolist()):
            if max(targets) >= 0:
                f.write(json.dumps([step, row]) + "\\n")
    return batch
Order.batch = noting
"""
STOPPING = """
whole_train = loop.train
asked = []
def stopping_train(job):
    try:
        return whole_train(job, stop=lambda: len(asked) >= 10 or bool(asked.append(1)))
    except stopping.Stopped:
        return {"ranks": 0}
loop.train = stopping_train
"""


def noted(path):
    import json

    rows = {}
    for part in path.parent.glob(f"{path.name}-*"):
        for line in part.read_text().splitlines():
            step, row = json.loads(line)
            rows.setdefault(step, []).append(tuple(row))
    return {step: sorted(set(found)) for step, found in rows.items()}


@pytest.mark.slow
def test_any_number_of_ranks_reads_the_same_rows_and_goes_on_from_another(
    plan, tokens, tokenizer, tmp_path, monkeypatch
):
    order = Order(plan, {"c": tokens})
    expected = {s: sorted(set(map(tuple, order.batch(s).tokens_BT.tolist()))) for s in range(STEPS)}
    one = job_of(tmp_path / "one", plan, tokens, tokenizer, optimiser="adamw")
    train(one)
    for first, then in ((2, 3), (3, 1), (1, 2)):
        folder = tmp_path / f"{first}-{then}"
        job = job_of(folder, plan, tokens, tokenizer, optimiser="adamw")
        notes = folder / "notes"
        monkeypatch.setenv("NOTES", str(notes))
        train_on(first, [job], folder, NOTING + STOPPING)
        assert [p.name for p in job.scratch.glob("step-*")] == ["step-000000010"]
        (figures,) = train_on(then, [job], folder, NOTING)
        assert figures["resumed_at_step"] == 10
        assert noted(notes) == expected
        assert np.abs(losses(one) - losses(job)).max() < 1e-5
