"""Ranking: which spans are worth showing, and which documents first.

A span of rare words says more than a formula of procedure of the same length, so spans are ordered by the
sum of the log-probabilities of their words taken singly. Documents that hold the same span are ordered by
how much the text around it resembles the whole answer (BM25): the trap of taking the whole document instead
is that a novel resembles everything.

Both only order and thin out what is shown; nothing here decides whether something was found.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from hemicycle.trace.index import Index
from hemicycle.trace.spans import Query, Span
from hemicycle.trace.vocabulary import UNKNOWN
from hemicycle.trace.words import Ids

#: Words on each side of a span that are compared with the answer.
WINDOW = 250

#: Spans shown for each word of the answer, and how many are shown however short it is.
DENSITY = 0.05
ALWAYS_SHOWN = 10

#: Saturation of term frequency, and weight of length.
K1, B = 1.2, 0.75


def log_probabilities(index: Index) -> npt.NDArray[np.float64]:
    """ln(count / words of the corpus) of each word of the vocabulary."""
    return np.log(np.maximum(index.counts, 1) / max(index.words, 1))


def weights(spans: Sequence[Span], query: Query, log_p: npt.NDArray[np.float64]) -> list[float]:
    """The sum of the log-probabilities of each span's words: the lower, the less likely by chance."""
    return [float(log_p[query.ids[s.first_word : s.first_word + s.words]].sum()) for s in spans]


def rarest(spans: Sequence[Span], query: Query, log_p: npt.NDArray[np.float64], density: float) -> list[Span]:
    """The rarest ``ceil(density · words)`` spans, at least `ALWAYS_SHOWN`, in the order of the text."""
    limit = max(ALWAYS_SHOWN, math.ceil(density * len(query.ids)))
    rarest_first = sorted(
        zip(weights(spans, query, log_p), spans, strict=True), key=lambda p: (p[0], p[1].start)
    )
    return sorted((span for _, span in rarest_first[:limit]), key=lambda s: s.start)


def window(index: Index, document: int, word: int, words: int) -> Ids:
    """The words of a document around a match of `words` words at `word`, `WINDOW` on each side."""
    shard = int(np.searchsorted(index.first_documents, document, "right")) - 1
    first, length = int(index.first_words[document]), int(index.lengths[document])
    begin, end = max(0, word - WINDOW), min(length, word + words + WINDOW)
    return index.shards[shard].words[first + begin : first + end]


def bm25(windows: Sequence[Ids], query: Ids) -> npt.NDArray[np.float64]:
    """How much each window resembles the query; each distinct known word of the query counts once.

    Okapi BM25 with the non-negative inverse document frequency ln(1 + (N - n + ½) / (n + ½)), the windows
    being the collection (Robertson and Zaragoza, The Probabilistic Relevance Framework, 2009, eq. 3.15).
    """
    scores = np.zeros(len(windows))
    terms = np.unique(query[query != UNKNOWN])
    if not len(terms) or not len(windows):
        return scores
    present = []
    held_by = np.zeros(len(terms), np.int64)
    for ids in windows:
        at = np.minimum(np.searchsorted(terms, ids), len(terms) - 1)
        found, frequency = np.unique(at[terms[at] == ids], return_counts=True)
        held_by[found] += 1
        present.append((found, frequency))
    rarity = np.log1p((len(windows) - held_by + 0.5) / (held_by + 0.5))
    lengths = np.array([len(ids) for ids in windows])
    norms = K1 * (1 - B + B * lengths / lengths.mean())
    for i, (found, frequency) in enumerate(present):
        scores[i] = np.sum(rarity[found] * frequency * (K1 + 1) / (frequency + norms[i]))
    return scores
