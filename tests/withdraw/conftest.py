"""The letters, built once; tests that withdraw work on a copy."""

import shutil

import pytest

from tests.flow.conftest import hemicycle
from tests.withdraw.toy import make_toy


@pytest.fixture(scope="session")
def letters_built(tmp_path_factory):
    folder = make_toy(tmp_path_factory.mktemp("letters") / "lettres")
    hemicycle("run", folder)
    return folder


@pytest.fixture
def letters(letters_built, tmp_path):
    shutil.copytree(letters_built, tmp_path / "lettres")
    return tmp_path / "lettres"
