"""Project Gutenberg: plain-text books without the frame around them, and their makers from the catalogue.

A book is ``pg13704.txt``, ``13704-0.txt`` or ``13704-8.txt``. What stands before ``*** START OF …`` and
after ``*** END OF …`` is the distributor's (a header, a licence that is not the text's), and so are the
credit line that opens many texts and the line “End of Project Gutenberg’s …” that closes them. The oldest
books have a “small print” in place of the first mark. A file without marks is refused, unless it is a text
that somebody already freed of its frame: its number is in the catalogue, and nothing in it names Project
Gutenberg.

The catalogue is one ``pg13704.rdf`` a book, loose, in a zip or in a tar (the official ``rdf-files.tar.bz2``
and ``rdf-files.tar.zip`` are read in place). It gives authors, translators and the others with their years.
A book without a record has no authors, so its rights stay unknown, whatever its header says. The header and
the title page are heard against the record, never for it: whom they name beside it, or a translation that
the record does not know of, adds a person without years, and the book is held.

The traps: “Public domain in the USA.” says nothing of any other country. It is no licence and is stated as
none; the authors' years decide. A book that is in copyright and passed on with permission says so under the
same heading, and that is stated. The date in a record is the day of its posting, not of the work. A title
may run over several lines inside the mark. An encoding is what the bytes are, before what the header
claims.
"""

from __future__ import annotations

import re
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from hemicycle.documents import CONTRADICTORY, Author, Document, StatedLicence
from hemicycle.errors import InputError
from hemicycle.sources import selected_files
from hemicycle.sources.tarred import SUFFIXES as TAR_SUFFIXES
from hemicycle.sources.tarred import members_of_stream, tar_members
from hemicycle.sources.tei_header import licence_expression
from hemicycle.sources.text import MAX_FILE_BYTES, bcp47
from hemicycle.sources.xml import Element, name_of, parse, place_of, read_bytes, words_of
from hemicycle.sources.zipped import inflated, open_zip

if TYPE_CHECKING:
    from hemicycle.project import Card

#: Bytes of one record; the biggest of the official catalogue has some hundred thousand.
RECORD_LIMIT = 4 * 2**20

#: The rights line that says nothing outside one country, and the ways of saying nothing.
_SAYS_NOTHING = re.compile(r"(?:public domain in the (?:usa|united states(?: of america)?)|none)?\.?", re.I)

_START = re.compile(
    r"^[ \t]*\*{3}[ \t]*START[ \t]+OF[ \t]+(?:THE|THIS)[ \t]+PROJECT[ \t]+GUTENBERG[ \t]+E-?(?:BOOK|TEXT)"
    r"(?:[^*]|\*(?!\*)){0,600}?\*{3}[ \t]*$",
    re.MULTILINE | re.IGNORECASE,
)
_END = re.compile(
    r"^[ \t]*\*{3}[ \t]*END[ \t]+OF[ \t]+(?:THE|THIS)[ \t]+PROJECT[ \t]+GUTENBERG[ \t]+E-?(?:BOOK|TEXT)"
    r"(?:[^*]|\*(?!\*)){0,600}?\*{3}[ \t]*$",
    re.MULTILINE | re.IGNORECASE,
)
_SMALL_PRINT_END = re.compile(
    r"^[ \t]*\*END[ \t]?\*?[ \t]?THE SMALL PRINT!.{0,200}\*[ \t]*$", re.MULTILINE | re.IGNORECASE
)
_LAST_LINE = re.compile(
    r"^[ \t]*\**[ \t]*(?:End|Fin)[ \t]+(?:of|de)[ \t]+(?:(?:the|this)[ \t]+)?Project[ \t]+Gutenberg.{0,300}$",
    re.MULTILINE | re.IGNORECASE,
)
_CREDIT = re.compile(
    r"\s*(?:\[[^\]]{0,200}\]\s*)?(?:(?:This |The )?(?:e-?text|e-?book|file)(?: was)? )?"
    r"(?:produced|prepared|transcribed|scanned) (?:by|from)\b"
    r"(?:[^\n]|\n(?![ \t]*\n)){0,2000}(?:\n[ \t]*\n|\Z)",
    re.IGNORECASE,
)

