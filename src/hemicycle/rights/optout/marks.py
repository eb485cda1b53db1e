"""What an HTML page says about itself in its markup: metas, links, embedded licences.

The traps: the order of attributes and the case of names vary, `content` before `name` and `ROBOTS` in
capitals; what stands in a comment or a script says nothing; a page nested a thousand deep, or one whose
end is missing, must not hide a meta from us. So the page is read as a stream of tags, not as a tree.
"""

from __future__ import annotations

import codecs
import re
import urllib.parse
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from hemicycle.errors import InputError

#: Bytes of a page that are read.
PAGE_LIMIT = 16 * 2**20
#: Of each kind of mark a page may have so many; a page with more is made to exhaust memory.
MOST_MARKS = 5_000
#: Characters of an address; a longer one is passed over, since joined to every link it would fill the memory.
_LONGEST_ADDRESS = 8_192
_RSL_TYPE = "application/rsl+xml"
_LONGEST_SCRIPT = 2**20


@dataclass(frozen=True)
class Link:
    """A `link` or `a` element with an address: its `rel` words in lower case, its address made absolute."""

    tag: str
    rel: frozenset[str]
    href: str
    type: str

    @property
    def is_rsl(self) -> bool:
        return self.type == _RSL_TYPE


@dataclass(frozen=True)
class Marks:
    """The marks of one page.

    Attributes:
        metas: (name in lower case, content) of every `meta`; `property` and `http-equiv` count as names.
        links: those with a `rel` of `license` or `canonical`.
        rsl: texts of embedded RSL documents.
        times: values of `time` elements marked as the date of publication.
        title, language: as the page states them.
        problem: why the page could not be read as a whole.
    """

    metas: tuple[tuple[str, str], ...] = ()
    links: tuple[Link, ...] = ()
    rsl: tuple[str, ...] = ()
    times: tuple[str, ...] = ()
    title: str | None = None
    language: str | None = None
    problem: str | None = None

    def contents(self, name: str) -> list[str]:
        """The contents of the metas of one name."""
        return [content for key, content in self.metas if key == name]


def read_marks(html: bytes, url: str, content_type: str = "") -> Marks:
    """The marks of a page; of one that cannot be read, what was seen, with the problem."""
    problem = f"longer than the {PAGE_LIMIT} bytes that are read" if len(html) > PAGE_LIMIT else None
    text = decode_page(html[:PAGE_LIMIT], content_type)
    seen = _Seen(url)
    parser = etree.HTMLParser(target=seen, huge_tree=True, recover=True, encoding="utf-8")
    try:
        parser.feed(text.encode("utf-8", "replace"))
        parser.close()
    except (etree.LxmlError, AssertionError) as error:
        # lxml ends an empty page so; what had been seen by then stands.
        if text.strip():
            problem = problem or f"its markup cannot be read: {error}"
    except _TooManyError:
        problem = f"more than {MOST_MARKS} marks of one kind"
    return seen.marks(problem)


def decode_page(html: bytes, content_type: str = "") -> str:
    """The text of a page, as a browser would decode it, with one difference.

    Bytes that are valid UTF-8 and not plain ASCII are UTF-8 whatever is declared: no text in another
    encoding looks like that by chance, and a wrong declaration is common. Otherwise a byte order mark, the
    header, the page's own declaration and UTF-8 are tried in this order. Bytes that do not fit become
    U+FFFD, which stays visible in the text; NUL, which HTML does not have, becomes U+FFFD too.
    """
    for mark, name in (
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ):
        if html.startswith(mark):
            return html[len(mark) :].decode(name, "replace").replace("\0", "�")
    try:
        return html.decode("utf-8").replace("\0", "�")
    except UnicodeDecodeError:
        pass
    head = html[:4096].decode("latin-1")
    declared = re.search(r"charset\s*=\s*[\"']?\s*([\w.:-]{1,40})", content_type, re.IGNORECASE) or re.search(
        r"<meta[^>]{0,500}?charset\s*=\s*[\"']?\s*([\w.:-]{1,40})", head, re.IGNORECASE
    )
    return html.decode(_python_name(declared[1] if declared else "utf-8"), "replace").replace("\0", "�")


