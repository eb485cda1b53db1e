"""A Debian package read as a stream: its control fields, its files and its links, without dpkg.

A ``.deb`` is an ``ar`` archive of two tar files, ``control.tar.*`` and ``data.tar.*``. Nothing is ever
unpacked to disk, so a name such as ``../../etc/passwd`` has nowhere to go; it is refused all the same.
The trap avoided is size: a package of a few kilobytes may unpack to terabytes, ask for a dictionary of
gigabytes, or hold millions of members, so every one of these is bounded. A package may well hold a file of
nothing but zeros: so its unpacked bytes are bounded, and not how many times its size they are.
"""

from __future__ import annotations

import bz2
import contextlib
import functools
import gzip
import posixpath
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import pyarrow as pa

from hemicycle.errors import InputError
from hemicycle.sources import tarred

#: Bounds on one package: bytes of the unpacked tar, members, bytes of one file.
MAX_UNPACKED = 8 << 30
MAX_MEMBERS = 400_000
MAX_FILE = 64 << 20

_BROKEN = (EOFError, OSError, pa.ArrowException)


@dataclass(frozen=True)
class Member:
    """One entry of a package: its path without a leading slash, and in the same form where a link leads."""

    path: str
    kind: Literal["file", "link", "other"]
    size: int = 0
    target: str | None = None


def control_fields(deb: Path) -> dict[str, str]:
    """The first lines of the control fields of a package: Package, Version, Architecture, Source …"""
    for entry in _entries(deb, "control.tar"):
        if entry.kind == "file" and posixpath.normpath(entry.name) == "control":
            text = entry.read(1 << 20).decode("utf-8", "replace")
            lines = (line.split(":", 1) for line in text.splitlines() if not line.startswith((" ", "\t")))
            fields = {pair[0].strip(): pair[1].strip() for pair in lines if len(pair) == 2}
            if "Package" in fields and "Version" in fields:
                return fields
    raise InputError("the package does not say its name and version", place=deb.name)


def walk(deb: Path) -> Iterator[tuple[Member, Callable[[], bytes]]]:
    """Yield the members of a package with a function that reads the file's bytes.

    The function works only until the next member is asked for: the package is read in one pass.

    Raises:
        InputError: not a package, truncated, beyond a bound, or with a name that leaves the package.
    """
    for entry in _entries(deb, "data.tar"):
        path = _inside(entry.name, deb)
        if entry.kind == "link":
            target = posixpath.normpath(posixpath.join("/", posixpath.dirname(path), entry.target))
            yield Member(path, "link", target=target.lstrip("/")), bytes
        elif entry.kind == "hard link":
            yield Member(path, "link", target=_inside(entry.target, deb)), bytes
        elif entry.kind == "file":
            yield Member(path, "file", entry.size), functools.partial(_content, entry, deb)
        else:
            yield Member(path, "other"), bytes


def gunzip(data: bytes, place: str, limit: int = MAX_FILE) -> bytes:
    """Unpack a gzip file in memory, up to `limit` bytes."""
    unpacker = zlib.decompressobj(wbits=31)
    try:
        content = unpacker.decompress(data, limit)
    except zlib.error as error:
        raise InputError(f"this is not a gzip file: {error}", place=place) from None
    if unpacker.unconsumed_tail:
        raise InputError(f"the file unpacks to more than {limit} bytes", place=place)
    if not unpacker.eof:
        raise InputError("the gzip file ends too early", place=place)
    return content


def _inside(name: str, deb: Path) -> str:
    if name.startswith("/") or ".." in name.split("/"):
        raise InputError(f"the name “{name}” leads out of the package", place=deb.name)
    return posixpath.normpath(name)


def _content(entry: tarred.Member, deb: Path) -> bytes:
    with _refusing(deb):
        return entry.read(MAX_FILE)


@contextlib.contextmanager
def _refusing(deb: Path) -> Iterator[None]:
    """Whatever the formats inside complain of, the package is at fault."""
    try:
        yield
    except _BROKEN as error:
        raise InputError(
            f"the package cannot be read: {error}", place=deb.name, remedy="Collect the source again."
        ) from None


def _entries(deb: Path, prefix: str) -> Iterator[tarred.Member]:
    """The entries of ``control.tar.*`` or ``data.tar.*``, in one pass."""
    with _refusing(deb), deb.open("rb") as raw:
        name, part = _ar_member(raw, prefix, deb)
        stream = _unpacked(part, name.removeprefix(prefix), deb)
        yield from tarred.entries(stream, deb.name, consumed=None, total=MAX_UNPACKED, most=MAX_MEMBERS)


def _ar_member(raw: BinaryIO, prefix: str, deb: Path) -> tuple[str, _Slice]:
    if raw.read(8) != b"!<arch>\n":
        raise InputError("this is not a Debian package", place=deb.name)
    while header := raw.read(60):
        if len(header) < 60 or header[58:] != b"`\n" or not header[48:58].strip().isdigit():
            raise InputError("the package is broken: an entry has no proper header", place=deb.name)
        name, size = header[:16].decode("latin-1").strip().rstrip("/"), int(header[48:58])
        if name.startswith(prefix):
            return name, _Slice(raw, size)
        raw.seek(size + size % 2, 1)
    raise InputError(f"the package holds no {prefix}", place=deb.name)


class _Slice:
    """The next `size` bytes of a file."""

    closed = False

    def __init__(self, raw: BinaryIO, size: int) -> None:
        self._raw, self._left = raw, size

    def read(self, size: int = -1) -> bytes:
        data = self._raw.read(self._left if size < 0 else min(size, self._left))
        if not data and self._left and size:
            raise EOFError("the file ends too early")
        self._left -= len(data)
        return data

    def readable(self) -> bool:
        return True


def _unpacked(part: _Slice, suffix: str, deb: Path) -> tarred.Readable:
    match suffix:
        case "":
            return part
        case ".xz" | ".lzma":
            return tarred.Xz(part)
        case ".gz":
            return gzip.GzipFile(fileobj=part, mode="rb")  # type: ignore[call-overload,no-any-return]
        case ".bz2":
            return bz2.BZ2File(part)  # type: ignore[call-overload,no-any-return]
        case ".zst":
            return pa.CompressedInputStream(pa.PythonFile(part, mode="r"), "zstd")  # type: ignore[no-any-return]
    raise InputError(f"the package is compressed in a way unknown here ({suffix})", place=deb.name)
