"""Small PDF files made by hand: lines of Helvetica, XMP packed or not, a picture, a lock."""

from __future__ import annotations

import hashlib
import zlib

_PADDING = bytes.fromhex("28BF4E5E4E758A4164004E56FFFA01082E2E00B6D0683E802F0CA9FE6453697A")


def made_pdf(
    *pages: list[str],
    xmp: bytes | None = None,
    packed: bool = False,
    title: str = "",
    pictures: frozenset[int] = frozenset(),
    language: str = "",
    locked: bool = False,
) -> bytes:
    """A PDF whose pages hold these lines; those in `pictures` hold a grey square too."""
    objects: list[bytes] = []

    def put(body: bytes) -> int:
        objects.append(body)
        return len(objects)

    def stream(head: bytes, body: bytes) -> bytes:
        return b"<< %s /Length %d >>\nstream\n%s\nendstream" % (head, len(body), body)

    catalog, tree = put(b""), put(b"")
    font = put(b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>")
    picture = put(
        stream(
            b"/Type /XObject /Subtype /Image /Width 1 /Height 1 /ColorSpace /DeviceGray /BitsPerComponent 8",
            b"\x80",
        )
    )
    kids = []
    for number, lines in enumerate(pages):
        shown = b" ".join(b"(%s) Tj T*" % escaped(line) for line in lines)
        drawn = b"BT /F 11 Tf 14 TL 50 780 Td %s ET" % shown
        if number in pictures:
            drawn += b" q 500 0 0 500 50 50 cm /I Do Q"
        content = put(stream(b"", drawn))
        kids.append(
            put(
                b"<< /Type /Page /Parent %d 0 R /MediaBox [0 0 595 842] /Contents %d 0 R /Resources "
                b"<< /Font << /F %d 0 R >> /XObject << /I %d 0 R >> >> >>" % (tree, content, font, picture)
            )
        )
    about = b""
    if xmp is not None:
        head = b"/Type /Metadata /Subtype /XML" + (b" /Filter /FlateDecode" if packed else b"")
        about = b" /Metadata %d 0 R" % put(stream(head, zlib.compress(xmp) if packed else xmp))
    if language:
        about += b" /Lang (%s)" % language.encode()
    objects[catalog - 1] = b"<< /Type /Catalog /Pages %d 0 R%s >>" % (tree, about)
    objects[tree - 1] = b"<< /Type /Pages /Count %d /Kids [%s] >>" % (
        len(kids),
        b" ".join(b"%d 0 R" % kid for kid in kids),
    )
    info = put(b"<< /Title (%s) >>" % escaped(title))
    end = b"/Root %d 0 R /Info %d 0 R" % (catalog, info)
    if locked:
        end += b" /ID [<00><00>] /Encrypt %d 0 R" % put(_lock())
    out, places = bytearray(b"%PDF-1.7\n"), []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<< /Size %d %s >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, end, table)
    return bytes(out)


def escaped(line: str) -> bytes:
    written = line.encode("cp1252")
    for sign in (b"\\", b"(", b")"):
        written = written.replace(sign, b"\\" + sign)
    return written


def _lock() -> bytes:
    """A lock that opens with the empty password and forbids copying (standard handler, revision 2)."""
    owner, rights = b"\x01" * 32, -64
    key = hashlib.md5(_PADDING + owner + rights.to_bytes(4, "little", signed=True) + b"\0").digest()[:5]
    user = _rc4(key, _PADDING)
    return b"<< /Filter /Standard /V 1 /R 2 /P -64 /O <%s> /U <%s> >>" % (
        owner.hex().encode(),
        user.hex().encode(),
    )


def _rc4(key: bytes, data: bytes) -> bytes:
    state, j = list(range(256)), 0
    for i in range(256):
        j = (j + state[i] + key[i % len(key)]) % 256
        state[i], state[j] = state[j], state[i]
    out, i, j = bytearray(), 0, 0
    for byte in data:
        i = (i + 1) % 256
        j = (j + state[i]) % 256
        state[i], state[j] = state[j], state[i]
        out.append(byte ^ state[(state[i] + state[j]) % 256])
    return bytes(out)
