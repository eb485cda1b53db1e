"""The demo project, made small enough to be built in seconds: its own sittings, and one source to refuse."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from .pages import ROOT
from .shell import Shell

EXAMPLE = ROOT / "examples" / "petit-hemicycle"

#: What takes time in the demo → what takes none. Names stay, so that its commands are those of the pages.
SMALLER = {
    r"sources = \[.*?\]": 'sources = ["sittings", "manpages-fr"]',
    r"minutes = 3": 'tokens = "8k"',
}
#: The same of the example that answers.
SMALLER_DIALOGUE = {
    r"vocab = 2048": "vocab = 512",
    r"layers = 4, width = \d+, heads = \d+, context": "layers = 2, width = 32, heads = 2, context",
    r'tokens = "100k"': 'tokens = "12k"',
    r'tokens = "\d+k" }\n\Z': 'tokens = "12k" }\ntraining = { rate = 5e-3 }\n',
}
#: Stands in for the package, which a test cannot fetch; refused for the same reason.
REFUSED = """
title = "Pages de manuel en français"
reader = "text"
path = "manpages"
[rights]
licence = "GPL-3.0-or-later"
attested_by = "the documentation's tests"
"""


def plain_text(sitting: Path) -> str:
    """The words of a sitting, one paragraph a line: somebody's own text files."""
    paragraphs = re.findall(r"<texte>(.*?)</texte>", sitting.read_text("utf-8"), re.DOTALL)
    return "\n".join(re.sub(r"<[^>]+>", "", p).strip() for p in paragraphs) + "\n"


def smaller(declaration: str, changes: Mapping[str, str]) -> str:
    for pattern, instead in changes.items():
        declaration, found = re.subn(pattern, instead, declaration, count=1)
        assert found, f"the example no longer declares {pattern!r}"
    return declaration


def make_small_dialogue(folder: Path) -> None:
    example = EXAMPLE.parent / "petit-dialogue"
    shutil.copytree(example, folder, ignore=shutil.ignore_patterns("build", "ledger", ".hemicycle", "*.lock"))
    declaration = (example / "hemicycle.toml").read_text("utf-8")
    (folder / "hemicycle.toml").write_text(smaller(declaration, SMALLER_DIALOGUE), "utf-8")


def make_small(folder: Path) -> None:
    declaration = smaller((EXAMPLE / "hemicycle.toml").read_text("utf-8"), SMALLER)
    (folder / "sources").mkdir(parents=True)
    (folder / "hemicycle.toml").write_text(declaration, "utf-8")
    shutil.copytree(EXAMPLE / "sittings", folder / "sittings")
    shutil.copyfile(EXAMPLE / "sources" / "sittings.toml", folder / "sources" / "sittings.toml")
    (folder / "sources" / "manpages-fr.toml").write_text(REFUSED, "utf-8")
    (folder / "manpages").mkdir()
    (folder / "manpages" / "ls.1.txt").write_text("ls affiche le contenu des répertoires. " * 10, "utf-8")


@pytest.fixture(scope="session")
def clearing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the pages suppose it: the demo built, and some texts of one's own. Not to be written to."""
    folder = tmp_path_factory.mktemp("clearing")
    project = folder / "examples" / "petit-hemicycle"
    make_small(project)
    make_small_dialogue(project.with_name("petit-dialogue"))
    texts = folder / "my-texts"
    texts.mkdir()
    for number, sitting in enumerate(sorted(project.glob("sittings/*.xml"))[:3], 1):
        (texts / f"text-{number}.txt").write_text(plain_text(sitting), "utf-8")
    done = Shell(folder).run("hemicycle run examples/petit-hemicycle")
    assert done.code == 0, done.output
    return folder


@pytest.fixture
def shell(clearing: Path, tmp_path: Path) -> Shell:
    """A shell in a fresh copy of the clearing."""
    folder = tmp_path / "here"
    shutil.copytree(clearing, folder)
    return Shell(folder)
