"""The order: which rows a model reads at which step, as a plan and a function on it.

A row is `context + 1` consecutive tokens of one shard; rows are cut end to end, so a document may span
several and a row may hold several. The plan stores the rows and a permutation of them over all epochs of
the declared mix, because a shuffle by a library may change with its version while stored numbers do not.
`Order.batch(step)` is a slice of it: exact at any step, on any number of workers, with nothing to resume.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from hemicycle.documents import write_parquet
from hemicycle.errors import InputError, IntegrityError
from hemicycle.tokens.megatron import Shard, read_shard
from hemicycle.tokens.tokenize import shard_name

#: A plan has fewer rows than this: their numbers are stored in 32 bits.
ROWS_BOUND = 2**32
#: Tokens of the plan that `exposure` looks at together.
TOKENS_AT_ONCE = 4_000_000

ROWS = pa.schema(
    [
        ("corpus", pa.int16()),
        ("shard", pa.int32()),
        ("start", pa.int64()),
        ("first_document", pa.int64()),
        ("last_document", pa.int64()),
    ]
)
EXPOSURE = pa.schema(
    [
        ("document", pa.string()),
        ("source", pa.string()),
        ("first_step", pa.int64()),
        ("last_step", pa.int64()),
        ("rows", pa.int64()),
        ("tokens", pa.int64()),
    ]
)


def make_plan(
    tokens: Mapping[str, Path],
    shares: Mapping[str, float],
    out: Path,
    *,
    context: int,
    batch_rows: int,
    steps: int,
    seed: int,
) -> dict[str, Any]:
    """Write `rows.parquet`, `order.npy` and `plan.json`.

    Args:
        tokens: corpus → its tokens artefact.
        shares: corpus → its share of the rows; they are taken relative to their sum.
        context: tokens the model sees at once; a row has one more, the last target.
        batch_rows: rows of a step.

    Each corpus gives its share of ``steps * batch_rows`` rows, in whole shuffled epochs and a part of one;
    then the corpora are shuffled together.

    Raises:
        InputError: a corpus has not even one row, or all have more than a plan can number.
    """
    rows = sum(_row_count(shard, context) for name in sorted(tokens) for shard in _shards(tokens[name]))
    if rows >= ROWS_BOUND:
        raise InputError(
            f"the corpora have {rows} rows of {context} tokens; a plan numbers fewer than {ROWS_BOUND}",
            place=", ".join(str(tokens[name]) for name in sorted(tokens)),
            remedy="Declare a larger context, or fewer sources.",
        )
    generator = np.random.Generator(np.random.Philox(seed))
    tables, chosen = [], []
    epochs: dict[str, float] = {}
    offset = 0
    wanted = _apportion(steps * batch_rows, [shares[name] for name in sorted(tokens)])
    for number, (name, count) in enumerate(zip(sorted(tokens), wanted, strict=True)):
        table = _rows(number, tokens[name], context)
        if not table.num_rows:
            raise InputError(
                f"corpus “{name}” has fewer than {context + 1} tokens: not one row of this context",
                place=str(tokens[name]),
                remedy="Declare a smaller context, or add text.",
            )
        whole = math.ceil(count / table.num_rows)
        passes = [generator.permutation(table.num_rows) for _ in range(whole)]
        picked = np.concatenate([*passes, np.zeros(0, np.int64)])[:count]
        chosen.append(picked + offset)
        offset += table.num_rows
        epochs[name] = round(count / table.num_rows, 4)
        tables.append(table)
    order = np.concatenate(chosen)
    # One corpus keeps its epochs apart: every row is read once before any is read again.
    if len(chosen) > 1:
        order = order[_interleave([len(c) for c in chosen], generator)]
    write_parquet(out / "rows.parquet", ROWS, tables)
    np.save(out / "order.npy", order.astype(np.uint32))
    plan = {
        "context": context,
        "batch_rows": batch_rows,
        "steps": steps,
        "seed": seed,
        "corpora": sorted(tokens),
        "rows": offset,
        "epochs": epochs,
    }
    (out / "plan.json").write_text(json.dumps(plan, indent=1, sort_keys=True), "utf-8")
    return {**plan, "tokens": steps * batch_rows * context}


def _apportion(total: int, shares: list[float]) -> list[int]:
    """Whole numbers that sum to `total`, in proportion to `shares` (largest remainders)."""
    exact = np.asarray(shares, np.float64) / math.fsum(shares) * total
    counts = np.floor(exact).astype(np.int64)
    by_remainder = np.argsort(-(exact - counts), kind="stable")
    counts[by_remainder[: total - int(counts.sum())]] += 1
    return [int(c) for c in counts]


def _interleave(counts: list[int], generator: np.random.Generator) -> npt.NDArray[np.int64]:
    """Positions that mix sequences of the given lengths at random while each keeps its own order."""
    labels = generator.permutation(np.repeat(np.arange(len(counts)), counts))
    positions = np.empty(len(labels), np.int64)
    start = 0
    for label, count in enumerate(counts):
        positions[labels == label] = np.arange(start, start + count)
        start += count
    return positions


def _row_count(shard: Shard, context: int) -> int:
    """Leftover tokens at the end of a shard make no row."""
    return max(0, (len(shard.tokens) - 1) // context)


def _rows(corpus: int, folder: Path, context: int) -> pa.Table:
    """All rows of a tokens artefact."""
    columns: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in ROWS.names}
    before = 0
    for number, shard in enumerate(_shards(folder)):
        count = _row_count(shard, context)
        starts = np.arange(count, dtype=np.int64) * context
        columns["corpus"].append(np.full(count, corpus, np.int16))
        columns["shard"].append(np.full(count, number, np.int32))
        columns["start"].append(starts)
        columns["first_document"].append(before + _document_at(shard, starts))
        # The last token of a row is only a target, and masked where it begins another document.
        columns["last_document"].append(before + _document_at(shard, starts + context - 1))
        before += len(shard.starts) - 1
    return pa.table({name: np.concatenate(parts) for name, parts in columns.items()}, schema=ROWS)


def _shards(folder: Path) -> list[Shard]:
    count = len(list(folder.glob("tokens-*.bin")))
    return [read_shard(folder / shard_name(n)) for n in range(count)]


def _document_at(shard: Shard, positions: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Number (in the shard) of the document that holds each token position."""
    found: npt.NDArray[np.int64] = np.searchsorted(shard.starts, positions, side="right") - 1
    return found


