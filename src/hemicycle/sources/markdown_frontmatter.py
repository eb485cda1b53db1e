"""Articles of law as Markdown with a header: one document a version of an article.

This is the form in which public repositories keep the consolidated law (Tricoteuses): a header of
`key: value` lines (Nature, Numéro, État, Date de début, Date de fin, Identifiant, Origine), the text in lines
of eighty columns, `<br />` at the ends of paragraphs. Broken lines are joined again, `<br />` breaks a line,
and other tags and the marks of Markdown go while their words stay.

The traps: a page ends in folded lists (`<details>`: “Références”, “Autres formats”) that may be a hundred
times longer than the article; they are links made by the edition, under a licence of its own, and are left
out. Such a list may be cut short (it runs to the end of the file); any other folded text is read. And
2999-01-01 means “no end”. A file may hold several versions, one header after the other: each is a document,
and all of them are one group, as are the files of one folder that carry the same number.
"""

from __future__ import annotations

import html
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from hemicycle.documents import Document, Part, StatedLicence
from hemicycle.errors import InputError
from hemicycle.sources import selected_files
from hemicycle.sources.legi import validity
from hemicycle.sources.text import LICENCE_KEYS, MARKDOWN, Header, front_matter, iso_date, read_utf8

if TYPE_CHECKING:
    from hemicycle.project import Card

_APPARATUS = re.compile(
    r"<details\b[^<>]*>\s*<summary\b[^<>]*>\s*(?:<h\d>\s*)?(?:Références|Autres formats)\s*(?:</h\d>\s*)?</summary>",  # noqa: E501
    re.IGNORECASE,
)
_FOLD = re.compile(r"<(/?)details\b[^<>]*>", re.IGNORECASE)
_NEXT_HEADER = re.compile(r"^---[ \t]*\n(?=[^\s:#][^:\n]{0,63}:(?:\s|$))", re.MULTILINE)
_TAG = re.compile(r"</?([A-Za-z][A-Za-z0-9]*)\b[^<>]*>")
_BLOCK_TAGS = {"p", "div", "li", "ul", "ol", "table", "tr", "details", "summary", "blockquote"}
_BLOCK_TAGS |= {f"h{level}" for level in range(1, 7)}
#: A header is no longer than this; so a file of many rules costs no more than its length.
_HEADER_WINDOW = 2**16
_IDENTITY = ("identifiant", "identifier", "id")
_LIST_ITEM = re.compile(r"\s*(?:[-*+]|\d{1,3}[.)])\s+\S")


def read(folder: Path, card: Card) -> Iterator[Document]:
    """Yield one document a version, file by file in the order of their paths.

    Raises:
        InputError: a file is not Markdown by its name, not UTF-8, has no header that can be read, states a
            licence in a form that cannot be read, or holds a version that was there before.
    """
    seen: dict[str, str] = {}
    for path in selected_files(folder, card):
        origin = path.relative_to(folder).as_posix()
        if path.suffix.lower() not in MARKDOWN:
            raise InputError(
                f"this is not Markdown by its name ({', '.join(MARKDOWN)})",
                place=origin,
                remedy='Leave it out in the card, for example with include = ["**/*.md"].',
            )
        for document in versions(read_utf8(path, origin), origin):
            if document.id in seen:
                raise InputError(
                    f"the version {document.id} is here a second time: it was read in {seen[document.id]}",
                    place=origin,
                )
            if document.id:
                seen[document.id] = origin
            yield document


def versions(text: str, origin: str) -> Iterator[Document]:
    """The documents of one file. Raises InputError where it has no header, or one that cannot be read."""
    headers: list[tuple[int, int, Header]] = []
    for found in _NEXT_HEADER.finditer(text):
        start = found.start()
        if headers and start < headers[-1][1]:
            continue  # the line that ends a header, before a paragraph with a colon in it
        window = text[start : start + _HEADER_WINDOW]
        header = front_matter(window)
        if header is not None and header.one(*_IDENTITY):
            headers.append((start, start + len(window) - len(header.body), header))
    if not headers or text[: headers[0][0]].strip():
        raise InputError(
            "the file does not begin with a header that says its “Identifiant”",
            place=f"{origin}, line 1",
            remedy="Use the reader `text` for other Markdown, or leave the file out with `exclude`.",
        )
    line, counted = 0, 0
    ends = [start for start, *_ in headers[1:]] + [len(text)]
    for (start, body, header), end in zip(headers, ends, strict=True):
        line, counted = line + text.count("\n", counted, start), start
        document = _version(header, text[body:end], origin, line)
        if document is not None:
            yield document


