"""Passages: places in documents with the tokens before them and the tokens that follow.

A candidate is a word drawn evenly over the words of all documents. Its passage is the tokens up to that word
(the longest prefix) and from it on (the target), so that one target is asked for with every length of prefix
(Carlini et al. 2023, arXiv 2202.07646). The copies of a passage are how often the words of its target stand
in the index.

Drawn evenly, nearly all passages stand there once, and what is copied most is what models remember most. So
many more candidates are drawn than wanted, and strata (a source, a number of copies) give as evenly as they
can. Each passage has a weight that undoes this, for figures over the text as it is.

The trap is the short document: a passage must have room on both sides, so that lengths are compared on the
same targets, and a document without that room gives none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hemicycle.evaluate.heldout import HeldOutDocument
from hemicycle.evaluate.spans import Encoder
from hemicycle.trace import Index, find_spans, split_words
from hemicycle.trace.texts import Texts
from hemicycle.trace.words import Words

#: Candidates drawn for each passage that is wanted.
CANDIDATES = 20
#: Fewer words in a target say nothing.
FEWEST_WORDS = 4
#: Number of copies from which on a passage is of the next kind, and what the kinds are called.
COPIES = ((1, "1"), (2, "2–3"), (4, "4–9"), (10, "10+"))

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Passage:
    """One passage.

    Attributes:
        character: where the target begins in the text of the document.
        before: (K,) tokens before it. target: (T,) tokens from it on.
        copies: how often the target's words stand in the index; None where nobody asked.
        weight: how much of the text it stands for.
    """

    document: str
    source: str
    character: int
    before: Integers
    target: Integers
    copies: int | None = None
    weight: float = 1.0


def kind_of(copies: int) -> str:
    """The kind of a number of copies."""
    return [name for least, name in COPIES if copies >= least][-1]


def draw_from_index(
    index: Index,
    corpora: Sequence[Path],
    encoder: Encoder,
    wanted: int,
    *,
    before: int,
    target: int,
    read: Collection[str],
    seed: int,
) -> list[Passage]:
    """Draw passages of the training text, by strata.

    Args:
        corpora: those the index was built from, in the same order.
        before, target: tokens of the longest prefix and of the target.
        read: ids of the documents that may give passages.

    Raises IntegrityError where a corpus is not the one that the index was built from.
    """
    ids = index.documents["id"].to_pylist()
    lengths = np.where([one in read for one in ids], index.lengths, 0)
    drawn = _places(lengths, wanted * CANDIDATES, seed)
    sources = index.documents["source"]
    found: dict[int, Passage] = {}
    for number, document in Texts(index, corpora).each(drawn):
        text = document.text
        words = split_words(text)
        for order, word in drawn[number]:
            passage = _cut(encoder, text, words, word, before, target)
            if passage is None:
                continue
            said = _whole_words(encoder, passage)
            spans = find_spans(index, said, len(split_words(said).words)) if said else []
            if spans:
                found[order] = replace(
                    passage, document=ids[number], source=sources[number].as_py(), copies=spans[0].count
                )
    return _by_strata([found[order] for order in sorted(found)], wanted)


def draw_from_texts(
    documents: Sequence[HeldOutDocument],
    encoder: Encoder,
    wanted: int,
    *,
    before: int,
    target: int,
    seed: int,
) -> list[Passage]:
    """Draw passages of held-out documents, evenly over their words."""
    words = [split_words(one.text) for one in documents]
    drawn = _places(np.array([len(one.words) for one in words], np.int64), wanted * CANDIDATES, seed)
    found = {}
    for number, places in drawn.items():
        for order, word in places:
            text = documents[number].text
            passage = _cut(encoder, text, words[number], word, before, target)
            if passage is not None and _whole_words(encoder, passage):
                one = documents[number]
                found[order] = replace(passage, document=one.id, source=one.source)
    return [found[order] for order in sorted(found)[:wanted]]


def _places(lengths: Integers, count: int, seed: int) -> dict[int, list[tuple[int, int]]]:
    """Document → words of it, each with its place in the order of drawing; no word twice."""
    ends = np.cumsum(lengths)
    if not ends.size or not ends[-1]:
        return {}
    dice = np.random.Generator(np.random.Philox(key=seed))
    # In the order of drawing: the first of many are as even a draw as all of them.
    chosen = dict.fromkeys(dice.integers(0, int(ends[-1]), count).tolist())
    found: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for order, at in enumerate(chosen):
        number = int(np.searchsorted(ends, at, side="right"))
        found[number].append((order, int(at - (ends[number] - lengths[number]))))
    return dict(found)


def _cut(encoder: Encoder, text: str, words: Words, word: int, before: int, target: int) -> Passage | None:
    """The passage at a word; None where there is no room. Every word has a token at least, so no more words
    are looked at than tokens are needed."""
    start = int(words.starts[max(0, word - before)])
    stop = int(words.ends[min(len(words.words) - 1, word + target)])
    at = int(words.starts[word])
    encoded = encoder.encode(text[start:stop])
    byte = len(text[start:at].encode("utf-8"))
    # The token that holds the first byte of the word: often it begins with the space before.
    place = int(np.searchsorted(encoded.starts, byte, side="right")) - 1
    if place < before or place + target > len(encoded.ids):
        return None
    return Passage("", "", at, encoded.ids[place - before : place], encoded.ids[place : place + target])


def _whole_words(encoder: Encoder, passage: Passage) -> str:
    """The text of the target without the word that its end may cut; nothing where too few words are left."""
    said = encoder.text(passage.target).lstrip()
    words = split_words(said)
    if len(words.words) <= FEWEST_WORDS:
        return ""
    return said[: int(words.ends[-2])]


def _by_strata(candidates: Iterable[Passage], wanted: int) -> list[Passage]:
    """The first candidates of every stratum, as evenly over strata as these can give, weighted."""
    strata: dict[tuple[str, str], list[Passage]] = defaultdict(list)
    for one in candidates:
        strata[one.source, kind_of(one.copies or 1)].append(one)
    quota = _evenly([len(strata[key]) for key in sorted(strata)], wanted)
    return list(_weighted([strata[key] for key in sorted(strata)], quota))


def _weighted(strata: Sequence[Sequence[Passage]], quota: Sequence[int]) -> Iterator[Passage]:
    for found, count in zip(strata, quota, strict=True):
        for one in found[:count]:
            yield replace(one, weight=len(found) / count)


def _evenly(limits: Sequence[int], total: int) -> list[int]:
    """`total` shared out as evenly as limits let it."""
    given = [0] * len(limits)
    left = min(total, sum(limits))
    while left:
        open_ = [n for n, limit in enumerate(limits) if given[n] < limit]
        share = max(1, left // len(open_))
        for n in open_:
            more = min(share, limits[n] - given[n], left)
            given[n] += more
            left -= more
    return given
