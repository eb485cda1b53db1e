"""`hemicycle rights optout`: what pages say of being mined, by protocol."""

from __future__ import annotations

import dataclasses
import urllib.parse
from pathlib import Path
from typing import Any

import click

from hemicycle.cli.session import json_option, print_json
from hemicycle.cli.tables import cell
from hemicycle.errors import DeclarationError, InputError

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_PAGES = (".html", ".htm", ".xhtml")
#: A page on disk has no address, and rules are for addresses: this host is reserved for examples.
_EXAMPLE = "https://example.org/"
_COLOURS = {"allowed": "green", "reserved": "red", "unread": "red", "unknown": "yellow"}


@click.command("optout")
@click.argument("pages", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--url", help="The address of the page; by default one at https://example.org/.")
@click.option("--robots", type=_FILE, help="The robots.txt of its site.")
@click.option("--tdmrep", type=_FILE, help="The /.well-known/tdmrep.json of its site.")
@click.option("--rsl", multiple=True, nargs=2, metavar="URL FILE", help="An RSL file, by its address.")
@click.option(
    "--header", "headers", multiple=True, metavar='"NAME: VALUE"', help="An HTTP header it came with."
)
@json_option
def optout(
    pages: tuple[Path, ...],
    url: str | None,
    robots: Path | None,
    tdmrep: Path | None,
    rsl: tuple[tuple[str, str], ...],
    headers: tuple[str, ...],
    as_json: bool,
) -> None:
    """Show what PAGES, HTML, EPUB and PDF files or folders of them, say of being mined, and what it comes to.

    The most restrictive signal wins: reserved, else unread, else allowed, else unknown. Unread is what was
    not given, or cannot be read: without its site's files a page may reserve and cannot permit. Nothing is
    fetched. Clauses in prose are not read, and a licence that a page links to is no permission to mine.

    \b
    Examples:
      hemicycle rights optout page.html
      hemicycle rights optout page.html --robots robots.txt --tdmrep tdmrep.json
      hemicycle rights optout page.html --header "tdm-reservation: 1" --json
    """
    from hemicycle.rights.optout import Fetched, robots_address, tdmrep_address

    files = _files(pages)
    if url is not None:
        _check_address(url)
        if len(files) > 1:
            raise DeclarationError("--url is the address of one page, and there are several")
    given = _headers(headers)
    found = []
    for file in files:
        address = url or _EXAMPLE + urllib.parse.quote(file.name)
        site = {
            "robots": Fetched(robots_address(address), 200, _read(robots)) if robots else None,
            "tdmrep": Fetched(tdmrep_address(address), 200, _read(tdmrep)) if tdmrep else None,
            "rsl": {name: Fetched(name, 200, _read(Path(path))) for name, path in rsl},
        }
        found.append(_look(file, address, given, site))
    if as_json:
        print_json({"pages": found})
        return
    for page in found:
        _show(page)
    if url is None:
        click.echo(f"No --url was given, so each page was taken for {_EXAMPLE}ITS-NAME.", err=True)


command = optout


def _look(
    file: Path, address: str, headers: tuple[tuple[str, str], ...], site: dict[str, Any]
) -> dict[str, Any]:
    """The findings on one file, ready for JSON."""
    from hemicycle.rights import optout as room

    data = _read(file)
    suffix = file.suffix.lower()
    html = data if suffix in _PAGES else None
    signals = list(room.read_signals(address, html=html, headers=headers, **site, on=None))
    if suffix == ".epub":
        signals += room.metadata_signal(f"{address}, package", room.epub_metadata(data), data)
    elif suffix == ".pdf":
        signals += room.metadata_signal(f"{address}, XMP", room.pdf_metadata(data), data)
    licences = room.stated_licences(address, html, headers) if html is not None else ()
    return {
        "file": str(file),
        "url": address,
        "value": room.combine(signals),
        "signals": [dataclasses.asdict(signal) for signal in signals],
        "licences": [dataclasses.asdict(licence) for licence in licences],
    }


def _show(page: dict[str, Any]) -> None:
    value = page["value"]
    click.echo(f"{cell(page['file'])}: {click.style(value, fg=_COLOURS[value], bold=True)}")
    for signal in page["signals"]:
        click.echo(f"  {signal['value']:8}  {signal['protocol']:14}  {cell(signal['quote'])}")
        click.echo(click.style(f"    {cell(signal['place'])} · {signal['version']}", dim=True))
    for licence in page["licences"]:
        click.echo(f"  states the licence {cell(licence['expression'])} ({cell(licence['evidence'])})")


def _files(pages: tuple[Path, ...]) -> list[Path]:
    """The pages named, and those in the folders named, each once and sorted inside its folder."""
    known = (*_PAGES, ".epub", ".pdf")
    found: dict[Path, None] = {}
    for page in pages:
        inside = sorted(p for p in page.rglob("*") if p.is_file()) if page.is_dir() else [page]
        chosen = [p for p in inside if p.suffix.lower() in known]
        if not chosen:
            raise DeclarationError(
                f"there is no page to look at (known: {', '.join(known)})",
                place=str(page),
                remedy="Name HTML, EPUB or PDF files, or a folder that has some.",
            )
        found.update(dict.fromkeys(chosen))
    return list(found)


def _headers(written: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    pairs = []
    for header in written:
        name, colon, value = header.partition(":")
        if not colon or not name.strip():
            raise DeclarationError(
                f"“{header}” is not a header", remedy='Write --header "tdm-reservation: 1".'
            )
        pairs.append((name.strip(), value.strip()))
    return tuple(pairs)


def _check_address(url: str) -> None:
    from hemicycle.rights.optout.paths import site_of

    try:
        site_of(url)
    except ValueError:
        raise DeclarationError(
            "this is not an address of the web", place=url, remedy="Write --url https://HOST/PATH."
        ) from None


def _read(path: Path) -> bytes:
    from hemicycle.sources.xmp import FILE_LIMIT

    with path.open("rb") as file:
        data = file.read(FILE_LIMIT + 1)
    if len(data) > FILE_LIMIT:
        raise InputError(
            f"the file is bigger than {FILE_LIMIT} bytes, the most that is read", place=str(path)
        )
    return data
