"""Packing: rows made of documents.

A row has room for `context` + 1 tokens: `context` inputs and the last target. There are three ways to fill
it.

- ``split``: the documents stand end to end and are cut wherever a row is full. No room is lost, nearly every
  document is cut, and rows are known without being written down.
- ``whole``: no document that fits a row is cut. A longer one is cut into full rows and a rest. Documents and
  rests go, the longest first, each into the row where it leaves the least room (best-fit decreasing; for
  language models Ding et al. 2024, arXiv 2404.10830). The room that stays is padding.
- ``best-fit``: as ``whole``; then the emptiest rows are taken apart, and the beginnings of their documents
  fill the room that others have left. So few documents are cut, and less than a 32nd of a row is padding.

No token is lost: where a document is cut, its next piece begins with the last token of the piece before, so
that every token but a document's first is a target once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hemicycle.kernels import kernel

#: Documents packed together, in the order of the tokens: memory is bounded, and the documents of a row lie
#: near one another on disk.
PACKED_TOGETHER = 1 << 22

#: ``best-fit`` leaves less room than this part of a row: a piece of a few tokens teaches little.
SMALLEST_ROOM = 32

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Packed:
    """Rows of P pieces of documents.

    Attributes:
        begins, tokens: (P,) address and length of each piece, those of a row together.
        bounds: (rows + 1,) first piece of each row.
        cut: documents in more than one piece.
    """

    begins: Integers
    tokens: Integers
    bounds: Integers
    cut: int


def pack(begins: Integers, tokens: Integers, context: int, *, fill: bool) -> Packed:
    """Pack documents, ``best-fit`` where `fill` and else ``whole``. Memory grows with their number, not with
    their tokens; of what is needed while packing, with `PACKED_TOGETHER`."""
    packed = list(_windows(begins, tokens, context, fill))
    pieces = np.cumsum([0, *(len(one.begins) for one in packed)])
    return Packed(
        np.concatenate([one.begins for one in packed]),
        np.concatenate([one.tokens for one in packed]),
        np.concatenate(
            [np.zeros(1, np.int64), *(one.bounds[1:] + n for one, n in zip(packed, pieces[:-1], strict=True))]
        ),
        sum(one.cut for one in packed),
    )


def _windows(begins: Integers, tokens: Integers, context: int, fill: bool) -> Iterator[Packed]:
    for at in range(0, max(len(begins), 1), PACKED_TOGETHER):
        here = slice(at, at + PACKED_TOGETHER)
        yield _pack(begins[here], tokens[here], context, fill)


def _pack(begins: Integers, tokens: Integers, context: int, fill: bool) -> Packed:
    width = context + 1
    # A row of a long document takes `context` tokens forward, as the next begins with its last.
    full = np.where(tokens > width, (tokens - 1) // context, 0)
    rest = tokens - full * context
    alone = np.repeat(np.arange(len(tokens)), full)
    within = np.arange(len(alone)) - np.repeat(np.cumsum(full) - full, full)
    # Of a document that full rows hold to its end, the rest is the token that the last of them ended with.
    left = np.flatnonzero((full == 0) | (rest > 1))
    left = left[np.argsort(-rest[left], kind="stable")]
    row = _best_fit(rest[left], width)
    rows = len(alone)
    pieces = (
        np.concatenate([begins[alone] + within * context, begins[left] + full[left] * context]),
        np.concatenate([np.full(rows, width), rest[left]]),
        np.concatenate([np.arange(rows), row + rows]),
    )
    if fill and len(tokens):
        pieces = _fill_up(*_by_row(*pieces), width)
    begin_P, tokens_P, row_P = _by_row(*pieces)
    of_document = np.searchsorted(begins, begin_P, side="right")
    cut = int((np.bincount(of_document) > 1).sum())
    return Packed(begin_P, tokens_P, _bounds(row_P), cut)


def _bounds(rows: Integers) -> Integers:
    """Where each row begins among pieces in the order of their rows, and where the last ends."""
    return np.append(np.flatnonzero(np.diff(rows, prepend=-1)), len(rows))


def _by_row(begins: Integers, tokens: Integers, rows: Integers) -> tuple[Integers, Integers, Integers]:
    """Pieces in the order of their rows, and in a row in that of the tokens."""
    order = np.lexsort((begins, rows))
    return begins[order], tokens[order], rows[order]


@kernel
def _best_fit(sizes: Integers, width: int) -> Integers:
    """The row of each piece. Each goes where it leaves least room, and begins a row where it fits none.

    A tree over amounts of room says which rows have it; rows with equal room are a list. So a piece takes as
    many steps as the width has digits in base 2.
    """
    leaves = 1
    while leaves <= width:
        leaves *= 2
    tree = np.zeros(2 * leaves, np.bool_)
    first = np.full(width + 1, -1, np.int64)
    following = np.empty(len(sizes), np.int64)
    row = np.empty(len(sizes), np.int64)
    rows = 0
    for i in range(len(sizes)):
        node = leaves + sizes[i]
        # Up to the first node to the right of which there is room, then down, keeping left.
        if not tree[node]:
            while node > 1 and (node % 2 == 1 or not tree[node + 1]):
                node //= 2
            if node > 1:
                node += 1
                while node < leaves:
                    node = 2 * node if tree[2 * node] else 2 * node + 1
        if node > 1:
            room = node - leaves
            chosen = first[room]
            first[room] = following[chosen]
            if first[room] < 0:
                tree[node] = False
                while node > 1 and not (tree[node] or tree[node ^ 1]):
                    node //= 2
                    tree[node] = False
        else:
            room = width
            chosen = rows
            rows += 1
        row[i] = chosen
        room -= sizes[i]
        if room:
            following[chosen] = first[room]
            first[room] = chosen
            node = leaves + room
            while node > 0 and not tree[node]:
                tree[node] = True
                node //= 2
    return row


def _fill_up(
    begins: Integers, tokens: Integers, rows: Integers, width: int
) -> tuple[Integers, Integers, Integers]:
    """Pieces with the emptiest rows taken apart to fill the others; in and out, each with its row."""
    bounds = _bounds(rows)
    held = np.add.reduceat(tokens, bounds[:-1])
    by_held = np.argsort(held, kind="stable")
    return _pour(begins, tokens, bounds, held, by_held, width, max(2, width // SMALLEST_ROOM))  # type: ignore[no-any-return]


@kernel
def _pour(
    begins: Integers,
    tokens: Integers,
    bounds: Integers,
    held: Integers,
    by_held: Integers,
    width: int,
    smallest: int,
) -> tuple[Integers, Integers, Integers]:
    """Fill rows, from the fullest on, with the pieces of rows, from the emptiest on, until they meet."""
    most = len(begins) + len(by_held)
    new_begins, new_tokens = np.empty(most, np.int64), np.empty(most, np.int64)
    new_rows = np.empty(most, np.int64)
    count = 0
    low, high = 0, len(by_held) - 1
    # The part of `piece` that is not yet anywhere.
    piece = bounds[by_held[0]]
    begin, left = begins[piece], tokens[piece]
    while low < high:
        row = by_held[high]
        for kept in range(bounds[row], bounds[row + 1]):
            new_begins[count], new_tokens[count], new_rows[count] = begins[kept], tokens[kept], row
            count += 1
        room = width - held[row]
        while room >= smallest and low < high:
            take = min(room, left)
            new_begins[count], new_tokens[count], new_rows[count] = begin, take, row
            count += 1
            room -= take
            if take < left:
                begin, left = begin + take - 1, left - take + 1
                continue
            piece += 1
            if piece == bounds[by_held[low] + 1]:
                low += 1
                piece = bounds[by_held[low]]
            begin, left = begins[piece], tokens[piece]
        high -= 1
    if low == high:
        row = by_held[low]
        while piece < bounds[row + 1]:
            new_begins[count], new_tokens[count], new_rows[count] = begin, left, row
            count += 1
            piece += 1
            if piece < bounds[row + 1]:
                begin, left = begins[piece], tokens[piece]
    return new_begins[:count], new_tokens[:count], new_rows[:count]
