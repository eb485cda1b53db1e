"""All signals of a page together.

A page's robots.txt and tdmrep.json always have an entry, even where they were not there or not fetched:
absence is evidence too. What cannot be had, is malformed or too big is `unread`: it closes, whatever else
permits (see `law`).
A licence that a page links to is a licence stated by the page, and never an opt-in; clauses in prose are
left to people.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

from hemicycle.documents import Reservation, StatedLicence
from hemicycle.rights.optout import noai, rsl, tdmrep, usage
from hemicycle.rights.optout.fetched import Fetched, Headers, clean, finding, header_values, pairs
from hemicycle.rights.optout.law import Value, strictest
from hemicycle.rights.optout.marks import Marks, read_marks
from hemicycle.rights.optout.paths import site_of
from hemicycle.rights.optout.robots import robots_signal


def combine(reservations: Iterable[Reservation]) -> Value:
    """What the findings of one look come to."""
    return strictest(reservation.value for reservation in reservations)


def robots_address(url: str) -> str:
    """Where the robots.txt of a page stands."""
    return _beside(url, "/robots.txt")


def tdmrep_address(url: str) -> str:
    """Where the tdmrep.json of a page stands."""
    return _beside(url, tdmrep.WELL_KNOWN)


def _beside(url: str, path: str) -> str:
    try:
        return site_of(url) + path
    except ValueError:
        return path


def site_signals(
    url: str, *, robots: Fetched | None, tdmrep_file: Fetched | None, rsl_files: Mapping[str, Fetched]
) -> tuple[Reservation, ...]:
    """What a site says of one of its pages, apart from the page itself."""
    return tuple(_site(url, robots, tdmrep_file, rsl_files))


def _site(
    url: str, robots: Fetched | None, tdmrep_file: Fetched | None, rsl_files: Mapping[str, Fetched]
) -> Iterator[Reservation]:
    place = robots.url if robots else robots_address(url)
    yield robots_signal(url, robots, place)
    yield from usage.usage_of_robots(url, robots, place)
    yield tdmrep.file_signal(url, tdmrep_file, tdmrep_file.url if tdmrep_file else tdmrep_address(url))
    yield from rsl.rsl_signals(url, rsl.named_by_robots(robots), rsl_files)


def read_signals(
    url: str,
    *,
    html: bytes | None,
    headers: Headers = (),
    robots: Fetched | None,
    tdmrep: Fetched | None,
    rsl: Mapping[str, Fetched],
    on: datetime | None,
    whole: bool = True,
) -> tuple[Reservation, ...]:
    """Everything the protocols say of one page.

    Args:
        url: of the page as it was fetched.
        html: its bytes; None for what is no HTML page.
        headers: that came with it.
        robots, tdmrep: the site's two files; None where they were not fetched.
        rsl: RSL files by their addresses, as `wanted_files` names them.
        on: when the page was fetched; None for a page that was not.
        whole: False where `html` is only the beginning of the page.
    """
    retrieved = stamp(on) if on is not None else None
    given = pairs(headers)
    marks = read_marks(html, url, content_type(given)) if html is not None else Marks()
    found = list(_site(url, robots, tdmrep, rsl))
    found += _page(url, marks, html or b"", given, retrieved)
    problem = marks.problem or (None if whole else "cut where it was recorded")
    if problem is not None:
        found.append(page_unread(url, problem, retrieved, html))
    seen = {r.place for r in found if r.protocol == "rsl"}
    found += _rsl_of_page(url, marks, given, rsl, seen)
    return tuple(found)


def page_unread(url: str, why: str, retrieved: str | None, html: bytes | None = None) -> Reservation:
    """The entry for a page not read to its end; under TDMRep, by which any page might have spoken."""
    return finding("tdmrep", "unread", f"{url}, page", why, evidence=html, retrieved=retrieved)


def _page(
    url: str, marks: Marks, html: bytes, headers: tuple[tuple[str, str], ...], retrieved: str | None
) -> Iterator[Reservation]:
    yield from usage.usage_of_headers(url, headers, retrieved)
    yield from tdmrep.header_signal(url, headers, retrieved)
    yield from noai.header_signal(url, headers, retrieved)
    yield from tdmrep.meta_signal(url, marks, html, retrieved)
    yield from noai.meta_signal(url, marks, html, retrieved)
    yield from rsl.embedded_rsl(url, marks, html, retrieved)


def _rsl_of_page(
    url: str,
    marks: Marks,
    headers: tuple[tuple[str, str], ...],
    files: Mapping[str, Fetched],
    seen: set[str],
) -> Iterator[Reservation]:
    named = tuple(a for a in rsl.named_by_page(url, marks, headers) if clean(a) not in seen)
    yield from rsl.rsl_signals(url, named, files)


def wanted_files(url: str, html: bytes | None, headers: Headers = ()) -> tuple[str, ...]:
    """Addresses of the RSL files that a page names, for whoever fetches them."""
    given = pairs(headers)
    marks = read_marks(html, url, content_type(given)) if html is not None else Marks()
    return rsl.named_by_page(url, marks, given)[: rsl.MOST_FILES]


def stated_licences(url: str, html: bytes, headers: Headers = ()) -> tuple[StatedLicence, ...]:
    """The licences that a page links to: an SPDX identifier where the address is that of one we know."""
    return licences_of(read_marks(html, url, content_type(pairs(headers))), url)


def licences_of(marks: Marks, url: str) -> tuple[StatedLicence, ...]:
    """As `stated_licences`, of marks already read."""
    from hemicycle.sources.tei_header import licence_expression

    found: dict[str, StatedLicence] = {}
    for link in marks.links:
        if link.rel & {"license", "licence"} and not link.is_rsl:
            address = clean(link.href)[:200]
            expression = licence_expression(address) or address
            found.setdefault(
                expression, StatedLicence("file", expression, f"{clean(url)[:500]}, {link.tag} to {address}")
            )
    return tuple(found.values())


def content_type(headers: Headers) -> str:
    return next(iter(header_values(headers, "content-type")), "")


def stamp(on: datetime) -> str:
    """A time as evidence carries it: ISO 8601 in UTC, to the second. A time without a zone is UTC."""
    return (on if on.tzinfo else on.replace(tzinfo=UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
