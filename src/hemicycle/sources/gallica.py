"""Gallica, the digital library of the BnF: scanned works as OCR text or ALTO pages, with their record.

The files of one work carry its ark in their path (``bpt6k1234567x``), as a folder or in their names:

- ALTO pages (version 2 to 4), in the order of the last number in their names (``f12.xml``);
- ``{ark}.texteBrut`` (or ``.txt``, ``.html``): the text as HTML or plain, under a notice of the library;
- ``{ark}.oai.xml``, or any name: the Dublin Core record, alone or inside an answer of the OAI service.

What a file is, its root element says, not its name. A work with pages and a raw text is read from its
pages; the raw text is then the same words, and only its notice is heard. A notice that begins and has no
end is refused: where the work begins could not be told. Without a record the notice serves as one.

The rights of the scan are kept apart from those of the work. “Domaine public” is what the library says of
its scan (`stated_by` ``scan``) and no licence of the text, which stands under its authors' terms; the
mention is known to be wrong at times. Authors come with the years of the record, ``Forest, Aline
(1801-1880). Auteur du texte``; a doubtful year (``1801?``, ``18..``, ``1972-....``) is unknown. The date of
a record is that of the edition, not of the first publication.

How ALTO is read is in `alto`, how pages become a text in `scanned`.

Assumed, not checked on the publisher's own files: the wording of the notice, which names may be missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from hemicycle.documents import Author, Document, StatedLicence
from hemicycle.errors import InputError
from hemicycle.sources import selected_files
from hemicycle.sources.alto import pages_of
from hemicycle.sources.markup import read_html
from hemicycle.sources.scanned import Page, Reading, put_together
from hemicycle.sources.tei_header import licence_expression, lifetime
from hemicycle.sources.tei_languages import language_tag
from hemicycle.sources.text import bcp47, iso_date, read_utf8
from hemicycle.sources.xml import Element, name_of, parse, place_of, read_bytes, words_of

if TYPE_CHECKING:
    from hemicycle.project import Card

_ARK = re.compile(r"(?<![a-z0-9])(?:bpt6k|btv1b|bd6t|cb)[0-9]{5,12}[0-9a-z]?(?![a-z0-9])")

#: Words of a role as the BnF writes it, and what it is here. Every other role stands as it is written.
_ROLES = (
    ("auteur", "author"), ("traduc", "translator"), ("préfac", "preface"), ("postfac", "afterword"),
    ("illustra", "illustrator"), ("dessinat", "illustrator"), ("grave", "illustrator"),
    ("enlumin", "illustrator"), ("photogra", "photographer"), ("éditeur scientifique", "editor"),
    ("directeur de publication", "editor"), ("annotat", "annotator"), ("adapt", "adapter"),
    ("compos", "composer"), ("librettiste", "librettist"), ("parolier", "librettist"),
    ("éditeur commercial", "publisher"), ("éditeur", "editor"), ("imprimeur", "publisher"),
    ("libraire", "publisher"),
)  # fmt: skip

#: The labels of a notice at the head of a raw text, and the elements of a record that they stand for.
_LABELS = {
    "titre": "title", "auteur": "creator", "auteurs": "creator", "contributeur": "contributor",
    "contributeurs": "contributor", "date d'édition": "date", "date d’édition": "date",
    "langue": "language", "droits": "rights", "identifiant": "identifier",
}  # fmt: skip
_NOTICE = re.compile(r"rappel de votre demande|format de téléchargement|notice complète", re.IGNORECASE)
_NOTICE_END = re.compile(
    r"en savoir plus sur l['’]ocr\.?|.*taux de reconnaissance estimé.*|.*reconnaissance optique de carac.*",
    re.IGNORECASE,
)
_NOTICE_LINES = 120
_LANGUAGES = {"français": "fr", "anglais": "en", "latin": "la"}


@dataclass(frozen=True)
class Record:
    """A Dublin Core record or notice: values by element, without the prefix."""

    values: dict[str, tuple[str, ...]]
    place: str

    def all(self, key: str) -> tuple[str, ...]:
        return self.values.get(key, ())


@dataclass
class _Work:
    """The files of one ark, as they are found."""

    pages: list[AltoPage] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    raw: list[tuple[str, str, Record | None]] = field(default_factory=list)


def read(folder: Path, card: Card) -> Iterator[Document]:
    """One document an ark, in the order of the arks.

    Raises:
        InputError: a path without an ark, a file that is none of the three, two records or two pages of one
            number, a work without a text.
    """
    paths: dict[str, list[Path]] = {}
    for path in selected_files(folder, card):
        origin = path.relative_to(folder).as_posix()
        arks = _ARK.findall(origin)
        if not arks:
            raise InputError(
                "the path of this file holds no ark, so it cannot be told which work it belongs to",
                place=origin,
                remedy="Put it into a folder named after the ark, such as bpt6k1234567x.",
            )
        paths.setdefault(arks[-1], []).append(path)
    for ark in sorted(paths):
        yield _document(ark, _work(folder, paths[ark]))


def _work(folder: Path, paths: Iterable[Path]) -> _Work:
    work = _Work()
    for path in paths:
        origin = path.relative_to(folder).as_posix()
        if path.suffix.lower() == ".xml":
            data = read_bytes(path, origin)
            if re.search(rb"<(?:\w{1,20}:)?alto[\s>]", data[:20_000]):
                work.pages.append(AltoPage(_page_number(path, origin), origin, path))
            else:
                work.records.append(_record(parse(data, origin), origin))
        elif path.suffix.lower() in (".textebrut", ".txt", ".html", ".htm"):
            work.raw.append(_raw(path, origin))
        else:
            raise InputError(
                "this is neither XML nor a raw text by its name (.xml, .texteBrut, .txt, .html)",
                place=origin,
                remedy="Leave it out with `exclude` in the source card.",
            )
    return work


def _page_number(path: Path, place: str) -> int:
    name = _ARK.sub("", path.name.lower())
    numbers = re.findall(r"\d{1,9}", re.sub(r"alto-?v?\d|\.xml$", "", name))
    if not numbers:
        raise InputError("the name of this page has no number", place=place, remedy="Name it as in f12.xml.")
    return int(numbers[-1])


def _document(ark: str, work: _Work) -> Document:
    places = (
        [p.place for p in work.pages] + [place for _, place, _ in work.raw] + [r.place for r in work.records]
    )
    for many, what in ((work.records, "records"), (work.raw, "raw texts")):
        if len(many) > 1:
            raise InputError(
                f"the work {ark} has {len(many)} {what}",
                place=places[-1],
                remedy="Leave all but one out with `exclude`.",
            )
    for record in work.records:
        named = [a for i in record.all("identifier") for a in _ARK.findall(i)]
        if named and ark not in named:
            raise InputError(f"the record is that of {named[0]}, and its path says {ark}", place=record.place)
    notices = [notice for *_, notice in work.raw if notice is not None]
    record = next(iter((*work.records, *notices)), Record({}, places[0]))
    date = next((d for d in map(_date, record.all("date")) if d), None)
    if work.pages:
        reading = put_together(_printed(work.pages), ark, date)
    elif work.raw:
        reading = Reading(work.raw[0][0], (), None, ())
    else:
        raise InputError(f"the work {ark} has a record and no text", place=places[0])
    authors = tuple(dict.fromkeys(_authors(record)))
    rights = tuple(x for r in (*work.records, *notices) for x in _rights(r))
    first = next((a for a in authors if a.role == "author"), None)
    return Document(
        origin=f"https://gallica.bnf.fr/ark:/12148/{ark}",
        id=f"ark:/12148/{ark}",
        text=reading.text,
        parts=reading.parts,
        title=next(iter(record.all("title")), None),
        authors=authors,
        date=date,
        language=next((t for t in map(_language, record.all("language")) if t), None),
        licences=tuple({x.expression: x for x in reversed(rights)}.values())[::-1],
        group=f"author:{first.name}" if first and (first.birth or first.death) else None,
        confidence=reading.confidence,
        counts=reading.counts,
    )


# Records


def _record(root: Element, place: str) -> Record:
    """The Dublin Core elements of a file, in whatever they are wrapped."""
    values: dict[str, list[str]] = {}
    for e in root.iter():
        if str(e.tag).startswith("{http://purl.org/dc/elements/1.1/}") and words_of(e):
            values.setdefault(name_of(e), []).append(words_of(e))
    if not values:
        raise InputError(
            f"this XML (“{name_of(root)}”) is neither an ALTO page nor a Dublin Core record",
            place=place_of(root, place),
            remedy="Leave it out with `exclude` in the source card.",
        )
    records = [e for e in root.iter() if name_of(e) == "dc"]
    if len(records) > 1:
        raise InputError("the file holds several records", place=place_of(records[1], place))
    return Record({key: tuple(dict.fromkeys(found)) for key, found in values.items()}, place)


def person(stated: str, role: str) -> Author:
    """A person as the BnF writes one: “Forest, Aline (1801-1880). Auteur du texte”."""
    stated = stated[:500]
    named, parenthesis, deed = stated.rpartition(")")
    deed = deed.strip(" .")
    if not parenthesis:
        named, _, deed = stated.rpartition(". ")
        deed = deed.strip(" .")
        if not named or not deed.lower().startswith(tuple(words for words, _ in _ROLES)):
            named, deed = stated, ""
    name, birth, death = lifetime(f"{named}{parenthesis}".strip())
    if deed:
        role = next((r for words, r in _ROLES if deed.lower().startswith(words)), deed.lower())
    flags = ("anonymous",) if re.fullmatch(r"anonyme|\[?sans auteur\]?", name, re.IGNORECASE) else ()
    return Author(name, role, birth, death, flags)


def _authors(record: Record) -> Iterator[Author]:
    for key, role in (("creator", "author"), ("contributor", "contributor")):
        for stated in record.all(key):
            yield person(stated, role)


def _rights(record: Record) -> Iterator[StatedLicence]:
    """What the library says of the scan. A statement that is not understood stands in its own words."""
    for words in record.all("rights"):
        if re.fullmatch(r"(?:domaine public|public domain)\.?", words, re.IGNORECASE):
            expression = "LicenseRef-public-domain"
        elif re.search(r"réservé|reserved|restrict|interdit|sous droits", words, re.IGNORECASE):
            expression = "LicenseRef-all-rights-reserved"
        else:
            expression = licence_expression(words) or words[:200]
        yield StatedLicence("scan", expression, f"{record.place}: rights “{words[:200]}”")


def _date(stated: str) -> str | None:
    """A day, a month or a year; of several years the last, when the work was whole."""
    years = re.fullmatch(r"\d{4}\s*-\s*(\d{4})", stated)
    return years[1] if years else iso_date(stated)


def _language(stated: str) -> str | None:
    word = stated.split(",")[0].strip().lower()
    return _LANGUAGES.get(word) or (bcp47(language_tag(word)) if len(word) < 4 else None)


# Raw text


def _raw(path: Path, place: str) -> tuple[str, str, Record | None]:
    """A raw text without its notice, its place, and the notice as a record."""
    data = read_bytes(path, place)
    if re.match(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype|html|\?xml|head|body)\b", data, re.IGNORECASE):
        text = read_html(data, place).text
    else:
        text = read_utf8(path, place)
    lines = text.split("\n")
    if not any(_NOTICE.search(line) for line in lines[:20]):
        return text.strip("\n"), place, None
    values: dict[str, list[str]] = {}
    end = None
    for number, line in enumerate(lines[:_NOTICE_LINES]):
        label, colon, value = (piece.strip() for piece in line.partition(":"))
        key = _LABELS.get(label.lower().strip("-* "))
        if key and colon and value:
            values.setdefault(key, []).append(value)
        if _NOTICE_END.fullmatch(line.strip()):
            end = number + 1
    if end is None:
        raise InputError(
            "the notice at the head of the text has no end, so where the work begins cannot be told",
            place=f"{place}, line 1",
            remedy="Fetch the text again, or take the notice out.",
        )
    record = Record({key: tuple(dict.fromkeys(found)) for key, found in values.items()}, place)
    return "\n".join(lines[end:]).strip("\n"), place, record


# ALTO


@dataclass(frozen=True)
class AltoPage:
    """A page of ALTO as it was found. `number` is that of its name; the order of the work."""

    number: int
    place: str
    path: Path


def _printed(pages: Iterable[AltoPage]) -> Iterator[Page]:
    """The pages in the order of their numbers, one in memory at a time."""
    before: int | None = None
    for page in sorted(pages, key=lambda page: (page.number, page.place)):
        if page.number == before:
            raise InputError(f"page {page.number} is here a second time", place=page.place)
        before = page.number
        root = parse(read_bytes(page.path, page.place), page.place)
        yield from pages_of(root, page.place, f"f{page.number}")
