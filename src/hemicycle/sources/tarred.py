"""The members of a tar, one after the other, read where they stand: plain, or packed with gzip, bzip2 or xz.

A dump may be larger than memory and disk, so nothing is unpacked: a member is a stream, to be read before
the next one comes, and what nobody reads is passed over. The standard library's reader follows offsets
backwards, takes a damaged header for the end, and reads an extended header of any size; so the headers
(ustar, pax, GNU's long names) are read here, once, forwards.

The traps: a few kilobytes may inflate without end, so what comes out is counted against what went in; a
header may claim a name of gigabytes; a sparse member is a hole of any size; an archive that was cut off may
end where a member ends; a ``.taz`` may have been made by `compress`, whose format (``.Z``) Python does not
read. Names that climb out of the folder, links and devices are refused although nothing is written: no
publisher of texts makes such an archive.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import posixpath
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Literal, Protocol

from hemicycle.errors import InputError
from hemicycle.sources.xml import FILE_LIMIT
from hemicycle.sources.zipped import XmlFile

#: How an archive may be called. What it is packed with is told by its first bytes.
SUFFIXES = (".tar", ".tar.gz", ".tgz", ".taz", ".tar.bz2", ".tar.xz")

#: Text packs to a tenth, repeated markup to a fiftieth; the first bytes are free.
RATIO_LIMIT = 200
RATIO_FREE_BYTES = 1_000_000

#: Members of one archive. LEGI has 1.5 million.
MAX_MEMBERS = 8_000_000

#: Bounds on an archive whose files are held in memory together, and how deep a tar may stand in a tar.
HELD_BYTES = 512 * 2**20
HELD_MEMBERS = 100_000
DEPTH_LIMIT = 2

#: Bytes of an extended header: a long name and a few attributes.
HEADER_LIMIT = 2**20

#: Memory that an xz stream may ask for.
XZ_MEMORY = 256 * 2**20

_BLOCK = 512
_PIECE = 2**18
_DAMAGE = (EOFError, OSError, ValueError, zlib.error, lzma.LZMAError)
_CLEAN_ONE = "Do not use this file; ask its publisher for a clean one."

#: Kinds by the type flag. Old archives write a folder as a file whose name ends in a stroke.
_KINDS: dict[bytes, Kind] = {
    b"0": "file",
    b"\0": "file",
    b"7": "file",
    b"1": "hard link",
    b"2": "link",
    b"5": "folder",
}
#: Type flags without data, whatever their size says; and those that describe the next member.
_NO_DATA = b"123456"
_LONG_NAME, _LONG_TARGET, _SPARSE = b"L", b"K", b"S"
_EXTENDED = (_LONG_NAME, _LONG_TARGET, b"x", b"X", b"g")

Kind = Literal["file", "folder", "link", "hard link", "other"]


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Member:
    """One entry of the archive; its bytes are to be read before the next is asked for.

    Attributes:
        name: as the archive writes it; of `tar_members` in its plain form.
        place: how messages name it.
        target: where a link leads, as the archive writes it.
    """

    def __init__(self, name: str, kind: Kind, size: int, target: str, place: str, stream: _Forwards) -> None:
        self.name, self.kind, self.size, self.target, self.place = name, kind, size, target, place
        self._body = _Body(stream, size)
        self._file = io.BufferedReader(self._body)

    def readline(self, bound: int) -> bytes:
        """The next line, or its first `bound` bytes; empty at the end."""
        return self._file.readline(bound)

    def read(self, limit: int = FILE_LIMIT) -> bytes:
        """The whole member. Raises InputError where it is bigger than `limit`."""
        if self.size > limit:
            raise InputError(
                f"the file is bigger than {limit:,} bytes, the most that is read as one", place=self.place
            )
        return self._file.read()

    def stream(self) -> BinaryIO:
        """The member as a file that is read forwards."""
        return self._file

    def _leave(self) -> None:
        self._body.pass_over()
        self._file.close()


def is_archive(path: Path) -> bool:
    """Whether a file is a tar archive by its name."""
    return path.name.lower().endswith(SUFFIXES)


def tar_members(path: Path, place: str) -> Iterator[Member]:
    """The files of an archive, in the order they stand in.

    Args:
        place: how messages name the archive.

    Raises:
        InputError: no tar archive, damaged, cut short or hostile, packed in a way that is not read, or with
            anything in it but files and folders.
    """
    with path.open("rb") as raw:
        yield from members_of_stream(_unpacked(raw, place), place, consumed=raw.tell)


def members_of_stream(
    stream: Readable,
    place: str,
    *,
    consumed: Callable[[], int] | None,
    total: int | None = None,
    most: int = MAX_MEMBERS,
) -> Iterator[Member]:
    """The files of a tar that is a stream of bytes.

    Args:
        consumed: how many packed bytes have been read so far; None where nothing is packed.
        total: bytes that the whole may unpack to.
        most: members that it may have.
    """
    for member in entries(stream, place, consumed=consumed, total=total, most=most):
        if _climbs_out(member.name):
            raise InputError(
                f"the name “{member.name[:200]}” climbs out of the archive, or is none",
                place=place,
                remedy=_CLEAN_ONE,
            )
        if member.kind == "file":
            member.name = posixpath.normpath(member.name)
            member.place = f"{place}#{member.name}"
            yield member
        elif member.kind != "folder":
            raise InputError(
                "the member is neither a file nor a folder", place=member.place, remedy=_CLEAN_ONE
            )


def tar_files(
    path: Path, origin: str, wanted: Callable[[str], bool] = lambda name: True, limit: int = FILE_LIMIT
) -> list[XmlFile]:
    """The wanted files of an archive in the order of their names, all in memory; also those of tars inside
    it, as ``inner.tar/name``.

    Args:
        origin: how messages name the archive.
        wanted: asked with the name of each file.
        limit: bytes of one file.

    Raises:
        InputError: as `tar_members`; or two members of one name.
    """
    names: set[str] = set()
    found: list[XmlFile] = []

    def take(members: Iterator[Member], inside: str, depth: int) -> None:
        for member in members:
            name = f"{inside}{member.name}"
            if name in names:
                raise InputError("the archive holds two members of this name", place=f"{origin}#{name}")
            names.add(name)
            if len(names) > HELD_MEMBERS:
                raise InputError(f"the archive holds more than {HELD_MEMBERS:,} members", place=origin)
            if not name.lower().endswith(".tar"):
                if wanted(name):
                    found.append(XmlFile(origin, member.read(limit), name))
            elif depth == DEPTH_LIMIT:
                raise InputError("tar archives stand too deep in each other", place=f"{origin}#{name}")
            else:
                inner = members_of_stream(member.stream(), f"{origin}#{name}", consumed=None)
                take(inner, f"{name}/", depth + 1)

    with path.open("rb") as raw:
        stream = _unpacked(raw, origin)
        take(members_of_stream(stream, origin, consumed=raw.tell, total=HELD_BYTES), "", 1)
    return sorted(found, key=lambda file: file.member or "")


def entries(
    stream: Readable, place: str, *, consumed: Callable[[], int] | None, total: int | None, most: int
) -> Iterator[Member]:
    """Every entry of a tar, links and devices too, with names nobody has checked.

    The arguments are those of `members_of_stream`.
    """
    forwards = _Forwards(stream, place, consumed, total)
    count = 0
    said: dict[str, str] = {}
    while (block := forwards.exactly(_BLOCK, "its end mark")).strip(b"\0"):
        flag, size = block[156:157], _checked_size(block, place)
        if flag == _SPARSE:
            raise InputError("the archive holds a sparse file: this is no text", place=place)
        if flag in _EXTENDED:
            if size > HEADER_LIMIT:
                raise InputError(
                    f"a header of the archive claims {size:,} bytes: an endless name",
                    place=place,
                    remedy=_CLEAN_ONE,
                )
            data = forwards.exactly(size, "the end of a header")
            forwards.skip(-size % _BLOCK)
            said.update(_extended(flag, data, place))
            continue
        count += 1
        if count > most:
            raise InputError(f"the archive holds more than {most:,} members", place=place)
        member = _member(block, flag, size, said, place, forwards)
        said = {}
        yield member
        member._leave()
    forwards.expect_padding()


def _member(
    block: bytes, flag: bytes, size: int, said: dict[str, str], place: str, stream: _Forwards
) -> Member:
    name = _text(block[:100])
    if block[257:262] == b"ustar" and block[257:264] != b"ustar  " and block[345:500].strip(b"\0"):
        name = f"{_text(block[345:500])}/{name}"
    name = said.get("path", name)
    kind = _KINDS.get(flag, "other")
    if flag == b"\0" and name.endswith("/"):
        kind = "folder"
    if "sparse" in said:
        kind = "other"
    size = 0 if flag in _NO_DATA else int(said.get("size", size))
    return Member(name, kind, size, said.get("linkpath", _text(block[157:257])), f"{place}#{name}", stream)


def _checked_size(block: bytes, place: str) -> int:
    """The size that a header states. Raises InputError where it is no header by its own sum."""
    stated, size = _number(block[148:156]), _number(block[124:136])
    letters = block[:148] + b" " * 8 + block[156:]
    # Some old archives took the bytes for signed ones.
    if stated != sum(letters) and stated != sum(letters) - 256 * sum(byte > 127 for byte in letters):
        raise _damaged(place, "an entry has no proper header; it may be no tar archive")
    if size is None:
        raise _damaged(place, "a header holds no number where one must be")
    return size


def _number(field: bytes) -> int | None:
    """A number of a header, in octal digits or, where it is too big for them, in bytes; None if neither."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    digits = field.partition(b"\0")[0].strip(b" ")
    return int(digits or b"0", 8) if re.fullmatch(rb"[0-7]{0,12}", digits) else None


