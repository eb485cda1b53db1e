"""A budget becomes steps, measured where it is in minutes."""

import math

import pytest

from hemicycle.errors import HemicycleError
from hemicycle.progress import QUIET
from hemicycle.project import Budget
from hemicycle.train import Run, budget, derive_recipe, derive_shape, few_steps, resolve_run
from hemicycle.train.budget import quietest_round
from hemicycle.train.learner import Learner
from hemicycle.train.model import build_model
from tests.train.jobs import PLAIN, declare

MODEL = declare()
SHAPE = derive_shape(MODEL.architecture, 320)
RECIPE = derive_recipe(MODEL, SHAPE)


def test_a_budget_in_tokens_is_whole_steps_and_one_in_minutes_is_measured():
    assert resolve_run(SHAPE, RECIPE, MODEL.budget, 1).steps == math.ceil(4000 / 128)
    minutes = MODEL.budget.model_copy(update={"tokens": None, "minutes": 0.2})
    measured = resolve_run(SHAPE, RECIPE, minutes, 1)
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

    def slow(*_):
        clock.now += 170.0
        return 0.5

    monkeypatch.setattr(budget, "_time_steps", slow)
    monkeypatch.setattr(budget.time, "monotonic", clock)
    # 180 s less 4 % less half, at half a second each
    assert resolve_run(SHAPE, RECIPE, MINUTES, 1).steps == int((180 * 0.96 - 90) / 0.5)


@pytest.mark.parametrize(("load", "told"), [(9.3, True), (2.0, False)])
def test_a_machine_with_more_to_do_than_cores_is_told_when_it_is_measured(monkeypatch, load, told):
    monkeypatch.setattr(budget, "_time_steps", lambda *_: 0.5)
    monkeypatch.setattr(budget.os, "getloadavg", lambda: (load, 1.0, 1.0))
    monkeypatch.setattr(budget.os, "cpu_count", lambda: 2)
    said = Said()
    resolve_run(SHAPE, RECIPE, MINUTES, 1, progress=said)
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
        Learner(model, Run(1, 1, "fp32", True, 1))
    for said in ("hemicycle.lock", "[model.NAME]", "compiled = true", "g++"):
        assert said in str(caught.value)
    Learner(model, PLAIN)


def test_activations_that_do_not_fit_are_accumulated_in_whole_rows(monkeypatch):
    def micro_tokens(free):
        monkeypatch.setattr(budget, "_free_memory", lambda: free)
        return resolve_run(SHAPE, RECIPE, MODEL.budget, 1, precision="fp32").micro_tokens

    # In bytes a token, of width 32. A layer: two norms that keep what came in and what they scaled; the input
    # of four products, the last of 128; queries, keys, values and 32 scores of two heads; gate, its
    # activation and up.
    layer = 4 * (2 * 2 * 32 + (3 * 32 + 128) + 3 * 32 + 2 * 32 + 3 * 128)
    # The last norm and what it makes of it, a row of the mask, and 320 logits of 17 bytes.
    token = 2 * layer + 4 * 3 * 32 + 4 * 32 + 320 * 17
    assert micro_tokens(10**12) == 128
    assert micro_tokens(64 * token / 0.4) == 64
    assert micro_tokens(64 * token / 0.4 - 10) == 32
    assert micro_tokens(0) == 32
