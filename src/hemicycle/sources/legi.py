"""Law as the DILA publishes it (LEGI, and JORF, KALI, CNIL, CONSTIT, CASS, JADE … in the same style).

One document is one file of the publisher's that has words of its own: a version of an article
(``LEGIARTI…``), or what a text says around its articles (visas, signatures, preparatory work). Files of
structure alone (tables of contents) make none: their titles stand in the path of every article below them,
which is the document's title: ``Code > Livre > Article 3 (VIGUEUR, depuis le 2031-01-01)``. The date is the
first day of the version. Versions of one article are one group, so that none is held out while another is
trained on. Links lose their addresses and keep their words; the lists of links around an article are dropped.

The traps: files come in one full archive and daily increments, and an increment may replace a file or take
it away (``liste_suppression_*.dat``: paths without ``.xml``, folders too, sometimes with a letter behind).
So archives are read from the newest to the oldest, and a file is read only where no newer archive has the
same id or takes its path away; inside one archive the list is applied before the files, so that what is
taken away and brought again is there. The same id also stands under several paths of one archive (in force
and no longer): the first is read. 2999-01-01 is no date but “open”, and 2222-02-22 is “not known yet”.

Assumed of the format, from public code and not from the DTDs: `META/META_COMMUN/ID` (in SECTION_TA: `ID`),
XHTML in every `CONTENU`, names of archives that end in the day and the time. Elements nobody foresaw are
read. Case law carries personal data, and is only read here: what may be done with it is not decided.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from lxml import etree

from hemicycle.documents import Document, Part
from hemicycle.errors import InputError
from hemicycle.sources import selected_files
from hemicycle.sources.prose import paragraphs
from hemicycle.sources.tarred import SUFFIXES, is_archive, tar_members
from hemicycle.sources.text import iso_date
from hemicycle.sources.xml import Element, name_of, parse, place_of, read_bytes, squeeze, words_of

if TYPE_CHECKING:
    from hemicycle.project import Card

#: Days that stand for “without end” and “not known yet”.
OPEN_END = "2999-01-01"
NOT_KNOWN = "2222-02-22"

#: What describes a file and is no text of it. Also every element whose name begins with LIEN.
_APPARATUS = {"META", "CONTEXTE", "VERSIONS"}
_DESCRIPTION = {"ID", "TITRE_TA"}
#: Tables of contents, unless the articles themselves stand in them.
_STRUCTURES = {"STRUCT", "STRUCTURE_TA", "STRUCTURE_TXT"}

#: Kind of the parts inside an element of this name; `paragraph` in all others.
_KINDS = {"NOTA": "note", "VISAS": "visas", "SIGNATAIRES": "signatures", "TP": "preparatory-work"}

#: Files that stand in archives beside the texts and hold nothing that is not in them.
_COMPANIONS = {".pdf", ".doc", ".docx", ".odt", ".rtf", ".dtd", ".xsd"}
_COMPANIONS |= {".gif", ".jpg", ".jpeg", ".png", ".tif", ".tiff"}

_STAMP = re.compile(r"(?:^|[_-])(\d{8}-\d{6})(?=\.)")
_TOP = re.compile(r"\d{8}-\d{6}/")
_REMOVED = re.compile(r"(\S+)(?:[ \t]+[A-Z])?")


def read(folder: Path, card: Card) -> Iterator[Document]:
    """Yield one document a file with words, from loose ``.xml`` files and from archives, the newest first.

    Raises:
        InputError: a file is not what it should be, archives have no order, or one is older than the full
            archive that replaces it.
    """
    loose: list[Path] = []
    archives: list[Path] = []
    for path in selected_files(folder, card):
        name = path.name.lower()
        if is_archive(path):
            archives.append(path)
        elif name.endswith(".xml"):
            loose.append(path)
        elif _is_list(name):
            raise InputError(
                "an unpacked list of what is taken away: whether it was obeyed cannot be seen",
                place=path.relative_to(folder).as_posix(),
                remedy="Give the archives as they came; or delete what the list names, and the list.",
            )
        else:
            raise InputError(
                f"the card selects this file, and it is neither .xml nor one of {', '.join(SUFFIXES)}",
                place=path.relative_to(folder).as_posix(),
                remedy='Say in the source card which files are meant, e.g. include = ["**/*.tar.gz"].',
            )
    newer = _Newer()
    for path in loose:
        place = path.relative_to(folder).as_posix()
        yield from _new_document(read_bytes(path, place), place, newer)
    for path in _newest_first(archives, folder):
        place = path.relative_to(folder).as_posix()
        lists: list[str] = []
        for member in tar_members(path, place):
            if not _is_wanted(member.name, member.place):
                continue
            if _is_list(posixpath.basename(member.name).lower()):
                lists += removed_paths(member.read(), member.place)
            elif not newer.removes(member.name):
                yield from _new_document(member.read(), member.place, newer)
        newer.removed.update(lists)


@dataclass
class _Newer:
    """What newer archives have said: the ids they hold, and the paths they take away."""

    ids: set[str] = field(default_factory=set)
    removed: set[str] = field(default_factory=set)

    def removes(self, name: str) -> bool:
        """Whether the path of a member, or a folder it stands in, was taken away."""
        if not self.removed:
            return False
        steps = plain_path(name).split("/")
        return any("/".join(steps[:length]) in self.removed for length in range(1, len(steps) + 1))


def plain_path(name: str) -> str:
    """A member's path as the lists write it: without the folder named after the day, and without ``.xml``."""
    return _TOP.sub("", name, count=1).removesuffix(".xml")


