"""Holes: tokens without some of their documents, and every other token where it was.

An order is made for places. Packed anew without a document, tokens would have other places, rows another
order, and nothing that was trained before could be gone on from. So a document that is withdrawn leaves its
place: its tokens become 0, and none of them is learnt (`answers`). Documents are blind to each other, so no
other sees anything of a hole, and a training on tokens with holes is that of the same order without the
documents.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hemicycle.documents import write_parquet
from hemicycle.errors import InputError
from hemicycle.store import link
from hemicycle.tokens.answers import ANSWERS, NAME, read_spans
from hemicycle.tokens.megatron import read_shard, shard_name, shard_tokens

#: The table of what was withdrawn; the file is there where anything was.
WITHDRAWN = "withdrawn.parquet"
_TABLE = pa.schema([("document", pa.int64()), ("id", pa.string()), ("source", pa.string())])

Integers = npt.NDArray[np.int64]


def punch(tokens: Path, out: Path, documents: Collection[str]) -> dict[str, Any]:
    """Write the tokens again with holes for documents, given by their ids; returns counts.

    Shards without a hole are the same files. Holes that were there stay.

    Raises InputError where none of the documents is there.
    """
    table = pq.read_table(tokens / "documents.parquet", columns=["id", "source", "shard", "first", "tokens"])
    gone = pc.is_in(table["id"], value_set=pa.array(sorted(documents), pa.string())).to_numpy()
    if not gone.any():
        raise InputError("none of the documents to withdraw is among the tokens", place=str(tokens))
    gone[withdrawn_in(tokens)] = True
    numbers = np.flatnonzero(gone)
    shard, first, length = (table[name].to_numpy().astype(np.int64) for name in ("shard", "first", "tokens"))
    out.mkdir(parents=True, exist_ok=True)
    for path in sorted(tokens.iterdir()):
        if path.name not in (NAME, WITHDRAWN):
            link(path, out / path.name)
    for number in np.unique(shard[numbers]).tolist():
        holes = numbers[shard[numbers] == number]
        _blank(tokens / shard_name(number), out / shard_name(number), first[holes], length[holes])
    sizes = shard_tokens(tokens)
    begin = np.cumsum([0, *sizes])[shard] + first
    learnt = _learnt(tokens, sizes, begin, begin + length, gone)
    write_parquet(out / NAME, ANSWERS, [_as_answers(*learnt, sizes)])
    about = table.take(pa.array(numbers)).select(["id", "source"])
    write_parquet(out / WITHDRAWN, _TABLE, [about.add_column(0, "document", pa.array(numbers)).cast(_TABLE)])
    return {"documents": len(numbers), "tokens": int(length[numbers].sum())}


def withdrawn_in(tokens: Path) -> Integers:
    """Numbers of the documents of a tokens artefact that are holes, ascending."""
    path = tokens / WITHDRAWN
    if not path.is_file():
        return np.zeros(0, np.int64)
    numbers: Integers = pq.read_table(path, columns=["document"])["document"].to_numpy()
    return numbers


def _blank(shard: Path, to: Path, first: Integers, length: Integers) -> None:
    """Copy a shard with 0 for some stretches of its tokens."""
    width = read_shard(shard).tokens.itemsize
    aside = to.with_suffix(".aside")
    shutil.copyfile(shard.with_suffix(".bin"), aside)
    with aside.open("r+b") as file:
        for begin, count in zip(first.tolist(), length.tolist(), strict=True):
            file.seek(begin * width)
            file.write(bytes(count * width))
    aside.replace(to.with_suffix(".bin"))


def _learnt(
    tokens: Path, sizes: list[int], begin: Integers, end: Integers, gone: npt.NDArray[np.bool_]
) -> tuple[Integers, Integers]:
    """Begins and ends of the spans that are still learnt, as addresses: of conversations the answers outside
    of holes, of texts the documents."""
    if not (tokens / NAME).is_file():
        return begin[~gone], end[~gone]
    first, last = read_spans(tokens / NAME, sizes)
    kept = ~gone[np.searchsorted(begin, first, side="right") - 1]
    return first[kept], last[kept]


def _as_answers(begin: Integers, end: Integers, sizes: list[int]) -> pa.Table:
    """Spans by shard; those that touch inside one are one."""
    bounds = np.cumsum([0, *sizes])
    shard = np.searchsorted(bounds, begin, side="right") - 1
    goes_on = np.zeros(len(begin), bool)
    goes_on[1:] = (begin[1:] == end[:-1]) & (shard[1:] == shard[:-1])
    heads = np.flatnonzero(~goes_on)
    tails = np.append(heads, len(begin))[1:] - 1
    begin, end, shard = begin[heads], end[tails], shard[heads]
    return pa.table({"shard": shard, "first": begin - bounds[shard], "tokens": end - begin}).cast(ANSWERS)
