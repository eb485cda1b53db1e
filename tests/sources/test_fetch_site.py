"""Visits to a site on this machine: what is asked in which order, what is refused, what is recorded."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.documents import Reservation
from hemicycle.errors import DeclarationError, InputError
from hemicycle.rights.optout import combine
from hemicycle.sources import fetch_site, web
from hemicycle.sources.fetch_site import Collected, collect_urls, recheck
from hemicycle.sources.unpack import BODY_LIMIT
from hemicycle.sources.warc import Record, read_warc

from .site import Answer, Site, running

ON = datetime(2026, 11, 26, 12, tzinfo=UTC)
PAGE = "<html><body><p>Une page.</p></body></html>"
RSL = '<rsl xmlns="https://rslstandard.org/rsl"><content url="/"><license>{}</license></content></rsl>'


@pytest.fixture
def site() -> Iterator[Site]:
    with running() as made:
        made.html("/a", PAGE)
        made.file("/robots.txt", "User-agent: *\nDisallow: /private/\n")
        yield made


@pytest.fixture
def visit(tmp_path: Path) -> Callable[..., Collected]:
    def run(*urls: str, **options: Any) -> Collected:
        options = {"sleep": lambda seconds: None, "now": lambda: ON} | options
        return collect_urls(urls, tmp_path / "out", tmp_path / "scratch", **options)

    return run


Visit = Callable[..., Collected]


def recorded(tmp_path: Path, name: str = "pages") -> list[Record]:
    path = tmp_path / "out" / f"{name}-00000.warc.gz"
    return list(read_warc(path, path.name, lambda record: BODY_LIMIT))


def test_a_site_is_asked_what_it_allows_before_a_page_is_and_once(site: Site, visit: Visit) -> None:
    site.html("/b", PAGE)
    found = visit(f"{site.address}/a", f"{site.address}/b")
    assert site.asked == ["/robots.txt", "/.well-known/tdmrep.json", "/a", "/b"]
    assert found.pages == (f"{site.address}/a", f"{site.address}/b")
    assert found.files == ("pages-00000.warc.gz",)
    (agent,) = site.agents
    assert agent.startswith("hemicycle/")
    assert "(+https://" in agent


def test_answers_and_questions_are_recorded_as_they_were(site: Site, visit: Visit, tmp_path: Path) -> None:
    visit(f"{site.address}/a")
    found = recorded(tmp_path)
    kinds = [(r.kind, r.url.removeprefix(site.address), r.status) for r in found]
    assert kinds == [
        ("warcinfo", "", None),
        ("response", "/robots.txt", 200),
        ("request", "/robots.txt", None),
        ("response", "/.well-known/tdmrep.json", 404),
        ("request", "/.well-known/tdmrep.json", None),
        ("response", "/a", 200),
        ("request", "/a", None),
    ]
    assert found[5].body == PAGE.encode()
    assert found[5].date == ON
    assert b"hemicycle/" in found[6].body
    assert list((tmp_path / "scratch").glob("**/*.gz")) == []


def test_the_same_answers_at_the_same_time_give_the_same_bytes(
    site: Site, visit: Visit, tmp_path: Path
) -> None:
    def bytes_of_a_visit() -> bytes:
        visit(f"{site.address}/a")
        return (tmp_path / "out/pages-00000.warc.gz").read_bytes()

    assert bytes_of_a_visit() == bytes_of_a_visit()


def test_a_page_that_robots_shuts_is_not_fetched_and_that_is_recorded(
    site: Site, visit: Visit, tmp_path: Path
) -> None:
    shut = f"{site.address}/private/x"
    found = visit(f"{site.address}/a", shut)
    assert "/private/x" not in site.asked
    ((url, why),) = found.refused
    assert url == shut
    assert "Disallow: /private/" in why
    note = next(r for r in recorded(tmp_path) if r.kind == "metadata")
    assert note.url == shut
    assert b"not fetched: robots.txt" in note.body


def test_a_rule_of_robots_cannot_move_the_cursor_from_a_row_or_a_note(
    site: Site, visit: Visit, tmp_path: Path
) -> None:
    site.file("/robots.txt", b"User-agent: *\nDisallow: /pri\x1bv\n")
    ((_, why),) = visit(f"{site.address}/a", f"{site.address}/pri%1Bv").refused
    assert why.endswith(r"Disallow: /pri\x1bv")
    note = next(r for r in recorded(tmp_path) if r.kind == "metadata")
    assert b"\x1b" not in note.body


def test_a_redirect_does_not_lead_round_robots(site: Site, visit: Visit) -> None:
    site.file("/moved", b"", 302, Location="/private/x")
    found = visit(f"{site.address}/a", f"{site.address}/moved")
    assert "/private/x" not in site.asked
    assert [url for url, _ in found.refused] == [f"{site.address}/moved"]


def test_a_redirect_to_another_site_asks_that_site_first(site: Site, visit: Visit) -> None:
    with running() as other:
        other.html("/b", PAGE)
        other.file("/robots.txt", "User-agent: hemicycle\nDisallow: /c\n")
        site.file("/to-b", b"", 301, Location=f"{other.address}/b")
        site.file("/to-c", b"", 301, Location=f"{other.address}/c")
        found = visit(f"{site.address}/to-b", f"{site.address}/to-c")
        assert other.asked == ["/robots.txt", "/.well-known/tdmrep.json", "/b"]
        assert (len(found.pages), len(found.refused)) == (1, 1)


def test_redirects_without_end_and_to_files_are_failures(site: Site, visit: Visit) -> None:
    site.file("/round", b"", 302, Location="/round")
    site.file("/file", b"", 302, Location="file:///etc/passwd")
    found = visit(f"{site.address}/a", f"{site.address}/round", f"{site.address}/file")
    assert [why for _, why in found.failed] == [
        "more than 5 redirects",
        "the server redirects to file://, less safe than what was asked for",
    ]


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_site_whose_robots_fails_is_not_visited(site: Site, visit: Visit, status: int) -> None:
    site.file("/robots.txt", b"", status)
    with pytest.raises(InputError, match="not one page"):
        visit(f"{site.address}/a")
    assert "/a" not in site.asked
    assert site.asked.count("/robots.txt") == fetch_site.TRIES


def test_a_site_without_robots_is_visited(site: Site, visit: Visit) -> None:
    del site.answers["/robots.txt"]
    assert visit(f"{site.address}/a").pages


def test_a_robots_that_moved_is_followed(site: Site, visit: Visit) -> None:
    site.file("/robots.txt", b"", 301, Location="/r.txt")
    site.file("/r.txt", "User-agent: *\nDisallow: /\n")
    with pytest.raises(InputError, match="not one page"):
        visit(f"{site.address}/a")
    assert "/a" not in site.asked


def test_what_may_pass_is_tried_again_after_as_long_as_the_server_asks(site: Site, visit: Visit) -> None:
    site.answers["/a"] = [Answer(b"", 503, {"Retry-After": "7"}), Answer(PAGE.encode())]
    slept: list[float] = []
    assert visit(f"{site.address}/a", sleep=slept.append).pages
    assert 7.0 in slept


def test_a_page_that_is_not_there_stops_nothing_and_is_told(site: Site, visit: Visit) -> None:
    found = visit(f"{site.address}/a", f"{site.address}/gone")
    assert found.failed == ((f"{site.address}/gone", "the server answered 404"),)


def test_a_host_that_does_not_answer_is_noted(site: Site, visit: Visit, tmp_path: Path) -> None:
    with running() as gone:
        address = gone.address
    found = visit(f"{site.address}/a", f"{address}/x")
    assert [url for url, _ in found.refused] == [f"{address}/x"]
    assert any(b"no answer" in r.body for r in recorded(tmp_path) if r.kind == "metadata")


def test_half_a_page_is_no_page(site: Site, visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch_site, "BODY_LIMIT", 100)
    site.html("/long", "x" * 1_000)
    found = visit(f"{site.address}/a", f"{site.address}/long")
    assert [url for url, _ in found.failed] == [f"{site.address}/long"]


def test_chunks_are_joined_and_the_header_no_longer_claims_them(
    site: Site, visit: Visit, tmp_path: Path
) -> None:
    site.answers["/a"] = Answer(PAGE.encode(), headers={"Content-Type": "text/html"}, chunked=True)
    visit(f"{site.address}/a")
    page = next(r for r in recorded(tmp_path) if r.kind == "response" and r.url.endswith("/a"))
    assert page.body == page.content() == PAGE.encode()
    assert page.header("x-crawler-transfer-encoding") == "chunked"


def test_rsl_files_named_by_robots_by_link_and_by_header_are_fetched_once(site: Site, visit: Visit) -> None:
    site.file("/robots.txt", "License: /1.xml\nUser-agent: *\nAllow: /\n")
    link = '<link rel="license" type="application/rsl+xml" href="/2.xml"><p>Une page.</p>'
    site.html("/a", link, Link='</3.xml>; rel="license"; type="application/rsl+xml"')
    site.html("/b", link)
    visit(f"{site.address}/a", f"{site.address}/b")
    assert [p for p in site.asked if p.endswith(".xml")] == ["/1.xml", "/2.xml", "/3.xml"]


def test_a_public_site_does_not_make_us_ask_a_private_one(
    site: Site, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch_site, "is_private", lambda host: host == "localhost")
    named = f"http://localhost:{site.server_port}/rsl.xml"
    site.html("/a", f'<link rel="license" type="application/rsl+xml" href="{named}"><p>x</p>')
    visit(f"{site.address}/a")
    assert "/rsl.xml" not in site.asked


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://x.example/",
        "no address",
        "http://a:b@x.example/",
        "http://x.example:99999/",
    ],
)
def test_only_addresses_of_the_web_are_visited(visit: Visit, url: str) -> None:
    with pytest.raises(DeclarationError):
        visit(url)


def test_an_address_given_twice_is_refused(visit: Visit) -> None:
    with pytest.raises(DeclarationError, match="twice"):
        visit("http://x.example/", "http://x.example/")


SILENT = "User-agent: *\nDisallow: /private/\n"
META = '<html><head><meta name="tdm-reservation" content="{}"></head><body><p>Une page.</p></body></html>'


@pytest.fixture
def look(site: Site, tmp_path: Path) -> Callable[..., tuple[Reservation, ...]]:
    """What a later look at one page of the site finds; the card names its address, unless it does not."""

    def run(path: str = "/a", declared: str = "", **options: Any) -> tuple[Reservation, ...]:
        url = path if "://" in path else f"{site.address}{path}"
        found = recheck(
            [url, url],
            tmp_path / "out",
            declared=[declared or f"{site.address}/a"],
            sleep=lambda seconds: None,
            now=lambda: ON,
            **options,
        )
        assert set(found) == {url}
        return found[url]

    return run


Look = Callable[..., tuple[Reservation, ...]]


def test_a_recheck_asks_the_site_and_then_the_page_once(site: Site, look: Look, tmp_path: Path) -> None:
    site.file("/robots.txt", f"License: /rsl.xml\n{SILENT}")
    site.file("/rsl.xml", RSL.format('<permits type="usage">all</permits>'))
    assert combine(look()) == "allowed"
    assert site.asked == ["/robots.txt", "/.well-known/tdmrep.json", "/rsl.xml", "/a"]
    assert [r.status for r in recorded(tmp_path, "recheck") if r.kind == "response"] == [200, 404, 200, 200]
    site.file("/rsl.xml", RSL.format('<prohibits type="usage">all</prohibits>'))
    assert combine(look()) == "reserved"


@pytest.mark.parametrize(
    ("html", "headers"),
    [
        (META.format(1), {}),
        ('<meta name="robots" content="noai">', {}),
        (META.format(0), {"X-Robots-Tag": "noai"}),
        (META.format(0), {"tdm-reservation": "1"}),
        (META.format(0), {"Content-Usage": "train-ai=n"}),
    ],
)
def test_a_reservation_that_a_page_makes_later_is_seen(
    site: Site, look: Look, html: str, headers: dict[str, str]
) -> None:
    site.html("/a", META.format(0))
    assert combine(look()) == "allowed"
    site.html("/a", html, **headers)
    assert combine(look()) == "reserved"


@pytest.mark.parametrize(
    ("answer", "said", "why"),
    [
        (Answer(b"", 404), "unknown", "the server answered 404"),
        (Answer(b"", 410), "unknown", "the server answered 410"),
        (Answer(b"", 403), "unread", "the server answered 403"),
        (Answer(b"", 503), "unread", "the server answered 503"),
        (Answer(b"%PDF", headers={"Content-Type": "application/pdf"}), "unread", "no page of HTML any more"),
        (
            Answer(b"", 302, {"Location": "ftp://x.example/"}),
            "unread",
            "it was not had again: the server",
        ),
        (
            Answer(b"", 302, {"Location": "/private/x"}),
            "unread",
            "it was not had again: robots.txt",
        ),
    ],
)
def test_a_page_that_cannot_be_asked_again_has_an_entry_that_says_so(
    site: Site, look: Look, answer: Answer, said: str, why: str
) -> None:
    site.answers["/a"] = answer
    found = look()
    assert combine(found) == said
    (entry,) = [r for r in found if r.place.endswith(", page")]
    assert (entry.value, why in (entry.quote or "")) == (said, True)


def test_a_page_that_was_shut_since_is_not_asked_and_its_site_reserves(site: Site, look: Look) -> None:
    site.file("/robots.txt", "User-agent: hemicycle\nDisallow: /\n")
    assert combine(look()) == "reserved"
    assert "/a" not in site.asked


def test_of_a_page_that_moved_both_its_sites_and_the_new_page_speak(site: Site, look: Look) -> None:
    with running() as other:
        other.html("/b", META.format(0))
        site.file("/a", b"", 301, Location=f"{other.address}/b")
        assert combine(look()) == "allowed"
        other.file("/robots.txt", "User-agent: GPTBot\nDisallow: /\n")
        assert combine(look()) == "reserved"
        del other.answers["/robots.txt"]
        site.file("/robots.txt", "User-agent: GPTBot\nDisallow: /\n")
        assert combine(look()) == "reserved"


def test_a_private_address_that_a_stranger_s_crawl_names_is_not_asked(
    site: Site, look: Look, tmp_path: Path
) -> None:
    found = look(declared="https://public.example/")
    assert site.asked == []
    assert combine(found) == "unread"
    notes = [r.body for r in recorded(tmp_path, "recheck") if r.kind == "metadata"]
    assert any(b"127.0.0.1 has no public address, and the card does not name it" in note for note in notes)


@pytest.mark.parametrize("host", ["localhost", "2130706433", "127.1", "0.0.0.0", "[::1]", "nowhere.invalid"])
def test_no_spelling_of_a_private_address_is_asked(site: Site, look: Look, host: str) -> None:
    assert combine(look(f"http://{host}:{site.server_port}/a")) == "unread"
    assert site.asked == []


def test_no_redirect_and_no_licence_leads_a_recheck_to_a_private_address(site: Site, look: Look) -> None:
    private = f"http://localhost:{site.server_port}"
    site.file("/a", b"", 302, Location=f"{private}/secret")
    site.file("/robots.txt", f"License: {private}/rsl.xml\n{SILENT}")
    found = look()
    assert combine(found) == "unread"
    assert site.asked == ["/robots.txt", "/.well-known/tdmrep.json", "/a"]


def test_a_public_host_is_asked_at_the_address_that_was_checked(
    site: Site, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However its name answers later: the second look-up would lead elsewhere."""
    asked = []
    monkeypatch.setattr(fetch_site, "public_address", lambda host: asked.append(host) or "127.0.0.1")
    site.html("/a", META.format(0))
    assert (
        combine(look(f"http://site.test:{site.server_port}/a", declared="https://other.example/"))
        == "allowed"
    )
    assert set(asked) == {"site.test"}
    assert site.hosts == {f"site.test:{site.server_port}"}


def test_an_address_of_a_crawl_that_is_none_stops_nothing(look: Look) -> None:
    assert combine(look("http://x.example:99999/", declared="https://other.example/")) == "unread"


@pytest.mark.slow
@given(st.one_of(st.text(max_size=40), st.text(max_size=40).map(lambda text: f"http://{text}")))
@settings(max_examples=int(os.environ.get("HEMICYCLE_FUZZ", "200")), deadline=None)
def test_any_address_of_a_crawl_is_unread_where_its_host_is_not_known(
    tmp_path_factory: pytest.TempPathFactory, url: str
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(web, "addresses", lambda host: [])
        found = recheck([url], tmp_path_factory.mktemp("look"), sleep=lambda seconds: None, now=lambda: ON)
    assert combine(found[url]) == "unread"
