"""Annotate: a batch of cleaned documents in, the same documents measured out. Rows are independent.

In order: take out what the source repeats, find the words once, tell the language of each piece, take every
measure, and sign the text for the search of near-duplicates. Nothing is judged here: bounds on the measures
belong to the corpus, so that one can be moved without reading a text again.

A row's annotations depend on its own columns alone (and on the table of what its source repeats); how
documents were cut into batches, shards and machines cannot show.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from hemicycle.curate import language, near
from hemicycle.curate.boilerplate import Hashes, holding, strip_texts
from hemicycle.curate.cleaned import as_rows, moved_parts, part_points
from hemicycle.curate.measures import COLUMNS, measure_words, measured_part
from hemicycle.curate.ocr_quality import ocr_qualities
from hemicycle.curate.personal import KINDS
from hemicycle.curate.words import Bytes, Places, Words, split_words, text_array, text_buffers
from hemicycle.digests import sha256_bytes
from hemicycle.documents import SCHEMA

#: Every measure, as it is stored.
NAMES = (
    *COLUMNS,
    *language.MEASURES,
    "ocr_quality",
    "confidence",
    *(f"personal_{kind}" for kind in KINDS),
    "boilerplate_passages",
)

#: What curation finds out about a document. `rank`, `right`: how well it is cleared, and by what;
#: `signals` has a field a measure.
ANNOTATED = pa.schema(
    [
        *SCHEMA,
        pa.field("clean_digest", pa.string()),
        pa.field("rank", pa.int8()),
        pa.field("right", pa.string()),
        pa.field("languages", pa.list_(language.RUN)),
        pa.field("signals", pa.struct([(name, pa.float64()) for name in NAMES])),
        pa.field(near.COLUMN, near.TYPE),
    ]
)


def annotate(batch: pa.Table, repeated: Mapping[str, Hashes] | None = None) -> pa.Table:
    """Annotate documents: columns of `cleaned.CLEANED` in, those of `ANNOTATED` out.

    `repeated`: kind of document → hashes of passages to take out (`boilerplate`), sorted.
    """
    stripped, passages = _stripped(batch, repeated or {})
    column = stripped["text"].combine_chunks()
    data, offsets = text_buffers(column)
    runs, spoken = language.identify(data, offsets, batch["language"].to_pylist())
    measured = measured_part(data, offsets)
    words = split_words(*measured)
    signals = {
        **measure_words(*measured, words),
        **spoken,
        "ocr_quality": ocr_qualities(*measured),
        "confidence": batch["confidence"].combine_chunks(),
        **_masked(batch),
        "boilerplate_passages": passages,
    }
    compared = _compared(words, measured[1], stripped, batch["kind"])
    made = {
        "text": column,
        "parts": stripped["parts"],
        "clean_digest": pa.array(map(sha256_bytes, _slices(data, offsets)), pa.string()),
        "languages": runs,
        "signals": _struct(signals),
        near.COLUMN: near.to_arrow(near.signatures(compared, words.offsets)),
    }
    return as_rows(batch, made, ANNOTATED)


def _slices(data: Bytes, offsets: Places) -> Iterator[memoryview]:
    """The bytes of each text, without a copy."""
    return (data.data[a:b] for a, b in itertools.pairwise(offsets.tolist()))


def _masked(batch: pa.Table) -> dict[str, pa.Array]:
    counts = batch["personal"].combine_chunks()
    return {f"personal_{kind}": counts.field(kind).cast(pa.float64()) for kind in KINDS}


#: Kinds in which figures are the matter: of articles of law, of questions and their answers.
_EXACT = ("law", "conversation")


def _compared(
    words: Words, offsets: Places, texts: pa.Table, kinds: pa.ChunkedArray
) -> npt.NDArray[np.uint64]:
    """The words by which near copies are found: figures do not count but where they are the matter; nor does
    what a system is told first, which is the same in thousands of conversations.

    `offsets`: of the texts in the bytes that the words were found in.
    """
    named = kinds.to_pylist()
    exact = np.repeat(np.array([kind in _EXACT for kind in named], bool), np.diff(words.offsets))
    compared = np.where(exact & (words.folded > 0), words.exact, words.folded)
    for row in [row for row, kind in enumerate(named) if kind == "conversation"]:
        text, own = texts["text"][row].as_py(), slice(words.offsets[row], words.offsets[row + 1])
        starts = words.starts[own] - offsets[row]
        for part in texts["parts"][row].as_py() or ():
            if part["role"] == "system":
                first, last = (len(text[: part[end]].encode("utf-8")) for end in ("start", "end"))
                compared[own][(starts >= first) & (starts < last)] = 0
    return compared


def set_aside(batch: pa.Table) -> pa.Table:
    """Rows of `ANNOTATED` for texts too long to be documents: digest, length in bytes, and no text."""
    made = {
        "clean_digest": batch["digest"],
        "signals": _struct({"characters": batch["bytes"].combine_chunks().cast(pa.float64())}),
        near.COLUMN: near.to_arrow(np.zeros((batch.num_rows, near.BANDS), np.uint64)),
    }
    return as_rows(batch, made, ANNOTATED)


def _struct(signals: dict[str, Any]) -> pa.StructArray:
    rows = len(next(iter(signals.values())))
    missing = pa.nulls(rows, pa.float64())
    fields = [pa.array(signals.get(name, missing), pa.float64()) for name in NAMES]
    return pa.StructArray.from_arrays(fields, names=list(NAMES))


def _stripped(batch: pa.Table, repeated: Mapping[str, Hashes]) -> tuple[pa.Table, Places]:
    """The texts and parts without what their source repeats, and how many passages went from each."""
    texts, passages = batch["text"].combine_chunks(), np.zeros(batch.num_rows, np.int64)
    kinds = np.array(batch["kind"].to_pylist(), object)
    flat, points, bounds = part_points(batch)
    for kind in sorted(repeated):
        rows = np.flatnonzero(kinds == kind)
        rows = rows[holding(*text_buffers(texts.take(rows)), repeated[kind])]
        own = np.isin(np.arange(batch.num_rows), rows)
        parts = np.repeat(own, np.diff(bounds))
        edges = np.concatenate([[0], 2 * np.cumsum(np.diff(bounds)[rows])])
        given = *text_buffers(texts.take(rows)), points[parts].ravel(), edges
        data, offsets, places, passages[rows] = strip_texts(*given, repeated[kind])
        texts = pc.replace_with_mask(texts, own, text_array(data, offsets))
        points[parts] = places.reshape(-1, 2)
    return pa.table({"text": texts, "parts": moved_parts(flat, points, bounds)}), passages
