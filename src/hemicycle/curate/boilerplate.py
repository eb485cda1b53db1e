"""Boilerplate: lines and paragraphs that a source repeats from document to document.

Menus, notices and running heads are not a document's own text, and only the source as a whole shows it. So
it is gone through twice before anything is removed, in memory that does not grow with it: `count_lines` adds
up documents in a table of fixed size, where several passages may share a place and none counts too little;
`recount` then counts exactly, by themselves, the few passages whose place reached the bounds. Both sums are
the same in whatever batches and order the documents come. `boilerplate_lines` applies the bounds, which are
declared by kind of document (`boilerplate.toml`), and keeps with each passage how many documents have it:
that table explains every removal.

A passage is a line, or a paragraph of several lines wherever they were broken. It is compared without its
spacing and with every run of figures read as one 0, so that "page 12 of 40" is one passage in all documents;
it counts once in a document.

One trap: a formula may be text. "La séance est ouverte" stands in every sitting because it was said in every
sitting. Kinds without bounds are left as they are: their documents are neither counted nor touched.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from hemicycle.curate.clean import clean_texts
from hemicycle.kernels import kernel, scan

#: Another number means other passages or other hashes of them.
BOILERPLATE = 1

#: Places of the table: 16 MB a source. Documents of a hundred thousand lines still leave it sparse.
PLACES = 1 << 22

Hashes = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

#: Passages counted exactly: a row each.
SCHEMA = {"hash": pl.UInt64, "documents": pl.UInt32, "passage": pl.String}

_BASIS, _PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)
# Spaces as the kernel knows them: what cleaning leaves of them.
_SPACES = re.compile("[ \t\n\r\u00a0\u202f]+")
_FIGURES = re.compile("[0-9]+")


@dataclass(frozen=True)
class Bounds:
    """What makes a passage boilerplate: both numbers of documents must be reached.

    Attributes:
        documents: of one source that have it.
        share: of the source's documents that have it.
        words: it has at least.
    """

    documents: int
    share: float
    words: int

    def least(self, documents: int) -> float:
        """In how many of `documents` a passage must stand."""
        return max(self.documents, self.share * documents)


@dataclass(frozen=True)
class Counts:
    """Sums over documents: how many there are, and how many have a passage of each place of the table."""

    documents: int
    table: npt.NDArray[np.uint32]


@cache
def bounds_by_kind() -> dict[str, Bounds]:
    """The declared bounds; a kind that is not in here has no boilerplate."""
    declared = resources.files(__package__).joinpath("boilerplate.toml").read_text("utf-8")
    kinds = tomllib.loads(declared)["kinds"]
    return {kind: Bounds(b["documents"], b["share"], b["words"]) for kind, b in kinds.items()}


def count_lines(data: Bytes, offsets: Places, table: npt.NDArray[np.uint32]) -> None:
    """Count a batch of documents of one source, given as UTF-8 bytes and n + 1 offsets, into `table`."""
    bounds, _, _, hashes, _ = _passages(data, offsets)
    _count(bounds, hashes, table)


def recount(data: Bytes, offsets: Places, counts: Counts, bounds: Bounds) -> pl.DataFrame:
    """Count exactly, in a batch, the passages that the whole source's `counts` do not rule out."""
    first, starts, ends, hashes, words = _passages(data, offsets)
    likely = counts.table[hashes % np.uint64(len(counts.table))] >= bounds.least(counts.documents)
    found = np.flatnonzero(likely & (words >= bounds.words))
    documents = np.searchsorted(first, found, side="right")
    # Once a document: the first of equal (hash, document).
    order = np.lexsort((documents, hashes[found]))
    ordered, whose = hashes[found][order], documents[order]
    new = np.ones(len(order), bool)
    new[1:] = (ordered[1:] != ordered[:-1]) | (whose[1:] != whose[:-1])
    distinct, at, number = np.unique(ordered[new], return_index=True, return_counts=True)
    examples = found[order][new][at]
    passages = [normal(bytes(data[starts[i] : ends[i]]).decode("utf-8", "replace")) for i in examples]
    return pl.DataFrame(
        {"hash": distinct, "documents": number.astype(np.uint32), "passage": passages}, schema=SCHEMA
    )


