"""Files of pages that make a document: those of a folder, in their order; a file beside no folder is one
alone.

The day of the print is what the path says (``1889-11-26/p1.xml``, ``moniteur_1790-06.pdf``), as precise as it
stands there. Who wrote is in no file of pages, so the rights of such a document stay unknown until a card or
an authority file says more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from hemicycle.documents import Document
from hemicycle.errors import InputError
from hemicycle.sources import selected_files
from hemicycle.sources.scanned import Reading
from hemicycle.sources.text import iso_date
from hemicycle.sources.xml import Element, name_of

if TYPE_CHECKING:
    from hemicycle.project import Card

_DATE = re.compile(r"(?<!\d)(1[4-9]\d\d|20\d\d)(?:[-_](\d\d)(?:[-_](\d\d))?)?(?!\d)")
_HREF = "{http://www.w3.org/1999/xlink}href"


@dataclass(frozen=True)
class File:
    path: Path
    place: str


@dataclass(frozen=True)
class Volume:
    """The files of one document; `origin` is the folder, or the file that stands in none."""

    origin: str
    files: tuple[File, ...]

    @property
    def date(self) -> str | None:
        """The last date in the origin, ISO 8601."""
        for found in reversed(list(_DATE.finditer(self.origin))):
            for pieces in (found.groups(), found.groups()[:2], found.groups()[:1]):
                day = iso_date("-".join(pieces)) if all(pieces) else None
                if day:
                    return day
        return None


def volumes(folder: Path, card: Card, suffixes: tuple[str, ...]) -> Iterator[Volume]:
    """The selected files by folder, in the order of the folders' names, then of the files'.

    Raises:
        InputError: a file has none of the suffixes.
    """
    found: dict[str, list[File]] = {}
    for path in selected_files(folder, card):
        place = path.relative_to(folder).as_posix()
        if path.suffix.lower() not in suffixes:
            raise InputError(
                f"this is no page by its name (known: {', '.join(suffixes)})",
                place=place,
                remedy="Leave it out with `exclude` in the source card.",
            )
        parent = str(PurePosixPath(place).parent)
        found.setdefault(place if parent == "." else parent, []).append(File(path, place))
    for origin in sorted(found):
        yield Volume(origin, tuple(sorted(found[origin], key=lambda file: in_order(file.path.name))))


def in_order(name: str) -> tuple[tuple[tuple[int, str], ...], str]:
    """A key that puts ``p2`` before ``p10``."""
    pieces = re.findall(r"[0-9]{1,18}|[^0-9]+", name)
    return tuple((int(p), "") if p[0].isdecimal() else (-1, p) for p in pieces), name


def order_of_mets(root: Element, files: Sequence[File], place: str) -> list[File]:
    """Files in the order of the physical map of a METS file. Raises InputError where it does not name one."""
    hrefs = {
        e.get("ID"): (next((c.get(_HREF) for c in e if name_of(c) == "FLocat"), None) or "")
        for e in root.iter("{*}file")
    }
    maps = [e for e in root.iter("{*}structMap")]
    physical = [e for e in maps if (e.get("TYPE") or "").upper() == "PHYSICAL"] or maps
    pointers = [e.get("FILEID") for one in physical[:1] for e in one.iter() if name_of(e) in ("fptr", "area")]
    named: dict[str, int] = {}
    for identity in pointers:
        name = re.split(r"[/\\]", hrefs.get(identity, ""))[-1]
        named.setdefault(name, len(named))
    for file in files:
        if file.path.name not in named:
            raise InputError(
                f"the physical map of {place} does not name this page",
                place=file.place,
                remedy="Leave the page, or the METS file, out with `exclude`.",
            )
    return sorted(files, key=lambda file: named[file.path.name])


def document_of(volume: Volume, reading: Reading, title: str | None = None) -> Document:
    """The document of a volume. Raises InputError where no page has a word."""
    if not reading.text:
        raise InputError(
            "no page holds a word",
            place=volume.origin,
            remedy="Leave it out with `exclude` in the source card.",
        )
    return Document(
        origin=volume.origin,
        text=reading.text,
        parts=reading.parts,
        title=title or PurePosixPath(volume.origin).name,
        date=volume.date,
        confidence=reading.confidence,
        counts=reading.counts,
    )
