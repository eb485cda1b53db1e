"""Cleaning changes characters, not words, and parts stay on their words."""

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemicycle.curate.clean import clean


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("e\u0301te\u0301", "été"),
        ("a\r\nb\rc\u2028d", "a\nb\nc\nd"),
        ("sou\u00admis", "soumis"),
        ("\ufefftexte\x00\x07", "texte"),
        ("un  deux\t trois", "un deux trois"),
        ("fin   \n\n\n\nsuite\u00a0", "fin\n\nsuite"),
        ("quoi\u00a0? n°\u202f3", "quoi\u00a0? n°\u202f3"),
        ("\n\n  texte  \n", "texte"),
        ("    indenté\n    code", "indenté\n    code"),
        ("10 \u212b", "10 Å"),
        ("\u1112\u1161\u11ab", "\ud55c"),
        ("droite\u202egauche", "droitegauche"),
    ],
)
def test_worked_examples(before, after):
    assert clean(before).text == after


@given(st.text(st.characters(codec="utf-8")))
def test_cleaning_twice_is_cleaning_once(text):
    once = clean(text).text
    assert clean(once).text == once


@given(st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs")), max_size=200))
def test_letters_and_figures_stay_in_order(text):
    def kept(value):
        return [c for c in unicodedata.normalize("NFC", value) if c.isalnum()]

    assert kept(clean(text).text) == kept(text)


@given(
    st.lists(st.tuples(st.text("ab é\u0301\t\n\u00ad", max_size=8), st.text("xyz", min_size=1)), max_size=6)
)
def test_a_part_still_begins_and_ends_at_its_word(pieces):
    text, points = "", []
    for filler, word in pieces:
        text += " " + filler + " "  # a mark at its start must not join the word before
        points += [len(text), len(text) + len(word)]
        text += word
    cleaned = clean(text, points)
    found = [cleaned.text[start:end] for start, end in cleaned.offsets.reshape(-1, 2)]
    assert found == [word for _, word in pieces]


def test_a_long_run_of_spaces_costs_its_length_and_not_its_square():
    def spent(n):
        begin = time.process_time()
        assert clean("a" + " " * n + "b").text == "a b"
        return time.process_time() - begin

    spent(1_000)
    assert spent(400_000) < 100 * max(spent(40_000), 1e-4)
