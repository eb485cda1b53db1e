"""The page as text: whole in itself, escaped, in two languages; and the figures it shows."""

import json
import re

import numpy as np
import pytest

from hemicycle.train.alarms import NAMES, Alarm, sentence
from hemicycle.train.causes import Cause, causes
from hemicycle.train.watch import figures, find_runs, render_index, render_run
from hemicycle.train.watch.page import facts
from hemicycle.train.watch.runs import SILENT_SECONDS, read_run
from hemicycle.train.watch.words import WORDS

from .conftest import HOSTILE


def shown(html, language):
    """The section of one language."""
    return re.search(rf'<section id="{language}".*?</section>', html, re.DOTALL)[0]


def test_figures_are_those_of_the_last_minute(training):
    run = read_run(training().run(300, skipped=[7, 8]).folder)
    told = figures(run)
    assert (told["step"], told["steps"], told["skipped"]) == (300, 400, 2)
    assert told["tokens"] == 300 * 2_048
    assert told["tokens_per_second"] == pytest.approx(4_096)
    assert told["mfu"] == pytest.approx(4_096 * 21e6 / 403e9)
    assert told["seconds_left"] == pytest.approx(50)
    assert told["data_share"] == pytest.approx(0.01)
    last = [2 + 6 * np.exp(-s / 50) for s in range(180, 300)]
    assert told["loss"] == pytest.approx(np.mean(last), abs=0.01)
    json.dumps(told, allow_nan=False)


def test_a_run_that_no_longer_writes_is_silent_and_has_no_time_left(training):
    run = read_run(training().run(300).folder)
    later = run.state.updated + SILENT_SECONDS + 1
    assert figures(run, now=later)["silent"] == pytest.approx(SILENT_SECONDS + 1)
    assert figures(run, now=later)["seconds_left"] is None
    assert figures(run, now=run.state.updated + 1)["silent"] is None


def test_a_finished_run_is_never_silent(training):
    made = training().run(400)
    made.log.close("finished")
    run = read_run(made.folder)
    assert figures(run, now=run.state.updated + 1e6)["silent"] is None
    assert 'data-refresh="0"' in render_run(run, served=True)


def test_the_page_needs_nothing_beside_itself(training):
    html = render_run(read_run(training().run(50).folder))
    assert (
        re.findall(r"""(?:src|href|action|url)\s*[=(]\s*["']?([^"'>)\s]+)""", html)
        == ["data:,"] + ["#fr", "#en"] * 2
    )
    assert not re.search(r"<[^>]+\s(?:on\w+|style)=", html)
    assert "@import" not in html


def test_both_languages_have_the_same_charts_and_their_own_numbers(training):
    html = render_run(read_run(training().run(300).folder))
    french, english = shown(html, "fr"), shown(html, "en")
    assert french.count("<figure") == english.count("<figure") == 8
    assert "4\u202f096" in french
    assert "4,096" in english
    assert "nats par token" in french
    assert "nats per token" in english
    assert re.findall('points="(.*?)"', french) == re.findall('points="(.*?)"', english)


def test_every_word_is_there_in_both_languages():
    def keys(value):
        return {k: keys(v) for k, v in value.items()} if isinstance(value, dict) else type(value)

    assert keys(WORDS["fr"]) == keys(WORDS["en"])


def test_skipped_steps_are_marked_and_said(training):
    html = render_run(read_run(training().run(300, skipped=[100, 101]).folder))
    # Two in the loss and two in the norm, in each language.
    assert html.count('class="mark"') == 8
    assert "2 pas écartés" in html
    assert "2 steps skipped" in html


def test_hostile_names_texts_and_reasons_are_shown_and_do_nothing(training):
    made = training(groups=[(HOSTILE, HOSTILE), ("b", "fr")]).run(50)
    made.log.sample(49, HOSTILE, HOSTILE + "\nsecond line")
    made.log.state.device = made.log.state.meter = made.log.state.peak_of = HOSTILE
    made.log.close("failed", HOSTILE)
    run = read_run(made.folder)
    for html in (render_run(run), render_index([run, run])):
        assert "<img" not in html
        assert html.count("</script>") == 1
    assert "second line" in render_run(run)


def test_what_turns_a_line_around_is_taken_out_of_samples(training):
    made = training().run(10)
    made.log.sample(9, "La séance", " \u202eest\x00 ouverte\u200b")
    made.log.flush()
    html = render_run(read_run(made.folder))
    assert "<b>La séance</b> est ouverte" in html
    assert not set("\u202e\x00\u200b") & set(html)


def test_the_first_page_of_a_run_waits_for_steps(training):
    html = render_run(read_run(training().folder))
    assert "<figure" not in html
    assert "dix secondes" in html


def test_a_run_of_one_step_has_a_page(training):
    assert render_run(read_run(training(steps=1).run(1).folder)).count("<polyline") > 0


def test_many_sources_are_drawn_up_to_twelve_and_listed_all(training):
    groups = [(f"source {i}", "fr") for i in range(40)]
    html = shown(render_run(read_run(training(groups=groups).run(50).folder)), "en")
    assert len(set(re.findall("source [0-9]+", html))) == 40
    by_source = re.findall("<figure.*?</figure>", html, re.DOTALL)[1]
    assert by_source.count("<polyline") == 12
    # One language's curve is the loss again.
    assert "Loss by language" not in re.sub("<h2>.*?</h2>", "", html)


