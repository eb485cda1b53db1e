"""Tar archives from outside: read in place, and refused when they are hostile or damaged."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.errors import HemicycleError, InputError
from hemicycle.sources.tarred import tar_files
from tests.sources.made_tar import tar, taz

FUZZ = int(os.environ.get("HEMICYCLE_FUZZ", "200"))


def found(folder, data, limit=1_000_000):
    path = folder / "a.taz"
    path.write_bytes(data)
    return [(f.member, f.data) for f in tar_files(path, "a.taz", limit)]


def refusal(folder, data, limit=1_000_000) -> InputError:
    with pytest.raises(InputError) as error:
        found(folder, data, limit)
    return error.value


@pytest.mark.parametrize("fmt", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
@pytest.mark.parametrize("packed", [False, True])
def test_members_come_in_the_order_of_their_names_whatever_the_form(tmp_path, fmt, packed):
    long = "d/" + "x" * (90 if fmt == tarfile.USTAR_FORMAT else 150) + ".xml"
    data = tar({long: b"2" * 700, "b.xml": b"1", "é.xml": b""}, fmt)
    assert found(tmp_path, gzip.compress(data) if packed else data) == [
        ("b.xml", b"1"),
        (long, b"2" * 700),
        ("é.xml", b""),
    ]


def test_a_tar_in_a_tar_is_read_in_place(tmp_path):
    assert found(tmp_path, taz({"CRI_1.xml": b"<a/>"})) == [("AN_2031001.tar/CRI_1.xml", b"<a/>")]
    deep = tar({"a.tar": tar({"b.tar": tar({"c.xml": b"x"})})})
    assert "too deep" in refusal(tmp_path, deep).what


@pytest.mark.parametrize("name", ["../up.xml", "a/../../up.xml", "/etc/up.xml", "..\\up.xml", "C:up.xml"])
def test_a_name_that_climbs_out_is_refused(tmp_path, name):
    assert "climbs out" in refusal(tmp_path, tar({name: b"x"})).what


def test_what_is_no_plain_file_or_there_twice_is_refused(tmp_path):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        info = tarfile.TarInfo("link.xml")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(info)
    assert "no plain file" in refusal(tmp_path, buffer.getvalue()).what
    twice = tar({"a.xml": b"x"})[:1024] + tar({"a.xml": b"y"})
    assert "two members" in refusal(tmp_path, twice).what


def test_a_bomb_a_big_member_and_a_format_that_is_not_read_are_refused(tmp_path):
    assert "200 times" in refusal(tmp_path, gzip.compress(tar({"a.xml": b" " * 9_000_000})), 10**7).what
    assert "bigger than 1,000 bytes" in refusal(tmp_path, tar({"a.xml": b"x" * 1_001}), 1_000).what
    compressed = refusal(tmp_path, b"\x1f\x9d\x90abc")
    assert "compress" in compressed.what
    assert "gzip -d" in (compressed.remedy or "")


@pytest.mark.parametrize("keep", [0, 100, 600, 900])
@pytest.mark.parametrize("packed", [False, True])
def test_a_damaged_archive_is_refused(tmp_path, keep, packed):
    data = tar({"a.xml": os.urandom(900)})
    data = gzip.compress(data)[:keep] if packed else data[:keep]
    assert "damaged" in refusal(tmp_path, data).what


@settings(max_examples=FUZZ, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3_000), st.binary(max_size=12)), max_size=5), st.booleans())
def test_any_bytes_are_read_or_refused_and_nothing_else(tmp_path_factory, damage, packed):
    data = tar({"x" * 120 + ".xml": b"a" * 30, "b.tar": tar({"c.xml": b"d"})})
    for at, noise in damage:
        data = data[:at] + noise + data[at + len(noise) :]
    with contextlib.suppress(HemicycleError):
        found(tmp_path_factory.mktemp("tar"), gzip.compress(data) if packed else data)
