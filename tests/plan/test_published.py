"""Published runs: their utilisation as told elsewhere, and how well they predict each other."""

import dataclasses

import pytest

from hemicycle.arithmetic.chips import find_chip
from hemicycle.errors import DeclarationError
from hemicycle.plan.assume import Said, assume
from hemicycle.plan.estimate import Line, Work, estimate
from hemicycle.plan.published import (
    calibrate_power,
    calibrate_utilisation,
    published_runs,
    read_runs,
    run_row,
)
from hemicycle.plan.review import flags_of, review_published
from hemicycle.units import number

RUNS = {run.id: run for run in published_runs()}

#: Those whose hours their makers published and whose utilisation is not flagged.
WELL_RUN = (
    *("bloom-176b", "luciole-1b", "luciole-8b", "luciole-23b", "olmo3-7b", "olmo3-32b", "apertus-70b"),
    *("smollm3-3b", "llama2-7b", "llama2-13b", "llama2-70b"),
)


@pytest.mark.parametrize(
    ("run", "utilisation", "tflops"),
    [
        ("bloom-176b", 31.8, 99),
        ("lucie-7b", 7.3, 71.7),
        ("luciole-1b", 26.4, 261),
        ("luciole-8b", 28.9, 286),
        ("luciole-23b", 33.0, 327),
        ("olmo3-7b", 32.0, 316),
        ("olmo3-32b", 30.0, 296),
        ("apertus-70b", 29.7, 294),
        ("apertus-8b", 34.0, 336),
        ("smollm3-3b", 26.3, 260),
        ("llama2-7b", 39, 122),
        ("llama2-13b", 38, 118),
        ("llama2-70b", 43, 134),
        ("llama3.1-8b", 14.5, 143),
    ],
)
def test_a_runs_utilisation_is_the_one_that_is_told_of_it(run, utilisation, tflops):
    share = RUNS[run].utilisation
    assert 100 * share == pytest.approx(utilisation, abs=0.5 if utilisation == int(utilisation) else 0.05)
    assert share * RUNS[run].chip.flops / 1e12 == pytest.approx(tflops, rel=0.006)


def test_eleven_runs_calibrate():
    assert tuple(sorted(run.id for run in published_runs() if run.calibrates)) == tuple(sorted(WELL_RUN))


@pytest.mark.parametrize("told", review_published(), ids=lambda told: told.run.id)
def test_well_run_trainings_are_predicted_and_the_two_that_were_not_are_flagged(told):
    names = {flag.name for flag in told.flags}
    if told.run.id in WELL_RUN:
        # One utilisation for each kind of chip; then that of the others alone.
        assert abs(told.predicted - 1) <= 0.16
        assert abs(told.without - 1) <= 0.20
        assert not names & {"MFU_TOO_LOW", "MFU_LOW", "MFU_TOO_HIGH"}
    elif told.run.id == "lucie-7b":
        assert "MFU_TOO_LOW" in names
        assert told.predicted < 0.3
    elif told.run.id == "llama3.1-8b":
        assert "MFU_LOW" in names
        assert told.predicted < 0.6
    else:
        assert not names & {"MFU_TOO_LOW", "MFU_LOW", "MFU_TOO_HIGH"}


def test_what_flags_say_of_well_run_trainings_is_what_the_table_has():
    shares = sorted(RUNS[run].utilisation for run in WELL_RUN)
    assert f"{100 * shares[0]:.0f} to {100 * shares[-1]:.0f} %" in flags_of(RUNS["lucie-7b"])[0].sentence()


def test_a_flagged_run_does_not_move_what_is_expected():
    chip = find_chip("h100")
    without = [run for run in published_runs() if run.id not in ("lucie-7b", "llama3.1-8b")]
    assert calibrate_utilisation(chip).range == calibrate_utilisation(chip, without).range


def test_a_run_that_two_documents_tell_differently_is_flagged():
    assert {flag.name for flag in flags_of(RUNS["lucie-7b"])} >= {"GPU_HOURS_MISMATCH"}


def test_hours_of_nodes_given_as_those_of_cards_are_flagged():
    run = RUNS["bloom-176b"]
    of_nodes = dataclasses.replace(run, gpu_hours=run.gpu_hours / 8)
    names = {flag.name for flag in flags_of(of_nodes)}
    assert "UNIT_MISMATCH" in names
    assert "MFU_TOO_HIGH" in names
    assert "UNIT_MISMATCH" not in {flag.name for flag in flags_of(run)}


def test_a_peak_half_as_high_as_it_is_shows_itself():
    run = RUNS["luciole-23b"]
    halved = dataclasses.replace(run, chip=dataclasses.replace(run.chip, flops=run.chip.flops / 2))
    assert "MFU_TOO_HIGH" in {flag.name for flag in flags_of(halved)}


def test_a_chip_without_a_published_run_is_not_taken_for_another():
    assert calibrate_utilisation(find_chip("mi300x")) is None
    place = assume("x", find_chip("mi300x"), 8, said=Said())
    with pytest.raises(DeclarationError, match="no training on a MI300X or its like") as refused:
        estimate(Work("m", 1e9, (Line("text", 1e9),)), place)
    assert "--utilisation" in refused.value.remedy


def test_power_is_that_of_the_metered_runs():
    watts = calibrate_power(find_chip("h100")).range
    # Luciole's 531 of its largest run, to 670 of its smallest.
    assert number(watts.low, "W/GPU") == pytest.approx(531, abs=0.5)
    assert number(watts.high, "W/GPU") == pytest.approx(670, abs=0.5)


def test_a_row_comes_back_as_it_was_written():
    for run in published_runs():
        assert read_runs([run_row(run)]) == [run]
