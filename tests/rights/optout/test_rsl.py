"""RSL: found in three places, read against one page."""

from __future__ import annotations

import pytest

from hemicycle.rights.optout import Fetched, named_by_robots, wanted_files
from hemicycle.rights.optout.marks import read_marks
from hemicycle.rights.optout.rsl import MOST_FILES, RSL_LIMIT, embedded_rsl, read_rsl, rsl_signals

from .conftest import robots_txt

PAGE = "https://site.example/presse/a"
FILE = "https://site.example/license.xml"


def rsl(contents: str) -> bytes:
    return f'<?xml version="1.0"?><rsl xmlns="https://rslstandard.org/rsl">{contents}</rsl>'.encode()


def licence(inside: str, url: str = "/", more: str = "") -> str:
    return f'<content url="{url}"{more}><license>{inside}</license></content>'


def value(contents: str, page: str = PAGE) -> str:
    return read_rsl(rsl(contents), page, FILE)[0]


PERMITS = '<permits type="usage">ai-train</permits>'


@pytest.mark.parametrize(
    ("inside", "said"),
    [
        ('<prohibits type="usage">ai-train</prohibits>', "reserved"),
        ('<prohibits type="usage">ai-all</prohibits>', "reserved"),
        ('<prohibits type="usage">all</prohibits>', "reserved"),
        ('<prohibits type="usage">search, ai-train</prohibits>', "reserved"),
        ('<prohibits type="usage">ai-input</prohibits>', "reserved"),
        ('<permits type="usage">search</permits>', "reserved"),
        ("", "reserved"),
        (PERMITS, "allowed"),
        ('<permits type="usage">search ai-all</permits>', "allowed"),
        (f'{PERMITS}<prohibits type="usage">ai-train</prohibits>', "reserved"),
        (f'{PERMITS}<payment type="subscription"/>', "reserved"),
        (f"{PERMITS}<payment/>", "reserved"),
        (f'{PERMITS}<payment type="free"/>', "allowed"),
        (f'{PERMITS}<payment type="attribution"/>', "allowed"),
        (f'{PERMITS}<permits type="user">non-commercial</permits>', "unread"),
        (f'{PERMITS}<prohibits type="geo">EU</prohibits>', "unread"),
        ('<permits type="geo">ai-train</permits>', "reserved"),
    ],
)
def test_what_a_licence_says_of_training(inside: str, said: str) -> None:
    assert value(licence(inside)) == said


def test_a_licence_that_must_be_asked_for_is_no_licence() -> None:
    assert value(licence(PERMITS, more=' server="https://l.example/"')) == "reserved"


def test_the_most_specific_content_decides() -> None:
    shut = licence('<prohibits type="usage">all</prohibits>')
    assert value(shut + licence(PERMITS, "/presse/")) == "allowed"
    assert value(shut + licence(PERMITS, "/presse/"), "https://site.example/b") == "reserved"
    assert value(licence(PERMITS, "/presse/") + licence("", "/presse/")) == "reserved"


@pytest.mark.parametrize("whole", ["https://site.example/*", "/%70%72%65*"])
def test_how_a_pattern_is_written_makes_it_no_more_specific(whole: str) -> None:
    shut = licence('<prohibits type="usage">all</prohibits>', "/presse/*")
    assert value(licence(PERMITS, whole) + shut) == "reserved"


def test_an_address_in_the_query_of_a_pattern_names_no_site() -> None:
    page = "https://site.example/r?to=https://other.example/a"
    assert value(licence("", "/r?to=https://other.example/"), page) == "reserved"


def test_patterns_are_for_the_licence_s_own_site() -> None:
    assert value(licence(PERMITS, "/presse/*")) == "allowed"
    assert value(licence(PERMITS, "https://site.example/presse/")) == "allowed"
    assert value(licence(PERMITS, "/autre/")) == "unknown"
    assert value(licence(PERMITS), "https://other.example/presse/a") == "unknown"
    assert value(licence(PERMITS, "https://other.example/"), "https://site.example/a") == "unknown"


