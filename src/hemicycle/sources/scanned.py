"""Recognised pages put together as a text: what ALTO, hOCR and Tesseract have in common.

A reader of a format hands over pages of blocks of lines; here running heads and page numbers go
(`running_heads`), what is left is read column by column (`columns`), ligatures and long s become letters
(`long_s`), divided words are made whole across lines, columns and pages (`hyphens`), and a paragraph that a
page cuts in two is one again. A block is a part, with the anchor of its page. Historic spelling stays.

What is done to the text is counted, for the statement of the stage: lines taken out, words made whole, long
s.

The trap is memory: a volume is one document, so its characters are counted while its pages come.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from hemicycle.documents import Part
from hemicycle.errors import InputError
from hemicycle.sources import hyphens, long_s
from hemicycle.sources.columns import Box, gutter, reading_order, side_by_side
from hemicycle.sources.running_heads import running_heads
from hemicycle.sources.xml import Assembly

#: Characters of one document of pages.
TEXT_LIMIT = 64 * 2**20

#: Columns of one block. Each is cut off what is left of it, so with a column a word, on a damaged page, the
#: time would grow with their square; no print has as many.
MOST_COLUMNS = 64

#: Years from which on print has no long s.
LONG_S_UNTIL = 1800


@dataclass(frozen=True)
class Line:
    """A printed line.

    Attributes:
        half: the producer says that the line ends with the first half of this word; empty where it says so
            and does not give the word.
        rest: the same of the second half that the line begins with.
        words: where each word begins in the text and on the page; empty where that is not known of all.
    """

    text: str
    box: Box | None = None
    half: str | None = None
    rest: str | None = None
    words: tuple[tuple[int, Box], ...] = ()


@dataclass(frozen=True)
class Block:
    lines: tuple[Line, ...]
    box: Box | None = None


@dataclass(frozen=True)
class Page:
    """A page as it was recognised; `confidence` is the sum of those of its words that have one, `measured`
    how many have."""

    anchor: str
    blocks: tuple[Block, ...]
    confidence: float = 0.0
    measured: int = 0


@dataclass(frozen=True)
class Reading:
    """What the pages say, the mean confidence of their words (0 to 1), and what was done to them."""

    text: str
    parts: tuple[Part, ...]
    confidence: float | None
    counts: tuple[tuple[str, int], ...]


@dataclass
class _Placed:
    """A line with the numbers of the page and the block that it stands in."""

    line: Line
    page: int
    block: int


def put_together(pages: Iterable[Page], place: str, date: str | None = None) -> Reading:
    """The text of the pages in their order.

    Args:
        place: how an error names the document.
        date: of the print; the f that stands for a long s is looked for only before `LONG_S_UNTIL`.

    Raises:
        InputError: the text is longer than one document may be.
    """
    read_pages: list[Page] = []
    total, measured, characters = 0.0, 0, 0
    for page in pages:
        total, measured = total + page.confidence, measured + page.measured
        characters += sum(len(line.text) for block in page.blocks for line in block.lines)
        if characters > TEXT_LIMIT:
            raise InputError(
                f"these pages hold more than {TEXT_LIMIT:,} characters, the most one document may have",
                place=place,
                remedy="Put the pages of each volume or issue into a folder of its own.",
            )
        read_pages.append(_parted(page))
    downwards = [_downwards(page) for page in read_pages]
    heads = running_heads([[line.text for line in lines] for lines in downwards])
    kept: list[_Placed] = []
    blocks = 0
    for number, (page, lines, taken) in enumerate(zip(read_pages, downwards, heads, strict=True)):
        out = {id(lines[n]) for n in taken}
        for block in _in_order(page, out):
            blocks += 1
            kept += [_Placed(line, number, blocks) for line in block]
    anchors = [page.anchor for page in read_pages]
    text, parts, mended = _printed(kept, anchors)
    changes: tuple[long_s.Change, ...] = ()
    if date is not None and date[:4].isdecimal() and int(date[:4]) < LONG_S_UNTIL:
        text, changes = long_s.mend(text)
    counts = {"running_heads": sum(map(len, heads)), "mended_words": mended, "long_s": len(changes)}
    return Reading(
        text, parts, total / measured if measured else None, tuple((k, n) for k, n in counts.items() if n)
    )


def _parted(page: Page) -> Page:
    """A page on which no block runs over two columns."""
    cuts = sorted(cut for block in page.blocks if (cut := gutter(_rows(block))) is not None)
    return replace(page, blocks=tuple(piece for block in page.blocks for piece in _cut(block, cuts)))


def _rows(block: Block) -> list[list[Box]]:
    """The words of a block's lines; none where it is not known of all where they stand."""
    rows = [[box for _, box in line.words] for line in block.lines]
    return rows if all(rows) else []


