"""Matching: where else a text stands, document by document.

The longest match of a text that is itself in the index is the text itself, and hides its copies. So the text
is asked for in short runs of words, at even distances: each is found wherever it stands, a copy shows by the
share of the runs that fit into it and are met there, and the text itself by all of them. Words only: a
paraphrase or a translation is not found. What is held out for measuring is in no index, and read.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from hemicycle.documents import corpus_shards, read_batches
from hemicycle.progress import QUIET, Progress
from hemicycle.trace import Index
from hemicycle.trace.query import read_query
from hemicycle.trace.spans import occurrences, spans_of
from hemicycle.trace.vocabulary import UNKNOWN, Vocabulary, find
from hemicycle.trace.words import Ids, read_letters

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
        split: ``train`` or ``held-out``.
    """

    id: str
    source: str
    words: int
    share: float
    of_text: float
    split: Literal["train", "held-out"] = "train"

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
            "split": self.split,
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


def find_held_out(
    corpora: Iterable[Path], texts: Iterable[str], words: int, *, without: Collection[str] = ()
) -> list[Match]:
    """`find_matches` among the documents that corpora (their folders) hold out."""
    stride = max(STRIDE, -(-words // MOST_RUNS))
    vocabulary = Vocabulary()
    asked = [_runs(vocabulary.learn(text))[::stride] for text in texts]
    wanted = np.concatenate([np.zeros(0, np.uint64), *asked])
    runs, times = np.unique(wanted, return_counts=True)
    hidden, found = pa.array(sorted(without), pa.string()), dict[str, Match]()
    for path in (path for corpus in corpora if len(wanted) for path in corpus_shards(corpus)):
        for table in read_batches(path, ["id", "source", "split", "text"]):
            rows = table.filter(pc.equal(table["split"], "held-out"))
            rows = rows.filter(pc.invert(pc.is_in(rows["id"], value_set=hidden)))
            for row in rows.to_pylist():
                own = find(read_letters(row["text"]), vocabulary.table)
                met = (here := _runs(own))[np.isin(here, runs)]
                share = min(1.0, len(met) / max(1, (len(own) - RUN) // stride + 1))
                of_text = float(times[np.isin(runs, met)].sum() / len(wanted))
                if max(share, of_text) >= SOME:
                    found[row["id"]] = Match(row["id"], row["source"], len(own), share, of_text, "held-out")
    return sorted(found.values(), key=lambda m: (-m.share, -m.of_text, m.id))


def _runs(ids: Ids) -> npt.NDArray[np.uint64]:
    """A number for each run of `RUN` words: equal ones have equal ones, and others hardly ever. None for runs
    with an unknown word, which are therefore fewer than there are places."""
    windows = np.lib.stride_tricks.sliding_window_view(ids, RUN) if len(ids) >= RUN else ids[:0, None]
    windows = windows[~(windows == UNKNOWN).any(1)].astype(np.uint64)
    mixed = np.zeros(len(windows), np.uint64)
    for column in windows.T:
        # One step of splitmix64 a word.
        mixed = (mixed + column + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(32)
    return mixed
