from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from hemicycle.release import cards
from hemicycle.release.attribution import duty_words, licence_link, licence_url
from hemicycle.typeset import (
    NARROW,
    Language,
    code,
    count,
    escape_text,
    flatten,
    format_date,
    format_duration,
    format_interval,
    format_number,
    format_percent,
    link,
    yaml_line,
)

LANGUAGES: tuple[Language, ...] = ("en", "fr")


def parse(shown: str, language: str) -> float:
    plain = shown.replace(NARROW, "").replace(",", ".") if language == "fr" else shown.replace(",", "")
    return float(plain.replace("−", "-"))


def test_numbers_are_grouped_and_pointed_as_each_language_does():
    assert format_number(1_234_567, "en") == "1,234,567"
    assert format_number(1_234_567, "fr") == "1\u202f234\u202f567"
    assert format_number(1234.5, "en") == "1,234.50"
    assert format_number(1234.5, "fr", decimals=1) == "1\u202f234,5"
    assert format_number(-3, "fr") == "−3"
    assert format_number(None, "en") == "–"


def test_large_numbers_become_powers_of_ten():
    assert format_number(3.87e23, "en", significant=3) == "3.87 × 10²³"
    assert format_number(387_000_000, "fr", significant=2) == "3,9 × 10⁸"
    assert format_number(999_999, "en", significant=3) == "999,999"


def test_percentages_and_dates_and_intervals():
    assert format_percent(0.3125, "en") == "31.2%"
    assert format_percent(1, "fr") == "100,0\u202f%"
    assert format_date("2026-11-01", "fr") == "1er novembre 2026"
    assert format_date("2026-11-22", "en") == "22 November 2026"
    assert format_date("soon [x](y)", "en") == r"soon \[x\](y)"
    assert format_interval(1.861, 1.84, 1.893, "fr") == "1,86 \\[1,84\u202f; 1,89\\]"
    assert format_interval(3.1, None, None, "en") == "3.10"


@pytest.mark.parametrize(
    ("seconds", "en", "fr"),
    [
        (0.4, "0 s", "0 s"),
        (59.4, "59 s", "59 s"),
        (59.6, "1 min", "1 min"),
        (3_599, "1 h 00 min", "1 h 00 min"),
        (11_100, "3 h 05 min", "3 h 05 min"),
        (187_200, "2 d 4 h", "2 j 4 h"),
        (1e8, "1,157 d 9 h", "1\u202f157 j 9 h"),
    ],
)
def test_durations_have_their_two_largest_units(seconds: float, en: str, fr: str):
    assert (format_duration(seconds, "en"), format_duration(seconds, "fr")) == (en, fr)


def test_french_counts_zero_in_the_singular():
    assert count(0, "document", "documents", "fr") == "0 document"
    assert count(0, "document", "documents", "en") == "0 documents"
    assert count(1, "document", "documents", "en") == "1 document"


@given(st.integers(-(10**18), 10**18), st.sampled_from(LANGUAGES))
def test_an_integer_reads_back_as_itself(value: int, language: Language):
    assert parse(format_number(value, language), language) == float(value)


@given(st.floats(-1e9, 1e9), st.integers(0, 6), st.sampled_from(LANGUAGES))
def test_a_float_reads_back_as_python_rounds_it(value: float, decimals: int, language: Language):
    assert parse(format_number(value, language, decimals=decimals), language) == float(
        f"{value:.{decimals}f}"
    )


def visible(markdown: str) -> tuple[str, set[str]]:
    """What a reader sees of a Markdown page, and the kinds of tokens it is made of."""
    seen, kinds = [], set()
    for block in MarkdownIt("commonmark").enable("table").parse(markdown):
        kinds.add(block.type)
        for token in block.children or []:
            kinds.add(token.type)
            seen.append(token.content)
    return "".join(seen), kinds


ODD = "|`*_[]<>()#+-.!~&$@\\{}=:/\"'\n\r\t\x00\x1b\u2028\u202e\u200b 1a.é\ud800"


