"""Metas, headers and licences of a page; all signals together; the list of protocols."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from hemicycle.documents import Reservation
from hemicycle.rights.optout import (
    Fetched,
    agents,
    combine,
    list_version,
    protocols,
    read_signals,
    stated_licences,
)
from hemicycle.rights.optout.marks import MOST_MARKS, PAGE_LIMIT, decode_page, read_marks
from hemicycle.rights.optout.signals import stamp

from .conftest import robots_txt

SITE = "https://site.example"
PAGE = f"{SITE}/a"
ON = datetime(2026, 11, 26, 12, tzinfo=UTC)


def signals(html: bytes | None, headers: object = (), **site: object) -> tuple[Reservation, ...]:
    silent = {"robots": robots_txt("", 404), "tdmrep": Fetched("t", 404), "rsl": {}}
    given = silent | site
    return read_signals(PAGE, html=html, headers=headers, on=ON, **given)  # type: ignore[arg-type]


def value(html: bytes | None, headers: object = (), **site: object) -> str:
    return combine(signals(html, headers, **site))


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("tdm_reserved", "reserved"),
        ("noai_reversed", "reserved"),
        ("tdm_open", "allowed"),
        ("cc_link", "unknown"),
        ("prose_clause", "unknown"),
    ],
)
def test_the_sample_pages_say_what_they_were_made_to_say(samples, page: str, said: str) -> None:
    assert value((samples / f"optout/{page}.html").read_bytes()) == said


@pytest.mark.parametrize(
    "html",
    [
        b'<meta name="robots" content="noai">',
        b"<META CONTENT='index,NoAI' NAME=ROBOTS>",
        b'<meta name="GPTBot" content="noai, noindex">',
        b'<meta name="UnheardOfBot" content="noai">',
        b'<meta http-equiv="X-Robots-Tag" content="noai">',
        b'<meta name="robots" content="noindex"><meta name="robots" content="noai">',
        b"<div>" * 5_000 + b'<meta name="robots" content="noai">',
        '<meta name="robots" content="noai">'.encode("utf-16"),
    ],
)
def test_noai_is_found_however_it_is_written(html: bytes) -> None:
    assert value(html) == "reserved"


@pytest.mark.parametrize(
    "html",
    [
        b'<!-- <meta name="robots" content="noai"> -->',
        b'<script>"<meta name=robots content=noai>"</script>',
        b'<meta name="description" content="noai">',
        b'<meta name="robots" content="noaim">',
    ],
)
def test_noai_in_a_comment_a_script_or_another_meta_says_nothing(html: bytes) -> None:
    assert value(html) == "unknown"


def test_pictures_alone_reserve_no_text() -> None:
    (found,) = [r for r in signals(b'<meta name="robots" content="noimageai">') if r.protocol == "noai"]
    assert (found.value, found.quote) == ("unknown", "robots: noimageai")


@pytest.mark.parametrize("tag", ["noai", "GPTBot: noai", "noindex, noai", "unknownbot: nofollow, NOAI"])
def test_a_header_says_noai_with_or_without_a_crawler_s_name(tag: str) -> None:
    assert value(None, {"X-Robots-Tag": tag}) == "reserved"
    assert value(None, {"X-Robots-Tag": "noindex"}) == "unknown"


def test_absence_is_an_entry_for_robots_and_for_tdmrep() -> None:
    found = signals(None, robots=None, tdmrep=None)
    assert [(r.protocol, r.value, r.place) for r in found] == [
        ("robots", "unread", "https://site.example/robots.txt"),
        ("tdmrep", "unread", "https://site.example/.well-known/tdmrep.json"),
    ]
    assert [(r.protocol, r.value) for r in signals(b"")] == [("robots", "unknown"), ("tdmrep", "unknown")]


def test_a_licence_is_stated_and_is_never_an_opt_in() -> None:
    html = (
        b'<link rel="license" href="https://creativecommons.org/publicdomain/zero/1.0/">'
        b'<a href="/conditions" rel="nofollow License">Conditions</a>'
        b'<a rel="license" href="https://creativecommons.org/licenses/by-sa/3.0/fr/">CC</a>'
        b'<a rel="license" href="https://creativecommons.org/licenses/by-sa/3.0/">CC</a>'
        b'<link rel="license" type="application/rsl+xml" href="/rsl.xml">'
    )
    found = stated_licences(PAGE, html)
    assert [s.expression for s in found] == ["CC0-1.0", "https://site.example/conditions", "CC-BY-SA-3.0"]
    assert {s.stated_by for s in found} == {"file"}
    assert value(html) == "unread", "the RSL file that it names was not had"
    assert value(html.rpartition(b"<link")[0]) == "unknown"


def test_a_rsl_file_that_robots_and_page_both_name_gives_one_finding() -> None:
    address = "https://site.example/rsl.xml"
    html = b'<link rel="license" type="application/rsl+xml" href="/rsl.xml">'
    robots = robots_txt("User-agent: *\nAllow: /\nLicense: https://site.example/rsl.xml\n")
    file = Fetched(address, 200, b"<rsl/>")
    assert [r.protocol for r in signals(html, robots=robots, rsl={address: file})].count("rsl") == 1


def test_a_page_of_more_marks_than_any_page_has_keeps_what_was_seen() -> None:
    html = b'<meta name="robots" content="noai">' + b'<meta name="a" content="b">' * (MOST_MARKS + 10)
    assert value(html) == "reserved"
    assert read_marks(html, PAGE).problem


OPEN = b'<meta name="tdm-reservation" content="0">'


@pytest.mark.parametrize(
    "html",
    [
        OPEN + b'<meta name="a" content="b">' * (MOST_MARKS + 10),
        OPEN + b"x" * PAGE_LIMIT + b'<meta name="tdm-reservation" content="1">',
        OPEN + b'<link rel="license" type="application/rsl+xml" href="/' + b"x" * 10_000 + b'">',
    ],
    ids=["too many marks", "too long", "an address too long"],
)
def test_a_page_that_is_not_read_to_its_end_is_not_allowed(html: bytes) -> None:
    assert value(OPEN) == "allowed"
    assert value(html) == "unread"
    assert value(html, {"tdm-reservation": "1"}) == "reserved"


def test_a_long_link_of_another_kind_hides_no_signal() -> None:
    assert value(OPEN + b'<link rel="canonical" href="/' + b"x" * 10_000 + b'">') == "allowed"


def test_the_beginning_of_a_page_is_not_allowed() -> None:
    silent = robots_txt("", 404)
    found = read_signals(PAGE, html=OPEN, robots=silent, tdmrep=silent, rsl={}, on=ON, whole=False)
    assert combine(found) == "unread"
    assert any(r.place == f"{PAGE}, page" for r in found)


@pytest.mark.parametrize(
    "site",
    [
        {"robots": None},
        {"robots": robots_txt("", 503)},
        {"robots": robots_txt("", 403)},
        {"robots": robots_txt("", None)},
        {"robots": robots_txt("\0")},
        {"tdmrep": None},
        {"tdmrep": Fetched("t", 503)},
        {"tdmrep": Fetched("t", 200, b"<html>")},
        {"robots": robots_txt("User-agent: *\nContent-Usage: train-ai\n")},
        {"robots": robots_txt("License: /l.xml\n")},
        {
            "robots": robots_txt("License: /l.xml\n"),
            "rsl": {f"{SITE}/l.xml": Fetched("l", 200, b"<")},
        },
        {"headers": {"Content-Usage": "!!"}},
        {"headers": {"tdm-reservation": "perhaps"}},
    ],
)
def test_a_gap_in_the_evidence_outweighs_a_permission(site: dict[str, object]) -> None:
    assert value(OPEN) == "allowed"
    assert value(OPEN, **site) == "unread"
    assert value(b'<meta name="tdm-reservation" content="1">', **site) == "reserved"


def test_a_long_base_is_not_joined_to_every_link() -> None:
    html = b"<base href='" + b"/a" * 500_000 + b"/'>" + b"<link rel=license href=x>" * 4_000
    assert [link.href for link in read_marks(html, PAGE).links[:1]] == ["https://site.example/x"]


def test_only_the_beginning_of_an_endless_page_is_read() -> None:
    html = b'<meta name="robots" content="noai">' + b"x" * (PAGE_LIMIT + 10)
    assert value(html) == "reserved"
    assert read_marks(html, PAGE).problem


@pytest.mark.parametrize(
    ("data", "declared", "text"),
    [
        ("été".encode(), "text/html; charset=iso-8859-1", "été"),
        ("été".encode("latin-1"), "text/html; charset=ISO-8859-1", "été"),
        ("été “x”".encode("cp1252"), "text/html; charset=latin1", "été “x”"),
        (b"<meta charset=windows-1252>" + "€".encode("cp1252"), "", "<meta charset=windows-1252>€"),
        (b"<meta http-equiv=content-type content='text/html; charset=iso-8859-15'>\xa4", "", None),
        ("été".encode("latin-1"), "", "�t�"),
        ("été".encode("latin-1"), "text/html; charset=zip", "�t�"),
        ("été".encode("utf-16"), "", "été"),
        (b"a\0b", "", "a�b"),
    ],
)
def test_a_page_is_decoded_as_a_browser_would(data: bytes, declared: str, text: str | None) -> None:
    found = decode_page(data, declared)
    assert found == text if text is not None else found.endswith("€")


def test_the_list_of_protocols_is_dated_and_sourced() -> None:
    assert set(protocols()) == {"robots", "content-usage", "content-signal", "tdmrep", "rsl", "noai"}
    today = date.fromisoformat(list_version())
    for entry in [*protocols().values(), *agents()]:
        assert re.match(r"https://", entry.source)
        assert date(2026, 11, 1) <= entry.checked_on <= today
    names = [agent.name.lower() for agent in agents()]
    assert len(names) == len(set(names))
    assert {"hemicycle", "gptbot", "ccbot", "google-extended", "ai2bot"} <= set(names)


def test_times_are_told_in_utc() -> None:
    assert stamp(datetime(2026, 11, 26, 1, tzinfo=timezone(timedelta(hours=2)))) == "2026-11-25T23:00:00Z"
    assert stamp(datetime(2026, 11, 26, 1)) == "2026-11-26T01:00:00Z"
