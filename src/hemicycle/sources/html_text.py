"""A web page as text: what it is about, without menus, banners and lists of links.

The main text is found by one of two libraries (`main_content`). A page in which it finds nothing, or which is
nested so deep or cut so small that it would lose words or take hours, is written out whole instead, block by
block: rather too much text than a page without any.
"""

from __future__ import annotations

import contextlib
import re
from typing import Any

from lxml import etree

from hemicycle.sources.main_content import Extractor, careful_blocks, fast_blocks, plain
from hemicycle.sources.page import Writing

#: The parser beneath the careful extractor drops what stands deeper than this; the quick one's time grows.
_DEEPEST = 200
#: A page with more elements is a list or a trap, and the careful extractor's time grows with their square.
_MOST_ELEMENTS = 20_000
_DROPPED = frozenset("script style noscript template svg head nav footer form button select iframe".split())
_INLINE = frozenset(
    "a abbr acronym b bdi bdo big cite code data del dfn em font i ins kbd label mark q s samp small span "
    "strike strong sub sup time tt u var wbr".split()
)
_HEADINGS = frozenset("h1 h2 h3 h4 h5 h6".split())


def page_text(html: str, extractor: Extractor = "careful") -> Writing:
    """The main text of a page with its headings and paragraphs; of one without any, an empty text."""
    written = Writing()
    outline = None
    if html.count("<") > _DEEPEST:
        outline = read_outline(html)
    if outline is None or (outline.deepest <= _DEEPEST and outline.elements <= _MOST_ELEMENTS):
        for kind, text in (fast_blocks if extractor == "fast" else careful_blocks)(html):
            _write(written, kind, text)
    if not written.text:
        for kind, text in (outline or read_outline(html)).blocks:
            _write(written, kind, text)
    return written


def _write(written: Writing, kind: str, text: str) -> None:
    if kind == "heading":
        written.heading(text)
    elif kind == "item":
        written.paragraph(text, indent="  ", marker="- ", listed=True)
    else:
        written.paragraph(text)


def read_outline(html: str) -> Outline:
    """A whole page in blocks; of a broken one, what was seen of it."""
    outline = Outline()
    parser = etree.HTMLParser(target=outline, huge_tree=True, recover=True, encoding="utf-8")
    with contextlib.suppress(etree.LxmlError, AssertionError):  # an empty page ends so
        parser.feed(html.encode("utf-8", "replace"))
        parser.close()
    outline.flush()
    return outline


class Outline:
    """All the words of a page in blocks, from its stream of tags; how many there are, and how deep."""

    def __init__(self) -> None:
        self.blocks: list[tuple[str, str]] = []
        self.deepest = 0
        self.elements = 0
        self._depth = 0
        self._dropped = 0
        self._kind = "paragraph"
        self._line: list[str] = []

    def start(self, tag: Any, attributes: Any) -> None:
        self.elements += 1
        self._depth += 1
        self.deepest = max(self.deepest, self._depth)
        if tag in _DROPPED:
            self._dropped += 1
        if tag == "br":
            self._line.append("\n")
        elif tag not in _INLINE:
            self.flush()
            self._kind = "heading" if tag in _HEADINGS else "item" if tag == "li" else "paragraph"

    def end(self, tag: Any) -> None:
        self._depth -= 1
        if tag in _DROPPED:
            self._dropped = max(0, self._dropped - 1)
        if tag not in _INLINE and tag != "br":
            self.flush()
            self._kind = "paragraph"

    def data(self, data: Any) -> None:
        if not self._dropped:
            # A line end in the source of a page is a blank; only `br` breaks a line.
            self._line.append(re.sub(r"[ \t\r\n\f]+", " ", str(data)))

    def comment(self, text: Any) -> None:
        pass

    def close(self) -> None:
        pass

    def flush(self) -> None:
        """End the block under way."""
        text = plain("".join(self._line))
        self._line = []
        if text:
            self.blocks.append((self._kind, text))
