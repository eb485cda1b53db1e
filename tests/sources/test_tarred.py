"""Tar archives from outside: read member by member, refused when they are hostile, damaged or cut short."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.errors import HemicycleError, InputError
from hemicycle.sources import tarred
from hemicycle.sources.tarred import entries, members_of_stream, tar_files, tar_members
from tests.sources.made_tar import tar, taz

FUZZ = int(os.environ.get("HEMICYCLE_FUZZ", "200"))
FORMS = [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT]


def contents(path: Path, data: bytes, limit: int = 10_000_000) -> list[tuple[str, bytes]]:
    path.write_bytes(data)
    return [(m.name, m.read(limit)) for m in tar_members(path, path.name)]


def refusal(path: Path, data: bytes, limit: int = 10_000_000) -> InputError:
    with pytest.raises(InputError) as error:
        contents(path, data, limit)
    assert (error.value.place or "").startswith(path.name)
    return error.value


def files(folder: Path, data: bytes, limit: int = 1_000_000) -> list[tuple[str | None, bytes]]:
    path = folder / "a.taz"
    path.write_bytes(data)
    return [(f.member, f.data) for f in tar_files(path, "a.taz", limit=limit)]


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize("name", ["a.tar", "a.taz", "a.tar.bz2"])
def test_members_come_as_they_stand_however_they_are_packed_and_called(tmp_path, name, pack):
    members = [("b/é.txt", b"un\ndeux\n"), ("a.txt", b""), ("x" * 300, os.urandom(40_000))]
    assert contents(tmp_path / name, pack(tar(members))) == members


@pytest.mark.parametrize("fmt", FORMS)
def test_long_names_are_read_in_every_form(tmp_path, fmt):
    long = "d/" + "x" * (90 if fmt == tarfile.USTAR_FORMAT else 150) + "/" + "y" * 80
    assert contents(tmp_path / "a.tar", tar({long: b"2" * 700}, fmt)) == [(long, b"2" * 700)]


def test_names_come_in_their_plain_form_and_latin_1_is_read(tmp_path):
    data = tar({"./a//1.xml": b"one"}, tarfile.GNU_FORMAT)
    assert contents(tmp_path / "a.tar", data) == [("a/1.xml", b"one")]
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT, encoding="latin-1") as archive:
        archive.addfile(tarfile.TarInfo("né.xml"))
    assert contents(tmp_path / "a.tar", buffer.getvalue()) == [("né.xml", b"")]


def test_folders_are_passed_over_and_so_are_members_nobody_reads(tmp_path):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        folder = tarfile.TarInfo("d")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name, data in [("d/a", b"a" * 600), ("d/b", b"b" * 513), ("d/c", b"c")]:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    (tmp_path / "a.tar").write_bytes(buffer.getvalue())
    found = []
    for member in tar_members(tmp_path / "a.tar", "a.tar"):
        found.append(member.name)
        if member.name == "d/b":
            assert member.readline(10) == b"b" * 10
        if member.name == "d/c":
            assert member.read() == b"c"
    assert found == ["d/a", "d/b", "d/c"]


def test_a_member_is_gone_when_the_next_has_come(tmp_path):
    (tmp_path / "a.tar").write_bytes(tar({"a": b"1", "b": b"2"}))
    first, _ = tar_members(tmp_path / "a.tar", "a.tar")
    with pytest.raises(ValueError, match="closed file"):
        first.read()


def test_lines_are_read_up_to_a_bound(tmp_path):
    (tmp_path / "b.tar").write_bytes(tar({"a": b"12\n345"}))
    for member in tar_members(tmp_path / "b.tar", "b.tar"):
        lines = [member.readline(2), member.readline(9), member.readline(9), member.readline(9)]
        assert lines == [b"12", b"\n", b"345", b""]


def test_a_size_in_bytes_is_read_like_one_in_digits(tmp_path):
    info = tarfile.TarInfo("a")
    info.size = 3
    header = bytearray(info.tobuf(tarfile.USTAR_FORMAT))
    header[124:136] = b"\x80" + (3).to_bytes(11, "big")
    header[148:156] = b"%06o\0 " % (sum(header[:148]) + sum(header[156:]) + 8 * 32)
    assert contents(tmp_path / "a.tar", bytes(header) + b"abc" + bytes(2_000)) == [("a", b"abc")]


def test_links_and_devices_are_told_to_who_asks_for_every_entry():
    data = tar({"a": b""}, kind=tarfile.SYMTYPE)
    found = [
        (e.name, e.kind, e.target) for e in entries(io.BytesIO(data), "a", consumed=None, total=None, most=9)
    ]
    assert found == [("a", "link", "/etc/passwd")]


# Several files held together


@pytest.mark.parametrize("fmt", FORMS)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_files_held_together_come_in_the_order_of_their_names(tmp_path, fmt, pack):
    data = pack(tar({"c.xml": b"2", "b.xml": b"1", "é.xml": b""}, fmt))
    assert files(tmp_path, data) == [("b.xml", b"1"), ("c.xml", b"2"), ("é.xml", b"")]


def test_a_tar_in_a_tar_is_read_in_place(tmp_path):
    assert files(tmp_path, taz({"CRI_1.xml": b"<a/>"})) == [("AN_2031001.tar/CRI_1.xml", b"<a/>")]
    with pytest.raises(InputError, match="too deep"):
        files(tmp_path, tar({"a.tar": tar({"b.tar": tar({"c.xml": b"x"})})}))


def test_only_what_is_wanted_is_held_also_of_an_inner_tar(tmp_path):
    path = tmp_path / "a.tar"
    path.write_bytes(tar({"i.tar": tar({"big.pdf": bytes(2_000), "a.xml": b"x"}), "b.pdf": bytes(2_000)}))
    found = tar_files(path, "a.tar", lambda name: name.endswith(".xml"), limit=1_000)
    assert [(f.member, f.data, f.place) for f in found] == [("i.tar/a.xml", b"x", "a.tar#i.tar/a.xml")]


def test_two_members_of_one_name_are_refused_where_they_are_held(tmp_path):
    with pytest.raises(InputError, match="two members"):
        files(tmp_path, tar([("a.xml", b"x"), ("./a.xml", b"y")]))


def test_what_is_held_is_bounded_inner_tars_included(tmp_path, monkeypatch):
    monkeypatch.setattr(tarred, "HELD_BYTES", 20_000)
    with pytest.raises(InputError, match="more than 20,000 bytes"):
        files(tmp_path, taz({f"{n}.xml": os.urandom(1_000) for n in range(20)}))
    monkeypatch.undo()
    monkeypatch.setattr(tarred, "HELD_MEMBERS", 3)
    with pytest.raises(InputError, match="more than 3 members"):
        files(tmp_path, taz({f"{n}.xml": b"" for n in range(4)}))


# What is refused


def test_a_hostile_name_is_spelled_out_in_what_is_told(tmp_path):
    error = refusal(tmp_path / "a.tar", tar({"x\nerror: all is well\x1b[2J.xml": b"x"}))
    assert error.what == r"the name “x\nerror: all is well\x1b[2J.xml” climbs out of the archive, or is none"
    error = refusal(tmp_path / "a.tar", tar({"x\n.xml": b""}, kind=tarfile.SYMTYPE))
    assert "\n" not in f"{error.place} {error.what}"


@pytest.mark.parametrize(
    "name", ["../a", "/etc/a", "a/../../b", "C:a", "a\\b", "..\\up.xml", "a\nb.xml", "/a.xml"]
)
def test_a_name_that_climbs_out_is_refused(tmp_path, name):
    assert "climbs out" in refusal(tmp_path / "a.tar", tar({name: b"x"})).what
    with pytest.raises(InputError, match="climbs out"):
        files(tmp_path, tar({"i.tar": tar({name: b"x"})}))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, b"Y"])
def test_links_and_devices_are_refused(tmp_path, kind):
    assert "neither a file nor a folder" in refusal(tmp_path / "a.tar", tar({"a": b""}, kind=kind)).what


def test_a_sparse_file_is_refused_in_every_form(tmp_path):
    assert "sparse" in refusal(tmp_path / "a.tar", tar({"a": b""}, kind=tarfile.GNUTYPE_SPARSE)).what
    info = tarfile.TarInfo("a")
    info.pax_headers = {"GNU.sparse.realsize": "9999999999"}
    data = info.tobuf(tarfile.PAX_FORMAT) + bytes(1_024)
    assert "neither a file nor a folder" in refusal(tmp_path / "a.tar", data).what


def test_a_cut_archive_is_refused_wherever_it_is_cut(tmp_path):
    whole = tar({"a.txt": b"un " * 400, "b.txt": b"deux " * 300}, tarfile.USTAR_FORMAT)
    packed = gzip.compress(whole)
    for length in [0, 100, 512, 700, 1_800, 2_048, 2_400, 4_096]:
        assert "cut short" in refusal(tmp_path / "a.tar", whole[:length]).what, length
    for length in range(0, len(packed), 7):
        assert "cut short" in refusal(tmp_path / "a.tar.gz", packed[:length]).what, length


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_the_checksum_behind_the_end_mark_is_compared(tmp_path, pack):
    data = bytearray(pack(tar({"a.txt": os.urandom(2_000)})))
    data[-6] ^= 1
    refusal(tmp_path / "a.tar", bytes(data))


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.9])
def test_an_archive_without_its_end_mark_is_refused(tmp_path, share):
    plain = tar({f"{n}.xml": os.urandom(700) for n in range(20)}).rstrip(b"\0")
    refusal(tmp_path / "a.tar", plain[: int(len(plain) * share)])


def test_a_broken_header_in_the_middle_is_not_the_end(tmp_path):
    data = bytearray(tar({name: name.encode() * 512 for name in "abc"}, tarfile.GNU_FORMAT))
    data[1024 + 148 : 1024 + 156] = b"rubbish!"
    assert "no proper header" in refusal(tmp_path / "a.tar", bytes(data)).what
    data[1024:1536] = bytes(512)
    assert "behind its end mark" in refusal(tmp_path / "a.tar", bytes(data)).what


def test_a_bomb_is_stopped_by_what_comes_out_of_it(tmp_path):
    bomb = gzip.compress(tar({"a.xml": bytes(60_000_000)}))
    assert "200 times" in refusal(tmp_path / "a.tar.gz", bomb, limit=10**9).what
    with pytest.raises(InputError, match="200 times"):
        files(tmp_path, bomb, 10**9)
    behind = gzip.compress(tar({"a.xml": b"x"}) + bytes(60_000_000))
    assert "200 times" in refusal(tmp_path / "a.tar.gz", behind).what


def test_a_bomb_nobody_reads_ends_at_the_bound(tmp_path):
    data = gzip.compress(tar({f"{n}.pdf": bytes(100_000) for n in range(200)}))
    (tmp_path / "a.tar").write_bytes(data)
    with pytest.raises(InputError, match="200 times"):
        list(tar_members(tmp_path / "a.tar", "a.tar"))


def test_a_stream_ends_at_the_total_it_may_have():
    data = tar({"a": bytes(5_000)})
    with pytest.raises(InputError, match="more than 4,000 bytes"):
        list(members_of_stream(io.BytesIO(data), "a", consumed=None, total=4_000))


def test_too_many_members_are_refused():
    data = tar({f"{n}.xml": b"" for n in range(4)})
    with pytest.raises(InputError, match="more than 3 members"):
        list(members_of_stream(io.BytesIO(data), "a", consumed=None, most=3))


def test_a_name_of_gigabytes_is_refused_before_it_is_read(tmp_path):
    for kind in [tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE]:
        info = tarfile.TarInfo("././@LongLink")
        info.type, info.size = kind, 7 * 2**30
        data = info.tobuf(tarfile.GNU_FORMAT) + bytes(10_240)
        assert "claims" in refusal(tmp_path / "a.tar", data).what


def test_xz_that_asks_for_too_much_memory_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(tarred, "XZ_MEMORY", 1 << 16)
    assert "Memory usage limit" in refusal(tmp_path / "a.tar.xz", lzma.compress(tar({"a": b"x"}))).what


def test_a_member_bigger_than_its_limit_is_refused(tmp_path):
    error = refusal(tmp_path / "a.tar", tar({"a": bytes(11)}), limit=10)
    assert (error.what[:33], error.place) == ("the file is bigger than 10 bytes,", "a.tar#a")


def test_a_format_that_is_not_read_is_told_apart(tmp_path):
    error = refusal(tmp_path / "a.taz", b"\x1f\x9d\x90abc")
    assert "compress" in error.what
    assert "gzip -d" in (error.remedy or "")


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@settings(max_examples=FUZZ, deadline=None)
@given(changes=st.lists(st.tuples(st.integers(0, 5_000), st.binary(max_size=12)), max_size=6))
def test_any_damage_gives_members_or_an_error_and_nothing_else(tmp_path_factory, pack, changes):
    data = tar({"x" * 120 + ".xml": b"a" * 30, "b.tar": tar({"c.xml": b"d"}), "é": b"y" * 700})
    for at, noise in changes:
        data = data[:at] + noise + data[at + len(noise) :]
    folder = tmp_path_factory.mktemp("tar")
    for read in (lambda: files(folder, pack(data)), lambda: contents(folder / "a.tar", pack(data))):
        with contextlib.suppress(HemicycleError):
            read()


@settings(max_examples=FUZZ, deadline=None)
@given(st.binary(max_size=1_200), st.sampled_from(["", "\x1f\x8b\x08", "BZh91AY&SY", "\xfd7zXZ\0"]))
def test_any_bytes_give_members_or_an_error(tmp_path_factory, data, start):
    with contextlib.suppress(HemicycleError):
        contents(tmp_path_factory.mktemp("tar") / "a.tar", start.encode("latin-1") + data)


@settings(max_examples=FUZZ, deadline=None)
@given(
    st.dictionaries(st.text("abcé/ü.", min_size=1, max_size=120), st.binary(max_size=1_100), max_size=4),
    st.sampled_from(FORMS[:2]),
)
def test_what_the_standard_library_reads_is_read_alike(tmp_path_factory, members, fmt):
    data = tar(members, fmt)
    found = [(e.name, e.read()) for e in entries(io.BytesIO(data), "a", consumed=None, total=None, most=99)]
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        assert [(name.rstrip("/"), read) for name, read in found] == [
            (i.name.rstrip("/"), archive.extractfile(i).read()) for i in archive.getmembers()
        ]
