"""A ladder from end to end: one dial turned, small models trained, the model above them forecast."""

import json
import re
import shutil

import pytest

from hemicycle.store import digest_files
from tests.flow.conftest import hemicycle
from tests.flow.small import DECLARATION, make_project

pytestmark = pytest.mark.slow

#: Five hundred steps: fewer leave no room below.
LONGER = (
    DECLARATION.replace("width = 32", "width = 48")
    .replace("context = 64", "context = 32")
    .replace('"20k"', '"256k"')
)


@pytest.fixture(scope="module")
def climbed(tmp_path_factory):
    project = make_project(tmp_path_factory.mktemp("ladder") / "essai", LONGER)
    return project, hemicycle("train", "petit", "--ladder", "--project", project)


def scaling(project):
    (folder,) = (project / "build" / "scaling").glob("petit-*")
    return folder


def test_a_ladder_says_what_its_law_says_of_the_model(climbed):
    project, done = climbed
    said = json.loads((scaling(project) / "scaling.json").read_text())
    assert "8 small trainings" in done.stderr
    assert len(said["points"]) == 8
    assert [p["name"] for p in said["points"]] == [f"petit.{n}" for n in range(1, 9)]
    predicted = said["target"]["predicted"]
    assert predicted["low"] < predicted["value"] < predicted["high"]
    assert predicted["value"] < min(p["loss"] for p in said["points"]), "a larger model is better"
    assert f"{predicted['value']:.2f} [{predicted['low']:.2f}, {predicted['high']:.2f}]" in done.stdout
    assert not (project / "build" / "model").exists(), "the model itself was not asked for"


def test_run_again_it_trains_nothing_and_gc_keeps_it(climbed):
    project, _ = climbed
    before = digest_files(scaling(project))
    again = json.loads(hemicycle("train", "petit", "--ladder", "--json", "--project", project).stdout)
    assert {step["state"] for step in again["steps"]} == {"fresh"}
    assert (
        again["scaling"]["petit"]["target"]
        == json.loads((scaling(project) / "scaling.json").read_text())["target"]
    )
    assert hemicycle("gc", project).stdout == "nothing to delete\n"
    assert digest_files(scaling(project)) == before


def test_a_model_that_begins_from_another_has_no_ladder(climbed, tmp_path):
    more = LONGER + '[models.suite]\nmethod = "continue"\nfrom = "petit"\ncorpora = { debats = 1.0 }\n'
    project = make_project(tmp_path / "essai", more + 'budget = { tokens = "20k" }\n')
    done = hemicycle("train", "suite", "--ladder", "--project", project, check=False)
    assert done.returncode == 2
    assert "model suite begins from petit, and a ladder is of models made from nothing" in done.stderr


def test_gc_goes_on_where_a_model_with_rungs_now_begins_from_another(climbed, tmp_path):
    project = tmp_path / "essai"
    shutil.copytree(climbed[0], project)
    text = re.sub(r"(architecture|tokenizer) = .*\n(?=architecture|budget)", "", LONGER)
    text = text.replace("[models.petit]", '[models.petit]\nmethod = "continue"\nfrom = "vieux"')
    (project / "hemicycle.toml").write_text(text + '[bases.vieux]\npath = "../vieux"\nlicence = "MIT"\n')
    assert "rung" in hemicycle("gc", project, "--dry-run").stdout
