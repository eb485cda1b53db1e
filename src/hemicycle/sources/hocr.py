"""hOCR: recognised pages as HTML, one document a folder or, beside no folder, a file.

Classes say what an element is (``ocr_page``, ``ocr_carea``, ``ocr_par``, ``ocr_line``, ``ocrx_word``), its
``title`` where it stands (``bbox 10 20 300 60``) and how sure the word is (``x_wconf 93``, of a hundred). A
paragraph is a block; where there are none, an area is. How pages become a text is in `scanned`.

The traps: producers write XHTML or HTML that is not closed; a class may stand among others; a line without
words holds its text itself. No word may be lost: one outside of the lines is refused.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from hemicycle.documents import Document
from hemicycle.errors import InputError
from hemicycle.sources.columns import Box
from hemicycle.sources.scanned import Block, Line, Page, put_together
from hemicycle.sources.trees import MAX_PAGE, decoded, html_root
from hemicycle.sources.volumes import Volume, document_of, volumes
from hemicycle.sources.xml import Element, place_of, read_bytes, words_of

if TYPE_CHECKING:
    from hemicycle.project import Card

_LINES = {"ocr_line", "ocrx_line", "ocr_header", "ocr_footer", "ocr_caption", "ocr_textfloat"}
_BLOCKS = ("ocr_par", "ocr_carea", "ocrx_block")
_BOX = re.compile(r"\bbbox((?:\s+-?\d{1,9}){4})\b")
_CONFIDENCE = re.compile(r"\bx_wconf\s+(\d{1,3}(?:\.\d{1,9})?)")


def read(folder: Path, card: Card) -> Iterator[Document]:
    """One document a folder of pages.

    Raises:
        InputError: a file is no hOCR, is cut short, or holds words outside of the lines.
    """
    for volume in volumes(folder, card, (".hocr", ".html", ".htm", ".xhtml")):
        yield document_of(volume, put_together(_pages(volume), volume.origin, volume.date))


def _pages(volume: Volume) -> Iterator[Page]:
    for file in volume.files:
        yield from pages_of(read_bytes(file.path, file.place, MAX_PAGE), file.place, file.path.stem)


def pages_of(data: bytes, place: str, anchor: str) -> Iterator[Page]:
    """The pages of an hOCR file; from the second on their anchor ends in their number."""
    markup = decoded(data, place)
    if not re.search(r"</html\s*>", markup, re.IGNORECASE):
        raise InputError("the page is never closed: it may be cut short", place=place)
    root = html_root(markup, place)
    pages = [e for e in root.iter() if "ocr_page" in _classes(e)]
    if not pages:
        raise InputError(
            "no element has the class “ocr_page”: this is no hOCR",
            place=place,
            remedy="Leave it out with `exclude` in the source card.",
        )
    seen = 0
    for number, element in enumerate(pages, 1):
        page, words = _page(element, anchor if number == 1 else f"{anchor}#{number}")
        seen += words
        yield page
    if seen != sum("ocrx_word" in _classes(e) for e in root.iter()):
        raise InputError("words stand outside of the lines of the pages", place=place_of(root, place))


def _page(page: Element, anchor: str) -> tuple[Page, int]:
    """A page, and how many of its words were read."""
    lines = [e for e in page.iter() if _LINES & _classes(e)]
    inner = {e for line in lines for e in line.iterdescendants() if _LINES & _classes(e)}
    grouped: dict[Element, list[Element]] = {}
    for line in lines:
        if line not in inner:
            grouped.setdefault(_block_of(line, page), []).append(line)
    words = [e for e in page.iter() if "ocrx_word" in _classes(e)]
    sure = [float(m[1]) / 100 for e in words if (m := _CONFIDENCE.search(e.get("title") or ""))]
    blocks = tuple(
        Block(tuple(map(_line, inside)), None if block is page else _box(block))
        for block, inside in grouped.items()
    )
    read_words = sum("ocrx_word" in _classes(e) for line in lines if line not in inner for e in line.iter())
    return Page(anchor, blocks, sum(min(x, 1.0) for x in sure), len(sure)), read_words


def _block_of(line: Element, page: Element) -> Element:
    """The paragraph a line stands in, else the area, else the page."""
    above = list(line.iterancestors())
    for kind in _BLOCKS:
        for element in above:
            if kind in _classes(element):
                return element
    return page


def _line(line: Element) -> Line:
    words = [(words_of(e), _box(e)) for e in line.iter() if "ocrx_word" in _classes(e)]
    if not words:
        return Line(words_of(line), _box(line))
    written = [(word, box) for word, box in words if word]
    starts = itertools.accumulate((len(word) + 1 for word, _ in written), initial=0)
    known = tuple((start, box) for start, (_, box) in zip(starts, written, strict=False) if box is not None)
    text = " ".join(word for word, _ in written)
    return Line(text, _box(line), words=known if len(known) == len(written) else ())


def _classes(e: Element) -> set[str]:
    return set((e.get("class") or "").split()) if isinstance(e.tag, str) else set()


def _box(e: Element) -> Box | None:
    stated = _BOX.search(e.get("title") or "")
    if not stated:
        return None
    left, top, right, bottom = map(float, stated[1].split())
    return Box(left, top, right, bottom) if left <= right and top <= bottom else None
