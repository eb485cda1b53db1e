"""The letters, built once; tests that withdraw work on a copy."""

import shutil

import pytest

from tests.flow.conftest import hemicycle
from tests.withdraw.toy import DECLARATION, RELEASED, make_toy


@pytest.fixture(scope="session")
def letters_built(tmp_path_factory):
    folder = make_toy(tmp_path_factory.mktemp("letters") / "lettres", DECLARATION + RELEASED)
    hemicycle("run", folder)
    return folder


@pytest.fixture
def released(letters_built, tmp_path):
    shutil.copytree(letters_built, tmp_path / "lettres")
    return tmp_path / "lettres"


@pytest.fixture
def letters(released):
    """Without what is made of the model, which takes longer than to train it."""
    (released / "hemicycle.toml").write_text(DECLARATION, "utf-8")
    return released
