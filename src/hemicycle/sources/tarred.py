"""The files of a tar archive, read in place, member by member, also of a tar inside a tar.

The traps: a name may climb out of the folder, a member may be a link or a device, a few kilobytes of gzip may
inflate to a terabyte, and a ``.taz`` may have been made by `compress`, whose format (LZW, ``.Z``) Python does
not read. The standard library's reader follows offsets backwards and searches extended headers of any size
for patterns; so the headers (POSIX.1-2001: ustar and pax; GNU's long names) are read here, once, forwards.
Every byte that comes out is counted, nothing is written to disk, and what is hostile is refused.
"""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from hemicycle.errors import InputError
from hemicycle.sources.xml import FILE_LIMIT, too_big
from hemicycle.sources.zipped import RATIO_FREE_BYTES, RATIO_LIMIT, XmlFile

#: How an archive may be called.
ARCHIVES = (".tar", ".taz", ".tgz", ".tar.gz")

#: Bytes that one archive may hold when unpacked; and how deep a tar may stand in a tar.
TOTAL_LIMIT = 512 * 2**20
DEPTH_LIMIT = 2
MEMBERS_LIMIT = 100_000

_GZIP, _COMPRESS = b"\x1f\x8b", b"\x1f\x9d"
_DAMAGE = (zlib.error, EOFError, OSError, ValueError)

_BLOCK = 512
#: Bytes of an extended header: a long name and a few times.
_HEADER_LIMIT = 64 * 2**10


def is_archive(path: Path) -> bool:
    """Whether a file is a tar archive by its name."""
    return path.name.lower().endswith(ARCHIVES)


def tar_files(path: Path, origin: str, limit: int = FILE_LIMIT) -> list[XmlFile]:
    """The files of an archive in the order of their names; a file in an inner tar is ``inner.tar/name``.

    Args:
        origin: how messages name the archive.
        limit: bytes of one member, an inner tar apart.

    Raises:
        InputError: no tar archive, damaged, hostile, or compressed in a way that is not read.
    """
    allowed = min(TOTAL_LIMIT, max(RATIO_FREE_BYTES, RATIO_LIMIT * path.stat().st_size))
    with path.open("rb") as file:
        found = list(_members(_Counted(_inflated(file, origin), allowed, origin), origin, "", limit, 1))
    return sorted(found, key=lambda member: member.member or "")


def _inflated(file: BinaryIO, place: str) -> BinaryIO:
    start = file.read(2)
    file.seek(0)
    if start == _COMPRESS:
        raise InputError(
            "the archive was made by `compress` (format .Z), which is not read here",
            place=place,
            remedy="Rename it to end in .Z, unpack it with `gzip -d`, which knows the format, and give the "
            "source the .tar.",
        )
    return gzip.GzipFile(fileobj=file) if start == _GZIP else file  # type: ignore[return-value]


class _Counted:
    """A stream that is read forwards, and refused when more comes out of it than may."""

    def __init__(self, file: BinaryIO, allowed: int, place: str) -> None:
        self._file, self._left, self._place = file, allowed, place

    def read(self, size: int) -> bytes:
        """Exactly `size` bytes; raises EOFError where they are not there."""
        self._left -= size
        if self._left < 0:
            raise InputError(
                f"the archive unpacks to more than {RATIO_LIMIT} times its size or {TOTAL_LIMIT:,} bytes",
                place=self._place,
                remedy="Do not use this file; ask its publisher for a clean one.",
            )
        data = self._file.read(size)
        if len(data) != size:
            raise EOFError("it ends in the middle of a member")
        return data


