"""Passages: what stands in a corpus more than once, word for word, whole documents or parts of them.

Copies of documents are found before a corpus is made; what is left are formulas, quotations, chapters that
two editions share. Suffixes that begin alike stand side by side in the suffix array, so one pass over it
finds every stretch of so many words that stands elsewhere too. Where the index has several shards, the
documents of each are asked in the others as any text is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hemicycle.errors import DeclarationError
from hemicycle.kernels import kernel, scan
from hemicycle.progress import QUIET, Progress
from hemicycle.trace.index import Index
from hemicycle.trace.query import read_query
from hemicycle.trace.shards import U8, Integers, Numbers
from hemicycle.trace.spans import spans_of
from hemicycle.trace.texts import Texts

#: A stretch stands elsewhere; an earlier one, in the order of the index, is the same.
_ELSEWHERE, _EARLIER = 1, 2

#: Suffixes handled at once.
_RANKS = 1 << 20

#: One row a passage: words `first_word` to before ``first_word + words`` of a document, characters `start` to
#: `end` of its text. `again` of those words begin a stretch that stood before.
PASSAGES = pa.schema(
    [
        ("document", pa.string()),
        ("source", pa.string()),
        ("first_word", pa.int64()),
        ("words", pa.int64()),
        ("again", pa.int64()),
        ("start", pa.int64()),
        ("end", pa.int64()),
    ]
)


@dataclass(frozen=True)
class Repeated:
    """What stands more than once.

    Attributes:
        passages: `PASSAGES`, in the order of the index.
        sources: source → its words, those in passages, and those that a reader in the order of the index has
            read before.
    """

    passages: pa.Table
    sources: dict[str, dict[str, int]]


def find_repeated(
    index: Index, corpora: Sequence[Path], min_words: int = 50, *, progress: Progress = QUIET
) -> Repeated:
    """Every stretch of at least `min_words` words that stands more than once in the corpora of an index.

    Memory: five bytes a word of the largest shard, some 20 MB besides, and the passages.
    """
    if min_words < 2:
        raise DeclarationError(f"a passage has at least two words, min_words is {min_words}")
    texts = Texts(index, corpora)
    sources = index.documents["source"].combine_chunks().dictionary_encode()
    names, of = sources.dictionary.to_pylist(), sources.indices.to_numpy()
    figures = np.zeros((3, len(names)), np.int64)
    np.add.at(figures[0], of, index.lengths)
    tables = []
    with progress.start("passages", index.words, "words") as bar:
        for number, shard in enumerate(index.shards):
            starts = np.zeros(len(shard.words), np.uint8)
            last = np.array([-1, 0, 0], np.int64)
            for begin in range(0, len(shard.words), _RANKS):
                places = shard.places(begin, min(begin + _RANKS, len(shard.words)))
                _mark(shard.words, places[shard.shown(places)], min_words, starts, last)
            first = index.first_documents[number]
            if len(index.shards) > 1:
                _ask_others(index, texts, number, min_words, starts)
            inside, again = np.zeros(len(starts), np.bool_), np.zeros(len(starts), np.bool_)
            _cover(starts, min_words, inside, again)
            begins, ends = _runs(inside)
            documents = np.searchsorted(shard.first_words, begins, "right") - 1
            # Not summed up over all words, which would take eight bytes for each.
            counted = np.array(
                [np.count_nonzero(again[begin:end]) for begin, end in zip(begins, ends, strict=True)],
                np.int64,
            )
            np.add.at(figures[1], of[first + documents], ends - begins)
            np.add.at(figures[2], of[first + documents], counted)
            before = shard.first_words[documents]
            tables.append(_table(index, texts, first + documents, begins - before, ends - begins, counted))
            bar.advance(len(shard.words))
    told = {
        name: dict(zip(("words", "repeated", "again"), figures[:, n].tolist(), strict=True))
        for n, name in enumerate(names)
    }
    return Repeated(pa.concat_tables(tables), dict(sorted(told.items())))


def _ask_others(index: Index, texts: Texts, number: int, min_words: int, starts: U8) -> None:
    """Mark what the documents of a shard share with other shards."""
    shard = index.shards[number]
    for others, mark in (
        (index.shards[:number], _ELSEWHERE | _EARLIER),
        (index.shards[number + 1 :], _ELSEWHERE),
    ):
        if not others:
            continue
        asked = Index(index.folder, index.digest, index.normalisation, (), others, (), 0, index.tokenizer)
        first = index.first_documents[number]
        shown = first + np.flatnonzero(shard.shown(shard.first_words))
        for document, text in texts.each(shown.tolist()):
            at = int(shard.first_words[document - first])
            for span in spans_of(asked, read_query(asked, text.text), min_words):
                here = at + span.first_word
                starts[here : here + span.words - min_words + 1] |= mark


def _table(
    index: Index, texts: Texts, documents: Integers, first: Integers, words: Integers, again: Integers
) -> pa.Table:
    bounds = np.zeros((len(documents), 2), np.int64)
    for row, (document, word) in enumerate(zip(documents.tolist(), first.tolist(), strict=True)):
        # Passages of one document stand together, and what was read last is remembered.
        text = texts.fetch([document])[document].text
        starts, ends = texts.bounds(document, text, word, word + int(words[row]))
        bounds[row] = starts[0], ends[-1]
    rows = index.documents.select(["id", "source"]).take(pa.array(documents))
    return pa.table(
        [rows["id"], rows["source"], first, words, again, bounds[:, 0], bounds[:, 1]], schema=PASSAGES
    )


def _runs(inside: npt.NDArray[np.bool_]) -> tuple[Integers, Integers]:
    """Where runs of true begin, and before where they end."""
    edges = np.flatnonzero(np.diff(inside, prepend=False, append=False))
    return edges[::2], edges[1::2]


@scan
def _shared(words: Numbers, one: int, other: int, most: int, separator: int) -> int:
    """How many words, up to `most`, two suffixes share before a document ends."""
    shared = 0
    while shared < most and one + shared < len(words) and other + shared < len(words):
        if words[one + shared] != words[other + shared] or words[one + shared] == separator:
            break
        shared += 1
    return shared


@kernel
def _mark(words: Numbers, places: Integers, most: int, starts: U8, last: Integers) -> None:
    """Mark where stretches of `most` words begin that stand elsewhere, and all of the same but the first.

    Args:
        places: where suffixes begin, in their order.
        last: what is known of the suffixes before these: the last one's place (-1: none was), the first place
            of those that begin alike, and whether any does.
    """
    separator = 0xFFFF if words.itemsize == 2 else 0xFFFFFFFF
    before, least, alike = last[0], last[1], last[2]
    for place in places:
        if before >= 0 and _shared(words, before, place, most, separator) == most:
            if not alike:
                starts[before] |= 1
                least, alike = before, 1
            later = max(place, least)
            least = min(place, least)
            starts[place] |= 1
            starts[later] |= 2
        else:
            alike = 0
        before = place
    last[0], last[1], last[2] = before, least, alike


@kernel
def _cover(starts: U8, most: int, inside: npt.NDArray[np.bool_], again: npt.NDArray[np.bool_]) -> None:
    """From where stretches of `most` words begin, the words inside them."""
    reached = reached_again = 0
    for place in range(len(starts)):
        if starts[place] & 1:
            reached = place + most
        if starts[place] & 2:
            reached_again = place + most
        inside[place] = place < reached
        again[place] = place < reached_again
