"""Trainings beside their plans: what is compared, what is flagged, and what later plans rest on."""

import dataclasses
import json
from datetime import UTC, date, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hemicycle.arithmetic.chips import find_chip
from hemicycle.errors import DeclarationError, InputError
from hemicycle.plan.actual import as_run, compare, keeps, review_file
from hemicycle.plan.assume import Said, assume
from hemicycle.plan.estimate import Line, Work, estimate
from hemicycle.plan.own import OwnRun, own_runs, read_own, write_own
from hemicycle.plan.published import COLUMNS
from hemicycle.plan.review import flags_of
from hemicycle.plan.saved import read_saved, save_plan
from hemicycle.plan.training_log import read_training
from hemicycle.units import number

from .logs import write_log

H100 = find_chip("h100")
NOW, TODAY = datetime(2026, 11, 26, 10, tzinfo=UTC), date(2026, 11, 26)
#: Tokens a second of 8 cards at a third of their peak by 6 N D, for 1.3 B parameters.
A_THIRD = 8 * 989e12 / 3 / (6 * 1.3e9)


def plan_of(folder, name="base", **said):
    work = Work(name, 1.3e9, (Line("text", 5e7),))
    found = estimate(work, assume("jean-zay/h100", H100, 8, said=Said(**said)))
    save_plan(folder, found, NOW)
    return read_saved(folder, name)


def trained_at(tmp_path, share, **more):
    """A training at so many times a third of the peak."""
    log = tmp_path / "base"
    write_log(log, tokens=round(60 * A_THIRD * share), **more)
    return read_training(log)


def test_a_log_is_read_as_it_was_written(tmp_path):
    trained = trained_at(tmp_path, 1.0, joules=3.6e9, wall=12_000)
    assert trained.chip.name == "H100 SXM"
    assert trained.seconds == 6_000
    assert trained.lost == pytest.approx(0.5, abs=0.01)
    assert trained.tokens_per_second == pytest.approx(A_THIRD, rel=1e-6)
    assert trained.share == 1.0


