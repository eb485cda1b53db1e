"""Bytes to a tree, for pages that come from outside and may be broken or hostile.

The trap is the parser's good will: libxml2 repairs broken HTML, and on a page too deep or cut short it
silently keeps the first half. Here such a page is refused. No entity is expanded, no DTD and nothing from
the network is loaded, and the encoding a page declares is taken at its word.
"""

from __future__ import annotations

import codecs
import re

from lxml import etree

from hemicycle.errors import InputError

#: Bytes and depth of elements beyond which a page is no page; below this depth recursion is safe.
MAX_PAGE = 32 << 20
MAX_DEPTH = 150
#: A page says its encoding among its first bytes; licences in comments may come before.
DECLARED_WITHIN = 8192

_WINDOWS = {
    byte: letter for byte in range(0x80, 0xA0) if (letter := bytes([byte]).decode("cp1252", "ignore"))
}

_TOO_DEEP = f"boolean({'/*' * (MAX_DEPTH + 1)})"

_ENCODING = re.compile(
    r"utf[-_]?(8|16)([-_]?(le|be|sig))?|(us-)?ascii|(iso[-_]?8859|latin|windows|cp)[-_]?\d{1,4}",
    re.IGNORECASE,
)


def decoded(data: bytes, place: str) -> str:
    """The text of a page in the encoding it declares (or UTF-8), strictly."""
    if len(data) > MAX_PAGE:
        raise InputError(f"the page has {len(data)} bytes, more than {MAX_PAGE}", place=place)
    marks = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
    encoding = next((name for mark, name in marks.items() if data.startswith(mark)), None)
    if encoding is None:
        head = data[:DECLARED_WITHIN].decode("latin-1")
        # A name is taken to its end: one that the last byte cuts is none.
        declared = re.search(r"<\?xml[^>]*?encoding\s*=\s*[\"']([\w.:-]+)[\"']", head) or re.search(
            r"<meta[^>]*?charset\s*=\s*[\"']?\s*([\w.:-]+)(?=[\s\"'/>;])", head, re.IGNORECASE
        )
        encoding = declared[1] if declared else "utf-8"
    return decoded_as(data, encoding, place)


def decoded_as(data: bytes, encoding: str, place: str) -> str:
    """The text of a page in one encoding, strictly. A page holds no NUL.

    Only encodings that pages of European languages come in are known: Python has others that are
    programs rather than encodings.
    """
    if not _ENCODING.fullmatch(encoding):
        raise InputError(f"the encoding “{encoding}” is unknown", place=place)
    try:
        text = data.decode(encoding)
    except LookupError:
        raise InputError(f"the encoding “{encoding}” is unknown", place=place) from None
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(f"byte {error.start} is not {encoding}", place=f"{place}, line {line}") from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise InputError("the page holds a NUL", place=f"{place}, line {line}")
    return text


def latin_text(data: bytes, place: str) -> str:
    """The text of a page of an old site; UTF-8 that is declared as Latin-1 is refused: it reads as noise."""
    text = decoded(data, place)
    if not data.isascii() and text == data.decode("latin-1"):
        try:
            data.decode("utf-8")
        except UnicodeDecodeError:
            return text
        raise InputError(
            "the page says that it is in ISO-8859-1, but its bytes are UTF-8",
            place=place,
            remedy="Fetch it again, or correct the encoding that its head declares.",
        )
    return text


def windows_letters(text: str) -> str:
    """What browsers show for the control characters of ISO-8859-1: the letters of Windows-1252."""
    return text.translate(_WINDOWS)


def html_root(text: str, place: str) -> etree._Element:
    """The tree of an HTML page, or of an XHTML page that need not be quite well-formed."""
    if re.match(r"\s*<\?xml|\s*<!DOCTYPE[^>]*XHTML", text, re.IGNORECASE):
        try:
            root = xml_root(text, place)
        except InputError as error:
            if "Premature end" in error.what:
                raise
        else:
            if not any(e.tag is etree.Entity for e in root.iter()):
                return root
    parser = etree.HTMLParser(
        recover=True, no_network=True, remove_comments=True, remove_pis=True, encoding="utf-8"
    )
    root = _parsed(text, parser, place)
    for problem in parser.error_log:
        if problem.level_name == "FATAL":
            raise InputError(problem.message, place=f"{place}, line {problem.line}")
    return root


def xml_root(text: str, place: str) -> etree._Element:
    """The tree of an XML page. Entities that it defines stay as they are, see `lxml.etree.Entity`."""
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        encoding="utf-8",
    )
    return _parsed(text, parser, place)


def _parsed(text: str, parser: etree.XMLParser | etree.HTMLParser, place: str) -> etree._Element:
    try:
        root = etree.fromstring(text.encode("utf-8"), parser)
    except etree.XMLSyntaxError as error:
        raise InputError(str(error.msg), place=f"{place}, line {error.lineno or 1}") from None
    except UnicodeEncodeError:
        raise InputError("the page holds half a character", place=place) from None
    if root is None:
        raise InputError("the page is empty", place=place)
    if root.xpath(_TOO_DEEP):
        raise InputError(f"elements stand more than {MAX_DEPTH} deep", place=place)
    return root
