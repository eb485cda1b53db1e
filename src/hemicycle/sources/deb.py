"""A Debian package read as a stream: its control fields, its files and its links, without dpkg.

A ``.deb`` is an ``ar`` archive of two tar files, ``control.tar.*`` and ``data.tar.*``. Nothing is ever
unpacked to disk, so a name such as ``../../etc/passwd`` has nowhere to go; it is refused all the same.
The trap avoided is size: a package of a few kilobytes may unpack to terabytes, ask for a dictionary of
gigabytes, or hold millions of members, so every one of these is bounded.
"""

from __future__ import annotations

import bz2
import contextlib
import functools
import gzip
import lzma
import posixpath
import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, Protocol

import pyarrow as pa

from hemicycle.errors import InputError

#: Bounds on one package: bytes of the unpacked tar, members, memory for xz, bytes of one file, of one read.
MAX_UNPACKED = 8 << 30
MAX_MEMBERS = 400_000
MAX_XZ_MEMORY = 256 << 20
MAX_FILE = 64 << 20
MAX_READ = MAX_FILE

_CHUNK = 1 << 18
_BROKEN = (tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, OSError, pa.ArrowException)


@dataclass(frozen=True)
class Member:
    """One entry of a package: its path without a leading slash, and in the same form where a link leads."""

    path: str
    kind: Literal["file", "link", "other"]
    size: int = 0
    target: str | None = None


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def control_fields(deb: Path) -> dict[str, str]:
    """The first lines of the control fields of a package: Package, Version, Architecture, Source …"""
    with _tar(deb, "control.tar") as tar:
        for info in _infos(tar, deb):
            if info.isreg() and posixpath.normpath(info.name) == "control":
                text = _content(tar, info, deb, 1 << 20).decode("utf-8", "replace")
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
    with _tar(deb, "data.tar") as tar:
        for info in _infos(tar, deb):
            path = _inside(info.name, deb)
            if info.issym():
                target = posixpath.normpath(posixpath.join("/", posixpath.dirname(path), info.linkname))
                yield Member(path, "link", target=target.lstrip("/")), bytes
            elif info.islnk():
                yield Member(path, "link", target=_inside(info.linkname, deb)), bytes
            elif info.isreg() and not info.issparse():
                yield Member(path, "file", info.size), functools.partial(_content, tar, info, deb, MAX_FILE)
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


def _infos(tar: tarfile.TarFile, deb: Path) -> Iterator[tarfile.TarInfo]:
    for count in range(MAX_MEMBERS + 1):
        info = tar.next()
        if info is None:
            assert isinstance(tar.fileobj, _Stream)
            return tar.fileobj.expect_padding()
        tar.members.clear()  # type: ignore[attr-defined]  # tarfile would remember every one
        if count == MAX_MEMBERS:
            raise InputError(f"the package holds more than {MAX_MEMBERS} members", place=deb.name)
        yield info


def _inside(name: str, deb: Path) -> str:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        raise InputError(f"the name {name!r} is not UTF-8", place=deb.name) from None
    if name.startswith("/") or ".." in name.split("/"):
        raise InputError(f"the name {name!r} leads out of the package", place=deb.name)
    return posixpath.normpath(name)


def _content(tar: tarfile.TarFile, info: tarfile.TarInfo, deb: Path, limit: int) -> bytes:
    if info.size > limit:
        raise InputError(
            f"the file has {info.size} bytes, more than {limit}", place=f"{deb.name}: {info.name}"
        )
    with _refusing(deb):
        file = tar.extractfile(info)
        content = file.read() if file else b""
    if len(content) != info.size:
        raise InputError("the package ends in the middle of a file", place=f"{deb.name}: {info.name}")
    return content


@contextlib.contextmanager
def _refusing(deb: Path) -> Iterator[None]:
    """Whatever the formats inside complain of, the package is at fault."""
    try:
        yield
    except _BROKEN as error:
        raise InputError(
            f"the package cannot be read: {error}", place=deb.name, remedy="Collect the source again."
        ) from None


@contextlib.contextmanager
def _tar(deb: Path, prefix: str) -> Iterator[tarfile.TarFile]:
    """Open ``control.tar.*`` or ``data.tar.*`` for one pass."""
    with _refusing(deb), deb.open("rb") as raw:
        name, part = _ar_member(raw, prefix, deb)
        stream = _Stream(_unpacked(part, name.removeprefix(prefix), deb), deb)
        # tarfile asks only for tell, seek and read, and seeks only forwards.
        with tarfile.open(fileobj=stream, mode="r:", encoding="utf-8") as tar:  # type: ignore[call-overload]
            yield tar


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


def _unpacked(part: _Slice, suffix: str, deb: Path) -> _Readable:
    match suffix:
        case "":
            return part
        case ".xz" | ".lzma":
            return _Xz(part)
        case ".gz":
            return gzip.GzipFile(fileobj=part, mode="rb")  # type: ignore[call-overload,no-any-return]
        case ".bz2":
            return bz2.BZ2File(part)  # type: ignore[call-overload,no-any-return]
        case ".zst":
            return pa.CompressedInputStream(pa.PythonFile(part, mode="r"), "zstd")  # type: ignore[no-any-return]
    raise InputError(f"the package is compressed in a way unknown here ({suffix})", place=deb.name)


class _Xz:
    """Unpack xz with a bound on memory, which `lzma.LZMAFile` cannot set."""

    def __init__(self, part: _Slice) -> None:
        self._part = part
        self._unpacker = lzma.LZMADecompressor(memlimit=MAX_XZ_MEMORY)

    def read(self, size: int, /) -> bytes:
        while True:
            if self._unpacker.eof:
                rest = self._unpacker.unused_data or self._part.read(_CHUNK)
                if not rest.strip(b"\0"):
                    return b""
                self._unpacker = lzma.LZMADecompressor(memlimit=MAX_XZ_MEMORY)
            else:
                rest = self._part.read(_CHUNK) if self._unpacker.needs_input else b""
                if not rest and self._unpacker.needs_input:
                    raise EOFError("the compressed data end too early")
            if data := self._unpacker.decompress(rest, size):
                return data


class _Stream:
    """What `tarfile` reads from: forwards only, and never more than the bounds allow."""

    def __init__(self, inner: _Readable, deb: Path) -> None:
        self._inner, self._deb, self._at, self._last = inner, deb, 0, b""

    def tell(self) -> int:
        return self._at

    def seek(self, position: int) -> None:
        if position < self._at:
            raise tarfile.StreamError("the package cannot be read backwards")
        while position > self._at and self.read(min(_CHUNK, position - self._at)):
            pass

    def read(self, size: int) -> bytes:
        # A header that claims gigabytes for a file's name would otherwise be read into memory.
        if size > MAX_READ or self._at + size > MAX_UNPACKED + _CHUNK:
            raise InputError(
                f"the package unpacks to more than {MAX_UNPACKED >> 30} GiB, or holds an endless name",
                place=self._deb.name,
            )
        pieces, missing = [], size
        while missing and (piece := self._inner.read(missing)):
            pieces.append(piece)
            missing -= len(piece)
        self._last = b"".join(pieces)
        self._at += len(self._last)
        return self._last

    def expect_padding(self) -> None:
        """`tarfile` takes a broken header for the end; only zeros may stand there."""
        while True:
            if self._last.strip(b"\0"):
                raise tarfile.ReadError("an entry in the middle has no proper header")
            if not self.read(_CHUNK):
                return
