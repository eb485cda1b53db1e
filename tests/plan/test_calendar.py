"""The calendar of a schedule: dates, files that other programs read, and what is left for others."""

from datetime import UTC, datetime

import pytest

from hemicycle.plan.calendar import entries, free_hours, hours_of, ics, slurm, team_sums
from hemicycle.plan.calendar_picture import _stack, draw
from hemicycle.plan.calendar_told import tell_calendar
from hemicycle.plan.demand import demand
from hemicycle.plan.problem import Mode, Placement, Schedule, Unplaced
from hemicycle.plan.programme import load_programme
from hemicycle.plan.told import Sentence, Table
from hemicycle.plan.wording import Worded
from hemicycle.sites import load_sites

SITES = """
[sites.jz]
scheduler = "slurm"
account = "abc@h100"
pue = 1.2
carbon = { factor = "20 g/kWh", origin = "RTE", period = "2025" }
maintenance = [{ from = 2027-01-11, until = 2027-01-13 }]

[sites.jz.pools.h100]
chip = "h100"
gpus = 100
gpus_per_node = 4
partition = "gpu_p6"
price = "2 EUR/GPU-h"
priced_on = 2026-10-01
power = "500 W/GPU"
"""
PLAN = """
[programme]
from = 2027-01-01
until = 2027-03-01

[teams.a]

[teams.b]

[runs.one]
team = "a"
parameters = "1B"
tokens = "10B"
gpus = [40]
deadline = 2027-01-04

[runs.two]
team = "b"
parameters = "1B"
tokens = "10B"
gpus = [40]
"""


@pytest.fixture
def posed(tmp_path):
    (tmp_path / "sites.toml").write_text(SITES, "utf-8")
    (tmp_path / "plan.toml").write_text(PLAN, "utf-8")
    return demand(load_programme(tmp_path / "plan.toml"), load_sites(tmp_path))


@pytest.fixture
def found():
    """Run `one` for 100 hours from the fifth day on: it ends nine days in, and its deadline is the fourth."""
    mode = Mode({"jz/h100": 40}, 100)
    placed = Placement("one", mode, 120, 220)
    return Schedule((placed,), (Unplaced("two", (Worded("none_beside"),)),), 1.0, 0.5, 0.5, False, 1.0)


def test_an_entry_has_dates_hours_money_and_carbon(posed, found):
    (entry,) = entries(posed, found)
    assert entry.start == datetime(2027, 1, 6, tzinfo=UTC)
    assert entry.end == datetime(2027, 1, 10, 4, tzinfo=UTC)
    assert entry.gpu_hours == 4_000
    assert entry.eur == pytest.approx(8_000)
    # 4 000 h x 500 W x 1.2 are 2 400 kWh, at 20 g each.
    assert entry.tco2e == pytest.approx(0.048)
    assert entry.late == 220 - 96


def test_what_is_left_for_others_leaves_out_runs_and_maintenance(posed, found):
    january, february = free_hours(posed, found)
    assert january.whole == 100 * 24 * (31 - 2)
    assert january.free == january.whole - 4_000
    assert (february.free, february.whole) == (100 * 24 * 28, 100 * 24 * 28)


def test_the_calendar_file_is_read_back_by_the_library_and_dates_an_event_twice_the_same(posed, found):
    from icalendar import Calendar

    told = entries(posed, found)
    made = datetime(2026, 11, 26, tzinfo=UTC)
    text = ics(told, "here", made)
    (event,) = Calendar.from_ical(text).walk("VEVENT")
    (other,) = Calendar.from_ical(ics(told, "elsewhere", made)).walk("VEVENT")
    assert event["UID"].startswith("one.")
    assert event["UID"].endswith("@plan.hemicycle")
    assert event["UID"] != other["UID"]
    assert event.decoded("DTSTART") == told[0].start
    assert event.decoded("DTEND") == told[0].end
    assert text == ics(told, "here", made)


