"""Annotate: a batch of documents in, the same documents cleaned and measured out. Rows are independent.

In order: clean the characters, mask personal data, take out what the source repeats, find the words once,
tell the language of each piece, take every measure, and sign the text for the search of near-duplicates.
Nothing is judged here: bounds on the measures belong to the corpus, so that one can be moved without reading
a text again.

A row's annotations depend on its own columns alone (and on the table of what its source repeats); how
documents were cut into batches, shards and machines cannot show.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from hemicycle.curate import language, near
from hemicycle.curate.boilerplate import Hashes, strip
from hemicycle.curate.clean import clean_texts, decoded
from hemicycle.curate.measures import COLUMNS, measure_words, measured_part
from hemicycle.curate.ocr_quality import ocr_qualities
from hemicycle.curate.personal import KINDS, mask_texts
from hemicycle.curate.words import Words, split_words, text_buffers
from hemicycle.digests import sha256_text
from hemicycle.documents import PART, SCHEMA

#: Measures that need more than words and lines.
_MASKED = tuple(f"personal_{kind}" for kind in KINDS)
NAMES = (*COLUMNS, *language.MEASURES, "ocr_quality", "confidence", *_MASKED, "boilerplate_passages")

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


def annotate(batch: pa.Table, repeated: Hashes | None = None) -> pa.Table:
    """Annotate documents: columns of `documents.SCHEMA`, `rank` and `right` in, those of `ANNOTATED` out.

    `repeated`: hashes of passages to take out (`boilerplate`), sorted.
    """
    texts, parts, counts = _clean(batch, repeated)
    column = pa.array(texts, pa.large_string())
    data, offsets = text_buffers(column)
    runs, spoken = language.identify(data, offsets, batch["language"].to_pylist())
    measured = measured_part(data, offsets)
    words = split_words(*measured)
    scanned = {"ocr_quality": ocr_qualities(*measured), "confidence": batch["confidence"].combine_chunks()}
    signals = {**measure_words(*measured, words), **spoken, **scanned, **counts}
    made = {
        "text": column,
        "parts": parts,
        "title": _masked(batch["title"].to_pylist(), batch["kind"].to_pylist()),
        "clean_digest": pa.array(map(sha256_text, texts), pa.string()),
        "languages": runs,
        "signals": _struct(signals),
        near.COLUMN: near.to_arrow(near.signatures(_compared(words, batch["kind"]), words.offsets)),
    }
    return _table(batch, made)


def _compared(words: Words, kinds: pa.ChunkedArray) -> npt.NDArray[np.uint64]:
    """The words by which near copies are found: figures do not count, but in law they are the matter."""
    law = np.array([kind == "law" for kind in kinds.to_pylist()], bool)
    if not law.any():
        return words.folded
    exact = np.repeat(law, np.diff(words.offsets)) & (words.folded > 0)
    return np.where(exact, words.exact, words.folded)


def set_aside(batch: pa.Table) -> pa.Table:
    """Rows of `ANNOTATED` for texts too long to be documents: digest, length in bytes, and no text."""
    made = {
        "clean_digest": batch["digest"],
        "signals": _struct({"characters": batch["bytes"].combine_chunks().cast(pa.float64())}),
        near.COLUMN: near.to_arrow(np.zeros((batch.num_rows, near.BANDS), np.uint64)),
    }
    return _table(batch, made)


def _table(batch: pa.Table, made: dict[str, Any]) -> pa.Table:
    columns = []
    for field in ANNOTATED:
        if field.name in made:
            columns.append(made[field.name])
        elif field.name in batch.column_names:
            columns.append(batch[field.name])
        else:
            columns.append(pa.nulls(batch.num_rows, field.type))
    return pa.table(columns, schema=ANNOTATED)


def _struct(signals: dict[str, Any]) -> pa.StructArray:
    rows = len(next(iter(signals.values())))
    missing = pa.nulls(rows, pa.float64())
    fields = [pa.array(signals.get(name, missing), pa.float64()) for name in NAMES]
    return pa.StructArray.from_arrays(fields, names=list(NAMES))


def _clean(
    batch: pa.Table, repeated: Hashes | None
) -> tuple[list[str], pa.ListArray, dict[str, npt.NDArray[np.float64]]]:
    """Cleaned texts, the parts at their new places, and how much was masked and taken out of each text."""
    parts = batch["parts"].combine_chunks()
    if isinstance(parts, pa.ChunkedArray):  # no chunk at all
        parts = pa.concat_arrays(parts.chunks or [pa.array([], pa.list_(PART))])
    bounds = np.concatenate([[0], np.cumsum(pc.list_value_length(parts).fill_null(0).to_numpy())]).astype(
        np.int64
    )
    flat = parts.flatten()
    points = np.column_stack([flat.field("start").to_numpy(), flat.field("end").to_numpy()]).astype(np.int64)
    counts = {name: np.zeros(batch.num_rows) for name in (*_MASKED, "boilerplate_passages")}
    kinds: Sequence[str | None] = batch["kind"].to_pylist()
    data, offsets, places = clean_texts(*text_buffers(batch["text"]), points.ravel(), 2 * bounds)
    data, offsets, places, masked = mask_texts(data, offsets, places, 2 * bounds, kinds)
    counts |= {f"personal_{kind}": number.astype(np.float64) for kind, number in masked.items()}
    texts = [decoded(data[start:end]) for start, end in itertools.pairwise(offsets)]
    if repeated is not None and len(repeated):
        for row, text in enumerate(texts):
            mine = slice(2 * bounds[row], 2 * bounds[row + 1])
            texts[row], places[mine], removed = strip(text, places[mine], repeated)
            counts["boilerplate_passages"][row] = len(removed)
    points = places.reshape(-1, 2)
    whose = np.repeat(np.array(kinds, object), np.diff(bounds)).tolist()
    titles = _masked(flat.field("title").to_pylist(), whose)
    return texts, _moved(flat, points, bounds, titles), counts


def _masked(titles: Sequence[str | None], kinds: Sequence[str | None]) -> pa.Array:
    """Titles with their personal data masked; most stand there many times, so each is looked at once."""
    rows = list(zip(titles, kinds, strict=True))
    once = [(title, kind) for title, kind in dict.fromkeys(rows) if title is not None]
    nowhere = np.zeros(0, np.int64), np.zeros(len(once) + 1, np.int64)
    known = text_buffers(pa.array([title for title, _ in once], pa.large_string()))
    data, offsets, _, _ = mask_texts(*known, *nowhere, [kind for _, kind in once])
    found = [decoded(data[start:end]) for start, end in itertools.pairwise(offsets)]
    masked: dict[tuple[str | None, str | None], str] = dict(zip(once, found, strict=True))
    return pa.array([masked.get(row) for row in rows], pa.string())


def _moved(
    flat: pa.StructArray, points: npt.NDArray[np.int64], bounds: npt.NDArray[np.int64], titles: pa.Array
) -> pa.ListArray:
    """The parts at their new places, under masked titles; one left without characters is dropped."""
    keeps = points[:, 1] > points[:, 0]
    moved = {"start": pa.array(points[:, 0]), "end": pa.array(points[:, 1]), "title": titles}
    fields = [moved[f.name] if f.name in moved else flat.field(f.name) for f in PART]
    left = pa.StructArray.from_arrays(fields, fields=list(PART)).filter(pa.array(keeps))
    kept = np.concatenate([[0], np.cumsum(keeps)])[bounds]
    return pa.ListArray.from_arrays(pa.array(kept, pa.int32()), left)
