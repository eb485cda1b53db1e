"""Metadata inside EPUB and PDF files, as far as TDMRep has its words there.

An EPUB is a zip whose package file holds `<meta property="tdm:reservation">1</meta>`; a PDF holds XMP
(`hemicycle.sources.xmp`). What cannot be read may hold a reservation: it gives one that cannot be read
either.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib

from lxml import etree

from hemicycle.errors import InputError
from hemicycle.sources.xml import parse, words_of
from hemicycle.sources.xmp import FILE_LIMIT
from hemicycle.sources.xmp import packets as find_packets

#: Bytes of one member of a zip that are read.
MEMBER_LIMIT = 4 * 2**20

#: Stands for the value of what cannot be read.
_UNREADABLE = "(cannot be read)"
_TDM = "{http://www.w3.org/ns/tdmrep#}"
_TERMS = ("reservation", "policy")
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError, NotImplementedError)


def epub_metadata(data: bytes) -> dict[str, str]:
    """`tdm:reservation` and `tdm:policy` of an EPUB's package file, in either of EPUB's two ways."""
    if len(data) > FILE_LIMIT:
        return {"tdm:reservation": _UNREADABLE}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            container = _member(archive, "META-INF/container.xml")
            package = next((e.get("full-path") for e in container.iter("{*}rootfile")), None)
            root = _member(archive, package or "")
    except (InputError, KeyError, *_DAMAGE):
        return {"tdm:reservation": _UNREADABLE}
    found: dict[str, str] = {}
    for meta in root.iter("{*}meta"):
        key = (meta.get("property") or meta.get("name") or "").strip().lower()
        if key.partition(":")[2] in _TERMS and key.startswith("tdm:"):
            _add(found, key, meta.get("content") or words_of(meta))
    return found


def _member(archive: zipfile.ZipFile, name: str) -> etree._Element:
    with archive.open(name) as member:
        content = member.read(MEMBER_LIMIT + 1)
    if len(content) > MEMBER_LIMIT:
        raise ValueError("too big")
    return parse(content, name)


def pdf_metadata(data: bytes) -> dict[str, str]:
    """`tdm:reservation` and `tdm:policy` of the XMP packets of a PDF."""
    found: dict[str, str] = {}
    packets = find_packets(data)
    for root in packets.roots:
        for element in root.iter(etree.Element):
            for name in _TERMS:
                if element.get(_TDM + name) is not None:
                    _add(found, f"tdm:{name}", element.get(_TDM + name) or "")
                if element.tag == _TDM + name:
                    _add(found, f"tdm:{name}", words_of(element))
    if not packets.whole:
        _add(found, "tdm:reservation", _UNREADABLE)
    return found


def _add(found: dict[str, str], key: str, value: str) -> None:
    """Several values are kept, so that the more restrictive can win."""
    value = re.sub(r"\s+", " ", value).strip()
    found[key] = f"{found[key]},{value}" if key in found else value
