"""Polite and careful requests: what a visit to somebody's server may do.

One request at a time, a pause between two to the same host, a name to be known by. Redirects never lead to
another kind of address: not from https back to http, not to a file, not from the public network into a
private one, where a server could make us read what only this machine may read. Which failures may pass,
and how long the server asks to wait, is said here too; who tries again is the caller.
"""

from __future__ import annotations

import contextlib
import email.utils
import ipaddress
import re
import socket
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping

import httpx

from hemicycle import __version__
from hemicycle.errors import DeclarationError, InputError

USER_AGENT = f"Hemicycle/{__version__}"
TIMEOUT = httpx.Timeout(60.0, connect=20.0)
MAX_REDIRECTS = 5
#: Seconds between the end of one request to a host and the next.
PAUSE = 1.0
LONGEST_RETRY_AFTER = 900.0
PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
REMEDIES = {
    401: "The publisher asks for a login: fetch the file yourself and name it with `path`.",
    403: "The publisher does not give this file to programs: fetch it yourself and name it with `path`.",
    404: "The publisher may have moved it: look up the address at the publisher's and correct the card.",
    410: "The publisher took it away: look for its successor and correct the card.",
    451: "The publisher may not give it for legal reasons: remove the source, or ask the publisher.",
}


class TryAgainError(Exception):
    """A failure that may pass. `wait` is how many seconds the server asked to wait, where it did."""

    def __init__(self, why: str, wait: float | None = None) -> None:
        super().__init__(why)
        self.wait = wait


class Visit:
    """Requests, one at a time, each a polite pause after the last one to the same host."""

    def __init__(self, client: httpx.Client, sleep: Callable[[float], None]) -> None:
        self.client = client
        self.sleep = sleep
        self._last: dict[str, float] = {}

    @contextlib.contextmanager
    def get(self, url: str, headers: Mapping[str, str]) -> Iterator[httpx.Response]:
        """The answer to a GET, its body not yet read, redirects followed within the rules.

        Raises:
            TryAgainError: the connection failed, now or while the body is read.
            InputError: a redirect breaks a rule.
        """
        origin = address = httpx.URL(url)
        sent = {"User-Agent": USER_AGENT, "Accept": "*/*", "Accept-Encoding": "identity", **headers}
        try:
            for _ in range(MAX_REDIRECTS + 1):
                self._pause(address.host)
                with self.client.stream("GET", address, headers=sent, follow_redirects=False) as response:
                    try:
                        if response.has_redirect_location:
                            address = redirected(origin, address, response.headers["location"])
                            continue
                        yield response
                        return
                    finally:
                        self._last[response.url.host] = time.monotonic()
        except httpx.TransportError as error:
            raise TryAgainError(str(error) or type(error).__name__) from error
        raise InputError(f"more than {MAX_REDIRECTS} redirects, the last to {address}", place=url)

    def _pause(self, host: str) -> None:
        rest = self._last.get(host, float("-inf")) + PAUSE - time.monotonic()
        if rest > 0:
            self.sleep(rest)


def check_address(url: str) -> None:
    """Raise DeclarationError unless `url` is an address of the web without a password in it."""
    try:
        parsed = httpx.URL(url)
        urllib.parse.urlsplit(url)
    except (httpx.InvalidURL, ValueError):
        raise DeclarationError("this is not an address of the web", place=url) from None
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise DeclarationError(
            "this is not an address of the web",
            place=url,
            remedy="Write http:// or https:// and a host; for files of your own use `path`.",
        )
    if parsed.userinfo:
        raise DeclarationError(
            "the address holds a user name or a password, and cards are published",
            place=f"{parsed.scheme}://…@{parsed.host}{parsed.path}",
            remedy="Fetch the file yourself and name it with `path`.",
        )


def redirected(origin: httpx.URL, at: httpx.URL, location: str) -> httpx.URL:
    """Where a redirect met at `at`, on the way from `origin`, leads; InputError if it may not be followed."""
    try:
        target = at.join(location)
    except (httpx.InvalidURL, ValueError):
        raise InputError("the server redirects to something that is not an address", place=str(at)) from None
    if target.scheme not in ("https", at.scheme) or not target.host or target.userinfo:
        raise InputError(
            f"the server redirects to {target.scheme}://{target.host}, less safe than what was asked for",
            place=str(at),
            remedy="Check the address at the publisher's, and write the final one into the card.",
        )
    if target.host != origin.host and is_private(target.host) and not is_private(origin.host):
        raise InputError(
            f"the server redirects into a private network, to {target.host}",
            place=str(at),
            remedy="Check the address at the publisher's.",
        )
    return target


def is_private(host: str) -> bool:
    """Whether a host is this machine, or of a network that is not public, by its name or its addresses.

    A name is looked up here, and again when the connection is made: an attacker who changes the answer in
    between is not held off.
    """
    name = host.rstrip(".").lower()
    return _is_local(name) or not all(map(_is_public, addresses(name)))


def _is_local(name: str) -> bool:
    return name == "localhost" or name.endswith((".localhost", ".local", ".internal"))


def _is_public(written: str) -> bool:
    address = ipaddress.ip_address(written.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    real = mapped if mapped is not None else address
    return bool(real.is_global and not real.is_multicast)


def public_address(host: str) -> str | None:
    """The address to reach a public host at; None where any of its addresses is not public, or it has none.

    Whoever connects to what this gives, and not to the name, is held off from private networks whatever the
    name is made to answer later.
    """
    name = host.rstrip(".").lower()
    found = [] if _is_local(name) else addresses(name)
    return found[0] if found and all(map(_is_public, found)) else None


def addresses(host: str) -> list[str]:
    """The addresses of a host in the system's order; none where it has none that are known here.

    A proxy may still know it.
    """
    try:
        return list(dict.fromkeys(str(found[4][0]) for found in socket.getaddrinfo(host, None)))
    except (OSError, UnicodeError):
        return []


def refusal(response: httpx.Response, url: str) -> TryAgainError | InputError:
    """What an answer without the file means: an error that may pass, or one to show."""
    said = f"the server answers {response.status_code} {response.reason_phrase}".rstrip()
    if response.status_code not in PASSING:
        remedy = REMEDIES.get(response.status_code, "Check the address in the card.")
        return InputError(said, place=url, remedy=remedy)
    wait = retry_after(response.headers)
    if wait is not None and wait > LONGEST_RETRY_AFTER:
        return InputError(
            f"{said} and asks to come back in {wait:.0f} s", place=url, remedy="Run again then."
        )
    return TryAgainError(said, wait)


def retry_after(headers: httpx.Headers) -> float | None:
    """Seconds that a server asks to wait, given as such or as a date (RFC 9110, section 10.2.3)."""
    value = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", value):
        return float(value)
    until, answered = http_date(value), http_date(headers.get("date"))
    if until is None:
        return None
    return max(0.0, until - (answered if answered is not None else time.time()))


def http_date(written: str | None) -> float | None:
    """Seconds since the epoch of a date as HTTP writes it, or None."""
    try:
        return email.utils.parsedate_to_datetime(written).timestamp() if written else None
    except (ValueError, OverflowError):
        return None
