"""Debates of the European Parliament in the plain form of the Europarl corpus: one document a file.

A file is a sitting (``ep-00-01-17.txt``) or, in later releases, one item of its agenda
(``ep-09-04-21-023.txt``), in one language, which the nearest folder of a language's name gives (``fr/``).
Lines of markup part it: ``<CHAPTER ID=…>`` before a title, ``<SPEAKER ID=… NAME="…" LANGUAGE="…"
AFFILIATION="…">`` before a speech, ``<P>`` between paragraphs. Files of one day are one group in all
languages: they say the same, and must not part at the split.

The trap is translation. `LANGUAGE` is the language that was spoken; where it is another than the file's, the
words are a translator's. Then the part says ``translated from de`` in its role, and the document has an
author of role ``translator``, whom nobody names. Where the attribute is missing, nothing is said of it; where
it is no language, it counts as another.

Assumed of the format: UTF-8 (a release in ISO-8859-1 is refused and must be converted), values with or
without quotation marks, no entities. Other lines that look like markup are kept as words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from hemicycle.documents import Author, Document, Part
from hemicycle.errors import InputError
from hemicycle.sources import selected_files
from hemicycle.sources.printed import is_chair
from hemicycle.sources.text import read_utf8
from hemicycle.sources.xml import Assembly, squeeze

if TYPE_CHECKING:
    from hemicycle.project import Card

#: Who did the translations: the institution, none of whose translators is named.
TRANSLATORS = "European Parliament (translators)"

#: The chair, as the editions in some languages print it; French forms are in `printed`.
_CHAIR = re.compile(
    r"(?:(?:the|der|die|el|la|il|de|o|a) )?(?:president|präsident(?:in)?|presidente|presidenta|voorzitter|"
    r"formand(?:en)?|talmannen|puhemies)\.?",
    re.IGNORECASE,
)
_LANGUAGES = frozenset("bg cs da de el en es et fi fr ga hr hu it lt lv mt nl pl pt ro sk sl sv".split())
_NAME = re.compile(r"ep-(\d{2})-(\d{2})-(\d{2})(?:-(\d{1,4}))?", re.IGNORECASE)
_TAG = re.compile(r"<(/?)([A-Za-z]+)((?:\s[^<>]*)?)>")
_ATTRIBUTE = re.compile(r"([A-Za-z]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'<>]+))")


def read(folder: Path, card: Card) -> Iterator[Document]:
    """Yield one document a file that holds words, in the order of the paths.

    Raises:
        InputError: a file is not of the corpus by its name, or not in its form.
    """
    for path in selected_files(folder, card):
        origin = path.relative_to(folder).as_posix()
        if path.suffix.lower() != ".txt" or not _NAME.fullmatch(path.stem):
            raise InputError(
                "this is not a file of the corpus by its name (ep-YY-MM-DD.txt, ep-YY-MM-DD-NNN.txt)",
                place=origin,
                remedy='Say in the source card which files are meant, e.g. include = ["txt/fr/ep-*.txt"].',
            )
        document = debate(read_utf8(path, origin), origin, card.language)
        if document is not None:
            yield document


def debate(text: str, origin: str, language: str) -> Document | None:
    """The document of one file; None where it holds no words.

    Args:
        language: of the file, where no folder above it has the name of one.
    """
    path = PurePosixPath(origin)
    folders = (name.lower() for name in reversed(path.parts[:-1]))
    language = next((name for name in folders if name in _LANGUAGES), language)
    sitting = _Sitting(origin, language.partition("-")[0].lower())
    for number, line in enumerate(text.split("\n"), 1):
        sitting.line(line, number)
    sitting.end()
    words, parts = sitting.text.finish()
    if not words:
        return None
    day = _day(path.stem)
    return Document(
        origin=origin,
        text=words,
        parts=parts,
        title=sitting.titles[0] if len(sitting.titles) == 1 else (f"Sitting of {day}" if day else None),
        authors=tuple(sitting.authors()),
        date=day,
        language=language,
        kind="debate",
        group=f"europarl:{day or path.stem}",
    )


def _day(stem: str) -> str | None:
    found = _NAME.fullmatch(stem)
    if not found:
        return None
    year = int(found[1])
    try:
        # The corpus begins in 1996, so two digits are enough.
        return date(year + (1900 if year >= 79 else 2000), int(found[2]), int(found[3])).isoformat()
    except ValueError:
        return None


class _Sitting:
    """The walk through one file, line by line."""

    def __init__(self, origin: str, language: str) -> None:
        self.origin, self.language = origin, language
        self.text = Assembly()
        self.titles: list[str] = []
        self._speakers: dict[str, None] = {}
        self._translated = False
        self._in_title = False
        self._part = Part(0, 0, kind="paragraph")
        self._label = ""
        self._chapter: str | None = None
        self._lines: list[str] = []

    def line(self, line: str, number: int) -> None:
        tag = _TAG.fullmatch(line.strip())
        name = tag[2].upper() if tag else ""
        place = f"{self.origin}, line {number}"
        if tag and name in ("CHAPTER", "SPEAKER") and not tag[1]:
            self.end()
            self._open(name, _attributes(tag[3], place))
        elif tag and name in ("P", "CHAPTER", "SPEAKER", "BRK", "BR"):
            self.end()
        elif re.match(r"\s*<(?:CHAPTER|SPEAKER)\b", line):
            raise InputError("this line of markup cannot be read", place=place)
        elif not line.strip() and not self._in_title:
            self.end()
        else:
            self._lines.append(line)

    def _open(self, name: str, stated: dict[str, str]) -> None:
        identity = stated.get("ID", "")
        if name == "CHAPTER":
            self._chapter = identity
            self._in_title, self._label = True, ""
            self._part = Part(0, 0, f"chapter-{identity}" if identity else None, "heading")
            return
        self._in_title = False
        speaker = squeeze(stated.get("NAME"))
        spoken = stated.get("LANGUAGE", "").strip().lower()
        translated = f"translated from {spoken}" if spoken and spoken != self.language else ""
        self._translated |= bool(translated)
        chair = bool(is_chair(speaker) or _CHAIR.fullmatch(speaker))
        if speaker and not chair:
            self._speakers[speaker] = None
        role = ", ".join(filter(None, ("chair" if chair else squeeze(stated.get("AFFILIATION")), translated)))
        self._label = f"{speaker}. – " if speaker else ""
        anchor = "-".join(filter(None, (f"chapter-{self._chapter}" if self._chapter else "", identity)))
        self._part = Part(
            0,
            0,
            anchor or None,
            "turn" if speaker else "paragraph",
            speaker or None,
            role or None,
            title=self.titles[-1] if self.titles else None,
        )

    def end(self) -> None:
        """End the paragraph or the title under way."""
        words = squeeze(" ".join(self._lines))
        self._lines = []
        if not words:
            return
        self.text.separate("\n\n")
        part = self._part
        if self._in_title:
            self.titles.append(words)
            part = Part(0, 0, part.anchor, "heading", title=words)
        elif self._label:
            self.text.add(self._label)
        self._label = ""
        with self.text.part(part):
            self.text.add(words)
        if self._in_title:
            self._in_title = False
            self._part = Part(0, 0, part.anchor, "paragraph", title=words)

    def authors(self) -> Iterator[Author]:
        yield from (Author(name, role="speaker") for name in self._speakers)
        if self._translated:
            yield Author(TRANSLATORS, role="translator")


def _attributes(written: str, place: str) -> dict[str, str]:
    """The attributes of a line of markup, names in capitals; nothing but attributes may stand there."""
    if _ATTRIBUTE.sub("", written).strip(" \t/"):
        raise InputError("this line of markup cannot be read", place=place)
    return {
        found[1].upper(): next(value for value in (found[2], found[3], found[4]) if value is not None)
        for found in _ATTRIBUTE.finditer(written)
    }
