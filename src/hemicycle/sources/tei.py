"""TEI: novels, plays and debates, a document a ``TEI`` element; how their words are printed is `tei_page`.

In debates (ParlaMint) those who speak are authors, each once, with the years of the list of persons where
there is one: in the file, or in a file of its own (``…-listPerson.xml``) that the card selects too. A sitting
in several languages is a document a language, see `hemicycle.sources.tei_languages`.
"""

from __future__ import annotations

import glob
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hemicycle.documents import Author, Document
from hemicycle.errors import InputError
from hemicycle.sources import selected_files
from hemicycle.sources.tei_header import people, read_header
from hemicycle.sources.tei_languages import by_language
from hemicycle.sources.tei_page import Page
from hemicycle.sources.xml import Element, name_of, parse, place_of
from hemicycle.sources.zipped import XmlFile, member_names, xml_files

if TYPE_CHECKING:
    from hemicycle.project import Card

_ID = "{http://www.w3.org/XML/1998/namespace}id"
_ROOTS = {"TEI", "TEI.2"}


def read(folder: Path, card: Card) -> Iterator[Document]:
    """One document a ``TEI`` element, from the selected ``.xml`` files and from those inside ``.zip`` files.

    Works of one author are one group, so that they stand on one side of the split together; a document
    whose author has no stated years (an institution) is a group of its own.

    Raises:
        InputError: a file is not well-formed or not TEI.
    """
    known = _listed(folder, card)
    for file in xml_files(folder, card):
        root = parse(file.data, file.place)
        origin = f"{file.path}#{file.member}" if file.member else file.path
        if name_of(root) in _ROOTS:
            yield from _documents(root, file, origin, known, card)
        elif name_of(root) == "teiCorpus":
            found = [e for e in root.iterdescendants() if name_of(e) in _ROOTS]
            persons = {**known, **people(root)}
            for number, tei in enumerate(found, 1):
                yield from _documents(tei, file, f"{origin}#{tei.get(_ID) or number}", persons, card)
        elif name_of(root) != "listPerson":
            raise InputError(
                f"the root element is “{name_of(root)}”, not “TEI”, “teiCorpus” or “listPerson”",
                place=place_of(root, file.place),
                remedy="Choose another reader in the source card, or leave the file out with `exclude`.",
            )


def _listed(folder: Path, card: Card) -> dict[str, Author]:
    """The persons of lists that are files of their own, read before the texts that refer to them."""
    found: dict[str, Author] = {}
    for path in selected_files(folder, card):
        origin = path.relative_to(folder).as_posix()
        names = member_names(path, origin) if path.suffix.lower() == ".zip" else [origin]
        if any(map(_is_list, names)):
            only = card.model_copy(update={"include": [glob.escape(origin)], "exclude": []})
            for file in xml_files(folder, only):
                if _is_list(file.member or file.path):
                    found.update(people(parse(file.data, file.place)))
    return found


def _is_list(name: str) -> bool:
    return "listperson" in name.rpartition("/")[2].lower()


def _documents(
    tei: Element, file: XmlFile, origin: str, known: dict[str, Author], card: Card
) -> Iterator[Document]:
    header = read_header(tei, file.place)
    corpus = tei.getparent()
    while corpus is not None and not header.licences:
        header = replace(header, licences=read_header(corpus, file.place).licences)
        corpus = corpus.getparent()
    author = header.authors[0] if header.authors else None
    dated = author is not None and (author.birth or author.death)
    group = f"author:{author.name}" if author and dated else None
    spoken: dict[str | None, Page] = {}
    for text in (child for child in tei if name_of(child) == "text"):
        for language, part in by_language(text):
            page = spoken.setdefault(language, Page({**known, **header.persons}))
            page.read(part)
    for language, page in (spoken or {None: Page({})}).items():
        words, parts = page.out.finish()
        several = len(spoken) > 1
        yield Document(
            origin=f"{origin}{'/' if '#' in origin else '#'}{language or 'other'}" if several else origin,
            text=words,
            parts=parts,
            title=header.title,
            authors=(*header.authors, *page.speakers.values()),
            date=header.date,
            language=language or header.language,
            variety=_variety(language, card) if several else None,
            licences=header.licences,
            group=group or (f"sitting:{tei.get(_ID) or origin}" if several else None),
        )


def _variety(language: str | None, card: Card) -> str | None:
    """The variety of one of a file's languages: that of the card is of one language only."""
    region = (card.variety or "").partition("-")[2]
    return f"{language}-{region}" if language and region and "-" not in language else language