@given(st.text(ODD, max_size=60) | st.text(max_size=60))
def test_escaped_text_shows_itself_and_nothing_else(text: str):
    shown, kinds = visible(f"{escape_text(text)}\n")
    assert shown.strip() == flatten(text).strip()
    assert kinds <= {"paragraph_open", "paragraph_close", "inline", "text", "text_special"}


@given(st.text(ODD, max_size=40))
def test_escaped_text_stays_in_its_cell(text: str):
    page = f"| a | b |\n|---|---|\n| {escape_text(text)} | end |\n"
    cells = [t for t in MarkdownIt("commonmark").enable("table").parse(page) if t.type == "td_open"]
    assert len(cells) == 2
    assert visible(page)[0] == f"ab{flatten(text).strip()}end"


@given(st.text(max_size=80) | st.text(ODD, max_size=80))
def test_front_matter_reads_back_as_the_text_and_adds_no_key(text: str):
    parsed = yaml.safe_load(yaml_line("title", text) + "\n" + yaml_line("tags", [text, "b"]))
    assert parsed == {"title": flatten(text), "tags": [flatten(text), "b"]}


def test_long_text_is_cut_with_an_ellipsis():
    assert flatten("a" * 5_000) == "a" * 999 + "…"


def test_text_that_turns_the_line_around_is_taken_out():
    assert flatten("a\u202egpj.exe\u2066b\u200fc") == "agpj.exebc"


def test_only_web_addresses_become_links():
    assert link("https://data.example.org/a?b=c") == "<https://data.example.org/a?b=c>"
    for address in ("javascript:alert(1)", "https://a b", "https://x>y", "http://", "data:text/html,x"):
        assert "<" not in link(address).replace("&lt;", "")
        assert "](" not in link(address, "text")


def test_code_holds_only_plain_names():
    assert code("an-15") == "`an-15`"
    assert code("a`b|c") == r"a\`b\|c"


@pytest.mark.parametrize(
    ("identifier", "address"),
    [
        ("CC-BY-SA-3.0", "https://creativecommons.org/licenses/by-sa/3.0/"),
        ("CC-BY-3.0-DE", "https://creativecommons.org/licenses/by/3.0/de/"),
        ("etalab-2.0", "https://www.etalab.gouv.fr/licence-ouverte-open-licence/"),
        ("GPL-2.0-or-later", "https://spdx.org/licenses/GPL-2.0-or-later.html"),
        ("LicenseRef-grant-12", None),
        ("../../evil", None),
    ],
)
def test_a_licence_has_one_address(identifier: str, address: str | None):
    assert licence_url(identifier) == address


def test_an_expression_links_its_licences_and_not_its_operators():
    shown = licence_link("GPL-3.0-or-later OR (MIT AND CC0-1.0)")
    assert shown.count("](https://") == 3
    assert " OR (" in shown
    assert "[AND]" not in shown


def test_an_unreadable_licence_is_shown_and_not_linked():
    assert licence_link("free|for <b>all</b>") == r"free\|for &lt;b&gt;all&lt;/b&gt;"


def test_every_obligation_of_the_licence_table_has_words():
    from hemicycle.rights.licences import licences
    from hemicycle.rights.policy import default_policy

    known = {o for licence in licences() for o in licence.obligations}
    known |= {o for condition in default_policy().conditional.values() for o in condition.obligations}
    assert known <= duty_words().keys()
    for words in duty_words().values():
        assert all([*words.asks.values(), *words.here.values()])


def test_a_template_cannot_print_a_bare_number_or_raw_text():
    environment = cards._environment("fr", False)
    with pytest.raises(TypeError, match="3 reached a card"):
        environment.from_string("{{ x }}").render(x=3)
    assert environment.from_string("{{ x }}{{ 1234|n }}").render(x="<b>|") == "&lt;b&gt;\\|1\u202f234"


def test_the_pages_of_both_languages_come_in_pairs():
    french = {
        file.replace(".fr.md", ".md") for file, (_, language) in cards.PAGES.items() if language == "fr"
    }
    assert french == {"README.md", "DATA.md"}
    assert french <= cards.PAGES.keys()
