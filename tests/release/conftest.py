"""A miniature project for each test, and one release that nobody may change."""

from __future__ import annotations

from pathlib import Path

import pytest
from miniature import Miniature, build_miniature


@pytest.fixture
def miniature(tmp_path: Path) -> Miniature:
    return build_miniature(tmp_path / "project")


@pytest.fixture(scope="session")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release nobody may change; tests that do, copy it."""
    root = tmp_path_factory.mktemp("released")
    return build_miniature(root / "project").release(root / "v0")
