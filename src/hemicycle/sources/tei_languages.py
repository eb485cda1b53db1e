"""Debates in several languages: one text of the file for each of them.

A parliament of several languages prints the words of each speaker in the language they were spoken in, in
turn. A document has one language, since rules of curation and shares of a mix go by it; so such a sitting
becomes a document a language, in which every word of that language stands once and in its order.

The trap is what the markup says: ``u/@xml:lang`` may contradict the segments inside, which are right. The
language of a segment is its own, else the nearest above it. What stands between segments (headings, notes,
directions) goes with its own language where it says one of these, else with the segment before it. The
printed name of a speaker goes with every language that they speak in the utterance after it.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator

from hemicycle.sources.xml import Element, name_of, words_of

_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"

#: ISO 639-2 codes that files use where BCP 47 wants the two letters of ISO 639-1.
_TWO_LETTERS = {
    "fra": "fr", "fre": "fr", "eng": "en", "nld": "nl", "dut": "nl",
    "deu": "de", "ger": "de", "ita": "it", "spa": "es", "por": "pt",
}  # fmt: skip


def language_tag(stated: str | None) -> str | None:
    """A language as BCP 47 writes it."""
    return _TWO_LETTERS.get(stated.strip().lower(), stated.strip()) if stated and stated.strip() else None


def by_language(text: Element) -> list[tuple[str | None, Element]]:
    """The text once for each language of its utterances; a text in one language as it is.

    The language is None where the utterances say none, or where there are no utterances.
    """
    if next(text.iter("{*}u"), None) is None:
        return [(None, text)]
    units = list(_units(text))
    stated = {unit: _stated(unit) for unit in units}
    languages = list(dict.fromkeys(language for language in stated.values() if language))
    if len(languages) < 2:
        alone = languages[0] if languages and all(stated.values()) else None
        return [(alone, text)]
    split = _Split(text, stated, languages)
    return [(language, split.only(language)) for language in languages]


def _units(element: Element, spoken: bool = False) -> Iterator[Element]:
    """The segments of utterances, and the utterances that have none; none of them inside another."""
    name = name_of(element)
    if name == "seg" and spoken:
        yield element
    elif name == "u" and next(element.iter("{*}seg"), None) is None:
        if words_of(element):
            yield element
    else:
        for child in element:
            yield from _units(child, spoken or name == "u")


def _stated(element: Element) -> str | None:
    above: Element | None = element
    while above is not None:
        if above.get(_XML_LANG):
            return language_tag(above.get(_XML_LANG))
        above = above.getparent()
    return None


class _Split:
    """Which language each piece of a text goes with."""

    def __init__(self, text: Element, stated: dict[Element, str | None], languages: list[str]) -> None:
        self._text = text
        self._languages = languages
        self._units = {unit: language or languages[0] for unit, language in stated.items()}
        #: Elements that hold units: they are walked, everything else is kept or left out whole.
        self._holders = {above for unit in stated for above in unit.iterancestors()} - set(self._units)
        self._whole: dict[Element, frozenset[str]] = {}
        self._loose: dict[Element, str] = {}
        self._tails: dict[Element, str] = {}
        self._now = self._units[next(iter(stated))]
        self._walk(text)

    def _walk(self, element: Element) -> None:
        if element in self._units:
            self._now = self._units[element]
            self._whole[element] = frozenset({self._now})
        elif element in self._holders:
            self._loose[element] = self._now
            for child in element:
                self._walk(child)
                self._tails[child] = self._now
        elif name_of(element) == "note" and element.get("type") == "speaker":
            self._whole[element] = self._announced(element) or frozenset({self._now})
        else:
            own = next((e.get(_XML_LANG) for e in element.iter() if e.get(_XML_LANG)), None)
            tag = language_tag(own)
            self._whole[element] = frozenset({tag if tag in self._languages else self._now})

    def _announced(self, note: Element) -> frozenset[str]:
        """The languages of the utterance that a speaker's name stands before."""
        near = itertools.islice(note.itersiblings(), 8)
        after = next((e for e in near if name_of(e) == "u"), None)
        if after is None:
            return frozenset()
        return frozenset(self._units[e] for e in after.iter() if e in self._units)

    def only(self, language: str) -> Element:
        """A copy of the text with what goes with one language."""
        made = copy.deepcopy(self._text)
        made.tail = None
        dropped = []
        for original, copied in zip(self._text.iter(), list(made.iter()), strict=True):
            if original in self._tails and self._tails[original] != language:
                copied.tail = None
            if original in self._loose and self._loose[original] != language:
                copied.text = None
            if original in self._whole and language not in self._whole[original]:
                dropped.append(copied)
        for element in dropped:
            _drop(element)
        for utterance in list(made.iter("{*}u")):
            if not words_of(utterance) and not len(utterance):
                _drop(utterance)
        return made


def _drop(element: Element) -> None:
    """Remove an element and leave the words behind it where they stand."""
    parent, before = element.getparent(), element.getprevious()
    if parent is None:
        return
    if element.tail and before is not None:
        before.tail = (before.tail or "") + element.tail
    elif element.tail:
        parent.text = (parent.text or "") + element.tail
    element.tail = None
    parent.remove(element)
