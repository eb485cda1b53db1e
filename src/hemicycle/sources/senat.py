"""Verbatim reports of the Sénat: one document a file, which is a day of sittings.

The site's ``cri.zip`` holds ``cri/dYYYYMMDD.xml``: pages of XHTML in ISO-8859-1 with elements of the
namespace ``http://senat.fr/schemas/thb/cri`` among them. ``cri:intervenant[@mat][@nom][@civ][@qua]`` bounds
what one person says; in its first paragraph the name and the office are printed (``span.orateur_nom``,
``.orateur_qualite``); ``span.info_entre_parentheses`` is a stage direction. Text and parts are those of
`hemicycle.sources.syceron`; the anchors of turns are the `id` of the paragraph or of its ``cri:intervenant``.

The traps: most of these files are not well-formed (a reader of XML refuses nineteen of twenty), so tags and
words are taken in their order, and no tree is built that would have to be guessed; a page that ends before
its root is closed is cut short; the day is in the name of the file, and one file is known to be misdated
into the future; one sitting may go on after midnight; the letters of Windows stand among those of Latin-1.

No file of the publisher's was at hand; what is said above was reported by programs that read them. Assumed:
paragraphs and cells whose class begins with ``titre``, and HTML headings, are headings; inside a
``cri:intervenant`` a paragraph without a printed name goes on with the turn; between two of them nobody
speaks unless a name is printed.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from hemicycle.documents import Document, Part
from hemicycle.errors import InputError
from hemicycle.sources.debate import Debate, Opening, Runs, Speaker, opening
from hemicycle.sources.printed import is_chair, iso_date, superscript
from hemicycle.sources.trees import MAX_PAGE, latin_text, windows_letters
from hemicycle.sources.xml import BREAK, squeeze
from hemicycle.sources.zipped import XmlFile, xml_files

if TYPE_CHECKING:
    from hemicycle.project import Card

NAMESPACE = "http://senat.fr/schemas/thb/cri"

_TOKEN = re.compile(r"<(/?)([A-Za-z][\w:.-]*)([^<>]*)>|<[!?][^<>]*>|[^<]+|<")
_ATTRIBUTE = re.compile(r"([\w:.-]{1,60})\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")

_BLOCKS = {
    "p", "div", "table", "tbody", "thead", "tr", "ul", "ol", "li", "dl", "dt", "dd", "blockquote", "hr",
    "pre", "body", "html", "center",
}  # fmt: skip
_HEADINGS = {f"h{n}" for n in range(1, 7)}
_SILENT = {"script", "style", "head", "title"}

#: How the words inside a class or a `cri:` element are printed: the name in bold, the rest in italics.
_BOLD = {"orateur_nom", "orateurnom"}
_ITALIC = {
    "orateur_qualite", "orateurqualite", "info_entre_parentheses", "infoentreparentheses", "i", "em",
    "italique",
}  # fmt: skip
_RAISED = {"sup", "exposant"}


def read(folder: Path, card: Card) -> Iterator[Document]:
    """One document a file, from the selected ``.xml`` files and from those inside ``.zip`` files.

    Raises:
        InputError: a file is no such report, is cut short or in another encoding, or a day is there twice.
    """
    places: dict[str, str] = {}
    for file in xml_files(folder, card, MAX_PAGE):
        name = PurePosixPath(file.member or file.path).name
        if name in places:
            raise InputError(
                f"the report {name} is here a second time: it was read in {places[name]}",
                place=file.place,
                remedy="Keep the later version, and name the other in `exclude` of the source card.",
            )
        places[name] = file.place
        yield day(file)


def day(file: XmlFile) -> Document:
    """The document of one file."""
    text = _without_comments(latin_text(file.data, file.place), file.place)
    root = re.search(r"<([A-Za-z][\w:.-]*)", text)
    if NAMESPACE not in text or root is None:
        raise InputError(
            f"this is no report of the Sénat: the namespace {NAMESPACE} is not there",
            place=file.place,
            remedy="Choose another reader in the source card, or leave the file out with `exclude`.",
        )
    if not re.search(rf"</{re.escape(root[1])}\s*>\s*$", text):
        raise InputError(
            f"the report is cut short: its root “{root[1]}” is not closed",
            place=file.place,
            remedy="Fetch it again.",
        )
    if "<!ENTITY" in text:
        raise InputError("the file declares entities, and none is ever expanded", place=file.place)
    page = _Page()
    for token in _TOKEN.finditer(text):
        page.token(token)
    page.flush()
    if page.silent:
        raise InputError(f"the element “{page.silent}” is never closed", place=file.place)
    page.debate.end_of_turn(Part(0, 0, title=page.title))
    words, parts = page.debate.text.finish()
    stated = _date(file)
    return Document(
        origin=file.place,
        text=words,
        parts=parts,
        title=f"Sénat, séance du {stated}" if stated else page.title,
        authors=page.debate.authors,
        date=stated or iso_date(words[:2_000]),
        kind="debate",
    )


def _date(file: XmlFile) -> str | None:
    """The day in the name of the file; None where the calendar has no such day."""
    named = re.search(r"d?(\d{4})(\d\d)(\d\d)", PurePosixPath(file.member or file.path).stem)
    try:
        return date(int(named[1]), int(named[2]), int(named[3])).isoformat() if named else None
    except ValueError:
        return None


def _without_comments(text: str, place: str) -> str:
    """The page without its comments, and with what stands in CDATA sections as words."""
    pieces: list[str] = []
    at = 0
    while (start := text.find("<!", at)) >= 0:
        pieces.append(text[at:start])
        opened = next((o for o in ("<!--", "<![CDATA[") if text.startswith(o, start)), None)
        if opened is None:
            pieces.append("<!")
            at = start + 2
            continue
        end = text.find("-->" if opened == "<!--" else "]]>", start + len(opened))
        if end < 0:
            line = text.count("\n", 0, start) + 1
            raise InputError("a comment is never closed", place=f"{place}, line {line}")
        if opened != "<!--":
            pieces.append(html.escape(text[start + len(opened) : end]))
        at = end + 3
    return "".join([*pieces, text[at:]])


class _Page:
    """The walk through one report, tag by tag."""

    def __init__(self) -> None:
        self.debate = Debate()
        self.title: str | None = None
        self._runs = Runs()
        self._row = False
        self._heading = False
        #: The element under way whose words are not of the report.
        self.silent = ""
        self._anchor: str | None = None
        #: What ``cri:intervenant`` says of who speaks, until its words are printed.
        self._person: dict[str, str] | None = None
        self._announced = False
        #: Open elements that change how words are printed: name, bold, italic, raised.
        self._styles: list[tuple[str, bool, bool, bool]] = []

    def token(self, token: re.Match[str]) -> None:
        closing, tag, rest = token[1], token[2], token[3]
        if tag is None:
            if token[0][:2] not in ("<!", "<?") and not self.silent:
                self._words(html.unescape(token[0]))
            return
        name = tag.rpartition(":")[2].lower()
        empty = rest.rstrip().endswith("/")
        if self.silent:
            if closing and tag.lower() == self.silent:
                self.silent = ""
            return
        if tag.lower() in _SILENT:
            if not closing and not empty:
                self.silent = tag.lower()
        elif name == "intervenant":
            self.flush()
            self._intervenant({} if closing else _attributes(rest), opened=not closing and not empty)
        elif name in _BLOCKS or name in _HEADINGS:
            self._block(name, "" if closing else rest, opened=not closing)
        elif name in ("td", "th"):
            if not closing and self._runs.text.strip():
                self._runs.add(" | ")
        elif name == "br":
            self._runs.add(BREAK, *self._style()[:2])
        elif closing:
            self._close(name)
        elif not empty:
            self._open(name, rest)

    def _words(self, text: str) -> None:
        bold, italic, raised = self._style()
        text = windows_letters(text).replace(BREAK, " ").replace("\0", "")
        # Runs are told apart as bold and italic; a name is both where it stands inside an italic stretch.
        self._runs.add(superscript(self._runs.ending, text) if raised else text, italic and not bold, bold)

    def _style(self) -> tuple[bool, bool, bool]:
        return self._styles[-1][1:] if self._styles else (False, False, False)

    def _open(self, name: str, rest: str) -> None:
        bold, italic, raised = self._style()
        classes = {name, *_attributes(rest).get("class", "").split()}
        self._styles.append(
            (
                name,
                bold or bool(classes & _BOLD),
                italic or bool(classes & _ITALIC),
                raised or name in _RAISED,
            )
        )

    def _close(self, name: str) -> None:
        """Close the nearest open element of this name, and what was left open inside it."""
        for at in range(len(self._styles) - 1, max(-1, len(self._styles) - 64), -1):
            if self._styles[at][0] == name:
                del self._styles[at:]
                return

    def _block(self, name: str, rest: str, *, opened: bool) -> None:
        if name == "p" and self._row:
            return
        self.flush()
        if name in ("tr", "table"):
            self._row = opened and name == "tr"
        if name in ("p", "tr") or name in _HEADINGS:
            self._styles.clear()
        attributes = _attributes(rest)
        self._anchor = attributes.get("id") if opened else None
        titled = any(c.lower().startswith("titre") for c in attributes.get("class", "").split())
        self._heading = opened and (name in _HEADINGS or titled)

    def _intervenant(self, said: dict[str, str], *, opened: bool) -> None:
        self._styles.clear()
        self._person = (
            {key: squeeze(windows_letters(value)) for key, value in said.items()} if opened else None
        )
        self._announced = opened
        self.debate.end_of_turn(Part(0, 0, title=self.title))

    def flush(self) -> None:
        """Print the words of the block that has just ended."""
        runs, self._runs = self._runs, Runs()
        if not runs.text.strip():
            return
        if self._heading:
            self.debate.end_of_turn(Part(0, 0, title=self.title))
            self.title = squeeze(runs.text.replace(BREAK, " "))
            self.debate.heading(runs.text, self._anchor, self.title)
            self._announced = self._person is not None
            return
        if self._announced and self._person is not None and self._person.get("mat"):
            runs.persons.append((0, f"senat:{self._person['mat']}"))
        found = opening(runs)
        anchor = self._anchor
        if self._announced and self._person is not None:
            anchor = anchor or self._person.get("id")
            found = found or self._told(runs)
            self._announced = found is None
        self.debate.line(runs, found, Part(0, 0, anchor, title=self.title))

    def _told(self, runs: Runs) -> Opening | None:
        """The speaker that only the attributes name; a stage direction before the words does not take it."""
        assert self._person is not None
        name = squeeze(f"{self._person.get('civ', '')} {self._person.get('nom', '')}")
        if not name or runs.stages()[:1] == [(0, runs.length)]:
            return None
        office = self._person.get("qua") or None
        identities = tuple(identity for _, identity in runs.persons)
        return Opening(
            Speaker(name, office, identities, is_chair(name) or office == "président de séance"), 0
        )


def _attributes(rest: str) -> dict[str, str]:
    return {
        m[1].lower(): html.unescape(m[2] if m[2] is not None else m[3]) for m in _ATTRIBUTE.finditer(rest)
    }
