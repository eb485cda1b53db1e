"""A budget alone gives a shape and a batch; what is declared is never changed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.errors import DeclarationError
from hemicycle.project import Architecture, Model
from hemicycle.train.choices import choices
from hemicycle.train.derive import (
    MOST_EPOCHS,
    Derived,
    derive,
    derive_batch,
    scale_batch,
    shapes,
    tokens_per_parameter,
)
from hemicycle.train.recipe import derive_recipe
from hemicycle.train.shape import derive_shape


def model(**declared):
    return Model.model_validate({"corpora": {"c": 1.0}, "tokenizer": "t", **declared})


def never():
    raise AssertionError("the machine was measured for a budget in tokens")


def derived_of(budget, corpus_tokens=10**12, rate=never, vocabulary=32_768, **declared):
    return derive(model(budget=budget, **declared), vocabulary, corpus_tokens, rate)


def parameters_of(derived, vocabulary=32_768):
    return derive_shape(derived.architecture, vocabulary).parameters


def test_twenty_tokens_a_parameter_for_a_large_budget():
    derived = derived_of({"tokens": "200B"})
    assert derived.tokens / parameters_of(derived) == pytest.approx(20, rel=0.3)
    assert derived.architecture.context == 4_096


@settings(max_examples=30, deadline=None)
@given(st.floats(5, 12))
def test_more_tokens_never_make_a_smaller_model_or_batch(power):
    less, more = (derived_of({"tokens": int(10**p)}) for p in (power, power + 0.5))
    assert parameters_of(less) <= parameters_of(more)
    assert less.batch_tokens <= more.batch_tokens
    assert less.architecture.context <= more.architecture.context


def test_a_short_training_gets_fewer_tokens_a_parameter():
    ratios = [tokens_per_parameter(10**power) for power in range(4, 14)]
    assert ratios == sorted(ratios)
    assert ratios[-1] == ratios[-2] == pytest.approx(20)


def test_minutes_are_what_the_machine_does_in_them():
    slow, fast = (derived_of({"minutes": 3}, rate=lambda r=r: r) for r in (1e11, 1e14))
    assert parameters_of(slow) < parameters_of(fast)
    assert slow.tokens < fast.tokens
    shape = derive_shape(slow.architecture, 32_768)
    assert slow.tokens * shape.flop_per_token() == pytest.approx(180 * 1e11, rel=1e-3)


def test_minutes_over_little_text_make_a_larger_model_rather_than_read_it_often():
    scarce = derived_of({"minutes": 60}, corpus_tokens=2_000_000, rate=lambda: 1e13)
    plenty = derived_of({"minutes": 60}, rate=lambda: 1e13)
    assert plenty.tokens > MOST_EPOCHS * 2_000_000
    assert parameters_of(scarce) > parameters_of(plenty)
    assert scarce.tokens <= 1.05 * MOST_EPOCHS * 2_000_000


def test_what_is_declared_stays():
    architecture = {"layers": 3, "width": 48, "heads": 3, "context": 128}
    derived = derived_of({"tokens": "1B"}, architecture=architecture, batch_tokens=640)
    assert derived.architecture == Architecture(**architecture)
    assert derived.batch_tokens == 640


def test_the_batch_follows_the_tokens_as_li_et_al_measured():
    # 0.58 x (1.2e6)^0.571 is 1 716, and the nearest power of two 2 048; of 1e11, 1.1 million.
    assert derive_batch(1.2e6, 256) == 2_048
    assert derive_batch(1e11, 4_096) == 2**20
    assert derive_batch(10, 256) == 256
    assert scale_batch(derive_batch(1e11, 4_096), 1e-3, 4_096) == derive_batch(1e8, 4_096) == 16_384


def test_every_shape_is_one_that_can_be_declared():
    for layers, width, heads in shapes():
        Architecture(layers=layers, width=width, heads=heads, context=256)


def test_a_budget_below_one_row_is_refused():
    with pytest.raises(DeclarationError, match="too small for any model"):
        derived_of({"tokens": 100})


def test_the_lock_gives_back_what_it_was_given():
    derived = derived_of({"tokens": "3B"})
    assert Derived.from_json(derived.to_json()) == derived


def test_every_choice_is_told_with_a_reason_and_what_was_declared_as_declared():
    declared = model(
        budget={"tokens": "1M"},
        architecture={"layers": 2, "width": 64, "heads": 2, "context": 64},
        training={"optimiser": "adamw", "schedule": "cosine"},
    )
    for one in (model(budget={"tokens": "1M"}), declared):
        derived = derive(one, 512, 300_000, never)
        shape = derive_shape(derived.architecture, 512)
        told = {c.what: c for c in choices(one, derived, shape, derive_recipe(one, shape))}
        assert all(c.value and len(c.reason) > 7 for c in told.values())
        assert "read 3.3 times" in told["tokens"].reason
        for what in ("layers, width", "heads", "context", "optimiser", "schedule"):
            assert (told[what].reason == "declared") == (one is declared)
        assert told["batch"].reason.startswith("0.58 D^0.571")
