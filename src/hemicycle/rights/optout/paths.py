"""Paths of addresses, and the patterns of robots.txt that TDMRep, AIPREF and RSL share.

`*` stands for any characters and a final `$` for the end; without it a pattern is a prefix (RFC 9309,
section 2.2.3). A pattern is matched piece by piece, never as a regular expression: thirty asterisks would
keep one busy for years.
"""

from __future__ import annotations

import re
import urllib.parse

_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")
_ASCII = "".join(map(chr, range(0x21, 0x7F)))


def path_of(url: str) -> str:
    """Path and query of an address, in one spelling; never empty. Raises ValueError where it has none."""
    parts = urllib.parse.urlsplit(url)
    return normal((parts.path or "/") + (f"?{parts.query}" if parts.query else ""))


def site_of(url: str) -> str:
    """Scheme, host and port of an address: what one robots.txt speaks for. Raises ValueError."""
    parts = urllib.parse.urlsplit(url)
    host, port = (parts.hostname or "").lower(), parts.port
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError("this is not an address of the web")
    default = {"http": 80, "https": 443}[parts.scheme]
    name = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{name}" + (f":{port}" if port not in (None, default) else "")


def normal(text: str) -> str:
    """One spelling of a path or a pattern: letters that need no escape are not escaped, all others are."""
    quoted = urllib.parse.quote(text.encode("utf-8", "replace"), safe=_ASCII)

    def plain(match: re.Match[str]) -> str:
        letter = chr(int(match[1], 16))
        return letter if _UNRESERVED.match(letter) else match[0].upper()

    return re.sub(r"%([0-9A-Fa-f]{2})", plain, quoted)


def is_address(written: str) -> bool:
    """Whether a pattern is written as a whole address; one of a path may hold an address in its query."""
    return "://" in written and not written.startswith(("/", "*"))


def fitting(written: str, path: str) -> str:
    """The pattern of paths in what is written, a path or a whole address, where it fits; empty elsewhere.

    The longest that fits is the most specific. It has to be measured here, since the host of an address and
    superfluous escapes make nothing more specific. Raises ValueError where an address cannot be read.
    """
    if is_address(written):
        parts = urllib.parse.urlsplit(written)
        written = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    pattern = normal(written if written.startswith(("/", "*")) else f"/{written}")
    return pattern if matches(pattern, path) else ""


def matches(pattern: str, path: str) -> bool:
    """Whether a pattern fits a path; both as `normal` spells them. An empty pattern fits every path."""
    ends = pattern.endswith("$")
    pieces = (pattern[:-1] if ends else pattern).split("*")
    if not path.startswith(pieces[0]):
        return False
    at = len(pieces[0])
    if len(pieces) == 1:
        return not ends or at == len(path)
    for piece in pieces[1:-1]:
        found = path.find(piece, at)
        if found < 0:
            return False
        at = found + len(piece)
    last = pieces[-1]
    if ends:
        return len(path) - len(last) >= at and path.endswith(last)
    return path.find(last, at) >= 0
