"""The plan: which rows a run reads in which order, written down once.

A plan holds no tokens: it says how strata are cut into rows (`rows`), and the number of every row in the
order of reading, over all phases and epochs. Numbers are stored and not drawn again, because a shuffle by a
library may change with its version. Everything that is asked of an order is a computation on these arrays.

A row that two phases have in common, that is, one of the same stratum, context and packing, is read again
only once all of its stratum were read, in whichever phase. A phase that cuts a stratum otherwise, with
another context for one, begins it anew.

- ``shuffled``: all strata at random among one another, each in shuffled epochs.
- ``proven-first``: the same, but what revocable sources give comes last in the phase. If one is withdrawn,
  what was learnt before it stands.
- ``short-first`` and ``old-first``: in a shuffled phase, a twentieth after the other is set apart by the
  length, or the date, of the document that a row begins in, and shuffled. What has no date is last.

While a plan is made, memory grows with the number of documents and of rows; opened, its arrays are mapped.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from hemicycle.documents import read_batches
from hemicycle.errors import InputError
from hemicycle.tokens.cutting import Cutter
from hemicycle.tokens.megatron import shard_tokens
from hemicycle.tokens.rows import Integers, Rows
from hemicycle.tokens.schedule import Phase, Reading, blocks
from hemicycle.tokens.strata import check_labels, fill

RowNumbers = npt.NDArray[np.uint32]

#: Parts of a phase that a curriculum sets one after the other; inside each, rows are shuffled.
CURRICULUM_PARTS = 20
#: Rows that are looked at together.
ROWS_AT_ONCE = 1_000_000


def make_plan(
    tokens: Mapping[str, Path],
    phases: Sequence[Phase],
    out: Path,
    *,
    batch_tokens: int,
    warm_up: float = 0.0,
    seed: int,
    revocable: Collection[str] = (),
) -> dict[str, Any]:
    """Write the arrays of a plan and `plan.json`.

    Args:
        tokens: corpus → its tokens artefact; every corpus of a phase.
        batch_tokens: of a full batch.
        warm_up: share of the run's tokens over which batches grow to full (`schedule.blocks`).
        revocable: sources whose right may lapse; only ``proven-first`` asks for them.

    Each stratum gives its share of a phase's rows, in whole shuffled epochs and a part of one. What it cannot
    give within the epochs of the mix, others of its corpus make up, and where they cannot, other corpora.

    Returns the plan, with a line for each stratum of each phase: what it was asked for and what it gives.

    Raises:
        InputError: a corpus has not even one row, all have more than a plan can number, the mix names what
            is not there, or all strata together cannot fill a phase within its epochs.
    """
    names = sorted(tokens)
    told_apart = revocable if any(phase.reading == "proven-first" for phase in phases) else ()
    cutter = Cutter({name: tokens[name] for name in names}, told_apart)
    planned = blocks(phases, batch_tokens, warm_up)
    cut = [_cut(phase, cutter, tokens) for phase in phases]
    documents, groups, kinds = _documents(tokens, names)
    cutter.save(out)
    np.save(out / "documents.npy", documents)
    np.save(out / "groups.npy", groups)
    reader = _Reader(cutter, np.random.Generator(np.random.Philox(seed)), tokens)
    counts = [sum(b.steps * b.rows for b in planned if b.phase == n) for n in range(len(phases))]
    order = np.lib.format.open_memmap(out / "order.npy", "w+", np.uint32, (sum(counts),))
    told, at, rows = [], 0, Rows.open(out, cutter.cuttings)
    for number, (phase, (parts, unused), count) in enumerate(zip(phases, cut, counts, strict=True)):
        wanted = reader.share_out(count, phase, parts)
        order[at : at + count] = reader.read(phase, wanted, rows)
        steps = sum(b.steps for b in planned if b.phase == number)
        lines = [
            reader.line(phase, name, parts[name], cutting, wanted[cutting], count)
            for name in parts
            for cutting in parts[name]
        ]
        told.append(
            {
                "name": phase.name,
                "context": phase.context,
                "packing": phase.packing,
                "reading": phase.reading,
                "steps": steps,
                "rows": count,
                "tokens": count * phase.context,
                "strata": lines,
                "unused": unused,
            }
        )
        at += count
    order.flush()
    plan = {
        "seed": seed,
        "batch_tokens": batch_tokens,
        "corpora": names,
        "shards": {name: shard_tokens(tokens[name]) for name in names},
        "groups": kinds,
        "steps": sum(b.steps for b in planned),
        "tokens": sum(count * phase.context for count, phase in zip(counts, phases, strict=True)),
        "phases": told,
        "blocks": [asdict(block) for block in planned],
        "cuttings": cutter.cuttings,
        "epochs": reader.epochs(told),
    }
    (out / "plan.json").write_text(json.dumps(plan, indent=1, sort_keys=True), "utf-8")
    return plan


def _cut(
    phase: Phase, cutter: Cutter, tokens: Mapping[str, Path]
) -> tuple[dict[str, list[int]], dict[str, dict[str, dict[str, int]]]]:
    """Corpus → numbers of its cuttings in a phase, and what the mix leaves out."""
    parts: dict[str, list[int]] = {}
    unused = {}
    found: set[str] = set()
    for name in sorted(phase.shares):
        made, left = cutter.cut(name, phase)
        # A stratum of one token has nothing to predict.
        parts[name] = [c for c in made if cutter.cuttings[c]["rows"]]
        if left:
            unused[name] = left
        found |= {str(cutter.cuttings[c]["label"]) for c in made} | set(left)
    if phase.mix is not None:
        check_labels(phase.mix.by, phase.mix.shares, found, ", ".join(sorted(phase.shares)))
    for name, cuttings in parts.items():
        if sum(cutter.cuttings[c]["tokens"] for c in cuttings) <= phase.context:
            raise InputError(
                f"corpus “{name}” has fewer than {phase.context + 1} tokens"
                f"{' of what the mix names' if phase.mix else ''}: not one row of this context",
                place=str(tokens[name]),
                remedy="Declare a smaller context, or add text.",
            )
    return parts, unused


def _documents(
    tokens: Mapping[str, Path], names: list[str]
) -> tuple[Integers, npt.NDArray[np.uint32], list[list[str | None]]]:
    """Address of every document and the end of the last; the group of each; the groups, as source and
    language."""
    begins, groups, base = [], [], 0
    kinds: dict[tuple[str, str | None], int] = {}
    for name in names:
        held = shard_tokens(tokens[name])
        bases = np.cumsum([base, *held])
        for part in read_batches(
            tokens[name] / "documents.parquet", ["shard", "first", "source", "language"]
        ):
            begins.append(bases[part["shard"].to_numpy()] + part["first"].to_numpy())
            every = pl.DataFrame(pl.from_arrow(part.select(["source", "language"])))
            of_part = every.unique()
            numbers = [kinds.setdefault(kind, len(kinds)) for kind in of_part.iter_rows()]
            of_part = of_part.with_columns(pl.Series("group", numbers, pl.UInt32))
            joined = every.join(
                of_part, on=["source", "language"], how="left", nulls_equal=True, maintain_order="left"
            )
            groups.append(joined["group"].to_numpy())
        base += sum(held)
    # In the order of their names, and not of their documents.
    ordered = sorted(kinds, key=lambda kind: (kind[0], kind[1] is None, kind[1] or ""))
    place = np.empty(len(kinds), np.uint32)
    place[[kinds[kind] for kind in ordered]] = np.arange(len(kinds))
    return (
        np.concatenate([*begins, [base]]).astype(np.int64),
        place[np.concatenate([np.zeros(0, np.uint32), *groups])],
        [list(kind) for kind in ordered],
    )


class _Reader:
    """Reads cuttings in shuffled epochs, over all phases of a plan."""

    def __init__(self, cutter: Cutter, generator: np.random.Generator, tokens: Mapping[str, Path]) -> None:
        self._cutter, self._generator, self._tokens = cutter, generator, tokens
        self._read = dict.fromkeys(range(len(cutter.cuttings)), 0)
        self._waiting: dict[int, RowNumbers] = {}

    def share_out(self, total: int, phase: Phase, parts: Mapping[str, list[int]]) -> dict[int, int]:
        """Cutting → rows that it gives to a phase of `total` rows."""
        names, mix = list(parts), phase.mix
        limits = {n: [self._limit(phase, c, total) for c in parts[n]] for n in names}
        most = sum(map(sum, limits.values()))
        if mix is not None and most < total:
            raise InputError(
                f"phase {phase.name} reads {total} rows, and what the mix names has {most} "
                f"in {mix.epochs:g} epochs",
                place=", ".join(names),
                remedy="Declare more `epochs` in the mix, a smaller budget, or more text.",
            )
        given = fill(total, [phase.shares[n] for n in names], [sum(limits[n]) for n in names])
        wanted: dict[int, int] = {}
        for name, count in zip(names, given, strict=True):
            shares = [self._weight(phase, parts[name], c) for c in parts[name]]
            wanted |= dict(zip(parts[name], fill(count, shares, limits[name]), strict=True))
        return wanted

    def _limit(self, phase: Phase, cutting: int, total: int) -> int:
        if phase.mix is None:
            return total
        rows: int = self._cutter.cuttings[cutting]["rows"]
        return max(0, math.floor(phase.mix.epochs * rows) - self._read[cutting])

    def _weight(self, phase: Phase, cuttings: list[int], cutting: int) -> float:
        """Share of a cutting in its corpus: that of its label, of which it has some of the rows."""
        one = self._cutter.cuttings[cutting]
        share = phase.mix.shares[str(one["label"])] if phase.mix else 1.0
        alike = [self._cutter.cuttings[c] for c in cuttings]
        part: float = one["rows"] / sum(c["rows"] for c in alike if c["label"] == one["label"])
        return share * part

    def read(self, phase: Phase, wanted: Mapping[int, int], rows: Rows) -> RowNumbers:
        """The rows of a phase in the order of reading."""
        groups: list[list[RowNumbers]] = [[], []]
        for cutting, count in wanted.items():
            last = phase.reading == "proven-first" and self._cutter.cuttings[cutting]["revocable"]
            groups[last].append(self._take(cutting, count))
        order = np.concatenate([_interleave(group, self._generator) for group in groups])
        if phase.reading in ("short-first", "old-first"):
            keys = self._keys(phase.reading, order, rows)
            order = order[np.argsort(keys, kind="stable")]
            bounds = np.linspace(0, len(order), CURRICULUM_PARTS + 1).astype(np.int64).tolist()
            for begin, end in itertools.pairwise(bounds):
                self._generator.shuffle(order[begin:end])
        return order

    def _take(self, cutting: int, count: int) -> RowNumbers:
        """The next rows of a cutting: whole shuffled epochs, and what is left of one waits for who comes."""
        one = self._cutter.cuttings[cutting]
        self._read[cutting] += count
        parts = [self._waiting.get(cutting, np.zeros(0, np.uint32))]
        while sum(map(len, parts)) < count:
            epoch = np.arange(one["first_row"], one["first_row"] + one["rows"], dtype=np.uint32)
            self._generator.shuffle(epoch)
            parts.append(epoch)
        taken = np.concatenate(parts)
        self._waiting[cutting] = taken[count:].copy()
        return taken[:count]

    def _keys(self, reading: Reading, order: RowNumbers, rows: Rows) -> npt.NDArray[Any]:
        """What a curriculum goes by, of the document that each row begins in."""
        if reading == "short-first":
            of_document = np.diff(rows.documents)
        else:
            of_document = np.concatenate([_dates(self._tokens[name]) for name in sorted(self._tokens)])
        keys = np.empty(len(order), of_document.dtype)
        for at in range(0, len(order), ROWS_AT_ONCE):
            spans = rows.spans(order[at : at + ROWS_AT_ONCE])
            begun = spans.address[spans.column == 0]
            document = np.searchsorted(rows.documents, begun, side="right") - 1
            keys[at : at + len(document)] = of_document[document]
        return keys

    def line(
        self, phase: Phase, corpus: str, cuttings: list[int], cutting: int, read: int, total: int
    ) -> dict[str, Any]:
        """What a stratum was asked for and what it gives."""
        one = self._cutter.cuttings[cutting]
        weights = {c: self._weight(phase, cuttings, c) for c in cuttings}
        whole = phase.shares[corpus] / math.fsum(phase.shares.values())
        return {
            "corpus": corpus,
            "label": one["label"],
            "revocable": one["revocable"],
            "cutting": cutting,
            "documents": one["documents"],
            "tokens": one["tokens"],
            "rows": one["rows"],
            "read": read,
            "asked": round(whole * weights[cutting] / math.fsum(weights.values()), 6),
            "share": round(read / total, 6),
            "epochs": round(read / one["rows"], 4),
        }

    def epochs(self, told: list[dict[str, Any]]) -> dict[str, float]:
        """Corpus → how often the run reads what it reads of it."""
        summed = dict.fromkeys(sorted(self._tokens), 0.0)
        for phase in told:
            for name in {line["corpus"] for line in phase["strata"]}:
                of_corpus = [line for line in phase["strata"] if line["corpus"] == name]
                summed[name] += sum(s["read"] for s in of_corpus) / sum(s["rows"] for s in of_corpus)
        return {name: round(epochs, 4) for name, epochs in summed.items()}


def _interleave(chosen: list[RowNumbers], generator: np.random.Generator) -> RowNumbers:
    """Sequences mixed at random, each in its own order. One alone keeps its epochs apart."""
    if len(chosen) == 1:
        return chosen[0]
    labels = np.repeat(np.arange(len(chosen), dtype=np.uint32), [len(one) for one in chosen])
    generator.shuffle(labels)
    mixed = np.empty(len(labels), np.uint32)
    for label, one in enumerate(chosen):
        mixed[labels == label] = one
    return mixed


def _dates(folder: Path) -> npt.NDArray[np.int32]:
    """The date of each document as a number that grows with it; the largest where none is stated."""
    parts = (
        pl.col("date").str.extract(pattern).cast(pl.Int32).fill_null(0)
        for pattern in (r"^[0-9]{4}-([0-9]{2})", r"^[0-9]{4}-[0-9]{2}-([0-9]{2})")
    )
    month, day = parts
    year = pl.col("date").str.extract(r"^([0-9]{4})").cast(pl.Int32)
    date = (year * 10_000 + month * 100 + day).fill_null(np.iinfo(np.int32).max)
    table = pl.read_parquet(folder / "documents.parquet", columns=["date"])
    dates: npt.NDArray[np.int32] = table.select(date.cast(pl.Int32))["date"].to_numpy()
    return dates
