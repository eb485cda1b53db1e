"""JSON files from outside: strictly read, and a long list one object at a time.

The trap is size: a manifest of a quarter of a gigabyte is one JSON value, and as Python's objects it is
several times that. A list is therefore read in pieces, and what is in memory is one object of it.
"""

from __future__ import annotations

import codecs
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from hemicycle.errors import InputError
from hemicycle.sources.text import read_utf8
from hemicycle.sources.xml import SPACES

#: The longest object of a list, and the longest file that is read as one value.
MAX_OBJECT = 64 * 2**20
_PIECE = 2**20


def json_value(path: Path, place: str) -> Any:
    """The value of a whole JSON file of at most `MAX_OBJECT` bytes.

    Raises:
        InputError: not UTF-8, too big, not JSON, a key twice in one object, NaN, nested too deeply.
    """
    text = read_utf8(path, place, max_bytes=MAX_OBJECT)
    try:
        return _decoder(place).decode(text)
    except json.JSONDecodeError as error:
        where = f"{place}, line {error.lineno}"
        raise InputError(f"this is not JSON: {error.msg}", place=where) from None
    except RecursionError:
        raise InputError("the JSON is nested too deeply", place=place) from None
    except ValueError as error:
        raise InputError(f"a number cannot be read: {error}", place=place) from None


def json_objects(path: Path, place: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (number from 1, object) of a JSON file that is one list of objects, however long.

    Raises:
        InputError: with the number of the object that cannot be read.
    """
    text = _Text(path, place)
    number = 0
    if not text.take("["):
        raise InputError(
            "the file is not a list: it does not begin with “[”",
            place=place,
            remedy="Leave it out with `exclude` in the card, or choose another reader.",
        )
    if not text.take("]"):
        while True:
            number += 1
            yield number, text.object(f"{place}, object {number}")
            if not text.take(","):
                break
        if not text.take("]"):
            raise InputError("neither a comma nor the end follows", place=f"{place}, object {number}")
    if text.peek():
        raise InputError("something follows after the end of the list", place=place)


class _Text:
    """The characters of a UTF-8 file as far as they are needed."""

    def __init__(self, path: Path, place: str) -> None:
        self._pieces = _characters(path, place)
        self._text = ""
        self._at = 0
        self._decoder = _decoder(place)

    def _more(self, at_least: int = 1) -> bool:
        """Read on; False at the end of the file."""
        gathered, length = [self._text[self._at :]], 0
        self._at = 0
        while length < at_least and (piece := next(self._pieces, "")):
            gathered.append(piece)
            length += len(piece)
        self._text = "".join(gathered)
        return length > 0

    def peek(self) -> str:
        """The next character that is not white space; empty at the end of the file."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in SPACES:
                self._at += 1
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def take(self, character: str) -> bool:
        found = self.peek() == character
        self._at += found
        return found

    def object(self, place: str) -> dict[str, Any]:
        if self.peek() != "{":
            raise InputError("this is not an object", place=place)
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                # Doubling what is tried keeps the work in proportion to the object's length.
                length = len(self._text) - self._at
                if length > MAX_OBJECT:
                    raise InputError(
                        f"the object is longer than {MAX_OBJECT // 2**20} MiB, or is not JSON: {error.msg}",
                        place=place,
                    ) from None
                if not self._more(max(1, length)):
                    raise InputError(f"this is not JSON: {error.msg}", place=place) from None
            except RecursionError:
                raise InputError("the JSON is nested too deeply", place=place) from None
            except ValueError as error:
                raise InputError(f"a number cannot be read: {error}", place=place) from None
            else:
                self._at = end
                assert isinstance(value, dict)
                return value


def _characters(path: Path, place: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    offset = 0
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            if (nul := piece.find(b"\0")) >= 0:
                raise InputError(f"byte {offset + nul} is NUL: this is not text", place=place)
            if text := _decoded(decoder, piece, offset, place):
                yield text
            offset += len(piece)
    if text := _decoded(decoder, b"", offset, place):
        yield text


def _decoded(decoder: codecs.IncrementalDecoder, piece: bytes, offset: int, place: str) -> str:
    try:
        return decoder.decode(piece, final=not piece)
    except UnicodeDecodeError as error:
        raise InputError(
            f"after byte {offset} the file is not UTF-8: {error.reason}",
            place=place,
            remedy="Find out its encoding and convert it: `iconv -f ISO-8859-1 -t UTF-8`, for example.",
        ) from None


def _decoder(place: str) -> json.JSONDecoder:
    """A decoder that takes JSON in the strict sense: a key stands once, NaN does not exist."""

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(found)
        if len(made) != len(found):
            twice = Counter(key for key, _ in found).most_common(1)[0][0]
            raise InputError(f"the key {ascii(twice)[:80]} stands twice in one object", place=place)
        return made

    def constant(name: str) -> NoReturn:
        raise InputError(f"{name} is not JSON", place=place, remedy="Write null where there is no number.")

    return json.JSONDecoder(object_pairs_hook=pairs, parse_constant=constant)


def words_of_value(value: Any, place: str) -> str:
    """A value that is text, without white space at its ends; empty for every other kind of value.

    Raises:
        InputError: the text holds half a character (a lone surrogate), which no file can hold.
    """
    if not isinstance(value, str):
        return ""
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise InputError("the text holds half a character", place=place) from None
    return value.replace("\r\n", "\n").strip(f"{SPACES}\u00a0")