def merge(tables: list[pl.DataFrame]) -> pl.DataFrame:
    """What several batches recounted, as one."""
    together = pl.concat([pl.DataFrame(schema=SCHEMA), *tables])
    sums = together.group_by("hash").agg(pl.col("documents").sum(), pl.col("passage").min())
    return sums.sort("hash").select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())


def boilerplate_lines(recounted: pl.DataFrame, documents: int, bounds: Bounds) -> pl.DataFrame:
    """Of what was recounted, the passages that reach the bounds in a source of so many documents, in order of
    their hashes."""
    return recounted.filter(pl.col("documents") >= bounds.least(documents)).sort("hash")


def holding(data: Bytes, offsets: Places, hashes: Hashes) -> npt.NDArray[np.intp]:
    """The texts that have a passage of these hashes (sorted)."""
    bounds, _, _, found, _ = _passages(data, offsets)
    hit = np.flatnonzero(_among(found, hashes))
    return np.unique(np.searchsorted(bounds, hit, side="right"))


def strip_texts(
    data: Bytes, offsets: Places, points: Places, bounds: Places, hashes: Hashes
) -> tuple[Bytes, Places, Places, Places]:
    """Remove from n clean texts the passages of these hashes (sorted); what is left is clean again.

    Texts and `points`, which move with their characters, come and go as in `clean.clean_texts`. Returns also
    how many passages went from each text.
    """
    first, starts, ends, found, _ = _passages(data, offsets)
    hit = np.flatnonzero(_among(found, hashes))
    whose = np.searchsorted(first, hit, side="right")
    stays = np.ones(offsets[-1], bool)
    # With its line end, or a paragraph would be cut in two where a line of it went.
    for start, end in zip(starts[hit], np.minimum(ends[hit] + 1, offsets[whose + 1]), strict=True):
        stays[start:end] = False
    if len(points):
        # A character's first byte stands for it: as many come before a place as stay before it.
        begins = (data[: offsets[-1]] & 0xC0) != 0x80
        place = np.flatnonzero(np.append(begins, True))
        before = np.concatenate([[0], np.cumsum(begins & stays)])
        text = np.repeat(np.arange(len(offsets) - 1), np.diff(bounds))
        opening = np.searchsorted(place, offsets[:-1])
        points = before[place[opening[text] + points]] - before[offsets[text]]
    left = np.concatenate([[0], np.cumsum(stays)])[offsets]
    cleaned = clean_texts(data[: offsets[-1]][stays], left, points, bounds)
    return *cleaned, np.bincount(whose, minlength=len(offsets) - 1)


def normal(passage: str) -> str:
    """A passage as it is compared."""
    return _FIGURES.sub("0", _SPACES.sub(" ", passage).strip(" "))


def passage_hash(passage: str) -> int:
    """FNV-1a (64 bits) of a passage's UTF-8 bytes in normal form."""
    value = int(_BASIS)
    for byte in normal(passage).encode("utf-8"):
        value = (value ^ byte) * int(_PRIME) % (1 << 64)
    return value


def _among(found: Hashes, hashes: Hashes) -> npt.NDArray[np.bool_]:
    """Which are one of the sorted hashes."""
    if not len(hashes):
        return np.zeros(len(found), bool)
    at = np.searchsorted(hashes, found)
    among: npt.NDArray[np.bool_] = hashes[np.minimum(at, len(hashes) - 1)] == found
    return among


def _passages(data: Bytes, offsets: Places) -> tuple[Places, Places, Places, Hashes, npt.NDArray[np.int32]]:
    """Places in the arrays at which each text's passages begin (the first text's left out, the end put in);
    start, end, hash and number of words of each passage."""
    lines = len(offsets) - 1 + np.count_nonzero(data[offsets[0] : offsets[-1]] == 0x0A)
    room = lines + lines // 2
    starts, ends = np.empty(room, np.int64), np.empty(room, np.int64)
    hashes, words = np.empty(room, np.uint64), np.empty(room, np.int32)
    bounds = np.empty(len(offsets) - 1, np.int64)
    count = _find(data, offsets, starts, ends, hashes, words, bounds)
    return bounds, starts[:count], ends[:count], hashes[:count], words[:count]


