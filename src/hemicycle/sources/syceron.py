"""Sittings of the Assemblée nationale in its own XML (“Syceron”): one document a sitting.

The text reads as the report is printed: a heading on a line of its own; a speech as ``Mme A. B., ministre
des eaux. – Words``, the name only where the speaker changes; a stage direction in its parentheses. Blocks
are parted by a blank line. Parts point at the words alone, never at the printed name: ``turn`` (one
`paragraphe` with a speaker), ``paragraph`` (one without), ``stage`` (inside a turn or alone), ``heading``.

The traps: points nest, and a paragraph far down inherits their titles; the chair is known by its printed
name, hardly by its attribute, and the president of a committee is not the chair; ids come with and
without their ``PA``; superscripts are written in three ways; the summary in the metadata repeats
every heading, and is left out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from hemicycle.documents import Document, Part
from hemicycle.errors import InputError
from hemicycle.sources.debate import Debate, Runs, Speaker
from hemicycle.sources.printed import is_chair, is_parenthesis, iso_date, superscript
from hemicycle.sources.xml import BREAK, Element, name_of, parse, place_of, squeeze, words_of
from hemicycle.sources.zipped import XmlFile, xml_files

if TYPE_CHECKING:
    from hemicycle.project import Card

_SUPERSCRIPT = {"exposant", "sup"}
_ITALIC = {"italique", "i", "em"}
_INLINE = _SUPERSCRIPT | _ITALIC | {"br", "b", "gras", "indice", "souligne", "a", "lien"}


def read(folder: Path, card: Card) -> Iterator[Document]:
    """One document a sitting, from the selected ``.xml`` files and from those inside ``.zip`` files.

    Raises:
        InputError: a file is not a well-formed report of a sitting, or a sitting is there twice.
    """
    places: dict[str, str] = {}
    for file in xml_files(folder, card):
        document = sitting(file)
        uid = document.id
        if uid in places:
            raise InputError(
                f"the sitting {uid} is here a second time: it was read in {places[uid]}",
                place=file.place,
                remedy="Keep the later version, and name the other in `exclude` of the source card.",
            )
        if uid:
            places[uid] = file.place
        yield document


def sitting(file: XmlFile) -> Document:
    """The document of one file. Its id is the publisher's `uid`; its title says which version it is."""
    root = parse(file.data, file.place)
    if name_of(root) != "compteRendu":
        raise InputError(
            f"the root element is “{name_of(root)}”, not “compteRendu”",
            place=place_of(root, file.place),
            remedy="Choose another reader in the source card, or leave the file out with `exclude`.",
        )
    content = _child(root, "contenu")
    if content is None:
        raise InputError("the report has no “contenu”", place=place_of(root, file.place))
    uid = words_of(_child(root, "uid")) or None
    report = _Report(file.place)
    report.container(content, _Section())
    text, parts = report.debate.text.finish()
    return Document(
        origin=f"{file.path}#{uid or file.member}" if file.member else file.path,
        text=text,
        parts=parts,
        title=_title(root, uid),
        authors=report.debate.authors,
        date=_date(root, file.place),
        kind="debate",
        id=uid,
    )


def _child(element: Element, name: str) -> Element | None:
    return next((child for child in element if name_of(child) == name), None)


def _title(root: Element, uid: str | None) -> str | None:
    """“Première séance du mardi 7 octobre 2031 (CRSANR5L17S2031O1N001, avant_JO)”."""
    metadata = _child(root, "metadonnees")
    if metadata is None:
        return uid
    day = words_of(_child(metadata, "dateSeanceJour"))
    rank = words_of(_child(metadata, "numSeanceJour"))
    name = f"{rank} séance" if rank and not rank.isdigit() else "Séance"
    known = ", ".join(filter(None, (uid, words_of(_child(metadata, "version")))))
    title = name + (f" du {day}" if day else "") + (f" ({known})" if known else "")
    return title if day or known else None


def _date(root: Element, place: str) -> str | None:
    """The day of the sitting: `dateSeance` (YYYYMMDD and the time), else the day in words."""
    metadata = _child(root, "metadonnees")
    if metadata is None:
        return None
    stated = _child(metadata, "dateSeance")
    digits = words_of(stated)
    if stated is None or not digits:
        return iso_date(words_of(_child(metadata, "dateSeanceJour")))
    try:
        if not re.fullmatch(r"[0-9]{8,17}", digits):
            raise ValueError
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:8])).isoformat()
    except ValueError:
        raise InputError(f"dateSeance “{digits[:40]}” is not a date", place=place_of(stated, place)) from None


def takes_the_chair(name: str, role: str = "", stated: str = "") -> bool:
    """Whether a speaker is in the chair.

    Args:
        name: as printed; “Mme la présidente” is the chair, whatever the attributes say.
        role: the office as printed; “président de la commission” is not the chair.
        stated: the attribute `roledebat`, present on two fifths of the chair's turns only.
    """
    return is_chair(name) or (stated == "president" and not re.match(r"\W*président", role, re.IGNORECASE))


def person_id(stated: str | None) -> str | None:
    """The publisher's id of a person, always with its ``PA``: “942” and “PA942” are the same."""
    digits = re.fullmatch(r"(?:PA)?(\d+)", (stated or "").strip())
    return f"PA{digits[1]}" if digits else None


