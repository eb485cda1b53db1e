"""Tokens in the layouts of other tools: read into a tokens artefact, and written out of one.

- ``megatron``: `.bin` and `.idx`, as `megatron` reads and writes them.
- ``datatrove``: a `.ds` of ids without a header; `.ds.index`, the end of each document in tokens, as 64 bits;
  `.ds.loss`, where there is one, a byte for each token that says whether it is learnt. As read in
  huggingface/datatrove, `src/datatrove/pipeline/tokens/tokenizer.py`.
- ``olmo``: an `.npy` of ids, which for all its name has no header of numpy's; `.csv.gz` beside it with a line
  for each document: start, end, id, source, line in the source. As read in allenai/dolma,
  `python/dolma/tokenizer/memmap_writer.py`. Without that table, documents end with the end mark.

All are little-endian, with two bytes a token where the vocabulary allows it and else four; so our shards and
theirs are the same bytes, and only what says where documents lie is made anew.
"""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from hemicycle.documents import parquet_writer
from hemicycle.errors import InputError, IntegrityError
from hemicycle.progress import QUIET, Progress
from hemicycle.tokens.answers import ANSWERS, NAME, read_spans
from hemicycle.tokens.megatron import ShardWriter, read_shard, shard_name, shard_tokens, token_type
from hemicycle.tokens.tokenize import DOCUMENTS, DOCUMENTS_A_GROUP, SHARD_TOKENS

Layout = Literal["megatron", "datatrove", "olmo"]

#: Tokens that are copied together.
TOKENS_AT_ONCE = 1 << 24

Integers = npt.NDArray[np.int64]

_NUMPY = b"\x93NUMPY"
_CSV = {"start": pl.Int64, "end": pl.Int64, "id": pl.String, "source": pl.String, "line": pl.Int64}


@dataclass(frozen=True, eq=False)
class Foreign:
    """A file of tokens from elsewhere.

    Attributes:
        ends: (documents,) end of each document, in tokens.
        ids, sources: of the documents, where the layout has them.
        learnt: (tokens,) whether each is learnt; None: all are.
    """

    tokens: npt.NDArray[np.generic]
    ends: Integers
    ids: pl.Series | None = None
    sources: pl.Series | None = None
    learnt: npt.NDArray[np.bool_] | None = None


def import_tokens(
    files: Sequence[Path],
    layout: Layout,
    out: Path,
    *,
    vocabulary: int,
    end: int | None = None,
    shard_tokens: int = SHARD_TOKENS,
    progress: Progress = QUIET,
) -> dict[str, Any]:
    """Write shards, `documents.parquet` and, where only some tokens are learnt, `answers.parquet`.

    Ids and sources are kept where the layout has them; else an id is the file's name and the number of the
    document, counted from 0, and the source the file's name. Nothing is known of texts or rights.

    Args:
        vocabulary: number of ids; it says how many bytes a token has.
        end: id of the end mark, for an ``olmo`` file without its table.

    Returns counts of documents, tokens and shards. Raises InputError where a file is not what its layout
    says, or an id is not below `vocabulary`.
    """
    writer = _Writer(out, token_type(vocabulary), shard_tokens)
    spans: list[pa.Table] = []
    documents = 0
    with (
        parquet_writer(out / "documents.parquet", DOCUMENTS) as table,
        progress.start("import", None, "tokens") as bar,
    ):
        for path in files:
            foreign = read_foreign(path, layout, vocabulary=vocabulary, end=end)
            for first in range(0, len(foreign.ends), DOCUMENTS_A_GROUP):
                last = min(first + DOCUMENTS_A_GROUP, len(foreign.ends))
                shard, begin, lengths = writer.copy(foreign, first, last, vocabulary, path)
                described = _describe(path, foreign, first, last)
                columns = {"document": np.arange(documents, documents + last - first), **described}
                columns |= {"shard": shard, "first": begin, "tokens": lengths}
                rows = {name: columns.get(name, pa.nulls(last - first)) for name in DOCUMENTS.names}
                table.write_table(pa.table(rows).cast(DOCUMENTS), row_group_size=max(1, last - first))
                if foreign.learnt is not None:
                    spans.append(_spans(foreign, first, last, shard, begin))
                else:
                    whole = dict(zip(ANSWERS.names, (shard, begin, lengths), strict=True))
                    spans.append(pa.table(whole).cast(ANSWERS))
                documents += last - first
                bar.advance(int(lengths.sum()))
    writer.close()
    learnt = pa.concat_tables([ANSWERS.empty_table(), *spans])
    total = sum(writer.written)
    if (counted := int(np.sum(learnt["tokens"].to_numpy()))) < total:
        with parquet_writer(out / NAME, ANSWERS) as answers:
            answers.write_table(learnt.combine_chunks())
    return {"documents": documents, "tokens": total, "learnt": counted, "shards": len(writer.written)}