def _extended(flag: bytes, data: bytes, place: str) -> dict[str, str]:
    """What an extended header says of the next member's path, size and link."""
    if flag == _LONG_NAME:
        return {"path": _text(data)}
    if flag == _LONG_TARGET:
        return {"linkpath": _text(data)}
    return {} if flag == b"g" else _pax(data, place)


def _pax(data: bytes, place: str) -> dict[str, str]:
    """The records of an extended header: “LENGTH KEY=VALUE” and a line end, LENGTH counting it all."""
    records: dict[str, str] = {}
    start = re.compile(rb"([0-9]{1,7}) ")
    at = 0
    while at < len(data):
        length = start.match(data, at)
        if not length or int(length[1]) <= len(length[0]) or at + int(length[1]) > len(data):
            raise _damaged(place, "an extended header is malformed")
        key, _, value = data[length.end() : at + int(length[1]) - 1].partition(b"=")
        if key in (b"path", b"linkpath", b"size"):
            records[key.decode()] = _text(value)
        elif key.startswith(b"GNU.sparse"):
            records["sparse"] = "yes"
        at += int(length[1])
    if not re.fullmatch(r"[0-9]{1,15}", records.get("size", "0"), re.ASCII):
        raise _damaged(place, "an extended header holds no size where one must be")
    return records


