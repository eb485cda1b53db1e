"""Query: a text as an index sees it, in the numbers that each of its shards gives to words.

An index of words serves every model and every rights holder, since it knows nothing of tokenizers. An index
of tokens is there to be compared with other engines: it finds a copy only where the tokenizer cuts it alike.
Its spans begin and end with words all the same, or half of an inflected word would be a match.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from hemicycle.trace.index import Index
from hemicycle.trace.vocabulary import UNKNOWN, Vocabulary, find
from hemicycle.trace.words import Ids, Offsets, read_letters

if TYPE_CHECKING:
    from hemicycle.trace.shards import Integers

#: What no span of an answer crosses: a blank line, since what follows it need not follow from what stands
#: before it. A work is searched without.
BLANK_LINE = re.compile(r"\n\s*\n")


@dataclass(frozen=True)
class Query:
    """A text read for an index. Words are tokens where the index is one of tokens.

    Attributes:
        ids: for each shard the number of each word, `UNKNOWN` where it has none.
        starts, ends: of each word, in characters of the text.
        stretches: words from the first to before the last, in which spans are searched each by itself.
        begins, closes: whether a span may begin, or end, with this word.
        counts: how often each word stands in the corpus.
        terms: the words as numbers of this text alone: equal words have equal ones, from 0 on; -1 where no
            shard has it.
    """

    index: Index
    ids: tuple[Ids, ...]
    starts: Offsets
    ends: Offsets
    stretches: tuple[tuple[int, int], ...]
    begins: npt.NDArray[np.bool_]
    closes: npt.NDArray[np.bool_]
    terms: Integers

    def __len__(self) -> int:
        return len(self.starts)

    @cached_property
    def counts(self) -> Integers:
        total = np.zeros(len(self), np.int64)
        for ids, shard in zip(self.ids, self.index.shards, strict=True):
            known = ids < len(shard.counts)
            total[known] += shard.counts[ids[known]].astype(np.int64)
        return total

    @cached_property
    def log_p(self) -> npt.NDArray[np.float64]:
        """ln(count / words of the corpus) of each word."""
        return np.log(np.maximum(self.counts, 1) / max(self.index.words, 1))

    def numbers_of_terms(self, shard: int) -> tuple[Integers, Integers]:
        """The numbers that a shard gives to the terms, ascending, and the term of each."""
        known = (self.terms >= 0) & (self.ids[shard] != UNKNOWN)
        numbers, at = np.unique(self.ids[shard][known], return_index=True)
        return numbers.astype(np.int64), self.terms[known][at]


def read_query(index: Index, text: str, delimiter: re.Pattern[str] | None = None) -> Query:
    """Read a text. No span crosses what `delimiter` matches."""
    if index.tokenizer is not None:
        return _read_tokens(index, text, delimiter)
    letters = read_letters(text)
    ids = [find(letters, shard.vocabulary) for shard in index.shards if shard.vocabulary is not None]
    every = np.ones(len(letters.starts), bool)
    terms = Vocabulary().learn_letters(letters).astype(np.int64)
    return _query(index, text, ids, (letters.starts, letters.ends), every, every, terms, delimiter)


def _read_tokens(index: Index, text: str, delimiter: re.Pattern[str] | None) -> Query:
    assert index.tokenizer is not None
    numbers, starts, ends = index.tokenizer.read(text)
    begins, closes = word_borders(text, starts, ends)
    _, terms = np.unique(numbers, return_inverse=True)
    bounds = starts, ends
    return _query(index, text, (numbers,) * len(index.shards), bounds, begins, closes, terms, delimiter)


def _query(
    index: Index,
    text: str,
    ids: Sequence[Ids],
    bounds: tuple[Offsets, Offsets],
    begins: npt.NDArray[np.bool_],
    closes: npt.NDArray[np.bool_],
    terms: Integers,
    delimiter: re.Pattern[str] | None,
) -> Query:
    starts, ends = bounds
    cuts = [match.start() for match in delimiter.finditer(text)] if delimiter else []
    borders = [0, *np.searchsorted(starts, cuts).tolist(), len(starts)]
    stretches = tuple((a, b) for a, b in itertools.pairwise(borders) if a < b)
    known = np.zeros(len(starts), bool)
    for numbers in ids:
        known |= numbers != UNKNOWN
    return Query(
        index,
        tuple(ids),
        starts,
        ends,
        stretches,
        begins,
        closes,
        np.where(known, terms, -1).astype(np.int64),
    )


def word_borders(
    text: str, starts: Offsets, ends: Offsets
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Of tokens, whether no word goes on across their begin, and across their end.

    Where several tokens are parts of one character, none of them but the first may begin a span and none but
    the last may end one.
    """
    of_word = np.array([c.isalnum() for c in text] + [False], bool)
    inside = np.zeros(len(text) + 1, bool)
    inside[1:-1] = of_word[:-2] & of_word[1:-1]
    begins, closes = ~inside[starts], ~inside[ends]
    same = starts[1:] < ends[:-1]
    begins[1:] &= ~same
    closes[:-1] &= ~same
    return begins, closes