def test_two_licences_are_an_offer_each_but_a_prohibition_is_believed() -> None:
    paid = f'<license>{PERMITS}<payment type="purchase"/></license>'
    free = f"<license>{PERMITS}</license>"
    shut = '<license><prohibits type="usage">all</prohibits></license>'
    assert value(f'<content url="/">{paid}{free}</content>') == "allowed"
    assert value(f'<content url="/">{free}{shut}</content>') == "reserved"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<rsl/>",
        b"<rsl",
        b"\0\xff",
        b'<!DOCTYPE r [<!ENTITY a "b">]><rsl xmlns="https://rslstandard.org/rsl">&a;</rsl>',
        b'<rsl xmlns="https://rslstandard.org/rsl"><content url="/"/></rsl>',
        b"<a>" * 100_000,
    ],
)
def test_what_cannot_be_read_is_unread_with_the_reason(data: bytes) -> None:
    said, quote = read_rsl(data, PAGE, FILE)
    assert said == "unread"
    assert quote


def test_a_content_whose_address_cannot_be_read_may_be_for_this_page() -> None:
    assert value(licence(PERMITS) + licence("", "https://[")) == "unread"
    assert value(licence("") + licence(PERMITS, "https://[")) == "reserved"


def test_a_file_that_was_named_and_not_fetched_is_an_entry() -> None:
    robots = robots_txt("License: /license.xml\nUser-agent: *\nAllow: /\n")
    named = named_by_robots(robots)
    assert named == (FILE,)
    (found,) = rsl_signals(PAGE, named, {})
    assert (found.protocol, found.value, found.place, found.sha256) == ("rsl", "unread", FILE, None)
    fetched = {FILE: Fetched(FILE, 200, rsl(licence(PERMITS)))}
    assert [r.value for r in rsl_signals(PAGE, named, fetched)] == ["allowed"]
    long = {FILE: Fetched(FILE, 200, rsl(licence(PERMITS)) + b" " * RSL_LIMIT)}
    assert [r.value for r in rsl_signals(PAGE, named, long)] == ["unread"]
    gone = {FILE: Fetched(FILE, 404)}
    assert [r.value for r in rsl_signals(PAGE, named, gone)] == ["unread"]


def test_files_named_beyond_those_that_are_read_are_unread() -> None:
    robots = robots_txt("".join(f"License: /{n}.xml\n" for n in range(MOST_FILES + 2)))
    named = named_by_robots(robots)
    files = {name: Fetched(name, 200, rsl(licence(PERMITS))) for name in named}
    assert [r.value for r in rsl_signals(PAGE, named, files)] == ["allowed"] * MOST_FILES + ["unread"]
    inside = f'<script type="application/rsl+xml">{rsl(licence(PERMITS)).decode()}</script>'
    html = (inside * (MOST_FILES + 1)).encode()
    said = [r.value for r in embedded_rsl(PAGE, read_marks(html, PAGE), html, None)]
    assert said == ["allowed"] * MOST_FILES + ["unread"]


def test_a_page_names_its_licence_by_link_and_by_header() -> None:
    html = b'<link TYPE="application/rsl+xml" href="/a.xml" rel="license"><link rel=license href=/b.html>'
    headers = [("Link", '</c.xml>; rel="license"; type="application/rsl+xml", </d>; rel=next')]
    assert wanted_files(PAGE, html, headers) == ("https://site.example/a.xml", "https://site.example/c.xml")


def test_a_licence_inside_the_page_is_read() -> None:
    inside = rsl(licence('<prohibits type="usage">all</prohibits>')).decode()
    html = f'<html><head><script type="application/rsl+xml">{inside}</script></head></html>'.encode()
    (found,) = embedded_rsl(PAGE, read_marks(html, PAGE), html, None)
    assert found.value == "reserved"
