"""One work that somebody asks about: a text, an EPUB or a PDF, read as a source's files of that kind are.

What a source's reader would have made of the file is what must be looked for, so the readers are the same.
Only what they advise is not: whoever asks about a work has no source card.

What a file holds as pictures (a scanned page, a plate) is not read. A PDF without any words is refused: a
search for nothing finds nothing, and would pass for an answer.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hemicycle.digests import sha256_file
from hemicycle.documents import Document
from hemicycle.errors import DeclarationError, InputError

Kind = Literal["text", "epub", "pdf"]

_KINDS: dict[str, Kind] = {".epub": "epub", ".pdf": "pdf"}

_REMEDIES: dict[Kind, str] = {
    "text": "Give a text in UTF-8 of at most 64 MiB{makes}, or an .epub or .pdf file under its own name.",
    "epub": "Give a whole book without a lock, or its text as a .txt file in UTF-8.",
    "pdf": "Give a file with a text layer and without a password, or its text as a .txt file in UTF-8.",
}


@dataclass(frozen=True)
class Work:
    """A work as it was read.

    Attributes:
        name: of its file.
        kind: how it was read.
        sha256: of the file's bytes.
        running_heads: lines of print that are no part of the text, and were left out (PDF).
    """

    name: str
    kind: Kind
    title: str | None
    text: str
    sha256: str
    running_heads: int = 0


def read_work(path: Path) -> Work:
    """Read a work: by the end of its name an EPUB or a PDF, else a text in UTF-8.

    Raises:
        DeclarationError: the library that reads PDF files is not installed; or the file holds no word.
        InputError: the file is not what its name says, is encrypted, damaged, hostile or a scan, or too big;
            a text is not UTF-8.
    """
    kind = _KINDS.get(path.suffix.lower(), "text")
    sha256 = sha256_file(path)
    try:
        document = _read(path, kind)
    except InputError as error:
        encoding = _encoding(path) if kind == "text" else None
        makes = f" (`iconv -f {encoding} -t UTF-8` makes one)" if encoding else ""
        remedy = _REMEDIES[kind].format(makes=makes)
        raise InputError(error.what, place=error.place, remedy=remedy) from None
    if not re.search(r"\w", document.text):
        raise DeclarationError(
            "the file holds no word", place=str(path), remedy="A word is a run of letters or digits."
        )
    heads = dict(document.counts).get("running_heads", 0)
    return Work(path.name, kind, document.title, document.text, sha256, heads)


def _encoding(path: Path) -> str | None:
    """What a text that is not UTF-8 probably is, as iconv calls it; None where it is probably no text."""
    with path.open("rb") as file:
        head = file.read(4096)
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "UTF-32"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "UTF-16"
    if b"\0" not in head:
        return "ISO-8859-1"
    # Of a text in Latin letters every other byte is NUL, and of an archive hardly any.
    odd, even = head[1::2].count(0), head[::2].count(0)
    if 4 * max(odd, even) < len(head):
        return None
    return "UTF-16LE" if odd > even else "UTF-16BE"


def _read(path: Path, kind: Kind) -> Document:
    place = str(path)
    if kind == "epub":
        from hemicycle.sources.epub import read_book

        return read_book(path, place)
    if kind == "pdf":
        from hemicycle.sources.pdf import read_pdf

        return read_pdf(path, place)
    from hemicycle.sources.text import read_utf8

    return Document(origin=path.name, text=read_utf8(path, place))
