"""One item of a set, or one held-out document: how much of it stands in the training text, and where.

The rules are those of `contamination`; the figures of many items are put together there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from hemicycle.trace import Index, Span, find_spans, split_words
from hemicycle.trace.spans import occurrences
from hemicycle.trace.texts import Texts

#: Words of the shortest span that counts; of the shortest item that is judged; around a match, in which an
#: answer is looked for.
MIN_WORDS, FEWEST, BESIDE = 8, 4, 50
#: Shares of words from which on an item is partly contaminated, and contaminated.
PARTLY, WHOLLY = 0.2, 0.8
#: Documents in which an answer is looked for.
MOST_DOCUMENTS = 10

Verdict = Literal["clean", "partly", "contaminated", "unjudged"]
VERDICTS: tuple[Verdict, ...] = ("clean", "partly", "contaminated", "unjudged")

NamedTexts = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Judged:
    """What of some texts stands in the training text.

    Attributes:
        words, found: those that count, and those of them inside spans.
        short: judged by the rule for short items.
        field, span: the longest span and the field it is of; None where nothing was found.
        passage: the words of that span, as the item has them.
        stretches: how many spans were found.
    """

    words: int
    found: int
    verdict: Verdict
    short: bool
    field: str | None = None
    span: Span | None = None
    passage: str = ""
    stretches: int = 0


@dataclass
class Finding:
    """One item, or one part of it, with the first place of its longest span. `start` and `end` are characters
    of the field; `word` is the place in the document. `offered`: whether the item has answers or options."""

    item: str
    part: str
    judged: Judged
    document: str | None = None
    source: str | None = None
    word: int | None = None
    answer_beside: bool | None = None
    offered: bool = False
    places: list[tuple[int, int]] = field(default_factory=list)

    def row(self) -> dict[str, Any]:
        one, span = self.judged, self.judged.span
        return {
            "item": self.item,
            "part": self.part,
            "words": one.words,
            "found": one.found,
            "verdict": one.verdict,
            "short": one.short,
            "answer_beside": self.answer_beside,
            "field": one.field,
            "start": span.start if span else None,
            "end": span.end if span else None,
            "longest": span.words if span else 0,
            "count": span.count if span else 0,
            "document": self.document,
            "source": self.source,
            "word": self.word,
            "passage": one.passage,
            "stretches": one.stretches,
        }


def judge(index: Index, texts: NamedTexts) -> Judged:
    """Judge the texts of one item together; each is traced by itself, as no copy has them run on."""
    lengths = [len(split_words(text).words) for _, text in texts]
    short = all(length < MIN_WORDS for length in lengths)
    counted = [
        (name, text, length)
        for (name, text), length in zip(texts, lengths, strict=True)
        if length >= (FEWEST if short else MIN_WORDS)
    ]
    words = found = stretches = 0
    best: tuple[str, str, Span] | None = None
    for name, text, length in counted:
        spans = find_spans(index, text, length if short else MIN_WORDS)
        words, found = words + length, found + _found(spans, length)
        stretches += len(spans)
        for span in spans:
            if best is None or span.words > best[2].words:
                best = (name, text[span.start : span.end], span)
    if not counted:
        return Judged(sum(lengths), 0, "unjudged", True)
    name_of, passage, longest = best or (None, "", None)
    verdict = _verdict(words, found, short)
    return Judged(words, found, verdict, short, name_of, longest, passage, stretches)


def _verdict(words: int, found: int, short: bool) -> Verdict:
    if short:
        return "contaminated" if found == words else "clean"
    return "contaminated" if found >= WHOLLY * words else "partly" if found >= PARTLY * words else "clean"


def _found(spans: Iterable[Span], words: int) -> int:
    covered = np.zeros(words, bool)
    for span in spans:
        covered[span.first_word : span.first_word + span.words] = True
    return int(covered.sum())


def place(index: Index, finding: Finding) -> None:
    assert finding.judged.span is not None
    finding.places = occurrences(index, finding.judged.span, MOST_DOCUMENTS)
    number, finding.word = finding.places[0]
    finding.document = index.documents["id"][number].as_py()
    finding.source = index.documents["source"][number].as_py()


def look_beside(index: Index, corpora: Sequence[Path], waiting: list[tuple[Finding, NamedTexts]]) -> None:
    """Say of each item whether one of its answers stands before or after the match in a document."""
    wanted: dict[int, list[tuple[int, Finding, list[list[str]]]]] = {}
    for finding, answers in waiting:
        texts = [words for _, text in answers if (words := split_words(text).words)]
        for number, word in finding.places:
            wanted.setdefault(number, []).append((word, finding, texts))
    for number, document in Texts(index, corpora).each(wanted):
        words = split_words(document.text).words
        for word, finding, texts in wanted[number]:
            assert finding.judged.span is not None
            after = word + finding.judged.span.words
            sides = (words[max(0, word - BESIDE) : word], words[after : after + BESIDE])
            if any(_holds(side, one) for side in sides for one in texts):
                finding.answer_beside = True


def _holds(words: Sequence[str], wanted: Sequence[str]) -> bool:
    size = len(wanted)
    return any(words[n : n + size] == wanted for n in range(len(words) - size + 1))
