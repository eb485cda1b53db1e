"""The public notice, in two languages: what outsiders wrote stays text."""

import re
from datetime import date

import pytest

from hemicycle.cli.withdraw import _checkpoints
from hemicycle.withdraw import Impact, Target, notice
from hemicycle.withdraw.impact import CorpusImpact
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
        ("en", ["27 November 2026", "50 to 60 of 100", "after 40 steps", "Nothing is unlearnt", "80"]),
        ("fr", ["27 novembre 2026", "50 à 60 sur 100", "après 40 pas", "Rien n’est désappris", "80"]),
    ],
)
def test_it_says_which_steps_read_it_and_what_is_not_claimed(language, words):
    page = notice(
        language, "essai", Target(("romans",), {}), Impact(models=(model(),)), reason=None, today=DAY
    )
    assert all(word in page for word in words), page
    assert "`romans`" in page


@pytest.mark.parametrize(
    ("language", "not_said"),
    [
        ("en", ["model above", "to be replaced", "If you serve", "unlearnt"]),
        ("fr", ["modèle ci-dessus", "à remplacer", "Si vous servez", "désappris"]),
    ],
)
def test_where_no_model_read_it_none_is_spoken_of(language, not_said):
    corpus = CorpusImpact("corpus", "c", "corpus/c-0", "0", True, True, 1, 0, 0, 30, 200)
    page = notice(language, "essai", Target(("s",), {}), Impact(corpora=(corpus,)), reason=None, today=DAY)
    assert not [words for words in not_said if words in page], page
    assert re.search("\n## [^\n]+\n\n- [^\n]+\n- [^\n]+\n$", page), page


def test_all_names_have_code_marks_or_none_has():
    def page(*ids):
        target = Target((), {"s": dict.fromkeys(ids, "0")})
        return notice("en", "essai", target, Impact(), reason=None, today=DAY)

    assert "Withdrawn: `s:1.txt`, `s:2.txt`." in page("s:1.txt", "s:2.txt")
    assert "Withdrawn: s:1.txt, s:été.txt." in page("s:1.txt", "s:été.txt")


def test_checkpoints_that_know_of_it_are_told_from_how_many_were_kept():
    def page(**changed):
        impact = Impact(models=(model(**changed),))
        return notice("en", "essai", Target(("s",), {}), impact, reason=None, today=DAY)

    assert "| 1 of 2, after 80 steps | after 40 steps |" in page()
    assert "| no checkpoint was kept | none |" in page(checkpoints=(), touched=(), clean=0)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, "1 of 2 kept checkpoints know of it (after 80 steps); the last clean one is after 40 steps"),
        (
            {"touched": (40, 80), "clean": 0},
            "2 of 2 kept checkpoints know of it (after 40, 80 steps); none is clean, so from the beginning",
        ),
        ({"checkpoints": (), "touched": (), "clean": 0}, "no checkpoint was kept, so from the beginning"),
    ],
)
def test_people_are_told_which_checkpoints_know_of_it(changed, said):
    assert _checkpoints(model(**changed)) == said
