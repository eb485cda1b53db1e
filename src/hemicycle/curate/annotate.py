"""Annotate: a batch of documents in, the same documents cleaned and measured out. Rows are independent.

In order: clean the characters, mask personal data, find words and lines once, tell the language of each
paragraph, take every measure, and sign the text for the search of near-duplicates. Nothing is judged here:
bounds on the measures belong to the corpus, so that one can be moved without reading a text again.

A row's annotations depend on its text, its parts, its kind and its source's declared language alone; how
documents were cut into batches, shards and machines cannot show.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hemicycle.curate import language, measures, near, personal
from hemicycle.curate.boilerplate import strip_lines
from hemicycle.curate.clean import clean, moved_parts
from hemicycle.curate.words import split_words
from hemicycle.digests import sha256_text
from hemicycle.documents import SCHEMA, parquet_writer
from hemicycle.errors import IntegrityError

#: What curation finds out about a document. `signals` has one field a measure.
ANNOTATED = pa.schema(
    [
        *SCHEMA,
        pa.field("clean_digest", pa.string()),
        pa.field("rank", pa.int8()),
        pa.field("languages", pa.list_(language.RUN)),
        pa.field("signals", pa.struct([(name, pa.float64()) for name in measures.NAMES])),
        pa.field("bands", pa.list_(pa.uint64())),
    ]
)

#: Characters of documents annotated at once: what bounds the memory, not what shows in the result.
BATCH_CHARACTERS = 4_000_000
#: A text longer than this is no document: it is set aside as it came, unmeasured.
LONGEST = 64_000_000


def annotate(batch: pa.Table, *, boilerplate: npt.NDArray[np.uint64] | None = None) -> pa.Table:
    """Annotate documents: columns of `documents.SCHEMA` and `rank` in, those of `ANNOTATED` out.

    `boilerplate`: hashes of lines to take out, found over the whole source.
    """
    texts, parts = _cleaned(batch, boilerplate)
    column = pa.array(texts, pa.large_string())
    data, offsets = text_buffers(column)
    words = split_words(data, offsets, "french")
    runs, spoken = language.identify(data, offsets, batch["language"])
    signals = measures.measure(data, offsets, words) | spoken
    bands = near.signatures(words.folded, words.offsets)
    made = {
        "text": column,
        "parts": parts,
        "clean_digest": pa.array([sha256_text(text) for text in texts], pa.string()),
        "languages": runs,
        "signals": pa.StructArray.from_arrays([signals[n] for n in measures.NAMES], measures.NAMES),
        "bands": _lists(bands),
    }
    return pa.table({name: made.get(name, batch[name]) for name in ANNOTATED.names}, ANNOTATED)
