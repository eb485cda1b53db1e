"""Plain text and Markdown: one file, one document.

The trap is encoding. A file that is not UTF-8 is refused with the byte where it stops being so, never
guessed: a wrong guess turns every accent of a French text into noise that no later room can tell from
the author's own. Files are checked piece by piece, so a refusal costs no more memory than what was read.

A Markdown file may begin with a simple header (`key: value` between two lines of `---`), from which the
title, the date, the authors, the language, the licence and a reservation of all rights are taken. It is read
without a YAML library: a header that needs one is left in the text, unless a line of it seems to state a
licence. Then the file is refused: a statement passed over would let a more generous one, the card's, stand
in its place.
"""

from __future__ import annotations

import codecs
import datetime
import io
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hemicycle.documents import Author, Document, StatedLicence
from hemicycle.errors import InputError
from hemicycle.project import Card
from hemicycle.sources import selected_files

#: A longer file is refused: one document must fit in memory, some twenty-five times over in later rooms.
MAX_FILE_BYTES = 64 * 2**20
PIECE_BYTES = 2**20
MARKDOWN = (".md", ".markdown")
PLAIN = (".txt", ".text")
#: A header longer than this is prose that happens to begin with a rule.
MAX_HEADER_LINES = 200

LICENCE_KEYS = ("license", "licence", "licenses", "licences")
#: Keys under which rights may be reserved; whatever else stands there states no licence and refuses none.
RIGHTS_KEYS = ("copyright", "rights", "right", "droits", "droit")
RESERVED = "LicenseRef-all-rights-reserved"
#: “Some rights reserved” and “no rights reserved” are others' words for licences, and must not be met.
_RESERVED = re.compile(
    r"\ball\s+rights?\b[^.;]{0,80}?\breserved\b|^\W*rights?\s+reserved\b"
    r"|\b(?:tous|tout)\s+(?:les\s+)?droits?\b[^.;]{0,120}?\bréserv|^\W*droits?\s+réserv",
    re.IGNORECASE,
)
_RIGHTS_LINE = re.compile(
    rf"(?:^|[{{,])\s*(?:[-?]\s+)*[\"']?({'|'.join(RIGHTS_KEYS)})[\"']?\s*:\s*(.*)", re.IGNORECASE
)
#: A line that gives a licence under its own key, at any depth, also inside braces.
_LICENCE_LINE = re.compile(r"(?:^|[{,])\s*(?:[-?]\s+)*[\"']?licen[sc]es?[\"']?\s*:", re.IGNORECASE)
_HEADER_START = re.compile(r"---[ \t]*\n")


@dataclass(frozen=True)
class Header:
    """A file's header: values by lower-case key, the line of each key, and the text after it.

    `unread_licence` is the first line that states something of a licence and went into no value: a key in a
    nested table, a list of tables, a second line of text. `reserved` is the first line that reserves all
    rights.
    """

    values: dict[str, tuple[str, ...]]
    lines: dict[str, int]
    body: str
    unread_licence: int | None = None
    reserved: int | None = None

    def one(self, *keys: str) -> str | None:
        """The first value of the first of `keys` that has one."""
        return next((self.values[k][0] for k in keys if self.values.get(k)), None)

    def all(self, *keys: str) -> tuple[str, ...]:
        """The values of all of `keys`, each once."""
        return tuple(dict.fromkeys(value for k in keys for value in self.values.get(k, ())))

    def line(self, *keys: str) -> int:
        return next(self.lines[k] for k in keys if self.values.get(k))


def read(folder: Path, card: Card) -> Iterator[Document]:
    """Yield one document a file, in the order of their paths.

    Raises:
        InputError: a file is not UTF-8, holds a NUL byte, exceeds `MAX_FILE_BYTES`, is of another kind, or
            has a header with a licence that cannot be read.
    """
    for path in selected_files(folder, card):
        origin = path.relative_to(folder).as_posix()
        suffix = path.suffix.lower()
        if suffix not in PLAIN + MARKDOWN:
            raise InputError(
                f"this is not a text file by its name (known: {', '.join(PLAIN + MARKDOWN)})",
                place=origin,
                remedy='Leave it out in the card, for example with include = ["**/*.txt", "**/*.md"].',
            )
        text = read_utf8(path, origin)
        yield _markdown(origin, text) if suffix in MARKDOWN else Document(origin=origin, text=text)