def _text(field: bytes) -> str:
    raw = field.partition(b"\0")[0]
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _climbs_out(name: str) -> bool:
    return (
        not name
        or name.startswith("/")
        or ".." in name.split("/")
        or re.match(r"[A-Za-z]:", name) is not None
        or re.search(r"[\\\x00-\x1f\x7f-\x9f]", name) is not None
    )


def _unpacked(raw: BinaryIO, place: str) -> Readable:
    """The bytes of the tar, by what its first bytes say it is packed with."""
    start = raw.read(10)
    raw.seek(0)
    if start.startswith(b"\x1f\x9d"):
        raise InputError(
            "the archive was made by `compress` (format .Z), which is not read here",
            place=place,
            remedy="Rename it to end in .Z, unpack it with `uncompress` or `gzip -d`, which know the format, "
            "and give the source the .tar.",
        )
    if start.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=raw)
    if start.startswith(b"BZh") and start[4:10] in (b"1AY&SY", b"\x17rE8P\x90"):
        return bz2.BZ2File(raw)
    return Xz(raw) if start.startswith(b"\xfd7zXZ") else raw


class Xz:
    """A stream of xz, unpacked with a bound on memory, which `lzma.LZMAFile` cannot set."""

    def __init__(self, packed: Readable) -> None:
        self._packed = packed
        self._unpacker = lzma.LZMADecompressor(memlimit=XZ_MEMORY)

    def read(self, size: int, /) -> bytes:
        while True:
            if self._unpacker.eof:
                rest = self._unpacker.unused_data or self._packed.read(_PIECE)
                if not rest.strip(b"\0"):
                    return b""
                self._unpacker = lzma.LZMADecompressor(memlimit=XZ_MEMORY)
            else:
                rest = self._packed.read(_PIECE) if self._unpacker.needs_input else b""
                if not rest and self._unpacker.needs_input:
                    raise EOFError("the compressed data end too early")
            if data := self._unpacker.decompress(rest, size):
                return data


