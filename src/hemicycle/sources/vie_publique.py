"""Public speeches as vie-publique.fr publishes them: a manifest of descriptions, and pages beside it.

The manifest (``vp_discours.json``, one list of a hundred and fifty thousand objects) describes every speech
since 1974; the words stand on a page each. One document is one speech whose words are there: in the object
itself (`texte`, `texte_integral`), or in a page saved beside the manifest under the speech's number or the
last piece of its address (``pages/296580.html``, ``296580-declaration-de-….html``). A speech whose words were
not collected makes no document. A page that no object describes is refused, and so is one without the words.

Who speaks is an author of role ``speaker`` with no dates, since the manifest states none: the institution
that publishes does not make the speaker's own right go away. The questions of an interviewer stand in the
same text and are not told apart; so a part has a speaker only where one person speaks alone.

Assumed of the format: the keys `id`, `titre`, `url`, `prononciation` (a day), `intervenants` (`nom`,
`qualite`; all null where nobody is named), `auteur_moral`, `circonstance`, `domaine`; of the page, that the
words stand in the element of class ``field--name-field-texte-integral``. Descriptors, themes and the summary
are the publisher's apparatus, and left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from lxml import etree

from hemicycle.documents import Author, Document, Part
from hemicycle.errors import InputError
from hemicycle.sources import selected_files
from hemicycle.sources.json_files import json_objects, words_of_value
from hemicycle.sources.markup import read_html
from hemicycle.sources.page import Page
from hemicycle.sources.text import iso_date, read_utf8
from hemicycle.sources.trees import MAX_PAGE, decoded, html_root
from hemicycle.sources.xml import read_bytes, squeeze

if TYPE_CHECKING:
    from hemicycle.project import Card

PAGES = (".html", ".htm", ".txt")
FULL_TEXT = "field--name-field-texte-integral"

#: How the publisher's titles begin where no interviewer has a say.
_ALONE = re.compile(r"(?:déclaration|allocution|discours|message|lettre|communiqué|tribune)\b", re.IGNORECASE)

_TEXT_KEYS = ("texte", "texte_integral", "text", "full_text", "contenu")


def read(folder: Path, card: Card) -> Iterator[Document]:
    """Yield one document a speech, in the order of the manifest.

    Raises:
        InputError: no manifest, an object or a page that cannot be read, a speech twice, a page of no speech.
    """
    manifests: list[Path] = []
    pages: dict[str, Path] = {}
    for path in selected_files(folder, card):
        place = path.relative_to(folder).as_posix()
        if path.suffix.lower() == ".json":
            manifests.append(path)
        elif path.suffix.lower() not in PAGES:
            raise InputError(
                "the card selects this file, and it is neither the manifest (.json) nor a page",
                place=place,
                remedy='Say in the source card which files are meant, include = ["*.json", "pages/*"].',
            )
        elif path.stem in pages:
            raise InputError(f"there are two pages of the name “{path.stem}”", place=place)
        else:
            pages[path.stem] = path
    if not manifests:
        raise InputError(
            "there is no manifest among the selected files",
            place=str(folder.name),
            remedy="Collect vp_discours.json; the pages alone do not say who speaks and when.",
        )
    seen: dict[str, str] = {}
    for manifest in manifests:
        origin = manifest.relative_to(folder).as_posix()
        for number, described in json_objects(manifest, origin):
            place = f"{origin}, object {number}"
            identity = _identity(described, place)
            if identity in seen:
                raise InputError(
                    f"the speech {identity} is here a second time: first in {seen[identity]}", place=place
                )
            seen[identity] = place
            found = [pages.pop(name) for name in _page_names(described, identity, place) if name in pages]
            if len(found) > 1:
                raise InputError(
                    f"two pages are of the speech {identity}: {found[0].name} and {found[1].name}",
                    place=place,
                )
            page = _page(found[0], folder) if found else _own_text(described, place)
            if page is not None:
                where = found[0].relative_to(folder).as_posix() if found else origin
                if not page.text:
                    raise InputError("the page holds no words", place=where, remedy="Fetch it again.")
                yield _document(described, identity, page, where, place)
    if pages:
        name, path = min(pages.items())
        raise InputError(
            f"no object of the manifest is of this page (“{name}”)",
            place=path.relative_to(folder).as_posix(),
            remedy="Collect the manifest again, or leave the page out with `exclude` in the source card.",
        )


def _identity(described: dict[str, Any], place: str) -> str:
    value = described.get("id")
    identity = str(value) if isinstance(value, int) and not isinstance(value, bool) else ""
    identity = identity or words_of_value(value, place)
    if not re.fullmatch(r"[A-Za-z0-9_.:-]{1,80}", identity):
        raise InputError("the object has no id", place=place)
    return identity


def _page_names(described: dict[str, Any], identity: str, place: str) -> tuple[str, ...]:
    """The names that a page of the speech may be saved under, without suffix."""
    address = words_of_value(described.get("url"), place).partition("?")[0].rstrip("/")
    last = PurePosixPath(address).name
    return tuple(dict.fromkeys(name for name in (identity, last, PurePosixPath(last).stem) if name))


def _page(path: Path, folder: Path) -> Page:
    place = path.relative_to(folder).as_posix()
    if path.suffix.lower() == ".txt":
        return _plain([read_utf8(path, place)], place)
    root = html_root(decoded(read_bytes(path, place, MAX_PAGE), place), place)
    held = [e for e in root.iter() if FULL_TEXT in (e.get("class") or "").split()]
    if len(held) != 1:
        raise InputError(
            f"the page has {len(held) or 'no'} element of class “{FULL_TEXT}”, where the words should stand",
            place=place,
            remedy="Save the page as the publisher serves it; not a page that asks whether one is human.",
        )
    inner = etree.tostring(held[0], encoding="utf-8", method="html", with_tail=False)
    return read_html(b'<html><head><meta charset="utf-8"></head><body>' + inner + b"</body></html>", place)


def _own_text(described: dict[str, Any], place: str) -> Page | None:
    """The words that the object itself holds, whole or page by page; None where it holds none."""
    for key in _TEXT_KEYS:
        value = described.get(key)
        pieces = [words_of_value(piece, place) for piece in (value if isinstance(value, list) else [value])]
        if any(pieces) and (page := _plain(pieces, place)).text:
            return page
    return None


def _plain(pieces: list[str], place: str) -> Page:
    """Plain text or a fragment of HTML, as its publisher mixes them; a blank line ends a paragraph."""
    text = "\n\n".join(piece for piece in pieces if piece)
    if re.search(r"<(?:p|br|div)\b[^<>]*>", text, re.IGNORECASE):
        page = f'<html><head><meta charset="utf-8"></head><body>{text}</body></html>'
        return read_html(page.encode(), place)
    blocks = [
        "\n".join(filter(None, map(squeeze, block.split("\n")))) for block in re.split(r"\n[ \t]*\n", text)
    ]
    parts, position = [], 0
    for block in filter(None, blocks):
        parts.append(Part(position, position + len(block), kind="paragraph"))
        position += len(block) + 2
    return Page("\n\n".join(filter(None, blocks)), tuple(parts))


def _document(described: dict[str, Any], identity: str, page: Page, origin: str, place: str) -> Document:
    speakers = tuple(_speakers(described, place))
    address = words_of_value(described.get("url"), place) or identity
    title = squeeze(words_of_value(described.get("titre") or described.get("title"), place))
    only = speakers[0] if len(speakers) == 1 and _ALONE.match(title) else None
    circumstance = squeeze(words_of_value(described.get("circonstance"), place))
    return Document(
        origin=f"{origin}#{identity}",
        text=page.text,
        parts=tuple(
            Part(
                p.start,
                p.end,
                p.anchor or address,
                p.kind,
                speaker=only.name if only else None,
                title=p.title or circumstance or title or None,
            )
            for p in page.parts
        ),
        title=title or None,
        authors=speakers,
        date=iso_date(described.get("prononciation") or described.get("date")),
        kind="speech",
        id=f"vie-publique:{identity}",
    )


def _speakers(described: dict[str, Any], place: str) -> Iterator[Author]:
    """Who speaks; where nobody is named, the body that speaks."""
    listed = described.get("intervenants") or []
    if not isinstance(listed, list):
        raise InputError("“intervenants” is not a list", place=place)
    names = []
    for one in listed:
        name = one.get("nom") if isinstance(one, dict) else one
        if name is not None and not isinstance(name, str):
            raise InputError("the name of a speaker is not text", place=place)
        names.append(squeeze(words_of_value(name, place)))
    if any(names):
        yield from (Author(name, role="speaker") for name in dict.fromkeys(filter(None, names)))
        return
    bodies = described.get("auteur_moral") or []
    for body in bodies if isinstance(bodies, list) else [bodies]:
        if name := squeeze(words_of_value(body, place)):
            yield Author(name, role="speaker", flags=("collective",))
