"""ALTO, versions 2 to 4: pages of recognised print, one document a folder.

The files of a folder are the pages of one volume or issue, in the order that a METS file among them gives,
else in that of their names (``p2`` before ``p10``); a file beside no folder is a document of its own. How
pages become a text is in `scanned`.

The traps: a word broken at the end of a line stands twice, each half with the whole word beside it; a half
without its other half is printed as it stands; some producers leave out the spaces (`SP`), and then there is
one between all words; the margins stand before the print they surround; a block without a rectangle says
nothing of columns, so the order of the file stays. No word may be lost: one outside of a line is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from hemicycle.documents import Document
from hemicycle.errors import InputError
from hemicycle.sources.columns import Box
from hemicycle.sources.scanned import Block, Line, Page, put_together
from hemicycle.sources.volumes import Volume, document_of, order_of_mets, volumes
from hemicycle.sources.xml import Element, name_of, parse, place_of, read_bytes

if TYPE_CHECKING:
    from hemicycle.project import Card

#: Margins stand around the print. What says nothing stands with it.
_ORDER = {"TopMargin": 0, "LeftMargin": 0, "RightMargin": 2, "BottomMargin": 2}
_NUMBER = re.compile(r"-?[0-9]{1,9}(?:\.[0-9]{0,20})?")


def read(folder: Path, card: Card) -> Iterator[Document]:
    """One document a folder of pages.

    Raises:
        InputError: a file is neither ALTO nor METS, or a word stands outside of the lines.
    """
    for volume in volumes(folder, card, (".xml",)):
        yield document_of(volume, put_together(_pages(volume), volume.origin, volume.date))


def _pages(volume: Volume) -> Iterator[Page]:
    tables = [file for file in volume.files if is_mets(file.path)]
    if len(tables) > 1:
        raise InputError(
            "two METS files describe one folder",
            place=tables[1].place,
            remedy="Leave all but one out with `exclude`.",
        )
    pages = [file for file in volume.files if file not in tables]
    if tables:
        mets = tables[0]
        pages = order_of_mets(parse(read_bytes(mets.path, mets.place), mets.place), pages, mets.place)
    for file in pages:
        yield from pages_of(parse(read_bytes(file.path, file.place), file.place), file.place, file.path.stem)


def is_mets(path: Path) -> bool:
    with path.open("rb") as file:
        return re.search(rb"<(?:\w{1,20}:)?mets[\s>]", file.read(20_000)) is not None


def pages_of(root: Element, place: str, anchor: str) -> Iterator[Page]:
    """The pages of an ALTO file; from the second on their anchor ends in their number.

    Raises:
        InputError: another root element, a word outside of the lines, a confidence that is none.
    """
    if name_of(root) != "alto":
        raise InputError(
            f"the root element is “{name_of(root)}”, not “alto”",
            place=place_of(root, place),
            remedy="Leave it out with `exclude` in the source card.",
        )
    pages = [e for e in root.iter() if name_of(e) == "Page"] or [root]
    read_words = 0
    for number, element in enumerate(pages, 1):
        words = _Words(element, place)
        yield Page(
            anchor if number == 1 else f"{anchor}#{number}", words.blocks, words.confidence, words.measured
        )
        read_words += words.read
    if read_words != sum(name_of(e) == "String" for e in root.iter()):
        raise InputError("words stand outside of the lines of the blocks", place=place_of(root, place))


class _Words:
    """The blocks of one page, and the confidence of its words."""

    def __init__(self, page: Element, place: str) -> None:
        self._place = place
        self._spaced = any(name_of(e) == "SP" for e in page.iter())
        self.read = self.measured = 0
        self.confidence = 0.0
        spaces = sorted(page, key=lambda e: _ORDER.get(name_of(e), 1))
        found = [e for space in spaces for e in space.iter() if name_of(e) == "TextBlock"]
        self.blocks = tuple(
            Block(tuple(self._line(e) for e in block.iter() if name_of(e) == "TextLine"), _box(block))
            for block in found
        )

    def _line(self, line: Element) -> Line:
        pieces: list[str] = []
        places: list[tuple[int, Box | None]] = []
        half = rest = None
        length = 0
        items = [e for e in line.iter() if name_of(e) in ("String", "SP", "HYP")]
        words = [e for e in items if name_of(e) == "String"]
        for position, e in enumerate(items):
            if name_of(e) == "SP":
                piece = " "
            elif name_of(e) == "String":
                self._measure(e)
                gap = " " if position and not self._spaced else ""
                places.append((length + len(gap), _box(e)))
                piece = gap + (e.get("CONTENT") or "")
            elif not pieces or not pieces[-1].endswith(("-", "¬")):
                piece = e.get("CONTENT") or "-"
            else:
                continue
            pieces.append(piece)
            length += len(piece)
        if words and words[-1].get("SUBS_TYPE") == "HypPart1":
            half = words[-1].get("SUBS_CONTENT") or ""
        if words and words[0].get("SUBS_TYPE") == "HypPart2":
            rest = words[0].get("SUBS_CONTENT") or ""
        known = tuple((start, box) for start, box in places if box is not None)
        words_at = known if len(known) == len(places) else ()
        return Line("".join(pieces), _box(line), half, rest, words_at)

    def _measure(self, e: Element) -> None:
        self.read += 1
        written = e.get("WC")
        if written is None:
            return
        if not re.fullmatch(r"[01](?:\.\d{0,20})?|\.\d{1,20}", written):
            raise InputError(f"WC “{written[:40]}” is no confidence", place=place_of(e, self._place))
        self.confidence += float(written)
        self.measured += 1


def _box(e: Element) -> Box | None:
    """The rectangle of an element; None where it is not stated whole."""
    stated = [e.get(key) or "" for key in ("HPOS", "VPOS", "WIDTH", "HEIGHT")]
    if not all(_NUMBER.fullmatch(number) for number in stated):
        return None
    left, top, width, height = map(float, stated)
    return Box(left, top, left + max(width, 0), top + max(height, 0))