def _members(stream: _Counted, origin: str, prefix: str, limit: int, depth: int) -> Iterator[XmlFile]:
    names: set[str] = set()
    try:
        for name, kind, size in _headers(stream, f"{origin}#{prefix}"):
            place = f"{origin}#{prefix}{name}"
            _check(name, kind, place, names)
            inner = name.lower().endswith(".tar")
            if size > (TOTAL_LIMIT if inner else limit):
                raise too_big(place, TOTAL_LIMIT if inner else limit)
            data = stream.read(size)
            stream.read(-size % _BLOCK)
            if kind == "directory":
                continue
            if not inner:
                yield XmlFile(origin, data, f"{prefix}{name}")
            elif depth >= DEPTH_LIMIT:
                raise InputError("tar archives stand too deep in each other", place=place)
            else:
                within = _Counted(io.BytesIO(data), len(data), place)
                yield from _members(within, origin, f"{prefix}{name}/", limit, depth + 1)
    except _DAMAGE as error:
        raise InputError(
            f"the archive is damaged: {error}",
            place=f"{origin}#{prefix.rstrip('/')}" if prefix else origin,
            remedy="Fetch it again and compare its digest.",
        ) from None


def _headers(stream: _Counted, place: str) -> Iterator[tuple[str, str, int]]:
    """Name, kind and size of each member; the caller reads its bytes before it asks for the next."""
    said: dict[str, str] = {}
    while True:
        block = stream.read(_BLOCK)
        if not block.strip(b"\0"):
            return
        if sum(block) - sum(block[148:156]) + 8 * 32 != _number(block[148:156]):
            raise ValueError("a header's sum is wrong; this may be no tar archive")
        kind, size = block[156:157], _number(block[124:136])
        if kind in (b"L", b"K", b"x", b"g"):
            if size > _HEADER_LIMIT:
                raise InputError("an extended header is too big", place=place)
            extended = stream.read(size)
            stream.read(-size % _BLOCK)
            if kind == b"L":
                said["path"] = _text(extended)
            elif kind == b"x":
                said.update(_pax(extended))
            continue
        name = _text(block[:100])
        if block[257:262] == b"ustar" and block[257:264] != b"ustar  " and block[345:500].strip(b"\0"):
            name = f"{_text(block[345:500])}/{name}"
        name, size = said.get("path", name), int(said.get("size", size))
        if any(key.startswith("GNU.sparse") for key in said):
            kind = b"S"
        said = {}
        if kind == b"5" or (kind == b"\0" and name.endswith("/")):
            yield name, "directory", 0
        else:
            yield name, "file" if kind in (b"0", b"\0", b"7") else "other", size


def _number(field: bytes) -> int:
    """An octal number of a header; the base-256 form is for files bigger than are read here."""
    digits = field.strip(b" \0")
    if not re.fullmatch(rb"[0-7]{0,12}", digits):
        raise ValueError("a header holds no number where one must be")
    return int(digits or b"0", 8)


def _text(field: bytes) -> str:
    raw = field.partition(b"\0")[0]
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _pax(data: bytes) -> dict[str, str]:
    """The records of an extended header: “LENGTH KEY=VALUE” and a line end, LENGTH counting it all."""
    records: dict[str, str] = {}
    at = 0
    while at < len(data):
        length = re.compile(rb"([0-9]{1,6}) ").match(data, at)
        if not length or int(length[1]) <= len(length[0]) or at + int(length[1]) > len(data):
            raise ValueError("an extended header is malformed")
        key, _, value = data[length.end() : at + int(length[1]) - 1].partition(b"=")
        records[_text(key)] = _text(value)
        at += int(length[1])
    if not re.fullmatch(r"[0-9]{1,12}", records.get("size", "0")):
        raise ValueError("an extended header holds no size where one must be")
    return records


def _check(name: str, kind: str, place: str, names: set[str]) -> None:
    """Refuse what the header of a member already gives away."""
    if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts or "\\" in name or ":" in name:
        raise InputError(
            "the name of this member climbs out of the archive",
            place=place,
            remedy="Do not use this file; ask its publisher for a clean one.",
        )
    if kind == "other":
        raise InputError("the archive holds something that is no plain file", place=place)
    if name in names and kind == "file":
        raise InputError("the archive holds two members of this name", place=place)
    names.add(name)
    if len(names) > MEMBERS_LIMIT:
        raise InputError(f"the archive holds more than {MEMBERS_LIMIT:,} members", place=place)
