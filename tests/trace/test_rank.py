import math
from pathlib import Path

import numpy as np
import pytest

from hemicycle.documents import Document
from hemicycle.trace.build import build_index
from hemicycle.trace.index import open_index
from hemicycle.trace.query import read_query
from hemicycle.trace.rank import K1, WINDOW, B, Window, bm25, rarest, weights, window
from hemicycle.trace.spans import Span


@pytest.fixture
def index(tmp_path: Path, write_corpus):
    def opened(*texts: str, memory: int = 10**9):
        documents = [Document(str(i), text) for i, text in enumerate(texts)]
        corpus = write_corpus(tmp_path / "corpus", {"s": documents})
        build_index([corpus], tmp_path / "index", memory=memory)
        return open_index(tmp_path / "index")

    return opened


@pytest.mark.parametrize("memory", [10**9, 5 * 20])
def test_bm25_by_hand(index, memory):
    # Two windows of 3 and 1 words, of one shard or of two; the query has "un" (in the first, twice) and an
    # unknown word.
    opened = index("un un deux", "deux", memory=memory)
    windows = [window(opened, 0, 0, 1), window(opened, 1, 0, 1)]
    assert [w.last - w.first for w in windows] == [3, 1]
    scores = bm25(windows, read_query(opened, "un un trois"))
    rarity = math.log(1 + (2 - 1 + 0.5) / (1 + 0.5))
    norm = K1 * (1 - B + B * 3 / 2)
    assert scores.tolist() == pytest.approx([rarity * 2 * (K1 + 1) / (2 + norm), 0.0])


def test_separators_and_other_words_of_a_window_match_nothing(index):
    opened = index("un deux", "trois")
    assert bm25([Window(0, 0, 3)], read_query(opened, "trois quatre")).tolist() == [0.0]


def test_no_window_and_no_known_word_have_no_score(index):
    opened = index("un deux")
    assert bm25([], read_query(opened, "un")).tolist() == []
    assert bm25([Window(0, 1, 3)], read_query(opened, "trois")).tolist() == [0.0]


def test_a_window_ends_with_its_document(index):
    opened = index(" ".join(["un"] * 700), "deux trois")
    assert window(opened, 0, 300, 5) == Window(0, 301 - WINDOW, 306 + WINDOW)
    assert window(opened, 0, 690, 5) == Window(0, 691 - WINDOW, 701)
    assert window(opened, 1, 1, 1) == Window(0, 702, 704)


def test_the_rarest_spans_are_kept_in_the_order_of_the_text(index):
    opened = index("commun " * 999 + "rare")
    query = read_query(opened, "commun commun rare rare " * 15)
    spans = [Span(i, i + 2, i, 2, 1, ()) for i in range(0, 60, 2)]
    kept = rarest(spans, query, density=0.05)
    assert [s.start for s in kept] == [2 + 4 * i for i in range(10)]
    assert len(rarest(spans, query, density=0.25)) == 15
    assert weights(spans[:2], query) == pytest.approx([2 * np.log(0.999), 2 * np.log(0.001)])


def test_counts_of_shards_are_added(index):
    opened = index("un deux", "un trois", memory=4 * 20)
    assert len(opened.shards) == 2
    assert read_query(opened, "un deux quatre").counts.tolist() == [2, 1, 0]