def removed_paths(data: bytes, place: str) -> list[str]:
    """The paths that a list takes away.

    Raises:
        InputError: with the line that is no path: a list that is not understood must not be passed over.
    """
    paths = []
    for number, line in enumerate(data.decode("latin-1").splitlines(), 1):
        if not line.strip():
            continue
        found = _REMOVED.fullmatch(line.strip())
        if not found or found[1].startswith("/") or ".." in found[1].split("/"):
            raise InputError(
                "this line of the list is not the path of a file",
                place=f"{place}, line {number}",
            )
        paths.append(plain_path(posixpath.normpath(found[1])))
    return paths


def _is_list(name: str) -> bool:
    return name.startswith("liste_suppression") and name.endswith(".dat")


def _is_wanted(name: str, place: str) -> bool:
    base = posixpath.basename(name).lower()
    if base.endswith(".xml") or _is_list(base):
        return True
    if posixpath.splitext(base)[1] in _COMPANIONS:
        return False
    raise InputError(
        "the archive holds something that is neither XML nor a known companion of it",
        place=place,
        remedy="Unpack the archive, and say in the source card which files are meant.",
    )


def _newest_first(archives: list[Path], folder: Path) -> list[Path]:
    """Archives by the day in their names, the newest first.

    Raises:
        InputError: one of several has no day, or is older than a full archive.
    """
    if len(archives) < 2:
        return archives
    dated: list[tuple[str, bool, Path]] = []
    for path in archives:
        stamp = _STAMP.search(path.name)
        if not stamp:
            raise InputError(
                "the name of the archive holds no day (YYYYMMDD-HHMMSS): which is the newer is unknown",
                place=path.relative_to(folder).as_posix(),
                remedy="Keep the publisher's name, or leave all archives but one out with `exclude`.",
            )
        dated.append((stamp[1], "global" not in path.name.lower(), path))
    dated.sort(key=lambda entry: (entry[0], entry[1], entry[2]))
    full = [number for number, (_, increment, _) in enumerate(dated) if not increment]
    if full and full[-1] > 0:
        raise InputError(
            f"this archive is older than the full archive {dated[full[-1]][2].name}, which replaces it",
            place=dated[0][2].relative_to(folder).as_posix(),
            remedy="Leave the older archives out with `exclude` in the source card.",
        )
    return [path for *_, path in reversed(dated)]


def _new_document(data: bytes, place: str, newer: _Newer) -> Iterator[Document]:
    identity, document = legal_document(data, place)
    if identity not in newer.ids:
        newer.ids.add(identity)
        if document is not None:
            yield document


