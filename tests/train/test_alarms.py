"""Alarms: each is raised where its rule says so, by figures worked out by hand, and by a real training."""

import csv
import dataclasses
import json
import re
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from hemicycle.train import alarms as module
from hemicycle.train import log as log_module
from hemicycle.train.alarms import NAMES, alarms, sentence
from hemicycle.train.causes import Machine, causes, seen_here, table
from hemicycle.train.expected import Band, Expected, LossBand
from hemicycle.train.log import Log, RunState, alarm_spans, read_alarms, read_steps
from hemicycle.train.lookout import Lookout, lookout_of
from hemicycle.train.loop import train
from tests.train.jobs import BATCH, make_job, write_plan

H100 = "NVIDIA H100 80GB HBM3"
CALM = Machine({}, 1.0, 8)


def state(step=1_000, steps=10_000, **more):
    known = {"device": "processor", "compiled": True, "started": 0.0, **more}
    return RunState("petit", "running", steps, 1_000_000, 6_000_000, 8, step=step, **known)


def columns(seconds, *, tokens=1_000, loss=2.0, waiting=0.0, skipped=0):
    """Steps of so many seconds each; the other columns alike, or given one by one."""
    seconds = np.asarray(seconds, float)
    told = {"tokens": tokens, "loss": loss, "data_seconds": waiting, "skipped": skipped}
    return {
        "step": np.arange(len(seconds), dtype=float),
        "seconds": seconds,
        **{name: np.broadcast_to(np.asarray(value, float), len(seconds)) for name, value in told.items()},
    }


def plan(**figures):
    return Expected("petit", "2026-11-26", "processor", 8, **figures)


def names(expected, run, steps, now=None, **how):
    """The alarms of a run of which no time was lost, unless `now` says so."""
    at = float(steps["seconds"].sum()) if now is None else now
    return [alarm.name for alarm in alarms(expected, run, steps, at, **how)]


FAST = plan(tokens_per_second=Band(1_500, 2_001, 2_200))


def test_below_half_of_the_planned_speed_is_slow():
    # 1,000 tokens a second, where half of 2,001 was the least; half of 2,000 is enough.
    steps = columns(np.ones(1_000))
    (alarm,) = alarms(FAST, state(), steps, 1_000.0)
    assert (alarm.name, alarm.since, alarm.figure, alarm.planned) == ("slow", 1_000, 1_000, 2_001)
    assert alarm.sentence == "1,000 tokens a second over the last minute, where 2,001 were planned"
    assert names(plan(tokens_per_second=Band(1_500, 2_000, 2_200)), state(), steps) == []


def test_slow_is_told_by_the_last_minute():
    seconds = np.ones(1_000)
    seconds[-60:] = 0.1
    # The last 60 steps took 6 s and the 54 before them a minute's rest: 114,000 tokens in 60 s.
    assert names(FAST, state(), columns(seconds)) == []
    seconds[-60:] = 2.0
    assert names(FAST, state(), columns(seconds[::-1])) == ["slow"]
    assert names(plan(tokens_per_second=Band(0, 900, 1_000)), state(), columns(seconds)) == []
    assert names(plan(tokens_per_second=Band(0, 1_100, 1_200)), state(), columns(seconds)) == ["slow"]


def test_the_first_two_minutes_of_a_process_are_not_judged():
    compiling = np.array([100.0, *np.ones(200)])
    # The step in which the two minutes are over is that of second 120, number 20.
    assert names(FAST, state(), columns(compiling[:21])) == []
    assert names(FAST, state(), columns(compiling[:22])) == ["slow"]
    # Resumed at step 190, ten steps are known of this process.
    assert names(FAST, state(resumed_at=191), columns(compiling)) == []
    assert names(FAST, state(resumed_at=191), columns(compiling), grace=5.0) == ["slow"]


def test_a_long_first_step_is_in_no_judged_minute():
    # It compiles for five minutes, and then does 4,000 tokens a second.
    assert names(FAST, state(), columns([300.0, 0.25, 0.25])) == []


