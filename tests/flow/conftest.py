"""A whole project, small enough to be built in seconds: the bundled sittings and a model of 20 000 tokens."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "petit-hemicycle"

DECLARATION = """
[project]
name = "essai"
jurisdictions = ["FR", "BE"]
license = "Apache-2.0"

[corpora.debats]
sources = ["sittings"]
held_out = 0.2

[tokenizers.fr]
corpus = "debats"
vocab = 512

[models.petit]
corpora = { debats = 1.0 }
tokenizer = "fr"
architecture = { layers = 2, width = 32, heads = 2, context = 64 }
budget = { tokens = "20k" }
batch_tokens = 512

[evaluations.base]
models = ["petit"]

[releases.v0]
model = "petit"
"""


def make_project(folder, declaration=DECLARATION):
    (folder / "sources").mkdir(parents=True)
    (folder / "hemicycle.toml").write_text(declaration, "utf-8")
    shutil.copytree(EXAMPLE / "sittings", folder / "sittings")
    shutil.copyfile(EXAMPLE / "sources" / "sittings.toml", folder / "sources" / "sittings.toml")
    return folder


def hemicycle(*words, check=True, **options):
    """Run the command line as a user would; returns the finished process."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "hemicycle", *map(str, words)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=500,
        **options,
    )
    if check:
        assert done.returncode == 0, done.stderr[-4000:]
    return done


def digests(folder, **options):
    """Step → artefact digest after a run; releases hold times and signatures and are left out."""
    said = json.loads(hemicycle("run", folder, "--json", **options).stdout)
    return {f"{s['stage']} {s['name']}": s["digest"] for s in said["steps"] if s["stage"] != "release"}


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """A project built once; tests that change it work on a copy."""
    folder = make_project(tmp_path_factory.mktemp("built") / "essai")
    return folder, digests(folder)


@pytest.fixture
def copy(built, tmp_path):
    shutil.copytree(built[0], tmp_path / "essai")
    return tmp_path / "essai"
