"""Documentation in Debian packages: HTML, DocBook, Mallard and man pages, one document a page.

Packages are read as they come, without dpkg and without unpacking to disk, in two passes: the first
learns what is there, where links lead and what the copyright files say; the second reads the pages that
the card's `include` and `exclude` select. The patterns are over paths inside the packages.

A link is another name of a page, not another page: a page is selected under any of its names, and read
once, under its own. Each page carries what its package's copyright file states about it, and what the
page itself states.
"""

from __future__ import annotations

import functools
import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hemicycle.documents import Document, StatedLicence
from hemicycle.errors import InputError
from hemicycle.sources.deb import control_fields, gunzip, walk
from hemicycle.sources.dep5 import CopyrightFile, parse_copyright
from hemicycle.sources.man import read_man
from hemicycle.sources.markup import mallard_titles, read_html, read_xml
from hemicycle.sources.page import Page

if TYPE_CHECKING:
    from hemicycle.project import Card

_COPYRIGHT = re.compile(r"usr/share/doc/[^/]+/copyright")
_MAN = re.compile(r"(?:.*/)?man/(?:[^/]+/)?man[0-9nl][^/]*/[^/]+\.[0-9nl][A-Za-z0-9]*")
_READERS: tuple[tuple[re.Pattern[str], Callable[[bytes, str], Page | None]], ...] = (
    (re.compile(r".*\.(?:html?|xhtml)", re.IGNORECASE), read_html),
    (re.compile(r".*\.(?:page|xml|docbook|dbk)", re.IGNORECASE), read_xml),
    (_MAN, read_man),
)


@dataclass(frozen=True)
class Package:
    """What a first pass learns of a package."""

    deb: Path
    name: str
    files: tuple[str, ...]
    links: Mapping[str, str]
    copyrights: Mapping[str, CopyrightFile | None]


def read(folder: Path, card: Card) -> Iterator[Document]:
    """Yield the documents of the packages in `folder` (``*.deb``), package by package, in package order.

    Raises:
        InputError: no package, a broken or hostile one, or a selected page that cannot be read.
    """
    debs = sorted(folder.glob("*.deb"))
    if not debs:
        raise InputError("holds no Debian package", place=str(folder), remedy="Collect the source first.")
    packages = [survey(deb) for deb in debs]
    links = {link: target for package in packages for link, target in package.links.items()}
    copyrights = {path: file for package in packages for path, file in package.copyrights.items()}
    other_names = _other_names(links)
    selects = _selection(card.include, card.exclude)
    for package in packages:
        chosen = {f for f in package.files if _page_reader(f) and any(map(selects, other_names(f)))}
        if not chosen:
            continue
        notice = copyrights.get(resolve(f"usr/share/doc/{package.name}/copyright", links))
        for path, page in _pages(package.deb, chosen):
            yield _document(package.name, path, page, notice, card.language)


def survey(deb: Path) -> Package:
    """Read a package once: its name, files, links and copyright files."""
    files: dict[str, None] = {}
    links: dict[str, str] = {}
    copyrights: dict[str, CopyrightFile | None] = {}
    for member, content in walk(deb):
        if member.path in files or member.path in links:
            raise InputError(f"the package holds {member.path} twice", place=deb.name)
        if member.kind == "link" and member.target is not None:
            links[member.path] = member.target
        elif member.kind == "file":
            files[member.path] = None
            if _COPYRIGHT.fullmatch(member.path):
                copyrights[member.path] = parse_copyright(content().decode("utf-8", "replace"), member.path)
    return Package(deb, control_fields(deb)["Package"], tuple(files), links, copyrights)


def resolve(path: str, links: Mapping[str, str]) -> str:
    """Follow links, of the path itself and of folders above it; a path that goes round stays as it is."""
    for _ in range(40):
        folders = path.split("/")
        for length in range(1, len(folders) + 1):
            target = links.get("/".join(folders[:length]))
            if target is not None:
                path = "/".join([target, *folders[length:]])
                break
        else:
            break
    return path


def _other_names(links: Mapping[str, str]) -> Callable[[str], Iterator[str]]:
    """A function from a file to its names: its path, and those that links on it or on a folder give it."""
    leading_to: dict[str, list[str]] = {}
    for link in links:
        leading_to.setdefault(resolve(link, links), []).append(link)

    def names(path: str) -> Iterator[str]:
        yield path
        folders = path.split("/")
        for length in range(1, len(folders) + 1):
            for link in leading_to.get("/".join(folders[:length]), ()):
                yield "/".join([link, *folders[length:]])

    return names


def _selection(include: list[str], exclude: list[str]) -> Callable[[str], bool]:
    wanted, unwanted = _pattern(tuple(include)), _pattern(tuple(exclude))
    return lambda path: bool(wanted.fullmatch(path)) and not unwanted.fullmatch(path)


@functools.lru_cache
def _pattern(globs: tuple[str, ...]) -> re.Pattern[str]:
    """Globs as one expression: ``**`` spans folders, ``*`` and ``?`` stay inside one."""
    spelled = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile(
        "|".join(
            "".join(
                spelled.get(piece) or re.escape(piece) for piece in re.findall(r"\*\*/|\*\*|.", g.lstrip("/"))
            )
            for g in globs
        )
        or r"(?!)",
        re.DOTALL,
    )


def _page_reader(path: str) -> Callable[[bytes, str], Page | None] | None:
    name = path.removesuffix(".gz")
    return next((reader for pattern, reader in _READERS if pattern.fullmatch(name)), None)


def _pages(deb: Path, chosen: set[str]) -> Iterator[tuple[str, Page]]:
    titles = _mallard_titles(deb, {path for path in chosen if path.endswith(".page")})
    for path, place, data in _contents(deb, chosen):
        reader = _page_reader(path)
        if path.endswith(".page"):
            page = read_xml(data, place, titles[posixpath.dirname(path)])
        else:
            page = reader(data, place) if reader else None
        if page is not None and page.is_prose:
            yield path, page


def _mallard_titles(deb: Path, pages: set[str]) -> dict[str, dict[str, str]]:
    """By folder, the titles that links between pages show; a pass of its own where there are such pages."""
    titles: dict[str, dict[str, str]] = {}
    for path, place, data in _contents(deb, pages):
        titles.setdefault(posixpath.dirname(path), {}).update(mallard_titles(data, place))
    return titles


def _contents(deb: Path, chosen: set[str]) -> Iterator[tuple[str, str, bytes]]:
    """Path, place and unpacked content of the chosen files."""
    for member, content in walk(deb) if chosen else ():
        if member.kind == "file" and member.path in chosen:
            place = f"{deb.name}: {member.path}"
            yield member.path, place, gunzip(content(), place) if member.path.endswith(".gz") else content()


def _document(package: str, path: str, page: Page, notice: CopyrightFile | None, language: str) -> Document:
    spoken = language.partition("-")[0]
    stated = notice.of_installed_file(path, spoken) if notice else None
    if notice and stated is None:
        stated = StatedLicence(
            "file", "LicenseRef-debian-unstated", f"{notice.path}: no stanza for this page"
        )
    own = tuple(replace(s, evidence=(s.evidence or "").partition(": ")[2]) for s in page.licences)
    differs = page.language is not None and page.language.partition("-")[0].lower() != spoken
    return Document(
        origin=f"{package}/{path}",
        text=page.text,
        parts=page.parts,
        title=page.title,
        authors=page.authors,
        language=page.language if differs else None,
        kind="manual",
        licences=((stated,) if stated else ()) + own,
    )