def test_a_batch_that_still_grows_is_not_slow():
    steps = columns(np.ones(1_000), tokens=500)
    assert names(FAST, state(batch_tokens=1_000), steps) == []
    assert names(FAST, state(batch_tokens=500), steps) == ["slow"]


def test_without_a_plan_a_known_chip_is_judged_by_its_peak():
    # 6 · 10⁶ parameters · 1,000 tokens a second = 6e9 FLOP/s.
    steps = columns(np.ones(1_000))

    def bounds(peak, **more):
        found = alarms(None, state(device=H100, peak=peak, **more), steps, 1_000.0)
        return [(alarm.name, alarm.figure, alarm.planned) for alarm in found]

    assert bounds(6e9 / 0.073) == [("low-utilisation", pytest.approx(0.073), 0.1)]
    assert bounds(6e9 / 0.145) == [("low-utilisation", pytest.approx(0.145), 0.2)]
    assert bounds(6e9 / 0.21) == []
    assert bounds(None) == []


def test_a_measured_rate_is_no_peak():
    steps = columns(np.ones(1_000))
    assert names(None, state(device="processor", peak=6e9 / 0.01), steps) == []


def test_a_planned_speed_goes_before_the_peak_and_a_planned_utilisation_stands_in_for_it():
    steps, run = columns(np.ones(1_000)), state(device=H100, peak=6e9 / 0.05)
    assert names(plan(tokens_per_second=Band(900, 1_000, 1_100)), run, steps) == []
    assert names(plan(utilisation=Band(0.06, 0.09, 0.1)), run, steps) == []
    assert names(plan(utilisation=Band(0.06, 0.11, 0.12)), run, steps) == ["low-utilisation"]


def test_a_loss_above_the_band_is_said_and_one_in_it_is_not():
    shares = (0.05, 0.1, 1.0)
    band = plan(loss=LossBand(shares, (2.5, 1.8, 1.0), (3.0, 2.0, 1.2), (3.5, 2.2, 1.4)))
    # 200 steps of 4,000 are the share 0.05; the mean of 128 steps has its middle at 136, as the twentieth
    # that ends at share 136 / 4000 + 0.025 = 0.059: up to 3.5 - 0.18 · 1.3 = 3.266.
    run = state(step=200, steps=4_000)
    assert names(band, run, columns(np.ones(200), loss=3.26)) == []
    (alarm,) = alarms(band, run, columns(np.ones(200), loss=3.27), 200.0)
    assert (alarm.name, alarm.planned) == ("loss", pytest.approx(3.266))
    # Before the first share nothing is forecast.
    assert names(band, state(step=150, steps=4_000), columns(np.ones(150), loss=9.0)) == []


def test_skipped_steps_and_those_without_a_number_do_not_raise_the_loss():
    band = plan(loss=LossBand((0.05,), (1.0,), (2.0,), (2.1,)))
    loss, skipped = np.full(200, 2.0), np.zeros(200)
    loss[-3:], skipped[-2:] = [np.nan, 500.0, 500.0], 1
    run = state(step=200, steps=4_000)
    assert names(band, run, columns(np.ones(200), loss=loss, skipped=skipped)) == []
    assert names(band, run, columns(np.ones(200), loss=loss)) == ["loss"]


def test_energy_above_the_plan_by_a_fifth_is_said():
    planned = plan(joules_per_token=Band(0.5, 0.6, 0.7))
    # From step 400 on 600,000 tokens; 0.84 J each is 1.2 times 0.7.
    steps = columns(np.ones(1_000))
    assert names(planned, state(), steps, joules=(400, 600_000 * 0.839)) == []
    assert names(planned, state(), steps, joules=(400, 600_000 * 0.841)) == ["energy"]
    # The meter of one of two machines counts the half.
    assert names(planned, state(metered_ranks=4), steps, joules=(400, 300_000 * 0.839)) == []
    assert names(planned, state(metered_ranks=4), steps, joules=(400, 300_000 * 0.841)) == ["energy"]
    assert names(planned, state(), steps, joules=None) == []


