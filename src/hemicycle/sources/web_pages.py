"""Web pages out of WARC files, ours or those of any crawl: one document a page, with what its site says.

Every page carries the findings of all opt-out protocols, from the page itself and from the robots.txt,
tdmrep.json and RSL files in the same folder; where a crawl has none of them, or only the beginning of a page,
that is a finding too. Pages
are HTML answers with a status of success; everything else of a crawl is passed over.

The traps: one address is met again and again, so the newest of its pages is the document; an address comes
with the marks of whoever counts visitors, which are taken off; a page's `canonical` link is its name only if
it stays on the host, and is not believed where another page of the crawl has that address or a different text
has taken it: careless sites give every page the name of their front page. Bytes that do not fit a page's
encoding become U+FFFD, as in a browser, and stay visible.
"""

from __future__ import annotations

import hashlib
import re
import urllib.parse
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from hemicycle.digests import sha256_text
from hemicycle.documents import Document, Reservation
from hemicycle.errors import InputError
from hemicycle.project import Card
from hemicycle.rights.optout import read_signals
from hemicycle.rights.optout.fetched import finding
from hemicycle.rights.optout.marks import Marks, decode_page, read_marks
from hemicycle.rights.optout.paths import site_of
from hemicycle.rights.optout.signals import licences_of, stamp
from hemicycle.sources import selected_files
from hemicycle.sources.html_text import page_text
from hemicycle.sources.main_content import Extractor
from hemicycle.sources.site_files import KEPT, SiteFiles, is_site_file
from hemicycle.sources.unpack import BODY_LIMIT
from hemicycle.sources.warc import SUFFIXES, Record, read_warc

#: Parameters of an address that say who sent the visitor and nothing of the page.
_TRACKING = re.compile(
    r"utm_\w+|fbclid|gclid|dclid|gbraid|wbraid|msclkid|yclid|twclid|igshid|mc_[ce]id|_ga|_gl|at_\w+|xtor",
    re.IGNORECASE,
)
_HTML = ("text/html", "application/xhtml+xml")
_DATES = (
    "article:published_time",
    "datepublished",
    "dcterms.issued",
    "dc.date.issued",
    "citation_publication_date",
    "dcterms.date",
    "dc.date",
    "date",
)
_ISO_DATE = re.compile(r"(\d{4})(?:[-/](\d\d)(?:[-/](\d\d))?)?(?!\d)")


def read(folder: Path, card: Card) -> Iterator[Document]:
    """Yield one document a page, in the order of files and records.

    Raises:
        InputError: a selected file is no WARC file, is cut or damaged, or a page in it is too big, is packed
            in a way that is not read, or has no date.
    """
    files = [(path, path.relative_to(folder).as_posix()) for path in selected_files(folder, card)]
    for _, name in files:
        if not name.lower().endswith(SUFFIXES):
            raise InputError(
                f"this is not a WARC file by its name (known: {', '.join(SUFFIXES)})",
                place=name,
                remedy='Leave it out in the card, for example with include = ["**/*.warc.gz"].',
            )
    with SiteFiles() as sites:
        newest = _survey(files, sites)
        yield from _pages(files, sites, newest, card.extractor)


def _survey(files: list[tuple[Path, str]], sites: SiteFiles) -> dict[bytes, tuple[datetime, int, int]]:
    """Keep the sites' files; find the newest page of each address: its date, file and number in it."""
    newest: dict[bytes, tuple[datetime, int, int]] = {}
    for file_number, (path, name) in enumerate(files):
        for record in read_warc(path, name, lambda r: KEPT if is_site_file(r) else 0):
            if is_site_file(record):
                sites.add(record)
            if is_page(record):
                key = _key(cleaned(record.url))
                found = (_when(record), file_number, record.number)
                newest[key] = max(newest.get(key, found), found)
    return newest


def _pages(
    files: list[tuple[Path, str]],
    sites: SiteFiles,
    newest: dict[bytes, tuple[datetime, int, int]],
    extractor: Extractor,
) -> Iterator[Document]:
    taken: dict[bytes, str] = {}
    for file_number, (path, name) in enumerate(files):

        def is_chosen(record: Record, file_number: int = file_number) -> bool:
            if not is_page(record):
                return False
            return newest[_key(cleaned(record.url))][1:] == (file_number, record.number)

        for record in read_warc(path, name, lambda r: BODY_LIMIT if is_chosen(r) else 0):
            if is_chosen(record):
                document = _document(record, sites, newest, taken, extractor)
                if document is not None:
                    yield document


