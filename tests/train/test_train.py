"""Training is exact, packed documents are blind to each other, and what comes out loads elsewhere."""

import json
import math

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
import torch.nn.functional as F

from hemicycle.errors import HemicycleError
from hemicycle.progress import QUIET, Lines
from hemicycle.project import Budget, Model
from hemicycle.store import digest_files
from hemicycle.tokens import Batch, Order, Phase, make_plan
from hemicycle.train import Run, budget, checkpoint, derive_shape, loop
from hemicycle.train.budget import few_steps, quietest_round, resolve_run
from hemicycle.train.loop import train
from hemicycle.train.model import Learner, build_model
from hemicycle.train.settings import rate_factor

MODEL = Model.model_validate(
    {
        "corpora": {"c": 1.0},
        "tokenizer": "t",
        "architecture": {"layers": 2, "width": 32, "heads": 2, "context": 32},
        "budget": {"tokens": "4k"},
        "batch_tokens": 128,
    }
)
SHAPE = derive_shape(MODEL, 320)
RUN = Run(steps=30, seed=1, precision="fp32", compiled=False, threads=1)


@pytest.fixture(scope="module")
def plan(tokens, tmp_path_factory):
    folder = tmp_path_factory.mktemp("plan")
    make_plan({"c": tokens}, [Phase("main", 30 * 128, {"c": 1.0}, 32)], folder, batch_tokens=128, seed=1)
    return folder


def run(plan, tokens, tokenizer, folder, **options):
    out, scratch = folder / "out", folder / "scratch"
    for path in (out, scratch):
        path.mkdir(parents=True, exist_ok=True)
    figures = train(
        plan, {"c": tokens}, tokenizer, out, scratch, shape=SHAPE, run=options.pop("run", RUN), **options
    )
    return out, figures


def test_it_learns_and_transformers_loads_the_result(plan, tokens, tokenizer, tmp_path):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    out, figures = run(plan, tokens, tokenizer, tmp_path)
    loss = pq.read_table(out / "figures.parquet")["loss"].to_pylist()
    assert loss[0] == pytest.approx(math.log(320), rel=0.03), "a fresh model knows nothing"
    assert loss[-1] < 0.75 * loss[0]
    loaded, words = AutoModelForCausalLM.from_pretrained(out), AutoTokenizer.from_pretrained(out)
    ids = words("la séance est", return_tensors="pt").input_ids
    assert loaded.generate(ids, max_new_tokens=3, do_sample=False).shape[1] == ids.shape[1] + 3
    facts = json.loads((out / "training.json").read_text())
    assert facts["tokens"] == figures["tokens"] == 30 * 128
    assert sum(p.numel() for p in loaded.parameters()) == SHAPE.parameters
    read = pq.read_table(out / "exposure.parquet")
    # The last row of the corpus is not full, and was read twice.
    assert 30 * 128 - 2 * 32 < sum(read["tokens"].to_pylist()) <= 30 * 128


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_killed_at_any_step_and_resumed_it_ends_in_the_same_bits(
    plan, tokens, tokenizer, tmp_path, monkeypatch, precision
):
    how = Run(30, 1, precision, False, 1)
    calm, _ = run(plan, tokens, tokenizer, tmp_path / "calm", run=how)
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)

    class Killed(BaseException):
        pass

    original = Order.batch
    for at in (1, 7, 29):

        def dying(self, step, at=at):
            if step == at:
                raise Killed
            return original(self, step)

        folder = tmp_path / f"killed-{at}"
        with monkeypatch.context() as patch:
            patch.setattr(Order, "batch", dying)
            with pytest.raises(Killed):
                run(plan, tokens, tokenizer, folder, run=how)
        resumed, figures = run(plan, tokens, tokenizer, folder, run=how)
        assert figures["resumed_at_step"] == at
        assert digest_files(resumed) == digest_files(calm)