@dataclass(frozen=True)
class Batch:
    """The rows of one step. B rows, T = context.

    Attributes:
        tokens_BT: input ids, int64.
        targets_BT: the next token, int64; -100 where the next token is of another document.
        documents_BT: number of the document inside the row, counted from 0, int32.
        positions_BT: place of the token in its document's stretch of this row, int64.
    """

    tokens_BT: npt.NDArray[np.int64]
    targets_BT: npt.NDArray[np.int64]
    documents_BT: npt.NDArray[np.int32]
    positions_BT: npt.NDArray[np.int64]


class Order:
    """A plan opened on the tokens it was made for. R rows.

    Attributes:
        sequence: row numbers in the order they are read, uint32, a map of the file.
        corpus_R, shard_R: which corpus of the plan, and which of its shards, a row is cut from.
        start_R: place of a row's first token in its shard.
    """

    def __init__(self, plan: Path, tokens: Mapping[str, Path]) -> None:
        self.plan: dict[str, Any] = json.loads((plan / "plan.json").read_text("utf-8"))
        self.context: int = self.plan["context"]
        self.batch_rows: int = self.plan["batch_rows"]
        self.steps: int = self.plan["steps"]
        if sorted(tokens) != self.plan["corpora"]:
            raise IntegrityError(f"the plan is for corpora {self.plan['corpora']}", place=str(plan))
        self.sequence: npt.NDArray[np.uint32] = np.load(plan / "order.npy", mmap_mode="r")
        rows = pq.read_table(plan / "rows.parquet", columns=["corpus", "shard", "start"])
        self.corpus_R: npt.NDArray[np.int16] = rows["corpus"].to_numpy()
        self.shard_R: npt.NDArray[np.int32] = rows["shard"].to_numpy()
        self.start_R: npt.NDArray[np.int64] = rows["start"].to_numpy()
        self._tokens = [_shards(tokens[name]) for name in sorted(tokens)]
        if len(self.sequence) != self.steps * self.batch_rows:
            raise IntegrityError("the order is cut off", place=str(plan / "order.npy"))

    def rows(self, step: int) -> npt.NDArray[np.uint32]:
        """Row numbers of a step, counted from 0. Raises IndexError outside the plan."""
        if not 0 <= step < self.steps:
            raise IndexError(f"step {step} is outside the plan's {self.steps}")
        return np.asarray(self.sequence[step * self.batch_rows : (step + 1) * self.batch_rows])

    def batch(self, step: int) -> Batch:
        """What the model reads at `step`: a pure function of plan and tokens."""
        width = self.context + 1
        rows = self.rows(step)
        ids = np.empty((len(rows), width), np.int64)
        documents = np.empty((len(rows), width), np.int64)
        for i, row in enumerate(rows):
            shard = self._tokens[self.corpus_R[row]][self.shard_R[row]]
            start = int(self.start_R[row])
            ids[i] = shard.tokens[start : start + width]
            documents[i] = _document_at(shard, np.arange(start, start + width))
        same = documents[:, 1:] == documents[:, :-1]
        targets = np.where(same, ids[:, 1:], -100)
        inner = documents[:, :-1] - documents[:, :1]
        first_of_document = np.concatenate([np.ones((len(rows), 1), bool), ~same[:, :-1]], axis=1)
        places = np.arange(self.context)
        begun = np.maximum.accumulate(np.where(first_of_document, places, 0), axis=1)
        return Batch(ids[:, :-1].copy(), targets, inner.astype(np.int32), places - begun)