def read_foreign(path: Path, layout: Layout, *, vocabulary: int, end: int | None = None) -> Foreign:
    """Map a file of tokens. Raises InputError where its documents do not cover it."""
    if layout == "megatron":
        try:
            shard = read_shard(path.with_suffix(""))
            return Foreign(shard.tokens, shard.starts[1:])
        except IntegrityError as error:
            # It is not of our making.
            raise InputError(error.what, place=error.place) from None
    dtype = np.dtype("<u2" if vocabulary <= 65_536 else "<u4")
    if not path.is_file():
        raise InputError("there is no such file", place=str(path))
    if path.stat().st_size % dtype.itemsize:
        raise InputError(f"this is not a number of tokens of {dtype.itemsize} bytes each", place=str(path))
    tokens = np.memmap(path, dtype, "r") if path.stat().st_size else np.zeros(0, dtype)
    foreign = _datatrove(path, tokens) if layout == "datatrove" else _olmo(path, tokens, end)
    ends = foreign.ends
    if len(ends) and (ends[-1] != len(tokens) or ends[0] < 0 or (np.diff(ends) < 0).any()):
        raise InputError(
            f"the documents beside it do not cover its {len(tokens)} tokens",
            place=str(path),
            remedy="Give the size of the vocabulary it was made with: it says how many bytes a token has.",
        )
    return foreign


def _datatrove(path: Path, tokens: npt.NDArray[np.generic]) -> Foreign:
    index, loss = path.with_name(path.name + ".index"), path.with_name(path.name + ".loss")
    if not index.is_file():
        raise InputError("the index is missing, which says where documents end", place=str(index))
    if index.stat().st_size % 8:
        raise InputError("the index is cut off", place=str(index))
    ends = np.fromfile(index, "<u8").astype(np.int64)
    if not loss.is_file():
        return Foreign(tokens, ends)
    if loss.stat().st_size != len(tokens):
        raise InputError(f"this is not one byte for each of {len(tokens)} tokens", place=str(loss))
    learnt = np.memmap(loss, np.bool_, "r") if len(tokens) else np.zeros(0, bool)
    return Foreign(tokens, ends, learnt=learnt)


def _olmo(path: Path, tokens: npt.NDArray[np.generic], end: int | None) -> Foreign:
    with path.open("rb") as file:
        if file.read(len(_NUMPY)) == _NUMPY:
            raise InputError(
                "this file has numpy's header, and OLMo's have none",
                place=str(path),
                remedy="Write the array's bytes alone, as `array.tofile` does.",
            )
    beside = path.with_suffix(".csv.gz")
    if beside.is_file():
        try:
            table = pl.read_csv(beside, has_header=False, new_columns=list(_CSV), schema_overrides=_CSV)
        except pl.exceptions.PolarsError as error:
            raise InputError(f"this table cannot be read: {error}", place=str(beside)) from None
        starts, ends = table["start"].to_numpy(), table["end"].to_numpy()
        if len(starts) and (starts[0] != 0 or (starts[1:] != ends[:-1]).any()):
            raise InputError("its documents do not stand end to end", place=str(beside))
        return Foreign(tokens, ends, table["id"], table["source"])
    if end is None:
        raise InputError(
            f"there is no {beside.name} that says where documents end",
            place=str(path),
            remedy="Give the id of the end mark with --end.",
        )
    found = [np.zeros(0, np.int64)]
    for at in range(0, len(tokens), TOKENS_AT_ONCE):
        found.append(np.flatnonzero(tokens[at : at + TOKENS_AT_ONCE] == end) + at + 1)
    ends = np.concatenate(found)
    if len(tokens) and (not len(ends) or ends[-1] != len(tokens)):
        ends = np.append(ends, len(tokens))
    return Foreign(tokens, ends)


def _describe(path: Path, foreign: Foreign, first: int, last: int) -> dict[str, Any]:
    """Id and source of documents."""
    name = path.with_suffix("").name if foreign.ids is None else path.name
    ids = [f"{name}:{n}" for n in range(first, last)]
    given = foreign.ids[first:last].to_list() if foreign.ids is not None else ids
    sources = foreign.sources[first:last].to_list() if foreign.sources is not None else [name] * len(ids)
    return {
        "id": [one or other for one, other in zip(given, ids, strict=True)],
        "source": [one or name for one in sources],
    }


