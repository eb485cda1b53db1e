"""Sittings of the Assemblée nationale in the Journal officiel, from the DILA: one document a sitting.

An archive (``.taz``, an issue of the Journal) holds an inner tar with files ``CRI_*.xml``; these hold one
``CompteRendu`` a sitting. Text and parts are those of `hemicycle.sources.syceron`. A paragraph (``Para``)
that names its speaker (``Orateur/Nom``) begins a turn, the next ones go on with it. Anchors are
`idsyceron`, the key of the publisher's XML and of its site, else `Ident`.

The traps: the files of one archive overlap, so a paragraph that another file of the archive held before is
read once, and one that has other words under the same key is refused, not chosen; inside one file the
paragraphs of one speech share a key, and that is no repetition; the name and office are part of the mixed
content, with their full stop before, inside or behind them; the summary repeats every heading, and is left
out; two archives may hold one sitting, which is refused.

No file of the publisher's was at hand. Names of elements are those that public programs read in real files;
they are compared without case, since two schemas differ in it. Assumed: what stands in an archive beside
``CRI_*.xml`` (pictures, tables of the issue) is no sitting, and is passed over; a `Para` without a speaker
goes on with the turn until the next heading; other elements of words are inline, or paragraphs where they
stand alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from hemicycle.digests import sha256_text
from hemicycle.documents import Document, Part
from hemicycle.errors import InputError
from hemicycle.sources import selected_files
from hemicycle.sources.debate import Debate, Opening, Runs, Speaker, opening
from hemicycle.sources.printed import is_chair, iso_date, superscript
from hemicycle.sources.tarred import SUFFIXES, is_archive, tar_files
from hemicycle.sources.xml import BREAK, Element, name_of, parse, place_of, read_bytes, squeeze, words_of
from hemicycle.sources.zipped import XmlFile

if TYPE_CHECKING:
    from hemicycle.project import Card

_PERSON = re.compile(r"(?:fiches_id/|\bPA|/)(\d{1,9})(?:\.asp)?\s*$")

#: Elements that hold blocks; others are paragraphs, or inline where words stand beside them.
_CONTAINERS = {"section", "contenu", "compterendu", *(f"soussection{n}" for n in range(1, 10))}
_HEADINGS = {"titrestruct", "presidentseance", "intitule", "titre", "quantiemes"}
_NAMES = {"orateur", "nom"}
_OFFICES = {"qualitemouvement", "qualite"}
_ITALIC = {"italique", "i", "em", "mouvement"}
_RAISED = {"exposant", "sup"}
_AROUND = {"sommaire", "metadonnees"}


def read(folder: Path, card: Card) -> Iterator[Document]:
    """One document a sitting, from the selected archives and loose ``CRI_*.xml`` files.

    `exclude` of the card may also name members: ``"AN_2013086.taz#*CRI_2.xml"``.

    Raises:
        InputError: a file is no such archive or report, two files disagree, or a sitting is there twice.
    """
    places: dict[str, str] = {}
    for path in selected_files(folder, card):
        origin = path.relative_to(folder).as_posix()
        for sitting in _sittings(_reports(path, origin, card), origin):
            key = sitting.key
            if key in places:
                raise InputError(
                    f"the sitting of {key} is here a second time: it was read in {places[key]}",
                    place=sitting.place,
                    remedy="Keep the later issue, and name the other in `exclude` of the source card.",
                )
            places[key] = sitting.place
            yield sitting.document()


def _reports(path: Path, origin: str, card: Card) -> list[XmlFile]:
    """The reports in a collected file."""
    if path.suffix.lower() == ".xml":
        return [XmlFile(origin, read_bytes(path, origin))]
    if not is_archive(path):
        raise InputError(
            f"the card selects this file, and it is neither .xml nor one of {', '.join(SUFFIXES)}",
            place=origin,
            remedy='Say in the source card which files are meant, e.g. include = ["**/*.taz"].',
        )
    reports = tar_files(path, origin, _is_report)
    if not reports:
        raise InputError(
            "the archive holds no file CRI_*.xml", place=origin, remedy="Leave it out with `exclude`."
        )
    return [r for r in reports if not any(fnmatchcase(r.place, pattern) for pattern in card.exclude)]


def _is_report(name: str) -> bool:
    return re.fullmatch(r"CRI_.*\.xml", PurePosixPath(name).name, re.IGNORECASE) is not None


def _sittings(reports: list[XmlFile], origin: str) -> list[_Sitting]:
    """The sittings of one archive, each put together from all the files that hold of it."""
    found: dict[str, _Sitting] = {}
    for report in reports:
        root = parse(report.data, report.place)
        lower = {name_of(e).lower() for e in root.iter()}
        if "compterendu" not in lower:
            raise InputError(
                f"the file holds no “CompteRendu” (its root is “{name_of(root)}”)",
                place=place_of(root, report.place),
                remedy="Choose another reader in the source card, or leave the file out with `exclude`.",
            )
        common = _said(root, inside=False)
        for element in _outermost(root):
            facts = _facts({**common, **_said(element, inside=True)})
            key = facts.key or f"{report.place}, line {element.sourceline}"
            if key not in found:
                found[key] = _Sitting(key, origin, report.place, facts)
            found[key].add(element, report.place)
    return list(found.values())


def _outermost(root: Element) -> Iterator[Element]:
    """The reports of a file; one inside another belongs to it."""
    if name_of(root).lower() == "compterendu":
        yield root
        return
    for child in root:
        yield from _outermost(child)


@dataclass(frozen=True)
class _Facts:
    """What a report says of its sitting."""

    date: str | None
    number: str | None
    title: str | None

    @property
    def key(self) -> str | None:
        return ", ".join(filter(None, (self.date, self.number or self.title))) or None


def _said(element: Element, *, inside: bool) -> dict[str, str]:
    """What a report, or a file outside its reports, says of the sitting."""
    said: dict[str, str] = {}
    waiting = [element]
    while waiting:
        one = waiting.pop()
        name = name_of(one).lower()
        if name in ("dateseance", "numseance", "journee", "quantieme"):
            said.setdefault(name, words_of(one))
        if inside or name != "compterendu":
            waiting += reversed(one)
    return {name: words for name, words in said.items() if words}


def _facts(said: dict[str, str]) -> _Facts:
    day = stated_date(said.get("dateseance", "")) or iso_date(said.get("journee", ""))
    return _Facts(day, said.get("numseance") or None, said.get("journee") or said.get("quantieme") or None)


def stated_date(written: str) -> str | None:
    """A date as the Journal's files write it: “Mercredi-22-05-Mai-2013”, “2013-01-15+01:00”, or in words."""
    named = re.fullmatch(r"[^\W\d]+-(\d{1,2})-(\d{1,2})-[^\W\d]+-(\d{4})", written)
    plain = re.match(r"(\d{4})-?(\d\d)-?(\d\d)", written)
    try:
        if named:
            return date(int(named[3]), int(named[2]), int(named[1])).isoformat()
        if plain:
            return date(int(plain[1]), int(plain[2]), int(plain[3])).isoformat()
    except ValueError:
        return None
    return iso_date(written.replace("-", " "))


