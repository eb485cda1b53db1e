"""Rates go up, stay, and come down as declared."""

import dataclasses
import itertools

import pytest

from hemicycle.train import derive_recipe, derive_shape
from tests.train.jobs import declare


def recipe_of(**training):
    model = declare(training=training)
    return derive_recipe(model, derive_shape(model.architecture, 320))


def factors(steps=200, **training):
    recipe = recipe_of(**training)
    return [recipe.rate_factor(step, steps) for step in range(steps)]


def test_by_default_the_rate_warms_up_stays_to_half_the_run_and_ends_at_two_per_cent():
    found = factors(warm_up=0.1)
    assert found[0] == 0.05
    assert found[19:100] == [1.0] * 81
    assert found[-1] == pytest.approx(0.02)
    assert found[100:] == sorted(found[100:], reverse=True)
    assert recipe_of().rate_factor(0, 1) == 1.0


def test_a_cosine_falls_from_the_end_of_the_warm_up_on():
    found = factors(schedule="cosine", warm_up=0.1, final=0.1)
    assert found[19] == 1.0
    assert found[19:] == sorted(found[19:], reverse=True)
    assert found[110] == pytest.approx(0.55, abs=0.01)
    assert found[-1] == pytest.approx(0.1)


def test_a_straight_line_falls_by_equal_parts():
    found = factors(schedule="linear", warm_up=0.1, final=0.0)
    steps = [a - b for a, b in itertools.pairwise(found[20:])]
    assert max(steps) == pytest.approx(min(steps), abs=1e-9)
    assert found[-1] == pytest.approx(0.0)


def test_rates_fall_with_the_width_and_declared_ones_stay():
    narrow, declared = recipe_of(), recipe_of(rate=0.5, matrix_rate=0.25)
    wide_shape = dataclasses.replace(derive_shape(declare().architecture, 320), width=4096)
    wide = derive_recipe(declare(), wide_shape)
    assert wide.matrix_rate < narrow.matrix_rate
    assert (declared.rate, declared.matrix_rate) == (0.5, 0.25)


def test_a_batch_has_whole_rows_and_one_at_least():
    recipe = dataclasses.replace(recipe_of(), batch_tokens=1000)
    assert [recipe.rows(context) for context in (100, 300, 4096)] == [10, 3, 1]
