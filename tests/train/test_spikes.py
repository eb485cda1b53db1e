"""What is far out of line is a spike; a level that lasts is the line."""

import numpy as np
import pytest

from hemicycle.errors import HemicycleError
from hemicycle.train.spikes import FIRST, check_course, check_finite, is_spike


def calm(n, level=3.0, spread=0.1, seed=0):
    return level + spread * np.random.default_rng(seed).standard_normal(n)


def test_a_loss_or_a_gradient_far_above_those_before_is_a_spike():
    losses, norms = calm(200), calm(200, 1.0)
    assert not is_spike(3.3, 1.2, losses, norms)
    assert is_spike(4.5, 1.0, losses, norms)
    assert is_spike(3.0, 9.0, losses, norms)
    assert not is_spike(0.1, 0.0, losses, norms), "far below is no harm"


def test_the_first_steps_are_never_left_out():
    few = calm(FIRST - 1)
    assert not is_spike(1e9, 1e9, few, few)


def test_on_a_plateau_a_little_more_is_no_spike():
    flat = np.full(200, 2.0)
    assert not is_spike(2.1, 2.1, flat, flat)
    assert is_spike(2.2, 2.0, flat, flat)


@pytest.mark.parametrize(("loss", "norm"), [(float("nan"), None), (2.0, float("inf"))])
def test_what_is_no_number_is_refused_with_the_step(loss, norm):
    with pytest.raises(HemicycleError, match="at step 17") as caught:
        check_finite(loss, norm, 17)
    assert "--step 17" in str(caught.value)


def test_a_run_worse_than_a_blind_guess_diverges_and_a_bad_start_does_not():
    nothing = np.zeros(300, bool)
    check_course(np.linspace(6, 3, 300), nothing, 299, 320)
    with pytest.raises(HemicycleError, match=r"diverges at step 299: its loss is 9\.000"):
        check_course(np.full(300, 9.0), nothing, 299, 320)
    # what had learnt already may not lose all of it
    with pytest.raises(HemicycleError, match="diverges"):
        check_course(np.concatenate([np.full(8, 1.0), np.full(292, 2.5)]), nothing, 299, 320)


def test_a_run_of_nothing_but_spikes_diverges():
    skipped = np.zeros(100, bool)
    skipped[-20:] = True
    with pytest.raises(HemicycleError, match="20 of the last 32 steps"):
        check_course(calm(100), skipped, 99, 320)
