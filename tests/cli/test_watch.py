"""`hemicycle watch` from the command line."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request

import pytest

from hemicycle.project import load_project
from hemicycle.train.alarms import Alarm
from hemicycle.train.log import Log, RunState

from .conftest import MODEL


@pytest.fixture
def trained(project):
    """A project whose model has a log of three steps."""
    toml = project / "hemicycle.toml"
    toml.write_text(toml.read_text("utf-8") + MODEL, "utf-8")
    folder = load_project(project).build / ".cache" / "train" / "petit"
    log = Log(folder, RunState("petit", "running", 10, 1_000, 6_000, 1, "cpu"))
    for step in range(3):
        log.step(
            step=step, loss=5.0 - step, gradient_norm=1.0, rate_factor=1.0, tokens=100, learnt=99,
            skipped=False, seconds=0.5, data_seconds=0.0, memory=1_000,
        )  # fmt: skip
    log.close("interrupted")
    return project


def test_the_page_is_written_once(trained, call, tmp_path):
    out = tmp_path / "pages" / "petit.html"
    code, stdout, err = call("watch", "petit", "--project", trained, "--once", out)
    assert (code, stdout, err) == (0, "", f"wrote {out}\n")
    page = out.read_text("utf-8")
    assert "interrompu" in page
    assert "<polyline" in page


def test_figures_are_told_as_json(trained, call):
    code, out, _ = call("watch", "--project", trained, "--json")
    told = json.loads(out)["petit"]
    assert code == 0
    assert (told["state"], told["step"], told["steps"], told["tokens"]) == ("interrupted", 3, 10, 300)
    assert told["tokens_per_second"] == 200


def test_alarms_that_stand_are_told_as_json(trained, call):
    folder = load_project(trained).build / ".cache" / "train" / "petit"
    state = RunState.read(folder)
    state.alarms = [Alarm("data", 2, 0.3, 0.1, "30.0% of the last minute", ())]
    state.write(folder)
    told = json.loads(call("watch", "petit", "--project", trained, "--json")[1])["petit"]
    assert told["alarms"] == [
        {
            "name": "data",
            "since": 2,
            "figure": 0.3,
            "planned": 0.1,
            "sentence": "30.0% of the last minute",
            "causes": [],
        }
    ]


def test_a_model_that_has_not_begun_and_one_that_is_unknown_are_told_apart(trained, call):
    toml = trained / "hemicycle.toml"
    toml.write_text(toml.read_text("utf-8") + MODEL.partition("\n\n")[2].replace("petit", "grand"), "utf-8")
    code, _, err = call("watch", "grand", "--project", trained)
    assert (code, "it has not begun to train" in err) == (1, True)
    code, _, err = call("watch", "petti", "--project", trained)
    assert code == 2
    assert "no model is called “petti”" in err
    assert "Did you mean “petit”?" in err


def test_a_sink_needs_a_training_and_its_library(trained, call, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    code, _, err = call("watch", "petit", "--project", trained, "--to", "tensorboard", tmp_path / "boards")
    assert code == 1
    assert "pip install 'hemicycle[watch]'" in err
    code, _, err = call("watch", "petit", "--project", trained, "--to", "wandb", "x")
    assert code == 2


def test_the_server_serves_until_it_is_interrupted(trained):
    words = [sys.executable, "-m", "hemicycle", "watch", "--project", trained, "--port", "0"]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=os.environ)
    try:
        address = re.search(r"http://127\.0\.0\.1:\d+/", process.stderr.readline())[0]
        with urllib.request.urlopen(f"{address}petit.json", timeout=20) as answer:
            assert json.load(answer)["step"] == 3
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.stderr.close()