def test_the_loss_of_a_log_is_of_the_steps_that_have_one(tmp_path):
    log = tmp_path / "base"
    write_log(log, tokens=10)
    (path,) = log.glob("steps-*.parquet")
    table = pq.read_table(path)
    losses = [float(step) for step in range(table.num_rows - 7)] + [None] * 7
    at = table.schema.get_field_index("loss")
    pq.write_table(table.set_column(at, "loss", pa.array(losses)), path)
    many = max(1, (table.num_rows - 7) // 20)
    assert read_training(log).loss == pytest.approx(sum(losses[-7 - many : -7]) / many)


def test_a_training_at_its_plan_is_inside_and_one_at_a_quarter_is_not(tmp_path):
    plan = plan_of(tmp_path)
    inside = {c.name: c.inside for c in compare(trained_at(tmp_path, 0.9), plan)}
    assert inside["tokens_per_second"]
    assert inside["utilisation"]
    slow = {c.name: c for c in compare(trained_at(tmp_path / "again", 0.25), plan)}
    assert not slow["tokens_per_second"].inside
    assert slow["utilisation"].actual == pytest.approx(1 / 12, rel=1e-3)


def test_a_training_without_a_plan_is_compared_with_none(tmp_path):
    assert compare(trained_at(tmp_path, 1.0), None) == []


def test_a_good_run_is_what_the_next_plan_of_its_place_rests_on(tmp_path):
    run = as_run(trained_at(tmp_path, 0.9, joules=3.6e9), TODAY)
    write_own(tmp_path, keeps(run, "jean-zay/h100"))
    own = own_runs(tmp_path, H100, "jean-zay/h100")
    place = assume("jean-zay/h100", H100, 8, said=Said(), own=own)
    assert number(place.reached.expected, "") == pytest.approx(0.3, rel=1e-2)
    assert place.reached.spread == 1
    # Its meter saw cards alone: what a card draws with its host is that of published runs, still.
    assert place.power.reason == "metered"
    assert "base" not in place.power.because()
    assert "base" in place.utilisation.because()


def test_a_run_like_lucies_is_flagged_and_no_plan_rests_on_it(tmp_path):
    run = as_run(trained_at(tmp_path, 0.2), TODAY)
    assert "MFU_TOO_LOW" in [flag.name for flag in flags_of(run)]
    assert keeps(run, "jean-zay/h100") is None


def test_time_that_was_lost_is_availabilitys_and_does_not_lower_the_utilisation(tmp_path):
    trained = trained_at(tmp_path, 0.9, wall=9_000)
    run = as_run(trained, TODAY)
    assert trained.lost == pytest.approx(1 / 3, abs=0.01)
    assert run.gpu_hours == pytest.approx(8 * 6_000 / 3_600)
    assert run.utilisation == pytest.approx(0.3, rel=1e-2)


def test_the_energy_of_one_machine_of_four_is_taken_for_a_quarter(tmp_path):
    log = tmp_path / "base"
    write_log(log, ranks=32, joules=1e9)
    run = json.loads((log / "run.json").read_text("utf-8"))
    (log / "run.json").write_text(json.dumps({**run, "metered_ranks": 8}), "utf-8")
    assert read_training(log).joules == pytest.approx(4e9)


@pytest.mark.parametrize(
    "text",
    ["{}", '{"version": 1, "plan": {}}', '{"version": 1, "plan": 3}', "[" * 100_000, "null"],
)
def test_what_is_no_plan_is_refused(tmp_path, text):
    plan_of(tmp_path)
    (tmp_path / "plans" / "base.json").write_text(text, "utf-8")
    with pytest.raises(InputError):
        read_saved(tmp_path, "base")


def test_minutes_and_unknown_chips_say_nothing_of_a_place(tmp_path):
    assert as_run(trained_at(tmp_path, 0.9, steps=5), TODAY) is None
    assert as_run(trained_at(tmp_path / "cpu", 0.9, device="processor"), TODAY) is None


def test_a_run_looked_at_twice_is_one_line(tmp_path):
    run = as_run(trained_at(tmp_path, 0.9), TODAY)
    write_own(tmp_path, OwnRun("a/b", run))
    write_own(tmp_path, OwnRun("a/b", run))
    write_own(tmp_path, OwnRun("c/d", run))
    kept = read_own(tmp_path)
    assert [own.place for own in kept] == ["a/b", "c/d"]
    assert kept[0].run == kept[1].run
    assert kept[0].run.gpu_hours == pytest.approx(run.gpu_hours)


def test_runs_of_another_kind_of_chip_say_nothing_here(tmp_path):
    write_own(tmp_path, OwnRun("a/b", as_run(trained_at(tmp_path, 0.9), TODAY)))
    assert own_runs(tmp_path, find_chip("a100"), "a/b") == []


def test_runs_of_another_place_say_nothing_here(tmp_path):
    write_own(tmp_path, OwnRun("a/b", as_run(trained_at(tmp_path, 0.9), TODAY)))
    assert own_runs(tmp_path, H100, "a/c") == []
    assert len(own_runs(tmp_path, H100, "a/b")) == 1


def test_a_training_on_one_number_of_cards_and_then_another_measures_no_place(tmp_path):
    trained = dataclasses.replace(trained_at(tmp_path, 0.9), one_size=False)
    assert as_run(trained, TODAY) is None
    assert "utilisation" not in {each.name for each in compare(trained, plan_of(tmp_path))}


def test_a_damaged_file_of_own_runs_is_named(tmp_path):
    (tmp_path / "plans").mkdir()
    (tmp_path / "plans" / "runs.csv").write_text("place,id\nx,y\n", "utf-8")
    with pytest.raises(InputError, match="cannot be read") as refused:
        read_own(tmp_path)
    assert refused.value.place.endswith("runs.csv")


def test_a_damaged_plan_is_named(tmp_path):
    plan_of(tmp_path)
    path = tmp_path / "plans" / "base.json"
    path.write_text(path.read_text("utf-8")[:100], "utf-8")
    with pytest.raises(InputError, match="cannot be read"):
        read_saved(tmp_path, "base")
    path.write_text('{"version": 99}', "utf-8")
    with pytest.raises(InputError, match="no plan of this version"):
        read_saved(tmp_path, "base")


def test_a_plan_to_be_held_to_says_how_many_cards(tmp_path):
    work = Work("base", 1.3e9, (Line("text", 5e7),))
    with pytest.raises(DeclarationError, match="how many cards"):
        save_plan(tmp_path, estimate(work, assume("x", H100, None, said=Said())), NOW)


def test_the_kept_plan_holds_speed_energy_and_time_that_agree_with_its_estimate(tmp_path):
    told = plan_of(tmp_path).told
    figures = told["plan"]
    speed, seconds = told["tokens_per_second"]["expected"], told["seconds"]["expected"]
    assert speed * figures["gpu_hours"]["expected"] / 8 * 3_600 == pytest.approx(5e7, rel=1e-4)
    assert seconds == pytest.approx(figures["days"]["expected"] * 86_400, rel=1e-4)
    pue = {each["name"]: each for each in figures["assumptions"]}["pue"]["expected"]
    # Without cooling, and without the fifth that the host draws.
    at_the_machines = 0.8 * figures["energy_mwh"]["expected"] * 3.6e9 / pue
    assert told["joules_per_token"]["expected"] == pytest.approx(at_the_machines / 5e7, rel=1e-4)


def test_a_table_of_somebody_elses_runs_is_looked_at(tmp_path):
    row = dict.fromkeys(COLUMNS, "")
    row |= {"id": "x", "name": "X", "parameters": "7e9", "tokens": "3e12", "chip": "h100"}
    row |= {"gpu_hours": "480000", "hours_of": "published"}
    path = tmp_path / "runs.csv"
    path.write_text(",".join(COLUMNS) + "\n" + ",".join(row.values()) + "\n", "utf-8")
    (found,) = review_file(path)
    assert "MFU_TOO_LOW" in [flag.name for flag in found.flags]
    path.write_text(path.read_text("utf-8").replace("h100", "h1000"), "utf-8")
    with pytest.raises(DeclarationError, match="no chip is known"):
        review_file(path)
    path.write_text("a,b\n1,2\n", "utf-8")
    with pytest.raises(InputError, match="no table of runs"):
        review_file(path)
