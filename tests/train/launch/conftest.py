"""Jobs whose loop is `rank.train`, in this process and in those that it starts."""

import os
import sys
from pathlib import Path

import pytest

from hemicycle.train.job import Job, Run
from hemicycle.train.recipe import Recipe
from hemicycle.train.shape import Shape

from . import rank

#: Python imports this before anything else: the loop is then the small program.
_SITE = """\
import sys, types
loop = types.ModuleType("hemicycle.train.loop")
def train(*arguments):
    from tests.train.launch.rank import train
    return train(*arguments)
loop.train = train
sys.modules["hemicycle.train.loop"] = loop
"""


@pytest.fixture(autouse=True)
def loop(tmp_path, monkeypatch):
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(_SITE)
    root = str(Path(__file__).parents[3])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site), root, *filter(None, sys.path)]))
    monkeypatch.setitem(sys.modules, "hemicycle.train.loop", rank)


@pytest.fixture
def make_job(tmp_path):
    """A job whose name says what goes wrong."""

    def make(name="fine", steps=30):
        for folder in ("out", "work", "log"):
            (tmp_path / folder).mkdir(exist_ok=True)
        return Job(
            name=name,
            plan=tmp_path / "plan",
            tokens={"debats": tmp_path / "tokens"},
            tokenizer=tmp_path / "tokenizer",
            out=tmp_path / "out",
            scratch=tmp_path / "work",
            log=tmp_path / "log",
            shape=Shape("llama", 1, 16, 1, 1, 16, 16, 16, True, 1, 1),
            recipe=Recipe("adamw", 1e-3, 1e-3, "wsd", 0.1, 0.1, 0.1, 0.1, 1.0, 0.0, False, 16, 0.0),
            run=Run(steps, 1, "fp32", False, 1),
        )

    return make


class Told:
    """Progress that keeps what it was told."""

    def __init__(self):
        self.said, self.bars = [], []

    def say(self, text):
        self.said.append(text)

    def start(self, what, total, unit=""):
        bar = ToldBar(what, total, unit)
        self.bars.append(bar)
        return bar


class ToldBar:
    def __init__(self, what, total, unit):
        self.what, self.total, self.unit, self.done, self.notes, self.open = what, total, unit, 0.0, [], False

    def __enter__(self):
        self.open = True
        return self

    def __exit__(self, *raised):
        self.open = False

    def advance(self, amount):
        self.done += amount

    def note(self, text):
        self.notes.append(text)


@pytest.fixture
def told():
    return Told()
