"""PDF files with words in them: one file, one document, a part a page.

A PDF knows where letters stand on paper, and nothing of paragraphs. Lines are put together again where a
sentence goes on, words that were broken at the end of a line are joined, and running heads are left out.

The traps: a scan has pictures and no words, or only a stamp on its cover, and would pass for a short
document. It is refused: recognising letters is another reader's work. Reservations and licences stand in the
file's XMP, which is read from its bytes (`xmp`), because what cannot be read there may be a reservation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from hemicycle.documents import Author, Document, Part, StatedLicence
from hemicycle.errors import InputError
from hemicycle.project import Card
from hemicycle.rights.optout import metadata_signal, pdf_metadata
from hemicycle.sources import selected_files
from hemicycle.sources.pdf_text import PdfPage, pdf_text
from hemicycle.sources.running_heads import running_heads
from hemicycle.sources.tei_header import licence_expression, lifetime
from hemicycle.sources.text import bcp47, iso_date
from hemicycle.sources.xml import squeeze
from hemicycle.sources.xmp import FILE_LIMIT, Packets, packets

#: Characters from which a line is long enough to have been broken by the margin and not by its author.
_LONG = 60
_BULLET = re.compile(r"[-–—•▪◦*]\s|\(?\d{1,3}[.)]\s|[a-z]\)\s|Art(?:\.|icle)\s")
_CONTROLS = {code: None for code in (*range(9), *range(11, 32), 127, 0xFEFF, 0xFFFF)}
#: From the beginning of a word only, and without going back: a page may be one word of a million letters.
_WORD = r"\w++(?:-\w++)*+"
_BROKEN = re.compile(rf"(?<![\w-])({_WORD})\ufffe({_WORD})")
_COMPOUND = re.compile(r"(?<![\w-])\w++(?:-\w++)++")
#: What keeps its hyphen after a verb, a pronoun or an adverb.
_CLITICS = frozenset(
    "je tu il elle on nous vous ils elles moi toi lui leur le la les y en ce ci là même mêmes t".split()
)


def read(folder: Path, card: Card) -> Iterator[Document]:
    """Yield one document a file, in the order of the paths.

    Raises:
        DeclarationError: the library is not installed.
        InputError: a file is no PDF by its name, encrypted, damaged, a scan, or goes beyond the bounds.
    """
    for path in selected_files(folder, card):
        origin = path.relative_to(folder).as_posix()
        if path.suffix.lower() != ".pdf":
            raise InputError(
                "this is not a PDF by its name",
                place=origin,
                remedy='Leave it out in the card, for example with include = ["**/*.pdf"].',
            )
        yield read_pdf(path, origin)


def read_pdf(path: Path, origin: str) -> Document:
    """One file; `origin` names it in messages. Raises as `read` does."""
    if path.stat().st_size > FILE_LIMIT:
        raise InputError(
            f"the file is bigger than {FILE_LIMIT // 2**20} MiB, the most that is read",
            place=origin,
            remedy="Split it, or leave it out with `exclude` in the card.",
        )
    found = pdf_text(path, origin)
    _refuse_scan(found.pages, origin)
    data = path.read_bytes()
    metadata = packets(data)
    said = metadata.own()
    pages, heads = without_heads(found.pages)
    text, parts = written(pages)
    named = said.get("creator") or ([found.author] if squeeze(found.author) else [])
    return Document(
        origin=origin,
        text=text,
        parts=tuple(parts),
        title=squeeze(found.title) or next(iter(said.get("title", ())), None),
        authors=tuple(_person(name) for name in named),
        date=next(filter(None, (iso_date(re.sub(r"T.*", "", day)) for day in said.get("date", ()))), None),
        language=bcp47(found.language) or next(filter(None, map(bcp47, said.get("language", ()))), None),
        licences=tuple(_licences(metadata, origin)),
        reservations=tuple(metadata_signal(f"{origin}, XMP", pdf_metadata(data), data)),
        counts=(("running_heads", heads),),
    )


def _person(stated: str) -> Author:
    name, birth, death = lifetime(squeeze(stated)[:500])
    return Author(name, birth=birth, death=death)


def _licences(metadata: Packets, origin: str) -> Iterator[StatedLicence]:
    """Every statement of rights; one that names no licence we know is passed on in its words."""
    for words in metadata.rights():
        yield StatedLicence("file", licence_expression(words) or words[:200], f"{origin}, XMP: {words[:200]}")


def _refuse_scan(pages: tuple[PdfPage, ...], origin: str) -> None:
    wordless = [page for page in pages if not re.search(r"\w{2}", page.text)]
    scanned = sum(page.picture for page in wordless)
    if len(wordless) == len(pages) or 2 * scanned > len(pages):
        raise InputError(
            f"{len(wordless)} of {len(pages)} pages hold no words: this is a scan without its text",
            place=origin,
            remedy='Read it with reader = "scans", which recognises letters, or name it in `exclude`.',
        )


def without_heads(pages: tuple[PdfPage, ...]) -> tuple[list[str], int]:
    """The text of each page without its running heads, feet and page number, and how many these were."""
    split = [page.text.split("\n") for page in pages]
    places = [[n for n, line in enumerate(lines) if squeeze(line)] for lines in split]
    heads = running_heads([[squeeze(lines[n]) for n in at] for lines, at in zip(split, places, strict=True)])
    taken = [{at[n] for n in found} for at, found in zip(places, heads, strict=True)]
    left = [
        "\n".join(line for n, line in enumerate(lines) if n not in gone)
        for lines, gone in zip(split, taken, strict=True)
    ]
    return left, sum(map(len, taken))


def written(pages: Sequence[str]) -> tuple[str, list[Part]]:
    """The text of all pages and a part a page, anchored as viewers do (`page=12`)."""
    whole = " ".join(pages)
    hyphened = frozenset(_COMPOUND.findall(whole.lower()))
    words = frozenset(re.findall(r"\w+", whole.lower()))
    pieces: list[str] = []
    parts: list[Part] = []
    length = 0
    for number, page in enumerate(pages, 1):
        text = fold(_joined(page, hyphened, words).translate(_CONTROLS))
        if not text:
            continue
        if pieces:
            pieces.append("\n\n")
            length += 2
        pieces.append(text)
        parts.append(Part(length, length + len(text), anchor=f"page={number}", kind="page"))
        length += len(text)
    return "".join(pieces), parts


def _joined(text: str, hyphened: frozenset[str], words: frozenset[str]) -> str:
    """Words broken at a line end as one: with their hyphen where the file has them so elsewhere."""

    def join(found: re.Match[str]) -> str:
        first, second = found[1], found[2]
        compound, plain = f"{first}-{second}".lower(), f"{first}{second}".lower()
        keeps = compound in hyphened or (plain not in words and second.lower() in _CLITICS)
        return f"{first}-{second}" if keeps else first + second

    return _BROKEN.sub(join, text).replace("\ufffe", "-")


def fold(text: str) -> str:
    """Lines of print as paragraphs: a line is joined to the next where the sentence goes on.

    It does where the next begins with a small letter, or where the line was long and went to the margin;
    never where the next begins an item.
    """
    lines = [squeeze(line) for line in text.split("\n")]
    long = sorted(len(line) for line in lines if line)
    width = long[len(long) * 9 // 10] if long else 0
    pieces: list[str] = []
    before = ""
    for line in lines:
        if line and before:
            full = len(before) >= _LONG and len(before) >= 0.8 * width
            goes_on = (line[0].islower() or full) and not _BULLET.match(line)
            pieces.append(" " if goes_on else "\n")
        elif line and pieces:
            pieces.append("\n\n")
        if line:
            pieces.append(line)
        before = line
    return "".join(pieces)
