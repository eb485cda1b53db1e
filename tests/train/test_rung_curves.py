"""The course of the loss that a ladder forecasts: rungs made by a law, whose model's own curve is known."""

import json
import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hemicycle.errors import InputError
from hemicycle.train.account import FIGURES
from hemicycle.train.rung_curves import SHARES, curve_of_rungs

#: Nats a token of one bit a byte: a token of 4.3 bytes.
NATS = math.log(2) * 4.3
SIZES = [(10e6, 3e8), (10e6, 1e8), (6e6, 1.8e8), (6e6, 0.6e8), (3.6e6, 1.08e8), (3.6e6, 0.36e8),
         (2.2e6, 0.66e8), (2.2e6, 0.22e8)]  # fmt: skip
TARGET = (45e6, 1.35e9)


def bits(parameters, tokens):
    """Bits per byte by a law with the exponents of Hoffmann et al. 2022."""
    return 0.6 + 40 / parameters**0.34 + 90 / tokens**0.28


def course(parameters, tokens, steps):
    """Nats a token at each step of a run whose loss follows the law of what it has read, by its middle."""
    return NATS * bits(parameters, tokens * (np.arange(steps) + 0.5) / steps)


def write_rung(folder, parameters, tokens, *, steps=400, noise=0.0, seed=0, skipped=(), idle=()):
    folder.mkdir()
    luck = np.random.default_rng(seed).standard_normal(steps + 1) * noise
    loss = course(parameters, tokens, steps) * np.exp(luck[:-1])
    loss[list(skipped)], loss[list(idle)] = 99.0, math.nan
    told = {
        "parameters": parameters,
        "tokens": tokens,
        "bits_per_byte": bits(parameters, tokens) * math.exp(luck[-1] / 5),
    }
    (folder / "rung.json").write_text(json.dumps(told))
    columns = {
        "step": np.arange(steps),
        "loss": loss,
        "gradient_norm": np.ones(steps),
        "rate_factor": np.ones(steps),
        "tokens": np.arange(steps),
        "learnt": np.where(np.isin(np.arange(steps), idle), 0, 1_000),
        "skipped": np.isin(np.arange(steps), skipped),
    }
    arrays = [pa.array(columns[f.name], f.type, from_pandas=True) for f in FIGURES]
    pq.write_table(pa.table(arrays, schema=FIGURES), folder / "figures.parquet")
    return folder


def write_forecast(folder, low=1.0, high=1.0):
    """A forecast that is right, with an interval of so many times the value."""
    folder.mkdir()
    value = bits(*TARGET)
    predicted = {"value": value, "low": low * value, "high": high * value}
    target = {"parameters": TARGET[0], "tokens": TARGET[1], "predicted": predicted}
    (folder / "scaling.json").write_text(json.dumps({"target": target}))
    return folder


def own_course():
    """What the model of the ladder really does, by twentieths."""
    return course(*TARGET, 20_000).reshape(SHARES, -1).mean(1)


@pytest.fixture
def ladder(tmp_path):
    def make(**how):
        rungs = [write_rung(tmp_path / str(i), *s, seed=i, **how) for i, s in enumerate(SIZES)]
        return rungs

    return make


def test_the_course_of_a_larger_model_is_found_within_two_percent(ladder, tmp_path):
    band = curve_of_rungs(ladder(), write_forecast(tmp_path / "scaling"))
    assert band.share == tuple(pytest.approx(i / 20) for i in range(1, 21))
    assert np.abs(np.array(band.expected) / own_course() - 1).max() < 0.02
    assert band.expected[-1] == pytest.approx(own_course()[-1], rel=0.003)
    # The mean of the relative curves of the rungs, not followed to the model's compute, is far off at first.
    relative = np.mean([course(*s, 400).reshape(SHARES, -1).mean(1) / bits(*s) for s in SIZES], 0)
    assert relative[0] * bits(*TARGET) > 1.15 * own_course()[0]


def test_a_step_that_learnt_nothing_is_left_out_of_the_course(ladder, tmp_path):
    band = curve_of_rungs(ladder(idle=range(3, 400, 7)), write_forecast(tmp_path / "scaling"))
    assert np.abs(np.array(band.expected) / own_course() - 1).max() < 0.02


def test_what_was_read_last_may_all_be_withdrawn(ladder, tmp_path):
    band = curve_of_rungs(ladder(idle=range(360, 400)), write_forecast(tmp_path / "scaling"))
    assert np.abs(np.array(band.expected) / own_course() - 1).max() < 0.05


