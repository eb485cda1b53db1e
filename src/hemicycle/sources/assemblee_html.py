"""Sittings of the Assemblée nationale as its site served them around 2013 (``.asp``): one document a sitting.

These pages fill the years for which no XML is published. The sitting stands inside ``#englobe``, between two
comments, ``ZZTAGZZ DEBUT_SEANCE_n`` and ``FIN_SEANCE_n``; the site's menus, the summary and the signature
lie outside and are left out. Text and parts are those of `hemicycle.sources.syceron`: ``heading``, ``turn``,
``paragraph``, ``stage``. A turn begins with a paragraph whose first words are in bold; paragraphs without
bold go on with it. Anchors are the page's own: ``INTER_n`` of a turn, for the others that of their heading.

The traps: the page says ISO-8859-1 and holds the quotation marks of Windows, as browsers know; the office
stands in italics behind the name, and the full stop between them and the words may be inside or outside the
italics or the bold; two names may be joined by “et”; a deputy's name is a link that holds the id of the
person, while ministers and the chair have none; the anchor of a turn stands before its name; the rank
of an item (``h5.numencad``) is no title.

Assumed, where the two pages that this was tried on do not show it: a page without the two comments is read
from ``#englobe`` without its head and summary, if it is whole; a wholly bold paragraph is a heading.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from hemicycle.documents import Document, Part
from hemicycle.errors import InputError
from hemicycle.sources import selected_files
from hemicycle.sources.debate import Debate, Runs, opening
from hemicycle.sources.printed import iso_date, superscript
from hemicycle.sources.trees import MAX_PAGE, html_root, latin_text, windows_letters
from hemicycle.sources.xml import BREAK, Element, name_of, read_bytes, squeeze, words_of

if TYPE_CHECKING:
    from hemicycle.project import Card

PAGES = (".asp", ".html", ".htm")

_MARK = re.compile(r"<!--\s*ZZTAGZZ\s+(DEBUT|FIN)_SEANCE_?(\d{0,6})[^<>]{0,80}-->")
_BOUND = "zztagzz-"

_HEADINGS = {f"h{n}" for n in range(1, 7)}
_INLINE = {
    "a", "abbr", "b", "big", "br", "cite", "em", "font", "i", "img", "small", "span", "strong", "sub",
    "sup", "u",
}  # fmt: skip
_SILENT = {"script", "style", "noscript", "template", "img", "head"}
#: Parts of the page around the sitting, by class and by id.
_AROUND = {"entete", "sompopup"}
_AROUND_IDS = {"somjo", "signature"}

_PERSON = re.compile(r"fiches_id/(\d{1,9})\.asp")


def read(folder: Path, card: Card) -> Iterator[Document]:
    """One document a sitting, from the selected ``.asp`` and ``.html`` files.

    Raises:
        InputError: a file is not such a page, is cut short or in another encoding, or a sitting is there
            twice.
    """
    places: dict[str, str] = {}
    for path in selected_files(folder, card):
        origin = path.relative_to(folder).as_posix()
        if path.suffix.lower() not in PAGES:
            raise InputError(
                f"the card selects this file, and it is no page ({', '.join(PAGES)})",
                place=origin,
                remedy='Say in the source card which files are meant, e.g. include = ["**/*.asp"].',
            )
        number, document = sitting(read_bytes(path, origin, MAX_PAGE), origin)
        if number is not None and number in places:
            raise InputError(
                f"the sitting {number} is here a second time: it was read in {places[number]}",
                place=origin,
                remedy="Keep the later version, and name the other in `exclude` of the source card.",
            )
        if number is not None:
            places[number] = origin
        yield document


def sitting(data: bytes, origin: str) -> tuple[str | None, Document]:
    """The publisher's number of a sitting (legislature and document), and its document."""
    text = latin_text(data, origin)
    marks = [mark[1] for mark in _MARK.finditer(text)]
    if marks not in (["DEBUT", "FIN"], []):
        raise InputError(
            "the sitting has no end"
            if marks == ["DEBUT"]
            else "the marks of the sitting's bounds are in disorder",
            place=origin,
            remedy="The page is cut short or damaged; fetch it again.",
        )
    if not marks and not re.search(r"</html\s*>\s*$", text, re.IGNORECASE):
        raise InputError("the page is cut short", place=origin, remedy="Fetch it again.")
    root = html_root(_MARK.sub(rf'<a name="{_BOUND}\1"></a>', text), origin)
    body = next((e for e in root.iter("div") if e.get("id") == "englobe"), None)
    if body is None:
        raise InputError(
            "this is no report of a sitting: no element has the id “englobe”",
            place=origin,
            remedy="Choose another reader in the source card, or leave the page out with `exclude`.",
        )
    facts = {
        str(e.get("name")): _plain(e.get("content") or "").strip() for e in root.iter("meta") if e.get("name")
    }
    page = _Page(bounded=bool(marks))
    page.container(body)
    page.end()
    if page.open or (marks and not page.bounds_met):
        raise InputError("the bounds of the sitting are not inside “englobe”", place=origin)
    words, parts = page.debate.text.finish()
    number = facts.get("NUMERO_DOCUMENT") or None
    title = facts.get("QUANTIEME_SEANCE") or next(
        (_plain(words_of(e)) for e in body.iter("h1") if words_of(e)), None
    )
    legislature = facts.get("LEGISLATURE_ID", "")
    return f"{legislature}-{number}" if number else None, Document(
        origin=origin,
        text=words,
        parts=parts,
        title=f"{title} ({number})" if title and number else title,
        authors=page.debate.authors,
        date=iso_date(title or ""),
        kind="debate",
    )


def _plain(text: str) -> str:
    return windows_letters(text).replace(BREAK, " ")


