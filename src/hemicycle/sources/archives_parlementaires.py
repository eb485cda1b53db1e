"""Archives parlementaires in the TEI of the French Revolution Digital Archive: one document a sitting.

A file is a volume (``TEI.2/text/body/div1[@type=volume]``), and each of its ``div2`` is a sitting or a table.
It becomes a document of its own; what stands outside them (the volume's title, front and back matter) is one
more, so that nothing is lost. Words and parts are those of `hemicycle.sources.tei`. What has no id of its own
is cited by the page it begins on: ``pb/@id``, which names the image.

The traps: the day is in ``date/@value``, the printed one is often misread; a speaker may be empty or
missing, and then the words are nobody's; a sitting begins in the middle of a page, so two share one; the
spelling of a name varies with the print and its reading, so a list of speakers is a list of spellings.

The words were first published in the year of the sitting, which is what is known of a speaker's term; years
of birth and death are not in the files. No file of the publisher's was at hand: the layout is the one that
its own indexing program was tested on. Assumed: a ``div2`` of any type and in any place is a document, and
text that is not in one is kept with the volume.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from hemicycle.documents import Author, Document, Part
from hemicycle.errors import InputError
from hemicycle.sources.printed import is_chair
from hemicycle.sources.tei_header import Header, read_header
from hemicycle.sources.tei_page import words_and_parts
from hemicycle.sources.xml import Element, name_of, parse, place_of, squeeze, words_of
from hemicycle.sources.zipped import XmlFile, xml_files

if TYPE_CHECKING:
    from hemicycle.project import Card

_ID = "{http://www.w3.org/XML/1998/namespace}id"

#: What is cited by its page where it has no id; inside a speech the speech is.
_CITED = {"sp", "p", "head", "note", "list", "item", "stage", "table", "ab"}


def read(folder: Path, card: Card) -> Iterator[Document]:
    """One document a sitting, then the rest of the volume, from ``.xml`` files and those inside ``.zip``.

    Raises:
        InputError: a file is not well-formed, not TEI, or holds no volume.
    """
    for file in xml_files(folder, card):
        root = parse(file.data, file.place)
        volumes = [e for e in root.iter("{*}div1") if e.get("type") == "volume"]
        if name_of(root) not in ("TEI.2", "TEI") or not volumes:
            raise InputError(
                f"the root element is “{name_of(root)}” and it holds {len(volumes)} “div1” of type volume",
                place=place_of(root, file.place),
                remedy="Choose another reader in the source card, or leave the file out with `exclude`.",
            )
        yield from _volume(root, volumes[0].get("n") or "", file)


def _volume(root: Element, number: str, file: XmlFile) -> Iterator[Document]:
    header = read_header(root, file.place)
    volume = f"Archives parlementaires, tome {number}" if number else "Archives parlementaires"
    first = _number_pages(root)
    sections = [e for e in root.iter("{*}div2") if not any(name_of(a) == "div2" for a in e.iterancestors())]
    taken: dict[str, int] = {}
    for section in sections:
        page = first.get(section) or "section"
        taken[page] = taken.get(page, 0) + 1
        key = page if taken[page] == 1 else f"{page}-{taken[page]}"
        day = _day(section)
        heading = next((words_of(h) for h in section.iter("{*}head") if words_of(h)), "")
        named = f"séance du {day}" if day and section.get("type") == "session" else heading
        yield _document(
            words_and_parts([section]),
            f"{file.place}#{key}",
            ", ".join(filter(None, (volume, named[:200]))),
            day,
            header,
        )
        _empty(section)
    texts = [e for e in root if name_of(e) == "text"]
    rest = words_and_parts(texts)
    if rest[0]:
        yield _document(rest, f"{file.place}#volume", f"{volume}, hors séances", None, header)


def _document(
    read_text: tuple[str, tuple[Part, ...]], origin: str, title: str, day: str | None, header: Header
) -> Document:
    text, parts = read_text
    year = int(day[:4]) if day else None
    names = dict.fromkeys(p.speaker for p in parts if p.speaker and not is_chair(p.speaker))
    speakers = (Author(squeeze(name), role="speaker", published=year) for name in names)
    return Document(
        origin=origin,
        text=text,
        parts=parts,
        title=title,
        authors=(*header.authors, *speakers),
        date=day,
        language=header.language,
        kind="debate",
        licences=header.licences,
    )


def _number_pages(root: Element) -> dict[Element, str]:
    """Give what has no id that of its page, and return the page that each section begins on.

    A section begins on the page of its first word, which may stand behind a page break of its own.
    """
    page = ""
    began: dict[Element, str] = {}
    waiting: list[Element] = []
    spoken: Element | None = None
    for element in root.iter():
        name = name_of(element)
        own = element.get("id")
        if own is not None:
            del element.attrib["id"]
        if name == "pb":
            page = own or element.get(_ID) or page
            continue
        if own and not element.get(_ID):
            element.set(_ID, own)
        if spoken is not None and not any(a is spoken for a in element.iterancestors()):
            spoken = None
        if name == "div2":
            waiting.append(element)
        elif name in _CITED:
            for section in waiting:
                began[section] = page
            waiting.clear()
            if page and not element.get(_ID) and spoken is None:
                element.set(_ID, page)
        if name == "sp" and spoken is None:
            spoken = element
    return began


def _day(section: Element) -> str | None:
    """The first day that the section states as a value."""
    for stated in section.iter("{*}date"):
        value = re.fullmatch(r"\s*(\d{4})-(\d\d)-(\d\d)\s*", stated.get("value") or stated.get("when") or "")
        if value:
            try:
                return date(int(value[1]), int(value[2]), int(value[3])).isoformat()
            except ValueError:
                continue
    return None


def _empty(section: Element) -> None:
    """Take what was read out of the tree; the words behind it stay."""
    for child in list(section):
        section.remove(child)
    section.text = None