class _Forwards:
    """The unpacked bytes, counted as they come; whatever the formats below complain of, the archive is at
    fault."""

    def __init__(
        self, inner: Readable, place: str, consumed: Callable[[], int] | None, total: int | None
    ) -> None:
        self._inner, self._place, self._consumed, self._total = inner, place, consumed, total
        self._out = 0

    def piece(self, size: int) -> bytes:
        """At most `size` bytes; empty at the end."""
        try:
            data = self._inner.read(min(size, _PIECE))
        except _DAMAGE as error:
            raise _damaged(self._place, str(error)[:200] or type(error).__name__) from None
        self._out += len(data)
        if self._total is not None and self._out > self._total:
            raise InputError(
                f"the archive unpacks to more than {self._total:,} bytes",
                place=self._place,
                remedy=_CLEAN_ONE,
            )
        if self._consumed and self._out > RATIO_FREE_BYTES + RATIO_LIMIT * self._consumed():
            raise InputError(
                f"the archive unpacks to more than {RATIO_LIMIT} times its size: this is no text",
                place=self._place,
                remedy=_CLEAN_ONE,
            )
        return data

    def exactly(self, size: int, what: str) -> bytes:
        """`size` bytes; refused where they are not there, since the archive ends before `what`."""
        pieces, missing = [], size
        while missing:
            data = self.piece(missing)
            if not data:
                raise _damaged(self._place, f"it ends before {what}")
            pieces.append(data)
            missing -= len(data)
        return b"".join(pieces)

    def skip(self, size: int) -> None:
        while size:
            size -= len(self.exactly(min(size, _PIECE), "the end of a file"))

    def expect_padding(self) -> None:
        """Read what is left, so that checksums are compared; only zeros may stand there."""
        while data := self.piece(_PIECE):
            if data.strip(b"\0"):
                raise _damaged(self._place, "something stands behind its end mark")


class _Body(io.RawIOBase):
    """The bytes of one member, as they come off the stream."""

    def __init__(self, stream: _Forwards, size: int) -> None:
        self._stream, self._left, self._padding = stream, size, -size % _BLOCK

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        wanted = min(len(buffer), self._left)
        data = self._stream.exactly(wanted, "the end of a file")
        buffer[: len(data)] = data
        self._left -= len(data)
        return len(data)

    def readall(self) -> bytes:
        data = self._stream.exactly(self._left, "the end of a file")
        self._left = 0
        return data

    def pass_over(self) -> None:
        self._stream.skip(self._left + self._padding)
        self._left = self._padding = 0


def _damaged(place: str, what: str) -> InputError:
    return InputError(
        f"the archive is damaged or cut short: {what}",
        place=place,
        remedy="Fetch it again and compare its digest.",
    )