def test_where_a_training_goes_on_is_said(plan, tokens, tokenizer, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    original = Order.batch

    def interrupted(self, step):
        if step == 7:
            raise KeyboardInterrupt
        return original(self, step)

    with monkeypatch.context() as patch:
        patch.setattr(Order, "batch", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(plan, tokens, tokenizer, tmp_path, name="petit", progress=Lines())
    assert capsys.readouterr().err == ""
    run(plan, tokens, tokenizer, tmp_path, name="petit", progress=Lines())
    assert capsys.readouterr().err == "resuming model petit at step 7 of 30\n"


def test_a_checkpoint_cut_off_while_written_is_never_seen(tmp_path, monkeypatch):
    checkpoint.save(tmp_path, 5, {"x": torch.ones(2)})

    def full_disk(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full_disk)
    with pytest.raises(OSError, match="space"):
        checkpoint.save(tmp_path, 6, {"x": torch.zeros(2)})
    found = checkpoint.load_latest(tmp_path)
    assert found is not None
    assert found[0] == 5
    assert found[1]["x"].tolist() == [1, 1]


def test_only_the_last_two_checkpoints_stay(tmp_path):
    for step in range(5):
        checkpoint.save(tmp_path, step, {})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-000000003.pt", "step-000000004.pt"]


def logits(model, batch):
    learner = Learner(model, RUN, None)
    captured = {}

    def keep(hidden, head, targets):
        captured["logits"] = F.linear(hidden, head)
        return captured["logits"].sum()

    learner._loss = keep
    learner.loss(batch)
    return captured["logits"].detach()


def packed(*documents):
    ids = np.concatenate(documents)[None]
    number = np.concatenate([np.full(len(d), i) for i, d in enumerate(documents)])[None]
    places = np.concatenate([np.arange(len(d)) for d in documents])[None]
    return Batch(ids, ids, number.astype(np.int32), places, np.zeros_like(ids))


def test_documents_in_a_row_are_as_if_alone_and_never_see_each_other():
    model = build_model(SHAPE, 0, 1, seed=3)
    rng = np.random.default_rng(0)
    a, b, c = (rng.integers(0, 320, n) for n in (11, 7, 14))
    together = logits(model, packed(a, b, c))[0]
    for document, start in ((a, 0), (b, 11), (c, 18)):
        alone = logits(model, packed(document))[0]
        assert torch.allclose(together[start : start + len(document)], alone, atol=1e-5)
    other = logits(model, packed((a + 1) % 320, b, (c + 1) % 320))[0]
    assert torch.equal(other[11:18], together[11:18]), "a neighbour's text moved these logits"


def test_the_loss_is_that_of_a_plain_transformers_model(plan, tokens):
    model = build_model(SHAPE, 0, 1, seed=3)
    batch = Order(plan, {"c": tokens}).batch(0)
    whole = Batch(
        batch.tokens_BT,
        batch.targets_BT,
        np.zeros_like(batch.documents_BT),
        np.broadcast_to(np.arange(32), batch.tokens_BT.shape).copy(),
        batch.groups_BT,
    )
    ours = Learner(model, RUN, None).loss(whole)
    logits_ = model(input_ids=torch.from_numpy(batch.tokens_BT)).logits
    plain = F.cross_entropy(logits_.flatten(0, 1), torch.from_numpy(batch.targets_BT).flatten())
    assert float(ours.detach()) == pytest.approx(float(plain.detach()), abs=1e-5)


def test_a_loss_that_is_not_a_number_stops_before_the_update(plan, tokens, tokenizer, tmp_path, monkeypatch):
    monkeypatch.setattr(Learner, "loss", lambda self, batch: torch.tensor(float("nan"), requires_grad=True))
    with pytest.raises(HemicycleError, match="loss is nan at step 0"):
        run(plan, tokens, tokenizer, tmp_path)


def test_the_rate_warms_up_stays_and_ends_at_two_per_cent():
    factors = [rate_factor(s, 200) for s in range(200)]
    assert factors[0] == 0.05
    assert factors[19:100] == [1.0] * 81
    assert factors[-1] == pytest.approx(0.02)
    assert factors[100:] == sorted(factors[100:], reverse=True)
    assert rate_factor(0, 1) == 1.0


def test_the_flop_formula_by_hand():
    # two layers of 4 x 32 x 32 attention and 3 x 32 x 128 feed-forward, a head of 320 x 32
    matrices = 2 * (4 * 32 * 32 + 3 * 32 * 128) + 320 * 32
    assert SHAPE.feed_forward == 128
    assert SHAPE.flop_per_token == 6 * matrices + 12 * 2 * 32 * 32


def test_a_budget_in_tokens_is_whole_steps_and_one_in_minutes_is_measured():
    assert resolve_run(SHAPE, MODEL.budget, 1).steps == math.ceil(4000 / 128)
    minutes = MODEL.budget.model_copy(update={"tokens": None, "minutes": 0.2})
    measured = resolve_run(SHAPE, minutes, 1)
    assert measured.steps > 10
    assert not measured.compiled


class Clock:
    """Time that passes only when a test lets it."""

    now = 0.0

    def __call__(self):
        return self.now


class Said:
    """Hears what is said, and draws nothing."""

    def __init__(self):
        self.lines = []

    def start(self, what, total, unit=""):
        return QUIET.start(what, total, unit)

    def say(self, text):
        self.lines.append(text)


MINUTES = Budget(minutes=3)


def test_a_step_is_timed_in_the_quietest_of_several_rounds():
    clock = Clock()

    def step():
        # the first two and a half seconds are disturbed
        clock.now += 0.5 if clock.now < 2.5 else 0.1

    assert quietest_round(step, clock) == pytest.approx(0.1)
    assert clock.now < 6


def test_very_slow_steps_are_timed_three_times_and_no_more():
    clock, taken = Clock(), []

    def step():
        taken.append(1)
        clock.now += 20.0

    assert quietest_round(step, clock) == 20.0
    assert len(taken) == 3


def test_slow_compiling_leaves_half_of_the_minutes_to_training(monkeypatch):
    clock = Clock()

    def slow(shape, run, cache):
        clock.now += 170.0
        return 0.5

    monkeypatch.setattr(budget, "_time_steps", slow)
    monkeypatch.setattr(budget.time, "monotonic", clock)
    # 180 s less 4 % less half, at half a second each
    assert resolve_run(SHAPE, MINUTES, 1).steps == int((180 * 0.96 - 90) / 0.5)


@pytest.mark.parametrize(("load", "told"), [(9.3, True), (2.0, False)])
def test_a_machine_with_more_to_do_than_cores_is_told_when_it_is_measured(monkeypatch, load, told):
    monkeypatch.setattr(budget, "_time_steps", lambda *_: 0.5)
    monkeypatch.setattr(budget.os, "getloadavg", lambda: (load, 1.0, 1.0))
    monkeypatch.setattr(budget.os, "cpu_count", lambda: 2)
    said = Said()
    resolve_run(SHAPE, MINUTES, 1, progress=said)
    assert [("9.3" in s, "2 cores" in s) for s in said.lines] == ([(True, True)] if told else [])


def test_few_steps_out_of_minutes_are_told_with_what_to_do():
    said = few_steps("petit", MINUTES, 2)
    for part in ("petit", "only 2 steps", "busy", "[model.petit]", "hemicycle.lock"):
        assert part in said
    assert few_steps("petit", MINUTES, 100) is None
    assert few_steps("petit", Budget(tokens=4000), 2) is None, "tokens are what somebody asked for"


def test_a_compiled_run_of_another_machine_says_what_to_do_where_there_is_no_compiler(monkeypatch):
    model = build_model(SHAPE, 0, 1, seed=3)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(HemicycleError) as caught:
        Learner(model, Run(1, 1, "fp32", True, 1), None)
    for said in ("hemicycle.lock", "[model.NAME]", "compiled = true", "g++"):
        assert said in str(caught.value)
    Learner(model, RUN, None)


@pytest.mark.slow
def test_compiled_equals_eager(plan, tokens, tmp_path):
    batch = Order(plan, {"c": tokens}).batch(0)
    losses, gradients = [], []
    for compiled in (False, True):
        model = build_model(SHAPE, 0, 1, seed=3)
        loss = Learner(model, Run(1, 1, "fp32", compiled, 1), tmp_path).loss(batch)
        loss.backward()
        losses.append(float(loss.detach()))
        gradients.append(torch.cat([p.grad.flatten() for p in model.parameters()]))
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)
    assert torch.allclose(*gradients, atol=1e-5)
