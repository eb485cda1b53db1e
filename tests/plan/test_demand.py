"""From a declared programme to the scheduler's problem: hours by hand, dates in UTC, exchanges of sites."""

import math

import pytest

from hemicycle.errors import DeclarationError
from hemicycle.plan.across import exchange
from hemicycle.plan.demand import demand
from hemicycle.plan.estimate import Line, Work
from hemicycle.plan.programme import load_programme
from hemicycle.sites import load_sites
from hemicycle.units import of

SITES = """
[sites.big]
availability = 0.9
network = "10 Gbit/s"
maintenance = [{ from = 2027-01-11, until = 2027-01-13 }, { from = 2026-01-01, until = 2026-02-01 }]

[sites.big.pools.h100]
chip = "h100"
gpus = 512
windows = [{ from = 2027-02-01, until = 2027-03-01, gpus = 128 }]
quotas = [{ from = 2026-07-01, until = 2027-07-01, hours = "100_000 GPU-h" }]

[sites.small]
availability = 0.9
network = "5 Gbit/s"

[sites.small.pools.h100]
chip = "h100"
gpus = 64
"""
PLAN = """
[programme]
from = 2027-01-01
until = 2028-01-01

[teams.a]

[runs.one]
team = "a"
parameters = "8B"
tokens = "1T"
gpus = [256]
deadline = 2027-03-01
"""


@pytest.fixture
def pose(tmp_path):
    def problem(plan=PLAN, sites=SITES, **known):
        (tmp_path / "sites.toml").write_text(sites, "utf-8")
        (tmp_path / "plan.toml").write_text(plan, "utf-8")
        return demand(load_programme(tmp_path / "plan.toml"), load_sites(tmp_path), **known)

    return problem


def test_a_runs_hours_are_those_of_its_estimate_with_what_fails(pose):
    (task,) = pose().problem.tasks
    (mode,) = task.modes
    assert mode.demands == {"big/h100": 256}
    # 6 N D over 256 cards of 989 TFLOP/s at 29.74 % of the time that is not lost to failures.
    hours = 6 * 8e9 * 1e12 / (256 * 989e12 * 0.297438 * 0.9) / 3600
    assert mode.hours == math.ceil(hours)
    # 31 days of January, 28 of February, and the first of March to its end.
    assert task.deadline == 60 * 24


def test_periods_become_hours_of_the_programme_and_those_outside_are_left_out(pose):
    big, small = pose().problem.pools
    assert [(c.start, c.end) for c in big.closures] == [(240, 288)]
    assert [(w.start, w.end, w.gpus) for w in big.windows] == [(31 * 24, 59 * 24, 128)]
    # Half of the allowance's period is past: what is left of it counts from the beginning.
    # Past it nobody granted anything.
    granted, nothing = big.quotas
    assert (granted.start, granted.end, granted.gpu_hours) == (0, 181 * 24, 100_000)
    assert (nothing.start, nothing.end, nothing.gpu_hours) == (181 * 24, 8_760, 0)
    assert small.quotas == ()
    assert small.closures == ()


def test_a_checkpoint_travels_between_the_sites_of_two_runs_in_the_size_of_the_first(pose):
    second = """
[runs.two]
team = "a"
parameters = "1B"
tokens = "10B"
sites = ["small"]
gpus = [8]
after = ["one"]
"""
    tasks = pose(PLAN.replace("gpus", 'sites = ["big"]\ngpus', 1) + second).problem.tasks
    # 8e9 weights of 16 bytes at 5 Gbit/s take 204.8 s.
    assert tasks[1].after[0].lag == 1
    slow = SITES.replace("5 Gbit/s", "0.01 Gbit/s")
    tasks = pose(PLAN.replace("gpus", 'sites = ["big"]\ngpus', 1) + second, slow).problem.tasks
    assert tasks[1].after[0].lag == math.ceil(8e9 * 16 * 8 / 1e7 / 3600)


def test_no_run_is_made_on_cards_that_cannot_hold_its_weights(pose):
    (task,) = pose(PLAN.replace("[256]", "[1, 2]")).problem.tasks
    # 8e9 weights of 16 bytes are 128 GB; an H100 has 80.
    assert {cards for mode in task.modes for cards in mode.demands.values()} == {2}


def test_a_stage_of_a_run_that_must_be_in_time_leaves_time_for_the_next(pose):
    stages = 'must = true\nstages = [{ name = "stable", share = 9 }, { name = "decay", share = 1 }]\n'
    stable, decay = pose(PLAN.replace("deadline", stages + "deadline")).problem.tasks
    assert decay.deadline == 60 * 24
    shortest = min(mode.hours for mode in decay.modes)
    assert stable.deadline == decay.deadline - shortest - decay.after[0].lag


