"""Answer: any text, the documents it shares words with, and what is known of each of them.

What is shown are verbatim matches in the training text. They do not say what made a model write something:
a sentence can be matched and not be the cause, and a paraphrase is not found at all. Every result carries
that note, so that no page can leave it out by accident.
"""

from __future__ import annotations

import copy
import dataclasses
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hemicycle.trace.facts import Exposure, Right, Rights
from hemicycle.trace.index import Index
from hemicycle.trace.query import BLANK_LINE, read_query
from hemicycle.trace.rank import DENSITY, bm25, rarest, weights, window
from hemicycle.trace.spans import Span, occurrences, spans_of
from hemicycle.trace.texts import Text, Texts

NOTE = (
    "These are verbatim matches in the training text, found after setting aside case, accents and "
    "punctuation. They do not show what caused the text; paraphrase and translation are not found."
)

#: Words of an excerpt on each side of the match.
EXCERPT_WORDS = 40


@dataclass(frozen=True)
class Clearance:
    """What the card of a source says for its readers: whom to name, and who answers for the licence."""

    attribution: str | None = None
    attested_by: str | None = None
    licence: str | None = None
    publisher: str | None = None
    title: str | None = None


@dataclass(frozen=True)
class TracedDocument:
    """A document that holds a span.

    Attributes:
        anchor: the publisher's key of the part (turn, chapter) that holds the match; `section` is that
            part's title.
        excerpt: the match with words around it; it begins at character `excerpt_start` of the document, and
            the match is ``excerpt[needle_start:needle_end]``.
        licence: as stated for the document, else as its source's card states it.
        right: of training on it; None where no rights were asked for.
        read_by: the model whose steps these are: the one asked about, or the last of those it was made from
            that read the document; None where none did.
        first_step, last_step: of that model.
        score: resemblance of the surroundings to the text asked about.
    """

    id: str
    source: str
    origin: str
    anchor: str | None
    speaker: str | None
    section: str | None
    title: str | None
    date: str | None
    url: str | None
    excerpt: str
    excerpt_start: int
    needle_start: int
    needle_end: int
    licence: str | None
    right: Right | None
    obligations: tuple[str, ...]
    clearance: Clearance | None
    read_by: str | None
    first_step: int | None
    last_step: int | None
    score: float


@dataclass(frozen=True)
class TracedSpan:
    """Characters `start` to `end` of the text asked about; `count` is its occurrences in the corpus."""

    start: int
    end: int
    text: str
    words: int
    count: int
    unigram_logprob_sum: float
    documents: tuple[TracedDocument, ...]


@dataclass(frozen=True)
class Trace:
    """What was found for a text.

    Attributes:
        spans: those worth showing: not too frequent, the rarest where there are many (`rank.rarest`).
        coverage: share of the text's words inside any span found, shown or not.
        spans_found: how many were found, shown or not.
        index: digest of the index.
        withdrawn: documents that it still holds and that were withdrawn: nothing of them is found, and the
            model may have read them.
        upstream_unknown: the base that the model began as, of whose training text nothing is known: a match
            in that is not found.
    """

    spans: tuple[TracedSpan, ...]
    coverage: float
    words: int
    spans_found: int
    min_words: int
    index: str
    normalisation: int
    withdrawn: int = 0
    upstream_unknown: str | None = None
    note: str = NOTE

    def to_json(self) -> dict[str, Any]:
        """The result as JSON values, names as in the attributes."""
        return dataclasses.asdict(self)


