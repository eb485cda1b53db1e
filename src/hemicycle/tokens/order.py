"""The order: which rows a model reads at which step, as a plan and a function on it.

A row is `context + 1` consecutive tokens of one stratum: a corpus, or a part of it that a mix names
(`strata`). The documents of a stratum stand end to end and rows are cut from them, so a document may span
several rows and a row may hold several documents. The plan stores where the documents of each stratum stand,
and a permutation of all rows over all epochs, because a shuffle by a library may change with its version
while stored numbers do not. `Order.batch(step)` is a slice of it: exact at any step, on any number of
workers, with nothing to resume.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Iterator, Mapping
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
from hemicycle.tokens.strata import Mixture, Stratum, check_labels, fill, stratify, whole
from hemicycle.tokens.tokenize import shard_name

#: A plan has fewer rows than this: their numbers are stored in 32 bits.
ROWS_BOUND = 2**32
#: Rows of the plan that `exposure` looks at together.
ROWS_AT_ONCE = 1_000_000

SEGMENTS = pa.schema(
    [("stratum", pa.int32()), ("shard", pa.int32()), ("start", pa.int64()), ("tokens", pa.int64())]
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
    mix: Mixture | None = None,
) -> dict[str, Any]:
    """Write `segments.parquet`, `order.npy` and `plan.json`.

    Args:
        tokens: corpus → its tokens artefact.
        shares: corpus → its share of the rows; they are taken relative to their sum.
        context: tokens the model sees at once; a row has one more, the last target.
        batch_rows: rows of a step.
        mix: shares inside each corpus, and how often a stratum may be read; None: a corpus is one stratum,
            read as often as it takes.

    Each stratum gives its share of ``steps * batch_rows`` rows, in whole shuffled epochs and a part of one;
    then the strata are shuffled together. What a stratum cannot give within the epochs of the mix, others of
    its corpus make up, and where they cannot, other corpora.

    Returns the plan, with a line a stratum: what it was asked for and what it gives.

    Raises:
        InputError: a corpus has not even one row, all have more than a plan can number, the mix names what
            is not there, or all strata together cannot fill the plan within its epochs.
    """
    names = sorted(tokens)
    parts, unused = _strata(tokens, mix)
    rows = {name: [_row_count(s, context) for s in parts[name]] for name in names}
    if (every := sum(map(sum, rows.values()))) >= ROWS_BOUND:
        raise InputError(
            f"the corpora have {every} rows of {context} tokens; a plan numbers fewer than {ROWS_BOUND}",
            place=", ".join(str(tokens[name]) for name in names),
            remedy="Declare a larger context, or fewer sources.",
        )
    for name in names:
        if not sum(rows[name]):
            raise InputError(
                f"corpus “{name}” has fewer than {context + 1} tokens"
                f"{' of what the mix names' if mix else ''}: not one row of this context",
                place=str(tokens[name]),
                remedy="Declare a smaller context, or add text.",
            )
    total = steps * batch_rows
    wanted = _share_out(total, shares, rows, parts, mix)
    asked = _asked(shares, parts, mix)
    generator = np.random.Generator(np.random.Philox(seed))
    strata = [
        (name, *each) for name in names for each in zip(parts[name], rows[name], wanted[name], strict=True)
    ]
    chosen, told, first = [], [], 0
    for name, stratum, count, read in strata:
        passes = [generator.permutation(count) for _ in range(math.ceil(read / count) if read else 0)]
        chosen.append(np.concatenate([*passes, np.zeros(0, np.int64)])[:read] + first)
        share = asked[name, stratum.label]
        told.append(_line(name, stratum, first, count, read, total, share))
        first += count
    order = np.concatenate(chosen)
    # One stratum keeps its epochs apart: every row is read once before any is read again.
    if len(chosen) > 1:
        order = order[_interleave([len(c) for c in chosen], generator)]
    write_parquet(out / "segments.parquet", SEGMENTS, _segments([stratum for _, stratum, *_ in strata]))
    np.save(out / "order.npy", order.astype(np.uint32))
    plan = {
        "context": context,
        "batch_rows": batch_rows,
        "steps": steps,
        "seed": seed,
        "corpora": names,
        "rows": first,
        "epochs": {name: round(sum(wanted[name]) / sum(rows[name]), 4) for name in names},
        "strata": told,
        "unused": unused,
    }
    (out / "plan.json").write_text(json.dumps(plan, indent=1, sort_keys=True), "utf-8")
    return {**plan, "tokens": steps * batch_rows * context}


def _strata(
    tokens: Mapping[str, Path], mix: Mixture | None
) -> tuple[dict[str, list[Stratum]], dict[str, dict[str, dict[str, int]]]]:
    if mix is None:
        return {name: [whole(folder)] for name, folder in tokens.items()}, {}
    split = {name: stratify(folder, mix) for name, folder in sorted(tokens.items())}
    found = {label for strata, unused in split.values() for label in (*(s.label for s in strata), *unused)}
    check_labels(mix.by, mix.shares, {str(label) for label in found}, ", ".join(split))
    return {name: s for name, (s, _) in split.items()}, {name: u for name, (_, u) in split.items() if u}


def _share_out(
    total: int,
    shares: Mapping[str, float],
    rows: Mapping[str, list[int]],
    parts: Mapping[str, list[Stratum]],
    mix: Mixture | None,
) -> dict[str, list[int]]:
    """Rows that each stratum of each corpus gives."""
    names = sorted(rows)
    limits = {n: [math.floor(mix.epochs * r) if mix else total * min(r, 1) for r in rows[n]] for n in names}
    most = sum(map(sum, limits.values()))
    if mix is not None and most < total:
        raise InputError(
            f"the run reads {total} rows, and what the mix names has {most} in {mix.epochs:g} epochs",
            place=", ".join(names),
            remedy="Declare more `epochs` in the mix, a smaller budget, or more text.",
        )
    given = fill(total, [shares[n] for n in names], [sum(limits[n]) for n in names])
    return {
        n: fill(count, [mix.shares[str(s.label)] if mix else 1.0 for s in parts[n]], limits[n])
        for n, count in zip(names, given, strict=True)
    }


def _asked(
    shares: Mapping[str, float], parts: Mapping[str, list[Stratum]], mix: Mixture | None
) -> dict[tuple[str, str | None], float]:
    """Corpus and label → the share of all rows that the declaration asks for."""
    asked: dict[tuple[str, str | None], float] = {}
    for name, strata in parts.items():
        inside = {s.label: mix.shares[str(s.label)] if mix else 1.0 for s in strata}
        whole_share = shares[name] / math.fsum(shares.values())
        asked |= {
            (name, label): whole_share * part / math.fsum(inside.values()) for label, part in inside.items()
        }
    return asked


def _line(
    corpus: str, stratum: Stratum, first: int, rows: int, read: int, total: int, asked: float
) -> dict[str, Any]:
    return {
        "corpus": corpus,
        "label": stratum.label,
        "documents": stratum.documents,
        "tokens": stratum.length,
        "first_row": first,
        "rows": rows,
        "read": read,
        "asked": round(asked, 6),
        "share": round(read / total, 6),
        "epochs": round(read / rows, 4) if rows else 0.0,
    }


def _segments(strata: list[Stratum]) -> Iterator[pa.Table]:
    for number, s in enumerate(strata):
        if s.documents:
            columns = [np.full(len(s.start), number, np.int32), s.shard, s.start, s.tokens]
            yield pa.table(dict(zip(SEGMENTS.names, columns, strict=True)))


def _interleave(counts: list[int], generator: np.random.Generator) -> npt.NDArray[np.int64]:
    """Positions that mix sequences of the given lengths at random while each keeps its own order."""
    labels = generator.permutation(np.repeat(np.arange(len(counts)), counts))
    positions = np.empty(len(labels), np.int64)
    start = 0
    for label, count in enumerate(counts):
        positions[labels == label] = np.arange(start, start + count)
        start += count
    return positions


def _row_count(stratum: Stratum, context: int) -> int:
    """Leftover tokens at the end of a stratum make no row."""
    return max(0, (stratum.length - 1) // context)


def _shards(folder: Path) -> list[Shard]:
    count = len(list(folder.glob("tokens-*.bin")))
    return [read_shard(folder / shard_name(n)) for n in range(count)]


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
    """A plan opened on the tokens it was made for.

    Attributes:
        sequence: row numbers in the order they are read, uint32, a map of the file.
        strata: as in the plan; rows of one have consecutive numbers from its `first_row` on.
    """

    def __init__(self, plan: Path, tokens: Mapping[str, Path]) -> None:
        self.plan: dict[str, Any] = json.loads((plan / "plan.json").read_text("utf-8"))
        self.context: int = self.plan["context"]
        self.batch_rows: int = self.plan["batch_rows"]
        self.steps: int = self.plan["steps"]
        self.strata: list[dict[str, Any]] = self.plan["strata"]
        if sorted(tokens) != self.plan["corpora"]:
            raise IntegrityError(f"the plan is for corpora {self.plan['corpora']}", place=str(plan))
        self.sequence: npt.NDArray[np.uint32] = np.load(plan / "order.npy", mmap_mode="r")
        if len(self.sequence) != self.steps * self.batch_rows:
            raise IntegrityError("the order is cut off", place=str(plan / "order.npy"))
        self._first_rows = np.array([s["first_row"] for s in self.strata], np.int64)
        segments = pq.read_table(plan / "segments.parquet")
        self._shard, self._start, lengths = (
            segments[name].to_numpy() for name in ("shard", "start", "tokens")
        )
        # Segments of all strata stand in one line of tokens, strata one after another.
        self._ends: npt.NDArray[np.int64] = np.cumsum(lengths)
        held = np.array([s["tokens"] for s in self.strata], np.int64)
        self._begins: npt.NDArray[np.int64] = np.cumsum(held) - held
        self._tokens = {name: _shards(folder) for name, folder in tokens.items()}
        self._before = {
            name: np.cumsum([0, *(len(shard.starts) - 1 for shard in shards)]).tolist()
            for name, shards in self._tokens.items()
        }

    def rows(self, step: int) -> npt.NDArray[np.uint32]:
        """Row numbers of a step, counted from 0. Raises IndexError outside the plan."""
        if not 0 <= step < self.steps:
            raise IndexError(f"step {step} is outside the plan's {self.steps}")
        return np.asarray(self.sequence[step * self.batch_rows : (step + 1) * self.batch_rows])

    def spans(self, row: int) -> tuple[str, list[tuple[int, int, int]]]:
        """Of which corpus the tokens of a row are, and where they stand: (shard, first, last + 1)."""
        stratum = int(np.searchsorted(self._first_rows, row, side="right")) - 1
        at = int(self._begins[stratum]) + (row - int(self._first_rows[stratum])) * self.context
        left, spans = self.context + 1, []
        segment = int(np.searchsorted(self._ends, at, side="right"))
        while left:
            before = int(self._ends[segment - 1]) if segment else 0
            take = min(left, int(self._ends[segment]) - at)
            start = int(self._start[segment]) + at - before
            spans.append((int(self._shard[segment]), start, start + take))
            left, at, segment = left - take, at + take, segment + 1
        return self.strata[stratum]["corpus"], spans

    def batch(self, step: int) -> Batch:
        """What the model reads at `step`: a pure function of plan and tokens."""
        width = self.context + 1
        rows = self.rows(step)
        ids = np.empty((len(rows), width), np.int64)
        documents = np.empty((len(rows), width), np.int64)
        for i, row in enumerate(rows.tolist()):
            corpus, spans = self.spans(row)
            at = 0
            for number, start, end in spans:
                shard = self._tokens[corpus][number]
                here = slice(at, at + end - start)
                ids[i, here] = shard.tokens[start:end]
                documents[i, here] = self._before[corpus][number] + _document_at(shard, start, end)
                at = here.stop
        same = documents[:, 1:] == documents[:, :-1]
        targets = np.where(same, ids[:, 1:], -100)
        first_of_document = np.concatenate([np.ones((len(rows), 1), bool), ~same[:, :-1]], axis=1)
        inner = np.cumsum(first_of_document, axis=1) - 1
        places = np.arange(self.context)
        begun = np.maximum.accumulate(np.where(first_of_document, places, 0), axis=1)
        return Batch(ids[:, :-1].copy(), targets, inner.astype(np.int32), places - begun)

    def segments(self, stratum: int) -> tuple[npt.NDArray[np.int64], ...]:
        """Shard and start of the segments of a stratum, and their places in its stream: begins and ends."""
        begin = self._begins[stratum]
        ends = self._ends - begin
        which = slice(*np.searchsorted(ends, [1, self.strata[stratum]["tokens"] + 1]).tolist())
        starts = np.concatenate([[0], ends[which]])[:-1]
        return self._shard[which], self._start[which], starts, ends[which]


def _document_at(shard: Shard, start: int, end: int) -> npt.NDArray[np.int64]:
    """Number (in the shard) of the document that holds each token position."""
    found: npt.NDArray[np.int64] = np.searchsorted(shard.starts, np.arange(start, end), side="right") - 1
    return found


def exposure(plan: Path, tokens: Mapping[str, Path]) -> pa.Table:
    """Per document: first and last step that read it, rows and tokens read, over the whole plan.

    Computed from the plan alone; no training is needed to know what a model will have read. Documents
    that the plan never reaches are absent. Memory is that of the plan's distinct rows and of the documents of
    one corpus, however many epochs are planned.
    """
    order = Order(plan, tokens)
    first_R, last_R, times_R = _read_rows(order)
    return pa.concat_tables(
        _exposed(order, name, tokens[name], first_R, last_R, times_R) for name in order.plan["corpora"]
    )


def _read_rows(order: Order) -> tuple[npt.NDArray[np.int64], ...]:
    """First and last step that read each row (of R), and how often it is read."""
    count = order.plan["rows"]
    first_R, last_R = np.full(count, np.iinfo(np.int64).max), np.full(count, -1)
    times_R = np.zeros(count, np.int64)
    for at in range(0, len(order.sequence), ROWS_AT_ONCE):
        rows = np.asarray(order.sequence[at : at + ROWS_AT_ONCE])
        steps = np.arange(at, at + len(rows)) // order.batch_rows
        np.minimum.at(first_R, rows, steps)
        np.maximum.at(last_R, rows, steps)
        times_R += np.bincount(rows, minlength=count)
    return first_R, last_R, times_R


def _exposed(
    order: Order,
    corpus: str,
    folder: Path,
    first_R: npt.NDArray[np.int64],
    last_R: npt.NDArray[np.int64],
    times_R: npt.NDArray[np.int64],
) -> pa.Table:
    """The documents of a corpus that are read: each is in one stratum, and there in consecutive rows."""
    table = pq.read_table(folder / "documents.parquet", columns=["id", "source", "shard", "first", "tokens"])
    shard_D, start_D, length_D = (table[n].to_numpy().astype(np.int64) for n in ("shard", "first", "tokens"))
    columns = {
        name: np.zeros(len(start_D), np.int64) for name in ("first_step", "last_step", "rows", "tokens")
    }
    for number, stratum in enumerate(order.strata):
        if stratum["corpus"] != corpus or not stratum["read"]:
            continue
        document, begin = _documents(order, number, shard_D, start_D, length_D)
        own = slice(stratum["first_row"], stratum["first_row"] + stratum["rows"])
        context, last = order.context, stratum["rows"] * order.context
        end = np.minimum(begin + length_D[document], last)
        # What lies behind the last row is in no row.
        inside = begin < end
        document, begin, end = document[inside], begin[inside], end[inside]
        rows = np.column_stack([begin // context, (end - 1) // context + 1]).ravel()
        pad = functools.partial(np.append, values=0)
        times = np.concatenate([[0], np.cumsum(times_R[own])])
        read = pad(times_R[own])
        columns["rows"][document] = times[rows[1::2]] - times[rows[::2]]
        columns["first_step"][document] = np.minimum.reduceat(pad(first_R[own]), rows)[::2]
        columns["last_step"][document] = np.maximum.reduceat(pad(last_R[own]), rows)[::2]
        # Tokens read before a place of the stream: those of whole rows, and of the row it lies in.
        before = [
            times[at // context] * context + read[at // context] * (at % context) for at in (begin, end)
        ]
        columns["tokens"][document] = before[1] - before[0]
    seen = pa.array(columns["rows"] > 0)
    exposed = pa.table({"document": table["id"], "source": table["source"], **columns}, schema=EXPOSURE)
    return exposed.filter(seen)


def _documents(
    order: Order,
    stratum: int,
    shard_D: npt.NDArray[np.int64],
    start_D: npt.NDArray[np.int64],
    length_D: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Numbers of the documents of a stratum and where each begins in its stream."""
    shard, start, begins, ends = order.segments(stratum)
    # The shards of a corpus end to end, each with room for the longest.
    room = int((start_D + length_D).max(initial=0)) + 1
    places, firsts = shard_D * room + start_D, shard * room + start
    at = np.searchsorted(places, firsts)
    counts = np.searchsorted(places, firsts + ends - begins) - at
    within = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
    document = np.repeat(at, counts) + within
    return document, np.repeat(begins - start, counts) + start_D[document]