@dataclass
class _Sitting:
    """One sitting under way, with what was read of it from which file."""

    key: str
    path: str
    place: str
    facts: _Facts
    debate: Debate = field(default_factory=Debate)
    _title: str | None = None
    #: Digests of the blocks of each key, in their order, that files before this one held; and of this one.
    _before: dict[str, list[str]] = field(default_factory=dict)
    _here: dict[str, list[str]] = field(default_factory=dict)
    _holders: set[Element] = field(default_factory=set)

    def document(self) -> Document:
        words, parts = self.debate.text.finish()
        name = self.facts.title or "Séance"
        number = f"séance n° {self.facts.number}" if self.facts.number else None
        return Document(
            origin=f"{self.path}#{self.key}",
            text=words,
            parts=parts,
            title=f"{name} ({number})" if number else name,
            authors=self.debate.authors,
            date=self.facts.date,
            kind="debate",
        )

    def add(self, report: Element, place: str) -> None:
        """Read one file's report of the sitting; what was read before is passed over."""
        self._here = {}
        self._holders = _holders(report)
        self.debate.last = None
        self._container(report, place)
        self.debate.end_of_turn(Part(0, 0, title=self._title))
        for key, digests in self._here.items():
            known = self._before.setdefault(key, [])
            known += digests[len(known) :]

    def _container(self, element: Element, place: str) -> None:
        self._loose(element.text, element, place)
        for child in element:
            name = name_of(child).lower()
            title = self._title
            if name in _HEADINGS:
                self._heading(child, place)
            elif name in _CONTAINERS:
                self._container(child, place)
                self._title = title
            elif name not in _AROUND:
                if child in self._holders:
                    self._container(child, place)
                elif name == "resultatvote":
                    self._vote(child, place)
                else:
                    self._paragraph(_Words(child), child, place)
            self._loose(child.tail, child, place)

    def _loose(self, text: str | None, element: Element, place: str) -> None:
        if text and text.strip():
            runs = _Words()
            runs.add(text)
            self._paragraph(runs, element, place, loose=True)

    def _new(self, anchor: str | None, words: str, element: Element, place: str) -> bool:
        """Whether a block is new: not held by a file that was read before.

        Raises:
            InputError: another file has other words under the same key.
        """
        digest = sha256_text(squeeze(words.replace(BREAK, " ")))
        key = anchor or f"{name_of(element)} {digest}"
        here = self._here.setdefault(key, [])
        here.append(digest)
        before = self._before.get(key, ())
        if len(here) > len(before):
            return True
        if before[len(here) - 1] != digest:
            raise InputError(
                f"the paragraph {key} has other words here than in another file of the archive",
                place=place_of(element, place),
                remedy='Name the file that is wrong in `exclude` of the card: "ARCHIVE.taz#*MEMBER.xml".',
            )
        return False

    def _heading(self, element: Element, place: str) -> None:
        words = squeeze(_Words(element).text.replace(BREAK, " "))
        if not words:
            return
        if name_of(element).lower() != "presidentseance":
            self._title = words
        anchor = _anchor(element)
        new = self._new(anchor, words, element, place)
        self.debate.end_of_turn(Part(0, 0, title=self._title))
        if new:
            self.debate.heading(words, anchor, self._title)

    def _vote(self, element: Element, place: str) -> None:
        """The result of a vote, a line a figure, as it is printed."""
        for line in element:
            runs = _Words()
            for number, piece in enumerate(line.itertext()):
                runs.add(" " * bool(number) + str(piece))
            self._paragraph(runs, line, place)
            self._loose(line.tail, line, place)
        self._loose(element.text, element, place)

    def _paragraph(self, words: _Words, element: Element, place: str, *, loose: bool = False) -> None:
        if not words.text.strip():
            return
        anchor = None if loose else _anchor(element)
        found = opening(words) or words.named()
        part = Part(0, 0, anchor, title=self._title)
        if self._new(anchor, words.text, element, place):
            if found is None and (loose or name_of(element).lower() != "para"):
                self.debate.paragraph(words, None, part)  # a note or a figure, in nobody's mouth
            else:
                self.debate.line(words, found, part)
        elif found is not None:  # the next paragraph may be new, and goes on with this turn
            self.debate.speaker, self.debate.last = found.speaker, None


