"""Contamination: documents that hold text on which models are going to be measured.

A run of 13 words that a document and an evaluation share is a hit, as in Brown et al., "Language Models are
Few-Shot Learners" (2020), appendix C; words are compared without case, typography and figures, as near copies
are. Every text field of an evaluation counts: question, passage and answer.

Files are read by `evaluate.verbatim.sets`. What a model of ours is measured on is looked for there, in the
index of its training text; a foreign data set has none, so here it is read for the runs of the items.

The trap is the short item. A question of eight words has no run of 13 and cannot be looked for: such items
are counted, so that nobody takes silence for absence. For the same reason files of another form are named.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hemicycle.curate.words import split_words, text_buffers
from hemicycle.errors import DeclarationError
from hemicycle.evaluate.verbatim.sets import Item, read_items, set_files

#: Words in a run.
RUN = 13
_ITEMS_AT_ONCE = 1_000
_FACTOR = np.uint64(0x9E3779B97F4A7C15)

Hashes = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Evaluation:
    """One file of an evaluation. `short`: items without a run of 13 words, which cannot be found."""

    name: str
    items: int
    short: int
    runs: Hashes


def read_evaluations(folder: Path) -> tuple[list[Evaluation], list[str]]:
    """The evaluation files of a folder and the folders in it, in the order of their paths, and the names of
    the files that were not read because of their form.

    Raises:
        DeclarationError: there is none.
        InputError: one cannot be read.
    """
    files, others = set_files(folder)
    names = [path.relative_to(folder).as_posix() for path in files]
    found = [_evaluation(name, read_items(path, name)) for path, name in zip(files, names, strict=True)]
    if not found:
        raise DeclarationError(
            "there is no evaluation file in this folder (known: .jsonl, .json, .tsv, .csv, .parquet)",
            place=str(folder),
        )
    return found, [path.relative_to(folder).as_posix() for path in others]


def hits(texts: pa.ChunkedArray | pa.Array, evaluations: Sequence[Evaluation]) -> npt.NDArray[np.bool_]:
    """Which text shares a run with which evaluation, shape (texts, evaluations)."""
    runs, owners = _runs(texts)
    found = np.zeros((len(texts), len(evaluations)), bool)
    for column, evaluation in enumerate(evaluations):
        if len(evaluation.runs):
            at = np.minimum(np.searchsorted(evaluation.runs, runs), len(evaluation.runs) - 1)
            found[owners[evaluation.runs[at] == runs], column] = True
    return found


def _evaluation(name: str, asked: Iterable[Item]) -> Evaluation:
    items = short = 0
    runs = [np.zeros(0, np.uint64)]
    batch: list[list[str]] = []

    def settle() -> None:
        nonlocal short
        texts = [text for item in batch for text in item]
        owners = np.repeat(np.arange(len(batch)), [len(item) for item in batch])
        found, whose = _runs(pa.array(texts, pa.large_string()))
        runs.append(np.unique(found))
        short += len(batch) - len(np.unique(owners[whose]))
        batch.clear()

    for item in asked:
        items += 1
        batch.append([text for _, text in item.texts])
        if len(batch) >= _ITEMS_AT_ONCE:
            settle()
    settle()
    return Evaluation(name, items, short, np.unique(np.concatenate(runs)))


def _runs(texts: pa.ChunkedArray | pa.Array) -> tuple[Hashes, npt.NDArray[np.int64]]:
    """Hashes of all runs of words of some texts, and the text of each."""
    words = split_words(*text_buffers(texts))
    owners = np.repeat(np.arange(len(words.offsets) - 1), np.diff(words.offsets))
    own = words.folded > 0
    folded, owners = words.folded[own], owners[own]
    count = len(folded) - RUN + 1
    if count <= 0:
        return np.zeros(0, np.uint64), np.zeros(0, np.int64)
    hashes = np.zeros(count, np.uint64)
    for i in range(RUN):
        hashes = hashes * _FACTOR + folded[i : i + count]
    within = owners[:count] == owners[RUN - 1 :]
    return hashes[within], owners[:count][within]
