"""HTML, DocBook and Mallard pages to text: what a reader of the page reads, and nothing around it.

One walk serves the three dialects; a dialect is a table that says what each element is. Navigation,
scripts, tables of contents and indexes are dropped; headings, paragraphs, lists, tables and listings
stay, each a part with the publisher's anchor.

The trap is white space: a browser folds blanks and line ends, and so must we, but never the no-break
space, on which French typography lives.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from lxml import etree

from hemicycle.documents import Author, StatedLicence
from hemicycle.errors import InputError
from hemicycle.sources.dialects import DOCBOOK, HTML, MALLARD, Dialect
from hemicycle.sources.page import Page, Writing
from hemicycle.sources.trees import decoded, html_root, xml_root

_BLANK = re.compile(r"[ \t\r\n\f]+")
_BREAK = "\0"  # a line break inside a paragraph; no page holds one, see `trees`

_SIGNS = {"plus": "+", "arrow": " ▸ "}
_CREATIVE_COMMONS = re.compile(
    r"creativecommons\.org/(?:licenses/(by[a-z-]*)/(\d\.\d)|publicdomain/(zero)/1\.0)"
)


def read_html(data: bytes, place: str) -> Page:
    """Read an HTML or XHTML page.

    Raises:
        InputError: not in the encoding it declares, cut short, too deep, or no page at all.
    """
    text = decoded(data, place)
    root = html_root(text, place)
    body = _main(root)
    titles = [t for t in root.iter("{*}title") if isinstance(t.tag, str)]
    walk = _Walk(HTML, place, inside_main=body is not root)
    walk.run(body)
    title = _plain("".join(map(str, titles[0].itertext()))) if titles else None
    links = (e for e in root.iter("{*}a", "{*}link") if "license" in (e.get("rel") or "").split())
    return _page(walk, root, title, tuple(_stated(e.get("href"), place) for e in links))


def mallard_titles(data: bytes, place: str) -> dict[str, str]:
    """Titles of a Mallard page and its sections by ``page`` and ``page#section``; empty for other XML.

    Mallard's links often hold no text and show the title of what they lead to.
    """
    root = xml_root(decoded(data, place), place)
    page = root.get("id")
    if page is None or "projectmallard" not in (etree.QName(root).namespace or ""):
        return {}
    walk = _Walk(MALLARD, place)
    titled = [(page, root), *((f"{page}#{s.get('id')}", s) for s in root.iter("{*}section") if s.get("id"))]
    return {key: walk.flat(title) for key, e in titled if (title := e.find("./{*}title")) is not None}


def read_xml(data: bytes, place: str, titles: Mapping[str, str] | None = None) -> Page | None:
    """Read a DocBook or Mallard page; None where the XML is something else.

    Args:
        titles: what `mallard_titles` gave for the pages that this one may link to.

    Raises:
        InputError: not well-formed, in a wrong encoding, too deep, or with entities of its own.
    """
    root = xml_root(decoded(data, place), place)
    name, namespace = _name(root), etree.QName(root).namespace
    if namespace and "projectmallard" in namespace:
        dialect = MALLARD
    elif namespace in (None, "http://docbook.org/ns/docbook"):
        dialect = DOCBOOK
    else:
        return None
    if dialect.roles.get(name) != "section":
        return None
    walk = _Walk(dialect, place, titles=titles or {})
    walk.run(root)
    title = next((t for t in (walk.flat(e) for e in _titles(root)) if t), None)
    licences = (e for e in root.iterfind("./{*}info/{*}license") if e.get("href"))
    return _page(walk, root, title, tuple(_stated(e.get("href"), place) for e in licences))


def _titles(root: etree._Element) -> Iterator[etree._Element]:
    yield from root.iterfind("./{*}title")
    for info in root:
        if isinstance(info.tag, str) and _name(info).endswith("info"):
            yield from info.iterfind("./{*}title")


def _page(walk: _Walk, root: etree._Element, title: str | None, licences: tuple[StatedLicence, ...]) -> Page:
    language = root.get("lang") or root.get("{http://www.w3.org/XML/1998/namespace}lang")
    return Page(
        text=walk.writing.text,
        parts=tuple(walk.writing.parts),
        title=title or None,
        language=language.replace("_", "-") if language else None,
        authors=tuple(_credits(root)),
        licences=licences,
    )


def _credits(root: etree._Element) -> Iterator[Author]:
    """Who a Mallard page credits; addresses are left behind."""
    for credit in root.iterfind("./{*}info/{*}credit"):
        name = _plain(credit.findtext("./{*}name") or "")
        role = (credit.get("type") or "author").split()[0]
        if name:
            yield Author(name, role=role)


def _stated(address: str | None, place: str) -> StatedLicence:
    """The licence a page links to, in SPDX where the address is a Creative Commons one."""
    match = _CREATIVE_COMMONS.search(address or "")
    if match:
        name = "CC0-1.0" if match[3] else f"CC-{match[1].upper()}-{match[2]}"
    else:
        name = "LicenseRef-" + (re.sub(r"[^A-Za-z0-9.]+", "-", address or "").strip("-") or "unstated")
    return StatedLicence("file", name, f"{place}, link to {address}")


def _main(root: etree._Element) -> etree._Element:
    """The element that holds the page proper, where the page says so; else the whole."""
    for path in ('.//*[@id="DisplayArea"]', ".//{*}main", './/*[@role="main"]'):
        found: etree._Element | None = root.find(path)
        if found is not None:
            return found
    return root


def _plain(text: str) -> str:
    return _BLANK.sub(" ", text).strip(" ")


# The walk


class _Walk:
    """One page being written."""

    def __init__(
        self,
        dialect: Dialect,
        place: str,
        *,
        inside_main: bool = False,
        titles: Mapping[str, str] | None = None,
    ) -> None:
        self.dialect, self.place, self.inside_main, self.titles = dialect, place, inside_main, titles or {}
        self.page: str | None = None
        self.writing = Writing()
        self._line: list[str] = []
        self._flat = 0
        self._anchor: str | None = None
        self._indent, self._marker = "", ""
        self._lists = 0

    def run(self, root: etree._Element) -> None:
        self.page = root.get("id")
        self.element(root)
        self.flush()

    def element(self, e: etree._Element) -> None:
        role = self.role(e)
        handler = getattr(self, f"_do_{role}", None)
        if handler is not None:
            handler(e)
        elif role in _SIGNS:
            pieces = (_plain(p) if isinstance(p, str) else self.flat(p) for p in self._inside(e))
            self._line.append(_SIGNS[role].join(filter(None, pieces)))
        else:
            self.children(e)

    def children(self, e: etree._Element) -> None:
        self._line.append(e.text or "")
        for child in e:
            self._refuse_entity(child)
            if isinstance(child.tag, str):
                self.element(child)
            self._line.append(child.tail or "")

    def _inside(self, e: etree._Element) -> Iterator[etree._Element | str]:
        """The elements in an element that should hold nothing else, and the words that stand between them all
        the same."""
        if (e.text or "").strip():
            yield e.text or ""
        for child in e:
            self._refuse_entity(child)
            if isinstance(child.tag, str):
                yield child
            if (child.tail or "").strip():
                yield child.tail or ""

    def _refuse_entity(self, e: etree._Element) -> None:
        if e.tag is etree.Entity:
            raise InputError(
                f"the page uses the entity {e.text}, which is not expanded",
                place=f"{self.place}, line {e.sourceline}",
            )

    def flush(self) -> None:
        """End the paragraph under way."""
        if self._flat:
            self._line.append(" ")
            return
        text = self._taken()
        if text:
            listed = self._lists > 0
            self.writing.paragraph(
                text, self._anchor, indent=self._indent, marker=self._marker, listed=listed
            )
            self._marker = ""

    def _taken(self) -> str:
        lines = (_plain(line) for line in "".join(self._line).split(_BREAK))
        self._line = []
        return "\n".join(line for line in lines if line)

    def flat(self, e: etree._Element) -> str:
        """The text of an element as one line, whatever blocks it holds."""
        before, self._line = self._line, []
        self._flat += 1
        self.children(e)
        self._flat -= 1
        text, self._line = self._taken().replace("\n", " "), before
        return text

    @staticmethod
    def elements(e: etree._Element) -> list[etree._Element]:
        return [child for child in e if isinstance(child.tag, str)]

    def role(self, e: etree._Element) -> str:
        name = _name(e)
        role = self.dialect.roles.get(name, "inline")
        if self.dialect is HTML:
            return self._html_role(e, name, role)
        if self.dialect is MALLARD:
            return self._mallard_role(e, name, role)
        if name == "listitem" and _parent(e) == "varlistentry":
            return "definition"
        return role

    def _html_role(self, e: etree._Element, name: str, role: str) -> str:
        if e.get("hidden") is not None or e.get("aria-hidden") == "true":
            return "drop"
        identity = e.get("id")
        if identity and (identity in self.dialect.ids or f"{name}#{identity}" in self.dialect.ids):
            return "drop"
        if role == "drop":
            return "block" if self.inside_main and name in ("aside", "header") else role
        for word in (e.get("class") or "").split():
            by_class = self.dialect.classes.get(word)
            if by_class in ("drop", "choice"):
                return by_class
            if by_class and (name == "div" or (name == "p" and by_class == "heading")):
                return by_class
        return role

    def _mallard_role(self, e: etree._Element, name: str, role: str) -> str:
        test = e.get("{http://projectmallard.org/if/1.0/}test")
        if (test is not None and not _holds(test)) or (name == "if" and not _holds(e.get("test", ""))):
            return "drop"
        if name == "code" and _parent(e) in ("page", "section", "item", "note", "example", "listing", "div"):
            return "code"
        if name == "title" and _parent(e) == "item":
            return "term"
        return role

    # One method a role

    def _do_drop(self, e: etree._Element) -> None:
        pass

    def _do_block(self, e: etree._Element) -> None:
        self.flush()
        self.children(e)
        self.flush()

    def _do_section(self, e: etree._Element) -> None:
        self.flush()
        with self.writing.section(_identity(e)):
            self.children(e)
            self.flush()

    def _do_heading(self, e: etree._Element) -> None:
        self.flush()
        text = self.flat(e)
        if self._flat:
            self._line.append(text)
        elif self._lists:
            self.writing.paragraph(text, _identity(e), indent=self._indent, marker=self._marker, listed=True)
            self._marker = ""
        else:
            self.writing.heading(text, _identity(e) or _inner_identity(e))

    def _do_paragraph(self, e: etree._Element) -> None:
        self.flush()
        before, self._anchor = self._anchor, _identity(e) or self._anchor
        self.children(e)
        self.flush()
        self._anchor = before

    def _do_bullets(self, e: etree._Element) -> None:
        self._list(e, None)

    def _do_numbers(self, e: etree._Element) -> None:
        start = e.get("start", "1")
        self._list(e, int(start) if re.fullmatch(r"\d{1,6}", start) else 1)

    def _do_definitions(self, e: etree._Element) -> None:
        self._list(e, None)

    def _list(self, e: etree._Element, number: int | None) -> None:
        self.flush()
        self._lists += 1
        definitions = self.role(e) == "definitions"
        for child in self._inside(e):
            if isinstance(child, str):
                self._line.append(child)
            elif self.role(child) != "item":
                self.element(child)
            elif definitions:
                self._definition_item(child)
            else:
                self._item(child, "- " if number is None else f"{number}. ")
                number = None if number is None else number + 1
        self.flush()
        self._lists -= 1

    def _definition_item(self, e: etree._Element) -> None:
        """Mallard's item of terms: titles first, then what they mean."""
        self.flush()
        indent, self._indent = self._indent, self._indent + "    "
        for child in self._inside(e):
            if isinstance(child, str):
                self._line.append(child)
            elif self.role(child) == "term":
                self.flush()
                self._indent = indent
                self._do_term(child)
                self._indent = indent + "    "
            else:
                self.element(child)
        self.flush()
        self._indent = indent

    def _do_item(self, e: etree._Element) -> None:
        self._item(e, "- ")

    def _item(self, e: etree._Element, marker: str) -> None:
        self.flush()
        indent, self._indent, self._marker = self._indent, self._indent + " " * len(marker), marker
        self._do_paragraph(e)
        self._indent, self._marker = indent, ""

    def _do_term(self, e: etree._Element) -> None:
        self.flush()
        text = self.flat(e)
        if self._flat:
            self._line.append(text)
        else:
            self.writing.paragraph(text, _identity(e), indent=self._indent, listed=True)

    def _do_definition(self, e: etree._Element) -> None:
        self.flush()
        indent, self._indent = self._indent, self._indent + "    "
        self._do_paragraph(e)
        self._indent = indent

    def _do_code(self, e: etree._Element) -> None:
        self.flush()
        lines = [line.rstrip() for line in "".join(self._verbatim(e)).expandtabs(8).split("\n")]
        while lines and not lines[0]:
            lines.pop(0)
        while lines and not lines[-1]:
            lines.pop()
        margin = min((len(line) - len(line.lstrip(" ")) for line in lines if line), default=0)
        text = "\n".join(line[margin:] for line in lines)
        if self._flat:
            self._line.append(text)
        else:
            self.writing.paragraph(
                text,
                _identity(e) or self._anchor,
                indent=self._indent,
                marker=self._marker,
                listed=self._lists > 0,
            )
            self._marker = ""

    def _verbatim(self, e: etree._Element) -> Iterator[str]:
        yield e.text or ""
        for child in e:
            if isinstance(child.tag, str):
                role = self.role(child)
                if role == "break":
                    yield "\n"
                elif role != "drop":
                    yield from self._verbatim(child)
            yield child.tail or ""

    def _do_break(self, e: etree._Element) -> None:
        self._line.append(_BREAK)

    def _do_quote(self, e: etree._Element) -> None:
        self._line.append(f"«\u00a0{self.flat(e)}\u00a0»")

    def _do_footnote(self, e: etree._Element) -> None:
        self._line.append(f" ({self.flat(e)})")

    def _do_media(self, e: etree._Element) -> None:
        """An icon inside a sentence keeps its name; the description of a picture goes with the picture."""
        if not self.elements(e):
            self._line.append(e.text or "")

    def _do_link(self, e: etree._Element) -> None:
        if len(e) or (e.text or "").strip():
            self.children(e)
            return
        target = e.get("xref", "")
        title = self.titles.get(f"{self.page}{target}" if target.startswith("#") else target)
        self._line.append(f"«\u00a0{title}\u00a0»" if title else e.get("href", ""))

    def _do_titles(self, e: etree._Element) -> None:
        for child in self.elements(e):
            if self.role(child) == "heading" or _name(child) == "abstract":
                self.element(child)

    def _do_choice(self, e: etree._Element) -> None:
        """Show one alternative. LibreOffice marks one as default; Mallard tests conditions, none of which
        (a platform, an action) holds here. Where no alternative stands out, all are shown. Words that stand
        beside the alternatives belong to none of them."""
        children = self.elements(e)
        if self.dialect is MALLARD:
            whens = [c for c in children if _name(c) == "when"]
            held = [c for c in whens if _holds(c.get("test", ""))][:1]
            chosen = held or [c for c in children if c not in whens]
        else:
            chosen = [c for c in children if (c.get("id") or "").startswith("default")] or children
            if "switchinline" in (e.get("class") or ""):
                chosen = chosen[:1]
        for piece in self._inside(e):
            if isinstance(piece, str):
                self._line.append(piece)
            elif piece in chosen and self.dialect is MALLARD and piece not in held:
                self.element(piece)
            elif piece in chosen:
                self.children(piece)

    def _do_table(self, e: etree._Element) -> None:
        self.flush()
        lines: list[str] = []

        def end_lines() -> None:
            anchor = _identity(e) or self._anchor
            self.writing.paragraph("\n".join(lines), anchor, indent=self._indent, listed=self._lists > 0)
            lines.clear()

        with self.writing.section():
            for row in self._rows(e):
                texts = [] if self._flat else self._cell_texts(row)
                if sum(map(bool, texts)) > 1:
                    lines.append(" | ".join(texts).rstrip())
                    continue
                if not self._flat:
                    end_lines()
                for piece in row:
                    if isinstance(piece, str):
                        self._line.append(piece)
                    elif self.role(piece) in ("cell", "heading", "paragraph"):
                        self._do_block(piece)
                    else:
                        self.element(piece)
                self.flush()
            if not self._flat:
                end_lines()

    def _rows(self, e: etree._Element) -> Iterator[list[etree._Element | str]]:
        """What stands in each row of a table, and as rows without cells what stands outside the rows: its
        title, loose words."""
        loose: list[etree._Element | str] = []
        for piece in self._inside(e):
            role = "" if isinstance(piece, str) else self.role(piece)
            if isinstance(piece, str) or role not in ("rows", "row"):
                loose += [piece] * (role != "drop")
                continue
            if loose:
                yield loose
            loose = []
            if role == "rows":
                yield from self._rows(piece)
            else:
                yield [p for p in self._inside(piece) if isinstance(p, str) or self.role(p) != "drop"]
        if loose:
            yield loose

    def _cell_texts(self, row: list[etree._Element | str]) -> list[str]:
        """The text of each cell; empty where the row is no line of a table: a cell holds more than a
        paragraph, or words stand outside the cells."""
        texts = []
        for piece in row:
            if isinstance(piece, str):
                return []
            if self.role(piece) == "cell":
                if self._is_rich(piece):
                    return []
                texts.append(self.flat(piece))
            elif any(str(words).strip() for words in piece.itertext()):
                return []
        return texts

    def _is_rich(self, cell: etree._Element) -> bool:
        """Whether a cell holds more than one paragraph, so that the table is one of layout."""
        roles = [self.role(c) for c in cell.iterdescendants() if isinstance(c.tag, str)]
        return roles.count("paragraph") > 1 or bool(
            {"bullets", "numbers", "definitions", "code", "table", "heading"} & set(roles)
        )


def _name(e: etree._Element) -> str:
    """The element's name without its namespace. Repaired HTML holds names that `etree.QName` refuses."""
    return str(e.tag).rpartition("}")[2].lower()


def _parent(e: etree._Element) -> str:
    parent = e.getparent()
    return "" if parent is None else _name(parent)


def _identity(e: etree._Element) -> str | None:
    return e.get("id") or e.get("{http://www.w3.org/XML/1998/namespace}id") or None


def _inner_identity(e: etree._Element) -> str | None:
    return next((i for a in e.iterdescendants("{*}a") if (i := a.get("id") or a.get("name"))), None)


def _holds(test: str) -> bool:
    """A Mallard condition where no platform, target or action is given: only negations hold."""
    return any(all(t.startswith("!") for t in either.split()) for either in test.split(","))
