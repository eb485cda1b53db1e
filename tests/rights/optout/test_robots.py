"""robots.txt: the traps that let a forbidden site through, each with its worked example."""

from __future__ import annotations

import time

import pytest

from hemicycle.digests import sha256_bytes
from hemicycle.rights.optout import may_visit
from hemicycle.rights.optout.robots import ROBOTS_LIMIT, read_robots, robots_signal

from .conftest import robots_txt

PAGE = "https://site.example/presse/article"


def value(text: str | bytes, url: str = PAGE) -> str:
    return robots_signal(url, robots_txt(text), "https://site.example/robots.txt").value


def quote(text: str | bytes, url: str = PAGE) -> str:
    return robots_signal(url, robots_txt(text), "https://site.example/robots.txt").quote or ""


@pytest.mark.parametrize("agent", ["*", "GPTBot", "ccbot", "Hemicycle", "Google-Extended", "GPTBot/1.1"])
def test_a_page_shut_to_everybody_to_us_or_to_a_listed_crawler_is_reserved(agent: str) -> None:
    assert value(f"User-agent: {agent}\nDisallow: /presse/\n") == "reserved"


def test_a_page_shut_to_a_search_engine_alone_is_not_reserved() -> None:
    assert value("User-agent: Googlebot\nDisallow: /\n") == "unknown"


def test_a_file_that_lets_everybody_in_and_names_no_ai_crawler_is_no_consent_to_mining() -> None:
    assert value("User-agent: *\nAllow: /\n") == "unknown"
    assert value("User-agent: *\nDisallow:\n") == "unknown"
    assert value("") == "unknown"


@pytest.mark.parametrize("rule", ["Allow: /", "Allow: /presse/", "Disallow:"])
def test_only_where_we_are_expressly_let_in_is_a_page_allowed(rule: str) -> None:
    assert value(f"User-agent: hemicycle\n{rule}\n") == "allowed"
    assert value(f"User-agent: *\nUser-agent: GPTBot\n{rule}\n") == "allowed"
    assert value(f"User-agent: *\n{rule}\n") == "unknown"


@pytest.mark.parametrize("rule", ["Allow: /", "Allow: /presse/", "Disallow:"])
def test_what_is_granted_to_another_crawler_is_not_granted_to_us(rule: str) -> None:
    assert value(f"User-agent: GPTBot\n{rule}\n") == "unknown"
    assert value(f"User-agent: *\nAllow: /\n\nUser-agent: GPTBot\n{rule}\n") == "unknown"
    ours = "User-agent: hemicycle\nDisallow: /private/\n"
    assert value(f"{ours}\nUser-agent: *\nUser-agent: GPTBot\n{rule}\n") == "unknown"


def test_a_crawler_named_only_to_be_kept_from_elsewhere_does_not_allow_this_page() -> None:
    assert value("User-agent: hemicycle\nDisallow: /private/\n") == "unknown"
    assert value("User-agent: hemicycle\nAllow: /elsewhere/\n") == "unknown"


def test_one_crawler_shut_out_outweighs_another_let_in() -> None:
    assert value("User-agent: hemicycle\nAllow: /\n\nUser-agent: CCBot\nDisallow: /\n") == "reserved"


def test_a_byte_order_mark_hides_no_rule() -> None:
    assert value(b"\xef\xbb\xbfUser-agent: *\nDisallow: /\n") == "reserved"


def test_the_longest_rule_wins_and_not_the_first() -> None:
    text = "User-agent: *\nAllow: /\nDisallow: /presse/\n"
    assert value(text) == "reserved"
    assert value("User-agent: *\nDisallow: /\nAllow: /presse/\n") == "unknown"
    assert quote(text) == "User-agent: *; line 3: Disallow: /presse/"


def test_wildcards_and_the_end_mark_are_understood() -> None:
    text = "User-agent: *\nDisallow: /*.pdf$\n"
    assert value(text, "https://site.example/a/b.pdf") == "reserved"
    assert value(text, "https://site.example/a/b.pdf?x=1") == "unknown"
    assert value("User-agent: *\nDisallow: /*?print=\n", "https://site.example/a?print=1") == "reserved"


def test_groups_of_one_name_are_merged() -> None:
    ours = "User-agent: hemicycle\n"
    text = f"{ours}Allow: /presse/a\n\nUser-agent: *\nAllow: /\n\n{ours}Disallow: /presse/\n"
    assert value(text) == "allowed"
    assert value(text, "https://site.example/presse/b") == "reserved"


def test_a_line_of_another_protocol_does_not_part_two_names_from_their_rules() -> None:
    for line in ("Crawl-delay: 5", "Sitemap: https://site.example/s.xml", "License: /l.xml", "Host: x"):
        assert value(f"User-agent: GPTBot\n{line}\nUser-agent: Nobody\nDisallow: /\n") == "reserved", line


