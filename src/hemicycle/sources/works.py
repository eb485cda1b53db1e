"""One work that somebody asks about: a text, a page, an EPUB or a PDF, read as a source's files of that kind.

What a source's reader would have made of the file is what must be looked for, so the readers are the same.
Only what they advise is not: whoever asks about a work has no source card.

The trap is the file that can be read as text and is none: in RTF or TeX, codes part the words and count as
words, so a work that is in the corpus from end to end would not be found, and “not found” be signed. Files
are refused whose names say that they hold codes, that begin as such files do, or among whose words there are
many tags. A single sign of `<…>` says nothing: names, addresses and stage directions are written so.

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
from hemicycle.errors import DeclarationError, InputError, visible
from hemicycle.sources.text import MARKDOWN

Kind = Literal["text", "html", "epub", "pdf"]

_KINDS: dict[str, Kind] = {
    **dict.fromkeys((".html", ".htm", ".xhtml"), "html"),
    ".epub": "epub",
    ".pdf": "pdf",
}

_REMEDIES: dict[Kind, str] = {
    "text": "Give a text in UTF-8 of at most 64 MiB{makes}, or an .epub, .html or .pdf file by its own name.",
    "html": "Give a whole page in the encoding that it states, or its text as a .txt file in UTF-8.",
    "epub": "Give a whole book without a lock, or its text as a .txt file in UTF-8.",
    "pdf": "Give a file with a text layer and without a password, or its text as a .txt file in UTF-8.",
}

#: Names of files that hold codes, or a text in a container. Any other is a text if its bytes are one.
_NO_TEXT = frozenset(
    ".azw .azw3 .bib .csv .djvu .doc .docx .eps .fb2 .fodt .gz .ipynb .json .jsonl .latex .mobi .odt .ps "
    ".rar .rtf .sgm .sgml .srt .svg .tar .tei .tex .tsv .vtt .wpd .xls .xlsx .xml .zip .zst .7z".split()
)
#: What may stand behind the name of a text in UTF-8.
_ENCODED = (".utf-8", ".utf8", ".utf_8")

#: How files begin that are neither text nor a page, and how pages and XML do; both without what is blank.
_CODED = re.compile(rb"{\\rtf|%!PS|%PDF-|PK[\3\5]|(?:%[^\n]*+\n\s*+)*+\\document(?:class|style)\b")
_PAGE = re.compile(rb"<(?:\?xml|!doctype|html)\b", re.IGNORECASE)
#: Bytes among which that is looked for, and tags.
_BEGINNING = 2**16
_IN_ANGLES = re.compile(r"<([^<>]{1,1000})>")
#: Between < and >, what is a tag without doubt: one that closes, has attributes, or is one of a page's.
_TAG = re.compile(
    r"/[A-Za-z][\w:.-]*\s*|!--.*|[A-Za-z][\w:.-]*(?:\s[^=]*=.*|\s*/|\s.*/)|(?:p|br|hr|li|td|tr|div|span)",
    re.DOTALL | re.IGNORECASE,
)
#: Words a tag, of a text: there is one for every other paragraph of a page.
_WORDS_A_TAG = 50


@dataclass(frozen=True)
class Work:
    """A work as it was read.

    Attributes:
        name: of its file, what does not print in it spelled out.
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
    """Read a work: by the end of its name an EPUB, a page or a PDF, else a text in UTF-8.

    Raises:
        DeclarationError: this is no ordinary file; the library that reads PDF files is not installed; or the
            file holds no word.
        InputError: works are not read from files of this kind; the file is not what its name says, is
            encrypted, damaged, hostile or a scan, or too big; a text is not UTF-8; or it changes meanwhile.
    """
    place = str(path)
    if not path.is_file():
        raise DeclarationError(
            "this is no ordinary file", place=place, remedy="Save the work as a file, and give that."
        )
    kind = _kind(path)
    sha256 = sha256_file(path)
    try:
        document = _read(path, kind)
    except InputError as error:
        encoding = _encoding(path) if kind == "text" else None
        makes = f" (`iconv -f {encoding} -t UTF-8` makes one)" if encoding else ""
        remedy = _REMEDIES[kind].format(makes=makes)
        raise InputError(error.what, place=error.place, remedy=remedy) from None
    # What is signed for is these bytes, and nothing else may have been read.
    if sha256_file(path) != sha256:
        raise InputError("the file changed while it was read", place=place, remedy="Ask once it is whole.")
    if not re.search(r"\w", document.text):
        raise DeclarationError(
            "the file holds no word", place=place, remedy="A word is a run of letters or digits."
        )
    heads = dict(document.counts).get("running_heads", 0)
    return Work(visible(path.name), kind, document.title, document.text, sha256, heads)


def _kind(path: Path) -> Kind:
    """How a file is to be read. Raises InputError where it is of no kind that is."""
    tail = _tail(path)
    if tail in _NO_TEXT:
        raise InputError(
            f"works are not read from {tail} files: codes in them would count as words",
            place=str(path),
            remedy="Give the text alone as a .txt file in UTF-8 (word processors save one as “plain text”), "
            "or an .epub, .html or .pdf file.",
        )
    kind = _KINDS.get(tail, "text")
    if kind in ("text", "html"):
        with path.open("rb") as file:
            head = file.read(_BEGINNING).removeprefix(codecs.BOM_UTF8).lstrip()
        what = None
        if _CODED.match(head) or (kind == "text" and _PAGE.match(head)):
            what = "the file begins as one of another kind"
        # In Markdown they are, and sources keep them.
        elif kind == "text" and tail not in MARKDOWN and _is_tagged(head.decode("utf-8", "ignore")):
            what = "there are tags among the words, as in a page"
        if what:
            raise InputError(
                f"{what}: codes in it would count as words",
                place=str(path),
                remedy="Give an .epub, .html or .pdf file by its own name, or the text alone as a .txt file.",
            )
    return kind


def _tail(path: Path) -> str:
    """How a file's name ends, in small letters, the encoding of a text apart."""
    return (path.with_suffix("") if path.suffix.lower() in _ENCODED else path).suffix.lower()


def _is_tagged(text: str) -> bool:
    """Whether tags stand among the words of a text, as in a page."""
    tags = sum(_TAG.fullmatch(found[1]) is not None for found in _IN_ANGLES.finditer(text))
    return tags > 0 and len(re.findall(r"\w+", _IN_ANGLES.sub(" ", text))) < tags * _WORDS_A_TAG


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
    if kind == "html":
        from hemicycle.sources.html import document_of_page
        from hemicycle.sources.trees import MAX_PAGE
        from hemicycle.sources.xml import read_bytes

        return document_of_page(read_bytes(path, place, MAX_PAGE), place)
    from hemicycle.sources.text import front_matter, read_utf8

    text = read_utf8(path, place)
    # A source takes the header for what is said of the text, and so it is in no corpus.
    header = front_matter(text) if _tail(path) in MARKDOWN else None
    if header is None:
        return Document(origin=path.name, text=text)
    return Document(origin=path.name, text=header.body, title=header.one("title", "titre"))
