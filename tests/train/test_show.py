"""What stands beside the bar of a training."""

import math

import pytest

from hemicycle.train.show import WINDOW_SECONDS, Speedometer


def test_the_note_says_loss_and_utilisation():
    speedometer = Speedometer(flop_per_token=1e9, peak=1e13)
    for loss in (2.0, 3.0, 4.0):
        speedometer.step(tokens=2_048, seconds=0.5, loss=loss)
    assert speedometer.tokens_per_second == 4_096
    assert speedometer.mfu == pytest.approx(0.4096)
    assert speedometer.note() == "loss 3.000, MFU 41.0%"


def test_without_a_peak_no_utilisation_is_shown():
    speedometer = Speedometer(1e9, None)
    speedometer.step(100, 1.0, 2.5)
    assert speedometer.note() == "loss 2.500"


def test_skipped_steps_are_said():
    speedometer = Speedometer(1e9, None)
    speedometer.step(100, 1.0, 2.5)
    speedometer.step(100, 1.0, 2.5, skipped=True)
    assert speedometer.note() == "loss 2.500, 1 step skipped"


def test_a_step_that_learnt_nothing_is_in_no_mean():
    speedometer = Speedometer(1e9, None)
    speedometer.step(100, 1.0, math.nan)
    assert speedometer.note() == "loss –"
    speedometer.step(100, 1.0, 2.5)
    assert speedometer.note() == "loss 2.500"
    assert speedometer.tokens_per_second == 100


def test_before_the_first_step_there_is_nothing_to_say():
    speedometer = Speedometer(1e9, 1e12)
    assert speedometer.tokens_per_second is None
    assert speedometer.note() == "loss –"


def test_figures_are_of_the_last_half_minute():
    speedometer = Speedometer(1e9, None)
    # Compiling made the first step slow; later it is forgotten.
    speedometer.step(1_000, 40.0, 9.0)
    for _ in range(100):
        speedometer.step(1_000, 1.0, 2.0)
    assert speedometer.tokens_per_second == pytest.approx(1_000)
    assert speedometer.loss == pytest.approx(2.0)
    # One long step is still a figure.
    speedometer.step(1_000, 10 * WINDOW_SECONDS, 2.0)
    assert speedometer.tokens_per_second == pytest.approx(1_000 / (10 * WINDOW_SECONDS))
