"""JSON Lines: one object a line, one document an object; also compressed with gzip or Zstandard.

A line is JSON in the strict sense: a key stands once, NaN does not exist. The trap is the length of a line:
a file without line ends is one line of any size, so lines are read up to a bound and refused above it.
"""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NoReturn, cast

import pyarrow as pa

from hemicycle.documents import Document
from hemicycle.errors import InputError
from hemicycle.project import Card
from hemicycle.sources import selected_files
from hemicycle.sources.rows import document_of_row, kind_of_value, shown

#: A longer line is refused before it is read whole.
MAX_LINE_BYTES = 64 * 2**20
PLAIN = (".jsonl", ".ndjson")
SUFFIXES = tuple(plain + packed for plain in PLAIN for packed in ("", ".gz", ".zst"))


def read(folder: Path, card: Card) -> Iterator[Document]:
    """Yield one document a line, file by file in the order of their paths.

    Raises:
        InputError: with file and line, for a line that is not one JSON object with a text.
    """
    for path in selected_files(folder, card):
        origin = path.relative_to(folder).as_posix()
        if not origin.lower().endswith(SUFFIXES):
            raise InputError(
                "this is not a JSON Lines file by its name (.jsonl or .ndjson, plain, .gz or .zst)",
                place=origin,
                remedy='Leave it out in the card, for example with include = ["**/*.jsonl"].',
            )
        yield from documents_of_file(path, origin, card)


def documents_of_file(path: Path, origin: str, card: Card) -> Iterator[Document]:
    for number, line in lines(path, origin):
        place = f"{origin}, line {number}"
        if line := line.strip():
            yield document_of_row(
                json_object(line, place), card, origin=origin, anchor=f"L{number}", place=place
            )


def lines(path: Path, place: str, *, max_bytes: int | None = None) -> Iterator[tuple[int, str]]:
    """Yield (number from 1, line with its end) of a UTF-8 file, unpacked where its name says so.

    Raises:
        InputError: for damaged compression, a line above the bound, bytes that are not UTF-8.
    """
    bound = MAX_LINE_BYTES if max_bytes is None else max_bytes
    number = 0
    try:
        with _opened(path) as file:
            while line := file.readline(bound + 1):
                number += 1
                if len(line) > bound:
                    raise InputError(
                        f"the line is longer than {bound // 2**20} MiB, the most one document may have",
                        place=f"{place}, line {number}",
                        remedy="Check that the file has one JSON object a line; if so, split the document.",
                    )
                yield number, line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"byte {error.start} of the line (0x{error.object[error.start]:02x}) is not UTF-8",
            place=f"{place}, line {number}",
        ) from None
    except (EOFError, OSError, zlib.error) as error:
        raise InputError(
            f"the file cannot be read on: {error}",
            place=f"{place}, after line {number}",
            remedy="It may be cut short or damaged: collect it again.",
        ) from None


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    suffix = path.suffix.lower()
    if suffix == ".gz":
        with gzip.open(path, "rb") as unpacked:
            yield cast("IO[bytes]", unpacked)
    elif suffix == ".zst":
        with io.BufferedReader(pa.input_stream(str(path), compression="zstd")) as unpacked_zst:
            yield unpacked_zst
    else:
        with path.open("rb") as plain:
            yield plain


def json_object(line: str, place: str) -> dict[str, Any]:
    """One JSON object, strictly: no key twice, no NaN, nothing after it."""

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(found)
        if len(made) != len(found):
            twice = Counter(key for key, _ in found).most_common(1)[0][0]
            raise InputError(f"the key “{shown(twice)}” stands twice in one object", place=place)
        return made

    def constant(name: str) -> NoReturn:
        raise InputError(f"{name} is not JSON", place=place, remedy="Write null where there is no number.")

    try:
        value = json.loads(line, object_pairs_hook=pairs, parse_constant=constant)
    except json.JSONDecodeError as error:
        raise InputError(f"this is not JSON: {error.msg} at column {error.colno}", place=place) from None
    except RecursionError:
        raise InputError("the JSON is nested too deeply", place=place) from None
    except ValueError as error:
        raise InputError(f"a number cannot be read: {error}", place=place) from None
    if not isinstance(value, dict):
        raise InputError(f"the line holds {kind_of_value(value)}, not an object", place=place)
    return value
