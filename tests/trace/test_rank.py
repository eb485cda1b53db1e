import math
import random
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from hemicycle.documents import Document
from hemicycle.trace.build import build_index
from hemicycle.trace.index import open_index
from hemicycle.trace.query import read_query
from hemicycle.trace.rank import K1, MOST_SHOWN, WINDOW, B, Window, bm25, rarest, weights, window
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


def dense(windows, query):
    """BM25 as the formula stands, all windows by all terms."""
    held = np.array(
        [
            [
                (query.index.shards[w.shard].words[w.first : w.last] == number).sum()
                for number in terms_of(query, w.shard)
            ]
            for w in windows
        ]
    )
    holders = (held > 0).sum(0)
    rarity = np.log1p((len(windows) - holders + 0.5) / (holders + 0.5))
    lengths = np.array([w.last - w.first for w in windows])
    norms = K1 * (1 - B + B * lengths / lengths.mean())
    return (held * (K1 + 1) / (held + norms[:, None])) @ rarity


def terms_of(query, shard):
    """The number of each term in a shard, -1 where it has none."""
    known = np.full(query.terms.max() + 1, -1)
    numbers, of = query.numbers_of_terms(shard)
    known[of] = numbers
    return known


@pytest.mark.parametrize("seed", range(5))
def test_bm25_is_the_formula(index, seed):
    rng = random.Random(seed)
    every = [f"m{n}" for n in range(60)]
    texts = [" ".join(rng.choices(every, range(60), k=rng.randrange(1, 400))) for _ in range(20)]
    opened = index(*texts, memory=20 * 1500)
    assert len(opened.shards) > 1
    query = read_query(opened, " ".join(rng.choices(every, k=30)) + " inconnu")
    windows = [
        window(opened, n, rng.randrange(int(opened.lengths[n])), 1) for n in range(20) for _ in range(3)
    ]
    assert bm25(windows, query) == pytest.approx(dense(windows, query))
    assert bm25([windows[0], *windows], query)[0] == bm25([windows[0], *windows], query)[1]


def test_memory_of_bm25_is_not_that_of_all_windows_by_all_terms(index):
    opened = index(" ".join(f"m{n}" for n in range(20_000)))
    query = read_query(opened, " ".join(f"m{n}" for n in range(20_000)))
    windows = [window(opened, 0, n, 1) for n in range(0, 20_000, 10)]
    bm25(windows[:1], query)
    tracemalloc.start()
    bm25(windows, query)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000_000  # all by all, 8 bytes each: 320 MB


def test_of_a_long_text_no_more_spans_are_shown_than_may_be(index):
    opened = index("un deux")
    query = read_query(opened, "un deux " * 5_000)
    spans = [Span(i, i + 2, i, 2, 1, ()) for i in range(0, 10_000, 2)]
    assert len(rarest(spans, query, density=1.0)) == MOST_SHOWN


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