def _version(header: Header, body: str, origin: str, line: int) -> Document | None:
    if header.unread_licence is not None:
        raise InputError(
            "the header seems to state a licence here, in a form that cannot be read",
            place=f"{origin}, line {line + header.unread_licence}",
            remedy="Write `license: IDENTIFIER` on a line of its own.",
        )
    identity = header.one(*_IDENTITY) or ""
    number, nature = header.one("numéro", "numero"), header.one("nature")
    state = validity(
        header.one("état", "etat", "status") or "",
        header.one("date de début", "publication_date", "date") or "",
        header.one("date de fin") or "",
    )
    text, parts = plain(body, identity)
    if not text:
        return None
    named = " ".join(filter(None, (nature, number))) if number else None
    title = header.one("title", "titre") or named or (parts[0].title if parts else None) or identity
    return Document(
        origin=f"{origin}#{identity}",
        text=text,
        parts=parts,
        title=f"{title} ({state})" if state else title,
        date=iso_date(header.one("date de début", "publication_date", "date")),
        kind="law",
        licences=tuple(
            StatedLicence("file", expression, f"{origin}, line {line + header.line(*LICENCE_KEYS)}")
            for expression in header.all(*LICENCE_KEYS)
        ),
        id=identity,
        group=f"{posixpath.dirname(origin) or '.'}#{number}" if number else origin,
    )


def plain(body: str, anchor: str | None = None) -> tuple[str, tuple[Part, ...]]:
    """The text of an article's Markdown and its parts: headings, paragraphs, and notes below “Nota”."""
    blocks: list[tuple[str, str]] = []
    for block in re.split(r"\n[ \t]*\n", _spread(_without_apparatus(body))):
        if not block.strip():
            continue
        words = _joined(block)
        heading = re.match(r"#{1,6} ", words)
        if words := _unmarked(words[heading.end() :].rstrip("#") if heading else words):
            blocks.append(("heading" if heading else "paragraph", words))
    pieces, parts, position, title = [], [], 0, None
    for kind, words in blocks:
        title = words if kind == "heading" else title
        shown = "note" if kind == "paragraph" and (title or "").lower().startswith("nota") else kind
        parts.append(Part(position, position + len(words), anchor, shown, title=title))
        pieces.append(words)
        position += len(words) + 2
    return "\n\n".join(pieces), tuple(parts)


def _without_apparatus(body: str) -> str:
    """The body without the folded lists of links; one that is not closed runs to the end."""
    kept, position = [], 0
    while found := _APPARATUS.search(body, position):
        kept.append(body[position : found.start()])
        depth, position = 1, found.end()
        for tag in _FOLD.finditer(body, position):
            depth += -1 if tag[1] else 1
            if depth == 0:
                position = tag.end()
                break
        else:
            position = len(body)
    return "".join([*kept, body[position:]])


def _spread(text: str) -> str:
    """Tags to white space: those of blocks part paragraphs, `<br>` breaks a line, others leave nothing.

    A heading of Markdown is a paragraph of its own, whatever follows it.
    """

    def instead(tag: re.Match[str]) -> str:
        name = tag[1].lower()
        return "\v" if name == "br" else "\n\n" if name in _BLOCK_TAGS else ""

    return re.sub(r"(?m)^[ \t]*(#{1,6}[ \t][^\n]*)$", r"\n\1\n", _TAG.sub(instead, text))


def _joined(block: str) -> str:
    """A block whose lines were broken at a column, as lines of the text."""
    lines: list[list[str]] = []
    for line in block.split("\n"):
        if lines and not _LIST_ITEM.match(line):
            lines[-1].append(line)
        else:
            lines.append([line])
    broken = (piece for line in lines for piece in " ".join(line).split("\v"))
    spaced = (re.sub(r"[ \t]+", " ", piece).strip(" ") for piece in broken)
    return "\n".join(piece for piece in spaced if piece)


def _unmarked(words: str) -> str:
    """Without the marks of Markdown: links keep their words, what was escaped stands as it is."""
    words = re.sub(r"!?\[([^\[\]]*)\]\([^()\s]*\)", r"\1", words)
    words = re.sub(r"\*\*(?=\S)|(?<=\S)\*\*", "", words)
    words = re.sub(r"\\([\\`*_{}\[\]()#+.!<>~|-])", r"\1", words)
    return html.unescape(words).replace("\0", "\ufffd").strip()
