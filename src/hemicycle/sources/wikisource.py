"""Wikisource, from the HTML dumps of Wikimedia Enterprise (see `wikimedia`): texts of others, transcribed.

The licence of a page is that of the edition: the contributors' transcription. The text stands under the
terms of those who wrote, translated and illustrated it, as far as the page names them: the header of a page
marks them with the ids or classes ``ws-author``, ``ws-translator``, ``ws-illustrator``, ``ws-editor`` and
so on. They come without years, so the rights stay unknown until the project's authority file completes
them. A page without such marks has no authors. ``ws-year`` is the year of the edition, not of the first
publication.

A work is spread over pages (``Le Moulin/I``, ``Le Moulin/II``); they are one group, and never part at the
split.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from lxml import etree

from hemicycle.documents import Author, Document
from hemicycle.sources.tei_header import lifetime
from hemicycle.sources.wikimedia import Entry, document_of, page_of, read_dump, text_of
from hemicycle.sources.xml import squeeze

if TYPE_CHECKING:
    from hemicycle.project import Card

_ROLES = {
    "ws-author": "author",
    "ws-translator": "translator",
    "ws-illustrator": "illustrator",
    "ws-editor": "editor",
    "ws-scientific-editor": "editor",
    "ws-preface": "preface",
    "ws-composer": "composer",
    "ws-contributor": "contributor",
}

#: What may stand between names that are links, and what stands where nobody is named.
_BETWEEN = re.compile(r"(?:et|and|avec|&|[\s,;.:()/–-])*", re.IGNORECASE)
_LONGEST, _MOST = 2_000, 50
_NOBODY = re.compile(r"[\s?.…–-]*", re.IGNORECASE)


def read(folder: Path, card: Card) -> Iterator[Document]:
    """One document a page of the main namespace.

    Raises:
        InputError: with file and line, for a line that is no page or cannot be read.
    """
    return read_dump(folder, card, transcription)


def transcription(entry: Entry) -> Document:
    marks = _marks(entry.root)
    year = next((m[0] for e in marks.get("ws-year", ()) if (m := re.search(r"\b\d{4}\b", _words(e)))), None)
    authors = [a for mark, role in _ROLES.items() for e in marks.get(mark, ()) for a in _people(e, role)]
    work = (text_of(entry.row, "name") or "").split("/")[0].strip()
    return document_of(
        entry,
        page_of(entry),
        "edition",
        authors=tuple(dict.fromkeys(authors)),
        date=year,
        group=f"work:{work}" if work else None,
    )


def _marks(root: etree._Element) -> dict[str, list[etree._Element]]:
    """The elements marked by an id or a class that begins with ``ws-``."""
    found: dict[str, list[etree._Element]] = {}
    for e in root.iter():
        if isinstance(e.tag, str):
            for word in {*(e.get("class") or "").split(), e.get("id") or ""}:
                if word.startswith("ws-"):
                    found.setdefault(word, []).append(e)
    return found


def _words(e: etree._Element) -> str:
    return squeeze("".join(map(str, e.itertext())).replace("\u00a0", " "))


def _people(e: etree._Element, role: str) -> Iterator[Author]:
    """Who is named: a link a person; where a name stands beside links, all of it is one unknown person."""
    whole = _words(e)[:_LONGEST]
    if _NOBODY.fullmatch(whole):
        return
    links = [words for words in map(_words, e.iter("a")) if words]
    if 1 < len(links) <= _MOST and len(whole) < _LONGEST:
        beside = whole
        for words in links:
            beside = beside.replace(words, " ", 1)
        if _BETWEEN.fullmatch(re.sub(r"\([^()]{0,30}\)", " ", beside)):
            yield from (Author(words, role) for words in links)
            return
    name, birth, death = lifetime(whole)
    flags = ("anonymous",) if re.fullmatch(r"anonym(?:e|ous)", name, re.IGNORECASE) else ()
    yield Author(name, role, birth, death, flags)
