"""Grams: which stretches of so many words of a work stand in a document, exactly, whatever stands between.

Every stretch of a work has a number, equal ones the same. Those of twice as many words are pairs of numbers
(Karp, Miller and Rosenberg 1972), so a few tables of pairs name stretches of any length, and a document is
read once for each: nothing is hashed that could collide, and a stretch that the work lacks is dropped at the
first table that does not know it.
"""

from __future__ import annotations

import numpy as np

from hemicycle.trace.shards import Integers, Numbers


class Grams:
    """The stretches of `size` words of a work, whose words are numbers of one shard."""

    def __init__(self, ids: Numbers, size: int) -> None:
        self._words, ranks = np.unique(ids.astype(np.int64), return_inverse=True)
        self._pairs: list[tuple[int, int, Integers]] = []
        length = 1
        while length < size:
            # Stretches that overlap make up the last length, where it is no power of two.
            step, base = min(length, size - length), len(ids)
            pairs, ranks = np.unique(ranks[:-step] * base + ranks[step:], return_inverse=True)
            self._pairs.append((step, base, pairs))
            length += step
        self._order = np.argsort(ranks, kind="stable")
        counts = np.bincount(ranks)
        self._counts, self._first = counts, np.cumsum(counts) - counts

    def shared(self, words: Numbers) -> tuple[Integers, Integers]:
        """The words of the work, ascending, at which a stretch begins that a document holds, and the word of
        the document, the first one, at which it stands there."""
        ranks = _find(self._words, words)
        for step, base, pairs in self._pairs:
            left, right = ranks[:-step], ranks[step:]
            ranks = _find(pairs, np.where((left < 0) | (right < 0), -1, left * base + right))
        places = np.flatnonzero(ranks >= 0)
        known, first = np.unique(ranks[places], return_index=True)
        counts = self._counts[known]
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        begins = self._order[np.repeat(self._first[known], counts) + within]
        order = np.argsort(begins)
        return begins[order], np.repeat(places[first], counts)[order]


def _find(table: Integers, wanted: Numbers | Integers) -> Integers:
    """The place of each in an ascending table, or -1."""
    at = np.searchsorted(table, wanted)
    at[at == len(table)] = 0
    return np.where(table[at] == wanted, at, -1)