def test_more_than_a_fifth_and_ten_minutes_lost_are_said():
    # 1,000 s of steps: ten minutes more are a good third of 1,600 s.
    steps = columns(np.ones(1_000))
    assert names(None, state(), steps, now=1_600.0) == []
    (alarm,) = alarms(None, state(), steps, 1_601.0)
    assert (alarm.name, alarm.figure, alarm.planned) == ("lost-time", 601.0, 600.0)
    # 8,000 s of steps: a fifth of 10,000 s.
    steps = columns(np.full(1_000, 8.0))
    assert names(None, state(), steps, now=9_999.0) == []
    assert names(None, state(), steps, now=10_001.0) == ["lost-time"]


def test_waiting_for_data_for_a_tenth_of_the_time_is_said():
    assert names(None, state(), columns(np.ones(1_000), waiting=0.1)) == []
    assert names(None, state(), columns(np.ones(1_000), waiting=0.101)) == ["data"]


def test_a_training_in_its_plan_raises_nothing():
    band = LossBand((0.05, 1.0), (1.9, 1.9), (2.0, 2.0), (2.1, 2.1))
    whole = plan(
        tokens_per_second=Band(900, 1_000, 1_100),
        joules_per_token=Band(0.5, 0.6, 0.7),
        utilisation=Band(0.2, 0.3, 0.4),
        seconds=Band(9_000, 10_000, 11_000),
        loss=band,
    )
    run = state(device=H100, peak=6e9 / 0.3)
    assert names(whole, run, columns(np.ones(1_000), waiting=0.01), joules=(900, 60_000.0)) == []


def test_no_step_no_alarm():
    assert names(FAST, state(step=0), columns([])) == []


def test_every_alarm_has_words_in_both_languages_and_causes():
    for name in NAMES:
        said = {sentence(name, 0.05, 0.2, language) for language in ("en", "fr")}
        assert len(said) == 2
        assert not any("{" in text for text in said)
        assert len(causes(name, {})) >= 2
    assert sentence("slow", 1_721, 7_000, "fr") == (
        "1\u202f721 tokens par seconde sur la dernière minute, pour 7\u202f000 prévus"
    )
    assert sentence("energy", 0.0123, 0.0098, "en") == (
        "0.0123 J a token, where 0.00980 J was the most that was planned"
    )
    assert sentence("lost-time", 7_500, 3_600, "en").startswith("2 h 05 min were lost")


def test_the_table_of_causes_is_whole_and_dated():
    rows = table()
    assert len({row.id for row in rows}) == len(rows)
    for row in rows:
        assert row.alarms
        assert set(row.alarms) <= set(NAMES)
        assert row.source
        assert date.fromisoformat(row.checked_on) <= date.today()
        for language in ("en", "fr"):
            cause, check = row.words[language]
            assert cause[0].isupper()
            assert not re.search(r"[.!?]$", cause + check)
            assert (cause + check).count("`") % 2 == 0
        # French sets narrow spaces before these.
        assert not re.search(r"[^\u202f][;:?!]", " ".join(row.words["fr"]))
    with Path(module.__file__).with_name("causes.csv").open(encoding="utf-8", newline="") as file:
        assert all(None not in row and all(row.values()) for row in csv.DictReader(file))


