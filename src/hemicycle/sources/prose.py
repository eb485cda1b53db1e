"""The XHTML that publishers put inside their XML, as paragraphs of plain text that have every word of it.

Such content follows no schema: text stands beside list items and between rows of a table, names of elements
are in capitals, paragraphs are broken by `br` alone. So nothing is dropped for standing in a wrong place:
what is not known as a block, a line, a row or a cell is words. White space is folded, the no-break space
kept; links lose their addresses, items of a list get a mark, cells stand on one line.
"""

from __future__ import annotations

from hemicycle.sources.printed import superscript
from hemicycle.sources.xml import Element, name_of, squeeze

_BLOCKS = frozenset(
    "address article aside blockquote body caption center dir div dl fieldset figure footer form h1 h2 h3 h4 "
    "h5 h6 header main menu nav ol p pre section table tbody tfoot thead ul".split()
)
_LINES = frozenset("br dd dt hr li td th tr".split())
_WORDS = frozenset(
    "a abbr acronym b big cite code em font i q s small span strike strong sub sup tt u".split()
)
#: What was never meant to be read.
_UNSEEN = frozenset(("script", "style"))


def paragraphs(element: Element) -> list[str]:
    """The paragraphs inside an element, in order; lines inside one are parted by a line break."""
    prose = _Prose()
    prose.inside(element)
    prose.end_paragraph()
    return prose.paragraphs


class _Prose:
    """Paragraphs under way. The depth of elements is bounded by whoever parsed them."""

    def __init__(self) -> None:
        self.paragraphs: list[str] = []
        self._lines: list[str] = []
        self._line: list[str] = []
        #: What is to stand before the next words.
        self._mark = ""

    def inside(self, element: Element) -> None:
        self._line.append(element.text or "")
        for child in element:
            self._element(child)
            self._line.append(child.tail or "")

    def _element(self, element: Element) -> None:
        name = name_of(element)
        # An element in capitals that is no HTML is one of the publisher's own, and parts what it holds.
        own = name.isupper() and name.lower() not in _WORDS | _LINES
        name = name.lower()
        if name in _UNSEEN:
            return
        if name == "sup" and not len(element):
            before = next((piece for piece in reversed(self._line) if piece), "")
            self._line.append(superscript(before, element.text or ""))
        elif name == "tr":
            self._row(element)
        elif own or name in _BLOCKS:
            self.end_paragraph()
            self.inside(element)
            self.end_paragraph()
        elif name in _LINES:
            self._end_line()
            self._mark = _mark(element) if name == "li" else self._mark
            self.inside(element)
            self._end_line()
            self._mark = "" if name == "li" else self._mark
        else:
            self.inside(element)

    def _row(self, row: Element) -> None:
        """The cells of a row on one line, whatever stands in them, and what stands between them."""
        self._end_line()
        cells = [row.text or ""]
        for child in row:
            cells += [" ".join(" ".join(paragraphs(child)).split("\n")), child.tail or ""]
        self._line.append(" | ".join(words for cell in cells if (words := squeeze(cell))))
        self._end_line()

    def _end_line(self) -> None:
        if words := squeeze("".join(self._line)):
            self._lines.append(self._mark + words)
            self._mark = ""
        self._line = []

    def end_paragraph(self) -> None:
        self._end_line()
        if self._lines:
            self.paragraphs.append("\n".join(self._lines))
        self._lines = []


def _mark(item: Element) -> str:
    """What stands before an item: its number in a numbered list, else a dash."""
    above = item.getparent()
    if above is None or name_of(above).lower() != "ol":
        return "- "
    return f"{sum(1 for e in item.itersiblings(item.tag, preceding=True)) + 1}. "
