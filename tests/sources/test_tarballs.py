"""Tar archives: every file once, bounds, and no half archive taken for a whole one."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hemicycle.errors import HemicycleError, InputError
from hemicycle.sources import tarballs
from hemicycle.sources.tarballs import tar_members

FUZZ = int(os.environ.get("HEMICYCLE_FUZZ", "200"))


def tar_of(files: dict[str, bytes], **info: object) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            for key, value in info.items():
                setattr(member, key, value)
            tar.addfile(member, io.BytesIO(data))
    return out.getvalue()


def members(path: Path, data: bytes, limit: int = 1000) -> list[tuple[str, bytes]]:
    path.write_bytes(data)
    return list(tar_members(path, path.name, lambda name: not name.endswith(".pdf"), limit))


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_wanted_files_come_in_the_archives_order(tmp_path: Path, pack) -> None:
    data = pack(tar_of({"b/2.xml": b"two", "./a/1.xml": b"one", "x.pdf": b"pdf"}))
    assert members(tmp_path / "a.tar", data) == [("b/2.xml", b"two"), ("a/1.xml", b"one")]


@pytest.mark.parametrize("name", ["../a.xml", "/a.xml", "a/../../b.xml", "a\\b.xml", "a\nb.xml"])
def test_a_name_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="leads out"):
        members(tmp_path / "a.tar", tar_of({name: b"x"}))


def test_a_link_is_refused(tmp_path: Path) -> None:
    data = tar_of({"a.xml": b""}, type=tarfile.SYMTYPE, linkname="/etc/passwd")
    with pytest.raises(InputError, match="a link or a device"):
        members(tmp_path / "a.tar", data)


def test_a_file_above_the_bound_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^a.tar#a.xml: the file is bigger"):
        members(tmp_path / "a.tar", tar_of({"a.xml": b"x" * 1001}))


def test_a_gzip_bomb_ends_at_the_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tarballs, "MAX_UNPACKED", 100_000)
    data = gzip.compress(tar_of({f"{n}.pdf": bytes(1000) for n in range(200)}))
    assert len(data) < 10_000
    with pytest.raises(InputError, match="unpacks to more"):
        members(tmp_path / "a.tar.gz", data)


def test_too_many_members_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tarballs, "MAX_MEMBERS", 3)
    with pytest.raises(InputError, match="more than 3 members"):
        members(tmp_path / "a.tar", tar_of({f"{n}.xml": b"" for n in range(4)}))


def test_a_compress_archive_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="uncompress"):
        members(tmp_path / "a.taz", b"\x1f\x9d\x90aaaa")


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.9])
def test_an_archive_cut_short_is_refused(tmp_path: Path, pack, share: float) -> None:
    plain = tar_of({f"{n}.xml": os.urandom(700) for n in range(20)}).rstrip(b"\0")
    data = pack(plain)
    with pytest.raises(InputError):
        members(tmp_path / "a.tar", data[: int(len(data) * share)])


def test_a_broken_header_in_the_middle_is_not_the_end(tmp_path: Path) -> None:
    data = bytearray(tar_of({"a.xml": b"a" * 512, "b.xml": b"b" * 512, "c.xml": b"c" * 512}))
    data[1024 + 148 : 1024 + 156] = b"rubbish!"
    with pytest.raises(InputError, match="no proper header"):
        members(tmp_path / "a.tar", bytes(data))


GOOD = tar_of({"a/1.xml": b"<a/>", "b.pdf": b"x" * 600, "c.xml": b"y" * 700})


@settings(max_examples=FUZZ, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.binary(min_size=1, max_size=12)), max_size=5))
def test_altered_bytes_give_members_or_an_error(tmp_path: Path, changes) -> None:
    data = bytearray(GOOD)
    for position, new in changes:
        data[position : position + len(new)] = new
    with contextlib.suppress(HemicycleError):
        assert all(len(content) <= 1000 for _, content in members(tmp_path / "a.tar", bytes(data)))
