from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemicycle.evaluate import bootstrap
from hemicycle.evaluate.bootstrap import holm, resample


def test_the_value_is_a_ratio_of_sums_not_a_mean_of_ratios():
    found = resample(np.array([[10.0, 30.0]]), np.array([10, 10]), np.array([0, 1]))
    assert found.values.tolist() == [2.0]
    found = resample(np.array([[10.0, 90.0]]), np.array([10, 30]), np.array([0, 1]))
    assert found.values.tolist() == [2.5]


def test_documents_are_resampled_from_twenty_on_and_blocks_below():
    documents = np.repeat(np.arange(20), 3)
    bits = np.ones((1, 60))
    sizes = np.ones(60, np.int64)
    assert (resample(bits, sizes, documents).unit, resample(bits, sizes, documents).units) == ("document", 20)
    fewer = resample(bits[:, :57], sizes[:57], documents[:57])
    assert (fewer.unit, fewer.units) == ("block", 57)


def test_too_few_units_give_no_interval_rather_than_a_false_one():
    found = resample(np.ones((2, 4)), np.ones(4, np.int64), np.arange(4))
    assert found.estimate(0) == bootstrap.Estimate(1.0, None, None)
    assert found.difference(0, 1) == bootstrap.Difference(0.0, None, None, None)


def test_likeness_within_documents_widens_the_interval():
    dice = np.random.Generator(np.random.Philox(key=3))
    level = np.repeat(dice.normal(2, 0.3, 30), 10)
    bits = level[None, :] + dice.normal(0, 0.05, (1, 300))
    sizes = np.ones(300, np.int64)
    by_document = resample(bits, sizes, np.repeat(np.arange(30), 10)).estimate(0)
    by_block = resample(bits, sizes, np.zeros(300, np.int64)).estimate(0)
    assert (by_document.high - by_document.low) > 2 * (by_block.high - by_block.low)


def test_the_interval_covers_the_truth_about_95_times_in_100():
    dice = np.random.Generator(np.random.Philox(key=7))
    covered = 0
    for _ in range(300):
        sizes = dice.integers(1_000, 3_000, 60)
        bits = (sizes * dice.normal(2.0, 0.3, 60))[None, :]
        estimate = resample(bits, sizes, np.arange(60), replicates=1_000).estimate(0)
        covered += estimate.low <= 2.0 <= estimate.high
    assert 0.90 <= covered / 300 <= 0.98


def test_pairing_finds_a_small_difference_that_two_intervals_hide():
    dice = np.random.Generator(np.random.Philox(key=5))
    hard = dice.normal(2.0, 0.5, 100)
    bits = np.stack([hard, hard + dice.normal(0.05, 0.02, 100)])
    found = resample(bits, np.ones(100, np.int64), np.arange(100))
    assert found.estimate(0).high > found.estimate(1).low
    difference = found.difference(0, 1)
    assert difference.high < 0
    assert difference.p == pytest.approx(2 / 10_001)


def test_equal_models_do_not_differ():
    bits = np.tile(np.random.Generator(np.random.Philox(key=5)).normal(2, 0.5, 50), (2, 1))
    found = resample(bits, np.ones(50, np.int64), np.arange(50))
    assert found.difference(0, 1) == bootstrap.Difference(0.0, 0.0, 0.0, 1.0)


def test_p_is_small_as_often_as_chance_allows_when_nothing_differs():
    dice = np.random.Generator(np.random.Philox(key=11))
    found = 0
    for _ in range(300):
        bits = dice.normal(2.0, 0.3, (2, 60))
        p = resample(bits, np.ones(60, np.int64), np.arange(60), replicates=1_000).difference(0, 1).p
        found += p < 0.05
    assert 0.02 <= found / 300 <= 0.10


def test_draws_depend_on_the_seed_and_not_on_how_many_are_made_at_once(monkeypatch):
    bits = np.random.Generator(np.random.Philox(key=5)).normal(2, 0.5, (1, 50))
    sizes, documents = np.ones(50, np.int64), np.arange(50)
    first = resample(bits, sizes, documents)
    assert (resample(bits, sizes, documents, seed=2).replicates != first.replicates).any()
    monkeypatch.setattr(bootstrap, "DRAWS_AT_ONCE", 1_000)
    np.testing.assert_allclose(resample(bits, sizes, documents).replicates, first.replicates, rtol=1e-12)


def test_holm_by_hand():
    # sorted .01 .02 .03 .04 times 4 3 2 1: .04 .06 .06 .04, and never falling: .04 .06 .06 .06
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.5, 0.6]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_keeps_the_order_and_bonferroni_bounds_the_smallest(p):
    adjusted = holm(p)
    assert all(raw <= one <= 1 for raw, one in zip(p, adjusted, strict=True))
    by_raw = [one for _, one in sorted(zip(p, adjusted, strict=True))]
    assert by_raw == sorted(by_raw)
    assert min(adjusted) == min(1.0, min(p) * len(p))
