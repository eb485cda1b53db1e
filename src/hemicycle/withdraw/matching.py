"""Matching: where else a text stands, document by document.

The longest match of a text that is itself in the index is the text itself, and hides its copies. So the text
is asked for in short runs of words, at even distances: each is found wherever it stands, a copy shows by the
share of the runs that fit into it and are met there, and the text itself by all of them. Words only: a
paraphrase or a translation is not found.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from hemicycle.progress import QUIET, Progress
from hemicycle.trace import Index
from hemicycle.trace.query import read_query
from hemicycle.trace.spans import occurrences, spans_of

#: Words of a run, and words from the beginning of one to that of the next.
RUN, STRIDE = 8, 4
#: Runs asked for, at most: of longer texts they stand farther apart.
MOST_RUNS = 200_000
#: A run that stands in more places is a formula, and points at nobody.
FORMULA = 100
#: Share from which most of a document is of the text, and from which it is worth being told.
MOST, SOME = 0.5, 0.2


@dataclass(frozen=True)
class Match:
    """A document that shares words with a text.

    Attributes:
        words: of the document.
        share: of the document's runs of words that are the text's; of_text: of the text's that are there.
    """

    id: str
    source: str
    words: int
    share: float
    of_text: float

    @property
    def copies(self) -> bool:
        """Whether most of the document is of the text."""
        return self.share >= MOST

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "source": self.source,
            "words": self.words,
            "share": round(self.share, 4),
            "of_text": round(self.of_text, 4),
        }


def find_matches(
    index: Index,
    texts: Iterable[str],
    words: int,
    *,
    without: Collection[str] = (),
    progress: Progress = QUIET,
) -> list[Match]:
    """Documents of an index, those of `without` apart, of which a good part is of the texts, or which hold a
    good part of them; the largest shares first. `words`: of all texts, about; they are read one by one.

    Shares are of runs of `RUN` words; a document or text of fewer words is not found.
    """
    stride = max(STRIDE, -(-words // MOST_RUNS))
    places: dict[int, set[int]] = defaultdict(set)
    met: dict[int, int] = defaultdict(int)
    asked = 0
    with progress.start("looking for copies", words, "words") as bar:
        for text in texts:
            query = read_query(index, text)
            runs = tuple((first, first + RUN) for first in range(0, len(query) - RUN + 1, stride))
            asked += len(runs)
            for span in spans_of(index, dataclasses.replace(query, stretches=runs), RUN):
                if span.count > FORMULA:
                    continue
                for document, place in occurrences(index, span, FORMULA):
                    places[document].add(place)
                    met[document] += 1
            bar.advance(len(query))
    ids, sources, hidden = index.documents["id"], index.documents["source"], set(without)
    matches = []
    for document, found in places.items():
        length, name = int(index.lengths[document]), ids[document].as_py()
        share = min(1.0, len(found) / max(1, (length - RUN) // stride + 1))
        of_text = met[document] / asked
        if name not in hidden and max(share, of_text) >= SOME:
            matches.append(Match(name, sources[document].as_py(), length, share, of_text))
    return sorted(matches, key=lambda m: (-m.share, -m.of_text, m.id))
