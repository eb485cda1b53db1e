"""Main content: how well both finders do on pages with a known text, and what hostile pages come to."""

from __future__ import annotations

import os
import re
import time
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.sources.html_text import page_text
from hemicycle.sources.main_content import careful_blocks, fast_blocks

from .made_pages import EMPTY, KINDS, made_pages

pytest.importorskip("resiliparse")
pytest.importorskip("trafilatura")

FUZZ = int(os.environ.get("HEMICYCLE_FUZZ", "200"))
BOTH = pytest.mark.parametrize("extractor", ["fast", "careful"])


def f1(find) -> float:
    found = kept = both = 0
    for page in made_pages():
        if page.kind in EMPTY:
            continue
        has, wanted = (
            Counter(re.findall(r"\w+", text.lower()))
            for text in ("\n".join(words for _, words in find(page.html)), page.keep)
        )
        found, kept, both = found + has.total(), kept + wanted.total(), both + (has & wanted).total()
    return 2 * both / (found + kept)


def test_the_careful_finder_is_better_than_the_fast_one_and_both_are_as_documented() -> None:
    careful, fast = f1(careful_blocks), f1(fast_blocks)
    assert careful == pytest.approx(0.952, abs=0.01)
    assert fast == pytest.approx(0.900, abs=0.01)


def test_there_are_sixty_pages_of_twelve_kinds_and_no_two_alike() -> None:
    pages = made_pages()
    assert Counter(page.kind for page in pages) == dict.fromkeys(KINDS, 5)
    assert len({page.html for page in pages}) == 60
    assert len({page.keep for page in pages}) == 51  # the ten with nothing to keep are alike in that


@BOTH
def test_a_page_comes_with_its_headings_and_no_break_spaces(extractor) -> None:
    words = (
        "<p>Le «\u00a0budget\u202f» est adopté&nbsp;: après une longue discussion &lt;p&gt; des articles.</p>"
    )
    written = page_text(f"<html><body><article><h1>Titre</h1>{words * 4}</article></body></html>", extractor)
    assert [(p.kind, p.title) for p in written.parts[:2]] == [("heading", "Titre"), ("paragraph", "Titre")]
    assert (
        "Le «\u00a0budget\u202f» est adopté\u00a0: après une longue discussion <p> des articles."
        in written.text
    )


@BOTH
@pytest.mark.parametrize(
    "html",
    [
        "<div>" * 100_000 + "Au fond.",
        f"<p title='{'x' * 20_000_000}'>Au fond.</p>",
        "<p>Au fond." * 100_000,
        "<a><b>" * 100_000 + "Au fond.",
        "<!--" * 500_000 + "--><p>Au fond.</p>",
        "<" * 500_000 + "<p>Au fond.</p>",
        "&amp;" * 1_000_000 + "<p>Au fond.</p>",
    ],
    ids=["deep", "long attribute", "many paragraphs", "misnested", "comments", "brackets", "entities"],
)
def test_a_hostile_page_takes_seconds_and_not_hours(extractor, html: str) -> None:
    begin = time.process_time()
    written = page_text(html, extractor)
    assert time.process_time() - begin < 20
    assert "Au fond." in written.text


TAGS = st.sampled_from(
    ["<p>", "</p>", "<div>", "</div>", "<table>", "<tr>", "<td>", "<li>", "<ul>", "<h1>", "<pre>", "<br>",
     "<!--", "&nbsp;", "&lt;", "<svg>", "<template>", "<plaintext>", "\0", "\ue0a0", "\ud800", "\t\t", "\n",
     "mot "]
)  # fmt: skip


@BOTH
@given(st.lists(st.one_of(TAGS, st.text(max_size=8)), max_size=60).map("".join))
@settings(max_examples=FUZZ, deadline=None)
def test_any_page_gives_parts_that_fit_and_no_error(extractor, html: str) -> None:
    written = page_text(html, extractor)
    for part in written.parts:
        assert written.text[part.start : part.end].strip()
