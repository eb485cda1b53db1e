"""What a TEI header says of a work: title, authors with their years, first publication, language, licences.

The traps: the date in `publicationStmt` is that of the encoding, not of the work; a year of death that is
missing, doubtful or before the birth is unknown, never guessed; the licence of a header covers the
encoding, not the text, and is often a sentence with an address in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from hemicycle.documents import Author, StatedLicence
from hemicycle.sources.printed import iso_date
from hemicycle.sources.tei_languages import language_tag
from hemicycle.sources.xml import Element, name_of, place_of, squeeze, words_of

_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"

#: Contributors beside the authors whose own term of protection counts, by the words for what they did.
_CONTRIBUTIONS = {
    "translator": re.compile(r"tradu|translat", re.IGNORECASE),
    "preface": re.compile(r"préfac|prefac", re.IGNORECASE),
    "illustrator": re.compile(r"illustrat", re.IGNORECASE),
}

#: Ported Creative Commons licences that have an SPDX id of their own; other ports take the unported id.
_PORTED = {
    "BY-2.5-AU", "BY-3.0-AT", "BY-3.0-AU", "BY-3.0-DE", "BY-3.0-IGO", "BY-3.0-NL", "BY-3.0-US",
    "BY-NC-3.0-DE",
    "BY-NC-ND-3.0-DE", "BY-NC-ND-3.0-IGO", "BY-NC-SA-2.0-DE", "BY-NC-SA-2.0-FR", "BY-NC-SA-2.0-UK",
    "BY-NC-SA-3.0-DE", "BY-NC-SA-3.0-IGO", "BY-ND-3.0-DE", "BY-SA-2.0-UK", "BY-SA-2.1-JP", "BY-SA-3.0-AT",
    "BY-SA-3.0-DE", "BY-SA-3.0-IGO",
}  # fmt: skip

_CC_ADDRESS = re.compile(
    r"creativecommons\.org/licen[sc]es/(by(?:-nc)?(?:-nd|-sa)?)/(\d\.\d)(?:/(?!deed|legalcode)([a-z]{2,3})\b)?",
    re.IGNORECASE,
)
_CC_NAME = re.compile(r"\bCC[ -](BY(?:[ -]NC)?(?:[ -](?:ND|SA))?)[ -](\d\.\d)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Header:
    """What is known of a work from its header; None and empty where nothing is stated.

    Attributes:
        date: of the sitting or the first publication, ISO 8601, as precise as stated.
        persons: by `xml:id`, from the list of persons.
    """

    title: str | None
    authors: tuple[Author, ...]
    date: str | None
    language: str | None
    licences: tuple[StatedLicence, ...]
    persons: dict[str, Author]


def read_header(tei: Element, file: str) -> Header:
    """Read the header of one ``TEI`` element; `file` is how places and evidence name the file."""
    header = next((child for child in tei if name_of(child) == "teiHeader"), None)
    if header is None:
        return Header(None, (), None, _language(tei, None), (), {})
    first = _first_edition(header)
    return Header(
        title=_title(header),
        authors=tuple(
            replace(author, published=first) if author.role == "author" else author
            for author in _authors(header)
        ),
        date=str(first) if first else _date(tei, header),
        language=_language(tei, header),
        licences=tuple(_licences(header, file)),
        persons=people(tei),
    )


def _find(element: Element, path: str) -> list[Element]:
    """Elements at a path of names, in any namespace."""
    return element.findall("/".join(step if step == "." else f"{{*}}{step}" for step in path.split("/")))


def _title(header: Element) -> str | None:
    titles = _find(header, "fileDesc/titleStmt/title")
    main = [t for t in titles if t.get("type") in (None, "main")] or titles
    title = words_of(main[0]) if main else ""
    return re.sub(r"\s*:\s*(?:édition ELTeC|ELTeC edition)$", "", title) or None


def _authors(header: Element) -> Iterator[Author]:
    """Authors, then the contributors whose rights count beside theirs; each once."""
    seen = set()
    for author in [*_stated_authors(header), *_contributors(header)]:
        if author.name and (author.name, author.role) not in seen:
            seen.add((author.name, author.role))
            yield author


def _stated_authors(header: Element) -> Iterator[Author]:
    for stated in _find(header, "fileDesc/titleStmt/author"):
        yield person(stated)


def _contributors(header: Element) -> Iterator[Author]:
    statements = _find(header, "fileDesc/titleStmt/respStmt") + list(header.iter("{*}editor"))
    for statement in statements:
        deed = " ".join([statement.get("role") or "", *(words_of(r) for r in _find(statement, "resp"))])
        role = next((role for role, words in _CONTRIBUTIONS.items() if words.search(deed)), None)
        if role:
            named = [e for key in ("name", "persName") for e in _find(statement, key)] or [statement]
            for one in named:
                yield person(one, role)


def person(element: Element, role: str = "author") -> Author:
    """A person as a header writes one: “Sand, George [Aurore Dupin] (1804-1876)”, or with child elements."""
    named = next((e for key in ("persName", "orgName", "name") for e in _find(element, key)), None)
    own = "".join([element.text or "", *(c.tail or "" for c in element)])
    name, birth, death = lifetime(words_of(named) if named is not None else squeeze(own))
    for dates in _find(element, "date"):
        birth, death = birth or _year(dates.get("from")), death or _year(dates.get("to"))
    for key in ("birth", "death"):
        for event in _find(element, key):
            year = _year(event.get("when") or words_of(event))
            birth, death = (birth or year, death) if key == "birth" else (birth, death or year)
    if birth is not None and death is not None and death < birth:
        death = None
    return Author(name, role, birth, death, tuple(_flags(element, name)))


def _flags(element: Element, name: str) -> Iterator[str]:
    """Authority ids, by which missing years can be looked up; and whether nobody is named."""
    if re.fullmatch(r"anonym(?:e|ous)\.?", name, re.IGNORECASE):
        yield "anonymous"
    for key in (element.get("ref") or "").split():
        if re.fullmatch(r"[a-z]+:[\w-]*\d[\w-]*", key):
            yield key
    for number in _find(element, "idno"):
        if number.get("type") and words_of(number):
            yield f"{number.get('type')}:{words_of(number)}"


def lifetime(stated: str) -> tuple[str, int | None, int | None]:
    """Split “Name (1863-1937)” into name, year of birth, year of death; what is not a plain year is None."""
    match = re.fullmatch(r"(.*?)\s*\(\s*([^()–—-]{0,12})(?:[–—-]\s*([^()–—-]{0,12}))?\)\.?", stated)
    if not match or not re.search(r"\d|\?|\bNA\b", f"{match[2]} {match[3]}"):
        return stated, None, None
    if match[3] is None and match[2].strip() not in ("NA", "?"):
        return stated, None, None
    return match[1], _year(match[2]), _year(match[3])


def _year(stated: str | None) -> int | None:
    match = re.fullmatch(r"(\d{4})(?:-\d\d(?:-\d\d)?)?", (stated or "").strip())
    return int(match[1]) if match else None


def _first_edition(header: Element) -> int | None:
    """The year of first publication; a serial counts from its last year, when it was whole."""
    for edition in header.iter("{*}bibl"):
        if edition.get("type") == "firstEdition":
            for stated in _find(edition, "date"):
                years = re.findall(r"\b\d{4}\b", stated.get("when") or words_of(stated))
                if years:
                    return int(max(years))
    return None


def _date(tei: Element, header: Element) -> str | None:
    """The day of the sitting or of the making; never the date of the encoding."""
    candidates = [
        *_find(header, "profileDesc/settingDesc/setting/date"),
        *_find(header, "profileDesc/creation/date"),
        *tei.iterfind("{*}text/{*}front//{*}docDate"),
    ]
    return next(filter(None, map(_stated_date, candidates)), None)


def _stated_date(element: Element) -> str | None:
    when = re.match(r"\d{4}(?:-\d\d){0,2}(?!\d)", element.get("when") or "")
    if when:
        return when[0]
    words = words_of(element)
    year = re.fullmatch(r"\D{0,20}(\d{4})\D{0,20}", words)
    return iso_date(words) or (year[1] if year else None)


def _language(tei: Element, header: Element | None) -> str | None:
    stated = tei.get(_XML_LANG) or next((t.get(_XML_LANG) for t in _find(tei, "text")), None)
    used = _find(header, "profileDesc/langUsage/language") if header is not None else []
    if not stated and len(used) == 1:
        stated = used[0].get("ident")
    return language_tag(stated)


def people(element: Element) -> dict[str, Author]:
    """The persons of every list inside an element, by their `xml:id`, as speakers."""
    found = {}
    for one in element.iter("{*}person"):
        key = one.get("{http://www.w3.org/XML/1998/namespace}id")
        named = next(iter(_find(one, "persName")), None)
        if key and named is not None and words_of(named):
            stated = person(one, "speaker")
            pieces = [words_of(e) for name in ("forename", "nameLink", "surname") for e in _find(named, name)]
            # Ids of other kinds than the Assemblée's would be taken for a flag that bears on a term.
            flags = (key,) if re.fullmatch(r"PA[0-9]+", key) else ()
            found[key] = replace(stated, name=" ".join(pieces) or words_of(named), flags=flags)
    return found


def _licences(header: Element, file: str) -> Iterator[StatedLicence]:
    """Every licence the header states, once a place; its evidence is the file, the line and the words."""
    for availability in header.iter("{*}availability"):
        status = availability.get("status")
        marked = f"; availability status “{status}”" if status not in (None, "free") else ""
        elements = [e for e in availability.iter() if name_of(e) in ("licence", "license")]
        found = [(licence_expression(_full(e)) or _full(e), e) for e in elements if _full(e)]
        if not found:
            found = [(x, e) for e in _find(availability, "p") if (x := licence_expression(_full(e)))]
        if not found and (words := words_of(availability) or (status if marked else None)):
            found = [(words, availability)]
        for expression, element in dict(reversed(found)).items():
            evidence = f"{place_of(element, file)}: {_full(element)[:200]}{marked}"
            yield StatedLicence("edition", expression[:200], evidence.rstrip(": "))


def _full(element: Element) -> str:
    """The words of an element and the addresses it points to."""
    targets = [e.get("target") for e in element.iter() if e.get("target")]
    return squeeze(" ".join([words_of(element), *(t for t in targets if t and t not in words_of(element))]))


def licence_expression(words: str) -> str | None:
    """The SPDX id of the Creative Commons licence or Licence Ouverte that a phrase names; None for others.

    An address counts before a name. A port without an SPDX id of its own (by/3.0/fr) gives the unported
    id; the evidence keeps the address.
    """
    address = _CC_ADDRESS.search(words)
    if address:
        bare = f"{address[1].upper()}-{address[2]}"
        ported = f"{bare}-{(address[3] or '').upper()}"
        return f"CC-{ported if ported in _PORTED else bare}"
    if re.search(r"creativecommons\.org/publicdomain/zero/1\.0", words):
        return "CC0-1.0"
    if re.search(r"creativecommons\.org/publicdomain/mark/1\.0", words):
        return "CC-PDM-1.0"
    name = _CC_NAME.search(words)
    if name:
        return f"CC-{name[1].upper().replace(' ', '-')}-{name[2]}"
    if re.search(r"\bCC0(?:[ -]1\.0)?\b", words):
        return "CC0-1.0"
    if re.search(r"\b(?:licence ouverte|etalab)[ -/]*(?:version |v\.?)?2\.0", words, re.IGNORECASE):
        return "etalab-2.0"
    return None
