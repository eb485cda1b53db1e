"""Sentences: the same in both languages but for the words, and numbers as people say them."""

import csv
import re
from pathlib import Path

import pytest

from hemicycle.plan import wording
from hemicycle.plan.wording import figure, ranged, say
from hemicycle.units import between, of, sure

TABLE = Path(wording.__file__).with_name("wording.csv")


def test_every_sentence_tells_the_same_figures_in_both_languages():
    with TABLE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({row["key"] for row in rows}) == len(rows)
    for row in rows:
        assert row["en"], row["key"]
        assert row["fr"], row["key"]
        named = [sorted(re.findall(r"{(\w+)}", row[language])) for language in ("en", "fr")]
        assert named[0] == named[1], row["key"]


@pytest.mark.parametrize(
    ("value", "english", "french"),
    [
        (0, "0", "0"),
        (12.0, "12", "12"),
        (0.01234, "0.0123", "0,0123"),
        (1234.5, "1,230", "1\u202f230"),
        (999_999, "1\u00a0million", "1\u00a0million"),
        (121.7e9, "122\u00a0billion", "122\u00a0milliards"),
        (2.5e12, "2.50\u00a0trillion", "2,50\u00a0billions"),
        (7.2e15, "7,200\u00a0trillion", "7\u202f200\u00a0billions"),
    ],
)
def test_a_number_has_three_digits_and_a_word(value, english, french):
    assert figure(value, "en") == english
    assert figure(value, "fr") == french


def test_a_range_is_told_with_its_ends_unless_it_is_sure():
    assert ranged(between(1, 2, 3.5, "EUR"), "EUR", "en") == "2 (1 to 3.50)"
    assert ranged(between(1, 2, 3.5, "EUR"), "EUR", "fr") == "2 (1 à 3,50)"
    assert ranged(sure(of(2, "EUR")), "EUR", "en") == "2"


def test_a_sentence_holds_what_is_told():
    assert say("serving_speed", "en", answers="3", rate="40").startswith("Answers written at once: 3.")