def test_losses_of_groups_at_first_and_now(training):
    html = shown(render_run(read_run(training().run(400).folder)), "en")
    row = re.search(r"<tr><td><bdi>kan</bdi>.*?</tr>", html)[0]
    # Its nats are 2 above the first group's, which fall from 8 to 2: the first and the last 20 steps.
    assert re.findall(r">([^<>]+)</td>", row) == ["40,000", "33.3%", "8.995", "4.002"]


def test_energy_and_what_measured_it_are_shown(training):
    made = training().run(10)
    made.log.state.joules, made.log.state.meter = 4.5e6, "1 GPU (NVML's counter); not: fans"
    told = figures(read_run(made.folder)) | {"joules": 4.5e6, "meter": made.log.state.meter}
    assert ("Énergie", "1,25\u00a0kWh", "1 GPU (NVML's counter); not: fans") in facts(told, "fr")
    assert ("Energy", "–", "") in facts(told | {"joules": None, "meter": ""}, "en")


def test_the_index_lists_runs_and_compares_them_by_tokens(training, logs):
    training("a").run(100)
    training("b", steps=900).run(300)
    runs = [read_run(logs / name) for name in find_runs(logs)]
    html = shown(render_index(runs, served=True), "en")
    assert html.count('href="/a#en"') == html.count('href="/b#en"') == 2
    compared = re.search("<figure.*?</figure>", html, re.DOTALL)[0]
    assert compared.count("<polyline") == 2
    assert 'data-x1="614400.0"' in compared


def test_an_index_without_runs_says_so():
    assert "No training has begun here yet." in render_index([])


def test_a_folder_that_is_no_log_is_no_run(logs, training):
    training("a").run(5)
    (logs / "empty").mkdir()
    (logs / "other").mkdir()
    (logs / "other" / "run.json").write_text('{"name": "of another version"}')
    assert find_runs(logs) == ["a"]
    assert read_run(logs / "other") is None


def alarm(name="slow", figure=1_721.0, planned=7_000.0, seen=None):
    return Alarm(
        name, 1_204, figure, planned, sentence(name, figure, planned, "en"), causes(name, seen or {})
    )


def with_alarms(made, *alarms):
    """The page of a run in which these stand."""
    made.log.state.alarms = list(alarms)
    made.log.flush()
    return render_run(read_run(made.folder))


def test_alarms_stand_above_all_figures_with_their_causes_in_both_languages(training):
    html = with_alarms(training().run(50), alarm(seen={"launch-blocking": "CUDA_LAUNCH_BLOCKING=1"}))
    french, english = shown(html, "fr"), shown(html, "en")
    assert english.index('class="alarm"') < english.index("<progress") < english.index("<dl")
    assert "<b>Too slow</b>, since step 1,204: 1,721 tokens a second over the last minute" in english
    assert "<b>Trop lent</b>, depuis le pas 1\u202f204\u202f: 1\u202f721 tokens par seconde sur" in french
    first = re.search("<li>(.*?)</li>", french, re.DOTALL)[1]
    assert first.startswith(
        "<b>vu ici</b> (<code>CUDA_LAUNCH_BLOCKING=1</code>)\u202f: CUDA_LAUNCH_BLOCKING est actif"
    )
    boxes = [re.search('<div class="alarm">.*?</div>', html, re.DOTALL)[0] for html in (french, english)]
    assert [box.count("<li>") for box in boxes] == 2 * [len(causes("slow", {}))]
    assert "<code>nvidia-smi -q -d PERFORMANCE</code>" in english
    assert "`" not in boxes[0]


def test_without_an_alarm_there_is_no_box(training):
    assert "alarm" not in shown(render_run(read_run(training().run(50).folder)), "en")


@pytest.mark.parametrize("name", NAMES)
def test_every_alarm_has_a_title_in_both_languages(name):
    assert {name in WORDS[language]["alarms"] for language in WORDS} == {True}


def test_an_alarm_of_another_version_is_shown_in_its_own_words(training):
    other = Alarm(
        "odd", 3, 1.0, 2.0, f"it is odd {HOSTILE}", (Cause("moon", "The moon", "look `up`", HOSTILE),)
    )
    html = with_alarms(training().run(10), other)
    assert "<img" not in html
    assert html.count("it is odd") == html.count("The moon<small>look <code>up</code>") == 2


def test_the_index_names_the_alarms_of_each_run(training, logs):
    made = training("a").run(50)
    training("b").run(50)
    with_alarms(made, alarm(), alarm("data", 0.3, 0.1))
    html = shown(render_index([read_run(logs / name) for name in ("a", "b")]), "fr")
    rows = re.findall("<tr><td>.*?</tr>", html, re.DOTALL)
    assert ["Trop lent" in row and "Attente des données" in row for row in rows] == [True, False]


def test_the_figures_tell_the_alarms(training):
    made = training().run(50)
    with_alarms(made, alarm())
    (told,) = json.loads(json.dumps(figures(read_run(made.folder))))["alarms"]
    assert (told["name"], told["since"], told["figure"], told["planned"]) == ("slow", 1_204, 1_721, 7_000)
    assert {"id", "cause", "check", "seen"} == set(told["causes"][0])
