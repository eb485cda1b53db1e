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

from hemicycle.kernels import kernel
from hemicycle.trace.index import Index
from hemicycle.trace.query import Query
from hemicycle.trace.shards import Integers, Numbers
from hemicycle.trace.spans import Span

#: Words on each side of a span that are compared with the answer.
WINDOW = 250

#: Spans shown for each word of the answer, and how many are shown however short it is.
DENSITY = 0.05
ALWAYS_SHOWN = 10

#: Saturation of term frequency, and weight of length.
K1, B = 1.2, 0.75


def weights(spans: Sequence[Span], query: Query) -> list[float]:
    """The sum of the log-probabilities of each span's words: the lower, the less likely by chance."""
    return [float(query.log_p[s.first_word : s.first_word + s.words].sum()) for s in spans]


def rarest(spans: Sequence[Span], query: Query, density: float) -> list[Span]:
    """The rarest ``ceil(density · words)`` spans, at least `ALWAYS_SHOWN`, in the order of the text."""
    limit = max(ALWAYS_SHOWN, math.ceil(density * len(query)))
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
    if not terms or not windows:
        return np.zeros(len(windows))
    frequency = np.zeros((len(windows), terms), np.float64)
    for number in sorted({w.shard for w in windows}):
        numbers, of = query.numbers_of_terms(number)
        here = [i for i, w in enumerate(windows) if w.shard == number]
        bounds = np.array([windows[i][1:] for i in here], np.int64)
        counted = np.zeros((len(here), terms), np.int64)
        _count_terms(query.index.shards[number].words, bounds, numbers, of, counted)
        frequency[here] = counted
    held_by = (frequency > 0).sum(0)
    rarity = np.log1p((len(windows) - held_by + 0.5) / (held_by + 0.5))
    lengths = np.array([w.last - w.first for w in windows])
    norms = K1 * (1 - B + B * lengths / max(lengths.mean(), 1))
    scores: npt.NDArray[np.float64] = (frequency * (K1 + 1) / (frequency + norms[:, None])) @ rarity
    return scores


@kernel
def _count_terms(
    words: Numbers, windows: Integers, numbers: Integers, of: Integers, counted: Integers
) -> None:
    """How often each term stands in each window; `numbers`, ascending, are those of the terms `of`."""
    for window in range(len(windows)):
        for place in range(windows[window, 0], windows[window, 1]):
            word = np.int64(words[place])
            low, high = 0, len(numbers)
            while low < high:
                middle = (low + high) // 2
                if numbers[middle] < word:
                    low = middle + 1
                else:
                    high = middle
            if low < len(numbers) and numbers[low] == word:
                counted[window, of[low]] += 1