class _Words(Runs):
    """One paragraph, with the ids of the persons that it links to and the anchors that stand in it."""

    def __init__(self, element: Element | None = None) -> None:
        super().__init__()
        #: Offset and name of each anchor.
        self.anchors: list[tuple[int, str]] = []
        if element is not None:
            self.read(element)

    def read(self, element: Element, italic: bool = False, bold: bool = False) -> None:
        """Add an element with all that is in it."""
        name = name_of(element)
        if name in _SILENT or _is_comment(element):
            return
        italic, bold = italic or name in ("i", "em"), bold or name in ("b", "strong")
        if name == "br":
            self.add(BREAK, italic, bold)
        if name == "a":
            person = _PERSON.search(element.get("href") or "")
            if person:
                self.persons.append((self.length, f"PA{person[1]}"))
            if element.get("name"):
                self.anchors.append((self.length, str(element.get("name"))))
        if name == "sup" and not len(element):
            self.add(superscript(self.ending, _plain(element.text or "")), italic, bold)
            return
        self.add(_plain(element.text or ""), italic, bold)
        for child in element:
            self.read(child, italic, bold)
            self.add(_plain(child.tail or ""), italic, bold)


def _is_comment(element: Element) -> bool:
    return not isinstance(element.tag, str)


class _Page:
    """The walk through the sitting, block by block."""

    def __init__(self, *, bounded: bool) -> None:
        self.debate = Debate()
        self.open = not bounded
        self.bounds_met = False
        self._bounded = bounded
        self._loose = _Words()
        self._title: str | None = None
        self._anchor: str | None = None
        #: The turn's own anchor; its later paragraphs are cited by it.
        self._turn: str | None = None

    def end(self) -> None:
        self._flush()
        self.debate.end_of_turn(Part(0, 0, self._anchor, title=self._title))
        if not self._bounded:
            self.open, self.bounds_met = False, True

    def container(self, element: Element) -> None:
        """Read everything below an element, whatever it is called."""
        self._add(element.text)
        for child in element:
            if not _is_comment(child) and name_of(child) not in _SILENT:
                self._child(child)
            self._add(child.tail)
        if name_of(element) not in _INLINE:
            self._flush()

    def _child(self, child: Element) -> None:
        name = name_of(child)
        if (child.get("class") or "") in _AROUND or (child.get("id") or "") in _AROUND_IDS:
            return
        if (child.get("name") or "").startswith(_BOUND):
            self._bound(str(child.get("name")))
        elif name in _INLINE and all(name_of(e) in _INLINE for e in child.iterdescendants()):
            if self.open:
                self._loose.read(child)
        elif name in _HEADINGS:
            self._flush()
            self._heading(child)
        elif name == "p" or (name == "tr" and _is_plain_row(child)):
            self._flush()
            self._paragraph(child)
        else:
            if name not in _INLINE:
                self._flush()
            self.container(child)

    def _bound(self, mark: str) -> None:
        self._flush()
        self.open = mark == f"{_BOUND}DEBUT"
        self.bounds_met |= not self.open

    def _add(self, text: str | None) -> None:
        if self.open and text:
            self._loose.add(_plain(text))

    def _flush(self) -> None:
        """Print words that stand in no paragraph as one."""
        words, self._loose = self._loose, _Words()
        self._print(words)

    def _heading(self, element: Element) -> None:
        words = _Words(element)
        text = squeeze(words.text.replace(BREAK, " "))
        if not self.open or not text:
            return
        self.debate.end_of_turn(Part(0, 0, self._anchor, title=self._title))
        anchor = next((name for _, name in words.anchors), None)
        kind = element.get("class") or ""
        if kind == "numencad":
            self.debate.heading(text, anchor)
        else:
            if kind != "presidence":
                self._title, self._anchor = text, anchor
            self.debate.heading(text, anchor, self._title)
        self._turn = None

    def _paragraph(self, element: Element) -> None:
        bounds = [e for e in element.iter("a") if (e.get("name") or "").startswith(_BOUND)]
        if any(str(e.get("name")).endswith("DEBUT") for e in bounds):
            self._bound(f"{_BOUND}DEBUT")
        if self.open:
            if name_of(element) == "tr":
                self._print(_row(element))
            elif any(name_of(e) not in _INLINE for e in element.iterdescendants() if not _is_comment(e)):
                self.container(element)
            else:
                self._print(_Words(element))
        if any(str(e.get("name")).endswith("FIN") for e in bounds):
            self._bound(f"{_BOUND}FIN")

    def _print(self, words: _Words) -> None:
        text = words.text
        if not text.strip():
            return
        found = opening(words)
        wholly_bold = all(bold for bold, letter in zip(words.bold, text, strict=True) if not letter.isspace())
        if wholly_bold and (found is None or not (found.speaker.chair or found.speaker.identities)):
            self.debate.end_of_turn(Part(0, 0, self._anchor, title=self._title))
            self.debate.heading(text, self._anchor, self._title)
            self._turn = None
            return
        if found is not None:
            self._turn = next((n for at, n in words.anchors if at <= found.start and n[:6] == "INTER_"), None)
        self.debate.line(words, found, Part(0, 0, self._turn or self._anchor, title=self._title))


def _is_plain_row(row: Element) -> bool:
    return all(name_of(e) in _INLINE | {"td", "th"} for e in row.iterdescendants() if not _is_comment(e))


def _row(row: Element) -> _Words:
    """The cells of a row on one line."""
    words = _Words()
    words.add(_plain(row.text or ""))
    cells = 0
    for cell in row:
        if not _is_comment(cell):
            if cells:
                words.add(" | ")
            cells += 1
            words.read(cell)
        words.add(_plain(cell.tail or ""))
    return words
