"""A whole project, small enough to be built in seconds: the bundled sittings and a model of 20 000 tokens."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from tests.flow.small import make_project


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
    """Step → artefact digest after a run.

    Left out are releases, which hold times and signatures, and roots, which hang on the project's own salt.
    """
    said = json.loads(hemicycle("run", folder, "--json", **options).stdout)
    made = [s for s in said["steps"] if s["stage"] not in ("release", "roots")]
    return {f"{s['stage']} {s['name']}": s["digest"] for s in made}


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """A project built once; tests that change it work on a copy."""
    folder = make_project(tmp_path_factory.mktemp("built") / "essai")
    return folder, digests(folder)


@pytest.fixture
def copy(built, tmp_path):
    shutil.copytree(built[0], tmp_path / "essai")
    return tmp_path / "essai"
