"""WARC files: written so that equal answers give equal bytes, read without trust."""

from __future__ import annotations

import contextlib
import gzip
import os
import zlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.errors import HemicycleError, InputError
from hemicycle.sources.unpack import BODY_LIMIT, unpacked
from hemicycle.sources.warc import Record, WarcWriter, read_warc

ON = datetime(2026, 11, 26, 12, 0, 0, tzinfo=UTC)
URL = "https://site.example/é"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nX-Two: a\r\n b\r\n\r\n"


def everything(record: Record) -> int:
    return BODY_LIMIT


def written(folder: Path, *bodies: bytes) -> Path:
    with WarcWriter(folder, "pages") as writer:
        for body in bodies:
            writer.response(URL, ON, HEAD, body, truncated=False)
            writer.request(URL, ON, b"GET / HTTP/1.1\r\n\r\n")
    return folder / "pages-00000.warc.gz"


def records(path: Path) -> list[Record]:
    return list(read_warc(path, path.name, everything))


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    found = records(written(tmp_path, b"<p>un", b"deux\r\n\r\n"))
    assert [r.kind for r in found] == ["warcinfo", "response", "request", "response", "request"]
    page = found[1]
    assert (page.url, page.date, page.status, page.body, page.length) == (URL, ON, 200, b"<p>un", 5)
    assert page.headers == (("Content-Type", "text/html"), ("X-Two", "a b"))
    assert found[3].body == b"deux\r\n\r\n"
    assert [r.number for r in found] == [0, 1, 2, 3, 4]


def test_equal_answers_give_equal_bytes(tmp_path: Path) -> None:
    one, other = written(tmp_path / "a", b"x", b"y"), written(tmp_path / "b", b"x", b"y")
    assert one.read_bytes() == other.read_bytes()


def test_another_reader_of_warc_files_finds_the_same(tmp_path: Path) -> None:
    archive = pytest.importorskip("warcio.archiveiterator")
    path = written(tmp_path, b"<p>un", b"")
    with path.open("rb") as file:
        theirs = [
            (r.rec_type, r.rec_headers.get_header("WARC-Target-URI"), r.content_stream().read())
            for r in archive.ArchiveIterator(file, check_digests="raise")
            if r.rec_type == "response"
        ]
    assert theirs == [(r.kind, r.url, r.body) for r in records(path) if r.kind == "response"]


def test_an_unpacked_file_and_one_packed_as_a_whole_are_read_alike(tmp_path: Path) -> None:
    path = written(tmp_path, b"un", b"deux")
    plain = tmp_path / "plain.warc"
    plain.write_bytes(gzip.decompress(path.read_bytes()))
    whole = tmp_path / "whole.warc.gz"
    whole.write_bytes(gzip.compress(plain.read_bytes()))

    def content(path: Path) -> list[tuple[str, bytes]]:
        return [(r.kind, r.body) for r in records(path)]

    assert content(plain) == content(path) == content(whole)
    assert {r.place.partition(",")[0] for r in records(plain)} == {"plain.warc"}


def test_the_place_of_a_record_is_where_it_begins(tmp_path: Path) -> None:
    path = written(tmp_path, b"un")
    plain = tmp_path / "plain.warc"
    plain.write_bytes(gzip.decompress(path.read_bytes()))
    for file, unpack in (
        (plain, lambda data: data),
        (path, lambda data: zlib.decompressobj(31).decompress(data)),
    ):
        for record in records(file):
            offset = int(record.place.rpartition(" ")[2])
            assert unpack(file.read_bytes()[offset:]).startswith(b"WARC/1.1")


def test_a_new_file_is_begun_when_one_is_full(tmp_path: Path) -> None:
    with WarcWriter(tmp_path, "pages", file_bytes=300) as writer:
        for _ in range(3):
            writer.response(URL, ON, HEAD, os.urandom(400), truncated=False)
    assert writer.names == [f"pages-0000{n}.warc.gz" for n in range(3)]
    assert [len(records(tmp_path / name)) for name in writer.names] == [2, 2, 2]


def test_only_the_part_that_is_wanted_is_held_and_that_is_said(tmp_path: Path) -> None:
    path = written(tmp_path, b"x" * 1_000)
    page = next(r for r in read_warc(path, "p", lambda r: 10) if r.kind == "response")
    assert (page.body, page.length, page.truncated) == (b"x" * 10, 1_000, True)
    page = next(r for r in read_warc(path, "p", lambda r: 0) if r.kind == "response")
    assert (page.body, page.truncated) == (b"", False)