def test_what_shows_in_the_run_itself_is_listed_first():
    run = state(device="NVIDIA A30", compiled=False, recompute=True, resumed_at=7)
    busy = Machine({"CUDA_LAUNCH_BLOCKING": "1"}, 13.0, 8)
    expected = dataclasses.replace(plan(), ranks=16, chip="H100 SXM")
    seen = seen_here(run, expected, busy, data_share=0.3, skipped=2)
    assert seen == {
        "launch-blocking": "CUDA_LAUNCH_BLOCKING=1",
        "recomputation": "recompute = true",
        "not-compiled": "compiled = false",
        "waiting": "30.0%",
        "other-jobs": "load 13.0 / 8",
        "fewer-ranks": "8 / 16",
        "other-chip": "A30 / H100 SXM",
        "restarts": "resumed_at_step = 7",
        "spikes": "skipped = 2",
    }
    assert set(seen) <= {row.id for row in table()}
    found = causes("slow", seen)
    assert [cause.id for cause in found[:3]] == ["launch-blocking", "recomputation", "not-compiled"]
    assert [bool(cause.seen) for cause in found] == sorted((bool(c.seen) for c in found), reverse=True)


def test_what_was_looked_for_in_vain_is_no_likely_cause():
    in_vain = {"launch-blocking", "recomputation", "not-compiled", "fewer-ranks", "other-chip", "restarts"}
    for run, expected, machine in (
        (state(device=H100), dataclasses.replace(plan(), chip="H100 SXM"), CALM),
        (state(), plan(), Machine({"CUDA_LAUNCH_BLOCKING": "0"}, 11.9, 8)),
        (state(), None, Machine({}, None, 8)),
    ):
        assert seen_here(run, expected, machine) == dict.fromkeys(in_vain, "")
    seen = seen_here(state(), None, CALM, data_share=0.05)
    assert seen == dict.fromkeys(in_vain | {"waiting"}, "")
    listed = {cause.id for cause in causes("slow", seen)}
    assert not listed & set(seen)
    # Others' work on the cards does not show in the load of the processor.
    assert {"other-jobs", "slow-rank", "throttled"} <= listed
    # One rank waits for no other, and a processor launches no kernels.
    alone = dataclasses.replace(state(), ranks=1)
    blocking = Machine({"CUDA_LAUNCH_BLOCKING": "1"}, 1.0, 8)
    listed = {cause.id for cause in causes("slow", seen_here(alone, None, blocking))}
    assert not {"slow-rank", "cut-up", "launch-blocking"} & listed


class Said:
    """A progress that keeps what is said."""

    def __init__(self):
        self.lines = []

    def say(self, text):
        self.lines.append(text)


def looks(lookout, run, speeds):
    """Look after each hundred steps of one second, of so many tokens each; what the looks say."""
    tokens, found = np.zeros(0), []
    for speed in speeds:
        tokens = np.append(tokens, np.full(100, speed))
        run.step = len(tokens)
        steps = columns(np.ones(len(tokens)), tokens=tokens)
        found.append(lookout.look(run, steps, float(len(tokens))))
    return found


def test_an_alarm_is_said_once_when_it_lasts_and_once_when_it_is_over():
    said, run = Said(), state(step=0)
    lookout = Lookout(FAST, said, machine=lambda: CALM)
    fast, slow = 3_000, 500
    found = looks(lookout, run, [fast, fast, slow, slow, slow, fast, slow, fast, fast])
    begun, over = [("slow", True)], [("slow", False)]
    assert found == [[], [], [], begun, [], [], [], [], over]
    heads = [line for line in said.lines if not line.startswith("  ")]
    assert heads == [
        "ALARM slow, model petit, step 400: 500 tokens a second over the last minute, where 2,001 were "
        "planned",
        "model petit, step 900: the alarm slow of step 400 is over",
    ]
    assert run.alarms == []


def test_an_alarm_that_stands_keeps_its_step_and_renews_its_figure():
    run = state(step=0)
    looks(Lookout(FAST, Said(), machine=lambda: CALM), run, [500, 500, 500, 400])
    assert [(alarm.since, alarm.figure) for alarm in run.alarms] == [(300, 400.0)]


