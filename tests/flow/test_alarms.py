"""A plan beside the project: it alters nothing that is built, and its alarms reach who waits."""

import json
import os
import re

import pytest

from hemicycle.train.expected import Expected, LossBand
from tests.flow.conftest import digests, hemicycle
from tests.flow.small import DECLARATION
from tests.train.launch import cluster

#: No model of this size comes to a tenth of a nat.
IMPOSSIBLE = Expected(
    "petit", "2026-11-26T10:00:00Z", "processor", 1, loss=LossBand((0.05,), (0.01,), (0.05,), (0.1,))
)
SITE = """
[sites.centre]
scheduler = "slurm"
[sites.centre.training]
cpus = 2
"""


def test_a_plan_is_in_no_key(built, copy):
    IMPOSSIBLE.write(copy / "plans" / "petit.json")
    said = json.loads(hemicycle("train", "--project", copy, "--json").stdout)
    assert {step["state"] for step in said["steps"]} == {"fresh"}
    assert digests(copy) == built[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--ranks", "2"],
        ["--on", "slurm"],
    ],
    ids=["here", "two ranks", "slurm"],
)
def test_an_alarm_is_said_to_who_waits_and_kept_in_the_statement(copy, tmp_path, monkeypatch, words):
    cluster.install(tmp_path / "cluster")
    monkeypatch.setenv("PATH", f"{tmp_path / 'cluster'}{os.pathsep}{os.environ['PATH']}")
    (copy / "sites.toml").write_text(SITE)
    # Checkpoints bring the log to disk: at a third, at two thirds, and then the end.
    kept = "batch_tokens = 512\ntraining = { keep = 2 }\n"
    (copy / "hemicycle.toml").write_text(DECLARATION.replace("batch_tokens = 512\n", kept), "utf-8")
    IMPOSSIBLE.write(copy / "plans" / "petit.json")
    done = hemicycle("train", "--project", copy, *words)
    # A slow machine brings the log to disk more often, and finds out sooner.
    (since,) = re.findall(r"ALARM loss, model petit, step (\d+): the mean loss of the last ", done.stderr)
    assert "  or: The text is not what the ladder was trained on" in done.stderr
    told = json.loads(hemicycle("train", "--project", copy, "--json").stdout)
    assert told["model"]["petit"]["alarms"] == {"loss": 40 - int(since)}
    (alarm,) = json.loads(hemicycle("watch", "petit", "--project", copy, "--json").stdout)["petit"]["alarms"]
    assert (alarm["name"], alarm["since"], alarm["planned"]) == ("loss", int(since), 0.1)
    hemicycle("verify", copy)
