"""The order in which blocks of a printed page are read: column by column, between what runs across.

The trap is the file's own order. Recognition goes by lines or by areas, and a page of the Journal officiel in
three columns read line by line is three debates shuffled into each other. What is known of a block is its
rectangle, in whatever unit. A block wider than `ACROSS` of the print is read where it stands and parts the
page into bands; inside a band, blocks that share no vertical strip are columns, from left to right.

Not done: a heading over two of three columns narrower than that share is read with the first of them; columns
that lean into each other on a crooked scan are one.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

#: Share of the width of the print from which a block runs across the columns.
ACROSS = 0.6

#: Share of a block's width by which it may reach into the next column: print is never quite straight.
_SLACK = 0.1


@dataclass(frozen=True)
class Box:
    """A rectangle on a page; x grows to the right, y downwards."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2


def reading_order(boxes: Sequence[Box | None]) -> list[int]:
    """The indices of the boxes in the order in which they are read.

    Where a box is missing nothing is known of the page, and the order of the file stays.
    """
    known = [box for box in boxes if box is not None]
    if len(known) < len(boxes) or len(boxes) < 2:
        return list(range(len(boxes)))
    width = max(box.right for box in known) - min(box.left for box in known)
    order: list[int] = []
    band: list[int] = []
    for number in sorted(range(len(known)), key=lambda n: (known[n].middle, known[n].left, n)):
        if known[number].width > ACROSS * width:
            order += [*_columns(band, known), number]
            band = []
        else:
            band.append(number)
    return order + _columns(band, known)


def side_by_side(boxes: Sequence[Box | None]) -> bool:
    """Whether two boxes that follow each other stand beside each other: a block that holds two columns."""
    return any(
        a is not None
        and b is not None
        and (a.right <= b.left or b.right <= a.left)
        and min(a.bottom, b.bottom) - max(a.top, b.top) > min(a.bottom - a.top, b.bottom - b.top) / 2
        for a, b in itertools.pairwise(boxes)
    )


def _columns(band: Sequence[int], boxes: Sequence[Box]) -> list[int]:
    """The boxes of a band, column by column; boxes of which none stands beside another from the top down."""
    columns: list[list[int]] = []
    edge = 0.0
    for number in sorted(band, key=lambda n: (boxes[n].left, boxes[n].top, n)):
        box = boxes[number]
        if columns and box.left < edge - _SLACK * box.width:
            columns[-1].append(number)
            edge = max(edge, box.right)
        else:
            columns.append([number])
            edge = box.right
    spans = [(min(boxes[n].top for n in c), max(boxes[n].bottom for n in c)) for c in columns]
    spans.sort()

    def down(numbers: Sequence[int]) -> list[int]:
        return sorted(numbers, key=lambda n: (boxes[n].middle, boxes[n].left, n))

    if all(above[1] <= below[0] for above, below in itertools.pairwise(spans)):
        return down(band)
    return [n for column in columns for n in down(column)]
