"""Rates follow the width by the rules of the room, and declared ones are carried over by the same rules."""

import pytest

from hemicycle.project import Training
from hemicycle.train import derive_recipe, derive_shape
from hemicycle.train.optimiser import Optimiser
from hemicycle.train.width import at_width, matrix_factor, other_factor
from tests.train.jobs import declare


def recipe_at(width, **training):
    model = declare(training=training, architecture={"layers": 2, "width": width, "heads": 2, "context": 32})
    return derive_recipe(model, derive_shape(model.architecture, 320))


def test_four_times_as_wide_muons_rate_is_half_and_adamws_a_quarter():
    assert matrix_factor(1_024, "muon") == pytest.approx(0.5 * matrix_factor(256, "muon"))
    assert matrix_factor(1_024, "adamw") == pytest.approx(0.25 * matrix_factor(256, "adamw"))
    for optimiser in ("muon", "adamw"):
        narrow, wide = recipe_at(256, optimiser=optimiser), recipe_at(1_024, optimiser=optimiser)
        falls = {"muon": 2.0, "adamw": 4.0}[optimiser]
        assert narrow.matrix_rate / wide.matrix_rate == pytest.approx(falls)


def test_the_rate_of_embeddings_stays_where_it_was_measured_and_falls_beyond():
    assert [other_factor(width) for width in (64, 128, 256)] == [1.0, 1.0, 1.0]
    assert other_factor(1_024) == 0.25


def test_a_declared_rate_is_carried_to_another_width_as_a_derived_one_would_be():
    for optimiser in ("muon", "adamw"):
        wide = recipe_at(1_024, optimiser=optimiser)
        declared = Training(optimiser=optimiser, rate=wide.rate, matrix_rate=wide.matrix_rate)
        carried, narrow = at_width(declared, 1_024, 64), recipe_at(64, optimiser=optimiser)
        assert carried.rate == pytest.approx(narrow.rate)
        assert carried.matrix_rate == pytest.approx(narrow.matrix_rate)
    assert at_width(Training(), 1_024, 64) == Training()


def test_one_declared_rate_of_adamw_is_that_of_all_weights():
    both = recipe_at(512, optimiser="adamw", rate=1e-3)
    assert (both.rate, both.matrix_rate) == (1e-3, 1e-3)
    carried = at_width(Training(optimiser="adamw", rate=1e-3), 512, 256)
    assert (carried.rate, carried.matrix_rate) == pytest.approx((2e-3, 2e-3))


def test_adamw_alone_learns_matrices_and_the_rest_at_their_own_rates():
    from hemicycle.train.model import build_model

    model = declare(training={"optimiser": "adamw", "rate": 1e-3, "matrix_rate": 1e-4})
    shape = derive_shape(model.architecture, 320)
    optimiser = Optimiser(build_model(shape, 0, 1, 1), derive_recipe(model, shape))
    optimiser.step(0.5)
    (adamw,) = optimiser.parts
    assert [group["lr"] for group in adamw.param_groups] == [0.5e-4, 0.5e-3]
