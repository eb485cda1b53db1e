"""Content-Usage (AIPREF) and Content-Signal: values, paths, ties, headers."""

from __future__ import annotations

import time

import pytest

from hemicycle.rights.optout.protocols import protocol
from hemicycle.rights.optout.usage import read_value, usage_of_headers, usage_of_robots

from .conftest import robots_txt

PAGE = "https://site.example/open/a"


def values(text: str, url: str = PAGE) -> dict[str, str]:
    return {r.protocol: r.value for r in usage_of_robots(url, robots_txt(text), "p")}


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("train-ai=n", "reserved"),
        ("train-ai=y", "allowed"),
        ("Train-AI = N", "reserved"),
        ("train-ai=n, search=y", "reserved"),
        ("search=n", "unknown"),
        ("search=y, train-ai=y", "allowed"),
        ("train-ai=y;note=1", "allowed"),
        ("train-ai", "unread"),
        ("train-ai=?1", "unread"),
        ('train-ai="y"', "unread"),
        ('train-ai="n"', "reserved"),
        ("train-ai=y, train-ai=n", "reserved"),
        ("train-ai=n, train-ai=y", "reserved"),
        ("train-ai=y, !!", "unread"),
        ("search=y, !!", "unread"),
        ("!!, train-ai=n", "reserved"),
        ("other=y, thing=n", "unknown"),
        ("genai=n", "reserved"),
        ("bots=n", "reserved"),
        ("genai=y", "unknown"),
        ("ai-output=n", "unknown"),
        ('x="train-ai=y"', "unknown"),
        ("", "unknown"),
    ],
)
def test_what_a_value_of_content_usage_says(written: str, said: str) -> None:
    assert read_value("content-usage", written) == said


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("search=yes, ai-train=no", "reserved"),
        ("search=yes,ai-input=no,ai-train=yes", "allowed"),
        ("ai-input=no", "unknown"),
        ("ai-train=n", "unread"),
    ],
)
def test_what_a_value_of_content_signal_says(written: str, said: str) -> None:
    assert read_value("content-signal", written) == said


def test_a_path_of_its_own_outweighs_the_rule_for_everything() -> None:
    text = "User-agent: *\nContent-Usage: train-ai=n\nContent-Usage: /open/ train-ai=y\n"
    assert values(text) == {"content-usage": "allowed"}
    assert values(text, "https://site.example/b") == {"content-usage": "reserved"}


def test_superfluous_escapes_make_a_path_no_more_specific() -> None:
    text = "User-agent: *\nContent-Usage: /%6f%70 train-ai=y\nContent-Usage: /open/ train-ai=n\n"
    assert values(text) == {"content-usage": "reserved"}


@pytest.mark.parametrize("space", [" ", "\t", " \t ", "\N{NO-BREAK SPACE}"])
def test_a_path_and_its_value_are_parted_by_any_space(space: str) -> None:
    assert values(f"User-agent: *\nContent-Usage: /open/{space}train-ai=n\n") == {"content-usage": "reserved"}


@pytest.mark.parametrize("written", ["/open/", "/shut/train-ai=n", "*", "*=n"])
def test_a_path_without_a_value_is_unread_on_every_page(written: str) -> None:
    assert values(f"User-agent: *\nContent-Usage: {written}\n") == {"content-usage": "unread"}
    for letter, said in (("y", "unread"), ("n", "reserved")):
        text = f"User-agent: *\nContent-Usage: /open/a train-ai={letter}\nContent-Usage: {written}\n"
        assert values(text) == {"content-usage": said}


def test_of_two_rules_of_one_length_the_more_restrictive_wins() -> None:
    for first, second in (("y", "n"), ("n", "y")):
        rules = "".join(f"Content-Usage: /open/ train-ai={letter}\n" for letter in (first, second))
        assert values(f"User-agent: *\n{rules}") == {"content-usage": "reserved"}


def test_a_reservation_towards_any_listed_crawler_counts_and_a_permission_only_towards_us() -> None:
    assert values("User-agent: GPTBot\nContent-Usage: train-ai=n\n") == {"content-usage": "reserved"}
    assert values("User-agent: GPTBot\nContent-Usage: train-ai=y\n") == {"content-usage": "unknown"}
    assert values("User-agent: hemicycle\nContent-Usage: train-ai=y\n") == {"content-usage": "allowed"}
    assert values("User-agent: *\nContent-Usage: train-ai=y\n") == {"content-usage": "allowed"}
    assert values("User-agent: Other\nContent-Usage: train-ai=n\n") == {}


def test_a_rule_before_every_group_reserves_and_never_allows() -> None:
    assert values("Content-Usage: train-ai=n\nUser-agent: *\nAllow: /\n") == {"content-usage": "reserved"}
    assert values("Content-Usage: train-ai=y\nUser-agent: *\nAllow: /\n") == {"content-usage": "unknown"}


def test_the_line_of_cloudflare_reserves() -> None:
    text = "User-Agent: *\nContent-Signal: search=yes, ai-train=no\nAllow: /\n"
    (found,) = usage_of_robots(PAGE, robots_txt(text), "p")
    assert (found.protocol, found.value) == ("content-signal", "reserved")
    assert found.quote == "line 2: Content-signal: search=yes, ai-train=no"


def test_a_spoilt_file_still_reserves_and_no_longer_allows() -> None:
    for letter, said in (("y", "unread"), ("n", "reserved")):
        body = f"User-agent: *\nContent-Usage: train-ai={letter}\n".encode() + b"\xff"
        (found,) = usage_of_robots(PAGE, robots_txt(body), "p")
        assert found.value == said


def test_what_is_read_names_the_draft_it_was_read_by() -> None:
    (found,) = usage_of_headers(PAGE, {"content-usage": "train-ai=n"}, None)
    assert found.version == protocol("content-usage").version
    assert "vocab-08" in found.version
    assert "attach-05" in found.version


def test_headers_of_one_name_are_read_together() -> None:
    headers = [("Content-Usage", "train-ai=y"), ("CONTENT-USAGE", "train-ai=n")]
    (found,) = usage_of_headers(PAGE, headers, "t")
    assert (found.value, found.retrieved) == ("reserved", "t")
    assert list(usage_of_headers(PAGE, {"x": "train-ai=n"}, "t")) == []


@pytest.mark.parametrize(
    "noise", [";" * 8_000, " ;" * 4_000, '"' * 8_000, "a=" + " " * 8_000 + "!", "\\" * 8_000]
)
def test_long_noise_takes_no_time(noise: str) -> None:
    start = time.process_time()
    assert read_value("content-usage", f"a{noise}!") in ("unread", "unknown")
    assert time.process_time() - start < 2
