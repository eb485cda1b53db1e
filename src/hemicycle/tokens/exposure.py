"""Exposure: which documents a plan reads, when, and how much of each; by computation, without training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hemicycle.tokens.order import Order
from hemicycle.tokens.rows import Integers

#: Rows of the plan that are looked at together.
ROWS_AT_ONCE = 1_000_000

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

#: row: of the step, counted from 0. first: token of the document, counted from 0.
READINGS = pa.schema(
    [("step", pa.int64()), ("row", pa.int64()), ("first", pa.int64()), ("tokens", pa.int64())]
)


def exposure(plan: Path, tokens: Mapping[str, Path]) -> pa.Table:
    """Per document: first and last step that read it, rows and tokens read, over the whole plan.

    Tokens are those that the model sees; the last of a full row is only a target. Documents that the plan
    never reaches, and those that were withdrawn, are absent. Memory is that of the plan's distinct rows and
    of its documents, some numbers each, however many epochs are planned.
    """
    order = Order(plan, tokens)
    first_R, last_R, times_R = _read_rows(order)
    count = len(order.table.documents) - 1
    first_D, last_D = np.full(count, np.iinfo(np.int64).max), np.full(count, -1)
    rows_D, tokens_D = np.zeros(count, np.int64), np.zeros(count, np.int64)
    for at in range(0, order.table.count, ROWS_AT_ONCE):
        numbers = np.flatnonzero(times_R[at : at + ROWS_AT_ONCE]) + at
        seen, document = order.table.inputs(numbers)
        rows = numbers[seen.row]
        np.minimum.at(first_D, document, first_R[rows])
        np.maximum.at(last_D, document, last_R[rows])
        np.add.at(rows_D, document, times_R[rows])
        np.add.at(tokens_D, document, seen.tokens * times_R[rows])
    read = (rows_D > 0) & ~order.gone_D
    tables, base = [], 0
    for folder in order.tokens.values():
        table = pq.read_table(folder / "documents.parquet", columns=["id", "source"])
        own = slice(base, base + table.num_rows)
        columns = (column[own] for column in (first_D, last_D, rows_D, tokens_D))
        whole = pa.table(dict(zip(EXPOSURE.names, (*table.columns, *columns), strict=True)), schema=EXPOSURE)
        tables.append(whole.filter(pa.array(read[own])))
        base = own.stop
    return pa.concat_tables(tables)


def readings(order: Order, document: int) -> pa.Table:
    """Every reading of a document, given by its number, as `READINGS`, in the order of the steps."""
    rows = order.table.holding(document)
    found = [np.zeros(0, np.int64)]
    for at in range(0, len(order.sequence), ROWS_AT_ONCE):
        found.append(np.flatnonzero(np.isin(order.sequence[at : at + ROWS_AT_ONCE], rows)) + at)
    places = np.concatenate(found)
    seen, documents = order.table.inputs(order.sequence[places])
    seen = seen.part(documents == document)
    step, row = order.read_at(places[seen.row])
    first = seen.address - order.table.documents[document]
    return pa.table({"step": step, "row": row, "first": first, "tokens": seen.tokens}, schema=READINGS)


def _read_rows(order: Order) -> tuple[Integers, Integers, Integers]:
    """First and last step that read each row (of R), and how often it is read."""
    count = order.table.count
    first_R, last_R = np.full(count, np.iinfo(np.int64).max), np.full(count, -1)
    times_R = np.zeros(count, np.int64)
    for at in range(0, len(order.sequence), ROWS_AT_ONCE):
        rows = order.sequence[at : at + ROWS_AT_ONCE]
        steps, _ = order.read_at(np.arange(at, at + len(rows)))
        np.minimum.at(first_R, rows, steps)
        np.maximum.at(last_R, rows, steps)
        np.add.at(times_R, rows, 1)
    return first_R, last_R, times_R
