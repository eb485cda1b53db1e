"""WARC files: what a crawl stored, record after record (ISO 28500, versions 1.0 and 1.1).

Read without trust: a header without end, a block shorter than its length, a gzip that is cut or inflates
without end are refused with the file and the offset of the record, and no more than one record is ever in
memory. That is why they are read here and not by a library, none of which bounds a line. Written so that
equal answers at equal times give equal bytes.
"""

from __future__ import annotations

import base64
import hashlib
import re
import uuid
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from hemicycle import __version__
from hemicycle.errors import InputError
from hemicycle.sources.unpack import BODY_LIMIT, unpacked

SUFFIXES = (".warc", ".warc.gz")
_PIECE = 2**16
_LONGEST_HEAD = 2**17
#: Bytes of one written file before the next is begun.
FILE_BYTES = 2**30

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Record:
    """One record, and of a response what HTTP says.

    Attributes:
        place: file and offset, for messages.
        number: of the record in its file, from 0.
        kind: ``response``, ``request``, ``warcinfo`` …
        url: that it is about; empty where it is about none.
        date: when it was recorded, in UTC; None where the record does not say.
        length: bytes of the block, the HTTP head apart.
        status: of an HTTP response; None for all others.
        headers: of the HTTP response.
        body: as it was stored; as many bytes of it as were asked for.
        truncated: whether the body is only the beginning, here or already in the file.
    """

    place: str
    number: int
    kind: str
    url: str
    date: datetime | None
    length: int
    status: int | None = None
    headers: Pairs = ()
    body: bytes = field(default=b"", repr=False)
    truncated: bool = False

    def header(self, name: str) -> str:
        """The first value of an HTTP header, or nothing."""
        return next((v for k, v in self.headers if k.lower() == name), "")

    def content(self, limit: int = BODY_LIMIT) -> bytes:
        """The body with its transfer and content encodings undone; InputError where that cannot be done."""
        return unpacked(self.body, self.headers, self.place, limit)


def read_warc(path: Path, place: str, wanted: Callable[[Record], int]) -> Iterator[Record]:
    """Yield every record of a file, with as much of its body as `wanted`, asked with all else, says in bytes.

    Raises:
        InputError: the file is cut or damaged.
    """
    with path.open("rb") as file:
        stream = _Stream(file, place)
        number = 0
        while (head := _head(stream, b"WARC/1.")) is not None:
            yield _record(stream, head[1], f"{place}, offset {stream.record}", number, wanted)
            number += 1
        if not number:
            raise InputError("the file holds no WARC record", place=place)


def _record(
    stream: _Stream, headers: Pairs, place: str, number: int, wanted: Callable[[Record], int]
) -> Record:
    of = {name.lower(): value for name, value in reversed(headers)}
    length = of.get("content-length", "")
    if not re.fullmatch(r"[0-9]{1,15}", length):
        raise InputError(f"the record has no length (Content-Length is “{length}”)", place=place)
    left = int(length)
    record = Record(
        place,
        number,
        of.get("warc-type", "").lower(),
        of.get("warc-target-uri", "").strip("<> "),
        _date(of.get("warc-date", "")),
        left,
        truncated="warc-truncated" in of,
    )
    if record.kind == "response" and of.get("content-type", "").lower().startswith("application/http"):
        stream.limit = left
        head = _head(stream, b"HTTP/")
        left = stream.limit
        stream.limit = None
        if head is not None:
            status = re.match(r"HTTP/[0-9.]{1,5} +([0-9]{3})\b", head[0])
            record = replace(record, status=int(status[1]) if status else None, headers=head[1], length=left)
    held = min(wanted(record), left)
    body = stream.read(held, place)
    stream.skip(left - held, place)
    return replace(record, body=body, truncated=record.truncated or 0 < held < left)