def is_page(record: Record) -> bool:
    """Whether a record is an HTML page that was there."""
    if record.kind != "response" or record.status is None or not 200 <= record.status < 300:
        return False
    kind = record.header("content-type").partition(";")[0].strip().lower()
    return kind in _HTML and _site(record.url) is not None


def _document(
    record: Record,
    sites: SiteFiles,
    newest: dict[bytes, tuple[datetime, int, int]],
    taken: dict[bytes, str],
    extractor: Extractor,
) -> Document | None:
    """A page as a document; None where the very same page came before under another address."""
    if record.length > BODY_LIMIT:
        raise InputError(
            f"the page {record.url} has {record.length} bytes, more than {BODY_LIMIT}",
            place=record.place,
            remedy="Take it out of the file, or leave the file out with `exclude` in the card.",
        )
    html, url, on = record.content(), record.url, _when(record)
    content_type = record.header("content-type")
    marks = read_marks(html, url, content_type)
    writing = page_text(decode_page(html, content_type), extractor)
    digest = sha256_text(writing.text)
    own = cleaned(url)
    origin = _canonical(marks, url) or own
    if origin != own:
        key = _key(origin)
        if taken.get(key) == digest:
            return None
        if key in newest or key in taken:
            origin = own
    taken[_key(origin)] = digest
    return Document(
        origin=origin,
        text=writing.text,
        parts=tuple(writing.parts),
        title=marks.title or next(iter(marks.contents("og:title")), None) or None,
        date=_published(marks),
        language=_language(marks),
        kind="web",
        licences=licences_of(marks, url),
        retrieved=stamp(on),
        reservations=_with_page(
            read_signals(
                url,
                html=html,
                headers=record.headers,
                robots=sites.robots(url, on),
                tdmrep=sites.tdmrep(url, on),
                rsl=sites.at(on),
                on=on,
                whole=not record.truncated,
            ),
            url,
            html,
            on,
        ),
    )


def _with_page(
    found: tuple[Reservation, ...], url: str, html: bytes, on: datetime
) -> tuple[Reservation, ...]:
    """The findings, with one of the page itself where it is silent: its address and the digest of its bytes
    lead from the document to the record it was read from."""
    silent = finding(
        "tdmrep", "unknown", f"{url}, page", "it says nothing", evidence=html, retrieved=stamp(on)
    )
    return found if any(one.sha256 == silent.sha256 for one in found) else (*found, silent)


def cleaned(url: str) -> str:
    """An address without its fragment and without parameters that only count visitors."""
    try:
        parts = urllib.parse.urlsplit(url)
    except ValueError:
        return url
    kept = [p for p in parts.query.split("&") if p and not _TRACKING.fullmatch(p.partition("=")[0])]
    site = _site(url) or f"{parts.scheme}://{parts.netloc}"
    return site + (parts.path or "/") + (f"?{'&'.join(kept)}" if kept else "")


def _canonical(marks: Marks, url: str) -> str | None:
    """The name a page gives itself, if it gives one name and that is on its own host."""
    named = {cleaned(link.href) for link in marks.links if "canonical" in link.rel and link.tag == "link"}
    if len(named) != 1:
        return None
    (name,) = named
    try:
        same = urllib.parse.urlsplit(name).hostname == urllib.parse.urlsplit(url).hostname
    except ValueError:
        return None
    return name if same and _site(name) is not None else None


def _site(url: str) -> str | None:
    try:
        return site_of(url)
    except ValueError:
        return None


def _key(address: str) -> bytes:
    return hashlib.sha256(address.encode("utf-8", "replace")).digest()[:16]


def _when(record: Record) -> datetime:
    if record.date is None:
        raise InputError(
            "the record has no date, and without one nothing says what held when it was fetched",
            place=record.place,
        )
    return record.date


def _published(marks: Marks) -> str | None:
    """The day a page says it was published, ISO 8601, as precise as stated; None where it says none."""
    for written in [*(c for name in _DATES for c in marks.contents(name)), *marks.times]:
        match = _ISO_DATE.match(written.strip())
        if match:
            day = "-".join(piece for piece in match.groups() if piece)
            try:
                datetime.fromisoformat((day + "-01-01")[:10])
            except ValueError:
                continue
            return day
    return None


def _language(marks: Marks) -> str | None:
    stated = marks.language or next(iter(marks.contents("content-language")), "")
    written = stated.strip().replace("_", "-")
    return written if re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}", written) else None
