"""The store's way of writing one file."""

import os
import stat

import pytest

from hemicycle.store import write_aside


@pytest.mark.parametrize("left_behind", [False, True])
def test_a_private_file_is_its_owners_alone_from_its_first_byte(tmp_path, monkeypatch, left_behind):
    aside = tmp_path / f".salt.{os.getpid()}.aside"
    if left_behind:
        aside.write_bytes(b"of a killed process")
        aside.chmod(0o644)
    modes = []
    whole = os.fsync

    def seen(fd):
        modes.append(stat.S_IMODE(os.fstat(fd).st_mode))
        whole(fd)

    monkeypatch.setattr(os, "fsync", seen)
    before = os.umask(0o000)
    try:
        write_aside(tmp_path / "salt", b"x", private=True)
    finally:
        os.umask(before)
    assert modes[0] == stat.S_IMODE((tmp_path / "salt").stat().st_mode) == 0o600


def test_a_public_file_has_the_mode_that_its_owner_gives_to_files(tmp_path):
    before = os.umask(0o027)
    try:
        write_aside(tmp_path / "card", b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "card").stat().st_mode) == 0o640