def exposure(plan: Path, tokens: Mapping[str, Path]) -> pa.Table:
    """Per document: first and last step that read it, rows and tokens read, over the whole plan.

    Computed from the plan alone; no training is needed to know what a model will have read. Documents
    that the plan never reaches are absent. Memory is that of the plan's rows, of the documents of one corpus
    and of `TOKENS_AT_ONCE` tokens, however many epochs are planned.
    """
    order = Order(plan, tokens)
    rows = pq.read_table(plan / "rows.parquet", columns=["first_document", "last_document"])
    first_R, last_R = rows["first_document"].to_numpy(), rows["last_document"].to_numpy()
    steps_at_once = max(1, TOKENS_AT_ONCE // (order.batch_rows * order.context))
    parts: list[pa.Table] = []
    for number, name in enumerate(order.plan["corpora"]):
        documents = pq.read_table(
            tokens[name] / "documents.parquet", columns=["id", "source", "first", "tokens"]
        )
        begins = documents["first"].to_numpy()
        ends = begins + documents["tokens"].to_numpy()
        first_step = np.full(len(begins), np.iinfo(np.int64).max)
        last_step = np.full(len(begins), -1)
        rows_read = np.zeros(len(begins), np.int64)
        tokens_read = np.zeros(len(begins), np.int64)
        for first in range(0, order.steps, steps_at_once):
            last = min(first + steps_at_once, order.steps)
            row = order.sequence[first * order.batch_rows : last * order.batch_rows]
            at = np.repeat(np.arange(first, last), order.batch_rows)
            of_this = order.corpus_R[row] == number
            row, at = row[of_this], at[of_this]
            spans = last_R[row] - first_R[row] + 1
            document = np.repeat(first_R[row], spans) + _counting(spans)
            step, start = np.repeat(at, spans), np.repeat(order.start_R[row], spans)
            # A row's shard offset and its documents' offsets are in the same shard by construction.
            overlap = np.minimum(ends[document], start + order.context) - np.maximum(begins[document], start)
            np.minimum.at(first_step, document, step)
            np.maximum.at(last_step, document, step)
            np.add.at(rows_read, document, 1)
            np.add.at(tokens_read, document, np.maximum(overlap, 0))
        seen = rows_read > 0
        parts.append(
            pa.table(
                {
                    "document": documents["id"].filter(pa.array(seen)),
                    "source": documents["source"].filter(pa.array(seen)),
                    "first_step": first_step[seen],
                    "last_step": last_step[seen],
                    "rows": rows_read[seen],
                    "tokens": tokens_read[seen],
                },
                schema=EXPOSURE,
            )
        )
    return pa.concat_tables(parts)


def _counting(spans: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """For spans 2, 3: 0 1 0 1 2."""
    ends = np.cumsum(spans)
    counted: npt.NDArray[np.int64] = np.arange(int(ends[-1]) if len(ends) else 0) - np.repeat(
        ends - spans, spans
    )
    return counted
