"""Matching: where else a text stands, document by document.

The longest match of a text that is itself in the index is the text itself, and hides its copies. So the text
is asked for in short runs of words, at even distances: each is found wherever it stands, and a copy shows by
the share of its words that are in such runs. Words only: a paraphrase or a translation is not found. What is
held out for measuring is in no index, and read.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
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
from hemicycle.trace.spans import places_of, spans_of
from hemicycle.trace.vocabulary import UNKNOWN, Vocabulary, find
from hemicycle.trace.words import Ids, read_letters

Integers = npt.NDArray[np.int64]

#: Words of a run, and words from the beginning of one to that of the next.
RUN, STRIDE = 8, 4
#: Runs asked for, at most: of longer texts they stand farther apart.
MOST_RUNS = 1_000_000
#: Runs that a document must hold for more to be concluded from them than that they are there.
TELLING = 3
#: A run that stands in more places is a formula, and is not followed to them.
FORMULA = 1000
#: Share from which most of a document is of the text, and from which it is worth being told.
MOST, SOME = 0.5, 0.2


@dataclass(frozen=True)
class Match:
    """A document that shares words with a text.

    Attributes:
        words: of the document.
        share: of the document's words that are in runs of the text's; of_text: of the text's runs that are
            there.
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


@dataclass(frozen=True)
class Matches:
    """What was found, the largest shares first. `formulas`: runs that stand in too many places to follow."""

    found: tuple[Match, ...]
    formulas: int


def find_matches(
    index: Index,
    texts: Iterable[str],
    words: int,
    *,
    without: Collection[str] = (),
    progress: Progress = QUIET,
) -> Matches:
    """Documents of an index, those of `without` apart, of which a good part is of the texts, or which hold a
    good part of them. `words`: of all texts, about; they are read one by one.

    A document or text of fewer than `RUN` words is not found.
    """
    stride = _stride(words)
    places: dict[int, list[int]] = defaultdict(list)
    met: dict[int, int] = defaultdict(int)
    asked = formulas = 0
    with progress.start("looking for copies", words, "words") as bar:
        for text in texts:
            query = read_query(index, text)
            runs = tuple((first, first + RUN) for first in _begins(len(query), stride).tolist())
            asked += len(runs)
            for span in spans_of(index, dataclasses.replace(query, stretches=runs), RUN):
                if span.count > FORMULA:
                    formulas += 1
                    continue
                here = places_of(index, span, FORMULA)
                for document, place in here:
                    places[document].append(place)
                for document in {document for document, _ in here}:
                    met[document] += 1
            bar.advance(len(query))
    ids, sources, hidden = index.documents["id"], index.documents["source"], set(without)
    matches = []
    for document, found in places.items():
        length, name = int(index.lengths[document]), ids[document].as_py()
        share, of_text = _share(np.array(found), length, stride), met[document] / asked
        if name not in hidden and max(share, of_text) >= SOME:
            matches.append(Match(name, sources[document].as_py(), length, share, of_text))
    return Matches(_sorted(matches), formulas)


def held_out(corpora: Iterable[Path]) -> Iterator[pa.Table]:
    """Id, source and text of the documents that corpora (their folders) hold out."""
    for path in (path for corpus in corpora for path in corpus_shards(corpus)):
        for table in read_batches(path, ["id", "source", "split", "text"]):
            yield table.filter(pc.equal(table["split"], "held-out"))


def find_among(
    documents: Iterable[pa.Table], texts: Iterable[str], words: int, *, without: Collection[str] = ()
) -> Matches:
    """`find_matches` among documents that are in no index (tables of id, source and text), as `held_out`."""
    stride = _stride(words)
    vocabulary = Vocabulary()
    asked = [_runs(vocabulary.learn(text), stride)[1] for text in texts]
    wanted = np.concatenate([np.zeros(0, np.uint64), *asked])
    runs, times = np.unique(wanted, return_counts=True)
    hidden, found = pa.array(sorted(without), pa.string()), dict[str, Match]()
    for table in documents if len(runs) else ():
        for row in table.filter(pc.invert(pc.is_in(table["id"], value_set=hidden))).to_pylist():
            own = find(read_letters(row["text"]), vocabulary.table)
            places, here = _runs(own)
            at = np.minimum(np.searchsorted(runs, here), len(runs) - 1)
            same = runs[at] == here
            share = _share(places[same], len(own), stride)
            of_text = float(times[np.unique(at[same])].sum() / len(wanted))
            if max(share, of_text) >= SOME:
                found[row["id"]] = Match(row["id"], row["source"], len(own), share, of_text, "held-out")
    return Matches(_sorted(found.values()), 0)


def join_matches(all_of_them: Sequence[Matches]) -> Matches:
    """Those of several indexes or corpora as one: of a document in several, the largest share."""
    best: dict[str, Match] = {}
    for match in sorted(
        (match for matches in all_of_them for match in matches.found), key=lambda m: (m.share, m.of_text)
    ):
        best[match.id] = match
    return Matches(_sorted(best.values()), max((one.formulas for one in all_of_them), default=0))


def _sorted(matches: Iterable[Match]) -> tuple[Match, ...]:
    return tuple(sorted(matches, key=lambda m: (-m.share, -m.of_text, m.id)))


def _stride(words: int) -> int:
    return max(STRIDE, -(-words // MOST_RUNS))


def _share(places: Integers, length: int, stride: int) -> float:
    """Share of a document's words that are in runs which begin at `places`. Of runs farther apart than they
    are long only so many words could be met; of one or two that says nothing, they may be there by chance."""
    covered = np.zeros(length + 1, np.int64)
    np.add.at(covered, places, 1)
    np.add.at(covered, np.minimum(places + RUN, length), -1)
    met = int((np.cumsum(covered[:-1]) > 0).sum())
    could = min(1.0, RUN / stride) if len(np.unique(places)) >= TELLING else 1.0
    return min(1.0, met / max(1, length) / could)


def _begins(words: int, stride: int) -> Integers:
    """Where the runs of a text begin: at even distances, and one more for its end."""
    last = words - RUN
    return np.unique([*range(0, last, stride), last]) if last >= 0 else np.zeros(0, np.int64)


def _runs(ids: Ids, stride: int = 1) -> tuple[Integers, npt.NDArray[np.uint64]]:
    """Where runs of `RUN` words begin, and a number for each: equal runs have equal ones, others hardly ever.
    Runs with an unknown word are left out."""
    windows = np.lib.stride_tricks.sliding_window_view(ids, RUN) if len(ids) >= RUN else ids[:0, None]
    places = _begins(len(ids), stride)
    places = places[~(windows[places] == UNKNOWN).any(1)]
    mixed = np.zeros(len(places), np.uint64)
    for column in windows[places].astype(np.uint64).T:
        # One step of splitmix64 a word.
        mixed = (mixed + column + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(32)
    return places, mixed
