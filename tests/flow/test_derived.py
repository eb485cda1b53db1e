"""What follows from a budget: said, kept in the lock, derived anew when what is declared changes."""

import json
import re
import shutil
import tomllib

import pytest

from tests.flow.conftest import hemicycle
from tests.flow.small import DECLARATION, make_project

#: Whole runs, each of some seconds.
pytestmark = pytest.mark.slow

DIAL = re.sub(r"architecture = .*\n|batch_tokens = .*\n", "", DECLARATION)


def lock_of(project):
    return tomllib.loads((project / "hemicycle.lock").read_text("utf-8"))


def declare(project, old, new):
    file = project / "hemicycle.toml"
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new), "utf-8")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    project = make_project(tmp_path_factory.mktemp("dial") / "essai", DIAL)
    return project, hemicycle("train", "--project", project)


def test_a_budget_alone_is_enough_and_every_choice_is_said_and_kept(trained):
    project, done = trained
    derived = lock_of(project)["derived"]["petit"]
    sizes = derived["architecture"]
    assert f"model petit: layers, width {sizes['layers']}, {sizes['width']}: " in done.stderr
    dry = hemicycle("train", "--dry-run", "--project", project).stdout
    assert f"{sizes['layers']}, {sizes['width']}" in dry
    said = json.loads(hemicycle("train", "--json", "--project", project).stdout)
    chosen = {choice["what"]: choice for choice in said["model"]["petit"]["choices"]}
    assert chosen["tokens"]["reason"].startswith("declared")
    assert chosen["heads"]["value"] == str(sizes["heads"])
    assert said["model"]["petit"]["parameters"] < 60_000, "twenty thousand tokens teach few parameters"


def test_the_lock_keeps_the_shape_until_the_budget_changes(trained, tmp_path):
    project = tmp_path / "essai"
    shutil.copytree(trained[0], project)
    before = lock_of(project)["derived"]["petit"]
    declare(project, "held_out = 0.2", "held_out = 0.25")
    hemicycle("train", "--project", project)
    assert lock_of(project)["derived"]["petit"] == before, "the text changed, and the shape was kept"
    declare(project, 'tokens = "20k"', 'tokens = "80k"')
    said = hemicycle("train", "--project", project).stderr
    assert "model petit: declared anew, so its shape and batch are derived anew" in said
    assert lock_of(project)["derived"]["petit"]["tokens"] == 80_000


def test_a_look_measures_nothing_for_minutes(tmp_path):
    project = make_project(tmp_path / "essai", DIAL.replace('tokens = "20k"', "minutes = 3"))
    hemicycle("tokenize", "--project", project)
    dry = hemicycle("train", "--dry-run", "--project", project)
    assert "layers, width" not in dry.stdout
    assert "derived" not in lock_of(project)


def test_a_ladder_without_a_model_made_from_nothing_is_an_error(tmp_path):
    elsewhere = re.sub(r"\[models\.petit\]\n", '[models.petit]\nmethod = "continue"\nfrom = "vieux"\n', DIAL)
    elsewhere = (
        elsewhere.replace('tokenizer = "fr"\n', "")
        + '\n[bases.vieux]\npath = "../vieux"\nlicence = "Apache-2.0"\n'
    )
    other = make_project(tmp_path / "essai", elsewhere)
    done = hemicycle("train", "--ladder", "--project", other, check=False)
    assert done.returncode == 2
    assert "no model is made from nothing" in done.stderr
