"""Which near copies go, and which kept document each of them is a copy of.

Band by band, rows that share a key are joined into groups: one band's keys are in memory at a time, and a
band can be a task of its own on another machine. A group is only where to look: A may be like B and B like
C while A and C are not alike. So each group is settled row by row, in the order of who stays: a
row goes if it shares a key with a row that was kept and agrees with it in at least `AGREE` bytes of the
signature, and its twin is the kept row that it agrees with most. Every row that goes is thus a near copy of
a document that is in the corpus, and what comes out depends on the rows alone, not on their order.

Two traps. Without the comparison of bytes, a text made by filling in a form goes: among hundreds of others
that are only 0.4 like it, one shares a key with it by chance. And a key that a form gives to ten thousand
different texts would have them all compared with each other: after `CROWD` kept rows a key takes no more.
Near copies share other keys as well, which hold what is their own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from hemicycle.curate.near import BANDS, COLUMN, NAMES, Keys
from hemicycle.digests import sha256_file
from hemicycle.documents import read_batches
from hemicycle.engines import Engine, Local, Task
from hemicycle.errors import InputError
from hemicycle.kernels import kernel
from hemicycle.progress import QUIET, Progress

#: Raise it with any change to this file that changes which rows go.
TWINS = 1

#: Bytes of 112 in which near copies agree at least: a Jaccard similarity of about 0.72, the threshold of
#: the bands, (1/14)^(1/8).
AGREE = 81
#: Kept rows that one key leads to at most.
CROWD = 64
#: Rows settled at a time, unless one group has more: about 1.2 GB.
PORTION = 4_000_000

Rows = npt.NDArray[np.uint32]
Places = npt.NDArray[np.int64]


def near_duplicates(
    files: Sequence[Path],
    order: Places,
    scratch: Path,
    *,
    engine: Engine | None = None,
    progress: Progress = QUIET,
) -> Places:
    """The kept row that each row is a near copy of; -1 where it stays, or takes no part.

    Args:
        files: Parquet files with a column of signatures; rows are numbered through them in this order.
        order: the rows that may stay or go, best first: of two copies the one that comes before stays.
        scratch: a folder for the pairs that each band finds, kept until the corpus is made.
    """
    count = sum(pq.read_metadata(path).num_rows for path in files)
    if count >= 2**32:
        raise InputError(f"{count} documents are more than 32 bits can number")
    places = np.full(count, count, np.int64)
    places[order] = np.arange(len(order))
    scratch.mkdir(parents=True, exist_ok=True)
    np.save(scratch / "takes_part.npy", places < count)
    tasks = [_band_task(band, files, count, scratch) for band in range(BANDS)]
    found = (engine or Local(1)).map(
        "hemicycle.curate.twins:find_pairs", tasks, scratch / "bands", what="near copies", progress=progress
    )
    groups = join(count, (np.load(band["pairs"]) for band in found))
    twin = np.full(count, -1, np.int64)
    for rows in portions(groups):
        ordered = rows[np.argsort(places[rows])]
        settled = settle(read_rows(files, ordered))
        goes = settled >= 0
        twin[ordered[goes]] = ordered[settled[goes]]
    return twin


def _band_task(band: int, files: Sequence[Path], count: int, scratch: Path) -> Task:
    takes_part = scratch / "takes_part.npy"
    arguments = {
        "files": [str(path) for path in files],
        "band": band,
        "takes_part": str(takes_part),
        # Rows that take part may be others after a kill: then no result of before is theirs.
        "of": sha256_file(takes_part),
        "out": str(scratch / f"pairs-{band:02d}.npy"),
    }
    return Task(f"band-{band:02d}", arguments, 8.0 * count)


def find_pairs(files: Sequence[str], band: int, takes_part: str, of: str, out: str) -> dict[str, str]:
    """Write the pairs of rows that share a key of one band."""
    np.save(out, band_pairs([Path(path) for path in files], band, np.load(takes_part)))
    return {"pairs": out}


def band_pairs(files: Sequence[Path], band: int, takes_part: npt.NDArray[np.bool_]) -> Rows:
    """Pairs of rows that share a key of this band, shape (pairs, 2): each row with the one before it."""
    keys = np.zeros(len(takes_part), np.uint64)
    for first, table in _read(files, [f"{COLUMN}.{NAMES[band]}"], len(keys)):
        keys[first : first + table.num_rows] = _columns(table)[0]
    keys[~takes_part] = 0
    return equal_pairs(keys)


def equal_pairs(keys: npt.NDArray[np.uint64]) -> Rows:
    """Pairs of rows of equal key, each row with the one before it that has the key; zero is no key."""
    # A stable sort: the pairs are the same on every machine, whatever instructions sort there.
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    at = np.flatnonzero((keys[1:] == keys[:-1]) & (keys[1:] > 0))
    return np.column_stack([order[at], order[at + 1]]).astype(np.uint32)


def join(count: int, pairs: Iterable[Rows]) -> Rows:
    """Group `count` rows by the pairs they stand in: of each row the smallest row of its group."""
    parents = np.arange(count, dtype=np.uint32)
    for some in pairs:
        _unite(parents, some)
    _flatten(parents)
    return parents


def portions(groups: Rows, limit: int = PORTION) -> Iterator[Places]:
    """Rows of the groups that have more than one, whole groups together, about `limit` rows at a time."""
    sizes = np.bincount(groups, minlength=len(groups))
    rows = np.flatnonzero(sizes[groups] > 1)
    rows = rows[np.argsort(groups[rows], kind="stable")]
    start = 0
    while start < len(rows):
        stop = min(start + limit, len(rows))
        # To the end of the last group: groups stand in the order of their smallest rows.
        stop = int(np.searchsorted(groups[rows], groups[rows[stop - 1]], side="right"))
        yield rows[start:stop]
        start = stop


def read_rows(files: Sequence[Path], rows: Places) -> Keys:
    """Signatures of some rows, in the order asked for; memory is that of these rows."""
    order = np.argsort(rows)
    wanted = rows[order]
    keys = np.empty((len(rows), BANDS), np.uint64)
    columns = [f"{COLUMN}.{name}" for name in NAMES]
    for first, table in _read(files, columns, None):
        low, high = np.searchsorted(wanted, [first, first + table.num_rows])
        if low < high:
            for band, values in enumerate(_columns(table)):
                keys[order[low:high], band] = values[wanted[low:high] - first]
    return keys


def settle(keys: Keys, agree: int = AGREE) -> Places:
    """Of rows in the order of who stays: the place of each one's twin among them, -1 where it stays."""
    buckets = np.full(keys.shape, -1, np.int32)
    count = 0
    rooms: list[npt.NDArray[np.int64]] = []
    for band in range(BANDS):
        _, numbers, sizes = np.unique(keys[:, band], return_inverse=True, return_counts=True)
        shared = sizes > 1
        renumbered = np.where(shared, np.cumsum(shared) - 1 + count, -1)
        buckets[:, band] = np.where(keys[:, band] > 0, renumbered[numbers], -1)
        rooms.append(np.minimum(sizes[shared], CROWD))
        count += int(shared.sum())
    starts = np.concatenate([[0], np.cumsum(np.concatenate(rooms))])
    twin = np.full(len(keys), -1, np.int64)
    _settle(keys, buckets, starts, agree, twin)
    return twin


