"""Tar files from outside: read member by member, and refused when they are hostile, damaged or cut short."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import os
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.errors import InputError
from hemicycle.sources.tarred import tar_members

EXAMPLES = int(os.environ.get("HEMICYCLE_FUZZ", "200"))


def tarred(members, kind=tarfile.REGTYPE, form=tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size, info.type = len(data), kind
            if kind != tarfile.REGTYPE:
                info.linkname, info.size = "/etc/passwd", 0
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def contents(path, data, limit=10_000_000):
    path.write_bytes(data)
    return [(m.name, m.read(limit)) for m in tar_members(path, path.name)]


def refusal(path, data, limit=10_000_000) -> str:
    with pytest.raises(InputError) as error:
        contents(path, data, limit)
    assert error.value.place.startswith("a.tar")
    return error.value.what


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("a.tar", lambda d: d),
        ("a.tar.gz", gzip.compress),
        ("a.tgz", gzip.compress),
        ("a.tar.bz2", bz2.compress),
        ("a.tar.xz", lzma.compress),
    ],
)
def test_members_come_as_they_stand_however_they_are_packed(tmp_path, name, pack):
    members = [("b/é.txt", b"un\ndeux\n"), ("a.txt", b""), ("x" * 300, os.urandom(40_000))]
    assert contents(tmp_path / name, pack(tarred(members))) == members


def test_lines_are_read_up_to_a_bound(tmp_path):
    (tmp_path / "b.tar").write_bytes(tarred([("a", b"12\n345")]))
    for member in tar_members(tmp_path / "b.tar", "b.tar"):
        assert [member.readline(2), member.readline(9), member.readline(9), member.readline(9)] == [
            b"12",
            b"\n",
            b"345",
            b"",
        ]


@pytest.mark.parametrize("name", ["../a", "/etc/a", "a/../../b", "C:a", "a\\b"])
def test_a_name_that_climbs_out_is_refused(tmp_path, name):
    assert "climbs out" in refusal(tmp_path / "a.tar", tarred([(name, b"x")]))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(tmp_path, kind):
    assert "neither a file nor a folder" in refusal(tmp_path / "a.tar", tarred([("a", b"")], kind))


def test_a_cut_archive_is_refused_wherever_it_is_cut(tmp_path):
    whole = tarred([("a.txt", b"un " * 400), ("b.txt", b"deux " * 300)], form=tarfile.USTAR_FORMAT)
    packed = gzip.compress(whole)
    for length in [0, 100, 512, 700, 1_800, 2_048, 2_400, 4_096]:
        assert "cut short" in refusal(tmp_path / "a.tar", whole[:length]), length
    for length in range(1, len(packed), 7):
        assert "cut short" in refusal(tmp_path / "a.tar.gz", packed[:length]), length


def test_a_bomb_is_stopped_by_what_comes_out_of_it(tmp_path):
    bomb = gzip.compress(tarred([("a", bytes(60_000_000))]))
    assert "200 times" in refusal(tmp_path / "a.tar.gz", bomb, limit=10**9)


def test_a_name_of_gigabytes_is_refused_before_it_is_read(tmp_path):
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 7 * 2**30
    assert "claims" in refusal(tmp_path / "a.tar", info.tobuf(tarfile.GNU_FORMAT) + bytes(10_240))


def test_a_member_bigger_than_its_limit_is_refused(tmp_path):
    with pytest.raises(InputError, match="bigger than 10 bytes"):
        contents(tmp_path / "a.tar", tarred([("a", bytes(11))]), limit=10)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.data())
def test_damage_never_raises_anything_else(tmp_path_factory, data):
    whole = bytearray(tarred([("a.txt", b"un " * 200), ("x" * 200, b"deux")]))
    for _ in range(data.draw(st.integers(1, 8))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("tar") / "a.tar"
    with contextlib.suppress(InputError):
        contents(path, bytes(whole))
