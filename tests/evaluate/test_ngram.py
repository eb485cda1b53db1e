from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.errors import DeclarationError, InputError
from hemicycle.evaluate import ngram

FEW = st.text(alphabet="abé ", max_size=12)


def slow_probability(texts: list[str], alphabet: str, context: str, character: str, order: int) -> float:
    """Witten and Bell's rule as the paper writes it, by counting substrings one by one."""

    def symbols(text: str) -> str:
        return "".join(c if c in alphabet else "\0" for c in text)

    counted = [symbols(text) for text in texts]
    before, after = symbols(context), symbols(character)
    p = 1 / (len(alphabet) + 1)
    for k in range(1, order + 1):
        if len(before) < k - 1:
            break
        h = before[len(before) - k + 1 :]
        followers = Counter(
            text[i + k - 1] for text in counted for i in range(len(text) - k + 1) if text[i : i + k - 1] == h
        )
        total, kinds = sum(followers.values()), len(followers)
        if total:
            p = (followers[after] + kinds * p) / (total + kinds)
    return p


def test_bigram_of_abab_by_hand():
    model = ngram.train(["abab"], order=2)
    assert model.alphabet == "ab"
    # p0 = 1/3; p1(a) = p1(b) = (2 + 2/3) / 6 = 4/9; after a: two b, one kind: p2(b|a) = (2 + 4/9) / 3.
    np.testing.assert_allclose(model.distribution("", 1), [4 / 9, 4 / 9, 1 / 9])
    np.testing.assert_allclose(model.distribution("a", 2)[1], 22 / 27)
    np.testing.assert_allclose(model.bits(["ab"])[0][1], [math.log2(9 / 4), math.log2(27 / 22)])


@settings(max_examples=60, deadline=None)
@given(st.lists(FEW, min_size=1, max_size=4).filter(any), st.text(alphabet="abé x", max_size=10))
def test_fast_counts_equal_a_slow_dictionary(texts, held_out):
    model = ngram.train(texts)
    bits = model.bits([held_out])[0]
    for i, character in enumerate(held_out):
        more = 0 if character in model.alphabet else math.log2(0x110000 - len(model.alphabet))
        for order in range(1, 8):
            p = slow_probability(texts, model.alphabet, held_out[:i], character, order)
            assert bits[order - 1, i] == pytest.approx(more - math.log2(p), rel=1e-12)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=20), min_size=1, max_size=4).filter(any), st.text(max_size=8))
def test_probabilities_sum_to_one_after_any_context(texts, context):
    model = ngram.train(texts)
    for order in range(1, 8):
        distribution = model.distribution(context, order)
        assert distribution.shape == (len(model.alphabet) + 1,)
        assert distribution.min() > 0
        assert distribution.sum() == pytest.approx(1, abs=1e-12)


def test_contexts_do_not_cross_documents():
    model = ngram.train(["ab", "cd"], order=2)
    np.testing.assert_array_equal(model.distribution("b", 2), model.distribution("", 1))
    together = model.bits(["ab", "cd"])
    np.testing.assert_array_equal(together[1], model.bits(["cd"])[0])


def test_empty_documents_are_harmless():
    model = ngram.train(["", "abc", ""], order=7)
    assert [bits.shape for bits in model.bits(["", "ab", ""])] == [(7, 0), (7, 2), (7, 0)]
    assert model.bits([]) == []


def test_each_order_is_the_same_whether_or_not_higher_ones_are_counted():
    texts = ["Le Parlement contrôle l’action du Gouvernement.", "Il évalue les politiques publiques."]
    held_out = ["Le Gouvernement évalue."]
    highest = ngram.train(texts, 7).bits(held_out)[0]
    for order in range(1, 7):
        np.testing.assert_array_equal(ngram.train(texts, order).bits(held_out)[0], highest[:order])


def test_an_unseen_character_pays_for_saying_which_one_it_is():
    model = ngram.train(["aab"], order=1)
    # p1(other) = (0 + 2 · 1/3) / (3 + 2)
    expected = -math.log2(2 / 15) + math.log2(0x110000 - 2)
    for unseen in "z😀":
        assert model.bits([unseen])[0][0, 0] == pytest.approx(expected)


def test_alphabet_keeps_the_255_most_frequent_characters_lower_code_point_first():
    rare = "".join(chr(0x4E00 + i) for i in range(300))
    model = ngram.train([rare + "zz"], order=3)
    assert model.alphabet == "z" + rare[:254]
    assert model.distribution(rare[299], 3).size == 256


def test_text_past_the_limit_is_taken_in_evenly_spaced_stretches(monkeypatch):
    monkeypatch.setattr(ngram, "STRETCH", 10)
    text = "".join(chr(0x100 + i // 10) for i in range(1000))  # one character a stretch
    for texts in ([text], [text[i : i + 100] for i in range(0, 1000, 100)]):
        pieces, offered = ngram._sample(texts, 300)
        assert offered == 1000
        assert 150 <= sum(map(len, pieces)) <= 300
        positions = [ord(piece[0]) - 0x100 for piece in pieces]
        assert positions == list(range(0, 100, positions[1] - positions[0]))
    whole = ngram.train([text], 2, limit=1000)
    assert (whole.seen, whole.offered) == (1000, 1000)
    sampled = ngram.train([text], 2, limit=300)
    assert sampled.seen <= 300 < sampled.offered == 1000


def test_a_stretch_cut_from_a_longer_text_adds_no_gram_that_is_not_in_it(monkeypatch):
    monkeypatch.setattr(ngram, "STRETCH", 3)
    model = ngram.train(["abcdefghijkl"], 2, limit=6)
    table = model.tables[1]
    grams = {model.alphabet[int(key) >> 8] + model.alphabet[int(key) & 0xFF] for key in table.keys}
    assert grams
    assert all(gram in "abcdefghijkl" for gram in grams)


def test_orders_outside_one_to_seven_are_refused():
    for order in (0, 8):
        with pytest.raises(DeclarationError, match="1 to 7"):
            ngram.train(["a"], order)


def test_no_training_text_is_refused():
    with pytest.raises(InputError, match="no training text"):
        ngram.train(["", ""])