def test_a_run_that_may_begin_only_after_its_deadline_is_refused(pose):
    with pytest.raises(DeclarationError, match="deadline is over"):
        pose(PLAN.replace("deadline", "from = 2027-05-01\ndeadline"))
    with pytest.raises(DeclarationError, match="the programme"):
        pose(PLAN.replace("deadline = 2027-03-01", "from = 2028-05-01"))


def test_stages_are_made_one_after_the_other_and_sum_to_the_run(pose):
    stages = 'stages = [{ name = "stable", share = 9 }, { name = "decay", share = 1 }]\n'
    found = pose(PLAN + stages)
    stable, decay = found.problem.tasks
    assert [after.task for after in decay.after] == ["one.stable"]
    assert found.work["one.stable"].tokens + found.work["one.decay"].tokens == pytest.approx(1e12)
    assert stable.modes[0].hours == pytest.approx(9 * decay.modes[0].hours, abs=9)


def test_a_checkpoint_travels_before_what_comes_after_begins(pose):
    tuned = '[runs.two]\nteam = "a"\nparameters = "8B"\ntokens = "1B"\nafter = ["one"]\n'
    one, two = pose(PLAN + tuned).problem.tasks
    # 16 bytes of 8e9 weights over 5 Gbit/s are 205 seconds.
    assert [(after.task, after.lag) for after in two.after] == [("one", 1)]
    assert one.after == ()


def test_a_run_over_two_sites_waits_for_what_they_exchange(pose):
    plan = PLAN.replace("gpus = [256]", "gpus = [64]\nacross = 2\nbatch_tokens = 1_000_000\nevery = 50")
    (task,) = pose(plan).problem.tasks
    alone, _, both = task.modes
    assert both.demands == {"big/h100": 64, "small/h100": 64}
    speed = 128 * 989e12 * 0.297438 * 0.9 / (6 * 8e9)
    wait = exchange(8e9, [of(10, "Gbit/s"), of(5, "Gbit/s")], speed, 1e6, 50)
    # 2 (K - 1) / K of 8e9 weights of one byte each.
    assert wait.gigabytes == pytest.approx(8)
    assert wait.seconds == pytest.approx(8e9 * 8 / 5e9)
    assert wait.share == pytest.approx(wait.seconds / (wait.seconds + 50 * 1e6 / speed))
    assert both.hours == pytest.approx(alone.hours / 2 / (1 - wait.share), abs=1)


def test_exchanging_less_often_waits_less():
    links = [of(10, "Gbit/s")] * 2
    shares = [exchange(7e9, links, 1e5, 4e6, every).share for every in (10, 100, 1000)]
    assert shares == sorted(shares, reverse=True)


def test_without_a_network_no_run_goes_over_several_sites(pose):
    plan = PLAN.replace("gpus = [256]", "gpus = [64]\nacross = 2")
    (task,) = pose(plan, SITES.replace('network = "5 Gbit/s"\n', "")).problem.tasks
    assert all(len(mode.demands) == 1 for mode in task.modes)


def test_a_run_that_fits_nowhere_names_what_there_is(pose):
    with pytest.raises(DeclarationError, match="no pool it may use has as many cards") as refused:
        pose(PLAN.replace("[256]", "[1024]"))
    assert "big/h100 (512, 4 a node)" in refused.value.remedy


def test_a_run_takes_a_part_of_a_node_or_whole_nodes(pose):
    (task,) = pose(PLAN.replace("[256]", "[2, 6, 8, 66]")).problem.tasks
    assert {cards for mode in task.modes for cards in mode.demands.values()} == {2, 8}
    unsaid = PLAN.replace("gpus = [256]\n", "")
    (task,) = pose(unsaid, SITES.replace("gpus = 64", "gpus = 62")).problem.tasks
    small = [mode.demands["small/h100"] for mode in task.modes if "small/h100" in mode.demands]
    assert small == [60, 28, 12, 4]


def test_a_deadline_before_the_programme_is_refused(pose):
    with pytest.raises(DeclarationError, match="before the programme begins"):
        pose(PLAN.replace("deadline = 2027-03-01", "deadline = 2026-12-31"))


def test_a_site_that_is_not_declared_is_refused(pose):
    with pytest.raises(DeclarationError, match="“bigg”") as refused:
        pose(PLAN + 'sites = ["bigg"]\n')
    assert "Did you mean “big”?" in refused.value.remedy


def test_a_model_of_the_project_brings_its_own_size(pose):
    plan = PLAN.replace('parameters = "8B"\ntokens = "1T"', 'model = "petit"')
    found = pose(plan, model=lambda name: Work(name, 2e9, (Line("text", 1e12),)))
    assert found.work["one"].parameters == 2e9
    with pytest.raises(DeclarationError, match="there is no project here"):
        pose(plan)