#: Encodings of one byte a letter that headers name, by a word of the name.
_ENCODINGS = (("1252", "cp1252"), ("8859-1", "latin-1"), ("latin", "latin-1"))

_NAMES = re.compile(r"(?:pg)?(\d{1,7})(?:-(?:0|8|images))?\.txt(?:\.utf-?8)?", re.IGNORECASE)
_RECORDS = re.compile(r"(?:.*/)?(?:pg)?(\d{1,7})\.rdf", re.IGNORECASE)
_NUMBER = re.compile(r"\[e-?(?:book|text) ?#(\d{1,7})\]", re.IGNORECASE)

#: Contributors by the codes of the Library of Congress; every other code is a role by its own name.
_ROLES = {
    "creator": "author", "aut": "author", "trl": "translator", "ill": "illustrator", "aui": "preface",
    "aft": "afterword", "edt": "editor", "ctb": "contributor", "cmm": "commentator", "ann": "annotator",
    "com": "compiler", "cmp": "composer", "lbt": "librettist", "adp": "adapter", "pht": "photographer",
    "art": "artist", "trc": "transcriber", "pbl": "publisher", "prt": "printer",
}  # fmt: skip
_NO_PERSON = {"pbl", "prt"}

#: The same roles as a header writes them.
_HEADINGS = {
    "author": "author", "authors": "author", "translator": "translator", "translators": "translator",
    "illustrator": "illustrator", "illustrators": "illustrator", "editor": "editor", "editors": "editor",
    "contributor": "contributor", "commentator": "commentator", "annotator": "annotator",
    "compiler": "compiler", "composer": "composer", "adapter": "adapter", "photographer": "photographer",
    "author of introduction, etc.": "preface", "author of afterword, colophon, etc.": "afterword",
}  # fmt: skip
_HEADING = re.compile(r"^([A-Z][A-Za-z ,.]{2,40}):[ \t]*(.*(?:\n[ \t]+\S.*)*)$", re.MULTILINE)
_TRANSLATED = re.compile(r"\b(?:tradui[ts]e?s?|traduction|trad\.|translated|translation)\b", re.IGNORECASE)
_TITLE_PAGE_LINES = 60


@dataclass(frozen=True)
class Record:
    """What the catalogue says of one book; `place` is where."""

    title: str | None
    authors: tuple[Author, ...]
    language: str | None
    rights: str
    place: str


@dataclass(frozen=True)
class Book:
    """A file taken apart. `header` and `text` are without the marks."""

    number: int | None
    header: str
    text: str


def read(folder: Path, card: Card) -> Iterator[Document]:
    """One document a book, in the order of their paths. Works of one author are one group.

    Raises:
        InputError: a file that is neither a book nor a catalogue by its name, a book without marks or with
            marks that leave its beginning or end open, a record that cannot be read or is there twice.
    """
    books: list[Path] = []
    catalogues: list[Path] = []
    for path in selected_files(folder, card):
        name = path.name.lower()
        if _NAMES.fullmatch(name) or name.endswith((".txt", ".txt.utf8", ".txt.utf-8")):
            books.append(path)
        elif name.endswith((".rdf", ".zip", *TAR_SUFFIXES)):
            catalogues.append(path)
        else:
            raise InputError(
                "this is neither a book (.txt) nor a catalogue (.rdf, .zip or .tar) by its name",
                place=path.relative_to(folder).as_posix(),
                remedy='Say in the card which files are meant: include = ["**/*.txt", "rdf-files.tar.bz2"].',
            )
    wanted = {n for path in books if (n := _number(path, path.relative_to(folder).as_posix())) is not None}
    records = _catalogue(folder, catalogues, wanted)
    read_in: dict[int, str] = {}
    for path in books:
        origin = path.relative_to(folder).as_posix()
        text = decoded_book(read_bytes(path, origin, MAX_FILE_BYTES), origin)
        number = _number(path, origin, text)
        if number is not None and number in read_in:
            raise InputError(
                f"book {number} is here a second time: it was read in {read_in[number]}",
                place=origin,
                remedy="Keep one of its forms, and name the other in `exclude` of the source card.",
            )
        if number is not None:
            read_in[number] = origin
        yield _document(origin, text, number, records.get(number) if number is not None else None)


