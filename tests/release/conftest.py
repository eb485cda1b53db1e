"""A miniature project for each test, and one release that nobody may change."""

from __future__ import annotations

from pathlib import Path

import pytest

from hemicycle.ledger.signatures import SigningKey

from .miniature import Miniature, build_miniature


@pytest.fixture
def miniature(tmp_path: Path) -> Miniature:
    return build_miniature(tmp_path / "project")


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Miniature:
    """The project behind `released`; nobody may change it."""
    return build_miniature(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="session")
def released(project: Miniature, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release nobody may change; tests that do, copy it."""
    return project.release(tmp_path_factory.mktemp("released") / "v0")


@pytest.fixture(scope="session")
def signer(project: Miniature) -> SigningKey:
    """The key that `released` is signed with."""
    return project.ledger.signing_key
