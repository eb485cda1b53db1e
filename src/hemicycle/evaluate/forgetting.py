"""Forgetting: what a model that began from another one gained and lost by it, corpus by corpus.

Both are measured on the same blocks of the same held-out documents, so the difference is paired; bits per
byte can be compared though the one may have tokens that the other has not. On the corpus it went on with, a
model should need fewer bits than before; on what its base had read, more bits are what it forgot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from hemicycle.evaluate import bootstrap
from hemicycle.evaluate.heldout import HeldOutDocument

#: Bits per byte are written with this many decimals; what lies beyond depends on the machine.
DECIMALS = 6
#: Adjusted p below which a difference is said to be one.
SIGNIFICANT = 0.05

Floats = npt.NDArray[np.float64]


def forgetting(
    documents: Sequence[HeldOutDocument], series: Mapping[str, Floats], began: Mapping[str, str]
) -> list[dict[str, Any]]:
    """A row for every model that began from another, and every corpus of which something is held out.

    Args:
        series: name → bits on every block of the documents.
        began: model → what it began from; both are among the series.

    Each row has the bits per byte before and after, and their difference (positive: forgotten) with its
    interval; p is adjusted over all rows (Holm).
    """
    blocks = [one.ends.size for one in documents]
    sizes = np.concatenate([np.diff(one.byte_ends, prepend=np.int64(0)) for one in documents])
    document_of = np.repeat(np.arange(len(documents)), blocks)
    rows: list[dict[str, Any]] = []
    for corpus in sorted({name for one in documents for name in one.corpora}):
        here = np.repeat([corpus in one.corpora for one in documents], blocks)
        for model, base in began.items():
            bits = np.stack([series[model][here], series[base][here]])
            found = bootstrap.resample(bits, sizes[here], document_of[here])
            change = found.difference(0, 1)
            figures = {
                "before": float(found.values[1]),
                "after": float(found.values[0]),
                "difference": change.value,
                "low": change.low,
                "high": change.high,
                "p": change.p,
            }
            rows.append(
                {
                    "model": model,
                    "base": base,
                    "corpus": corpus,
                    **{k: None if v is None else round(v, DECIMALS) for k, v in figures.items()},
                    "unit": None if change.low is None else found.unit,
                    "bytes": int(sizes[here].sum()),
                    "documents": sum(corpus in one.corpora for one in documents),
                    "p_holm": None,
                    "differs": None,
                }
            )
    tested = [row for row in rows if row["p"] is not None]
    for row, adjusted in zip(tested, bootstrap.holm([row["p"] for row in tested]), strict=True):
        row["p_holm"] = round(adjusted, DECIMALS)
        row["differs"] = adjusted < SIGNIFICANT
    return rows