def _document(origin: str, text: str, number: int | None, record: Record | None) -> Document:
    header, body = unframed(text, origin, known=record is not None)
    authors = _contributors(record, header, body) if record else ()
    first = authors[0] if authors else None
    dated = first is not None and (first.birth is not None or first.death is not None)
    return Document(
        origin=origin,
        text=body,
        title=record.title if record else _headings(header).get("title"),
        authors=authors,
        language=record.language if record else None,
        licences=tuple(_licences(record, header, origin)),
        group=f"author:{first.name}" if first is not None and dated else None,
        id=f"gutenberg:{number}" if number is not None else None,
    )


# The book


def _number(path: Path, place: str, text: str | None = None) -> int | None:
    """The number of a book: by its name, else by its header; refused where the two disagree."""
    named = _NAMES.fullmatch(path.name)
    if text is None:
        if named:
            return int(named[1])
        with path.open("rb") as file:
            text = file.read(20_000).decode("latin-1")
    start = _START.search(text)
    stated = _NUMBER.search(text[: start.start() if start else 5_000])
    if named and stated and int(named[1]) != int(stated[1]):
        raise InputError(
            f"the file is called {named[1]}, and its header says that it is book {stated[1]}",
            place=place,
            remedy="Find out which of the two it is, and give it that name.",
        )
    return int(named[1]) if named else int(stated[1]) if stated else None


def decoded_book(data: bytes, place: str) -> str:
    """The text of a book: as UTF-8 where its bytes are that, else in the encoding that its header names.

    Raises:
        InputError: neither is true of it, or it holds a NUL byte.
    """
    if (nul := data.find(b"\0")) >= 0:
        line = data.count(b"\n", 0, nul) + 1
        raise InputError(f"byte {nul} is NUL: this is not text", place=f"{place}, line {line}")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        claimed = re.search(rb"^Character set encoding:[ \t]*(.{0,60}?)\s*$", data[:20_000], re.M | re.I)
        name = claimed[1].decode("latin-1").lower() if claimed else ""
        encoding = next((e for words, e in _ENCODINGS if words in name), None)
        line = data.count(b"\n", 0, error.start) + 1
        if encoding is None:
            raise InputError(
                f"byte {error.start} (0x{data[error.start]:02x}) is not UTF-8, and no header says what else",
                place=f"{place}, line {line}",
                remedy="Find out its encoding and convert it: `iconv -f ISO-8859-1 -t UTF-8`, for example.",
            ) from None
        text = data.decode(encoding, "replace")
        wrong = re.search("[\x80-\x9f\ufffd]", text)
        if wrong:
            line = text.count("\n", 0, wrong.start()) + 1
            raise InputError(
                f"the header says that the file is in {name}, and it is not",
                place=f"{place}, line {line}",
                remedy="It may be Windows-1252: convert it with `iconv -f WINDOWS-1252 -t UTF-8`.",
            ) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def unframed(text: str, place: str, *, known: bool = False) -> tuple[str, str]:
    """The header and the text of a book, both without the marks.

    Args:
        known: the catalogue has the book, so a text without any frame may be taken whole.
    """
    starts = list(_START.finditer(text)) or list(_SMALL_PRINT_END.finditer(text))
    ends = list(_END.finditer(text)) or list(_LAST_LINE.finditer(text))[-1:]
    if not starts and not ends:
        if known and not re.search(r"gutenberg", text, re.IGNORECASE):
            return "", text.strip("\n")
        raise InputError(
            "the marks “*** START OF …” and “*** END OF …” are missing, so what is the book and what is "
            "Project Gutenberg's cannot be told",
            place=place,
            remedy="Fetch the file again; or take out what is not the book's, and collect its record too.",
        )
    if len(starts) != 1 or len(ends) != 1 or starts[0].end() > ends[0].start():
        places = [f"line {text.count(chr(10), 0, m.start()) + 1}" for m in (*starts, *ends)]
        raise InputError(
            f"the marks of the beginning ({len(starts)}) and of the end ({len(ends)}) do not stand once "
            f"each, one after the other: {', '.join(places[:10])}",
            place=place,
            remedy="The file may be cut short: fetch it again. If it holds several books, split it.",
        )
    body = text[starts[0].end() : ends[0].start()]
    credit = _CREDIT.match(body)
    if credit:
        body = body[credit.end() :]
    closing = list(_LAST_LINE.finditer(body))
    if closing and not body[closing[-1].end() :].strip():
        body = body[: closing[-1].start()]
    lines = [line.rstrip(" \t") for line in body.split("\n")]
    return text[: starts[0].start()], "\n".join(lines).strip("\n")


