"""Wikipedia, from the HTML dumps of Wikimedia Enterprise: one JSON object a line, one document a page.

A dump is ``frwiki-NS0-…-ENTERPRISE-HTML.json.tar.gz``, read as a stream where it stands; its members,
unpacked (``.ndjson``, plain or ``.gz``), are read too. A line names the page (`name`, `identifier`, `url`),
its namespace, language, licences, and holds its HTML as the wiki's parser makes it.

A page of another namespace than the main one (talk, files, categories, the scanned pages of Wikisource) is
left out: it is not the work. So are redirects and pages with empty HTML: they have no words. A dump may
hold a page in several revisions; the first one met is the document, so that nothing is doubled.

The traps: the HTML holds the same formula three times over (one is kept, as TeX), marks of references
inside words, navigation boxes, hidden data; its ids of elements change with every revision, so only those
of headings are anchors. A licence stands as identifier, name and address: where identifier and address mean
two licences, both are stated and both bind. What cannot be read of a licence is refused, never dropped.

Assumed of the format, beyond the publisher's description: `namespace` may be missing, and is then the main
one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lxml import etree

from hemicycle.documents import Document, StatedLicence
from hemicycle.errors import InputError
from hemicycle.sources import selected_files
from hemicycle.sources.jsonl import MAX_LINE_BYTES, SUFFIXES, json_object, lines
from hemicycle.sources.markup import read_html
from hemicycle.sources.page import Page
from hemicycle.sources.rows import shown
from hemicycle.sources.tarred import SUFFIXES as TAR_SUFFIXES
from hemicycle.sources.tarred import Member, tar_members
from hemicycle.sources.tei_header import licence_expression
from hemicycle.sources.text import bcp47, iso_date
from hemicycle.sources.trees import MAX_PAGE, html_root

if TYPE_CHECKING:
    from hemicycle.project import Card

#: Classes of what surrounds or marks the text and is not it.
_NOT_TEXT = frozenset(
    "mw-editsection navbox navigation-not-searchable noprint ws-noexport pagenum ws-pagenum headertemplate "
    "mw-ref mw-linkback-text reference-link catlinks metadata".split()
)

#: Ids that the wiki's parser numbers anew in every revision.
_PARSER_ID = re.compile(r"mw[A-Za-z0-9_-]{2,8}|mwt\d+|cite_.*")
_HIDDEN = re.compile(r"display\s*:\s*none", re.IGNORECASE)


@dataclass(frozen=True)
class Entry:
    """One line of a dump, with its HTML as a tree that still holds everything."""

    row: Mapping[str, Any]
    root: etree._Element
    place: str


def read(folder: Path, card: Card) -> Iterator[Document]:
    """One document a page of an encyclopedia; its licence is what the dump states of the page itself.

    Raises:
        InputError: with file and line, for a line that is no page or cannot be read.
    """
    return read_dump(folder, card, article)


def article(entry: Entry) -> Document:
    page = page_of(entry)
    return document_of(
        entry, page, "file", kind="encyclopedia", date=iso_date(text_of(entry.row, "date_modified"))
    )


def document_of(entry: Entry, page: Page, stated_by: str, **known: Any) -> Document:
    """The document of a page: what all projects have in common, and what is `known` of this one beside it."""
    row, place = entry.row, entry.place
    url, name = text_of(row, "url"), text_of(row, "name")
    wiki = text_of(_object(row, "is_part_of", place), "identifier")
    identifier = row["identifier"]
    return Document(
        **{
            "origin": url or f"{wiki or 'wiki'}:{identifier}",
            "id": f"{wiki}:{identifier}" if wiki else None,
            "text": page.text,
            "parts": page.parts,
            "title": name,
            "language": bcp47(text_of(_object(row, "in_language", place), "identifier")),
            "licences": tuple(
                # A link in the page speaks for whom its licence speaks for: never for the author of the text.
                [*_licences(row, stated_by, place), *(replace(x, stated_by=stated_by) for x in page.licences)]
            ),
            **known,
        }
    )


def read_dump(folder: Path, card: Card, document: Callable[[Entry], Document]) -> Iterator[Document]:
    """The pages of the main namespace that are no redirects, each once."""
    seen: set[tuple[str, int]] = set()
    for path in selected_files(folder, card):
        origin = path.relative_to(folder).as_posix()
        for place, line in _lines(path, origin):
            row = json_object(line, place)
            identifier = row.get("identifier")
            if isinstance(identifier, bool) or not isinstance(identifier, int):
                raise InputError("the line has no “identifier” that is a number", place=place)
            namespace = _object(row, "namespace", place).get("identifier", 0)
            if isinstance(namespace, bool) or not isinstance(namespace, int):
                raise InputError("the namespace has no “identifier” that is a number", place=place)
            key = (text_of(_object(row, "is_part_of", place), "identifier") or "", identifier)
            if namespace != 0 or key in seen:
                continue
            seen.add(key)
            root = _tree(row, place)
            if root is not None and not _is_redirect(root):
                yield document(Entry(row, root, place))


def _lines(path: Path, origin: str) -> Iterator[tuple[str, str]]:
    """The lines of a file or of a tar's members that hold anything, each with its place."""
    lower = origin.lower()
    if lower.endswith(TAR_SUFFIXES):
        for member in tar_members(path, origin):
            yield from _member_lines(member)
    elif lower.endswith((*SUFFIXES, ".json")):
        for number, line in lines(path, origin):
            if line.strip():
                yield f"{origin}, line {number}", line
    else:
        raise InputError(
            "this is not a dump by its name (.json.tar.gz, .ndjson, .ndjson.gz)",
            place=origin,
            remedy='Leave it out in the card, for example with include = ["*-ENTERPRISE-HTML.json.tar.gz"].',
        )


