"""Where the main content of a page is: two libraries that look for it, and blocks out of what they find.

Resiliparse is quick and keeps white space as it stands, but drops most lists. Trafilatura is the careful one,
some ten times slower, and better on the pages of `bench/extraction.py`; so it is taken where a card names
none.

The traps: Trafilatura takes the no-break spaces of French typography for ordinary ones, so they go through it
in disguise, and its time grows with the square of the elements; Resiliparse's grows with the square of the
depth. A hostile page may break either in its own way, so whatever they raise makes a page in which nothing
was found.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from typing import Any, Literal

from hemicycle.errors import DeclarationError

Extractor = Literal["fast", "careful"]
#: A block of a page: heading, item or paragraph, and its words.
Block = tuple[str, str]

#: Characters of the private use area that stand for white space which must survive.
_DISGUISES = {"\u00a0": "\ue0a0", "\u202f": "\ue0af"}
_MINIMAL = re.compile(r"<(h[1-6]|p|li|pre)>(.*?)</\1>|<(/?)(?:ul|ol)>", re.DOTALL)
_ENTITIES = {"&lt;": "<", "&gt;": ">", "&quot;": '"', "&#39;": "'", "&nbsp;": "\u00a0", "&amp;": "&"}


def plain(text: str) -> str:
    """One line a line: blanks folded, no-break spaces kept, lines without a word dropped."""
    lines = (re.sub(r"[ \t\r\f\v]+", " ", line).strip(" ") for line in text.split("\n"))
    return "\n".join(line for line in lines if line.strip())


def fast_blocks(html: str) -> list[Block]:
    """Blocks of the main content as Resiliparse finds it."""
    try:
        from resiliparse.extract.html2text import extract_plain_text
    except ImportError:
        raise _missing() from None

    try:
        found = extract_plain_text(
            html,
            preserve_formatting="minimal_html",
            main_content=True,
            list_bullets=False,
            alt_texts=False,
            links=False,
            comments=False,
        )
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException:  # a panic of Rust is no Exception
        return []
    return [(kind, text) for kind, written in _minimal(found) if (text := plain(written))]


def _minimal(html: str) -> Iterator[Block]:
    """The blocks of Resiliparse's small HTML, in which a line end outside a paragraph is that of a block."""
    at = 0
    for block in _MINIMAL.finditer(html):
        yield from _bare(html[at : block.start()])
        at = block.end()
        tag = block[1]
        if tag is None:
            continue
        kind = "item" if tag == "li" else "paragraph" if tag in ("p", "pre") else "heading"
        yield kind, _characters(block[2])
    yield from _bare(html[at:])


def _bare(text: str) -> Iterator[Block]:
    for line in text.split("\n"):
        cells = (plain(cell) for cell in re.split(r"\t+", _characters(line)))
        yield "paragraph", " | ".join(cell for cell in cells if cell)


def _characters(markup: str) -> str:
    """Words without tags, entities as the characters they stand for; each is replaced once."""
    words = re.sub(r"</?[a-z][a-z0-9]*(?: [^<>]*)?>", "", markup)
    return re.sub(r"&(?:lt|gt|quot|#39|nbsp|amp);", lambda found: _ENTITIES[found[0]], words)


def careful_blocks(html: str) -> list[Block]:
    """Blocks of the main content as Trafilatura finds it."""
    try:
        import trafilatura
    except ImportError:
        raise _missing() from None
    import lxml.html

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
        return []
    body = getattr(found, "body", None)
    blocks = _blocks(body) if body is not None else ()
    # Once more plain: a line of disguised spaces alone is none.
    return [(kind, plain(plain(text).translate(undisguised))) for kind, text in blocks]


def _blocks(body: Any) -> Iterator[Block]:
    for element in body:
        tag = element.tag
        if tag == "head":
            yield "heading", "".join(element.itertext())
        elif tag == "list":
            for item in element.iter("item"):
                yield "item", "".join(_own_text(item))
        elif tag == "table":
            for row in element.iter("row"):
                cells = (plain("".join(cell.itertext())) for cell in row)
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


def _missing() -> DeclarationError:
    return DeclarationError(
        "the library that finds the main text of a page is not installed",
        remedy="pip install 'hemicycle[web]'",
    )
