"""What a server answered: the evidence that signals are read from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hemicycle.digests import sha256_bytes
from hemicycle.documents import Reservation
from hemicycle.rights.optout.law import Value
from hemicycle.rights.optout.protocols import protocol

Headers = Mapping[str, str] | Iterable[tuple[str, str]]

#: Characters of a quote; longer ones are cut, since a document carries them.
LONGEST_QUOTE = 300
#: Answers by which a server says that there is no such file; every other failure leaves the question open.
ABSENT = (404, 410)


@dataclass(frozen=True)
class Fetched:
    """One file of a site as it was fetched.

    Attributes:
        url: that was asked for.
        status: of the answer; None where there was none (no such host, a connection that failed).
        headers: in the order they came.
        body: after its transfer and content encodings were undone.
        retrieved: ISO 8601 time in UTC.
        truncated: whether the body is only the beginning of what the server had.
    """

    url: str
    status: int | None
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    retrieved: str | None = None
    truncated: bool = False

    @property
    def ok(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    def why_not(self) -> str:
        """Why there is nothing to read, in words."""
        if self.status is None:
            return "the server gave no answer"
        return f"the server answered {self.status}"


def pairs(headers: Headers) -> tuple[tuple[str, str], ...]:
    """Headers as pairs, whichever way they were given."""
    return tuple(headers.items()) if isinstance(headers, Mapping) else tuple(headers)


def header_values(headers: Headers, name: str) -> list[str]:
    """All values of one header, in order; names know no case."""
    return [value for key, value in pairs(headers) if key.strip().lower() == name]


def finding(
    key: str,
    value: Value,
    place: str,
    quote: str | None = None,
    *,
    evidence: bytes | None = None,
    retrieved: str | None = None,
) -> Reservation:
    """What a protocol says, tagged with the version it was read by and the digest of what was read."""
    return Reservation(
        protocol=key,
        version=protocol(key).version,
        value=value,
        place=clean(place)[:2_000],
        quote=clean(quote)[:LONGEST_QUOTE] if quote is not None else None,
        sha256=sha256_bytes(evidence) if evidence is not None else None,
        retrieved=retrieved,
    )


def found_in(file: Fetched, key: str, value: Value, place: str, quote: str) -> Reservation:
    """What a file of the site says; the file is the evidence."""
    return finding(key, value, place, quote, evidence=file.body, retrieved=file.retrieved)


def clean(text: str) -> str:
    """Text that can be stored as UTF-8 and shown on one line: half characters and controls replaced."""
    text = " ".join(text.encode("utf-8", "replace").decode("utf-8").split())
    return "".join(c if c.isprintable() else "�" for c in text)


def missing(key: str, place: str, file: Fetched | None, *, named: bool = False) -> Reservation:
    """The entry for a file that was not had.

    That a site has no such file is evidence too, and means that it says nothing there. Where the file was
    `named`, or where nobody could find out, it may say anything.
    """
    if file is None:
        return finding(key, "unread", place, "it was not fetched")
    value: Value = "unknown" if file.status in ABSENT and not named else "unread"
    return finding(key, value, place, file.why_not(), retrieved=file.retrieved)
