"""Charts: few points that lose no spike, axes of round values, everything within the square."""

import numpy as np
import pytest

from hemicycle.train.watch.chart import SIDE, Chart, Line, draw, log_ticks, running_mean, thin, ticks


def test_a_thinned_curve_keeps_its_spikes_and_its_end():
    x = np.arange(100_000.0)
    y = np.zeros(100_000)
    y[54_321], y[98_765] = 9.0, -3.0
    line = thin(x, y, points=400)
    assert len(line.x) == 400
    assert (line.high.max(), line.low.min()) == (9.0, -3.0)
    assert line.x[-1] == 99_999


def test_a_short_curve_is_not_thinned():
    line = thin(np.array([0.0, 1.0, 2.0]), np.array([3.0, 2.0, 1.0]))
    assert line.y.tolist() == line.low.tolist() == line.high.tolist() == [3.0, 2.0, 1.0]


def test_what_is_no_number_is_left_out():
    line = thin(np.arange(4.0), np.array([1.0, np.nan, np.inf, 2.0]))
    assert (line.x.tolist(), line.y.tolist()) == ([0.0, 3.0], [1.0, 2.0])
    assert draw(Chart("loss", [thin(np.arange(2.0), np.array([np.nan, np.nan]))])) is None


def test_a_running_mean_is_of_the_values_around():
    assert running_mean(np.array([0.0, 3.0, 6.0, 9.0]), 3).tolist() == [1.5, 3.0, 6.0, 7.5]
    assert running_mean(np.array([1.0, 2.0]), 1).tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("low", "high", "about", "expected"),
    [
        (0, 10, 5, [0, 2, 4, 6, 8, 10]),
        (2.13, 2.61, 4, [2.2, 2.4, 2.6]),
        (0, 1, 4, [0, 0.5, 1]),
        (0, 9_999, 5, [0, 2_000, 4_000, 6_000, 8_000]),
    ],
)
def test_ticks_are_round(low, high, about, expected):
    assert ticks(low, high, about) == pytest.approx(expected)


def test_ticks_of_a_logarithmic_axis():
    assert log_ticks(0.4, 6) == pytest.approx([0.5, 1, 2, 5])
    assert log_ticks(1e-3, 1e4) == pytest.approx([1e-3, 1e-1, 1e1, 1e3])


def points(text):
    return [tuple(map(int, pair.split(","))) for pair in text.split()]


def test_a_line_is_laid_into_the_square():
    drawing = draw(
        Chart("rate", [Line("", np.array([0.0, 5.0, 10.0]), np.array([0.0, 1.0, 0.5]))], floor=0.0)
    )
    (_, text, band, last) = drawing.lines[0]
    (left, low), (middle, high), (right, half) = points(text)
    assert (left, middle, right) == (0, 500, SIDE)
    assert low == SIDE
    assert 0 < high < half < low
    assert (band, last) == ("", 0.5)
    assert drawing.x_axis == (0.0, 10.0)
    assert [value for _, value in drawing.y_ticks] == [0.0, 0.5, 1.0]


def test_one_spike_does_not_flatten_the_curve():
    x = np.arange(20_000.0)
    loss = 2 + np.exp(-x / 1_000)
    loss[10_000] = 1e6
    smooth = thin(x, np.minimum(loss, 4))
    drawing = draw(
        Chart("loss", [Line("", x=smooth.x, y=smooth.y, low=thin(x, loss).low, high=thin(x, loss).high)])
    )
    assert drawing.y_axis[1] < 4


def test_a_logarithmic_axis_leaves_out_what_is_not_above_zero():
    drawing = draw(Chart("norm", [Line("", np.arange(3.0), np.array([0.0, 1.0, 100.0]))], log=True))
    assert len(points(drawing.lines[0][1])) == 2
    assert drawing.y_axis[0] < 1 < 100 < drawing.y_axis[1]


@pytest.mark.parametrize("y", [[5.0], [0.0], [3.0, 3.0, 3.0], [-2.0, -2.0], [1e-12, 2e-12], [1e15, 3e15]])
@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("floor", [None, 0.0])
def test_any_values_can_be_drawn(y, log, floor):
    values = np.array(y)
    drawing = draw(Chart("x", [Line("", np.arange(float(len(y))), values)], log=log, floor=floor))
    if log and values.max() <= 0:
        assert drawing is None
        return
    assert all(0 <= at <= SIDE for pair in points(drawing.lines[0][1]) for at in pair)
    assert all(-1e-9 <= share <= 1 + 1e-9 for share, _ in drawing.y_ticks + drawing.x_ticks)


def test_marks_stand_at_their_steps():
    line = Line("", np.array([0.0, 1000.0]), np.array([1.0, 2.0]))
    assert draw(Chart("loss", [line], marks=np.array([250.0, 2000.0]))).marks == [250]