def test_the_band_of_noisy_rungs_holds_the_course(ladder, tmp_path):
    band = curve_of_rungs(ladder(noise=0.03), write_forecast(tmp_path / "scaling"))
    true = own_course()
    assert (np.array(band.low) < true).all()
    assert (true < np.array(band.high)).all()
    # Twenty steps a mean: 0.7 % of noise, 2.447 times, and more for going beyond the rungs.
    assert 1.01 < band.high[10] / band.expected[10] < 1.06


def test_the_forecast_s_interval_is_in_the_band(ladder, tmp_path):
    rungs = ladder()
    sure = curve_of_rungs(rungs, write_forecast(tmp_path / "sure"))
    wide = curve_of_rungs(rungs, write_forecast(tmp_path / "wide", low=0.9, high=1.25))
    own = math.log(sure.high[4] / sure.expected[4])
    assert math.log(wide.high[4] / wide.expected[4]) == pytest.approx(
        math.hypot(own, math.log(1.25)), abs=1e-4
    )
    assert math.log(wide.expected[4] / wide.low[4]) == pytest.approx(
        math.hypot(own, math.log(1 / 0.9)), abs=1e-4
    )
    assert wide.expected == sure.expected


def test_steps_that_were_skipped_are_in_no_mean(ladder, tmp_path):
    scaling = write_forecast(tmp_path / "scaling")
    band = curve_of_rungs(ladder(skipped=[30, 31, 250]), scaling)
    assert np.abs(np.array(band.expected) / own_course() - 1).max() < 0.02


def test_three_rungs_are_worked_out_by_hand(tmp_path):
    # Curves that are level, so each share has the same ratio: exp(0.1), 1 and exp(-0.1 + 0.06), at log
    # computes 20, 21 and 22, and the model's is 23.
    logs, rungs = (0.1, 0.0, -0.04), []
    for i, ratio in enumerate(logs):
        folder = write_rung(tmp_path / str(i), math.exp(20 + i), 1.0)
        (folder / "rung.json").write_text(
            json.dumps({"parameters": math.exp(20 + i), "tokens": 1.0, "bits_per_byte": 2.0})
        )
        table = pq.read_table(folder / "figures.parquet")
        loss = pa.array(np.full(len(table), 2.0 * math.exp(ratio)))
        pq.write_table(table.set_column(1, "loss", loss), folder / "figures.parquet")
        rungs.append(folder)
    scaling = tmp_path / "scaling"
    scaling.mkdir()
    predicted = {"value": 1.5, "low": 1.5, "high": 1.5}
    told = {"target": {"parameters": math.exp(23), "tokens": 1.0, "predicted": predicted}}
    (scaling / "scaling.json").write_text(json.dumps(told))
    band = curve_of_rungs(rungs, scaling)
    # Mean 0.02, slope (-0.04 - 0.1) / 2 = -0.07: at 23, two beyond the middle, 0.02 - 0.14.
    assert band.expected[0] == pytest.approx(1.5 * math.exp(-0.12), rel=1e-5)
    # Residuals 0.01, -0.02 and 0.01: scatter √(0.0006 / 1); 12.706 times √(1 + 1/3 + 4/2) of it.
    half = 12.706 * math.sqrt(0.0006) * math.sqrt(1 + 1 / 3 + 2)
    assert band.high[0] / band.expected[0] == pytest.approx(math.exp(half), rel=1e-5)
    assert band.expected[0] / band.low[0] == pytest.approx(math.exp(half), rel=1e-5)


def test_a_ladder_too_short_or_all_alike_has_no_course(ladder, tmp_path):
    rungs, scaling = ladder(), write_forecast(tmp_path / "scaling")
    with pytest.raises(InputError, match="at least 3 rungs of different compute, not 2"):
        curve_of_rungs(rungs[:2], scaling)
    with pytest.raises(InputError, match="at least 3 rungs of different compute"):
        curve_of_rungs([rungs[0]] * 3, scaling)


@pytest.mark.parametrize(
    ("file", "data"),
    [
        ("0/rung.json", b"{"),
        ("0/rung.json", b'{"parameters": 1}'),
        ("0/rung.json", b'{"parameters": 1, "tokens": 1, "bits_per_byte": 0}'),
        ("0/figures.parquet", b"PAR1"),
        ("scaling/scaling.json", b"{}"),
        ("scaling/scaling.json", b"[]"),
        ("scaling/scaling.json", b'{"target": {"parameters": 0, "tokens": 1, "predicted": null}}'),
    ],
)
def test_a_damaged_file_is_named(ladder, tmp_path, file, data):
    rungs, scaling = ladder(), write_forecast(tmp_path / "scaling")
    (tmp_path / file).write_bytes(data)
    with pytest.raises(InputError, match="cannot be read") as error:
        curve_of_rungs(rungs, scaling)
    assert error.value.place == str(tmp_path / file)
