"""Pages from the web, each after what its site says about being fetched and mined.

Of every site first robots.txt, `/.well-known/tdmrep.json` and the RSL files that robots.txt names; a page
only if robots.txt lets this program fetch it, at every address a redirect leads through. Everything that was
asked and answered goes into WARC files, refusals and failures as notes, so that the evidence for a later
decision is what the servers really said. A page that cannot be had stops nothing; that none can be had does.

`recheck` asks for pages again, and their addresses may come from a stranger's crawl. Such an address could
name a machine that only this one can reach: it is asked only where it is public, and at what was checked.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import httpx

from hemicycle import __version__
from hemicycle.documents import Reservation
from hemicycle.errors import DeclarationError, InputError, visible
from hemicycle.progress import QUIET, Progress
from hemicycle.rights.optout import (
    Fetched,
    may_visit,
    named_by_robots,
    page_unread,
    read_signals,
    robots_address,
    site_signals,
    tdmrep_address,
    wanted_files,
)
from hemicycle.rights.optout.fetched import missing
from hemicycle.rights.optout.paths import site_of
from hemicycle.rights.optout.robots import ROBOTS_LIMIT
from hemicycle.rights.optout.rsl import MOST_FILES
from hemicycle.rights.optout.signals import content_type, stamp
from hemicycle.sources.unpack import BODY_LIMIT, unpacked
from hemicycle.sources.warc import WarcWriter
from hemicycle.sources.web import (
    LONGEST_RETRY_AFTER,
    MAX_REDIRECTS,
    PASSING,
    TIMEOUT,
    TryAgainError,
    Visit,
    check_address,
    is_private,
    public_address,
    redirected,
    retry_after,
)

#: The name sites know us by; its first word is the one robots.txt speaks to.
SITE_AGENT = f"hemicycle/{__version__} (+https://github.com/OpenLLM-France/hemicycle)"
#: Bytes of a site's own files, of which one more than is read shows that there are more.
SITE_FILE_BYTES = 2**20
TRIES = 3

Sleep = Callable[[float], None]
Now = Callable[[], datetime]


@dataclass(frozen=True)
class Collected:
    """What a visit brought in.

    Attributes:
        pages: addresses that were fetched, as they were asked for.
        refused: address and the rule of robots.txt that shuts it to us.
        failed: address and what went wrong.
        files: names of the WARC files.
    """

    pages: tuple[str, ...]
    refused: tuple[tuple[str, str], ...]
    failed: tuple[tuple[str, str], ...]
    files: tuple[str, ...]


@dataclass(frozen=True)
class _Site:
    robots: Fetched
    tdmrep: Fetched


class _RefusedError(Exception):
    """A page that robots.txt shuts to us; its text is the rule."""


class _FailedError(Exception):
    """A page that cannot be had; its text is why."""


def collect_urls(
    urls: Sequence[str],
    out: Path,
    scratch: Path,
    *,
    progress: Progress = QUIET,
    client: httpx.Client | None = None,
    sleep: Sleep = time.sleep,
    now: Now = lambda: datetime.now(UTC),
) -> Collected:
    """Fetch pages and the files of their sites into `pages-00000.warc.gz` and its successors in `out`.

    Begun again, it fetches everything again: a crawl of two days is two crawls.

    Raises:
        DeclarationError: an address is none of the web, or is given twice.
        InputError: not one page could be fetched.
    """
    for url in urls:
        _check(url)
    if len(set(urls)) != len(urls):
        twice = Counter(urls).most_common(1)[0][0]
        raise DeclarationError("the address is given twice", place=twice)
    work = scratch / "warc"
    shutil.rmtree(work, ignore_errors=True)
    pages: list[str] = []
    refused: list[tuple[str, str]] = []
    failed: list[tuple[str, str]] = []
    with (
        _crawl(work, "pages", client, sleep, now) as crawl,
        progress.start("fetching pages", len(urls), "pages") as bar,
    ):
        for url in urls:
            try:
                page = crawl.page(url)
                if page.ok:
                    pages.append(url)
                else:
                    failed.append((url, page.why_not()))
            except _RefusedError as error:
                refused.append((url, str(error)))
            except _FailedError as error:
                failed.append((url, visible(str(error))))
            bar.advance(1)
        names = tuple(crawl.writer.names)
    if not pages:
        first = (refused or failed or [("", "the card names no address")])[0]
        raise InputError(
            f"not one page could be fetched; {first[1]}",
            place=first[0],
            remedy="What robots.txt shuts stays shut; correct the other addresses in the card.",
        )
    out.mkdir(parents=True, exist_ok=True)
    for name in names:
        shutil.move(work / name, out / name)
    return Collected(tuple(pages), tuple(refused), tuple(failed), names)


def recheck(
    urls: Iterable[str],
    out: Path,
    *,
    declared: Iterable[str] = (),
    progress: Progress = QUIET,
    client: httpx.Client | None = None,
    sleep: Sleep = time.sleep,
    now: Now = lambda: datetime.now(UTC),
) -> dict[str, tuple[Reservation, ...]]:
    """What pages and their sites say now of being mined, each asked as politely as when it was collected.

    A page that cannot be had, or is no page any more, has an entry that says so beside what its site says.
    The answers go into `recheck-00000.warc.gz` and its successors in `out`.

    Args:
        declared: addresses that the project itself names. Their hosts may be in a private network; those of
            `urls` that came from elsewhere may not.
    """
    wanted = list(dict.fromkeys(urls))
    hosts = frozenset(httpx.URL(url).host for url in declared)
    found: dict[str, tuple[Reservation, ...]] = {}
    with (
        _crawl(out, "recheck", client, sleep, now, hosts) as crawl,
        progress.start("asking pages again", len(wanted), "pages") as bar,
    ):
        for url in wanted:
            try:
                _check(url)
                found[url] = crawl.signals(url)
            except DeclarationError as error:
                found[url] = (page_unread(url, error.what, stamp(now())),)
            bar.advance(1)
    return found


def _check(url: str) -> None:
    check_address(url)
    try:
        site_of(url)
    except ValueError as error:
        raise DeclarationError(f"this is not an address of the web ({error})", place=url) from None


@contextlib.contextmanager
def _crawl(
    folder: Path,
    stem: str,
    client: httpx.Client | None,
    sleep: Sleep,
    now: Now,
    declared: frozenset[str] | None = None,
) -> Iterator[_Crawl]:
    with contextlib.ExitStack() as stack:
        if client is None:
            # A connection is to an address, and two hosts at one address must not be served over one of them.
            kept = 1 if declared is None else 0
            limits = httpx.Limits(max_connections=1, max_keepalive_connections=kept)
            client = stack.enter_context(httpx.Client(timeout=TIMEOUT, limits=limits))
        writer = stack.enter_context(WarcWriter(folder, stem))
        yield _Crawl(_Hops(client, sleep, declared), writer, now)


class _Hops(Visit):
    """Visits that show each redirect instead of following it, so that each can be judged and recorded.

    `declared` are the hosts that may be anywhere; others are asked only at public addresses. None: all may.
    """

    def __init__(self, client: httpx.Client, sleep: Sleep, declared: frozenset[str] | None) -> None:
        super().__init__(client, sleep)
        self.declared = declared

    @contextlib.contextmanager
    def one(self, url: httpx.URL) -> Iterator[httpx.Response]:
        """The answer to one GET, its body not yet read.

        Raises:
            TryAgainError: the connection failed.
            _FailedError: the host is none that may be asked.
        """
        sent = {"User-Agent": SITE_AGENT, "Accept": "*/*", "Accept-Encoding": "identity"}
        at, extensions = url, {}
        if self.declared is not None and url.host not in self.declared:
            host = url.raw_host.decode("ascii")
            address = public_address(host)
            if address is None:
                raise _FailedError(f"{host} has no public address, and the card does not name it")
            at = url.copy_with(host=address)
            sent["Host"] = url.netloc.decode("ascii")
            extensions["sni_hostname"] = host
        try:
            self._pause(url.host)
            with self.client.stream(
                "GET", at, headers=sent, extensions=extensions, follow_redirects=False
            ) as response:
                try:
                    yield response
                finally:
                    self._last[url.host] = time.monotonic()
        except httpx.TransportError as error:
            raise TryAgainError(str(error) or type(error).__name__) from error


class _Crawl:
    """One visit to many sites: what was learnt of each, and where it is recorded."""

    def __init__(self, visit: _Hops, writer: WarcWriter, now: Now) -> None:
        self.visit, self.writer, self.now = visit, writer, now
        self.rsl: dict[str, Fetched] = {}
        self._sites: dict[str, _Site] = {}

    def site(self, url: str) -> _Site:
        """What the site of an address says; asked once."""
        key = site_of(url)
        if key not in self._sites:
            robots = self._file(robots_address(url), ROBOTS_LIMIT + 1)
            tdmrep = self._file(tdmrep_address(url), SITE_FILE_BYTES + 1)
            self._sites[key] = _Site(robots, tdmrep)
            self._fetch_rsl(named_by_robots(robots)[:MOST_FILES], url)
        return self._sites[key]

    def signals(self, url: str) -> tuple[Reservation, ...]:
        """What a page and its site say of it, and where redirects lead to another, that one and its site."""
        site = self.site(url)
        said = site_signals(url, robots=site.robots, tdmrep_file=site.tdmrep, rsl_files=self.rsl)
        try:
            page = self.page(url)
        except (_RefusedError, _FailedError) as error:
            return (*said, page_unread(url, f"it was not had again: {error}", stamp(self.now())))
        if not page.ok:
            return (*said, missing("tdmrep", f"{page.url}, page", page))
        if not _is_html(page):
            return (*said, page_unread(page.url, "it is no page of HTML any more", page.retrieved, page.body))
        site = self.site(page.url)
        there = read_signals(
            page.url,
            html=page.body,
            headers=page.headers,
            robots=site.robots,
            tdmrep=site.tdmrep,
            rsl=self.rsl,
            on=self.now(),
        )
        return tuple(dict.fromkeys([*said, *there]))

    def page(self, url: str) -> Fetched:
        """Fetch and record one page, and the RSL files it names; what the last server on the way answered.

        Raises:
            _RefusedError: robots.txt shuts it to us.
            _FailedError: there is no answer, or none that may be had.
        """
        origin = at = httpx.URL(url)
        for _ in range(MAX_REDIRECTS + 1):
            try:
                why = may_visit(str(at), self.site(str(at)).robots)
            except ValueError as error:
                raise _FailedError(f"{at} is not an address: {error}") from None
            if why is not None:
                why = visible(why)
                self.writer.note(str(at), self.now(), f"not fetched: {why}")
                raise _RefusedError(why)
            answer = self._answer(at, BODY_LIMIT, whole=True)
            target = _target(origin, at, answer)
            if target is None:
                if answer.ok:
                    html = answer.body if _is_html(answer) else None
                    self._fetch_rsl(wanted_files(str(at), html, answer.headers), str(at))
                return answer
            at = target
        raise _FailedError(f"more than {MAX_REDIRECTS} redirects")

    def _fetch_rsl(self, addresses: Iterable[str], page: str) -> None:
        """The RSL files a page or its site names. A public site does not make us ask a private one."""
        for address in addresses:
            if address in self.rsl:
                continue
            try:
                check_address(address)
                host = httpx.URL(address).host
                if is_private(host) and not is_private(httpx.URL(page).host):
                    raise DeclarationError("a private address", place=address)
            except DeclarationError:
                self.writer.note(address, self.now(), "not fetched: this is not a public address of the web")
                continue
            self.rsl[address] = self._file(address, SITE_FILE_BYTES + 1)

    def _file(self, url: str, limit: int) -> Fetched:
        """A file of a site, redirects followed; whatever goes wrong, what is known of it."""
        origin = at = httpx.URL(url)
        for _ in range(MAX_REDIRECTS + 1):
            try:
                answer = self._answer(at, limit)
                target = _target(origin, at, answer)
            except _FailedError:
                break
            if target is None:
                return replace(answer, url=url)
            at = target
        return Fetched(url, None, retrieved=stamp(self.now()))

    def _answer(self, url: httpx.URL, limit: int, *, whole: bool = False) -> Fetched:
        """One answer, recorded, of at most `limit` bytes; tried again where a failure may pass.

        Where the answer must be `whole`, a longer one is noted instead: half a page is no page.
        """
        why = ""
        for attempt in range(1, TRIES + 1):
            wait: float | None = None
            try:
                with self.visit.one(url) as response:
                    body, truncated = _read(response, limit)
                    if truncated and whole:
                        raise _FailedError(f"longer than {limit} bytes")
                    wait = retry_after(response.headers)
                    last = attempt == TRIES or (wait or 0.0) > LONGEST_RETRY_AFTER
                    if last or response.status_code not in PASSING:
                        return self._recorded(url, response, body, truncated)
            except _FailedError as error:
                self.writer.note(str(url), self.now(), str(error))
                raise
            except TryAgainError as error:
                why = str(error)
            if attempt < TRIES:
                self.visit.sleep(wait if wait is not None else 2.0 ** (attempt - 1))
        self.writer.note(str(url), self.now(), f"no answer: {why}")
        raise _FailedError(f"the server gave no answer: {why}")

    def _recorded(self, url: httpx.URL, response: httpx.Response, body: bytes, truncated: bool) -> Fetched:
        on = self.now()
        headers = tuple((k.decode("latin-1"), v.decode("latin-1")) for k, v in response.headers.raw)
        # The chunks were joined on arrival, so the stored body no longer has the encoding this names.
        kept = [(f"X-Crawler-{k}" if k.lower() == "transfer-encoding" else k, v) for k, v in headers]
        first = f"HTTP/1.1 {response.status_code} {response.reason_phrase}".rstrip()
        head = f"{first}\r\n" + "".join(f"{k}: {v}\r\n" for k, v in kept) + "\r\n"
        self.writer.response(str(url), on, head.encode("latin-1", "replace"), body, truncated=truncated)
        asked = response.request
        lines = "".join(f"{k.decode('latin-1')}: {v.decode('latin-1')}\r\n" for k, v in asked.headers.raw)
        target = asked.url.raw_path.decode("latin-1")
        self.writer.request(
            str(url), on, f"GET {target} HTTP/1.1\r\n{lines}\r\n".encode("latin-1", "replace")
        )
        try:
            content = unpacked(body, kept, str(url))
        except InputError as error:
            raise _FailedError(error.what) from None
        return Fetched(str(url), response.status_code, content, headers, stamp(on), truncated)


def _is_html(answer: Fetched) -> bool:
    return "html" in content_type(answer.headers).lower()


def _read(response: httpx.Response, limit: int) -> tuple[bytes, bool]:
    """At most `limit` bytes of a body as they come, and whether there were more."""
    pieces, size = [], 0
    for piece in response.iter_raw():
        pieces.append(piece)
        size += len(piece)
        if size > limit:
            return b"".join(pieces)[:limit], True
    return b"".join(pieces), False


def _target(origin: httpx.URL, at: httpx.URL, answer: Fetched) -> httpx.URL | None:
    """Where an answer leads on; None where it leads nowhere. Raises _FailedError where we must not follow."""
    location = next((v for k, v in answer.headers if k.lower() == "location"), "")
    if answer.status not in (301, 302, 303, 307, 308) or not location:
        return None
    try:
        return redirected(origin, at, location)
    except InputError as error:
        raise _FailedError(error.what) from None
