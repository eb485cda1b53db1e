"""The Chambre des députés of 1889 as AGODA encodes it in TEI: one document a sitting.

Words and parts are those of `tei`: no utterance says who speaks, so the name is what is printed before the
first full stop. What this edition adds to that is mended here, in the tree, before it is read: words divided
at the end of a printed line (« ques-\\ntions », also before ``lb`` and ``pb``) are whole again, see
`hyphens`.

The traps: the day is in a date without a value, and without a year in some versions, so that of the file's
own name for itself (``text/@ana``, else the path) counts where the header gives none; the date of the
encoding is never taken; a name is spelt in several ways (« Déroulède », « Deroulede »), and the speakers'
list has it once, as it is printed most; the header calls its licence free in one version and restricted in
another, and what it says is handed on. The speakers' years are not in the files: 1889 is what is known of
their term.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from hemicycle.documents import Author, Document, Part
from hemicycle.errors import InputError
from hemicycle.sources import hyphens
from hemicycle.sources.printed import is_chair
from hemicycle.sources.tei_header import read_header
from hemicycle.sources.tei_page import words_and_parts
from hemicycle.sources.text import iso_date
from hemicycle.sources.xml import Element, name_of, parse, place_of, squeeze
from hemicycle.sources.zipped import XmlFile, xml_files

if TYPE_CHECKING:
    from hemicycle.project import Card

_DAY = re.compile(r"(?<!\d)18\d\d-\d\d-\d\d(?!\d)")


def read(folder: Path, card: Card) -> Iterator[Document]:
    """One document a ``TEI`` file, loose or inside a zip.

    Raises:
        InputError: a file is not well-formed, not TEI, or without words.
    """
    for file in xml_files(folder, card):
        root = parse(file.data, file.place)
        texts = [e for e in root if name_of(e) == "text"]
        if name_of(root) != "TEI" or not texts:
            raise InputError(
                f"the root element is “{name_of(root)}” and it holds {len(texts)} texts, not “TEI” with one",
                place=place_of(root, file.place),
                remedy="Choose another reader in the source card, or leave the file out with `exclude`.",
            )
        yield _document(root, texts, file)


def _document(root: Element, texts: list[Element], file: XmlFile) -> Document:
    header = read_header(root, file.place)
    mended = sum(map(mend_tree, texts))
    text, parts = words_and_parts(texts)
    if not text:
        raise InputError("the file holds no word", place=file.place)
    named = _DAY.findall(f"{file.place} {' '.join(t.get('ana') or '' for t in texts)}")
    day = header.date or next((d for d in reversed(named) if iso_date(d)), None)
    year = int(day[:4]) if day else None
    speakers = (Author(name, role="speaker", published=year) for name in spelt_once(parts))
    return Document(
        origin=file.place,
        text=text,
        parts=parts,
        title=header.title or f"Chambre des députés{f', séance du {day}' if day else ''}",
        authors=(*header.authors, *speakers),
        date=day,
        language=header.language,
        kind="debate",
        licences=header.licences,
        counts=(("mended_words", mended),) if mended else (),
    )


def mend_tree(text: Element) -> int:
    """Make divided words whole in a text, and return how many. The words stay in the elements they stand in.

    A line ends at a line break in the file, at ``lb`` and at ``pb``; a hyphen before other elements stays.
    """
    known = hyphens.lexicon(line for piece in text.itertext() for line in str(piece).split("\n"))
    count = 0
    for element in list(text.iter()):
        for slot in ("text", "tail"):
            words = getattr(element, slot)
            if words and "\n" in words and not (element is text and slot == "tail"):
                lines, taken = hyphens.mend(words.split("\n"), known)
                if taken:
                    setattr(element, slot, "\n".join(lines))
                    count += len(taken)
        if name_of(element) in ("lb", "pb"):
            count += _over_break(element, known)
    return count


def _over_break(mark: Element, known: Counter[str]) -> int:
    """Make the word whole that a line or page break stands in."""
    before, parent = mark.getprevious(), mark.getparent()
    above = before.tail if before is not None else parent.text if parent is not None else None
    if not above or not mark.tail:
        return 0
    (above, behind), taken = hyphens.mend([above.rstrip(), mark.tail], known)
    if not taken:
        return 0
    if before is not None:
        before.tail = above
    elif parent is not None:
        parent.text = above
    mark.tail = f"\n{behind}"
    return len(taken)


def spelt_once(parts: tuple[Part, ...]) -> list[str]:
    """The speakers in the order of their first words, each as it is printed most; the chair is none."""
    spellings: dict[str, Counter[str]] = {}
    for part in parts:
        if part.speaker and not is_chair(part.speaker):
            plain = unicodedata.normalize("NFD", part.speaker.casefold())
            key = re.sub(r"[\W\d_]", "", "".join(c for c in plain if not unicodedata.combining(c)))
            spellings.setdefault(key, Counter())[squeeze(part.speaker)] += 1
    return [min(found, key=lambda name: (-found[name], name)) for found in spellings.values()]
