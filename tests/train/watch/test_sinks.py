"""Sinks: a training followed while it goes, each step once, into the real libraries where they are there."""

import pytest

from hemicycle.errors import InputError
from hemicycle.train.watch.sinks import follow, open_sink


class Kept:
    """A sink that keeps what it is handed."""

    def __init__(self, first=0):
        self.first, self.rows, self.state = first, [], None

    def begin(self, state):
        return self.first

    def take(self, rows):
        self.rows += rows

    def end(self, state):
        self.state = state.state

    def steps(self):
        return [step for step, _, figures in self.rows if "loss" in figures]


def test_a_training_is_followed_until_it_ends(training):
    made = training().run(30)
    looks = []

    def sleep(_):
        looks.append(1)
        if len(looks) == 1:
            made.run(70, first=30)
        elif len(looks) == 3:
            made.run(100, first=70)
            made.log.close("finished")

    sink = Kept()
    assert follow(made.folder, sink, sleep=sleep) == 100
    assert sink.steps() == list(range(100))
    assert sink.state == "finished"
    assert len(looks) == 3


def test_each_window_of_a_group_is_handed_over_once_and_whole(training):
    # 1,000 steps make windows of five; the log is cut at 37, in the midst of one.
    made = training(steps=1_000).run(37)

    def sleep(_):
        made.run(50, first=37)
        made.log.close("interrupted")

    sink = Kept()
    follow(made.folder, sink, sleep=sleep)
    windows = [(step, figures) for step, _, figures in sink.rows if "loss" not in figures]
    assert [step for step, _ in windows] == [4, 9, 14, 19, 24, 29, 34, 39, 44, 49]
    assert set(windows[0][1]) == {
        "loss_by_source/débats", "loss_by_source/lois", "loss_by_source/kan",
        "loss_by_language/fr", "loss_by_language/br",
    }  # fmt: skip
    # Equal tokens: the language's loss is the mean of its two sources'.
    told = windows[-1][1]
    both = (told["loss_by_source/débats"] + told["loss_by_source/lois"]) / 2
    assert told["loss_by_language/fr"] == pytest.approx(both)


def test_steps_that_a_resumption_makes_again_are_not_handed_over_twice(training):
    from .conftest import Training

    made = training().run(60)

    def sleep(_):
        again = Training.__new__(Training)
        again.__dict__.update(made.__dict__)
        again.log = type(made.log)(made.folder, made.log.state, resume_step=40, groups=made.groups)
        again.run(80, first=40)
        again.log.close("finished")

    sink = Kept()
    follow(made.folder, sink, sleep=sleep)
    assert sink.steps() == list(range(80))


def test_a_step_that_learnt_nothing_has_no_loss_to_hand_over(training):
    made = training().run(10, skipped=(3, 9))
    made.log.close("interrupted")
    sink = Kept()
    assert follow(made.folder, sink) == 10
    told = [figures for _, _, figures in sink.rows if "skipped" in figures]
    assert ["loss" in figures for figures in told] == [step not in (3, 9) for step in range(10)]


def test_another_training_of_the_same_name_is_not_taken_for_a_continuation(training):
    made = training().run(60)
    sink = Kept()
    assert follow(made.folder, sink, sleep=lambda _: training().run(5)) == 60
    assert sink.state is None


class Scripted:
    """A lookout that finds what it is told to, by the steps that are done."""

    def __init__(self, changes):
        self.changes = changes

    def look(self, state, steps, now):
        return self.changes.pop(state.step, [])


def test_alarms_are_handed_over_as_one_and_nought(training):
    made = training(lookout=Scripted({20: [("slow", True)], 40: [("slow", False)], 50: [("loss", True)]}))
    for first, until in ((0, 20), (20, 40), (40, 50), (50, 60)):
        made.run(until, first=first)
    made.log.close("interrupted")
    sink = Kept()
    follow(made.folder, sink)
    told = [figures for _, _, figures in sink.rows if "loss" in figures]
    assert [figures["alarm/slow"] for figures in told] == [0.0] * 20 + [1.0] * 20 + [0.0] * 20
    assert [figures["alarm/loss"] for figures in told] == [0.0] * 50 + [1.0] * 10
    assert {figures["alarm/energy"] for figures in told} == {0.0}


def test_a_log_that_is_not_there_is_said(tmp_path):
    with pytest.raises(InputError, match="no longer there"):
        follow(tmp_path, Kept())


def test_tensorboard_reads_what_it_was_handed(training, tmp_path):
    pytest.importorskip("torch")
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    made = training().run(50, skipped=[7])
    made.log.sample(49, "La séance", " est ouverte")
    made.log.close("finished")
    for _ in range(2):
        # The second call hides what the first one wrote.
        assert follow(made.folder, open_sink("tensorboard", str(tmp_path / "boards"), made.folder)) == 50
    events = reader.EventAccumulator(str(tmp_path / "boards" / "petit"))
    events.Reload()
    rates = events.Scalars("rate_factor")
    assert [event.step for event in rates] == list(range(50))
    assert rates[9].value == pytest.approx(0.5)
    assert rates[9].wall_time - rates[1].wall_time == pytest.approx(8 * 0.5)
    assert [event.value for event in events.Scalars("skipped")][6:9] == [0, 1, 0]
    assert "loss_by_source/débats" in events.Tags()["scalars"]
    assert all(b"est ouverte" not in file.read_bytes() for file in (tmp_path / "boards" / "petit").iterdir())


def test_mlflow_has_one_run_of_a_training_however_often_it_is_handed_over(training, tmp_path):
    mlflow = pytest.importorskip("mlflow")
    uri = (tmp_path / "runs").as_uri()
    made = training(groups=[("débats: 1<2", "fr")]).run(30)
    made.log.close("interrupted")
    assert follow(made.folder, open_sink("mlflow", uri, made.folder)) == 30
    # Resumed later, and followed by a new call.
    made.log = type(made.log)(made.folder, made.log.state, resume_step=30, groups=made.groups)
    made.log.state.state = "running"
    made.run(40, first=30)
    made.log.close("finished")
    assert follow(made.folder, open_sink("mlflow", uri, made.folder)) == 10
    client = mlflow.MlflowClient(tracking_uri=uri)
    (run,) = client.search_runs([client.get_experiment_by_name("hemicycle").experiment_id])
    assert (run.info.run_name, run.info.status) == ("petit", "FINISHED")
    assert run.data.params["device"] == "a test's processor"
    history = client.get_metric_history(run.info.run_id, "loss")
    assert [m.step for m in sorted(history, key=lambda m: m.step)] == list(range(40))
    assert "loss_by_source/débats: 1_2" in run.data.metrics


def test_a_server_that_mlflow_does_not_reach_is_said(training, monkeypatch):
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    made = training().run(5)
    with pytest.raises(InputError, match=r"127\.0\.0\.1:9: MLflow does not take it"):
        follow(made.folder, open_sink("mlflow", "http://127.0.0.1:9", made.folder))
