"""One model on held-out text, without baselines or intervals: bits per byte, one number."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from hemicycle.evaluate import bits
from hemicycle.evaluate.heldout import HeldOutDocument, read_held_out
from hemicycle.progress import QUIET, Progress


def measure(
    model: Path,
    corpora: Mapping[str, Path],
    tokenizer_corpora: Mapping[str, Path] = {},
    *,
    most_bytes: int,
    progress: Progress = QUIET,
) -> tuple[float, int]:
    """Bits per byte of a model on the held-out documents of corpora, and how many bytes these had.

    Of more than `most_bytes`, documents are taken at even distances, the same ones for every model. Raises
    InputError as `evaluate` does.
    """
    documents = spread(read_held_out(corpora, tokenizer_corpora).documents, most_bytes)
    size = sum(int(document.byte_ends[-1]) for document in documents)
    with progress.start("evaluate", float(size), "bytes") as bar:
        scored = bits.load(model).score((document.text for document in documents), bar.advance)
        nats = math.fsum(float(one.nats.sum()) for one in scored)
    return nats / math.log(2) / size, size


def spread(documents: tuple[HeldOutDocument, ...], most_bytes: int) -> tuple[HeldOutDocument, ...]:
    """Documents at even distances, of about so many bytes together; one at least."""
    size = sum(int(document.byte_ends[-1]) for document in documents)
    return documents[:: max(1, math.ceil(size / most_bytes))] if size > most_bytes else documents
