"""XML from outside: parsed without trusting it, and put together again as text with parts.

The traps: an entity can stand for a file or for a gigabyte; an entity that nobody defines vanishes without
a word; a file may declare one encoding and be in another, and be read as noise without an error. Here no
entity is ever expanded, and each of these is refused with the file and the line. One file is read into
memory, so its size is bounded; the parser itself bounds depth (256), text nodes and attributes (10 MB).
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from lxml import etree

from hemicycle.documents import Part
from hemicycle.errors import InputError

Element: TypeAlias = etree._Element

#: Bytes of one XML file. A sitting has half a million; a volume of a big edition some ten million.
FILE_LIMIT = 64 * 2**20

#: White space of XML. Not Python's: a no-break space is a character of French typography and stays.
SPACES = " \t\r\n"

#: Stands for a line break inside a run of words; XML 1.0 allows no such character, so none can collide.
BREAK = "\v"

_PREDEFINED = {"amp", "lt", "gt", "apos", "quot"}
_WIDE_STARTS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, b"\0\0\xfe\xff", b"<\0", b"\0<", b"\0\0\0<")
_SEPARATORS = ("", " ", "\n", "\n\n")


def read_bytes(path: Path, place: str, limit: int = FILE_LIMIT) -> bytes:
    """The bytes of a file of at most `limit`; a bigger one is refused before it is in memory."""
    with path.open("rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise too_big(place, limit)
    return data


def too_big(place: str, limit: int) -> InputError:
    return InputError(
        f"the file is bigger than {limit:,} bytes, the most that is read as one XML file",
        place=place,
        remedy="Split it into its documents.",
    )


def parse(data: bytes, file: str) -> Element:
    """The root element of an XML file.

    Comments and processing instructions are dropped, entities never expanded, nothing is fetched.

    Raises:
        InputError: the bytes are not well-formed XML, are not in the declared encoding, hold NUL bytes,
            declare entities or use undeclared ones; with `file` and the line.
    """
    if b"\0" in data and not data.startswith(_WIDE_STARTS):
        raise InputError(
            "a NUL byte: this is not text",
            place=_at(file, data.count(b"\n", 0, data.index(b"\0")) + 1),
            remedy="The file is damaged or in another format; fetch it again.",
        )
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        if b"<!ENTITY" in data:  # the parser would name a place inside an entity, or a limit of its own
            _check_entities(data.decode("latin-1"), file)
        message = (error.msg or "the file holds nothing").split(", line ")[0].strip()
        raise InputError(
            f"this is not well-formed XML: {message}",
            place=_at(file, error.lineno or 1),
            remedy="Fetch the file again, or leave it out with `exclude` in the source card.",
        ) from None
    info = root.getroottree().docinfo
    _check_encoding(data, info.encoding or "UTF-8", file)
    if info.internalDTD is not None:
        _check_entities(_decoded(data, info.encoding or "UTF-8"), file)
    return root


def _check_encoding(data: bytes, encoding: str, file: str) -> None:
    """Refuse bytes that are UTF-8 but are declared to be in an encoding of one byte a letter.

    Such a file parses without an error, and every accented letter becomes two wrong ones. The reverse
    confusion is already an error of the parser.
    """
    if data.isascii() or encoding.upper().startswith(("UTF", "UCS", "ISO-10646")):
        return
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return
    first = next(i for i, letter in enumerate(text) if ord(letter) > 127)
    raise InputError(
        f"the file says that it is in {encoding}, but its bytes are UTF-8",
        place=_at(file, text.count("\n", 0, first) + 1),
        remedy='Correct its first line to encoding="UTF-8".',
    )


def _decoded(data: bytes, encoding: str) -> str:
    """The characters of a file; its markup at least, where Python does not know the parser's encoding."""
    try:
        return data.decode(encoding, "replace")
    except LookupError:
        return data.decode("latin-1")


def _check_entities(text: str, file: str) -> None:
    """Refuse a document type that declares entities, and references that only a DTD could explain."""
    declared = re.search(r"<!ENTITY\b", text)
    used = (m for m in re.finditer(r"&([^#;\s<&]{1,80});", text) if m[1] not in _PREDEFINED)
    found = declared or next(used, None)
    if found is None:
        return
    what = (
        "the file declares entities" if declared else f"the entity {found[0]} is defined nowhere in the file"
    )
    raise InputError(
        f"{what}, and none is ever expanded",
        place=_at(file, text.count("\n", 0, found.start()) + 1),
        remedy="Replace its entities by the characters they stand for.",
    )


def _at(file: str, line: int) -> str:
    return f"{file}, line {line}"


def place_of(element: Element, file: str) -> str:
    """The file and the line an element stands on."""
    line = element.sourceline
    return _at(file, line if isinstance(line, int) else 1)


def name_of(element: Element) -> str:
    """The name of an element without its namespace."""
    return str(element.tag).rpartition("}")[2]


def squeeze(text: str | None) -> str:
    """One line: runs of XML white space become one space, and none stays at the ends."""
    return re.sub(f"[{SPACES}]+", " ", text or "").strip(SPACES)


def words_of(element: Element | None) -> str:
    """All the words inside an element as one line; empty where there is no element."""
    return "" if element is None else squeeze("".join(map(str, element.itertext())))


class Mark:
    """Where a part began, as soon as its first word is there."""

    start: int | None = None


class Assembly:
    """A text under way, with the parts that point into it.

    Words are added as they come. Between them stands the widest separator that was asked for since the
    last word (nothing, space, line, blank line), so that no part ever begins or ends with white space.
    """

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._length = 0
        self._gap = 0
        self._waiting: list[Mark] = []
        self._parts: list[tuple[int, int, int, Part]] = []
        self._opened = 0

    @property
    def ending(self) -> str:
        """The last words, when the next ones would follow them without a separator."""
        return self._pieces[-1] if self._pieces and not self._gap else ""

    def separate(self, separator: str) -> None:
        """Ask for a separator (one of nothing, space, newline, two newlines) before the next word."""
        self._gap = max(self._gap, _SEPARATORS.index(separator))

    def add(self, text: str) -> None:
        """Add words. White space is squeezed; `BREAK` is a line break."""
        for number, line in enumerate(text.split(BREAK)):
            if number:
                self.separate("\n")
            if not line:
                continue
            words = squeeze(line)
            if self._gap > 1 or not self._length:
                words = words.lstrip()
            if line[0] in SPACES:
                self.separate(" ")
            if words:
                self._emit(words)
                if line[-1] in SPACES:
                    self.separate(" ")

    def _emit(self, words: str) -> None:
        separator = _SEPARATORS[self._gap] if self._length else ""
        self._gap = 0
        start = self._length + len(separator)
        for mark in self._waiting:
            mark.start = start
        self._waiting.clear()
        self._pieces += (separator, words)
        self._length = start + len(words)

    @contextmanager
    def part(self, part: Part) -> Iterator[None]:
        """Make a part of the words that are added inside the context; without words, no part.

        Args:
            part: what is known of it; its offsets are filled in.
        """
        mark, order = Mark(), self._opened
        self._opened += 1
        self._waiting.append(mark)
        yield
        if mark.start is None:
            self._waiting.remove(mark)
            return
        placed = replace(part, start=mark.start, end=self._length)
        self._parts.append((placed.start, -placed.end, order, placed))

    def finish(self) -> tuple[str, tuple[Part, ...]]:
        """The text and its parts in the order of the text, the outer before the inner."""
        return "".join(self._pieces), tuple(p for *_, p in sorted(self._parts, key=lambda entry: entry[:3]))
