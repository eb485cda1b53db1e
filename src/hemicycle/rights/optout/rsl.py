"""Really Simple Licensing: an XML file that says which uses of which pages are permitted, and for what.

It is found by a `License:` line of robots.txt, a `link` element or a `Link` header of type
application/rsl+xml, or stands in the page itself. A file that was named and cannot be had or read gives
`unread`, and so does one more than are read.

Training is `reserved` where a licence for the page prohibits it, where none permits it, where it costs
something, or where a licence must first be asked for at a server; it is `allowed` where a licence permits it
without any of that. A limit to certain users or countries is not read: `unread`. Licences for one page are
offers, and any one could be taken up; a prohibition in one of them is believed all the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from hemicycle.documents import Reservation
from hemicycle.errors import InputError
from hemicycle.rights.optout.fetched import (
    Fetched,
    Headers,
    finding,
    found_in,
    header_values,
    missing,
)
from hemicycle.rights.optout.law import Value, rank
from hemicycle.rights.optout.marks import Marks, absolute, unreadable
from hemicycle.rights.optout.paths import fitting, is_address, path_of, site_of
from hemicycle.rights.optout.protocols import protocol
from hemicycle.rights.optout.robots import ROBOTS_LIMIT, read_robots
from hemicycle.sources.xml import Element, name_of, parse, squeeze, words_of

#: Bytes of one RSL file that are read, and files that are read of those one page or site names.
RSL_LIMIT = 2**20
MOST_FILES = 5

_LINK = re.compile(r"<([^<>]{1,2000})>([^<>]{0,1000})")


def named_by_robots(file: Fetched | None) -> tuple[str, ...]:
    """Absolute addresses of the RSL files that a robots.txt names, one more than are read."""
    if file is None or not file.ok:
        return ()
    robots = read_robots(file.body[: ROBOTS_LIMIT + 1], file.truncated)
    return tuple(dict.fromkeys(absolute(file.url, a) or a for a in robots.licences if a))[: MOST_FILES + 1]


def named_by_page(url: str, marks: Marks, headers: Headers) -> tuple[str, ...]:
    """Addresses of the RSL files that a page names in its markup and its headers, one more than are read."""
    found = [link.href for link in marks.links if link.is_rsl and "license" in link.rel]
    for value in header_values(headers, "link"):
        for address, parameters in _LINK.findall(value):
            if "application/rsl+xml" in parameters.lower() and re.search(
                r"rel\s*=\s*\"?[^\",;]*\blicense\b", parameters.lower()
            ):
                found.append(absolute(url, address) or address)
    return tuple(dict.fromkeys(found))[: MOST_FILES + 1]


def rsl_signals(url: str, named: tuple[str, ...], files: Mapping[str, Fetched]) -> Iterator[Reservation]:
    """What the named RSL files say of the page at `url`, one finding a file."""
    for address in named[:MOST_FILES]:
        file = files.get(address)
        if file is None or not file.ok:
            yield missing("rsl", address, file, named=True)
            continue
        value, quote = read_rsl(file.body, url, address)
        if value != "reserved" and (file.truncated or len(file.body) > RSL_LIMIT):
            value, quote = "unread", f"longer than the {RSL_LIMIT} bytes that are read"
        yield found_in(file, "rsl", value, address, quote)
    for address in named[MOST_FILES:]:
        yield finding("rsl", "unread", address, f"more than the {MOST_FILES} files that are read")


def embedded_rsl(url: str, marks: Marks, html: bytes, retrieved: str | None) -> Iterator[Reservation]:
    """What the RSL documents inside a page say of it."""
    for text in marks.rsl[:MOST_FILES]:
        value, quote = read_rsl(text.encode("utf-8", "replace"), url, url)
        yield finding("rsl", value, f"{url}, script", quote, evidence=html, retrieved=retrieved)
    if len(marks.rsl) > MOST_FILES:
        quote = f"more than the {MOST_FILES} documents that are read"
        yield finding("rsl", "unread", f"{url}, script", quote, evidence=html, retrieved=retrieved)


def read_rsl(data: bytes, url: str, address: str) -> tuple[Value, str]:
    """What an RSL file at `address` says of the page at `url`, and the words that say so."""
    try:
        root = parse(data.strip(), address)
        path, site = path_of(url), site_of(url)
    except InputError as error:
        return "unread", unreadable(error)
    except ValueError:
        return "unread", "the page has no address"
    if root.tag != f"{{{protocol('rsl').namespace}}}rsl":
        return "unread", "it is not an RSL file"
    fits = {e: _is_for(e, path, site, address) for e in root if name_of(e) == "content"}
    longest = max((len(fit) for fit in fits.values() if fit), default=0)
    answers = [_of_content(e) for e, fit in fits.items() if fit and len(fit) == longest]
    if None in fits.values():
        answers.append(("unread", "a content element does not say which pages it is for"))
    nothing: tuple[Value, str] = ("unknown", "no content element is for this page")
    return min(answers, key=lambda answer: rank(answer[0]), default=nothing)


def _pattern(content: Element) -> str:
    return (content.get("url") or "").strip()


def _is_for(content: Element, path: str, site: str, address: str) -> str | None:
    """The pattern by which a content element is for a page, empty where it is not; None where that cannot be
    read. It is for pages of the licence's own site, or of that whose address it gives."""
    pattern = _pattern(content)
    try:
        if site_of(pattern if is_address(pattern) else address) != site:
            return ""
        return fitting(pattern, path)
    except ValueError:
        return None


def _of_content(content: Element) -> tuple[Value, str]:
    licences = [e for e in content if name_of(e) == "license"]
    if not licences:
        return "unread", f'content url="{_pattern(content)}" has no licence'
    answers = [_of_licence(e) for e in licences]
    prohibited = next((a for a in answers if a[1].startswith("prohibits")), None)
    best = prohibited or max(answers, key=lambda a: rank(a[0]))
    where = f'content url="{_pattern(content)}": '
    if content.get("server") and best[0] == "allowed":
        return "reserved", f"{where}a licence must be asked for at {content.get('server')}"
    return best[0], where + best[1]


def _of_licence(licence: Element) -> tuple[Value, str]:
    known = protocol("rsl")
    prohibits, permits = _uses(licence, "prohibits"), _uses(licence, "permits")
    if prohibits & set(known.decides):
        return "reserved", f"prohibits usage {' '.join(sorted(prohibits))}"
    if not permits & set(known.decides):
        return "reserved", "no licence permits training"
    permitted = f"permits usage {' '.join(sorted(permits))}"
    for payment in (e for e in licence if name_of(e) == "payment"):
        kind = squeeze(payment.get("type")).lower()
        if kind not in known.free:
            return "reserved", f"{permitted} for payment of type “{kind or 'unstated'}”"
    limits = [
        f"{name_of(e)} {squeeze(e.get('type'))} {words_of(e)}"
        for e in licence
        if name_of(e) in ("permits", "prohibits") and squeeze(e.get("type")).lower() != "usage"
    ]
    if limits:
        return "unread", f"{permitted}, but {limits[0]}"
    return "allowed", permitted


def _uses(licence: Element, element: str) -> set[str]:
    """The uses that a licence permits or prohibits, however they are parted."""
    return {
        word
        for e in licence
        if name_of(e) == element and squeeze(e.get("type")).lower() == "usage"
        for word in re.split(r"[\s,;]+", words_of(e).lower())
        if word
    }
