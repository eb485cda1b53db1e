"""French is cut where French is, and a long text may be parted without changing a token."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemicycle.tokens.encoder import byte_level, encoder_of
from hemicycle.tokens.pattern import part

CUT = byte_level()


def pieces(text):
    return [text[a:b] for _, (a, b) in CUT.pre_tokenize_str(text)]


def parts(text, segment):
    return [str(piece, "utf-8") for piece in part(memoryview(text.encode("utf-8")), segment)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("de l'eau", "de| l'|eau"),
        ("de l’eau", "de| l’|eau"),
        ("qu’il d’abord", "qu’|il| d’|abord"),
        ("aujourd’hui", "aujourd’|hui"),
        ("l’élève", "l’|élève"),
        ("l’e\u0301le\u0300ve", "l’|e\u0301le\u0300ve"),
        ("Ah\u202f! dit-il\u00a0;", "Ah|\u202f!| dit|-il|\u00a0;"),
        ("«\u00a0oui\u00a0»", "«\u00a0|oui|\u00a0»"),
        ("dit «\u202fnon\u202f».", "dit| «\u202f|non|\u202f»."),
        ("« mot »", "«| mot| »"),
        ("10\u00a0000\u202f€", "10|\u00a0|000|\u202f€"),
        ("en 1789, 3,14", "en| |178|9|,| |3|,|14"),
        ("M.\u00a0Dupont", "M|.|\u00a0|Dupont"),
        ("fin.\n\nDébut", "fin|.\n\n|Début"),
        ("a\n    b", "a|\n|    |b"),
    ],
)
def test_french_is_cut_as_it_is_written(text, expected):
    assert pieces(text) == expected.split("|")


def test_a_word_between_guillemets_is_the_word_it_is_elsewhere():
    assert "oui" in pieces("«\u00a0oui\u00a0»")
    assert "oui" in pieces("«oui»")


FRENCH = st.text(
    st.sampled_from(" \n\t\u00a0\u202f'’«»!?.,;-_1789½aéÀe\u0301œñжя中👍\r\u2028"), min_size=1, max_size=80
)


@given(FRENCH | st.text(st.characters(codec="utf-8"), max_size=80), st.integers(4, 40))
def test_parts_are_the_text_and_hold_whole_characters(text, segment):
    found = parts(text, segment)
    assert "".join(found) == text
    assert all(len(one.encode("utf-8")) <= segment for one in found)


@given(FRENCH, st.integers(4, 40))
def test_a_text_parted_after_a_word_has_the_pieces_of_the_whole(text, segment):
    found = parts(text, segment)
    if all(before[-1].isalnum() and after[0] in " \n" for before, after in pairwise(found)):
        assert [piece for one in found for piece in pieces(one)] == pieces(text)


def test_a_long_french_text_has_the_tokens_of_the_whole(tokenizer):
    encode = encoder_of(tokenizer).encode
    text = "L’élève disait\u202f: «\u00a0en 1789, l'eau n° 12\u00a0!\u00a0»\n" * 60
    for segment in (64, 100, 777):
        found = parts(text, segment)
        assert len(found) > 1
        assert [i for ids in encode(found) for i in ids] == list(encode([text])[0])


@pytest.mark.parametrize("text", ["a" * 300_000, "é" * 150_000, "! " * 150_000, "👍" * 80_000, "… " * 90_000])
def test_a_text_without_a_place_to_part_it_is_parted_all_the_same(text, tokenizer):
    found = parts(text, 65_536)
    assert "".join(found) == text
    assert len(found) < 10
