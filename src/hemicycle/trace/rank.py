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
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hemicycle.kernels import kernel, scan
from hemicycle.trace.index import Index
from hemicycle.trace.query import Query
from hemicycle.trace.shards import Integers, Numbers
from hemicycle.trace.spans import Span

#: Words on each side of a span that are compared with the answer.
WINDOW = 250

#: Spans shown for each word of the answer, how many are shown however short it is, and however long.
DENSITY = 0.05
ALWAYS_SHOWN = 10
MOST_SHOWN = 200

#: Saturation of term frequency, and weight of length.
K1, B = 1.2, 0.75


def weights(spans: Sequence[Span], query: Query) -> list[float]:
    """The sum of the log-probabilities of each span's words: the lower, the less likely by chance."""
    return [float(query.log_p[s.first_word : s.first_word + s.words].sum()) for s in spans]


def rarest(spans: Sequence[Span], query: Query, density: float) -> list[Span]:
    """The rarest ``ceil(density · words)`` spans, at least `ALWAYS_SHOWN` and at most `MOST_SHOWN`, in the
    order of the text."""
    limit = min(MOST_SHOWN, max(ALWAYS_SHOWN, math.ceil(density * len(query))))
    rarest_first = sorted(zip(weights(spans, query), spans, strict=True), key=lambda p: (p[0], p[1].start))
    return sorted((span for _, span in rarest_first[:limit]), key=lambda s: s.start)


class Window(NamedTuple):
    """Words of a shard around a match, from `first` to before `last`."""

    shard: int
    first: int
    last: int


def window(index: Index, document: int, word: int, words: int) -> Window:
    """The words of a document around a match of `words` words at `word`, `WINDOW` on each side."""
    number, local = index.shard_of(document)
    shard = index.shards[number]
    begin = int(shard.offsets[local]) // shard.words.itemsize + 1
    after = int(shard.offsets[local + 1]) // shard.words.itemsize if local + 1 < len(shard.offsets) else None
    end = len(shard.words) if after is None else after
    return Window(number, begin + max(0, word - WINDOW), min(end, begin + word + words + WINDOW))


def bm25(windows: Sequence[Window], query: Query) -> npt.NDArray[np.float64]:
    """How much each window resembles the query; each distinct known word of the query counts once.

    Okapi BM25 with the non-negative inverse document frequency ln(1 + (N - n + ½) / (n + ½)), the windows
    being the collection (Robertson and Zaragoza, The Probabilistic Relevance Framework, 2009, eq. 3.15).
    """
    terms = int(query.terms.max(initial=-1)) + 1
    scores = np.zeros(len(windows))
    if not terms or not windows:
        return scores
    asked = []
    for number in sorted({w.shard for w in windows}):
        here = np.array([i for i, w in enumerate(windows) if w.shard == number])
        bounds = np.array([windows[i][1:] for i in here], np.int64)
        asked.append((here, query.index.shards[number].words, bounds, *query.numbers_of_terms(number)))
    held_by = np.zeros(terms, np.int64)
    # A window at a time, since all of them by all terms would be the size of both.
    for _, words, bounds, numbers, of in asked:
        _count_holders(words, bounds, numbers, of, held_by)
    rarity = np.log1p((len(windows) - held_by + 0.5) / (held_by + 0.5))
    mean = max(float(np.mean([w.last - w.first for w in windows])), 1.0)
    for here, words, bounds, numbers, of in asked:
        norms = K1 * (1 - B + B * (bounds[:, 1] - bounds[:, 0]) / mean)
        found = np.zeros(len(here))
        _score(words, bounds, numbers, of, rarity, norms, found)
        scores[here] = found
    return scores


@scan
def _term_of(word: int, numbers: Integers, of: Integers) -> int:
    """The term that a word is, -1 where it is none; `numbers`, ascending, are those of the terms `of`."""
    low, high = 0, len(numbers)
    while low < high:
        middle = (low + high) // 2
        if numbers[middle] < word:
            low = middle + 1
        else:
            high = middle
    return of[low] if low < len(numbers) and numbers[low] == word else -1


@kernel
def _count_holders(
    words: Numbers, windows: Integers, numbers: Integers, of: Integers, held_by: Integers
) -> None:
    """Count for each term the windows that hold it."""
    seen = np.full(len(held_by), -1)
    for window in range(len(windows)):
        for place in range(windows[window, 0], windows[window, 1]):
            term = _term_of(np.int64(words[place]), numbers, of)
            if term >= 0 and seen[term] != window:
                seen[term] = window
                held_by[term] += 1


@kernel
def _score(
    words: Numbers,
    windows: Integers,
    numbers: Integers,
    of: Integers,
    rarity: npt.NDArray[np.float64],
    norms: npt.NDArray[np.float64],
    scores: npt.NDArray[np.float64],
) -> None:
    """Add to the score of each window what its terms give, in their order: equal ones have equal scores."""
    counted = np.zeros(len(rarity), np.int64)
    for window in range(len(windows)):
        held = np.empty(min(len(rarity), windows[window, 1] - windows[window, 0]), np.int64)
        size = 0
        for place in range(windows[window, 0], windows[window, 1]):
            term = _term_of(np.int64(words[place]), numbers, of)
            if term >= 0:
                if counted[term] == 0:
                    held[size] = term
                    size += 1
                counted[term] += 1
        for term in np.sort(held[:size]):
            scores[window] += rarity[term] * counted[term] * (K1 + 1) / (counted[term] + norms[window])
            counted[term] = 0
