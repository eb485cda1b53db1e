"""Speeches one a line, as a study of the debates of 1790 cut them out: one document a file.

The file holds the words alone. The names were cut off, and what is left of them opens many lines (« , député
du Béarn. Les motifs … »): the comma goes, the office stays and is the role of the turn. A line is a turn,
with its number as anchor and without a speaker.

The traps: recognition was bad and nothing here makes it good, a rule on its quality must hold such lines
back; the ends of the printed lines are lost and their hyphens are not (« rap-ports »), so a word is closed
only where the same file has it whole; the day stands in no line, and the file's name gives a span of days, of
which what its ends share is kept.

The speakers are persons whose names are known elsewhere, so nobody counts as anonymous: their term is
unknown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from hemicycle.documents import Author, Document, Part
from hemicycle.errors import InputError
from hemicycle.sources import selected_files
from hemicycle.sources.hyphens import close_inner, lexicon
from hemicycle.sources.long_s import plain_letters
from hemicycle.sources.text import iso_date, read_utf8
from hemicycle.sources.xml import Assembly

if TYPE_CHECKING:
    from hemicycle.project import Card

#: What is left of a name: the office behind its comma, or the place in parentheses (« (de Tours). »).
_OFFICE = re.compile(r"\s*,\s*([^\W\d_][^.,;:(]{2,80})(?=[.,])")
_DAY = re.compile(r"(?<!\d)\d{4}-\d\d-\d\d(?!\d)")


def read(folder: Path, card: Card) -> Iterator[Document]:
    """One document a ``.txt`` file.

    Raises:
        InputError: a file is no text, not UTF-8, or without a word.
    """
    for path in selected_files(folder, card):
        origin = path.relative_to(folder).as_posix()
        if path.suffix.lower() != ".txt":
            raise InputError(
                "this is no file of speeches by its name (.txt)",
                place=origin,
                remedy='Leave it out in the card, for example with include = ["**/*.txt"].',
            )
        yield _document(read_utf8(path, origin).split("\n"), origin)


def _document(lines: list[str], origin: str) -> Document:
    known = lexicon(lines)
    out = Assembly()
    closed = 0
    for number, line in enumerate(lines, 1):
        office = _OFFICE.match(line)
        words = plain_letters(re.sub(r"^[\s,]+", "", line))
        mended = close_inner(words, known)
        closed += words.count("-") - mended.count("-")
        out.separate("\n\n")
        role = office[1].strip() if office else None
        with out.part(Part(0, 0, f"l{number}", "turn", role=role)):
            out.add(mended)
    text, parts = out.finish()
    if not text:
        raise InputError("the file holds no word", place=origin)
    span = span_of(origin)
    year = int(span[:4]) if span else None
    return Document(
        origin=origin,
        text=text,
        parts=parts,
        title=Path(origin).stem,
        authors=(Author("orateurs non nommés", role="speaker", published=year),),
        date=span,
        kind="debate",
        counts=(("mended_words", closed),) if closed else (),
    )


def span_of(name: str) -> str | None:
    """What the days in a name share; a span to the first of the next month is that month.

    ``1790-06-01_1790-07-01`` and ``1790-06-03_1790-06-30`` are both 1790-06.
    """
    days: list[str] = [day for day in _DAY.findall(name) if iso_date(day)]
    if not days:
        return None
    first, last = min(days), max(days)
    following = f"{int(first[:4]) + first[5:7].startswith('12'):04}-{int(first[5:7]) % 12 + 1:02}-01"
    if first == last:
        return first
    if first[:7] == last[:7] or (last == following and first.endswith("-01")):
        return first[:7]
    return first[:4] if first[:4] == last[:4] else None
