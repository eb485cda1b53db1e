"""Bodies of HTTP answers unwrapped: chunks joined, gzip and deflate undone, never without bound."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable

from hemicycle.errors import InputError

#: Bytes of one body that are held, before and after it is unpacked.
BODY_LIMIT = 16 * 2**20
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]{0,1000})?\r?\n")


def unpacked(body: bytes, headers: Iterable[tuple[str, str]], place: str, limit: int = BODY_LIMIT) -> bytes:
    """A body with chunks joined and gzip or deflate undone, of at most `limit` bytes.

    Crawlers often undo both and leave the headers: a body that is not in the encoding it is said to be in is
    taken as it is.

    Raises:
        InputError: the body is packed in another way, is damaged, or inflates beyond `limit`.
    """
    of = {name.lower(): value.strip().lower() for name, value in headers}
    if "chunked" in of.get("transfer-encoding", ""):
        body = _joined(body)
    for encoding in reversed(of.get("content-encoding", "").replace(" ", "").split(",")):
        if encoding in ("gzip", "x-gzip"):
            body = _inflated(body, 16 + zlib.MAX_WBITS, place, limit) if body[:2] == b"\x1f\x8b" else body
        elif encoding == "deflate":
            body = _deflated(body, place, limit)
        elif encoding not in ("", "identity", "utf-8", "none"):
            raise InputError(
                f"the answer is packed in a way that is not read here: {encoding}",
                place=place,
                remedy="Crawl again asking for `Accept-Encoding: identity` or gzip.",
            )
    if len(body) > limit:
        raise _too_big(place, limit)
    return body


def _too_big(place: str, limit: int) -> InputError:
    return InputError(f"the answer is longer than {limit} bytes", place=place)


def _joined(body: bytes) -> bytes:
    """Chunks put together (RFC 9112, section 7.1); a body that has none, or is cut, as far as it goes."""
    pieces: list[bytes] = []
    at = 0
    while True:
        match = _CHUNK.match(body, at)
        if match is None:
            return b"".join(pieces) if pieces else body
        size, start = int(match[1], 16), match.end()
        if size == 0:
            return b"".join(pieces)
        pieces.append(body[start : start + size])
        at = start + size
        at += 2 if body[at : at + 2] == b"\r\n" else 1


def _inflated(body: bytes, window: int, place: str, limit: int) -> bytes:
    engine = zlib.decompressobj(window)
    try:
        found = engine.decompress(body, limit + 1)
    except zlib.error as error:
        raise InputError(f"the packed answer is damaged ({error})", place=place) from None
    if len(found) > limit:
        raise _too_big(place, limit)
    return found


def _deflated(body: bytes, place: str, limit: int) -> bytes:
    """Deflate, with the wrapper the standard wants or without; a body that is neither is not packed."""
    for window in (zlib.MAX_WBITS, -zlib.MAX_WBITS):
        try:
            zlib.decompressobj(window).decompress(body, 1)
        except zlib.error:
            continue
        return _inflated(body, window, place, limit)
    return body