def test_a_hostile_name_cannot_begin_a_line_of_the_calendar_file(posed, found):
    import dataclasses

    from icalendar import Calendar

    (entry,) = entries(posed, found)
    hostile = dataclasses.replace(entry, team="x\r\nATTACH:http://evil", task="a;b,c\nEND:VEVENT")
    calendar = Calendar.from_ical(ics([hostile], "here", datetime(2026, 11, 26, tzinfo=UTC)))
    (event,) = calendar.walk("VEVENT")
    assert "ATTACH" not in event
    assert "evil" in event["SUMMARY"]


def test_a_run_longer_than_a_job_is_a_chain_of_jobs(posed, found):
    (entry,) = entries(posed, found)
    text = slurm(entry, "jz/h100", posed.sites["jz"], 100)
    assert "#SBATCH --nodes=10" in text
    assert "#SBATCH --gpus-per-node=4" in text
    assert "#SBATCH --array=1-5%1" in text
    assert "#SBATCH --time=20:00:00" in text
    assert "#SBATCH --begin=2027-01-06T00:00:00" in text
    assert "#SBATCH --account=abc@h100" in text
    paris = posed.sites["jz"].model_copy(update={"timezone": "Europe/Paris"})
    assert "#SBATCH --begin=2027-01-06T01:00:00" in slurm(entry, "jz/h100", paris, 100)
    assert "#SBATCH --partition=gpu_p6" in text
    short = slurm(entry, "jz/h100", posed.sites["jz"], 7)
    assert "--array" not in short
    assert "#SBATCH --time=7:00:00" in short


@pytest.mark.parametrize(
    ("time", "hours"),
    [("20:00:00", 20), ("4-00:00:00", 96), ("1-12:30:00", 36.5), ("30:00", 0.5), ("1-06:00", 30)],
)
def test_times_are_read_as_slurm_reads_them(time, hours):
    assert hours_of(time) == pytest.approx(hours)


def test_a_team_is_told_what_it_gets_what_it_is_entitled_to_and_how_long_it_waits(posed, found):
    a, b = team_sums(posed, found)
    assert (a.team, a.gpu_hours, a.share, a.entitled) == ("a", 4_000, 1.0, 0.5)
    assert a.eur == pytest.approx(8_000)
    assert (b.gpu_hours, b.unpriced) == (0, 0)
    assert b.slowdown > a.slowdown


@pytest.mark.parametrize("language", ["en", "fr"])
def test_the_calendar_tells_what_has_no_place_and_how_good_it_is(posed, found, language):
    pieces = list(tell_calendar(posed, found, language))
    sentences = [piece for piece in pieces if isinstance(piece, Sentence)]
    why = next(piece.text for piece in sentences if piece.name == "NOT_PLACED")
    assert why.endswith(found.unplaced[0].reasons[0].sentence(language))
    assert any("50" in piece.text for piece in sentences)
    assert any(isinstance(piece, Table) and piece.rows[0][0] == "one" for piece in pieces)


def test_runs_that_come_and_go_are_never_drawn_higher_than_their_pool():
    def run(name, gpus, start, end):
        return Placement(name, Mode({"p": gpus}, end - start), start, end)

    # When `b` ends, room is left below `c`; `d` needs that and what is above.
    laid = _stack([run("a", 2, 0, 20), run("b", 2, 0, 5), run("c", 2, 0, 20), run("d", 4, 5, 20)], "p")
    for _, start, end, _low in laid:
        assert start < end
    tops = {(start, low + placement.mode.demands["p"]) for placement, start, _, low in laid}
    assert max(top for _, top in tops) == 8
    assert sum((end - start) * p.mode.demands["p"] for p, start, end, _ in laid) == 40 + 10 + 40 + 60


def test_the_picture_is_a_function_of_the_schedule_and_speaks_two_languages(posed, found):
    assert draw(posed, found, "en") == draw(posed, found, "en")
    assert draw(posed, found, "en") != draw(posed, found, "fr")