def test_what_was_seen_is_said_before_what_may_be():
    said, run = Said(), state(step=0, compiled=False, device=H100)
    looks(
        Lookout(
            dataclasses.replace(FAST, chip="H100 SXM"),
            said,
            machine=lambda: Machine({"CUDA_LAUNCH_BLOCKING": "1"}, 1.0, 8),
        ),
        run,
        [500] * 3,
    )
    first, second, third, *_ = [line for line in said.lines if line.startswith("  ")]
    assert first.startswith("  seen here (CUDA_LAUNCH_BLOCKING=1): CUDA_LAUNCH_BLOCKING is on")
    assert second.startswith("  seen here (compiled = false): Layers and loss are not compiled")
    assert third.startswith("  or: ")
    assert "recomputed" not in "".join(said.lines)


def test_energy_is_judged_over_the_last_minutes_and_not_over_the_compiler_s():
    planned, run = plan(joules_per_token=Band(0.5, 0.6, 0.7)), state(step=0)
    lookout, found = Lookout(planned, Said(), machine=lambda: CALM), []
    # A first step of 300 s and 300 kJ, then ten seconds and 10,000 tokens a look: 0.6 J each, later 0.9 J.
    seconds, run.joules = [300.0], 300_000.0
    for look in range(160):
        seconds += [1.0] * 10
        run.step = len(seconds)
        run.joules += 10_000 * (0.6 if look < 80 else 0.9)
        lookout.look(run, columns(seconds), float(np.sum(seconds)))
        found.append([alarm.name for alarm in run.alarms])
    assert found[79] == []
    # Of the 600 s behind, 480 are of 0.9 J when the mean comes above 0.84.
    raised = found.index(["energy"])
    assert 80 + 46 <= raised <= 80 + 52


def row(step, **more):
    told = dict.fromkeys(("gradient_norm", "rate_factor", "tokens", "learnt", "seconds", "memory"), 1)
    return {"step": step, "loss": 2.0, "skipped": False, "data_seconds": 0.0, **told, **more}


def slow_log(folder, run, monkeypatch, **how):
    monkeypatch.setattr(log_module, "FLUSH_SECONDS", 0.0)
    monkeypatch.setattr(log_module, "FLUSH_SHARE", 1e9)
    lookout = Lookout(FAST, Said(), grace=0.0, machine=lambda: CALM)
    return Log(folder, run, lookout=lookout, **how)


def test_the_log_keeps_the_alarms_that_stand_and_where_they_began_and_ended(tmp_path, monkeypatch):
    run = state(step=0, steps=100)
    run.started = 9e12
    log = slow_log(tmp_path, run, monkeypatch)
    for step in range(20):
        log.step(**row(step))
    read = RunState.read(tmp_path)
    assert [alarm.name for alarm in read.alarms] == ["slow"]
    assert read.alarms == run.alarms
    # One step is not judged; the second look that meets it is that after step 2.
    assert alarm_spans(read_alarms(tmp_path)) == [("slow", 3, None)]
    for step in range(20, 100):
        log.step(**row(step, tokens=10_000_000))
    log.close("finished")
    assert alarm_spans(read_alarms(tmp_path)) == [("slow", 3, 22)]
    assert log.alarmed() == {"slow": 19}
    assert RunState.read(tmp_path).alarms == []


def test_a_process_that_goes_on_judges_anew_and_the_earlier_alarm_ends_there(tmp_path, monkeypatch):
    first = state(step=0, steps=100)
    first.started = 9e12
    log = slow_log(tmp_path, first, monkeypatch)
    for step in range(20):
        log.step(**row(step))
    again = slow_log(tmp_path, state(step=0, steps=100), monkeypatch, resume_step=12)
    assert alarm_spans(read_alarms(tmp_path)) == [("slow", 3, 12)]
    assert RunState.read(tmp_path).alarms == []
    for step in range(12, 30):
        again.step(**row(step))
    assert alarm_spans(read_alarms(tmp_path)) == [("slow", 3, 12), ("slow", 15, None)]
    assert again.alarmed() == {"slow": 9 + 15}