def legal_document(data: bytes, place: str) -> tuple[str, Document | None]:
    """The id of a file, and its document; None where the file has no words of its own.

    The id is the publisher's. He gives the table of contents of a text (TEXTELR) that of the text itself;
    here it is told apart.

    Raises:
        InputError: not well-formed, or without an id.
    """
    root = parse(data, place)
    identity = words_of(_first(root, "META/META_COMMUN/ID", "ID"))
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", identity):
        raise InputError(
            "the file has no META/META_COMMUN/ID: this is not the style of the DILA",
            place=place_of(root, place),
            remedy="Choose another reader in the source card, or leave the file out with `exclude`.",
        )
    if name_of(root) == "TEXTELR":
        identity += "-structure"
    short, title = _titles(root, identity)
    blocks: list[str] = []
    parts: list[Part] = []
    position = 0
    for kind, element in _passages(root, "paragraph"):
        for words in paragraphs(element):
            parts.append(Part(position, position + len(words), identity, kind, title=short))
            blocks.append(words)
            position += len(words) + 2
    if not blocks:
        return identity, None
    since, until = (_stated(root, "DATE_DEBUT"), _stated(root, "DATE_FIN"))
    state = validity(_stated(root, "ETAT"), since, until)
    return identity, Document(
        origin=place,
        text="\n\n".join(blocks),
        parts=tuple(parts),
        title=title + (f" ({state})" if state else ""),
        date=_date(since) or _date(_stated(root, "DATE_DEC", "DATE_TEXTE", "DATE_PUBLI")),
        kind="law",
        id=identity,
        group=_family(root, identity),
    )


def validity(state: str, since: str, until: str) -> str:
    """“VIGUEUR, depuis le 2031-01-01”, “ABROGE, du 2031-01-01 au 2032-01-01”; empty where nothing is said."""
    first, last = _date(since), _date(until)
    if first:
        span = f"du {first} au {last}" if last else f"depuis le {first}"
    else:
        span = f"jusqu’au {last}" if last else ""
    return ", ".join(filter(None, (state, span)))


def _date(written: str) -> str | None:
    return None if written in (OPEN_END, NOT_KNOWN) else iso_date(written)


def _first(root: Element, *paths: str) -> Element | None:
    return next((found for path in paths if (found := root.find(path)) is not None), None)


def _stated(root: Element, *names: str) -> str:
    """The first of the named descriptions of the file itself that is not empty."""
    meta = root.find("META")
    found = (words_of(e) for name in names for e in (meta.iter(name) if meta is not None else ()))
    return next((words for words in found if words), "")


def _passages(element: Element, kind: str) -> Iterator[tuple[str, Element]]:
    """The stretches of text below an element, in order, each with the kind of its parts.

    The style writes its own elements in capitals and the text in XHTML: what holds no capitals is text.
    """
    described = _APPARATUS | (_DESCRIPTION if element.getparent() is None else set())
    if squeeze(element.text):
        yield kind, _bare(element.text)
    for child in element:
        name = name_of(child)
        inner = _KINDS.get(name, kind)
        contents = name in _STRUCTURES and next(child.iter("CONTENU"), None) is None
        if name in described or name.startswith("LIEN") or contents:
            pass
        elif name == "CONTENU" or not any(name_of(e).isupper() for e in child.iterdescendants()):
            yield inner, child
        else:
            yield from _passages(child, inner)
        if squeeze(child.tail):
            yield kind, _bare(child.tail)


def _bare(text: str | None) -> Element:
    element = etree.Element("p")
    element.text = text
    return element


def _titles(root: Element, identity: str) -> tuple[str, str]:
    """The title of the file's own, and that title at the end of the path it stands in."""
    context = root.find("CONTEXTE")
    above = list(_path(context, _stated(root, "DATE_DEBUT"))) if context is not None else []
    number = _stated(root, "NUM") if name_of(root) == "ARTICLE" else ""
    own = f"Article {number}" if number else _stated(root, "TITREFULL", "TITRE", "TITRE_TA")
    own = own or words_of(root.find("TITRE_TA")) or (above[-1] if above else identity)
    path = [title for title in above if title and title != own]
    return own, " > ".join([*dict.fromkeys(path), own])


def _path(element: Element, day: str) -> Iterator[str]:
    """Titles from the text down to the section; of several that one has had, that of the day."""
    titles = [child for child in element if name_of(child) in ("TITRE_TXT", "TITRE_TM")]
    held = [t for t in titles if (t.get("debut") or "") <= day < (t.get("fin") or OPEN_END)]
    if titles:
        yield words_of((held or titles)[-1])
    for child in element:
        if child not in titles:
            yield from _path(child, day)


def _family(root: Element, identity: str) -> str:
    """The earliest version of the article; of a text, the id that all its versions share."""
    versions = [
        (link.get("debut") or OPEN_END, link.get("id") or "")
        for link in root.iterfind("VERSIONS/VERSION/LIEN_ART")
        if link.get("id")
    ]
    if versions:
        return min(versions)[1]
    return _stated(root, "CID") or identity
