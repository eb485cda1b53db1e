"""The public notice, in two languages: what outsiders wrote stays text."""

import re
from datetime import date

import pytest

from hemicycle.withdraw import Impact, Target, notice
from tests.withdraw.test_impact import model

DAY = date(2026, 11, 27)
EVIL = "x](http://evil.example)\n# Titre <script>alert(1)</script> \x1b[2J|"


@pytest.mark.parametrize("language", ["en", "fr"])
def test_names_and_reasons_from_outside_do_nothing_in_the_page(language):
    target = Target((), {"s": {EVIL: "0"}})
    page = notice(language, EVIL, target, Impact(models=(model(name=EVIL),)), reason=EVIL, today=DAY)
    assert "<script>" not in page
    assert "\x1b" not in page
    assert not re.search(r"(?<!\\)\]\(", page)
    assert [line for line in page.splitlines() if line.startswith("# ")] == page.splitlines()[:1]


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ["27 November 2026", "50 to 60 of 100", "after step 40", "Nothing is unlearnt", "80"]),
        ("fr", ["27 novembre 2026", "50 à 60 sur 100", "après le pas 40", "Rien n’est désappris", "80"]),
    ],
)
def test_it_says_which_steps_read_it_and_what_is_not_claimed(language, words):
    page = notice(
        language, "essai", Target(("romans",), {}), Impact(models=(model(),)), reason=None, today=DAY
    )
    assert all(word in page for word in words), page
    assert "`romans`" in page
