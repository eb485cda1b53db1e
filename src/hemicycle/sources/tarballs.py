"""The files inside a tar archive, plain or gzipped, in one pass and without unpacking to disk.

The traps: a megabyte of gzip may inflate to a terabyte, a header may claim a name of gigabytes, a name may
climb out of the folder, and Python's `tarfile` takes a damaged header in the middle for the end of the
archive, so that half of it would pass for the whole. Each of these is refused with the archive's place.
"""

from __future__ import annotations

import contextlib
import gzip
import posixpath
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol, cast

from hemicycle.errors import InputError
from hemicycle.sources.xml import FILE_LIMIT, too_big

#: Bounds on one archive: members, and bytes of the unpacked tar. LEGI has 1.5 million and 15 GB.
MAX_MEMBERS = 8_000_000
MAX_UNPACKED = 64 << 30

_PIECE = 1 << 18
_DAMAGE = (
    tarfile.TarError,
    zlib.error,
    EOFError,
    OSError,
    ValueError,
    ArithmeticError,
    LookupError,
    RecursionError,
)


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def tar_members(
    path: Path, place: str, wanted: Callable[[str], bool], limit: int = FILE_LIMIT
) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the bytes of every file of the archive that is wanted, in the archive's order.

    Args:
        place: how messages name the archive.
        wanted: asked with the name of each file; may raise an InputError of its own.
        limit: bytes of one file.

    Raises:
        InputError: not a tar archive, damaged or cut short, beyond a bound, or hostile.
    """
    with path.open("rb") as raw:
        start = raw.read(2)
        raw.seek(0)
        if start == b"\x1f\x9d":
            raise InputError(
                "the archive is packed with `compress`, which is not read here",
                place=place,
                remedy="Unpack it with `uncompress` or `gzip -d`, and name the result in the card.",
            )
        inner = cast("_Readable", gzip.GzipFile(fileobj=raw) if start == b"\x1f\x8b" else raw)
        stream = _Forwards(inner, place)
        with _refusing(place):
            tar = tarfile.open(fileobj=stream, mode="r:", encoding="utf-8")  # type: ignore[call-overload]  # noqa: SIM115
        for count in range(MAX_MEMBERS + 1):
            with _refusing(place):
                info = tar.next()
                if info is None:
                    stream.expect_padding()
                    return
            tar.members.clear()
            if count == MAX_MEMBERS:
                raise InputError(f"the archive holds more than {MAX_MEMBERS:,} members", place=place)
            if info.isdir():
                continue
            name = _inside(info.name, place)
            if not info.isreg() or info.issparse():
                raise InputError(
                    "this member is a link or a device, not a file",
                    place=f"{place}#{name}",
                    remedy="Do not use this archive; ask its publisher for a clean one.",
                )
            if wanted(name):
                if info.size > limit:
                    raise too_big(f"{place}#{name}", limit)
                with _refusing(f"{place}#{name}"):
                    file = tar.extractfile(info)
                    data = file.read() if file else b""
                    if len(data) != info.size:
                        raise EOFError("it ends in the middle of a file")
                yield name, data


def _inside(name: str, place: str) -> str:
    """The name in its plain form; refused where it leads out of the archive or is no text."""
    if not name.isprintable() or name.startswith("/") or "\\" in name or ".." in name.split("/"):
        raise InputError(
            f"the name {ascii(name)[:200]} leads out of the archive, or is none",
            place=place,
            remedy="Do not use this archive; ask its publisher for a clean one.",
        )
    return posixpath.normpath(name)


@contextlib.contextmanager
def _refusing(place: str) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise InputError(
            f"the archive cannot be read: {str(error)[:200] or type(error).__name__}",
            place=place,
            remedy="It may be cut short or damaged: collect it again.",
        ) from None


class _Forwards:
    """What `tarfile` reads from: forwards only, and never more than the bounds allow."""

    def __init__(self, inner: _Readable, place: str) -> None:
        self._inner, self._place, self._at, self._last = inner, place, 0, b""

    def tell(self) -> int:
        return self._at

    def seek(self, position: int) -> None:
        if position < self._at:
            raise tarfile.StreamError("it would have to be read backwards")
        while position > self._at and self.read(min(_PIECE, position - self._at)):
            pass

    def read(self, size: int) -> bytes:
        # A header that claims gigabytes for a file's name would otherwise be read into memory.
        if size > FILE_LIMIT or self._at + size > MAX_UNPACKED:
            raise InputError(
                f"the archive unpacks to more than {MAX_UNPACKED >> 30} GiB, or holds an endless name",
                place=self._place,
            )
        pieces, missing = [], size
        while missing and (piece := self._inner.read(missing)):
            pieces.append(piece)
            missing -= len(piece)
        self._last = b"".join(pieces)
        self._at += len(self._last)
        return self._last

    def expect_padding(self) -> None:
        """`tarfile` takes a broken header for the end; only zeros may stand there, and some must."""
        if not self._last:
            raise EOFError("it ends without its end mark")
        while self._last:
            if self._last.strip(b"\0"):
                raise tarfile.ReadError("an entry in the middle has no proper header")
            self.read(_PIECE)
