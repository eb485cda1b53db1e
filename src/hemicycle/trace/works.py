"""Works: every passage that a whole book shares with the training text, and the documents that hold them.

An answer is shown by its rarest matches. Whoever asks about a work wants to know of all of them, and of which
documents hold how much of it. Nothing is left out here but how much is told: of the longest passages, and of
the documents that hold most, everything; of the others, where they are.

Two traps. A passage is as long as any document makes it, so a document that holds one chapter of a novel
would be hidden by one that holds all of it: documents are therefore looked for from window to window of the
work, and each that was found is compared with all of it (`grams`). And the documents behind a work of many
short matches may be the whole corpus: their texts are fetched for what is told alone, and the rest is
arithmetic.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hemicycle.errors import DeclarationError
from hemicycle.progress import QUIET, Progress
from hemicycle.trace.answer import Trace, TracedDocument, Tracer
from hemicycle.trace.grams import Grams
from hemicycle.trace.index import Index
from hemicycle.trace.query import Query, read_query
from hemicycle.trace.spans import Span, occurrences, spans_of
from hemicycle.typeset import count

#: Places of a passage, or of a window, that are looked at, evenly spread over all of them.
PLACES = 10
#: Of what is told, so many documents are fetched to know of each what there is to know.
FETCHED = 50
#: The longest passages, and the documents that hold most, of which everything is told.
PASSAGES, DOCUMENTS = 100, 50
#: Passages and windows between two reports of how far it is: a bar costs more than most of them.
_REPORTED = 1_000

#: What is known of a document for one passage of it, and stands with that.
_OF_PASSAGE = frozenset("anchor section speaker excerpt excerpt_start needle_start needle_end score".split())


@dataclass(frozen=True)
class Holder:
    """A document that holds a passage, from its word `word` on."""

    id: str
    word: int


@dataclass(frozen=True)
class Passage:
    """A stretch of the work that stands, word for word, in the corpus, and cannot be made longer.

    Attributes:
        start, end: characters of the work; `first_word` and `words` are the same in words.
        count: how often it stands in the corpus. `documents` are those of at most `PLACES` of these.
        matches: documents with all that is known of them, where the passage is one of those told; those first
            whose surroundings resemble it most.
    """

    start: int
    end: int
    first_word: int
    words: int
    count: int
    documents: tuple[Holder, ...]
    matches: tuple[TracedDocument, ...] = ()


@dataclass(frozen=True)
class HoldingDocument:
    """A document that holds stretches of the work.

    Attributes:
        number: the index's.
        words: of the work, those in some match with this document.
        stretches: how many there are once matches that touch are one.
        longest: the longest stretch, first word and words.
        known: what is known of the document, where it is one of those told.
    """

    number: int
    id: str
    source: str
    words: int
    stretches: int
    longest: tuple[int, int]
    known: TracedDocument | None = None


@dataclass(frozen=True)
class TracedWork:
    """What was found of a work.

    Attributes:
        passages: all of them, in the order of the work.
        stretches: first word and number of words of what is in some passage; what lies between is not found.
        documents: those that hold most words first; at least these do, since not all places are looked at.
    """

    text: str
    words: int
    min_words: int
    passages: tuple[Passage, ...]
    stretches: tuple[tuple[int, int], ...]
    documents: tuple[HoldingDocument, ...]
    index: str
    normalisation: int
    upstream_unknown: str | None
    note: str

    @property
    def found(self) -> int:
        """Words of the work that are in some passage."""
        return sum(words for _, words in self.stretches)

    @property
    def coverage(self) -> float:
        return self.found / self.words

    def beginning(self, passage: Passage) -> str:
        """The first words of a passage, in one line."""
        return " ".join(self.text[passage.start : passage.end][:400].split()[:12])

    @property
    def longest(self) -> tuple[Passage, ...]:
        """The passages of which everything is told, in the order of the work."""
        chosen = sorted(self.passages, key=lambda one: (-one.words, one.start))[:PASSAGES]
        return tuple(sorted(chosen, key=lambda one: one.start))

    @property
    def told(self) -> tuple[HoldingDocument, ...]:
        """The documents of which everything is told: those that hold most, and those shown for a passage."""
        shown = {passage.matches[0].id for passage in self.longest if passage.matches}
        chosen = {document.id for document in self.documents[:DOCUMENTS]} | shown
        return tuple(d for d in self.documents if d.id in chosen and d.known is not None)

    def to_json(self) -> dict[str, Any]:
        """As of an answer: `spans`, `coverage`, `words`, `spans_found`; and `documents` by words held."""
        spans = []
        for passage in self.passages:
            span = dataclasses.asdict(passage)
            spans.append({**span, "text": self.text[passage.start : passage.end]})
        documents = []
        for document in self.documents:
            told: dict[str, Any] = {}
            if document.known is not None:
                told = dataclasses.asdict(document.known)
                told = {key: value for key, value in told.items() if key not in _OF_PASSAGE}
            counted = {
                key: getattr(document, key) for key in ("id", "source", "words", "stretches", "longest")
            }
            documents.append({**told, **counted})
        return {
            "coverage": self.coverage,
            "words": self.words,
            "words_found": self.found,
            "spans_found": len(self.passages),
            "min_words": self.min_words,
            "spans": spans,
            "documents": documents,
            "index": self.index,
            "normalisation": self.normalisation,
            "upstream_unknown": self.upstream_unknown,
            "note": self.note,
        }


def trace_work(tracer: Tracer, text: str, *, min_words: int = 8, progress: Progress = QUIET) -> TracedWork:
    """Trace a work.

    Memory: the text, its passages with the numbers of their documents, the texts of what is told, and for
    documents to be compared with the work (`grams`) 48 bytes a word of it, up to 81 while that is made, where
    `min_words` is 8: 8 more whenever it doubles.

    Raises:
        DeclarationError: the text has fewer words than a match must have.
        IntegrityError: a corpus is not the one that the index was built from.
    """
    index = tracer.index
    query = read_query(index, text)
    if len(query) < min_words:
        raise DeclarationError(
            f"the work has {count(len(query), 'word', 'words', 'en')}, and matches of {min_words} or more "
            "are looked for",
            remedy="Nothing could be found: lower --min-words.",
        )
    windows = tuple((at, at + min_words) for at in range(0, len(query) - min_words + 1, min_words))
    with progress.start("searching", 2 * len(query), "words") as bar:
        spans = spans_of(index, query, min_words, bar)
        looked = spans_of(index, dataclasses.replace(query, stretches=windows), min_words, bar)
    longest = sorted(range(len(spans)), key=lambda at: (-spans[at].words, at))[:PASSAGES]
    holders, found = _found(index, spans, looked, set(longest), progress)
    held = _held(query, min_words, found, progress)
    ids, sources = index.documents["id"], index.documents["source"]
    ordered = sorted(held, key=lambda number: (-held[number].words, number))
    matches: dict[int, tuple[TracedDocument, ...]] = {}
    known: dict[str, TracedDocument] = {}
    with progress.start("reading documents", len(longest) + DOCUMENTS, "passages") as bar:
        for at in longest:
            resembling = _matches(tracer, text[spans[at].start : spans[at].end], min_words)
            matches[at] = resembling[:PLACES]
            known = {document.id: document for document in resembling} | known
            bar.advance(1)
        for number in ordered[:DOCUMENTS]:
            name = ids[number].as_py()
            if name not in known and (one := _known(tracer, number, held[number].place, min_words)):
                known[name] = one
            bar.advance(1)
    passages = tuple(
        Passage(
            start=span.start,
            end=span.end,
            first_word=span.first_word,
            words=span.words,
            count=span.count,
            documents=tuple(Holder(ids[number].as_py(), word) for number, word in places),
            matches=matches.get(at, ()),
        )
        for at, (span, places) in enumerate(zip(spans, holders, strict=True))
    )
    documents = tuple(
        HoldingDocument(
            number=number,
            id=(name := ids[number].as_py()),
            source=sources[number].as_py(),
            words=held[number].words,
            stretches=held[number].stretches,
            longest=held[number].longest,
            known=known.get(name),
        )
        for number in ordered
    )
    about = _asked(tracer, "", min_words)
    return TracedWork(
        text=text,
        words=len(query),
        min_words=min_words,
        passages=passages,
        stretches=tuple(_stretches(spans)),
        documents=documents,
        index=about.index,
        normalisation=about.normalisation,
        upstream_unknown=about.upstream_unknown,
        note=about.note,
    )


@dataclass(frozen=True)
class _Held:
    """What one document holds of a work; `place` is where its longest stretch begins in the document."""

    words: int
    stretches: int
    longest: tuple[int, int]
    place: int


def _found(
    index: Index, spans: Sequence[Span], looked: Sequence[Span], longest: Collection[int], progress: Progress
) -> tuple[list[list[tuple[int, int]]], list[int]]:
    """The places of each passage; and the numbers of the documents that hold a passage, or a window,
    `looked`.

    A window begins every so many words, so no document is missed that holds twice as many in a row, save
    where all of them stand in more than `PLACES`.
    """
    holders: list[list[tuple[int, int]]] = []
    found: set[int] = set()
    with progress.start("finding documents", len(spans) + len(looked), "passages") as bar:
        for at, span in enumerate([*spans, *looked]):
            places = occurrences(index, span, PLACES)
            if at < len(spans):
                holders.append(places)
            # Of these any may be the one that is shown beside the passage.
            more = occurrences(index, span, FETCHED) if at in longest else []
            found.update(number for number, _ in [*places, *more])
            if (at + 1) % _REPORTED == 0:
                bar.advance(_REPORTED)
        bar.advance((len(spans) + len(looked)) % _REPORTED)
    return holders, sorted(found)


def _held(query: Query, min_words: int, documents: Sequence[int], progress: Progress) -> dict[int, _Held]:
    """By number, what each of these documents holds."""
    index = query.index
    held: dict[int, _Held] = {}
    grams: dict[int, Grams] = {}
    with progress.start("comparing documents", len(documents), "documents") as bar:
        for number in documents:
            shard, local = index.shard_of(number)
            if shard not in grams:
                grams = {shard: Grams(query.ids[shard], min_words)}
            first = int(index.shards[shard].first_words[local])
            words = index.shards[shard].words[first : first + int(index.lengths[number])]
            begins, places = grams[shard].shared(words)
            edges = np.flatnonzero(np.diff(begins) > min_words) + 1
            first_of, last_of = np.append(0, edges), np.append(edges, len(begins)) - 1
            sizes = begins[last_of] + min_words - begins[first_of]
            at = int(np.argmax(sizes))
            held[number] = _Held(
                words=int(sizes.sum()),
                stretches=len(sizes),
                longest=(int(begins[first_of[at]]), int(sizes[at])),
                place=int(places[first_of[at]]),
            )
            bar.advance(1)
    return held


def _asked(tracer: Tracer, text: str, min_words: int) -> Trace:
    return tracer.trace(
        text, min_words=min_words, max_count=None, max_documents=FETCHED, density=1.0, delimiter=None
    )


def _known(tracer: Tracer, number: int, word: int, min_words: int) -> TracedDocument | None:
    """What is known of a document. It is asked about by as much of its own text, around a word, as few others
    have; None where many hold all of it."""
    index, texts = tracer.index, tracer._texts
    name, length = index.documents["id"][number].as_py(), int(index.lengths[number])
    text, around = texts.fetch([number])[number].text, 64
    while True:
        first, last = max(0, word - around), min(length, word + min_words + around)
        starts, ends = texts.bounds(number, text, first, last)
        for document in _matches(tracer, text[starts[0] : ends[-1]], min_words):
            if document.id == name:
                return document
        if last - first == length:
            return None
        around *= 8


def _matches(tracer: Tracer, passage: str, min_words: int) -> tuple[TracedDocument, ...]:
    """The documents of one passage, those first whose surroundings resemble it most."""
    found = _asked(tracer, passage, min_words).spans
    # A passage that begins inside a character of several words (½) is asked for with all of it.
    return max(found, key=lambda one: one.words).documents


def _stretches(spans: list[Span]) -> list[tuple[int, int]]:
    stretches: list[tuple[int, int]] = []
    for span in spans:
        first, end = span.first_word, span.first_word + span.words
        if stretches and first <= sum(stretches[-1]):
            first = stretches.pop()[0]
        stretches.append((first, end - first))
    return stretches


def searched(index: Index, corpora: int) -> list[tuple[int, int]]:
    """For each of the corpora of an index, the documents that are searched and their words: without those
    that are withdrawn, and those that a corpus before it has."""
    # Not by their words: a document may have none.
    shown = np.concatenate([~np.isin(shard.first_words, shard.hidden[:, 0]) for shard in index.shards])
    of_corpus, lengths = np.asarray(index.documents["corpus"]), np.asarray(index.lengths)
    held = [shown & (of_corpus == number) for number in range(corpora)]
    return [(int(mine.sum()), int(lengths[mine].sum())) for mine in held]


def shares(work: TracedWork, bins: int) -> list[float]:
    """The share of words found in each of `bins` equal parts of the work, for a picture of it."""
    found = np.zeros(work.words + 1)
    for first, words in work.stretches:
        found[first] += 1
        found[first + words] -= 1
    summed = np.concatenate([[0.0], np.cumsum(np.cumsum(found)[:-1])])
    bounds = np.linspace(0, work.words, min(bins, work.words) + 1)
    at = np.interp(bounds, np.arange(work.words + 1), summed)
    return list(np.clip(np.diff(at) / np.diff(bounds), 0, 1))