@scan
def _space(data: Bytes, at: int, stop: int) -> int:
    """How many bytes of space begin here: none, one (ASCII), two (no-break) or three (narrow no-break)."""
    byte = data[at]
    if byte == 0x20 or byte == 0x09 or byte == 0x0D:
        return 1
    if byte == 0xC2 and at + 1 < stop and data[at + 1] == 0xA0:
        return 2
    if byte == 0xE2 and at + 2 < stop and data[at + 1] == 0x80 and data[at + 2] == 0xAF:
        return 3
    return 0


@scan
def _run(data: Bytes, at: int, stop: int, line: Any, whole: Any) -> Any:
    """Read on where no space, figure or line end can be: the place, and both hashes continued."""
    place, end = np.uint64(at), np.uint64(stop)
    while place < end:
        byte = data[place]
        if byte <= 0x39 or byte == 0xC2 or byte == 0xE2:
            break
        line = (line ^ np.uint64(byte)) * _PRIME
        whole = (whole ^ np.uint64(byte)) * _PRIME
        place += np.uint64(1)
    return np.int64(place), line, whole


@scan
def _line(data: Bytes, at: int, stop: int, whole: Any, goes_on: bool) -> tuple[int, int, Any, Any]:
    """Read to the end of a line: that place, its words, its hash, and `whole` continued with it."""
    line, words = _BASIS, 0
    in_word, in_figures = False, False
    while at < stop:
        byte = data[at]
        if byte == 0x0A:
            break
        # Most bytes are seen at once to be no space; calling would cost more than all the rest.
        size = _space(data, at, stop) if byte <= 0x20 or byte == 0xC2 or byte == 0xE2 else 0
        if size:
            in_word = in_figures = False
            at += size
            continue
        if not in_word:
            in_word = True
            if words:
                line = (line ^ np.uint64(0x20)) * _PRIME
            if words or goes_on:
                whole = (whole ^ np.uint64(0x20)) * _PRIME
            words += 1
        figure = 0x30 <= byte <= 0x39
        if not (figure and in_figures):
            letter = np.uint64(0x30) if figure else np.uint64(byte)
            line = (line ^ letter) * _PRIME
            whole = (whole ^ letter) * _PRIME
        at += 1
        begin = at
        at, line, whole = _run(data, at, stop, line, whole)
        in_figures = figure and at == begin
    return at, words, line, whole


@scan
def _find(
    data: Bytes,
    offsets: Places,
    starts: Places,
    ends: Places,
    hashes: Hashes,
    words: npt.NDArray[np.int32],
    bounds: Places,
) -> int:
    """Write the passages of all texts and return how many there are."""
    count = 0
    for text in range(len(offsets) - 1):
        at, stop = offsets[text], offsets[text + 1]
        # The paragraph so far.
        first, last, lines, total, whole = at, at, 0, 0, _BASIS
        while at <= stop:
            start = at
            at, number, line, whole = _line(data, at, stop, whole, lines > 0)
            if number:
                starts[count], ends[count], hashes[count], words[count] = start, at, line, number
                count += 1
                first = start if lines == 0 else first
                last = at
                lines += 1
                total += number
            if number == 0 or at >= stop:
                if lines > 1:
                    starts[count], ends[count], hashes[count], words[count] = first, last, whole, total
                    count += 1
                lines, total, whole = 0, 0, _BASIS
            at += 1
        bounds[text] = count
    return count


@kernel
def _count(bounds: Places, hashes: Hashes, table: npt.NDArray[np.uint32]) -> None:
    start = 0
    for text in range(len(bounds)):
        own = np.sort(hashes[start : bounds[text]])
        for i in range(len(own)):
            if i == 0 or own[i] != own[i - 1]:
                table[own[i] % np.uint64(len(table))] += np.uint32(1)
        start = bounds[text]