def _spans(foreign: Foreign, first: int, last: int, shard: Integers, begin: Integers) -> pa.Table:
    """The runs of learnt tokens in documents, where they stand now."""
    assert foreign.learnt is not None
    at = int(foreign.ends[first - 1]) if first else 0
    ends = foreign.ends[first:last] - at
    learnt = np.asarray(foreign.learnt[at : at + int(ends[-1])]).astype(np.int8)
    rises = np.diff(learnt, prepend=0)
    # A run ends with its document, too.
    starts = np.concatenate([[0], ends[:-1]])
    rises[starts[starts < len(learnt)]] = learnt[starts[starts < len(learnt)]]
    runs = np.flatnonzero(rises > 0)
    document = np.searchsorted(starts, runs, side="right") - 1
    falls = np.union1d(np.flatnonzero(np.diff(learnt, append=0) < 0) + 1, ends)
    lengths = falls[np.searchsorted(falls, runs, side="right")] - runs
    columns = (shard[document], begin[document] + runs - starts[document], lengths)
    return pa.table(dict(zip(ANSWERS.names, columns, strict=True))).cast(ANSWERS)


class _Writer:
    """Shards on their way; a document begins the next once one is full."""

    def __init__(self, out: Path, dtype: type[np.generic], most: int) -> None:
        self._out, self._dtype, self._most = out, dtype, most
        self.written: list[int] = []
        self._writer = ShardWriter(out / shard_name(0), dtype)

    def copy(
        self, foreign: Foreign, first: int, last: int, vocabulary: int, path: Path
    ) -> tuple[Integers, Integers, Integers]:
        """Copy documents; returns shard and first token of each, and its length."""
        begins = np.concatenate([foreign.ends[first - 1 : first] if first else [0], foreign.ends[first:last]])
        lengths = np.diff(begins)
        shard, place = np.empty(len(lengths), np.int64), np.empty(len(lengths), np.int64)
        at = 0
        while at < len(lengths):
            if self._writer.tokens >= self._most:
                self.close()
                self._writer = ShardWriter(self._out / shard_name(len(self.written)), self._dtype)
            full = np.searchsorted(begins, begins[at] + self._most - self._writer.tokens)
            whole = np.searchsorted(begins, begins[at] + TOKENS_AT_ONCE, side="right") - 1
            stop = min(max(at + 1, min(int(full), int(whole))), len(lengths))
            shard[at:stop] = len(self.written)
            place[at:stop] = self._writer.tokens + begins[at:stop] - begins[at]
            for ids, pieces, new in _slices(foreign.tokens, begins[at : stop + 1]):
                if len(ids) and not 0 <= int(ids.min()) <= int(ids.max()) < vocabulary:
                    worst = int(ids.max()) if int(ids.max()) >= vocabulary else int(ids.min())
                    raise InputError(f"id {worst} is not of a vocabulary of {vocabulary}", place=str(path))
                self._writer.write(ids, pieces, new)
            at = stop
        return shard, place, lengths

    def close(self) -> None:
        self._writer.close()
        self.written.append(self._writer.tokens)


def _slices(
    tokens: npt.NDArray[np.generic], begins: Integers
) -> Iterator[tuple[npt.NDArray[Any], Integers, npt.NDArray[np.bool_]]]:
    """Tokens of documents for `ShardWriter.write`; one that is longer than is copied together, in slices."""
    low, high = int(begins[0]), int(begins[-1])
    if len(begins) > 2 or high - low <= TOKENS_AT_ONCE:
        yield tokens[low:high], np.diff(begins), np.ones(len(begins) - 1, bool)
        return
    for at in range(low, high, TOKENS_AT_ONCE):
        ids = tokens[at : min(at + TOKENS_AT_ONCE, high)]
        yield ids, np.array([len(ids)]), np.array([at == low])


def export_tokens(folder: Path, layout: Literal["datatrove", "olmo"], out: Path) -> list[Path]:
    """Write a tokens artefact in another layout, a file a shard; returns the files of tokens."""
    table = pl.read_parquet(
        folder / "documents.parquet", columns=["shard", "first", "tokens", "id", "source"]
    )
    sizes, written = shard_tokens(folder), []
    learnt = read_spans(folder / NAME, sizes) if (folder / NAME).is_file() else None
    for number, size in enumerate(sizes):
        path = out / f"{shard_name(number)}.{'ds' if layout == 'datatrove' else 'npy'}"
        # Ids of 32 bits have no sign there; ours are never negative.
        shutil.copyfile(folder / f"{shard_name(number)}.bin", path)
        own = table.filter(pl.col("shard") == number)
        ends = own["first"] + own["tokens"]
        if layout == "datatrove":
            ends.to_numpy().astype("<u8").tofile(path.with_name(path.name + ".index"))
            if learnt is not None:
                base = sum(sizes[:number])
                mask = np.zeros(size, np.bool_)
                for begin, stop in zip(*(side - base for side in learnt), strict=True):
                    mask[max(begin, 0) : max(stop, 0)] = True
                mask.tofile(path.with_name(path.name + ".loss"))
        else:
            lines = own.select("first", ends.alias("end"), "id", "source", pl.lit(0).alias("line"))
            with gzip.GzipFile(path.with_suffix(".csv.gz"), "wb", mtime=0) as beside:
                beside.write(lines.write_csv(include_header=False).encode("utf-8"))
        written.append(path)
    return written
