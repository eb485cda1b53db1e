"""Small models of every family, and batches for them, made alike in several tests."""

import numpy as np

from hemicycle.project import Architecture
from hemicycle.tokens import Batch
from hemicycle.train import Run, derive_shape

FAMILIES = ["llama", "mistral", "qwen3", "olmo2", "gemma3", "gpt2", "bloom"]

VOCABULARY, CONTEXT = 320, 64

#: Single precision, eager, one thread.
PLAIN = Run(steps=1, seed=3, precision="fp32", compiled=False, threads=1)


def shape_of(family):
    architecture = Architecture(kind=family, layers=2, width=32, heads=2, context=CONTEXT)
    return derive_shape(architecture, VOCABULARY)


def whole_rows(ids):
    """A batch whose rows are one document each: the last token has no next one."""
    targets = np.full_like(ids, -100)
    targets[:, :-1] = ids[:, 1:]
    places = np.broadcast_to(np.arange(ids.shape[1]), ids.shape).copy()
    nothing = np.zeros(ids.shape, np.int32)
    return Batch(ids, targets, nothing, places, nothing)


def packed_row(ids, lengths):
    """A batch of one row of documents of the given lengths."""
    batch = whole_rows(ids)
    documents = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)[None]
    ends = np.cumsum(lengths)[:-1] - 1
    batch.targets_BT[0, ends] = -100
    places = np.concatenate([np.arange(n) for n in lengths])[None]
    return Batch(batch.tokens_BT, batch.targets_BT, documents, places, batch.groups_BT)


def some_ids(rows, seed=0):
    """Rows that can be learnt: each counts by a step of its own. On noise two loops that differ in their last
    bits drift apart, whichever they are."""
    draw = np.random.default_rng(seed)
    first, step = draw.integers(0, VOCABULARY, (rows, 1)), draw.integers(1, 5, (rows, 1))
    return (first + step * np.arange(CONTEXT)) % VOCABULARY
