"""Zip files from outside: read member by member, and refused when they are hostile or damaged."""

from __future__ import annotations

import io
import zipfile

import pytest

from hemicycle.errors import InputError
from hemicycle.project import Card
from hemicycle.sources.zipped import xml_files

CARD = Card(title="t", reader="syceron", path=".")


def zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def refusal(folder, limit=1_000_000) -> InputError:
    with pytest.raises(InputError) as error:
        list(xml_files(folder, CARD, limit))
    return error.value


def test_members_come_in_the_order_of_their_names_between_loose_files(tmp_path):
    (tmp_path / "a.xml").write_bytes(b"<a/>")
    (tmp_path / "b.zip").write_bytes(zipped(**{"xml/2.xml": b"<two/>", "xml/1.xml": b"<one/>"}))
    (tmp_path / "c.XML").write_bytes(b"<c/>")
    found = list(xml_files(tmp_path, CARD))
    assert [(f.place, f.data) for f in found] == [
        ("a.xml", b"<a/>"),
        ("b.zip#xml/1.xml", b"<one/>"),
        ("b.zip#xml/2.xml", b"<two/>"),
        ("c.XML", b"<c/>"),
    ]


@pytest.mark.parametrize("name", ["../up.xml", "a/../../up.xml", "/etc/up.xml", "..\\up.xml", "C:up.xml"])
def test_a_name_that_climbs_out_is_refused(tmp_path, name):
    (tmp_path / "slip.zip").write_bytes(zipped(**{name: b"<a/>"}))
    assert "climbs out" in refusal(tmp_path).what
    assert refusal(tmp_path).place == f"slip.zip#{name}"


def test_a_hostile_name_is_spelled_out_in_what_is_told(tmp_path):
    (tmp_path / "a.zip").write_bytes(zipped(**{"../x\nerror: all is well\x1b[2J\u202e.xml": b"<a/>"}))
    error = refusal(tmp_path)
    assert error.place == r"a.zip#../x\nerror: all is well\x1b[2J\u202e.xml"


def test_an_absurd_ratio_is_refused(tmp_path):
    (tmp_path / "bomb.zip").write_bytes(zipped(**{"a.xml": b"<a>" + b" " * 900_000 + b"</a>"}))
    assert "200 times" in refusal(tmp_path).what


def test_a_small_member_may_compress_very_well(tmp_path):
    (tmp_path / "small.zip").write_bytes(zipped(**{"a.xml": b"<a>" + b" " * 90_000 + b"</a>"}))
    assert len(list(xml_files(tmp_path, CARD))) == 1


def test_an_oversized_member_is_refused(tmp_path):
    (tmp_path / "big.zip").write_bytes(zipped(**{"a.xml": bytes(range(1, 256)) * 8}))
    assert "bigger than 1,000 bytes" in refusal(tmp_path, limit=1_000).what


def test_a_member_that_lies_about_its_size_is_refused(tmp_path):
    data = zipped(**{"a.xml": b"<a>" + b"x" * 5_000 + b"</a>"})
    true, false = (5_007).to_bytes(4, "little"), (9).to_bytes(4, "little")
    assert data.count(true) == 2
    (tmp_path / "liar.zip").write_bytes(data.replace(true, false))
    assert refusal(tmp_path, limit=1_000).place == "liar.zip#a.xml"


@pytest.mark.parametrize("damage", ["truncated", "flipped", "no zip"])
def test_a_damaged_zip_is_refused(tmp_path, damage):
    data = bytearray(zipped(**{"a.xml": b"<a>" + bytes(range(97, 123)) * 40 + b"</a>"}))
    if damage == "truncated":
        data = data[: len(data) // 2]
    elif damage == "flipped":
        data[50] ^= 0xFF
    else:
        data = bytearray(b"this is a letter")
    (tmp_path / "bad.zip").write_bytes(bytes(data))
    assert "damaged" in refusal(tmp_path).what
    assert refusal(tmp_path).place.startswith("bad.zip")


def test_an_encrypted_member_is_refused(tmp_path):
    data = bytearray(zipped(**{"a.xml": b"<a/>"}))
    data[data.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "locked.zip").write_bytes(bytes(data))
    assert "encrypted" in refusal(tmp_path).what


def test_two_members_of_one_name_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "twice.zip", "w") as archive:
        archive.writestr("a.xml", "<a/>")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("a.xml", "<b/>")
    assert "two members" in refusal(tmp_path).what


@pytest.mark.parametrize("name", ["LICENSE", "tables/people.csv"])
def test_a_selected_file_that_is_not_xml_is_refused(tmp_path, name):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("x")
    assert refusal(tmp_path).place == name
    assert "include" in (refusal(tmp_path).remedy or "")


def test_a_member_that_is_not_xml_is_refused(tmp_path):
    (tmp_path / "mixed.zip").write_bytes(zipped(**{"a.xml": b"<a/>", "b.pdf": b"%PDF"}))
    assert refusal(tmp_path).place == "mixed.zip#b.pdf"