def _headings(header: str) -> dict[str, str]:
    return {m[1].lower(): " ".join(m[2].split()) for m in _HEADING.finditer(header)}


# The record


def _catalogue(folder: Path, catalogues: Iterable[Path], wanted: set[int]) -> dict[int, Record]:
    """The records of the wanted books. Others are passed over unread: there are some seventy thousand."""
    found: dict[int, Record] = {}
    for path in catalogues:
        origin = path.relative_to(folder).as_posix()
        for place, data in _record_files(path, origin, wanted):
            number, record = read_record(data, place)
            before = found.get(number)
            if before is not None and replace(before, place="") != replace(record, place=""):
                raise InputError(
                    f"book {number} has another record in {before.place}",
                    place=place,
                    remedy="Keep the newer catalogue, and name the other in `exclude` of the source card.",
                )
            found[number] = record
    return found


def _record_files(path: Path, origin: str, wanted: set[int]) -> Iterator[tuple[str, bytes]]:
    lower = path.name.lower()
    if lower.endswith(".rdf"):
        yield origin, read_bytes(path, origin, RECORD_LIMIT)
    elif lower.endswith(".zip"):
        with open_zip(path, origin) as archive:
            infos = sorted((i for i in archive.infolist() if not i.is_dir()), key=lambda i: i.filename)
            for info in infos:
                place = f"{origin}#{info.filename}"
                if info.filename.lower().endswith(".tar"):
                    yield from _of_inner_tar(archive, info, place, wanted)
                elif _is_wanted(info.filename, wanted, place):
                    yield place, inflated(archive, info, place, RECORD_LIMIT)
    else:
        for member in tar_members(path, origin):
            if _is_wanted(member.name, wanted, member.place):
                yield member.place, member.read(RECORD_LIMIT)


def _of_inner_tar(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, place: str, wanted: set[int]
) -> Iterator[tuple[str, bytes]]:
    try:
        with archive.open(info) as inner:
            for member in members_of_stream(inner, place, consumed=lambda: info.compress_size):
                if _is_wanted(member.name, wanted, member.place):
                    yield member.place, member.read(RECORD_LIMIT)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        raise InputError(f"the zip file is damaged: {error}", place=place) from None


def _is_wanted(name: str, wanted: set[int], place: str) -> bool:
    number = _RECORDS.fullmatch(name)
    if number is None and not name.lower().endswith(".rdf"):
        raise InputError(
            "the catalogue holds something that is no record (.rdf)",
            place=place,
            remedy="Unpack it, and say in the source card which files are meant.",
        )
    return number is None or int(number[1]) in wanted


def read_record(data: bytes, place: str) -> tuple[int, Record]:
    """The number of a book and what its RDF record says."""
    root = parse(data, place)
    books = [e for e in root.iter() if name_of(e) == "ebook"]
    about = _attribute(books[0], "about") if len(books) == 1 else ""
    number = re.search(r"(?:^|/)ebooks/(\d{1,7})$", about)
    if number is None:
        raise InputError(
            "this is not the record of one book (pgterms:ebook with its number)", place=place_of(root, place)
        )
    agents = {_attribute(a, "about"): a for a in root.iter() if name_of(a) == "agent" and len(a)}
    languages = [
        words_of(v) for e in books[0] if name_of(e) == "language" for v in (_values(e) or [e]) if words_of(v)
    ]
    authors: dict[tuple[str, str], Author] = {}
    for element in books[0]:
        code = name_of(element)
        if code != "creator" and "relators" not in str(element.tag):
            continue
        if code in _NO_PERSON:
            continue
        author = _agent(element, agents, _ROLES.get(code, code))
        authors.setdefault((author.name, author.role), author)
    rights = " ".join(dict.fromkeys(words_of(e) for e in books[0] if name_of(e) == "rights"))
    titles = [words_of(e) for e in books[0] if name_of(e) == "title" and words_of(e)]
    return int(number[1]), Record(
        title=titles[0] if titles else None,
        # The author first, whatever the order of the record.
        authors=tuple(sorted(authors.values(), key=lambda a: a.role != "author")),
        language=bcp47(languages[0]) if len(set(languages)) == 1 else "mul" if languages else None,
        rights=rights,
        place=place,
    )


