"""A scaling law finds what points were made from, says how sure it is, and refuses what it cannot know."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.errors import InputError
from hemicycle.train.scaling import Point, fit

SIZES, READS = (1e5, 3e5, 1e6, 3e6), (1e6, 1e7)


def law(constants, parameters, tokens):
    e, a, b, alpha, beta = constants
    return e + a / parameters**alpha + b / tokens**beta


def points(constants, *, noise=0.0, seed=0, sizes=SIZES, reads=READS):
    """Runs of each size on each budget; larger models read more, as on a ladder."""
    dice = np.random.default_rng(seed)
    runs = [(int(n), int(d * n / sizes[-1])) for n in sizes for d in reads]
    return [
        Point(f"{n}.{d}", n, d, law(constants, n, d) * math.exp(noise * dice.standard_normal()))
        for n, d in runs
    ]


@settings(max_examples=12, deadline=None)
@given(st.floats(0.3, 2.0), st.floats(0.2, 0.6), st.floats(0.2, 0.6), st.floats(0.3, 3.0))
def test_the_constants_behind_exact_points_are_found(e, alpha, beta, weight):
    constants = (e, weight * 1e6**alpha, 1e6**beta, alpha, beta)
    found = fit(points(constants)).constants()
    for name, true in zip(("E", "A", "B", "alpha", "beta"), constants, strict=True):
        assert found[name].value == pytest.approx(true, rel=1e-3)
        assert found[name].low <= found[name].value <= found[name].high


def test_those_of_chinchilla_are_found_and_lead_to_its_size():
    # Hoffmann et al. 2022, appendix D.3; at 5.76e23 FLOP their law would make about 32e9 parameters.
    chinchilla = (1.69, 406.4, 410.7, 0.34, 0.28)
    found = fit(points(chinchilla, sizes=(1e7, 3e7, 1e8, 3e8), reads=(1e9, 1e10)))
    assert found.constants()["alpha"].value == pytest.approx(0.34, rel=1e-4)
    parameters, tokens = found.optimum(5.76e23)
    assert parameters.value == pytest.approx(32.2e9, rel=0.01)
    assert 6 * parameters.value * tokens.value == pytest.approx(5.76e23)


def test_the_best_size_is_where_a_little_more_or_less_is_worse():
    found = fit(points((1.0, 30.0, 60.0, 0.3, 0.35)))
    best = found.optimum(1e15)[0].value
    losses = [float(found.losses(n, 1e15 / 6 / n)[0]) for n in (0.8 * best, best, 1.25 * best)]
    assert losses[1] == min(losses)


def test_the_interval_holds_what_a_larger_run_comes_to():
    constants = (0.8, 12.0, 40.0, 0.25, 0.3)
    held = 0
    for seed in range(20):
        predicted = fit(points(constants, noise=0.005, seed=seed)).predict(1e7, 3e7)
        luck = math.exp(0.005 * np.random.default_rng(1_000 + seed).standard_normal())
        held += predicted.low <= law(constants, 1e7, 3e7) * luck <= predicted.high
    assert held >= 17, "95 % are promised; of 20, fewer than 17 would be chance once in 60 times"


def test_more_noise_makes_a_wider_interval():
    constants = (0.8, 12.0, 40.0, 0.25, 0.3)
    widths = []
    for noise in (0.001, 0.01):
        predicted = fit(points(constants, noise=noise)).predict(1e7, 3e7)
        widths.append(predicted.high - predicted.low)
    assert widths[1] > 4 * widths[0]


def test_one_run_that_went_wrong_hardly_moves_the_law():
    constants = (0.8, 12.0, 40.0, 0.25, 0.3)
    spoilt = points(constants, reads=(1e6, 3e6, 1e7))
    spoilt[4] = Point("spoilt", spoilt[4].parameters, spoilt[4].tokens, 2 * spoilt[4].loss)
    predicted = fit(spoilt).predict(1e7, 3e7)
    assert predicted.value == pytest.approx(law(constants, 1e7, 3e7), rel=0.03)


def test_equal_points_give_equal_files():
    runs = points((0.8, 12.0, 40.0, 0.25, 0.3), noise=0.01)
    assert fit(runs).to_json() == fit(runs).to_json()


@pytest.mark.parametrize(
    ("runs", "what"),
    [
        (points((1, 1, 1, 0.3, 0.3))[:6], "6 runs"),
        ([Point("", 10, d, 2.0) for d in range(100, 108)], "1 sizes of model"),
        ([Point("", n, 100, 2.0) for n in range(100, 108)], "1 numbers of tokens"),
    ],
)
def test_too_few_runs_sizes_or_budgets_are_refused(runs, what):
    with pytest.raises(InputError, match=f"{what} do not fix them"):
        fit(runs)


def test_a_run_without_a_finite_loss_is_named():
    runs = points((1, 1, 1, 0.3, 0.3))
    runs[3] = Point("rung 4", runs[3].parameters, runs[3].tokens, math.nan)
    with pytest.raises(InputError, match="rung 4"):
        fit(runs)


def test_what_is_too_far_from_the_runs_is_not_predicted():
    found = fit(points((0.8, 12.0, 40.0, 0.25, 0.3)))
    assert found.reach(3e6, 1e8) == pytest.approx(10)
    with pytest.raises(InputError, match="2,000 times the compute of the largest rung is too far"):
        found.predict(6e8, 1e8)