def test_a_state_of_before_there_were_alarms_is_still_read(tmp_path):
    Log(tmp_path, state(step=0)).close("finished")
    path = tmp_path / "run.json"
    told = json.loads(path.read_text("utf-8"))
    for name in ("alarms", "recompute", "batch_tokens", "metered_ranks", "resumed_at"):
        del told[name]
    path.write_text(json.dumps(told), "utf-8")
    read = RunState.read(tmp_path)
    assert (read.name, read.alarms, read.resumed_at) == ("petit", [], 0)
    path.write_text(json.dumps(told | {"alarms": [{"name": "slow"}]}), "utf-8")
    assert RunState.read(tmp_path) is None


def test_a_plan_that_is_damaged_or_another_s_is_said_and_stops_nothing(tmp_path):
    said, path = Said(), tmp_path / "petit.json"
    path.write_text("{", "utf-8")
    assert lookout_of("petit", path, said).expected is None
    dataclasses.replace(FAST, model="grand").write(path)
    assert lookout_of("petit", path, said).expected is None
    assert lookout_of("petit", tmp_path / "none.json", said).expected is None
    assert [line.split(": ", 1)[1].split(":")[0] for line in said.lines] == [
        "this plan is not JSON",
        "this is the plan of the model grand; model petit is not compared with it",
        "this plan cannot be read",
    ]
    FAST.write(path)
    assert lookout_of("petit", path, said).expected == FAST


@pytest.fixture
def trained(tokens, tokenizer, tmp_path, monkeypatch):
    """Train a tiny model by a plan, looking after every step; figures and what was said."""
    monkeypatch.setattr(log_module, "FLUSH_SECONDS", 0.0)
    monkeypatch.setattr(log_module, "FLUSH_SHARE", 1e9)
    # Steps of milliseconds may well wait for their batches where the machine is busy.
    monkeypatch.setattr(module, "WAITING", 2.0)
    order = write_plan(tmp_path / "plan", tokens)

    class Progress(Said):
        def start(self, *args):
            from hemicycle.progress import QUIET

            return QUIET.start(*args)

    def run(folder, expected=None, **more):
        path = tmp_path / f"{folder}.json"
        if expected is not None:
            expected.write(path)
        job = make_job(tmp_path / folder, order, tokens, tokenizer,
                       expected=path if expected else None, **more)  # fmt: skip
        progress = Progress()
        return train(job, progress, grace=0.0), progress.lines, job

    return run


def test_a_real_training_ten_times_slower_than_planned_says_so_with_causes(trained, monkeypatch):
    calm, lines, job = trained("calm")
    assert calm["alarms"] == {}
    assert lines == []
    fast = 10 * BATCH / min(read_steps(job.log)["seconds"].to_pylist())
    figures, lines, job = trained("slow", plan(tokens_per_second=Band(fast, fast, fast)))
    heads = [line for line in lines if not line.startswith("  ")]
    assert len(heads) == 1
    assert re.match(r"ALARM slow, model petit, step \d: [\d,]+ tokens a second", heads[0])
    assert "  seen here (compiled = false): " in "\n".join(lines)
    assert "  or: Attention is not fused" in "\n".join(lines)
    # Of 30 steps, the first is not judged and the next two are the looks that it takes.
    assert figures["alarms"] == {"slow": 27}
    (alarm,) = RunState.read(job.log).alarms
    assert (alarm.name, alarm.since, alarm.planned) == ("slow", 3, fast)
    assert RunState.read(job.log).batch_tokens == BATCH


def test_a_real_training_in_its_plan_raises_no_alarm_and_learns_the_same(trained):
    from hemicycle.store import digest_files

    calm, _, first = trained("calm")
    slowest = calm["tokens_per_second"] / 1_000
    band = LossBand((0.05, 1.0), (0.1, 0.1), (5.0, 4.0), (7.0, 6.0))
    expected = plan(tokens_per_second=Band(slowest, slowest, 1e9), loss=band)
    figures, lines, job = trained("planned", dataclasses.replace(expected, ranks=1))
    assert (figures["alarms"], lines) == ({}, [])
    assert digest_files(job.out) == digest_files(first.out), "a plan decides nothing that is learnt"