def _holders(report: Element) -> set[Element]:
    """The elements that hold paragraphs or sections, found in one pass."""
    found: set[Element] = set()
    for element in report.iterdescendants():
        if name_of(element).lower() in ("para", *_CONTAINERS):
            above = element.getparent()
            while above is not None and above not in found:
                found.add(above)
                above = above.getparent()
    return found


def _anchor(element: Element) -> str | None:
    for wanted in ("idsyceron", "ident", "id"):
        for name, value in element.attrib.items():
            if str(name).rpartition("}")[2].lower() == wanted and str(value).strip():
                return str(value).strip()
    return None


class _Words(Runs):
    """One paragraph: the speaker's name counts as bold, the office as italic, as they are printed."""

    def __init__(self, element: Element | None = None) -> None:
        super().__init__()
        if element is not None:
            self._walk(element, False, False)

    def _walk(self, element: Element, italic: bool, bold: bool) -> None:
        name = name_of(element).lower()
        bold = (bold or name in _NAMES) and name not in _OFFICES
        italic = italic or name in _ITALIC or name in _OFFICES
        if name == "orateur":
            link = next((v for k, v in element.attrib.items() if str(k).rpartition("}")[2] == "href"), "")
            person = _PERSON.search(str(link))
            if person:
                self.persons.append((self.length, f"PA{person[1]}"))
        if name == "br":
            self.add(BREAK, italic, bold)
        if name in _RAISED and not len(element):
            self.add(superscript(self.ending, element.text or ""), italic, bold)
            return
        self.add(element.text or "", italic, bold)
        for child in element:
            self._walk(child, italic, bold)
            self.add(child.tail or "", italic, bold)

    def named(self) -> Opening | None:
        """The opening of a paragraph whose markup names a speaker whom its print does not show as one."""
        text = self.text
        start = len(text) - len(text.lstrip())
        end = start
        while end < len(text) and self.bold[end]:
            end += 1
        name = squeeze(text[start:end].replace(BREAK, " ")).strip(" ,.")
        if not name:
            return None
        identities = tuple(person for at, person in self.persons if at < end)
        return Opening(Speaker(name, None, identities, is_chair(name)), end)
