"""A project whose model is trained elsewhere: by several processes here, or by a job of Slurm."""

import json
import os
import shutil

import pytest

from tests.flow.conftest import hemicycle
from tests.train.launch import cluster

SITE = """
[sites.centre]
scheduler = "slurm"
[sites.centre.training]
cpus = 2
"""


@pytest.fixture
def untrained(copy):
    """A project of which all but the model is built."""
    shutil.rmtree(copy / "build" / "model")
    (copy / "sites.toml").write_text(SITE)
    return copy


def train(project, *words):
    hemicycle("train", "--project", project, *words)
    told = json.loads(hemicycle("train", "--project", project, "--json").stdout)
    (figures,) = told["model"].values()
    return figures


@pytest.mark.slow
def test_two_processes_make_the_model_whole(untrained):
    assert train(untrained, "--ranks", "2")["ranks"] == 2
    (model,) = (untrained / "build" / "model").iterdir()
    assert {"model.safetensors", "config.json", "training.json", "exposure.parquet"} <= {
        path.name for path in model.iterdir()
    }
    hemicycle("verify", untrained)


@pytest.mark.slow
def test_a_job_of_slurm_makes_the_model_whole(untrained, tmp_path, monkeypatch):
    cluster.install(tmp_path / "cluster")
    monkeypatch.setenv("PATH", f"{tmp_path / 'cluster'}{os.pathsep}{os.environ['PATH']}")
    assert train(untrained, "--on", "slurm")["ranks"] == 1
    hemicycle("verify", untrained)
    assert not list((untrained / "build" / ".staging").iterdir())


def test_a_dry_run_on_slurm_prints_the_script_of_each_model_that_would_be_trained(untrained):
    said = hemicycle("train", "--project", untrained, "--on", "slurm", "--nodes", "4", "--dry-run").stdout
    assert said.count("#!/bin/bash") == 1
    assert "#SBATCH --nodes=4\n" in said
    assert f"work={untrained}/build/.staging/KEY/work\n" in said
    (untrained / "sites.toml").unlink()
    refused = hemicycle("train", "--project", untrained, "--on", "slurm", "--dry-run", check=False)
    assert refused.returncode == 2
