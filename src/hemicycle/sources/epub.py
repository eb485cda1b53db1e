"""EPUB books: one file, one document, its chapters in the order of reading.

An EPUB is a zip whose package file names the pages and the order in which they are read (the spine). What is
not in that order is not read, nor is the book's own table of contents, which repeats its headings. Nothing is
written to disk, and members are inflated up to bounds (`zipped`).

The traps: a book may lock some of its pages and still look whole, so what `encryption.xml` names is refused;
what somebody did stands in two ways, EPUB 2's attributes and EPUB 3's refinements; and the date is that of
the edition, which says nothing of when the text was first published.
"""

from __future__ import annotations

import posixpath
import re
import urllib.parse
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from hemicycle.documents import Author, Document, Part, StatedLicence
from hemicycle.errors import InputError
from hemicycle.project import Card
from hemicycle.rights.optout import epub_metadata, metadata_signal
from hemicycle.sources import selected_files
from hemicycle.sources.markup import read_html
from hemicycle.sources.page import Page
from hemicycle.sources.tei_header import licence_expression, lifetime
from hemicycle.sources.text import bcp47, iso_date
from hemicycle.sources.trees import MAX_PAGE
from hemicycle.sources.xml import Element, parse, read_bytes, words_of
from hemicycle.sources.zipped import inflated, open_zip

#: Bytes of a file, of its package file, and of all the pages of a book.
FILE_LIMIT = 256 * 2**20
PACKAGE_LIMIT = 4 * 2**20
TEXT_LIMIT = 64 * 2**20
MOST_MEMBERS = 100_000

_PAGES = ("application/xhtml+xml", "text/html")
_OPF = "{http://www.idpf.org/2007/opf}"
#: MARC relators, by which books say who did what; whoever made the file of a book is none of its authors.
_ROLES = {
    **dict.fromkeys(["aut", ""], "author"),
    "trl": "translator",
    "ill": "illustrator",
    "edt": "editor",
    **dict.fromkeys(["aui", "aft", "win", "wpr"], "preface"),
    **dict.fromkeys(["bkp", "mrk", "cnv"], "encoder"),
    "trc": "transcriber",
    "pbl": "publisher",
}
_RIGHTS = ("rights", "license", "accessrights")


@dataclass(frozen=True)
class Package:
    """What the package file of a book says."""

    folder: str
    root: Element
    #: Pages of the text in the order of reading, by their names in the zip.
    spine: tuple[str, ...]


def read(folder: Path, card: Card) -> Iterator[Document]:
    """Yield one document a book, in the order of the paths.

    Raises:
        InputError: a file is no EPUB, is damaged, locked or hostile, or names pages that it does not hold.
    """
    for path in selected_files(folder, card):
        origin = path.relative_to(folder).as_posix()
        if path.suffix.lower() != ".epub":
            raise InputError(
                "this is not an EPUB by its name",
                place=origin,
                remedy='Leave it out in the card, for example with include = ["**/*.epub"].',
            )
        yield read_book(path, origin)


def read_book(path: Path, origin: str) -> Document:
    """One book; `origin` names it in messages. Raises InputError as `read` does."""
    if path.stat().st_size > FILE_LIMIT:
        raise InputError(
            f"the file is bigger than {FILE_LIMIT // 2**20} MiB, the most that is read",
            place=origin,
            remedy="Leave it out with `exclude` in the card.",
        )
    with open_zip(path, origin) as archive:
        book = _Book(archive, origin)
        package = book.package()
        if not package.spine:
            raise InputError(
                "its package file names no page in the order of reading (the spine)",
                place=origin,
                remedy="Fetch it again, or have the program that made it write it anew.",
            )
        book.refuse_locked(package)
        text, parts = book.chapters(package)
    root, data = package.root, read_bytes(path, origin, FILE_LIMIT)
    if not text:
        raise InputError(
            "the book holds no words",
            place=origin,
            remedy="Its pages may be pictures: name it in `exclude`.",
        )
    return Document(
        origin=origin,
        text=text,
        parts=tuple(parts),
        title=next(iter(_said(root, "title")), None),
        authors=tuple(_authors(root)),
        date=_date(root),
        language=next(filter(None, map(bcp47, _said(root, "language"))), None),
        licences=tuple(_licences(root, f"{origin}, package")),
        reservations=tuple(metadata_signal(f"{origin}, package", epub_metadata(data), data)),
    )


