"""The loss curve of a model's folder: the same bytes for the same figures, and it shows what it should."""

import math

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from hemicycle.train import curve
from hemicycle.train.curve import draw_loss
from hemicycle.train.watch.chart import thin


def draw(path, steps=500, skipped=(), loss=None):
    x = np.arange(steps)
    left_out = np.isin(x, skipped)
    losses = 2 + 6 * np.exp(-x / 50) if loss is None else loss
    rates = np.minimum(1, (x + 1) / 20).tolist()
    draw_loss(losses.tolist(), (2_048 * (x + 1)).tolist(), path, rate_factor=rates, skipped=left_out)
    return path.read_bytes()


def test_equal_figures_give_equal_bytes_without_a_library_s_name(tmp_path):
    once, again = draw(tmp_path / "a.png"), draw(tmp_path / "b.png")
    assert once == again
    assert once.startswith(b"\x89PNG")
    assert b"atplotlib" not in once


def test_skipped_steps_are_marked_and_not_part_of_the_curve(tmp_path):
    wild = 2 + 6 * np.exp(-np.arange(500) / 50)
    wild[100] = 1e6
    other = wild.copy()
    other[100] = math.inf
    marked = draw(tmp_path / "marked.png", skipped=[100], loss=wild)
    assert marked == draw(tmp_path / "other.png", skipped=[100], loss=other)
    assert marked != draw(tmp_path / "plain.png")


def test_steps_without_a_loss_are_no_part_of_the_curve(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(curve, "thin", lambda x, y: drawn.append(y) or thin(x, y))
    some = 2 + 6 * np.exp(-np.arange(500) / 50)
    some[:100] = some[-30:] = math.nan
    draw(tmp_path / "some.png", loss=some)
    mean, single = drawn
    assert len(mean) == len(single) == 370
    assert np.isfinite(mean).all()


@pytest.mark.parametrize("steps", [1, 2, 5_000])
def test_short_and_long_runs_have_a_picture(tmp_path, steps):
    assert draw(tmp_path / "loss.png", steps=steps)