def read_utf8(path: Path, place: str, *, max_bytes: int = MAX_FILE_BYTES) -> str:
    """The text of a UTF-8 file, without its byte order mark, every line end as ``\\n``.

    Raises:
        InputError: with the byte (from 0) and the line (from 1) of what cannot be read.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    pieces: list[str] = []
    offset, line = 0, 1
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            if offset + len(piece) > max_bytes:
                raise InputError(
                    f"the file is larger than {max_bytes // 2**20} MiB, the most one document may have",
                    place=place,
                    remedy="Split it into several files, or give it as JSON Lines, one document a line.",
                )
            if (nul := piece.find(b"\0")) >= 0:
                line += piece.count(b"\n", 0, nul)
                raise InputError(
                    f"byte {offset + nul} is NUL: this is not a text file, or it is UTF-16",
                    place=f"{place}, line {line}",
                    remedy="Save it as UTF-8, or leave it out with `exclude` in the card.",
                )
            pieces.append(_decode(decoder, piece, offset, line, place))
            offset += len(piece)
            line += piece.count(b"\n")
    pieces.append(_decode(decoder, b"", offset, line, place))
    text = "".join(pieces)
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.removeprefix("\ufeff")


def _decode(decoder: codecs.IncrementalDecoder, piece: bytes, offset: int, line: int, place: str) -> str:
    pending = decoder.getstate()[0]
    try:
        return decoder.decode(piece, final=not piece)
    except UnicodeDecodeError as error:
        bad = (pending + piece)[error.start]
        found = line + (pending + piece).count(b"\n", 0, error.start)
        raise InputError(
            f"byte {offset - len(pending) + error.start} (0x{bad:02x}) is not UTF-8",
            place=f"{place}, line {found}",
            remedy="Find out its encoding and convert it: `iconv -f ISO-8859-1 -t UTF-8`, for example.",
        ) from None


def _markdown(origin: str, text: str) -> Document:
    header = front_matter(text)
    unread = _licence_line(text) if header is None else header.unread_licence
    if unread is not None:
        raise InputError(
            "the header seems to state a licence here, in a form that cannot be read",
            place=f"{origin}, line {unread}",
            remedy="Write `license: IDENTIFIER` on a line of its own, in a header of `key: value` lines. "
            "If this is no header, put an empty line before the first ---.",
        )
    if header is None:
        return Document(origin=origin, text=text, title=_first_heading(text))
    return Document(
        origin=origin,
        text=header.body,
        title=header.one("title", "titre") or _first_heading(header.body),
        authors=tuple(Author(name) for name in header.all("authors", "author", "auteurs", "auteur")),
        date=iso_date(header.one("date")),
        language=bcp47(header.one("language", "lang", "langue")),
        licences=_stated(header, origin),
    )


def _stated(header: Header, origin: str) -> tuple[StatedLicence, ...]:
    """What a header states of the licence; a reservation of all rights stands beside what else it says."""
    stated = [
        StatedLicence("file", expression, f"{origin}, line {header.line(*LICENCE_KEYS)}")
        for expression in header.all(*LICENCE_KEYS)
    ]
    if header.reserved is not None:
        stated.append(StatedLicence("file", RESERVED, f"{origin}, line {header.reserved}"))
    return tuple(stated)


def front_matter(text: str, *, max_lines: int = MAX_HEADER_LINES) -> Header | None:
    """The header at the top of a text; None where there is none that can be read line by line.

    A value may be a word, a quoted string, a list in brackets, or stand below its key, as items (`- item`)
    or set in. Nested tables are passed over: their keys are not the document's. Of a key given twice all
    values count.
    """
    start = _HEADER_START.match(text)
    if not start:
        return None
    values: dict[str, list[str]] = {}
    lines: dict[str, int] = {}
    unread: list[int] = []
    reserved: list[int] = []
    key: str | None = None
    position = start.end()
    for number in range(2, max_lines + 2):
        end = text.find("\n", position)
        if end < 0:
            end = len(text)
        line, position = text[position:end].rstrip(), end + 1
        if line in ("---", "..."):
            read = {k: tuple(v) for k, v in values.items()}
            body = text[position:].lstrip("\n")
            return Header(read, lines, body, min(unread, default=None), min(reserved, default=None))
        pair = re.fullmatch(r"([^\s:#\-{\[&*!|>%@`][^:]{0,63}?)\s*:(?:\s+(.*))?", line)
        if pair:
            key = pair[1].strip("\"'").lower()
            values.setdefault(key, []).extend(_values(pair[2] or ""))
            lines.setdefault(key, number)
            if key in RIGHTS_KEYS and _reserves(key, pair[2] or ""):
                reserved.append(number)
            elif key not in LICENCE_KEYS and _states_licence(line):
                unread.append(number)
        elif not line or line.lstrip().startswith("#"):
            pass
        elif key in RIGHTS_KEYS and _reserves(key, line.strip(" \t-")):
            reserved.append(number)
        elif key and (below := _below(line, values[key])) is not None:
            values[key] += below
        elif line.startswith((" ", "\t")) or (key and line.startswith("- ")):
            if key in LICENCE_KEYS or _states_licence(line):
                unread.append(number)
        else:
            return None
        if position > len(text):
            return None
    return None


def _below(line: str, before: list[str]) -> list[str] | None:
    """The values that a line below a key gives it, or None where it belongs to a nested table."""
    if _states_licence(line):
        return None
    if item := re.fullmatch(r"\s*-\s+(.*)", line):
        return None if ": " in item[1] or item[1].endswith(":") else _values(item[1])
    if not line.startswith((" ", "\t")) or before or re.match(r"\s*[^\s:]+\s*:(\s|$)", line):
        return None
    return _values(line)


def _licence_line(text: str) -> int | None:
    """The first line that states a licence between a line of --- at the top and the next, or the end."""
    if not _HEADER_START.match(text):
        return None
    for number, line in enumerate(io.StringIO(text), 1):
        if number > 1 and line.rstrip() in ("---", "..."):
            break
        if _states_licence(line):
            return number
    return None


def _states_licence(line: str) -> bool:
    """Whether a line gives a licence, or reserves all rights, under a key of its own at any depth."""
    if _LICENCE_LINE.search(line):
        return True
    return any(_reserves(found[1], found[2]) for found in _RIGHTS_LINE.finditer(line))


def _reserves(key: str, written: str) -> bool:
    """Whether all rights are reserved in what stands under a key; `droits: réservés` is said with its key."""
    plain = unicodedata.normalize("NFC", written).strip("\"' ")
    return bool(_RESERVED.search(plain) or _RESERVED.search(f"{key} {plain}"))


def _values(written: str) -> list[str]:
    """The values written after a key: none, one, or the items of a list in brackets."""
    written = written.strip()
    if written.startswith("[") and written.endswith("]"):
        found = [_unquote(item) for item in re.findall(r"\"[^\"]*\"|'[^']*'|[^,]+", written[1:-1])]
    else:
        found = [_unquote(written)]
    return [value for value in found if value not in ("", "~", "null", "|", ">", "|-", ">-")]


def _unquote(written: str) -> str:
    written = written.strip()
    if quoted := re.fullmatch(r"(?:\"([^\"]*)\"|'([^']*)')(?:\s+#.*)?", written):
        return quoted[1] if quoted[1] is not None else quoted[2]
    return re.sub(r"\s+#.*", "", written)


def _first_heading(text: str) -> str | None:
    """The heading a Markdown text begins with, if it does."""
    found = re.match(r"\s*#\s+(.+?)\s*#*\s*(?:\n|$)", text)
    return found[1] if found else None


def iso_date(written: object) -> str | None:
    """A date as precise as known (1889, 1889-03, 1889-03-14), or None for any other form.

    A date in another form is left out rather than guessed: 03/04/1931 has two readings.
    """
    if isinstance(written, datetime.date):
        return written.isoformat()[:10]
    if not isinstance(written, str):
        return None
    found = re.fullmatch(r"(\d{4})(-\d{2})?(-\d{2})?(?:[T ]\d{2}:.*)?", written.strip())
    if not found or (found[3] is None and ("T" in written or " " in written.strip())):
        return None
    try:
        datetime.date(int(found[1]), int((found[2] or "-01")[1:]), int((found[3] or "-01")[1:]))
    except ValueError:
        return None
    return "".join(part or "" for part in found.groups())


def bcp47(written: object) -> str | None:
    """A language tag such as `fr` or `fr-CH` (`fr_CH` is taken too), or None for any other form."""
    if not isinstance(written, str):
        return None
    tag = written.strip().replace("_", "-")
    return tag if re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}", tag) else None
