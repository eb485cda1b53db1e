"""Two published filters for books out of copyright, on a grid: how often each is wrong, and each way.

The filters are those of Lucie and of Luciole, in words of our own; `docs/terms.md` names their files. Its
table is asserted here, so that the page cannot say what nobody counted.
"""

import functools
import re
from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from hemicycle.rights.term import Lifetime, Work, judge

PAGE = Path(__file__).resolve().parents[2] / "docs" / "terms.md"
TODAY = date(2026, 11, 22)


def passes(birth, death, language, *, english_asked=True):
    """What the filters accept; Lucie's asks nothing of English. An unknown death is put at the age of 80."""
    if (language == "en" and not english_asked) or (birth is None and death is None):
        return True
    return (birth + 80 if death is None else death) <= TODAY.year - (80 if language == "fr" else 70)


@functools.cache
def grid():
    """Death, publication, “mort pour la France”, and the days on which such a work is free."""
    return [
        (death, mplf, judge(Work((Lifetime(death - 60, death, mplf),), published=published), "FR", TODAY))
        for death in range(1900, 1957)
        for published in range(max(1880, death - 40), death + 1)
        for mplf in (False, True)
    ]


def wrong(language, day):
    """The deaths, with their flag, that a filter frees too early, and those that it keeps too long."""
    freed, kept = [], []
    for death, mplf, verdict in grid():
        accepted, free = passes(death - 60, death, language), getattr(verdict, day) <= TODAY
        if accepted != free:
            (freed if accepted else kept).append((death, mplf))
    return freed, kept


@pytest.mark.parametrize(
    ("rule", "language", "against", "day"),
    [
        ("80 years", "fr", "the day held right", "free_from"),
        ("80 years", "fr", "the safe day", "safe_from"),
        ("70 years", "de", "the day held right", "free_from"),
        ("70 years", "de", "the safe day", "safe_from"),
    ],
)
def test_the_page_says_how_often_each_rule_is_wrong(rule, language, against, day):
    rows = re.findall(r"^\| `(.+?)` \| (.+?) \| (\d+) \| (\d+) \| (\d+) \|$", PAGE.read_text("utf-8"), re.M)
    said = {(name, compared): tuple(map(int, figures)) for name, compared, *figures in rows}
    freed, kept = wrong(language, day)
    assert said[rule, against] == (len(freed), len(kept), len(grid()))


def test_the_grid_is_that_of_the_page():
    assert len(grid()) == 4254
    assert wrong("fr", "free_from") != ([], [])


def test_eighty_years_free_only_authors_who_died_for_france_too_early():
    freed, kept = wrong("fr", "free_from")
    assert all(mplf for _, mplf in freed)
    assert {death for death, _ in kept} == set(range(1947, 1956))


def test_seventy_years_also_free_whoever_died_seventy_years_ago_this_year():
    freed, _ = wrong("de", "free_from")
    assert {death for death, mplf in freed if not mplf} == {1956}
    assert Counter(mplf for _, mplf in freed)[True] > 900


def test_an_author_of_no_known_dates_is_accepted_there_and_held_here():
    assert passes(None, None, "fr")
    assert passes(1860, None, "fr")
    for birth in (None, 1860):
        held = judge(Work((Lifetime(birth, None),), published=1950), "FR", TODAY)
        assert (held.verdict, held.explanation) == ("review", "unknown-death")


def test_a_living_author_passes_there_in_english():
    assert passes(1980, None, "en", english_asked=False)
    assert not passes(1980, None, "en")
    assert judge(Work((Lifetime(1980, None),), published=2010), "FR", TODAY).verdict == "review"


def test_the_little_prince_passes_eighty_years_and_is_protected():
    assert passes(1900, 1944, "fr")
    assert judge(Work((Lifetime(1900, 1944, True),), published=1943), "FR", TODAY).verdict == "deny"
