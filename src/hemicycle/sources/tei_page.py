"""A TEI text as a page reads: blocks parted by a blank line, lines of verse and items by a line break.

A speech is ``NAME. – Words``, a stage direction stands in parentheses. Kinds of parts: ``chapter``,
``section``, ``front``, ``back``, ``heading``, ``paragraph``, ``verse``, ``quote``, ``note``, ``turn`` (the
words of one speech, with the directions inside it, without the printed name) and ``stage``.

The traps: mixed content (a line of verse inside a paragraph, words beside a block) loses text in readers
that know only ``p``; `choice` and `app` hold the same words twice; a note stands in the middle of the
sentence it comments on; one edition keeps its stage directions in attributes of a namespace of its own
(``mpt:interruption/@text``); an element with an unknown name may hold a whole speech. So no element is
skipped because its name is unknown: what holds blocks is walked, what holds words is read.

Where no utterance says who speaks (the Chambre of 1889 in AGODA), the name is what is printed before the
first full stop.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from hemicycle.documents import Author, Part
from hemicycle.sources.debate import TITLED
from hemicycle.sources.printed import is_chair, is_parenthesis, superscript
from hemicycle.sources.xml import Assembly, Element, name_of, squeeze, words_of

_ID = "{http://www.w3.org/XML/1998/namespace}id"

_TEI = "{http://www.tei-c.org/ns/1.0}"

_DIVISIONS = {"div", *(f"div{n}" for n in range(8))}
_BLOCKS = _DIVISIONS | {
    "ab", "argument", "back", "body", "byline", "castGroup", "castItem", "castList", "closer", "dateline",
    "docAuthor", "docDate", "docEdition", "docImprint", "docTitle", "epigraph", "epilogue", "floatingText",
    "front", "group", "head", "imprimatur", "item", "l", "lg", "opener", "p", "performance", "postscript",
    "prologue", "row", "salute", "set", "signed", "sp", "speaker", "spGrp", "table", "text", "titlePage",
    "titlePart", "trailer", "u",
}  # fmt: skip

#: What happens beside the words. ParlaMint describes it in `desc`.
_EVENTS = {"kinesic", "vocal", "incident", "writing", "shift"}

#: Blocks where nothing but blocks stands around them, words where words do.
_FLOATING = _EVENTS | {
    "bibl", "cell", "cit", "figure", "label", "list", "note", "q", "quote", "said", "seg", "stage",
}  # fmt: skip

#: Elements that hold running words, whatever stands in them.
_OF_WORDS = {"ab", "head", "l", "label", "p", "seg", "speaker", "stage", "titlePart", "trailer"}

#: Not words of the text: running heads, what was struck out, what the encoder says of a picture.
_SILENT = {"fw", "del", "figDesc", "index", "teiHeader", "standOff"}

#: Which of several readings of the same words is taken; the first where none of these is there.
_READINGS = ("corr", "reg", "abbr", "lem")


_KINDS = {
    "front": "front", "back": "back", "head": "heading", "lg": "verse", "quote": "quote", "note": "note",
    "item": "paragraph", "castItem": "paragraph",
}  # fmt: skip


def words_and_parts(elements: Iterable[Element]) -> tuple[str, tuple[Part, ...]]:
    """What is printed of some elements of a text, for readers of editions of their own."""
    page = Page({})
    for element in elements:
        page.read(element)
    return page.out.finish()


@dataclass(frozen=True)
class _Here:
    """Where in the work the walk stands: the nearest title above, and whether somebody is speaking."""

    title: str | None = None
    spoken: bool = False


def _has_words(element: Element) -> bool:
    """Whether the element is one of words: by its name, or since words stand in it beside its children."""
    own = [element.text, *(child.tail for child in element)]
    return name_of(element) in _OF_WORDS or any(text and text.strip() for text in own)


def _is_block(element: Element, among_words: bool) -> bool:
    name = name_of(element)
    if name in _BLOCKS or (name in _FLOATING and not among_words):
        return True
    if name in _SILENT or name in _EVENTS or name == "note":
        return False
    return any(name_of(inner) in _BLOCKS for inner in element.iterdescendants())


def _holds_blocks(element: Element) -> bool:
    among_words = _has_words(element)
    return any(_is_block(child, among_words) for child in element)


def _segments(element: Element) -> Iterator[list[Element | str] | Element]:
    """Mixed content in its order: blocks one by one, and between them what runs on, as a list."""
    among_words = _has_words(element)
    running: list[Element | str] = [element.text or ""]
    for child in element:
        if _is_block(child, among_words):
            yield running
            yield child
            running = []
        else:
            running.append(child)
        running.append(child.tail or "")
    yield running


def _is_blank(items: list[Element | str]) -> bool:
    """Whether nothing in a run will be printed: white space, page breaks, empty elements."""
    return not any(
        item.strip()
        if isinstance(item, str)
        else words_of(item) or name_of(item) == "gap" or item.get("text")
        for item in items
    )


def _taken_name(utterance: Element) -> str:
    """Take the printed name from the first words of an utterance: what stands before the first full stop."""
    first = next((e for e in utterance.iter() if (e.text or "").strip()), utterance)
    if name_of(first) not in ("u", "seg", "p", "hi", "persName", "name"):
        return ""
    text = first.text or ""
    match = re.match(r"\s*((?:[^.;:!?…]|(?<=\bMM)\.|(?<=\b[A-Z])\.){1,100})\.(?!\.)(?:\s+|$)", text)
    if not match or not TITLED.match(match[1]):
        return ""
    first.text = text[match.end() :]
    return squeeze(match[1])


class Page:
    """The walk through one `text` element.

    Two methods call each other down the tree: `block` reads one element that stands on its own, `flow`
    the mixed content of one.
    """

    def __init__(self, persons: dict[str, Author]) -> None:
        self.out = Assembly()
        self.persons = persons
        #: Who speaks in utterances, by id, in the order of their first words.
        self.speakers: dict[str, Author] = {}
        #: No utterance says who speaks: the names are among the words.
        self._unnamed = False
        self._notes: list[tuple[Element, _Here]] = []
        #: A name printed in a note of its own, whose speech has not come yet.
        self._announced = ""
        #: A name has just been printed: the next words stand on its line.
        self._after_name = False
        #: The full stop behind the printed name may stand before the first word by mistake.
        self._after_stop = False

    def read(self, text: Element) -> None:
        """Read a text, or a part of one, from its beginning to its end."""
        utterances = list(text.iter("{*}u"))
        self._unnamed = bool(utterances) and not any(u.get("who") for u in utterances)
        self.block(text, _Here())
        self._speaker_alone(_Here())

    def block(self, element: Element, here: _Here) -> None:
        name = name_of(element)
        part = Part(0, 0, element.get(_ID), title=here.title)
        if name == "note" and element.get("type") == "speaker":
            self._speaker_alone(here)
            self._announced = words_of(element)
        elif name in ("sp", "u"):
            self._speech(element, here)
        else:
            self._speaker_alone(here)
            if name in _DIVISIONS:
                self._division(element, here, part)
            elif name in _EVENTS or name == "stage":
                self._stage_alone(element, here)
            elif name == "row" and not _has_words(element):
                self._row(element, here, replace(part, kind="paragraph"))
            elif name in _KINDS:
                self._part(element, here, replace(part, kind=_KINDS[name]))
            elif name in ("p", "ab", "seg") or not _holds_blocks(element):
                self._paragraph(element, here, part)
            else:
                self.flow(element, here)

    def flow(self, element: Element, here: _Here, loose: str | None = "paragraph") -> None:
        """Read the text and the children of an element in their order.

        Args:
            loose: kind of the part that words beside blocks become; None: they are words of the part
                around them, and stand on a line of their own there.
        """
        verse: list[Element] = []
        begun = False
        for segment in _segments(element):
            if isinstance(segment, list):
                if _is_blank(segment):
                    continue
                self._lines(verse, element, here, loose, begun)
                if begun and loose is None:
                    self.out.separate("\n")
                self._loose(segment, here, loose)
            elif name_of(segment) == "l":
                verse.append(segment)
                continue
            elif name_of(segment) != "speaker" or name_of(element) not in ("sp", "u"):
                self._lines(verse, element, here, loose, begun)
                self.block(segment, here)
            begun = True
        self._lines(verse, element, here, loose, begun)
        if loose is not None:
            self._speaker_alone(here)

    def _gap(self, separator: str) -> None:
        if not self._after_name:
            self.out.separate(separator)
        self._after_name = False

    def _division(self, element: Element, here: _Here, part: Part) -> None:
        head = next((words_of(c) for c in element if name_of(c) == "head" and words_of(c)), None)
        here = replace(here, title=head or here.title)
        kind = "chapter" if (element.get("type") or "").lower() in ("chapter", "chapitre") else "section"
        with self.out.part(replace(part, kind=kind, title=here.title)):
            self.flow(element, here)

    def _part(self, element: Element, here: _Here, part: Part) -> None:
        """An element that is a part, of words or of blocks."""
        if _holds_blocks(element) and part.kind not in ("heading", "note"):
            if part.kind == "paragraph":
                self.flow(element, here)
                return
            with self.out.part(part):
                self.flow(element, here)
        else:
            self._leaf(element, here, part, "\n" if part.kind == "paragraph" else "\n\n")

    def _leaf(self, element: Element, here: _Here, part: Part | None, separator: str = "\n\n") -> None:
        """A block of words; without a part of its own it belongs to the part around it."""
        self._gap(separator)
        if part is None:
            self.flow(element, here, loose=None)
        else:
            with self.out.part(part):
                self.flow(element, here, loose=None)
        self._flush_notes()

    def _paragraph(self, element: Element, here: _Here, part: Part) -> None:
        """A paragraph. Inside a speech only those with an id are parts: the speech is the part there."""
        if here.spoken and is_parenthesis(words_of(element)):
            self._leaf(element, here, replace(part, kind="stage"))
        else:
            self._leaf(
                element, here, None if here.spoken and not part.anchor else replace(part, kind="paragraph")
            )

    def _row(self, element: Element, here: _Here, part: Part) -> None:
        self._gap("\n")
        with self.out.part(part):
            for number, cell in enumerate(element):
                if number:
                    self.out.add(" | ")
                self.flow(cell, here, loose=None)
        self._flush_notes()

    def _loose(self, items: list[Element | str], here: _Here, kind: str | None) -> None:
        """Words beside blocks."""
        if kind is None:
            self._words(items, here)
            return
        self._speaker_alone(here)
        self._gap("\n\n")
        if here.spoken:
            self._words(items, here)
        else:
            with self.out.part(Part(0, 0, kind=kind, title=here.title)):
                self._words(items, here)
        self._flush_notes()

    def _lines(
        self, verse: list[Element], around: Element, here: _Here, loose: str | None, begun: bool
    ) -> None:
        """Print the lines of verse that have been gathered; those beside no `lg` are a part together."""
        if not verse:
            return
        self._gap("\n" if begun and loose is None else "\n\n")
        if name_of(around) == "lg":
            self._line_by_line(verse, here)
        else:
            with self.out.part(Part(0, 0, kind="verse", title=here.title)):
                self._line_by_line(verse, here)
        verse.clear()
        self._flush_notes()

    def _line_by_line(self, verse: list[Element], here: _Here) -> None:
        for number, line in enumerate(verse):
            if number:
                self.out.separate("\n")
            self.flow(line, here, loose=None)

    def _speech(self, element: Element, here: _Here) -> None:
        """One speech: the printed name, then the words, which are the part."""
        printed = " ".join(words_of(c) for c in element if name_of(c) == "speaker") or self._announced
        self._announced = ""
        if self._unnamed and name_of(element) == "u" and not printed:
            printed = _taken_name(element)
        about = next((c for c in element if c.get("interventiontype")), None)
        name, office = printed.rstrip(" .,:"), ""
        if about is not None or name_of(element) == "u":
            name, _, office = (piece.strip(" .,") for piece in name.partition(","))
        chair = (about is not None and about.get("interventiontype") == "régulation") or (
            name_of(element) == "u" and ("#chair" in (element.get("ana") or "").split() or is_chair(name))
        )
        stated = (element.get("ana") or "").lstrip("#") if name_of(element) == "u" else ""
        link = "" if about is None else (about.get("corresp") or "").partition("#")[2]
        who = element.get("who") or ""
        person = self._met(who[1:], name, chair) if who.startswith("#") else None
        self.out.separate("\n\n")
        if name:
            self.out.add(", ".join(filter(None, (name, office))) + ". – ")
            self._after_name = self._after_stop = True
        part = Part(0, 0, element.get(_ID) or link or None, "turn", name or person, title=here.title)
        with self.out.part(replace(part, role="chair" if chair else office or stated or None)):
            self.flow(element, replace(here, spoken=True))
        self._after_name = self._after_stop = False

    def _met(self, identity: str, printed: str, chair: bool) -> str:
        """Keep who speaks, and return the name they are known by."""
        listed = self.persons.get(identity)
        if listed is None:
            flags = (identity,) if re.fullmatch(r"PA[0-9]+", identity) else ()
            known = self.speakers.get(identity)
            better = printed and not chair and (known is None or known.name == identity)
            name = printed if better else known.name if known else identity
            listed = Author(name, role="speaker", flags=flags)
        self.speakers[identity] = listed
        return listed.name

    def _speaker_alone(self, here: _Here) -> None:
        """Print a name that was announced and that no speech followed."""
        if self._announced:
            self.out.separate("\n\n")
            with self.out.part(Part(0, 0, kind="note", title=here.title)):
                self.out.add(self._announced)
            self._announced = ""

    def _stage_alone(self, element: Element, here: _Here) -> None:
        after_name = self._after_name
        self._gap("\n\n")
        self._stage(words_of(element), element.get(_ID), here)
        if after_name:
            self._after_name = True
            self.out.separate(" ")

    def _stage(self, words: str, anchor: str | None, here: _Here) -> None:
        """A stage direction, in parentheses whether or not the edition prints them."""
        self._after_stop = False
        if words:
            self.out.separate(" ")
            with self.out.part(Part(0, 0, anchor, "stage", title=here.title)):
                self.out.add(words if is_parenthesis(words) else f"({words})")

    def _words(self, items: list[Element | str], here: _Here) -> None:
        for item in items:
            if isinstance(item, str):
                self._say(item)
            else:
                self._inline(item, here)

    def _say(self, text: str) -> None:
        if self._after_stop and text.strip():
            self._after_stop = False
            text = re.sub(r"^\s*\.(?!\.)", "", text)
        self.out.add(text)

    def _inline(self, element: Element, here: _Here) -> None:
        name = name_of(element)
        if name in _SILENT:
            return
        if name in _EVENTS or name == "stage":
            self._stage(words_of(element), element.get(_ID), here)
        elif name == "note":
            self._notes.append((element, here))
        elif name == "gap":
            self.out.add("" if element.get("unit") == "graphic" else "[…]")
        elif name == "lb":
            self.out.separate("" if element.get("break") == "no" else " ")
        elif name in ("choice", "app"):
            readings = {name_of(child): child for child in reversed(element)}
            chosen = next((readings[key] for key in _READINGS if key in readings), next(iter(element), None))
            if chosen is not None:
                self._inline(chosen, here)
        elif name == "sup" or (name == "hi" and "sup" in (element.get("rend") or "")):
            self._say(superscript(self.out.ending, "".join(map(str, element.itertext()))))
        else:
            if element.get("text") and not str(element.tag).startswith(_TEI):
                self._stage(squeeze(element.get("text")), element.get(_ID), here)
            self._words([element.text or "", *(x for c in element for x in (c, c.tail or ""))], here)

    def _flush_notes(self) -> None:
        """Print the notes of the block that has just ended, in their order."""
        notes, self._notes = self._notes, []
        for element, here in notes:
            self._leaf(element, here, Part(0, 0, element.get(_ID), "note", title=here.title))
