"""The members of a tar, one after the other, read where they stand: plain, or packed with gzip, bzip2 or xz.

A dump may be larger than memory and disk, so nothing is unpacked: a member is a stream, to be read before
the next one comes. The traps: a few kilobytes may inflate without end, so what comes out is counted against
what went in; a header may claim a name of gigabytes; a sparse member is a hole of any size; an archive that
was cut off ends, for the library underneath, like one that is whole. Names that climb out of the folder,
links and devices are refused although nothing is written: no publisher makes such an archive.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from hemicycle.errors import InputError

#: Text packs to a tenth, repeated markup to a fiftieth; the first bytes are free.
RATIO_LIMIT = 200
RATIO_FREE_BYTES = 1_000_000

#: Bytes of one header that carries a long name.
HEADER_LIMIT = 2**20

SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")

_DAMAGE = (EOFError, OSError, zlib.error, lzma.LZMAError)
_LONG_NAMES = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, b"L", b"K")


class Member:
    """One file in the archive; to be read before the next is asked for."""

    def __init__(self, name: str, place: str, size: int, file: IO[bytes]) -> None:
        self.name, self.place, self.size = name, place, size
        self._file = file

    def readline(self, bound: int) -> bytes:
        """The next line, or its first `bound` bytes; empty at the end."""
        try:
            return self._file.readline(bound)
        except (tarfile.TarError, ValueError) as error:
            raise _damaged(self.place, error) from None

    def read(self, limit: int) -> bytes:
        """The whole member. Raises InputError where it is bigger than `limit`."""
        if self.size > limit:
            raise InputError(
                f"the member is bigger than {limit:,} bytes, the most that is read as one file",
                place=self.place,
            )
        try:
            return self._file.read(limit + 1)
        except (tarfile.TarError, ValueError) as error:
            raise _damaged(self.place, error) from None


def tar_members(path: Path, place: str) -> Iterator[Member]:
    """The members of a tar file, in the order they stand in.

    Raises:
        InputError: the archive is damaged, cut short or hostile, or holds anything but files and folders.
    """
    lower = path.name.lower()
    with path.open("rb") as raw:
        if lower.endswith((".gz", ".tgz")):
            packed = cast("IO[bytes]", gzip.GzipFile(fileobj=raw))
        elif lower.endswith(".bz2"):
            packed = cast("IO[bytes]", bz2.BZ2File(raw))
        elif lower.endswith(".xz"):
            packed = cast("IO[bytes]", lzma.LZMAFile(raw))  # noqa: SIM115  closed with `raw`
        else:
            packed = cast("IO[bytes]", raw)
        yield from members_of_stream(packed, place, consumed=raw.tell)


def members_of_stream(stream: IO[bytes], place: str, *, consumed: Any) -> Iterator[Member]:
    """The members of a tar that is a stream of bytes.

    Args:
        consumed: how many packed bytes have been read so far.
    """
    counted = _Counted(stream, place, consumed)
    try:
        archive = tarfile.open(fileobj=cast("IO[bytes]", counted), mode="r|", tarinfo=_Header)  # noqa: SIM115
        while (info := archive.next()) is not None:
            archive.members = []  # type: ignore[attr-defined]  # else every header ever read is kept
            at = f"{place}#{info.name}"
            _check(info, at)
            if info.isreg():
                file = archive.extractfile(info)
                if file is not None:
                    yield Member(info.name, at, info.size, io.BufferedReader(cast("Any", file)))
    except _Claim as error:
        raise InputError(error.what, place=place, remedy=error.remedy) from None
    except (tarfile.TarError, ValueError, IndexError, OverflowError, RecursionError) as error:
        raise _damaged(place, error) from None
    counted.finish()


class _Claim(InputError):
    """What a header claims that cannot be true of a publisher's archive; the header knows no place."""


class _Header(tarfile.TarInfo):
    """A header that is refused before it makes the library read a name of any length into memory."""

    @classmethod
    def frombuf(cls, buf: Any, encoding: str, errors: str) -> _Header:
        info = super().frombuf(buf, encoding, errors)
        if info.type in _LONG_NAMES and not 0 <= info.size <= HEADER_LIMIT:
            raise _Claim(f"a header of the archive claims {info.size:,} bytes: this is no name")
        if info.type == tarfile.GNUTYPE_SPARSE:
            raise _Claim("the archive holds a sparse file: this is no text")
        return info


def _check(info: tarfile.TarInfo, place: str) -> None:
    name = PurePosixPath(info.name)
    if name.is_absolute() or ".." in name.parts or "\\" in info.name or info.name[1:2] == ":":
        raise InputError(
            "the name of this member climbs out of the archive",
            place=place,
            remedy="Do not use this file; ask its publisher for a clean one.",
        )
    if info.issparse() or not (info.isreg() or info.isdir()):
        raise InputError(
            "the member is neither a file nor a folder",
            place=place,
            remedy="Do not use this file; ask its publisher for a clean one.",
        )


class _Counted:
    """The unpacked bytes, counted as they come."""

    def __init__(self, stream: IO[bytes], place: str, consumed: Any) -> None:
        self._stream, self._place, self._consumed = stream, place, consumed
        self._out = 0
        self._last = b""

    def read(self, size: int = -1) -> bytes:
        try:
            data = self._stream.read(size if size >= 0 else 2**16)
        except _DAMAGE as error:
            raise _damaged(self._place, error) from None
        self._out += len(data)
        if self._out > RATIO_FREE_BYTES + RATIO_LIMIT * self._consumed():
            raise InputError(
                f"the archive inflates to more than {RATIO_LIMIT} times its size: this is no text",
                place=self._place,
                remedy="Do not use this file; ask its publisher for a clean one.",
            )
        self._last = (self._last + data)[-tarfile.BLOCKSIZE :]
        return data

    def finish(self) -> None:
        """Read what is left, so that checksums are compared, and refuse an archive without its end."""
        while self.read(2**16):
            pass
        if self._last.strip(b"\0") or len(self._last) < tarfile.BLOCKSIZE:
            raise _damaged(self._place, EOFError("it ends before its end mark"))


def _damaged(place: str, error: Exception) -> InputError:
    return InputError(
        f"the archive is damaged or cut short: {error}",
        place=place,
        remedy="Fetch it again and compare its digest.",
    )
