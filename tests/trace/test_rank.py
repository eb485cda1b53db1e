import math

import numpy as np
import pytest

from hemicycle.trace.rank import K1, B, bm25, rarest
from hemicycle.trace.spans import Query, Span
from hemicycle.trace.vocabulary import UNKNOWN


def ids(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.uint32)


def test_bm25_by_hand():
    # Two windows of 3 and 1 words; the query has word 5 (in the first, twice) and an unknown word.
    scores = bm25([ids(5, 5, 9), ids(9)], ids(5, 5, UNKNOWN))
    rarity = math.log(1 + (2 - 1 + 0.5) / (1 + 0.5))
    norm = K1 * (1 - B + B * 3 / 2)
    assert scores.tolist() == pytest.approx([rarity * 2 * (K1 + 1) / (2 + norm), 0.0])


def test_separators_and_other_words_of_a_window_match_nothing():
    assert bm25([ids(1, 0xFFFF_FFFF, 3)], ids(2, 4)).tolist() == [0.0]


def test_no_window_and_no_known_word_have_no_score():
    assert bm25([], ids(1)).tolist() == []
    assert bm25([ids(1)], ids(UNKNOWN)).tolist() == [0.0]


def test_the_rarest_spans_are_kept_in_the_order_of_the_text():
    log_p = np.log(np.array([0.5, 0.001]))
    query = Query(ids(*[0, 0, 1, 1] * 15), np.arange(60), np.arange(60) + 1)
    spans = [Span(i, i + 2, i, 2, 1, ()) for i in range(0, 60, 2)]
    kept = rarest(spans, query, log_p, density=0.05)
    assert [s.start for s in kept] == [2 + 4 * i for i in range(10)]
    assert len(rarest(spans, query, log_p, density=0.25)) == 15