def _cut(block: Block, cuts: Sequence[float]) -> Iterator[Block]:
    """A block, or the columns that recognition read as one, from left to right; once there are
    `MOST_COLUMNS`, what is left stays as it was read."""
    waiting, columns = [block], 1
    while waiting:
        piece = waiting.pop()
        cut = gutter(_rows(piece), cuts) if columns < MOST_COLUMNS else None
        if cut is None:
            yield piece
        else:
            columns += 1
            waiting += reversed(_halves(piece, cut))


def _halves(block: Block, cut: float) -> tuple[Block, Block]:
    left: list[Line] = []
    right: list[Line] = []
    for line in block.lines:
        before = [word for word in line.words if word[1].right <= cut]
        behind = [word for word in line.words if word[1].right > cut]
        at = behind[0][0] if behind else len(line.text)
        half, rest = (line.half, line.rest) if not before or not behind else (None, None)
        if before:
            left.append(Line(line.text[:at].strip(), _around(before), half, line.rest, tuple(before)))
        if behind:
            moved = tuple((start - at, box) for start, box in behind)
            right.append(Line(line.text[at:], _around(behind), line.half, rest, moved))
    return (
        Block(tuple(left), _around([w for line in left for w in line.words])),
        Block(tuple(right), _around([w for line in right for w in line.words])),
    )


def _around(words: Iterable[tuple[int, Box]]) -> Box:
    boxes = [box for _, box in words]
    return Box(
        min(b.left for b in boxes),
        min(b.top for b in boxes),
        max(b.right for b in boxes),
        max(b.bottom for b in boxes),
    )


def _downwards(page: Page) -> list[Line]:
    """The lines of a page from the top down, where it is known where they stand; else as the file has them.

    Not column by column: a number in the middle of the foot stands below both columns.
    """
    lines = [line for block in page.blocks for line in block.lines if line.text.strip()]
    places = [line.box for line in lines if line.box is not None]
    if len(places) < len(lines):
        return lines
    return [lines[n] for n in sorted(range(len(lines)), key=lambda n: (places[n].middle, places[n].left, n))]


def _in_order(page: Page, out: set[int]) -> list[list[Line]]:
    """The lines of a page's blocks as they are read, without those whose identity is in `out`."""
    lines = [[x for x in block.lines if x.text.strip() and id(x) not in out] for block in page.blocks]
    left = [n for n in range(len(lines)) if lines[n]]
    blocks = [lines[left[n]] for n in reading_order([page.blocks[n].box for n in left])]
    return [
        [lines[n] for n in reading_order([line.box for line in lines])]
        if side_by_side([line.box for line in lines])
        else lines
        for lines in blocks
    ]


def _printed(lines: list[_Placed], anchors: list[str]) -> tuple[str, tuple[Part, ...], int]:
    """The text and the parts of lines, and how many words were made whole."""
    plain = [_signed(placed.line) for placed in lines]
    mended, taken = hyphens.mend(plain, hyphens.lexicon(plain), _said([placed.line for placed in lines]))
    cut = set(taken)
    out = Assembly()
    before: tuple[int, str] | None = None
    number = 0
    while number < len(lines):
        block, page = lines[number].block, lines[number].page
        end = number
        while end < len(lines) and lines[end].block == block:
            end += 1
        shown = [line for line in mended[number:end] if line]
        if shown:
            runs_on = before is not None and before[0] != page and _runs_on(before[1], shown[0])
            out.separate(" " if runs_on or number in cut else "\n\n")
            with out.part(Part(0, 0, anchors[page], "paragraph")):
                for line in shown:
                    out.add(line)
                    out.separate(" ")
            before = page, shown[-1]
        number = end
    return *out.finish(), len(taken)


def _runs_on(above: str, below: str) -> bool:
    """Whether a sentence goes on: it has not ended above, and below it does not begin."""
    return bool(re.search(r"[^\W\d_][,;]?$", above)) and below[:1].islower()


def _signed(line: Line) -> str:
    """The letters of a line; a half that is marked as one ends in a sign of division."""
    text = long_s.plain_letters(line.text).strip()
    return text if line.half is None or text.endswith(tuple(hyphens.SIGNS)) else f"{text}-"


def _said(lines: list[Line]) -> dict[int, str]:
    """What the producer says of the word that each line ends with, see `hyphens.mend`."""
    said: dict[int, str] = {}
    for number, line in enumerate(lines):
        following = lines[number + 1] if number + 1 < len(lines) else None
        if line.half is not None:
            if following is None or following.rest is None:
                said[number] = ""
            elif whole := line.half or following.rest:
                said[number] = whole
    return said
