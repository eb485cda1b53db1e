"""Contamination: documents that hold text on which models are going to be measured.

A run of 13 words that a document and an evaluation share is a hit, as in Brown et al., "Language Models are
Few-Shot Learners" (2020), appendix C; words are compared without case, typography and figures, as near copies
are. Every text field of an evaluation counts: question, passage and answer.

A `.json` file has no rows; each text in it, however deep it stands, is an item.

The trap is the short item. A question of eight words has no run of 13 and cannot be looked for: such items
are counted, so that nobody takes silence for absence. For the same reason files of another form are named.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from hemicycle.curate.words import split_words, text_buffers
from hemicycle.errors import DeclarationError, InputError, unparsed
from hemicycle.sources.huggingface import long_rows
from hemicycle.sources.jsonl import SUFFIXES, json_object, lines

#: Words in a run.
RUN = 13
#: A `.json` file is read whole, so a larger one is refused.
MAX_JSON_CHARACTERS = 64 * 2**20
_ITEMS_AT_ONCE = 1_000
_FACTOR = np.uint64(0x9E3779B97F4A7C15)

Hashes = npt.NDArray[np.uint64]


class _Tabs(csv.excel_tab):
    """Between tabs a quotation mark is a quotation mark."""

    quoting = csv.QUOTE_NONE


_TABLES = {".tsv": _Tabs, ".csv": csv.excel}
_JSON = (".json", ".json.gz", ".json.zst")


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
    found, unread = [], []
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        name = path.relative_to(folder).as_posix()
        rows = _rows(path, name)
        if rows is not None:
            found.append(_evaluation(name, rows))
        else:
            unread.append(name)
    if not found:
        raise DeclarationError(
            "there is no evaluation file in this folder (known: .jsonl, .json, .tsv, .csv, .parquet)",
            place=str(folder),
        )
    return found, unread


def hits(texts: pa.ChunkedArray | pa.Array, evaluations: Sequence[Evaluation]) -> npt.NDArray[np.bool_]:
    """Which text shares a run with which evaluation, shape (texts, evaluations)."""
    runs, owners = _runs(texts)
    found = np.zeros((len(texts), len(evaluations)), bool)
    for column, evaluation in enumerate(evaluations):
        if len(evaluation.runs):
            at = np.minimum(np.searchsorted(evaluation.runs, runs), len(evaluation.runs) - 1)
            found[owners[evaluation.runs[at] == runs], column] = True
    return found


def _evaluation(name: str, rows: Iterator[Any]) -> Evaluation:
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

    for row in rows:
        items += 1
        batch.append(list(_strings(row, 0)))
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


def _strings(value: Any, depth: int) -> Iterator[str]:
    """The texts in a value; deeper than any evaluation nests them nothing is looked for."""
    if isinstance(value, str):
        yield value.encode("utf-8", "replace").decode("utf-8")
    elif depth < 20 and isinstance(value, dict | list | tuple):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _strings(inner, depth + 1)


def _rows(path: Path, name: str) -> Iterator[Any] | None:
    if path.name.lower().endswith(SUFFIXES):
        return (json_object(line, f"{name}, line {n}") for n, line in lines(path, name) if line.strip())
    if path.name.lower().endswith(_JSON):
        return _texts_of_json(path, name)
    if path.suffix.lower() in _TABLES:
        return _table(path, name, _TABLES[path.suffix.lower()])
    return _parquet(path, name) if path.suffix.lower() == ".parquet" else None


def _texts_of_json(path: Path, name: str) -> Iterator[str]:
    read, size = [], 0
    for _, line in lines(path, name, max_bytes=MAX_JSON_CHARACTERS):
        read.append(line)
        size += len(line)
        if size > MAX_JSON_CHARACTERS:
            raise InputError(
                f"the file is larger than {MAX_JSON_CHARACTERS >> 20} MiB, the most that is read whole",
                place=name,
                remedy="Write it as JSON Lines (.jsonl).",
            )
    try:
        # Values without their keys: of a key that stands twice both texts are looked for.
        value = json.loads("".join(read), object_pairs_hook=lambda pairs: [value for _, value in pairs])
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"this is not JSON: {unparsed(error)}",
            place=name,
            remedy="If it has one object a line, its name must end in .jsonl.",
        ) from None
    yield from _strings(value, 0)


def _table(path: Path, name: str, dialect: type[csv.Dialect]) -> Iterator[list[str]]:
    rows = csv.reader((line for _, line in lines(path, name)), dialect)
    try:
        yield from long_rows(rows)
    except csv.Error as error:
        raise InputError(f"this is no table: {error}", place=f"{name}, line {rows.line_num}") from None


def _parquet(path: Path, name: str) -> Iterator[dict[str, Any]]:
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=64):
                yield from batch.to_pylist()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InputError(
            f"the Parquet file cannot be read: {str(error).partition(chr(10))[0]}", place=name
        ) from None
