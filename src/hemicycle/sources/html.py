"""HTML and XHTML files that lie in a folder: one file, one document.

What a reader of the page reads is the text: navigation, scripts and forms are left out, and where the page
says what its main content is, only that is taken (see `markup`). Title, language, and the licence a page
links to with ``rel="license"`` are taken as they stand; so is a date in one of the usual elements `meta`.

This is for files that their publisher hands out as a collection. A page fetched from the web needs to be
asked for its owner's reservations first: that is another way in. A page without a word is refused, because
it is mostly one that would have been written by a script. So is a page that opens `html` and never closes it:
the standard allows that, but it is how a page looks that was cut short, and a parser would not say a word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from hemicycle.documents import Document
from hemicycle.errors import InputError
from hemicycle.sources import selected_files
from hemicycle.sources.markup import read_html
from hemicycle.sources.text import bcp47, iso_date
from hemicycle.sources.trees import MAX_PAGE, decoded, html_root
from hemicycle.sources.xml import read_bytes, squeeze

if TYPE_CHECKING:
    from hemicycle.project import Card

SUFFIXES = (".html", ".htm", ".xhtml")

#: Names of `meta` under which pages give the day of their text, the surer first.
_DATES = ("dcterms.issued", "dcterms.date", "dc.date.issued", "dc.date", "article:published_time", "date")


def read(folder: Path, card: Card) -> Iterator[Document]:
    """Yield one document a page, in the order of the paths.

    Raises:
        InputError: a file is not HTML by its name, too big, cut short, in another encoding than it says, or
            without a word.
    """
    for path in selected_files(folder, card):
        origin = path.relative_to(folder).as_posix()
        if path.suffix.lower() not in SUFFIXES:
            raise InputError(
                f"this is not a page by its name (known: {', '.join(SUFFIXES)})",
                place=origin,
                remedy='Leave it out in the card, for example with include = ["**/*.html", "**/*.xhtml"].',
            )
        yield document_of_page(read_bytes(path, origin, MAX_PAGE), origin)


def document_of_page(data: bytes, origin: str) -> Document:
    """The document of one page."""
    markup = decoded(data, origin)
    page = read_html(data, origin)
    if re.search(r"<html\b", markup, re.IGNORECASE) and not re.search(r"</html\s*>", markup, re.IGNORECASE):
        raise InputError(
            "the page opens “html” and never closes it: it may be cut short",
            place=origin,
            remedy="Fetch the page again; if it is whole, add </html> at its end.",
        )
    if not page.text:
        raise InputError(
            "the page holds no words",
            place=origin,
            remedy="It may be one that a script fills: fetch another form of it, or name it in `exclude`.",
        )
    return Document(
        origin=origin,
        text=page.text,
        parts=page.parts,
        title=page.title,
        authors=page.authors,
        date=_date(markup, origin),
        language=bcp47(page.language),
        licences=page.licences,
    )


def _date(markup: str, origin: str) -> str | None:
    stated: dict[str, str] = {}
    for meta in html_root(markup, origin).iter("{*}meta"):
        name = squeeze(meta.get("name") or meta.get("property")).lower()
        stated.setdefault(name, squeeze(meta.get("content")))
    # A time without seconds or with a zone is a day all the same.
    found = (iso_date(re.sub(r"T.*", "", stated[name])) for name in _DATES if name in stated)
    return next((day for day in found if day), None)