def test_letters_are_compared_as_what_they_are_and_not_as_they_are_escaped() -> None:
    assert value("User-agent: *\nDisallow: /élu\n", "https://site.example/%C3%A9lu/1") == "reserved"
    assert value("User-agent: *\nDisallow: /%c3%a9lu\n", "https://site.example/élu/1") == "reserved"
    assert value("User-agent: *\nDisallow: /a%7Eb\n", "https://site.example/a~b") == "reserved"


def test_spelling_mistakes_of_disallow_still_shut() -> None:
    assert value("User-agent: *\nDisalow: /\n") == "reserved"


def test_a_comment_says_nothing_whatever_line_ends_it_imitates() -> None:
    assert value("User-agent: hemicycle\n# x\u2028Allow: /\nDisallow: /elsewhere\n") == "unknown"
    assert value("#User-agent: *\n#Disallow: /\n") == "unknown"


@pytest.mark.parametrize(
    ("status", "said"),
    [(404, "unknown"), (410, "unknown"), *((status, "unread") for status in (None, 301, 401, 403, 429, 503))],
)
def test_a_file_that_is_not_there_is_silence_and_one_that_cannot_be_had_is_not(
    status: int | None, said: str
) -> None:
    found = robots_signal(PAGE, robots_txt("User-agent: hemicycle\nAllow: /", status), "p")
    assert (found.value, found.sha256) == (said, None)
    assert robots_signal(PAGE, None, "p").value == "unread"


def test_the_digest_is_that_of_the_very_bytes() -> None:
    body = b"\xef\xbb\xbfUser-agent: *\nDisallow: /\n"
    found = robots_signal(PAGE, robots_txt(body), "p")
    assert (found.sha256, found.retrieved) == (sha256_bytes(body), "2026-11-26T00:00:00Z")
    assert found.version == "RFC 9309"


@pytest.mark.parametrize(
    "spoilt",
    [b"\n\xff\xfe\n", b"\n\0\n", b"\n# " + b"x" * ROBOTS_LIMIT],
    ids=["not UTF-8", "NUL", "too long"],
)
def test_a_spoilt_file_still_reserves_and_no_longer_allows(spoilt: bytes) -> None:
    assert value(b"User-agent: hemicycle\nAllow: /" + spoilt) == "unread"
    assert value(b"User-agent: GPTBot\nDisallow: /" + spoilt) == "reserved"


def test_what_stands_behind_the_limit_is_not_read_and_a_cut_file_allows_nothing() -> None:
    assert value(b"#" * ROBOTS_LIMIT + b"\nUser-agent: *\nDisallow: /\n") == "unread"
    cut = robots_txt("User-agent: hemicycle\nAllow: /\n", truncated=True)
    assert robots_signal(PAGE, cut, "p").value == "unread"


def test_of_an_address_that_is_none_nothing_is_read() -> None:
    assert value("User-agent: hemicycle\nAllow: /\n", "http://[::1") == "unread"


def test_sixteen_thousand_names_over_twenty_thousand_rules_take_no_time() -> None:
    names = "".join(f"User-agent: a{n}\n" for n in range(16_000))
    rules = "".join(f"Disallow: /{n}\n" for n in range(20_000))
    start = time.process_time()
    assert value(names + "User-agent: *\n" + rules, "https://site.example/19999") == "reserved"
    assert time.process_time() - start < 5


def test_a_pattern_of_a_thousand_stars_takes_no_time() -> None:
    start = time.process_time()
    text = "User-agent: *\nDisallow: /" + "*a" * 1_000 + "b\n"
    assert value(text, "https://site.example/" + "a" * 20_000) == "unknown"
    assert time.process_time() - start < 5


def test_the_sample_of_nosdeputes_shuts_its_search(samples) -> None:
    body = (samples / "optout/robots/nosdeputes.robots.txt").read_bytes()
    assert value(body, "https://www.nosdeputes.fr/recherche/x") == "reserved"
    assert value(body, "https://www.nosdeputes.fr/autre") == "unknown"


def test_we_fetch_what_our_own_group_lets_us_and_everybody_s_where_we_have_none() -> None:
    assert may_visit(PAGE, robots_txt("User-agent: *\nDisallow: /\n")) is not None
    assert (
        may_visit(PAGE, robots_txt("User-agent: *\nDisallow: /\n\nUser-agent: hemicycle\nAllow: /\n")) is None
    )
    assert may_visit(PAGE, robots_txt("User-agent: GPTBot\nDisallow: /\n")) is None


def test_a_site_whose_robots_cannot_be_had_is_not_visited_and_one_without_is() -> None:
    assert may_visit(PAGE, None) is not None
    for status in (None, 429, 500, 503, 302):
        assert may_visit(PAGE, robots_txt("", status)) is not None
    for status in (401, 403, 404, 410):
        assert may_visit(PAGE, robots_txt("User-agent: *\nDisallow: /", status)) is None


def test_licences_are_found_wherever_they_stand_each_once() -> None:
    text = "License: /a.xml\nUser-agent: *\nLICENSE: https://x.example/b.xml\nlicense: /a.xml\n"
    assert read_robots(text.encode()).licences == ("/a.xml", "https://x.example/b.xml")