class _Book:
    """The members of one EPUB, each inflated when it is asked for."""

    def __init__(self, archive: zipfile.ZipFile, origin: str) -> None:
        self.archive, self.origin = archive, origin
        infos = archive.infolist()
        if len(infos) > MOST_MEMBERS:
            raise InputError(f"the zip file holds more than {MOST_MEMBERS:,} members", place=origin)
        twice = next((name for name, n in Counter(i.filename for i in infos).items() if n > 1), None)
        if twice is not None:
            raise InputError("the zip file holds two members of this name", place=f"{origin}#{twice}")
        self.members = {info.filename: info for info in infos}

    def member(self, name: str, limit: int) -> bytes:
        """The bytes of a member. Raises InputError: not there, damaged, hostile or above `limit`."""
        place = f"{self.origin}#{name}"
        info = self.members.get(name)
        if info is None:
            raise InputError(
                "the book names this member and does not hold it",
                place=place,
                remedy="Fetch it again and compare its digest.",
            )
        return inflated(self.archive, info, place, limit)

    def package(self) -> Package:
        container = self._xml("META-INF/container.xml")
        name = next((e.get("full-path") for e in container.iter("{*}rootfile")), None) or ""
        root = self._xml(name)
        folder = posixpath.dirname(name)
        pages = {
            item.get("id"): _inside(folder, item.get("href") or "")
            for item in root.iter("{*}item")
            if item.get("media-type") in _PAGES and "nav" not in (item.get("properties") or "").split()
        }
        named = (e.get("idref") for e in root.iter("{*}itemref"))
        spine = dict.fromkeys(pages[id] for id in named if id in pages)
        return Package(folder, root, tuple(spine))

    def _xml(self, name: str) -> Element:
        return parse(self.member(name, PACKAGE_LIMIT), f"{self.origin}#{name}")

    def refuse_locked(self, package: Package) -> None:
        """Refuse a book of which a page is encrypted; fonts that are disguised lock nothing."""
        if "META-INF/encryption.xml" not in self.members:
            return
        listed = self._xml("META-INF/encryption.xml")
        locked = {_inside("", e.get("URI") or "") for e in listed.iter("{*}CipherReference")}
        if locked & set(package.spine):
            raise InputError(
                f"{len(locked & set(package.spine))} of the {len(package.spine)} pages are encrypted",
                place=self.origin,
                remedy="Ask its publisher for a book without a lock.",
            )

    def chapters(self, package: Package) -> tuple[str, list[Part]]:
        """The text, a part a page of the spine, and inside it the parts of the page."""
        pieces: list[str] = []
        parts: list[Part] = []
        length = size = 0
        for name in package.spine:
            data = self.member(name, MAX_PAGE)
            size += len(data)
            if size > TEXT_LIMIT:
                raise InputError(
                    f"the pages come to more than {TEXT_LIMIT // 2**20} MiB, the most one document may have",
                    place=self.origin,
                )
            page = read_html(data, f"{self.origin}#{name}")
            if not page.text:
                continue
            if pieces:
                pieces.append("\n\n")
                length += 2
            parts += _placed(page, posixpath.relpath(name, package.folder or "."), length)
            pieces.append(page.text)
            length += len(page.text)
        return "".join(pieces), parts


def _placed(page: Page, name: str, start: int) -> Iterator[Part]:
    """The parts of a page where it stands in the book; their anchors begin with the page's name."""
    heading = next((page.text[p.start : p.end] for p in page.parts if p.kind == "heading"), None)
    title = heading or page.title
    yield Part(start, start + len(page.text), anchor=name, kind="chapter", title=title)
    for part in page.parts:
        anchor = f"{name}#{part.anchor}" if part.anchor else name
        yield replace(part, start=part.start + start, end=part.end + start, anchor=anchor)


def _inside(folder: str, address: str) -> str:
    """The name in the zip that an address in a file of `folder` means."""
    path = urllib.parse.unquote(address.partition("#")[0])
    return posixpath.normpath(posixpath.join(folder, path))


def _metadata(root: Element) -> Iterator[tuple[str, Element]]:
    """The elements of the metadata with their names in small letters, without a prefix."""
    for metadata in root.iter("{*}metadata"):
        for element in metadata.iter():
            name = str(element.tag).rpartition("}")[2].lower()
            if name in ("meta", "link"):
                stated = element.get("property") or element.get("name") or element.get("rel") or ""
                name = f"{name} {stated.rpartition(':')[2].rpartition('.')[2].lower()}"
            yield name, element


def _said(root: Element, name: str) -> list[str]:
    return [words for key, e in _metadata(root) if key == name and (words := words_of(e))]


def _authors(root: Element) -> Iterator[Author]:
    """Creators and contributors with what they did; who is named without a deed counts all the same."""
    refined = {
        (element.get("refines") or "").removeprefix("#"): words_of(element)
        for key, element in _metadata(root)
        if key == "meta role"
    }
    seen = set()
    for key, element in _metadata(root):
        if key not in ("creator", "contributor") or not words_of(element):
            continue
        code = (element.get(f"{_OPF}role") or refined.get(element.get("id") or "") or "").strip().lower()
        default = "author" if key == "creator" else "contributor"
        role = _ROLES.get(code, code[:40]) if code else default
        name, birth, death = lifetime(words_of(element)[:500])
        if (name, role) not in seen:
            seen.add((name, role))
            yield Author(name, role, birth, death)


def _date(root: Element) -> str | None:
    """The day of the edition: what is called its publication, else a date of no other kind."""
    dates = [(e.get(f"{_OPF}event") or "", words_of(e)) for key, e in _metadata(root) if key == "date"]
    for event in ("publication", "original-publication", ""):
        for stated, written in dates:
            day = iso_date(re.sub(r"T.*", "", written))
            if stated == event and day:
                return day
    return None


def _licences(root: Element, place: str) -> Iterator[StatedLicence]:
    """Every statement of rights, each once; one that names no licence we know is passed on in its words."""
    stated: dict[str, StatedLicence] = {}
    for key, element in _metadata(root):
        kind, _, name = key.rpartition(" ")
        if name in _RIGHTS:
            words = element.get("href") if kind == "link" else element.get("content") or words_of(element)
            if words:
                expression = licence_expression(words) or words[:200]
                stated.setdefault(expression, StatedLicence("file", expression, f"{place}: {words[:200]}"))
    yield from stated.values()