@pytest.mark.parametrize("packed", [True, False])
def test_a_cut_file_is_refused_with_file_and_offset(tmp_path: Path, packed: bool) -> None:
    path = written(tmp_path, b"un" * 50, b"deux" * 50)
    data = path.read_bytes() if packed else gzip.decompress(path.read_bytes())
    places = []
    for length in range(1, len(data), 37):
        cut = tmp_path / ("cut.warc.gz" if packed else "cut.warc")
        cut.write_bytes(data[:length])
        try:
            records(cut)
        except InputError as error:
            places.append(str(error.place))
    # Where a cut falls between two records, the file looks whole.
    assert len(places) >= len(range(1, len(data), 37)) - 5
    assert all(place.startswith("cut.warc") for place in places)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n\n\n",
        b"hello",
        b"WARC/1.1\r\n\r\n",
        b"WARC/1.1\r\nContent-Length: -1\r\n\r\n",
        b"WARC/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"WARC/1.1\r\nContent-Length: 10\r\n\r\nabc",
        b"WARC/1.1\r\nContent-Length: 10",
        b"WARC/1.1\r\nContent-Length: 2\r\n\r\nabcdef",
        b"WARC/1.1\r\n" + b"a" * 500_000,
        b"WARC/1.1\r\n" + b"a: b\r\n" * 100_000,
        gzip.compress(b"WARC/1.1\r\n" + b"a" * 10_000_000),
        gzip.compress(b"\n" * 100),
        b"\x1f\x8b",
        b"\x1f\x8b\x08\0\0\0\0\0\0\3broken",
    ],
    ids=range(15),
)
def test_what_is_no_warc_file_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.warc"
    path.write_bytes(data)
    with pytest.raises(InputError) as error:
        records(path)
    assert "x.warc" in str(error.value.place)


def test_zeros_behind_a_packed_file_are_padding(tmp_path: Path) -> None:
    path = written(tmp_path, b"un")
    path.write_bytes(path.read_bytes() + bytes(1_000))
    assert len(records(path)) == 3


def test_bodies_are_unpacked_as_their_headers_say(tmp_path: Path) -> None:
    body = b"une page " * 100
    chunks = b"5;x=y\r\n" + body[:5] + b"\r\n" + b"%x\r\n" % (len(body) - 5) + body[5:] + b"\r\n0\r\n\r\n"
    raw = zlib.compressobj(wbits=-15)
    for packed, headers in [
        (body, []),
        (chunks, [("Transfer-Encoding", "chunked")]),
        (gzip.compress(body), [("Content-Encoding", "gzip")]),
        (zlib.compress(body), [("Content-Encoding", "deflate")]),
        (raw.compress(body) + raw.flush(), [("content-encoding", "deflate")]),
        (body, [("Content-Encoding", "gzip"), ("Transfer-Encoding", "chunked")]),
    ]:
        assert unpacked(packed, headers, "p") == body


def test_a_body_that_inflates_without_end_or_is_packed_otherwise_is_refused() -> None:
    bomb = gzip.compress(bytes(BODY_LIMIT + 1))
    for body, encoding in ((bomb, "gzip"), (b"x", "br"), (b"\x1f\x8bxxxxxxxx", "gzip")):
        with pytest.raises(InputError):
            unpacked(body, [("Content-Encoding", encoding)], "p")


@given(st.binary(max_size=60), st.integers(0, 2_000), st.booleans())
@settings(max_examples=int(os.environ.get("HEMICYCLE_FUZZ", "200")), deadline=None)
def test_a_mutilated_file_gives_records_or_our_error(
    tmp_path_factory, noise: bytes, at: int, packed: bool
) -> None:
    folder = tmp_path_factory.mktemp("warc")
    data = written(folder, b"<p>un", b"deux").read_bytes()
    data = data if packed else gzip.decompress(data)
    at %= len(data)
    path = folder / "x.warc"
    path.write_bytes(data[:at] + noise + data[at + len(noise) // 2 :])
    with contextlib.suppress(HemicycleError):
        for record in records(path):
            record.content()
