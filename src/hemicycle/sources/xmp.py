"""XMP: the metadata that PDF files carry as a piece of XML, and what it says of a work.

The packets are searched for in the bytes, without a PDF library: a metadata stream never stands inside
another, so its dictionary is always legible. It may be deflated, and is then inflated up to a bound. A packet
that is packed in another way, encrypted, cut or too big is one that could not be read, and that is told: it
may hold a reservation.

The trap: a PDF has a packet of its own and may have one for every picture in it. What is said of rights in
any of them counts; title, authors and date are those of the file's own.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lxml import etree

from hemicycle.errors import InputError
from hemicycle.sources.xml import Element, parse, squeeze, words_of

#: Bytes of a file that are searched, of one packet, and packets of a file.
FILE_LIMIT = 256 * 2**20
PACKET_LIMIT = 4 * 2**20
MOST_PACKETS = 100

_MARK = re.compile(rb"/Subtype\s{0,9}/XML\b")
_STREAM = re.compile(rb">>\s{0,9}stream\r?\n")
#: Bytes around the mark of a metadata stream in which its dictionary begins and ends.
_DICTIONARY = 1000
_FILTER = re.compile(rb"/Filter\s*(\[[^\]]*\]|/\w+)")
_DC = "{http://purl.org/dc/elements/1.1/}"
_RIGHTS = "{http://ns.adobe.com/xap/1.0/rights/}"
_PDF = "{http://ns.adobe.com/pdf/1.3/}"
_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"

#: Names in XMP → what is taken of them. Of rights, whatever states some.
_FIELDS = {
    f"{_DC}title": "title",
    f"{_DC}creator": "creator",
    f"{_DC}date": "date",
    f"{_DC}language": "language",
    f"{_DC}format": "format",
    f"{_DC}rights": "rights",
    f"{_RIGHTS}UsageTerms": "rights",
    f"{_RIGHTS}WebStatement": "rights",
    "{http://creativecommons.org/ns#}license": "rights",
    "{http://purl.org/dc/terms/}license": "rights",
}


@dataclass(frozen=True)
class Packets:
    """The packets of a file as trees; `whole` is False where one could not be read."""

    roots: tuple[Element, ...]
    whole: bool

    def own(self) -> Mapping[str, list[str]]:
        """What the file's own packet says, by field: the last that speaks of a PDF, or the only one."""
        told = [fields(root) for root in self.roots]
        own = [said for said in told if "application/pdf" in said.get("format", ())]
        return own[-1] if own else told[0] if len(told) == 1 else {}

    def rights(self) -> list[str]:
        """What is said of rights in any packet, each once."""
        return list(dict.fromkeys(words for root in self.roots for words in fields(root).get("rights", ())))


def packets(data: bytes) -> Packets:
    """The XMP packets in the bytes of a PDF, in their order."""
    roots: list[Element] = []
    whole = len(data) <= FILE_LIMIT
    number = 0
    for number, packet in enumerate(_found(data), 1):
        if number > MOST_PACKETS:
            break
        try:
            roots.append(parse(packet or b"", "XMP"))
        except InputError:
            whole = False
    return Packets(tuple(roots), whole and number <= MOST_PACKETS)


def _found(data: bytes) -> Iterator[bytes | None]:
    """Packets that stand in the open, then those in streams; None for one that is not to be had."""
    at = 0
    while (start := data.find(b"<x:xmpmeta", at, FILE_LIMIT)) >= 0:
        end = data.find(b"</x:xmpmeta>", start, start + PACKET_LIMIT)
        at = end if end >= 0 else start + 1
        yield data[start : end + len(b"</x:xmpmeta>")] if end >= 0 else None
    for mark in _MARK.finditer(data, 0, FILE_LIMIT):
        stream = _STREAM.search(data, mark.end(), mark.end() + _DICTIONARY)
        if stream is None:
            yield None
            continue
        first = max(0, mark.start() - _DICTIONARY)
        head = data[max(data.rfind(b"obj", first, mark.start()), first) : stream.end()]
        body = data[stream.end() : stream.end() + PACKET_LIMIT]
        packed = _FILTER.search(head)
        if packed is None:
            body = body.partition(b"endstream")[0].strip()
            if b"<x:xmpmeta" not in body:
                yield body
        elif re.fullmatch(rb"\[?\s*/(?:FlateDecode|Fl)\s*\]?", packed[1]) and b"/Predictor" not in head:
            yield _inflated(body)
        else:
            yield None


def _inflated(data: bytes) -> bytes | None:
    inflating = zlib.decompressobj()
    try:
        body = inflating.decompress(data, PACKET_LIMIT)
    except zlib.error:
        return None
    return body.strip() if inflating.eof else None


def fields(root: Element) -> dict[str, list[str]]:
    """What a packet says, by field; values stand in elements, in lists, in attributes or as links."""
    said: dict[str, list[str]] = {}
    for element in root.iter(etree.Element):
        for name, value in element.attrib.items():
            if str(name) in _FIELDS:
                said.setdefault(_FIELDS[str(name)], []).append(squeeze(str(value)))
        field = _FIELDS.get(str(element.tag))
        if field is not None:
            items = [words_of(item) for item in element.iter(f"{_RDF}li")]
            values = items or [element.get(f"{_RDF}resource") or words_of(element)]
            said.setdefault(field, []).extend(value for value in values if value)
    return said
