"""The order in which blocks of a printed page are read: column by column, between what runs across.

The trap is the file's own order. Recognition goes by lines or by areas, and a page of the Journal officiel in
three columns read line by line is three debates shuffled into each other. What is known of a block is its
rectangle, in whatever unit. A block wider than `ACROSS` of the print is read where it stands and parts the
page into bands; inside a band, blocks that share no vertical strip are columns, from left to right.

Recognition also reads straight through: then a line holds a piece of each column, and its block is cut at the
strip that no word of it stands in (`gutter`).

Not done: a heading over two of three columns narrower than that share is read with the first of them; columns
that lean into each other on a crooked scan are one.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

#: Share of the width of the print from which a block runs across the columns.
ACROSS = 0.6

#: Share of a block's width by which it may reach into the next column: print is never quite straight.
_SLACK = 0.1


#: Heights of a line from which a strip without words parts columns.
GUTTER = 1.0

#: Words a line that each side of a strip must have.
PROSE = 2


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


def gutter(rows: Sequence[Sequence[Box]], known: Sequence[float] = ()) -> float | None:
    """Where to cut a block whose lines run over two columns: the middle of the widest strip without words.

    None where no strip is wider than `GUTTER` lines are high, or where not both sides of it read as prose (a
    table, a list with its figures, a line that ends early); but where another block of the page was cut, this
    one is, too.

    Args:
        rows: the boxes of the words of each line.
        known: where other blocks were cut, in ascending order.
    """
    words = sorted(
        ((box, row) for row, boxes in enumerate(rows) for box in boxes),
        key=lambda word: (word[0].left, word[0].right),
    )
    if len(words) < 2:
        return None
    least = GUTTER * sorted(box.bottom - box.top for box, _ in words)[len(words) // 2]
    edge = words[0][0].right
    strips: list[tuple[float, float, float, bool]] = []
    before = [0] * len(rows)
    both = 0
    # One sweep counts for every strip what stands to its left: a hostile block has a strip a word.
    for passed, (box, row) in enumerate(words):
        if box.left - edge > least:
            # Prose: at least two lines run on across it, and neither side is short of words.
            prose = both >= 2 and min(passed, len(words) - passed) >= PROSE * len(rows)
            strips.append((edge - box.left, edge, box.left, prose))
        before[row] += 1
        both += (before[row] == 1) - (before[row] == len(rows[row]))
        edge = max(edge, box.right)
    for _, start, end, prose in sorted(strips):
        cut = bisect.bisect_left(known, start)
        if prose or (cut < len(known) and known[cut] <= end):
            return (start + end) / 2
    return None


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
