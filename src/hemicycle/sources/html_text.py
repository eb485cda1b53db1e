"""A web page as text: what it is about, without menus, banners and lists of links.

Trafilatura finds the main text. Its trap for French is white space: it takes the no-break spaces before
colons and inside quotation marks for ordinary ones, so they go through it in disguise. A page in which it
finds nothing, or which is nested so deep or cut so small that it would lose words or take hours, is written
out whole instead, block by block: rather too much text than a page without any.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from typing import Any

from lxml import etree

from hemicycle.errors import DeclarationError
from hemicycle.sources.page import Writing

#: Characters of the private use area that stand for white space which must survive.
_DISGUISES = {"\u00a0": "\ue0a0", "\u202f": "\ue0af"}
#: The parser beneath Trafilatura drops what stands deeper than this.
_DEEPEST = 200
#: Trafilatura's time grows with the square of the elements; a page with more is a list or a trap.
_MOST_ELEMENTS = 20_000
_DROPPED = frozenset("script style noscript template svg head nav footer form button select iframe".split())
_INLINE = frozenset(
    "a abbr acronym b bdi bdo big cite code data del dfn em font i ins kbd label mark q s samp small span "
    "strike strong sub sup time tt u var wbr".split()
)
_HEADINGS = frozenset("h1 h2 h3 h4 h5 h6".split())


def page_text(html: str) -> Writing:
    """The main text of a page with its headings and paragraphs; of one without any, an empty text."""
    outline = _Outline()
    parser = etree.HTMLParser(target=outline, huge_tree=True, recover=True, encoding="utf-8")
    try:
        parser.feed(html.encode("utf-8", "replace"))
        parser.close()
    except (etree.LxmlError, AssertionError):
        pass  # an empty page ends so; of a broken one the part that was seen stands
    outline.flush()
    written = Writing()
    if outline.deepest <= _DEEPEST and outline.elements <= _MOST_ELEMENTS:
        for kind, text in _main_text(html):
            _write(written, kind, text)
    if not written.text:
        for kind, text in outline.blocks:
            _write(written, kind, text)
    return written


def _write(written: Writing, kind: str, text: str) -> None:
    if kind == "heading":
        written.heading(text)
    elif kind == "item":
        written.paragraph(text, indent="  ", marker="- ", listed=True)
    else:
        written.paragraph(text)


def _main_text(html: str) -> Iterator[tuple[str, str]]:
    """Blocks of the main text as Trafilatura finds it."""
    import lxml.html

    try:
        import trafilatura
    except ImportError:
        raise DeclarationError(
            "the library that finds the main text of a page is not installed",
            remedy="pip install 'hemicycle[web]'",
        ) from None

    # It reports on every page it does not like; what becomes of such a page is decided here.
    logging.getLogger("trafilatura").setLevel(logging.CRITICAL + 1)
    undisguised = {ord(there): here for here, there in _DISGUISES.items()}
    if any(there in html for there in _DISGUISES.values()):
        disguised, undisguised = html, {}
    else:
        disguised = html.translate({ord(here): there for here, there in _DISGUISES.items()})
        for entity, character in (("&nbsp;", "\u00a0"), ("&#160;", "\u00a0"), ("&#8239;", "\u202f")):
            disguised = disguised.replace(entity, _DISGUISES[character])
    try:
        parser = lxml.html.HTMLParser(
            remove_comments=True, remove_pis=True, huge_tree=True, encoding="utf-8", collect_ids=False
        )
        tree = lxml.html.document_fromstring(disguised.encode("utf-8", "replace"), parser)
        found = trafilatura.bare_extraction(
            tree, with_metadata=False, include_comments=False, include_tables=True
        )
    except Exception:
        # Of whatever kind: a hostile page may break a library in its own way, and is written out whole.
        return
    body = getattr(found, "body", None)
    for kind, text in _blocks(body) if body is not None else ():
        yield kind, _plain(text).translate(undisguised)


def _blocks(body: Any) -> Iterator[tuple[str, str]]:
    for element in body:
        tag = element.tag
        if tag == "head":
            yield "heading", "".join(element.itertext())
        elif tag == "list":
            for item in element.iter("item"):
                yield "item", "".join(_own_text(item))
        elif tag == "table":
            for row in element.iter("row"):
                cells = (_plain("".join(cell.itertext())) for cell in row)
                yield "paragraph", " | ".join(cell for cell in cells if cell)
        else:
            yield "paragraph", "".join(element.itertext())
        if element.tail and element.tail.strip():
            yield "paragraph", element.tail


def _own_text(item: Any) -> Iterator[str]:
    """The words of a list's item without those of lists inside it, which are items of their own."""
    yield item.text or ""
    for child in item:
        if child.tag not in ("list", "item"):
            yield "".join(child.itertext())
        yield child.tail or ""


def _plain(text: str) -> str:
    """One line a line: blanks folded, no-break spaces kept, empty lines dropped."""
    lines = (re.sub(r"[ \t\r\f\v]+", " ", line).strip(" ") for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


class _Outline:
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
        text = _plain("".join(self._line))
        self._line = []
        if text:
            self.blocks.append((self._kind, text))