def _read(files: Sequence[Path], columns: list[str], count: int | None) -> Iterator[tuple[int, pa.Table]]:
    """Row groups of all files, each with the number of its first row."""
    first = 0
    for path in files:
        for table in read_batches(path, columns):
            if count is not None and first + table.num_rows > count:
                raise InputError(f"more than the {count} rows that were announced", place=str(path))
            yield first, table
            first += table.num_rows
    if count is not None and first != count:
        raise InputError(
            f"{first} rows where {count} were announced", place=str(files[-1]) if files else None
        )


def _columns(table: pa.Table) -> list[npt.NDArray[np.uint64]]:
    signature = table[COLUMN].combine_chunks()
    return [leaf.to_numpy(zero_copy_only=False) for leaf in signature.flatten()]


@kernel
def _root(parents: Rows, row: int) -> int:
    while parents[row] != row:
        parents[row] = parents[parents[row]]
        row = parents[row]
    return row


@kernel
def _unite(parents: Rows, pairs: Rows) -> None:
    for i in range(len(pairs)):
        a, b = _root(parents, np.int64(pairs[i, 0])), _root(parents, np.int64(pairs[i, 1]))
        if a < b:
            parents[b] = a
        elif b < a:
            parents[a] = b


@kernel
def _flatten(parents: Rows) -> None:
    # A parent is never larger than its row, so it is already that of its group.
    for row in range(len(parents)):
        parents[row] = parents[parents[row]]


@kernel
def _agreement(a: npt.NDArray[np.uint64], b: npt.NDArray[np.uint64]) -> Any:
    """In how many bytes two signatures agree, eight at a time: the top bit of each byte says it differs."""
    differ = np.uint64(0)
    low, top = np.uint64(0x7F7F7F7F7F7F7F7F), np.uint64(0x8080808080808080)
    for band in range(len(a)):
        bits = a[band] ^ b[band]
        # At most 14 differing bands a byte: the sums do not run over.
        differ += ((((bits & low) + low) | bits) & top) >> np.uint64(7)
    total = (differ * np.uint64(0x0101010101010101)) >> np.uint64(56)
    return 8 * len(a) - np.int64(total)


@kernel
def _settle(keys: Keys, buckets: npt.NDArray[np.int32], starts: Places, agree: int, twin: Places) -> None:
    kept = np.empty(starts[-1], np.uint32)
    filled = np.zeros(len(starts) - 1, np.uint8)
    bands = keys.shape[1]
    for row in range(len(keys)):
        best = agree - 1
        for band in range(bands):
            bucket = buckets[row, band]
            # Of rows that are all the same to the byte only one was kept.
            if bucket < 0 or best == 8 * bands:
                continue
            for at in range(starts[bucket], starts[bucket] + filled[bucket]):
                other = np.int64(kept[at])
                agreement = _agreement(keys[row], keys[other])
                if agreement > best or (agreement == best and twin[row] > other):
                    best = agreement
                    twin[row] = other
        if twin[row] >= 0:
            continue
        for band in range(bands):
            bucket = buckets[row, band]
            if bucket >= 0 and filled[bucket] < starts[bucket + 1] - starts[bucket]:
                kept[starts[bucket] + filled[bucket]] = row
                filled[bucket] += 1