@dataclass(frozen=True)
class _Section:
    """What a paragraph inherits: the nearest title, article and bill above it."""

    heading: str | None = None
    article: str | None = None
    bill: str | None = None

    @property
    def title(self) -> str | None:
        """“Amendement n° 31, article 1 (n° 14)”: each of the three once."""
        if self.heading is None:
            return None
        title = self.heading
        if self.article and "article" not in title.lower():
            title += f", article {self.article}"
        return title if not self.bill or self.bill in title else f"{title} {self.bill}"


def _runs(element: Element, leave_out: str = "") -> Runs:
    """The words of one paragraph; `leave_out` names the child that holds the speakers."""
    runs = Runs()

    def add(text: str | None, italic: bool) -> None:
        runs.add(brackets(text or "", runs.ending), italic)

    def walk(element: Element, italic: bool, leave_out: str) -> None:
        add(element.text, italic)
        for child in element:
            name = name_of(child)
            if name == "br":
                add(BREAK, italic)
            if name in _SUPERSCRIPT and not len(child):
                add(superscript(runs.ending, child.text or ""), italic)
            elif name != leave_out:
                walk(child, italic or name in _ITALIC, "")
            add(child.tail, italic)

    walk(element, False, leave_out)
    return runs


def brackets(text: str, before: str = "") -> str:
    """Resolve the publisher's own notation of superscripts: “n[[o]]” is n°, “1[[er]]” is 1er."""
    pieces = re.split(r"\[\[(.{0,20}?)\]\]", text)
    done = pieces[0]
    for raised, rest in zip(pieces[1::2], pieces[2::2], strict=True):
        done += superscript(before + done, raised) + rest
    return done


class _Report:
    """The walk through one report, from its first element to its last."""

    def __init__(self, place: str) -> None:
        self.place = place
        self.debate = Debate()
        #: The number of a bill, to be printed behind the title that comes next.
        self._number = ""

    def container(self, element: Element, section: _Section, anchor: str | None = None) -> None:
        """Read everything below an element, so that a name nobody foresaw loses no word."""
        anchor = element.get("id_syceron") or anchor
        self._heading(element.text or "", section, anchor)
        for child in element:
            name = name_of(child)
            if name == "paragraphe":
                self._paragraph(child, section)
            elif name == "point":
                self._number = _number(child)
                self.container(child, _inherit(child, section))
            elif all(name_of(inner) in _INLINE for inner in child.iterdescendants()):
                self._heading(_runs(child).text, section, child.get("id_syceron") or anchor)
            else:
                self.container(child, section, anchor if name == "titreStruct" else None)
            self._heading(child.tail or "", section, anchor)

    def _heading(self, words: str, section: _Section, anchor: str | None) -> None:
        if not words.strip():
            return
        self.debate.heading(f"{words.replace(BREAK, ' ')} {self._number}", anchor, section.title)
        self._number = ""

    def _paragraph(self, element: Element, section: _Section) -> None:
        runs, speaker = _runs(element, leave_out="orateurs"), self._speaker(element)
        if not runs.text.strip():
            return
        self._number = ""
        part = Part(0, 0, element.get("id_syceron"), time=self._time(element), title=section.title)
        unspoken = speaker is None and element.get("code_style") == "Info Italiques"
        self.debate.paragraph(runs, speaker, part, stage=unspoken)

    def _speaker(self, paragraph: Element) -> Speaker | None:
        """Who speaks, as printed; where only the id is given, the name that stood with it before."""
        names, offices, identities = [], [], []
        speakers = _child(paragraph, "orateurs")
        for one in speakers if speakers is not None else ():
            name, office = (words_of(_child(one, key)).strip(" ,.") for key in ("nom", "qualite"))
            identity = person_id(words_of(_child(one, "id")))
            names += [name] if name else []
            offices += [office] if office else []
            identities += [identity] if identity else []
        if not identities:
            identities = [i for i in (person_id(paragraph.get("id_acteur")),) if i]
        if not names:
            names = [self.debate.speakers.get(identity, identity) for identity in identities]
        if not names:
            return None
        name, office = " et ".join(names), ", ".join(offices)
        chair = takes_the_chair(name, office, paragraph.get("roledebat") or "")
        if len(names) == len(identities):
            self.debate.met(names, identities)
        return Speaker(name, office or None, tuple(identities), chair)

    def _time(self, paragraph: Element) -> float | None:
        """Seconds from the start of the recording, where the publisher has added them."""
        stated = next((t.get("stime") for t in paragraph.iter() if t.get("stime")), None)
        if stated is None:
            return None
        try:
            seconds = float(stated)
        except ValueError:
            seconds = math.nan
        if not 0 <= seconds < math.inf:
            raise InputError(
                f"stime “{stated[:40]}” is not a number of seconds", place=place_of(paragraph, self.place)
            )
        return seconds


def _number(point: Element) -> str:
    """The number of a bill that is printed behind a point's title: “(n° 14)”."""
    number = squeeze(brackets(point.get("valeur") or point.get("bibard") or ""))
    return number if is_parenthesis(number) else ""


def _inherit(point: Element, section: _Section) -> _Section:
    """The section that a point opens: what it does not declare comes from above."""
    titled = _child(point, "texte")
    if titled is None:
        titled = _child(point, "titreStruct")
    heading = squeeze(_runs(titled).text.replace(BREAK, " ")) if titled is not None else ""
    bill, article = (squeeze(brackets(point.get(key) or "")) for key in ("bibard", "art"))
    return _Section(heading or section.heading, article or section.article, bill or section.bill)