#: Encodings of pages in European languages. Python has others that are programs rather than encodings.
_KNOWN = re.compile(r"(iso[-_]?8859|latin|windows|cp)[-_]?\d{1,4}|utf[-_]?8|koi8[-_][ru]|mac[-_]?roman")
#: A page that declares the first is read as the second, which has the quotation marks people type.
_AS_BROWSERS = {"iso8859-1": "cp1252", "ascii": "cp1252", "iso8859-9": "cp1254"}


def _python_name(declared: str) -> str:
    lowered = declared.lower()
    if lowered in ("ascii", "us-ascii") or _KNOWN.fullmatch(lowered):
        try:
            name = codecs.lookup(lowered).name
        except LookupError:
            return "utf-8"
        return _AS_BROWSERS.get(name, name)
    return "utf-8"


def _is_publication(attributes: Any) -> bool:
    return attributes.get("pubdate") is not None or attributes.get("itemprop") == "datePublished"


class _TooManyError(Exception):
    pass


@dataclass
class _Seen:
    """Receives the tags of a page, one after the other."""

    url: str
    metas: list[tuple[str, str]] = field(default_factory=list)
    found: list[tuple[str, str, str, str]] = field(default_factory=list)
    rsl: list[str] = field(default_factory=list)
    times: list[str] = field(default_factory=list)
    base: str | None = None
    language: str | None = None
    titles: list[str] = field(default_factory=list)
    _into: list[str] | None = None
    _room: int = 0

    def start(self, tag: Any, attributes: Any) -> None:
        if tag == "meta":
            content = (attributes.get("content") or "").strip()
            for key in ("name", "property", "http-equiv"):
                if attributes.get(key):
                    self._add(self.metas, (attributes[key].strip().lower(), content))
        elif tag in ("link", "a") and attributes.get("rel") and attributes.get("href"):
            if {"license", "licence", "canonical"} & set(attributes["rel"].lower().split()):
                entry = (tag, attributes["rel"], attributes["href"], attributes.get("type") or "")
                self._add(self.found, entry)
        elif tag == "script":
            if (attributes.get("type") or "").strip().lower() == _RSL_TYPE:
                self._collect(_LONGEST_SCRIPT)
        elif tag == "title" and not self.titles:
            self._collect(1_000)
        elif tag == "base" and self.base is None:
            self.base = attributes.get("href")
        elif tag == "html" and self.language is None:
            self.language = attributes.get("lang") or attributes.get("xml:lang")
        elif tag == "time" and attributes.get("datetime") and _is_publication(attributes):
            self._add(self.times, attributes["datetime"])

    def data(self, data: Any) -> None:
        text = str(data)
        if self._into is not None and self._room > 0:
            self._into.append(text[: self._room])
            self._room -= len(text)

    def end(self, tag: Any) -> None:
        if self._into is not None and tag in ("script", "title"):
            (self.rsl if tag == "script" else self.titles).append("".join(self._into))
            self._into = None

    def comment(self, text: Any) -> None:
        pass

    def close(self) -> None:
        pass

    def _collect(self, room: int) -> None:
        self._into, self._room = [], room

    @staticmethod
    def _add(to: list[Any], entry: Any) -> None:
        if len(to) >= MOST_MARKS:
            raise _TooManyError
        to.append(entry)

    def marks(self, problem: str | None) -> Marks:
        own = self.url[:_LONGEST_ADDRESS]
        base = absolute(own, self.base) if self.base and len(self.base) <= _LONGEST_ADDRESS else own
        links = []
        for tag, rel, href, kind in self.found:
            kind = kind.partition(";")[0].strip().lower()
            if len(href) > _LONGEST_ADDRESS:
                if kind == _RSL_TYPE:
                    problem = (
                        problem or f"the address of its licence is longer than {_LONGEST_ADDRESS} characters"
                    )
                continue
            links.append(
                Link(
                    tag,
                    frozenset(rel.lower().split()),
                    absolute(base or own, href) or href,
                    kind,
                )
            )
        title = re.sub(r"[ \t\r\n\f]+", " ", self.titles[0]).strip(" ") if self.titles else ""
        return Marks(
            tuple(self.metas),
            tuple(links),
            tuple(self.rsl),
            tuple(self.times),
            title or None,
            self.language,
            problem,
        )


def absolute(base: str, href: str) -> str | None:
    """An address made absolute; None where it is none."""
    try:
        return urllib.parse.urljoin(base, href.strip())
    except ValueError:
        return None


def unreadable(error: InputError) -> str:
    """Why a file could not be read, for the quote of a finding."""
    return f"it cannot be read: {error.what}"
