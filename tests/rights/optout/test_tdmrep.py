"""TDMRep in its four places."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest

from hemicycle.rights.optout import Fetched, epub_metadata, metadata_signal, pdf_metadata
from hemicycle.rights.optout.marks import read_marks
from hemicycle.rights.optout.tdmrep import TDMREP_LIMIT, file_signal, header_signal, meta_signal

SITE = "https://site.example"
PLACE = f"{SITE}/.well-known/tdmrep.json"


def value(rules: Any, path: str, body: bytes | None = None) -> str:
    data = body if body is not None else json.dumps(rules).encode()
    return file_signal(SITE + path, Fetched(PLACE, 200, data), PLACE).value


def rule(location: str, reservation: Any) -> dict[str, Any]:
    return {"location": location, "tdm-reservation": reservation}


def test_the_sample_reserves_the_press_and_leaves_the_rest_open(samples) -> None:
    body = (samples / "optout/tdmrep.json").read_bytes()
    assert value(None, "/presse/x", body) == "reserved"
    assert value(None, "/ouvert/x", body) == "allowed"
    assert value(None, "/autre", body) == "unknown"


def test_locations_have_stars_and_ends() -> None:
    assert value([rule("/*.html$", 1)], "/a/b.html") == "reserved"
    assert value([rule("/*.html$", 1)], "/a/b.html?x") == "unknown"
    assert value([rule("*", 1)], "/a") == "reserved"
    assert value([rule("presse/", 1)], "/presse/a") == "reserved"
    assert value([rule(f"{SITE}/presse/", 1)], "/presse/a") == "reserved"
    assert value([rule("https://other.example/", 1)], "/presse/a") == "unknown"


@pytest.mark.parametrize("turn", [1, -1])
def test_where_first_and_most_specific_differ_the_reservation_holds(turn: int) -> None:
    assert value([rule("/", 1), rule("/open/", 0)][::turn], "/open/a") == ("reserved", "allowed")[turn < 0]
    assert value([rule("/", 0), rule("/shut/", 1)][::turn], "/shut/a") == "reserved"


@pytest.mark.parametrize("whole", [f"{SITE}/*", "/%70%72%65*"])
def test_how_a_location_is_written_makes_it_no_more_specific(whole: str) -> None:
    assert value([rule(whole, 0), rule("/presse/*", 1)], "/presse/a") == "reserved"


def test_an_address_in_the_query_of_a_location_names_no_host() -> None:
    assert value([rule("/r?to=https://other.example/", 1)], "/r?to=https://other.example/a") == "reserved"
    assert value([rule(f"{SITE}/r?to=a", 1)], "/r?to=a") == "reserved"
    assert value([rule(" /presse/ ", 1)], "/presse/a") == "reserved"


def test_of_two_equally_long_locations_the_more_restrictive_wins() -> None:
    assert value([rule("/a", 0), rule("/a", 1)], "/a") == "reserved"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (1, "reserved"),
        (0, "allowed"),
        ("1", "reserved"),
        ("0", "allowed"),
        (1.0, "reserved"),
        (True, "reserved"),
        (False, "unread"),
        (2, "unread"),
        (None, "unread"),
        ([], "unread"),
        ("yes", "unread"),
    ],
)
def test_one_reserves_zero_allows_and_nothing_else_can_be_read(written: Any, said: str) -> None:
    assert value([rule("/", written)], "/a") == said


def test_a_reservation_written_twice_is_read_as_the_more_restrictive() -> None:
    for first, second in ((0, 1), (1, 0)):
        body = f'[{{"location": "/", "tdm-reservation": {first}, "tdm-reservation": {second}}}]'
        assert value(None, "/a", body.encode()) == "reserved"


def test_a_single_rule_without_its_list_is_a_rule() -> None:
    assert value(rule("/", 1), "/a") == "reserved"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[1, null, {}]",
        b'"x"',
        b"\xff\xfe[",
        b"[" * 100_000,
        b'[{"location": 1}]',
        b" " * (TDMREP_LIMIT + 1),
    ],
)
def test_a_malformed_file_is_unread_with_the_reason(body: bytes) -> None:
    found = file_signal(f"{SITE}/a", Fetched(PLACE, 200, body), PLACE)
    assert found.value == "unread"
    assert found.quote
    assert found.sha256


def test_a_rule_without_a_location_may_be_for_any_page_and_takes_back_no_reservation() -> None:
    assert value([rule("/", 0), {"tdm-reservation": 1}], "/a") == "unread"
    assert value([rule("/", 1), None], "/a") == "reserved"
    assert value([rule("/", 0), rule("https://[", 1)], "/a") == "unread"


def test_a_missing_file_is_an_entry() -> None:
    for file, said in ((None, "unread"), (Fetched(PLACE, 404), "unknown"), (Fetched(PLACE, None), "unread")):
        found = file_signal(f"{SITE}/a", file, PLACE)
        assert (found.protocol, found.value, found.place, found.sha256) == ("tdmrep", said, PLACE, None)


def test_the_policy_is_quoted_with_the_reservation() -> None:
    rules = [{"location": "/", "tdm-reservation": 1, "tdm-policy": "https://p.example/"}]
    found = file_signal(f"{SITE}/a", Fetched(PLACE, 200, json.dumps(rules).encode()), PLACE)
    assert "https://p.example/" in (found.quote or "")
    (header,) = header_signal(SITE, {"TDM-Reservation": "1", "TDM-Policy": "https://p.example/"}, None)
    assert (header.value, header.quote) == ("reserved", "tdm-reservation: 1; tdm-policy: https://p.example/")


def test_headers_joined_by_a_proxy_are_read_apart() -> None:
    assert [r.value for r in header_signal(SITE, {"tdm-reservation": "0, 1"}, None)] == ["reserved"]
    assert [r.value for r in header_signal(SITE, {"tdm-reservation": "0"}, None)] == ["allowed"]
    assert [r.value for r in header_signal(SITE, {"tdm-reservation": "0, x"}, None)] == ["unread"]
    assert list(header_signal(SITE, {}, None)) == []


def test_two_metas_that_contradict_each_other_reserve() -> None:
    html = b'<meta content="0" NAME="TDM-Reservation"><meta name=tdm-reservation content=1>'
    (found,) = meta_signal(SITE, read_marks(html, SITE), html, None)
    assert found.value == "reserved"


def epub(package: bytes, container: bytes | None = None) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr(
            "META-INF/container.xml",
            container
            or b'<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
            b'<rootfile full-path="OEBPS/book.opf"/></rootfiles></container>',
        )
        archive.writestr("OEBPS/book.opf", package)
    return held.getvalue()


OPF = (
    b'<package xmlns="http://www.idpf.org/2007/opf"><metadata>'
    b'<meta property="tdm:reservation">1</meta><meta name="tdm:policy" content="https://p.example/"/>'
    b"</metadata></package>"
)


def test_an_epub_says_so_in_its_package() -> None:
    data = epub(OPF)
    metadata = epub_metadata(data)
    assert metadata == {"tdm:reservation": "1", "tdm:policy": "https://p.example/"}
    (found,) = metadata_signal("book.epub", metadata, data)
    assert found.value == "reserved"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK",
        epub(b"<x"),
        epub(OPF, b"<container/>"),
        epub(OPF)[:-30],
        epub(b'<!DOCTYPE a [<!ENTITY e "x">]><a/>'),
    ],
)
def test_a_broken_epub_is_unread(data: bytes) -> None:
    assert [r.value for r in metadata_signal("a.epub", epub_metadata(data), data)] == ["unread"]


XMP = (
    b'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">%b</rdf:RDF></x:xmpmeta>'
)
ATTRIBUTE = b'<rdf:Description xmlns:tdm="http://www.w3.org/ns/tdmrep#" tdm:reservation="1"/>'
ELEMENT = b'<rdf:Description xmlns:t="http://www.w3.org/ns/tdmrep#"><t:reservation>0</t:reservation></rdf:Description>'


def test_a_pdf_says_so_in_its_xmp() -> None:
    assert pdf_metadata(b"%PDF-1.7\n" + XMP % ATTRIBUTE + b"\n%%EOF") == {"tdm:reservation": "1"}
    assert pdf_metadata(b"%PDF-1.7\n" + XMP % ELEMENT) == {"tdm:reservation": "0"}


def test_of_two_packets_in_a_pdf_the_more_restrictive_wins() -> None:
    data = XMP % ELEMENT + XMP % ATTRIBUTE
    metadata = pdf_metadata(data)
    assert metadata == {"tdm:reservation": "0,1"}
    assert [r.value for r in metadata_signal("a.pdf", metadata, data)] == ["reserved"]


@pytest.mark.parametrize("data", [b"", b"%PDF", XMP % b"<a/>"])
def test_a_pdf_without_a_word_of_mining_says_nothing(data: bytes) -> None:
    assert pdf_metadata(data) == {}


@pytest.mark.parametrize(
    "data",
    [
        b"<x:xmpmeta" * 99,
        XMP[:-20],
        XMP % b"<a>",
        b"<x:xmpmeta></x:xmpmeta>",
        XMP % ELEMENT + XMP % b"<a>",
    ],
)
def test_a_packet_that_cannot_be_read_is_unread(data: bytes) -> None:
    assert [r.value for r in metadata_signal("a.pdf", pdf_metadata(data), data)] == ["unread"]


def test_a_packet_that_cannot_be_read_takes_back_no_reservation() -> None:
    data = XMP % b"<a>" + XMP % ATTRIBUTE
    assert [r.value for r in metadata_signal("a.pdf", pdf_metadata(data), data)] == ["reserved"]