class Tracer:
    """An index with its corpora, rights and exposure, opened once to answer many; safe for many threads.

    Args:
        corpora: those the index was built from, in the same order.
        rights: by source, its rights artefact; None leaves rights out of the answers. A document of which
            the tables say nothing is shown as denied.
        exposure: a model, and those it was made from, the nearest first → its folder or its
            ``exposure.parquet``.
        clearance: by source, what its card says.
        upstream: the base they all began as, if there is one.

    Raises:
        InputError: a table of rights or exposure cannot be read.
    """

    def __init__(
        self,
        index: Index,
        corpora: Sequence[Path],
        rights: Mapping[str, Path] | None = None,
        exposure: Mapping[str, Path] | None = None,
        clearance: Mapping[str, Clearance] | None = None,
        upstream: str | None = None,
    ) -> None:
        self.index = index
        self._texts = Texts(index, corpora)
        self._rights = None if rights is None else Rights(index, rights)
        self._exposure = [Exposure(index, model, path) for model, path in (exposure or {}).items()]
        self._upstream = upstream
        self._clearance = dict(clearance or {})
        self._ids = index.documents["id"]
        self._sources = index.documents["source"]

    def without(self, documents: Collection[str]) -> Tracer:
        """The same, with documents, by their ids, withdrawn: no answer tells of them."""
        other = copy.copy(self)
        other.index = self.index.without(documents)
        return other

    def trace(
        self,
        text: str,
        *,
        min_words: int = 8,
        max_count: int | None = 10,
        max_documents: int = 10,
        density: float = DENSITY,
        prompt: str = "",
        delimiter: re.Pattern[str] | None = BLANK_LINE,
    ) -> Trace:
        """Trace a text.

        Args:
            min_words: shortest span; lower it for short texts.
            max_count: spans more frequent in the corpus are counted as covered, and not shown. None: all.
            max_documents: documents shown for each span.
            density: spans shown for each word of the text (see `rank.rarest`).
            prompt: helps to order the documents, is not searched for itself.
            delimiter: what no span crosses; None, as for a work: nothing.

        Raises:
            IntegrityError: a corpus is not the one that the index was built from.
        """
        query = read_query(self.index, text, delimiter)
        found = spans_of(self.index, query, min_words)
        shown = [s for s in found if max_count is None or s.count <= max_count]
        shown = rarest(shown, query, density)
        hits = [occurrences(self.index, span, max_documents) for span in shown]
        scores = self._scores(f"{prompt}\n\n{text}", shown, hits)
        numbers = {number for places in hits for number, _ in places}
        texts = self._texts.fetch(numbers)
        rights = self._rights.of(numbers) if self._rights else {}
        traced = []
        for span, places, weight in zip(shown, hits, weights(shown, query), strict=True):
            documents = [
                self._document(
                    number,
                    texts[number],
                    rights.get(number),
                    word,
                    span.words,
                    scores[number, word, span.words],
                )
                for number, word in places
            ]
            documents.sort(key=lambda d: (-d.score, d.id))
            traced.append(
                TracedSpan(
                    start=span.start,
                    end=span.end,
                    text=text[span.start : span.end],
                    words=span.words,
                    count=span.count,
                    unigram_logprob_sum=weight,
                    documents=tuple(documents),
                )
            )
        return Trace(
            spans=tuple(traced),
            coverage=_coverage(found, len(query)),
            words=len(query),
            spans_found=len(found),
            min_words=min_words,
            index=self.index.digest,
            normalisation=self.index.normalisation,
            withdrawn=self.index.withdrawn,
            upstream_unknown=self._upstream,
        )

    def _scores(
        self, asked: str, spans: list[Span], hits: list[list[tuple[int, int]]]
    ) -> dict[tuple[int, int, int], float]:
        """The score of every (document, word, words of the match)."""
        places = [(n, word, s.words) for s, found in zip(spans, hits, strict=True) for n, word in found]
        scores = bm25([window(self.index, *place) for place in places], read_query(self.index, asked))
        return dict(zip(places, scores.tolist(), strict=True))

    def _document(
        self, number: int, text: Text, right: Right | None, word: int, words: int, score: float
    ) -> TracedDocument:
        source = self._sources[number].as_py()
        first = max(0, word - EXCERPT_WORDS)
        last = min(int(self.index.lengths[number]), word + words + EXCERPT_WORDS)
        starts, ends = self._texts.bounds(number, text.text, first, last)
        start, end = int(starts[word - first]), int(ends[word + words - 1 - first])
        begin, stop = int(starts[0]), int(ends[-1])
        part = text.part_at(start, end) or {}
        clearance = self._clearance.get(source)
        steps = next((found for one in self._exposure if (found := one.of(number))), None)
        return TracedDocument(
            id=self._ids[number].as_py(),
            source=source,
            origin=text.origin,
            anchor=part.get("anchor"),
            speaker=part.get("speaker"),
            section=part.get("title"),
            title=text.title,
            date=text.date,
            url=text.origin if text.origin.startswith(("https://", "http://")) else None,
            excerpt=text.text[begin:stop],
            excerpt_start=begin,
            needle_start=start - begin,
            needle_end=end - begin,
            licence=text.licence or (clearance.licence if clearance else None),
            right=right,
            obligations=right.obligations if right else (),
            clearance=clearance,
            read_by=steps.model if steps else None,
            first_step=steps.first if steps else None,
            last_step=steps.last if steps else None,
            score=score,
        )


def trace(
    text: str,
    index: Index,
    corpora: Sequence[Path],
    *,
    rights: Mapping[str, Path] | None = None,
    exposure: Mapping[str, Path] | None = None,
    clearance: Mapping[str, Clearance] | None = None,
    min_words: int = 8,
    max_count: int | None = 10,
    max_documents: int = 10,
    prompt: str = "",
) -> Trace:
    """Trace one text. Whoever traces many opens one `Tracer`."""
    tracer = Tracer(index, corpora, rights, exposure, clearance)
    return tracer.trace(
        text, min_words=min_words, max_count=max_count, max_documents=max_documents, prompt=prompt
    )


def _coverage(spans: list[Span], words: int) -> float:
    covered = np.zeros(words, bool)
    for span in spans:
        covered[span.first_word : span.first_word + span.words] = True
    return float(covered.mean()) if words else 0.0