def _values(element: Element) -> list[Element]:
    return [e for e in element.iter() if name_of(e) == "value"]


def _attribute(element: Element, name: str) -> str:
    return next((str(v) for k, v in element.attrib.items() if str(k).rpartition("}")[2] == name), "")


def _agent(element: Element, agents: dict[str, Element], role: str) -> Author:
    """The person of a role; who cannot be found in the record stays, without a name or years."""
    person = next((e for e in element if name_of(e) == "agent"), None)
    if person is None or not len(person):
        reference = _attribute(
            element if person is None else person, "resource" if person is None else "about"
        )
        person = agents.get(reference)
    if person is None:
        return Author(words_of(element), role)
    name = next((words_of(e) for e in person if name_of(e) == "name" and words_of(e)), "")
    birth, death = (_years(person, key) for key in ("birthdate", "deathdate"))
    flags: tuple[str, ...] = ()
    if len(birth) > 1 or len(death) > 1:
        flags = (CONTRADICTORY,)
    elif _words(name) in ({"anonymous"}, {"anonyme"}):
        flags = ("anonymous",)
    return Author(
        name, role, birth.pop() if len(birth) == 1 else None, death.pop() if len(death) == 1 else None, flags
    )


def _years(person: Element, key: str) -> set[int | None]:
    """The years an agent was born or died in; None stands for what is no year."""
    written = [words_of(e) for e in person if name_of(e) == key]
    return {int(w) if re.fullmatch(r"-?\d{1,4}", w) else None for w in written if w}


# What is stated


def _contributors(record: Record, header: str, body: str) -> tuple[Author, ...]:
    """Those of the record; and, without years, those whom only the header or the title page knows of."""
    found = list(record.authors)
    known = [_words(a.name) for a in found]
    for heading, names in _headings(header).items():
        role = _HEADINGS.get(heading)
        for name in re.split(r"\s+and\s+|\s*;\s*", names) if role else ():
            if name and not _same(_words(name), known):
                found.append(Author(name, cast("str", role)))
    opening = [line for line in body[:20_000].split("\n") if line.strip()]
    title_page = "\n".join(opening[:_TITLE_PAGE_LINES])
    if _TRANSLATED.search(title_page) and not any(a.role == "translator" for a in found):
        found.append(Author("", "translator"))
    return tuple(found)


def _words(name: str) -> frozenset[str]:
    """The words of a name, in no order, without case and accents."""
    letters = unicodedata.normalize("NFKD", name.casefold())
    return frozenset(re.findall(r"[^\W_]+", "".join(c for c in letters if not unicodedata.combining(c))))


def _same(name: frozenset[str], known: list[frozenset[str]]) -> bool:
    """Whether a printed name is one of the record's, which may have a word more or less (a title)."""
    return not name or any(name <= one or (one and one <= name) for one in known)


def _licences(record: Record | None, header: str, place: str) -> Iterator[StatedLicence]:
    if re.search(r"\bCOPYRIGHTED\b", header):
        yield StatedLicence("file", "LicenseRef-all-rights-reserved", f"{place}: the header says COPYRIGHTED")
    if record is None or _SAYS_NOTHING.fullmatch(record.rights):
        return
    if record.rights.lower().startswith("copyrighted"):
        expression = "LicenseRef-all-rights-reserved"
    else:
        expression = licence_expression(record.rights) or record.rights[:200]
    yield StatedLicence("file", expression, f"{record.place}: dcterms:rights “{record.rights[:200]}”")
