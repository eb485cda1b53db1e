"""The order: a plan as a function. `Order.batch(step)` needs nothing but the plan and the tokens.

It is exact at any step and on any number of workers, and has nothing to resume. The trap it avoids is a
loader with a state: that goes with the number of workers and with what was read ahead, and after a kill
nobody can say which documents a step had.

Shapes: B rows, T = context.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
import mmap
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from hemicycle.errors import IntegrityError
from hemicycle.tokens.answers import Answers
from hemicycle.tokens.catalogue import Catalogue
from hemicycle.tokens.holes import withdrawn_in
from hemicycle.tokens.megatron import Shard, read_shard, shard_name, shard_tokens
from hemicycle.tokens.rows import Integers, Rows, Spans, read_array

#: Shards that are open at once: each takes a file handle, of which a process has about a thousand.
OPEN_SHARDS = 256

#: Rows that are looked at together, to find one that is learnt.
ROWS_AT_ONCE = 10_000

#: Batches that are read ahead.
AHEAD = 3

#: row: of the step, counted from 0. first: token of the document, counted from 0.
DOCUMENTS_AT = pa.schema(
    [
        ("row", pa.int64()),
        ("document", pa.string()),
        ("source", pa.string()),
        ("corpus", pa.string()),
        ("first", pa.int64()),
        ("tokens", pa.int64()),
    ]
)


@dataclass(frozen=True)
class Batch:
    """The rows of one step, or those of a rank. B rows, T = context.

    Attributes:
        tokens_BT: input ids, int64; 0 where there is padding.
        targets_BT: the next token, int64; -100 where nothing is learnt: where the next token is of another
            document, or none, or is no answer.
        documents_BT: number of the document inside the row, counted from 0, int32; padding has one of its
            own.
        positions_BT: place of the token in its document's stretch of this row, int64.
        groups_BT: source and language of the document, as a place in `Order.groups`, int64; 0 for padding.
    """

    tokens_BT: npt.NDArray[np.int64]
    targets_BT: npt.NDArray[np.int64]
    documents_BT: npt.NDArray[np.int32]
    positions_BT: npt.NDArray[np.int64]
    groups_BT: npt.NDArray[np.int64]

    @property
    def learnt(self) -> int:
        """How many targets it has."""
        return int(np.count_nonzero(self.targets_BT >= 0))


@dataclass(frozen=True)
class Span:
    """A phase of a plan, with the steps it takes: from `first_step` on, `steps` of them."""

    name: str
    context: int
    packing: str
    reading: str
    first_step: int
    steps: int


class Order:
    """A plan opened on the tokens it was made for.

    Attributes:
        steps: of the whole run.
        sequence: row numbers in the order they are read, uint32, a map of the file.
        table: where the tokens of each row stand.
        groups: source and language of documents, for `Batch.groups_BT`.
        phases: in their order.

    Raises:
        IntegrityError: the plan is cut off, or is for other tokens.
    """

    def __init__(self, plan: Path, tokens: Mapping[str, Path]) -> None:
        self.plan: dict[str, Any] = json.loads((plan / "plan.json").read_text("utf-8"))
        if sorted(tokens) != self.plan["corpora"]:
            raise IntegrityError(f"the plan is for corpora {self.plan['corpora']}", place=str(plan))
        self.tokens = {name: tokens[name] for name in sorted(tokens)}
        for name, folder in self.tokens.items():
            if shard_tokens(folder) != self.plan["shards"][name]:
                raise IntegrityError(
                    f"the shards of corpus {name} are not those that the plan was made for",
                    place=str(folder),
                    remedy="Restore them from a copy, or run `hemicycle train` to make what is missing.",
                )
        self.steps: int = self.plan["steps"]
        self.groups: list[tuple[str, str | None]] = [(s, lang) for s, lang in self.plan["groups"]]
        self.sequence: npt.NDArray[np.uint32] = read_array(plan / "order.npy")
        self.table = Rows.open(plan, self.plan["cuttings"])
        self._group_D = read_array(plan / "groups.npy")
        self._place_blocks()
        if len(self.sequence) != self._place_K[-1] or len(self._group_D) + 1 != len(self.table.documents):
            raise IntegrityError("the order is cut off", place=str(plan))
        self._answers = Answers(self.tokens, self.plan["shards"])
        shards = [(name, n) for name, sizes in self.plan["shards"].items() for n in range(len(sizes))]
        self._shards = sorted(shards)
        self._shard_base = np.cumsum([0, *(self.plan["shards"][name][n] for name, n in self._shards)])
        self._shard = functools.lru_cache(OPEN_SHARDS)(self._open_shard)

    @functools.cached_property
    def catalogue(self) -> Catalogue:
        """Ids and sources of the documents."""
        return Catalogue(self.tokens)

    @functools.cached_property
    def gone_D(self) -> npt.NDArray[np.bool_]:
        """Whether each document was withdrawn, and is a hole."""
        gone, base = np.zeros(len(self.table.documents) - 1, bool), 0
        for folder in self.tokens.values():
            gone[base + withdrawn_in(folder)] = True
            base += pq.read_metadata(folder / "documents.parquet").num_rows
        return gone

    def _place_blocks(self) -> None:
        """Blocks as arrays (K): first step, first place in the sequence and tokens before, with a last one
        for the end."""
        blocks, contexts = self.plan["blocks"], [phase["context"] for phase in self.plan["phases"]]
        self._rows_K: list[int] = [block["rows"] for block in blocks]
        self._phase_K: list[int] = [block["phase"] for block in blocks]
        rows = [block["rows"] * block["steps"] for block in blocks]
        self._step_K = np.cumsum([0, *(block["steps"] for block in blocks)])
        self._place_K = np.cumsum([0, *rows])
        tokens = [n * contexts[phase] for n, phase in zip(rows, self._phase_K, strict=True)]
        self._before_K = np.cumsum([0, *tokens])
        self.phases: list[Span] = []
        first = 0
        for phase in self.plan["phases"]:
            about = {name: phase[name] for name in ("name", "context", "packing", "reading", "steps")}
            self.phases.append(Span(**about, first_step=first))
            first += phase["steps"]

    def _block(self, step: int) -> int:
        if not 0 <= step < self.steps:
            raise IndexError(f"step {step} is outside the plan's {self.steps}")
        return int(np.searchsorted(self._step_K, step, side="right")) - 1

    def phase(self, step: int) -> Span:
        """The phase that a step is in. Raises IndexError outside the plan."""
        return self.phases[self._phase_K[self._block(step)]]

    def tokens_before(self, step: int) -> int:
        """Places of all rows before a step, padding included; of the whole run for `step` = `steps`."""
        if step == self.steps:
            return int(self._before_K[-1])
        block = self._block(step)
        within = (step - int(self._step_K[block])) * self._rows_K[block]
        return int(self._before_K[block]) + within * self.phases[self._phase_K[block]].context

    def rows(self, step: int) -> npt.NDArray[np.uint32]:
        """Row numbers of a step. Raises IndexError outside the plan."""
        block = self._block(step)
        count = self._rows_K[block]
        at = int(self._place_K[block]) + (step - int(self._step_K[block])) * count
        return self.sequence[at : at + count]

    def read_at(self, places: Integers) -> tuple[Integers, Integers]:
        """The step that reads each place of the sequence, and the row of the step, counted from 0."""
        block = np.searchsorted(self._place_K, places, side="right") - 1
        rows = np.array(self._rows_K)[block]
        within = places - self._place_K[block]
        return self._step_K[block] + within // rows, within % rows

    def batch(self, step: int, rank: int = 0, ranks: int = 1) -> Batch:
        """What the model reads at `step`; of several ranks, every `ranks`-th row from `rank` on.

        Rows without anything to learn are added until every rank has equally many.
        """
        rows = self.rows(step)
        count, width = math.ceil(len(rows) / ranks), self.phase(step).context + 1
        spans = self.table.spans(rows[rank::ranks])
        stretches, document = self.table.stretches(spans)
        ids = np.zeros((count, width), np.int64)
        self._read(spans, ids)
        rest, at = _with_rests(stretches, count, width)
        lengths = rest.tokens

        def spread(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
            return np.repeat(values, lengths).reshape(count, width)

        group = np.zeros(len(lengths), np.int64)
        group[at] = self._group_D[document]
        first_of_row = np.searchsorted(rest.row, rest.row)
        documents = spread((np.arange(len(lengths)) - first_of_row).astype(np.int32))
        learnt = self._learnt(rest, at, stretches, documents)
        return Batch(
            ids[:, :-1].copy(),
            np.where(learnt, ids[:, 1:], -100),
            documents[:, :-1].copy(),
            np.arange(width - 1) - spread(rest.column)[:, :-1],
            spread(group)[:, :-1].copy(),
        )

    def _learnt(
        self, rest: Spans, at: Integers, stretches: Spans, documents: npt.NDArray[np.int32]
    ) -> npt.NDArray[np.bool_]:
        """Whether the token after each place is a target, B x T."""
        some = np.zeros(len(rest.tokens), bool)
        some[at] = True
        learnt = np.repeat(some, rest.tokens).reshape(documents.shape)[:, 1:]
        learnt &= documents[:, 1:] == documents[:, :-1]
        if not self._answers.whole:
            address = np.zeros(len(rest.tokens), np.int64)
            address[at] = stretches.address - stretches.column
            each = np.repeat(address, rest.tokens).reshape(documents.shape) + np.arange(documents.shape[1])
            learnt &= self._answers.holds(each[:, 1:])
        return learnt

    def learnt(self, step: int) -> int:
        """How many targets the whole batch of a step has; no token is read to know it."""
        return int(self._learnt_of(self.rows(step))[1].sum())

    def first_learnt(self) -> int | None:
        """The first step that has a target; None where none has."""
        for at in range(0, len(self.sequence), ROWS_AT_ONCE):
            row, learnt = self._learnt_of(self.sequence[at : at + ROWS_AT_ONCE])
            if learnt.any():
                step, _ = self.read_at(at + row[learnt > 0][:1])
                return int(step[0])
        return None

    def _learnt_of(self, rows: npt.NDArray[np.uint32]) -> tuple[Integers, Integers]:
        """Of each stretch in some rows the place of its row among them, ascending, and its targets."""
        stretches, _ = self.table.stretches(self.table.spans(rows))
        begin, end = stretches.address + 1, stretches.address + stretches.tokens
        return stretches.row, self._answers.count(begin, end)

    def documents_at(self, step: int) -> pa.Table:
        """What the whole batch of a step reads of each document, as `DOCUMENTS_AT`, row by row.

        A document may stand in several rows. Tokens are those that the model sees; it sees no hole.
        """
        seen, document = self.table.inputs(self.rows(step))
        there = ~self.gone_D[document]
        seen, document = seen.part(there), document[there]
        about = self.catalogue.about(document)
        return pa.table(
            {
                "row": seen.row,
                "document": about["id"],
                "source": about["source"],
                "corpus": about["corpus"],
                "first": seen.address - self.table.documents[document],
                "tokens": seen.tokens,
            },
            schema=DOCUMENTS_AT,
        )

    def digest(self, step: int) -> str:
        """SHA-256 of the whole batch of a step: ids and targets, as 32 bits, and which stretch of which
        document stands where. It is the same on any ranks, and knows nothing of how the plan is stored."""
        batch = self.batch(step)
        hashed = hashlib.sha256()
        for ids in (batch.tokens_BT, batch.targets_BT):
            hashed.update(ids.astype("<i4").tobytes())
        for stretch in self.documents_at(step).to_pylist():
            hashed.update(json.dumps(list(stretch.values()), ensure_ascii=False).encode("utf-8"))
        return hashed.hexdigest()

    def _read(self, spans: Spans, ids: npt.NDArray[np.int64]) -> None:
        """Put the tokens of spans into rows, in the order in which they stand on disk."""
        flat, width = ids.reshape(-1), ids.shape[1]
        for shard, begin, end, place in self._pieces(spans, width):
            flat[place : place + end - begin] = self._shard(shard).tokens[begin:end]

    def _pieces(self, spans: Spans, width: int) -> list[tuple[int, int, int, int]]:
        """Number of the shard, first token there and last + 1, and place in the batch, of each span."""
        spans, shard = spans.part(np.argsort(spans.address, kind="stable")).apart(self._shard_base)
        begin = spans.address - self._shard_base[shard]
        place = spans.row * width + spans.column
        columns = (shard, begin, begin + spans.tokens, place)
        return list(zip(*(column.tolist() for column in columns), strict=True))

    def _open_shard(self, number: int) -> Shard:
        name, within = self._shards[number]
        return read_shard(self.tokens[name] / shard_name(within))

    def read_ahead(self, step: int, rank: int = 0, ranks: int = 1) -> None:
        """Ask the system to have the tokens of a step in memory soon."""
        spans = self.table.spans(self.rows(step)[rank::ranks])
        for number, begin, end, _ in self._pieces(spans, 0):
            shard = self._shard(number)
            if shard.map is not None and hasattr(mmap, "MADV_WILLNEED"):
                size = shard.tokens.itemsize
                page = begin * size // mmap.PAGESIZE * mmap.PAGESIZE
                shard.map.madvise(mmap.MADV_WILLNEED, page, end * size - page)


def _with_rests(stretches: Spans, rows: int, width: int) -> tuple[Spans, Integers]:
    """Stretches with what is left of each row behind them, and where the stretches themselves stand now.

    A full row has a rest of no token, which is nowhere in the end.
    """
    counts = np.bincount(stretches.row, minlength=rows)
    at = np.arange(len(stretches.row)) + stretches.row
    rests = np.cumsum(counts) + np.arange(rows)
    held = np.bincount(stretches.row, stretches.tokens, minlength=rows).astype(np.int64)
    row, column, tokens = (np.empty(len(at) + rows, np.int64) for _ in range(3))
    row[at], column[at], tokens[at] = stretches.row, stretches.column, stretches.tokens
    row[rests], column[rests], tokens[rests] = np.arange(rows), held, width - held
    return Spans(row, column, tokens, tokens), at


def prefetch(order: Order, first: int, last: int, rank: int = 0, ranks: int = 1) -> Iterator[Batch]:
    """The batches of steps `first` to `last` - 1, a few of them read ahead by one thread."""
    with ThreadPoolExecutor(1, "batches") as pool:

        def read(step: int) -> Batch:
            if step + 1 < last:
                order.read_ahead(step + 1, rank, ranks)
            return order.batch(step, rank, ranks)

        waiting: deque[Future[Batch]] = deque()
        try:
            for step in range(first, last):
                while len(waiting) < AHEAD and step + len(waiting) < last:
                    waiting.append(pool.submit(read, step + len(waiting)))
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
