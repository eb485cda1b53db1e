"""Cleaning changes characters, not words, and parts stay on their words."""

import os
import re
import sys
import time
import unicodedata

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hemicycle.curate import clean as cleaning
from hemicycle.curate.clean import clean, clean_texts, decoded

FUZZ = settings(max_examples=int(os.environ.get("HEMICYCLE_FUZZ", "300")), deadline=None)


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


#: What cleaning does, a pattern a step: the kernel is held to it.
BEFORE = [
    ("\r\n?|[\x0b\x0c\x85\u2028\u2029]", "\n"),
    (
        "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\ufeff]",
        "",
    ),
]
AFTER = [
    ("\t", " "),
    ("(?<![ \u00a0\u202f])[ \u00a0\u202f]+(?=\n|\\Z)", ""),
    (r"(?<=[^\s])[ ]{2,}(?=\S)", " "),
    ("\n{3,}", "\n\n"),
]


def by_patterns(text, points):
    for pattern, new in BEFORE:
        text, points = cleaning._substitute(re.compile(pattern), lambda m, new=new: new, text, points)
    if not unicodedata.is_normalized("NFC", text):
        text, points = cleaning._compose(text, points)
    for pattern, new in AFTER:
        text, points = cleaning._substitute(re.compile(pattern), lambda m, new=new: new, text, points)
    stripped = text.lstrip("\n ")
    points = points - (len(text) - len(stripped))
    text = stripped.rstrip()
    return text, np.clip(points, 0, len(text)).tolist()


def batch(texts, points):
    data = np.frombuffer("".join(texts).encode("utf-8", "surrogatepass"), np.uint8)
    lengths = [len(text.encode("utf-8", "surrogatepass")) for text in texts]
    bounds = np.cumsum([0] + [len(own) for own in points])
    data, offsets, moved = clean_texts(
        data, np.cumsum([0, *lengths]), np.array([p for own in points for p in own], np.int64), bounds
    )
    return [
        (decoded(data[offsets[i] : offsets[i + 1]]), moved[bounds[i] : bounds[i + 1]].tolist())
        for i in range(len(texts))
    ]


TRICKY = (
    "ab  \n\n\r\t\x0b\x00\x1f\x85\x9f\u00a0\u00ad\u0301\u0316\u0327\u0344\u1680\u2000\u200a\u200b\u2028"
    "\u202e\u202f\u205f\u2060\u20d0\u212b\u3000\u1112\u1161\u11a8\uac00\u09c7\u09be\u0958\ufeff\U0001d15e\U0001f642é’"
)
TEXTS = st.lists(
    st.one_of(st.text(TRICKY, max_size=12), st.sampled_from(["  ", "\n \n\n", "a b", "\r\n", " \u0301"])),
    max_size=8,
).map("".join)


@FUZZ
@given(st.lists(TEXTS, max_size=4), st.data())
def test_a_batch_is_cleaned_as_its_texts_are_by_a_pattern_a_step(texts, data):
    points = [data.draw(st.lists(st.integers(0, len(text)), max_size=6)) for text in texts]
    own = [by_patterns(text, np.array(some, np.int64)) for text, some in zip(texts, points, strict=True)]
    assert batch(texts, points) == own


@FUZZ
@given(st.text(), st.data())
@example("\ud800 \udfff", None)
def test_any_text_is_cleaned_as_by_a_pattern_a_step(text, data):
    every = list(range(len(text) + 1))
    cleaned = clean(text, every)
    assert (cleaned.text, cleaned.offsets.tolist()) == by_patterns(text, np.array(every))


def test_every_space_control_and_mark_is_taken_for_what_python_takes_it_for():
    odd = [c for c in map(chr, range(sys.maxunicode)) if c.isspace() or unicodedata.category(c) in "CcCfMnZs"]
    texts = [f"{c}a {c} \n{c}  b  c{c}" for c in odd]
    points = [list(range(len(text) + 1)) for text in texts]
    own = [by_patterns(text, np.array(some)) for text, some in zip(texts, points, strict=True)]
    assert batch(texts, points) == own


def test_what_is_not_looked_at_for_composition_never_composes():
    every = [chr(c) for c in range(sys.maxunicode) if not 0xD800 <= c < 0xE000]
    parts = {c for whole in every for c in unicodedata.normalize("NFD", whole)[1:]}
    for c in every:
        data = np.frombuffer(c.encode(), np.uint8)
        if not cleaning._character(data, 0, len(data))[2]:
            assert unicodedata.is_normalized("NFC", c)
            assert c not in parts
            assert unicodedata.combining(c) == 0


@given(st.binary(max_size=40))
def test_bytes_that_are_no_text_are_read_to_their_end_and_no_further(data):
    def cleaned(after):
        both = np.frombuffer(data + after, np.uint8)
        out, places = np.zeros(len(data), np.uint8), np.zeros(2, np.int64)
        none, odd = np.zeros(0, np.int64), np.zeros(1, np.bool_)
        nowhere = np.zeros(2, np.int64)
        cleaning._clean(both, np.array([0, len(data)]), none, nowhere, out, places, none.copy(), odd)
        return bytes(out[: places[1]])

    assert cleaned(b"\x80\x8b\x85") == cleaned(b"\xa0\xa8\x80")