def _member_lines(member: Member) -> Iterator[tuple[str, str]]:
    number = 0
    while line := member.readline(MAX_LINE_BYTES + 1):
        number += 1
        place = f"{member.place}, line {number}"
        if len(line) > MAX_LINE_BYTES:
            raise InputError(
                f"the line is longer than {MAX_LINE_BYTES // 2**20} MiB: this is no page", place=place
            )
        try:
            decoded = line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise InputError(
                f"byte {error.start} of the line (0x{line[error.start]:02x}) is not UTF-8", place=place
            ) from None
        if decoded.strip():
            yield place, decoded


def _object(row: Mapping[str, Any], key: str, place: str) -> Mapping[str, Any]:
    value = row.get(key)
    if value is not None and not isinstance(value, Mapping):
        raise InputError(f"“{key}” is no object", place=place)
    return value or {}


def text_of(row: Mapping[str, Any], key: str) -> str | None:
    """A string that says something and can be stored, or None."""
    value = row.get(key)
    if not isinstance(value, str) or not value.strip():
        return None
    return value.encode("utf-8", "replace").decode("utf-8").replace("\0", "\ufffd")


def _tree(row: Mapping[str, Any], place: str) -> etree._Element | None:
    """The tree of a page; None where its HTML is empty."""
    html = _object(row, "article_body", place).get("html")
    if not isinstance(html, str):
        raise InputError(
            "the page has no HTML (article_body.html)",
            place=place,
            remedy="The reader takes the HTML dumps; those of structured contents have other fields.",
        )
    if len(html) > MAX_PAGE:
        raise InputError(f"the page has more than {MAX_PAGE // 2**20} MiB", place=place)
    if "\0" in html:
        raise InputError("the page holds a NUL", place=place)
    return html_root(html, place) if html.strip() else None


def _is_redirect(root: etree._Element) -> bool:
    return any(
        "mw:PageProp/redirect" in (e.get("rel") or e.get("property") or "").split()
        for e in root.iter("link", "meta")
    )


def page_of(entry: Entry) -> Page:
    """The text of a page, without what surrounds and marks it. Takes the tree apart."""
    root = entry.root
    for e in [e for e in root.iter() if isinstance(e.tag, str)]:
        if e.tag == "math":
            tex = e.get("alttext") or " ".join(a.text or "" for a in e.iter("annotation"))
            if tex.strip():
                _empty(e)
                e.tag, e.text = "span", tex
        elif e is not root and _is_not_text(e):
            _empty(e)  # an empty block still parts what stands around it
        elif _PARSER_ID.fullmatch(e.get("id") or ""):
            del e.attrib["id"]
    data = etree.tostring(root, encoding="utf-8", method="html")
    return read_html(b"\xef\xbb\xbf" + data, entry.place)


def _empty(e: etree._Element) -> None:
    """Take away all that an element holds; what follows it stays."""
    tail = e.tail
    e.clear()
    e.tail = tail


def _is_not_text(e: etree._Element) -> bool:
    classes = set((e.get("class") or "").split())
    if any(word.startswith("mwe-math") for word in classes):
        return False  # its hidden half holds the formula
    if e.tag == "meta" or _HIDDEN.search(e.get("style") or ""):
        return True
    return bool(classes & _NOT_TEXT) or (e.tag == "sup" and "reference" in classes)


def _licences(row: Mapping[str, Any], stated_by: str, place: str) -> Iterator[StatedLicence]:
    stated = row.get("license")
    if stated is None:
        return
    for one in stated if isinstance(stated, list) else [stated]:
        words = (
            {k: text_of(one, k) for k in ("identifier", "url", "name")} if isinstance(one, Mapping) else {}
        )
        if not any(words.values()):
            raise InputError(
                "a licence is stated here in a form that cannot be read",
                place=place,
                remedy="It should have an identifier, a name or an address.",
            )
        evidence = f"{place}: license {', '.join(shown(w) for w in words.values() if w)}"
        for expression in _expressions(words):
            yield StatedLicence(stated_by, expression, evidence)


def _expressions(words: Mapping[str, str | None]) -> list[str]:
    """What identifier and address mean, once where they agree; else the words as they are."""
    identifier = words["identifier"]
    named = [identifier] if identifier and re.fullmatch(r"[A-Za-z0-9.+-]{1,100}", identifier) else []
    linked = [x for x in [licence_expression(words["url"] or "")] if x]
    found = list(dict.fromkeys(named + linked)) or [x for x in [licence_expression(words["name"] or "")] if x]
    return found or [next(w for w in words.values() if w)[:200]]