def _date(written: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(written.strip())
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _head(stream: _Stream, start: bytes) -> tuple[str, Pairs] | None:
    """A first line and headers; None at the end of the stream, or where HTTP has no head."""
    line = stream.line()
    while line is not None and not line.strip() and stream.limit is None:
        line = stream.line()
    if line is None:
        return None
    if stream.limit is None:
        stream.record = stream.offset
    if not line.startswith(start):
        if stream.limit is not None:
            return line.decode("latin-1").strip(), ()
        raise InputError(
            "no WARC record begins here",
            place=f"{stream.place}, offset {stream.record}",
            remedy="The file is damaged or of another kind; fetch it again.",
        )
    first, size = _text(line), len(line)
    headers: list[tuple[str, str]] = []
    while (line := stream.line()) is not None and line.strip():
        size += len(line)
        if size > _LONGEST_HEAD:
            raise stream.error(f"the headers of the record are longer than {_LONGEST_HEAD} bytes")
        if line[:1] in b" \t" and headers:
            headers[-1] = (headers[-1][0], f"{headers[-1][1]} {_text(line)}")
        else:
            name, colon, value = _text(line).partition(":")
            if colon:
                headers.append((name.strip(), value.strip()))
    if line is None and stream.limit is None:
        raise stream.error("the file ends inside the headers of a record")
    return first, tuple(headers)


def _text(line: bytes) -> str:
    try:
        return line.decode("utf-8").strip()
    except UnicodeDecodeError:
        return line.decode("latin-1").strip()


class _Stream:
    """The bytes of a file, inflated where it is packed, with the offset of what is read.

    Attributes:
        limit: while it is a number, no more bytes than that are given.
        record: where the record under way begins.
    """

    def __init__(self, file: BinaryIO, place: str) -> None:
        self.file, self.place = file, place
        self.limit: int | None = None
        self.packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        self.record = 0
        self._buffer = bytearray()
        self._given = 0
        self._member = 0
        self._engine: zlib._Decompress | None = None
        self._input = b""
        self._line_at = 0

    @property
    def offset(self) -> int:
        """Of the last line read, in the file; in a packed one, of the gzip member it stands in."""
        return self._member if self.packed else self._line_at

    def error(self, what: str) -> InputError:
        return InputError(
            what,
            place=f"{self.place}, offset {self.record}",
            remedy="The file is damaged or was cut; fetch it again.",
        )

    def line(self) -> bytes | None:
        """The next line with its end; None at the end."""
        if self.limit == 0:
            return None
        start = 0
        while (end := self._buffer.find(b"\n", start)) < 0 and self._room(len(self._buffer)):
            start = len(self._buffer)
            if start > _LONGEST_HEAD:
                raise self.error(f"a line of the headers is longer than {_LONGEST_HEAD} bytes")
            if not self._more():
                break
        self._line_at = self._given
        taken = self._take(end + 1 if end >= 0 else len(self._buffer))
        return taken or None

    def read(self, size: int, place: str) -> bytes:
        pieces = []
        while size:
            if not self._buffer and not self._more():
                raise self._cut(place, size)
            piece = self._take(min(size, len(self._buffer)))
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    def skip(self, size: int, place: str) -> None:
        while size:
            if not self._buffer and not self._more():
                raise self._cut(place, size)
            size -= len(self._take(min(size, len(self._buffer))))

    @staticmethod
    def _cut(place: str, size: int) -> InputError:
        return InputError(
            f"the file ends {size} bytes before the end of this record",
            place=place,
            remedy="The file was cut; fetch it again.",
        )

    def _room(self, have: int) -> bool:
        return self.limit is None or have < self.limit

    def _take(self, size: int) -> bytes:
        if self.limit is not None:
            size = min(size, self.limit)
            self.limit -= size
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        self._given += size
        return taken

    def _more(self) -> bool:
        """Bring bytes into the buffer; False at the end of the file."""
        if not self.packed:
            piece = self.file.read(_PIECE)
            self._buffer += piece
            return bool(piece)
        while True:
            if self._engine is None and not self._begin():
                return False
            piece = self._inflate()
            if piece:
                self._buffer += piece
                return True

    def _begin(self) -> bool:
        """Begin the next member of a gzip file; zeros that pad it are passed over."""
        self._input = self._input.lstrip(b"\0")
        while not self._input:
            piece = self.file.read(_PIECE)
            if not piece:
                return False
            self._input = piece.lstrip(b"\0")
        self._member = self.file.tell() - len(self._input)
        self._engine = zlib.decompressobj(16 + zlib.MAX_WBITS)
        return True

    def _inflate(self) -> bytes:
        assert self._engine is not None
        if not self._input:
            self._input = self.file.read(_PIECE)
        ended = not self._input
        try:
            piece = self._engine.decompress(self._input, _PIECE)
        except zlib.error as error:
            raise self.error(f"the gzip is damaged ({error})") from None
        self._input = self._engine.unconsumed_tail
        if self._engine.eof:
            self._input, self._engine = self._engine.unused_data, None
        elif ended and not piece:
            raise self.error("the gzip ends in the middle")
        return piece


# Writing


class WarcWriter:
    """Writes records into `STEM-00000.warc.gz` and its successors in a folder."""

    def __init__(self, folder: Path, stem: str, *, file_bytes: int = FILE_BYTES) -> None:
        self.folder, self.stem, self.file_bytes = folder, stem, file_bytes
        self.names: list[str] = []
        self._file: BinaryIO | None = None

    def __enter__(self) -> WarcWriter:
        self.folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *error: object) -> None:
        if self._file is not None:
            self._file.close()

    def response(self, url: str, on: datetime, head: bytes, body: bytes, *, truncated: bool) -> None:
        """An answer: its status line and headers with the empty line, and its body as it came."""
        extra = {"WARC-Payload-Digest": _digest(body)} | ({"WARC-Truncated": "length"} if truncated else {})
        self.add("response", url, on, "application/http; msgtype=response", head + body, extra)

    def request(self, url: str, on: datetime, head: bytes) -> None:
        self.add("request", url, on, "application/http; msgtype=request", head, {})

    def note(self, url: str, on: datetime, outcome: str) -> None:
        """What happened to an address that has no answer."""
        block = f"outcome: {' '.join(outcome.split())}\r\n".encode("utf-8", "replace")
        self.add("metadata", url, on, "application/warc-fields", block, {})

    def add(
        self, kind: str, url: str, on: datetime, content_type: str, block: bytes, extra: dict[str, str]
    ) -> None:
        """One record, packed by itself, so that it can be read alone."""
        if self._file is None or self._file.tell() > self.file_bytes:
            self._next(on)
        date = on.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        name = f"{kind} {date} {url} {hashlib.sha256(block).hexdigest()}"
        lines = {
            "WARC-Type": kind,
            "WARC-Record-ID": f"<urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, name)}>",
            "WARC-Date": date,
            **({"WARC-Target-URI": url} if url else {}),
            **extra,
            "WARC-Block-Digest": _digest(block),
            "Content-Type": content_type,
            "Content-Length": str(len(block)),
        }
        head = "WARC/1.1\r\n" + "".join(f"{key}: {value}\r\n" for key, value in lines.items()) + "\r\n"
        packer = zlib.compressobj(6, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
        assert self._file is not None
        self._file.write(packer.compress(head.encode("utf-8", "replace")))
        self._file.write(packer.compress(block + b"\r\n\r\n"))
        self._file.write(packer.flush())

    def _next(self, on: datetime) -> None:
        if self._file is not None:
            self._file.close()
        name = f"{self.stem}-{len(self.names):05}.warc.gz"
        self._file = (self.folder / name).open("wb")
        self.names.append(name)
        info = f"software: hemicycle/{__version__}\r\nformat: WARC File Format 1.1\r\n".encode()
        self.add("warcinfo", "", on, "application/warc-fields", info, {"WARC-Filename": name})


def _digest(data: bytes) -> str:
    return f"sha256:{base64.b32encode(hashlib.sha256(data).digest()).decode()}"
