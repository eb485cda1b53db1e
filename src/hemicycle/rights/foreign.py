"""Somebody else's table of sources: rows with a licence cell, out of CSV, TSV, JSON, JSONL or a data card.

Which column holds the licence is said by whoever asks, or guessed from its heading; the guess is reported,
and where it is not clear the columns are listed instead. A table is hostile input: its size, its rows and the
width of its cells are bounded, and what cannot be read is refused with file and line, never skipped, since a
row left out would be a licence nobody looked at.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hemicycle.errors import DeclarationError, InputError, did_you_mean, unparsed
from hemicycle.rights.cards import read_card, tables_of

MAX_BYTES = 64 * 2**20
MAX_ROWS = 200_000
MAX_COLUMNS = 2_000
#: Characters kept of a cell and of a name: more than any licence has.
MAX_CELL = 2_000
MAX_NAME = 300

#: What may be said of columns: `--column licence=NAME`.
ROLES = ("licence", "name")
KINDS = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".md", ".markdown")

_LICENCE = re.compile(r"\b(spdx[ _-]?id|spdx|licen[sc]es?)\b")
#: Headings that speak of a licence and are not it: its address, its text, who checked it.
_BESIDE = re.compile(
    r"\b(url|link|links|address|text|file|notes?|comments?|details|source|checked|by|date|evidence)\b"
)
_NAMES = (
    "name",
    "dataset",
    "dataset name",
    "data set",
    "source",
    "corpus",
    "title",
    "id",
    "subset",
    "nom",
    "jeu de données",
)
_LISTS = ("rows", "datasets", "data", "sources", "items", "entries", "corpora", "records")


@dataclass(frozen=True)
class Row:
    """A row: its number in the table from 1, its name (empty where there is none) and its licence cell."""

    number: int
    name: str
    cell: str


@dataclass(frozen=True)
class ForeignTable:
    """A table as it was read.

    Attributes:
        column: the heading of the licence column that was taken.
        guessed: whether nobody said which it is.
        umbrella: the licence that the table declares for the whole, as written; None where it declares none.
    """

    column: str
    guessed: bool
    rows: tuple[Row, ...]
    umbrella: str | None = None


def read_table(path: Path, columns: Mapping[str, str]) -> ForeignTable:
    """Read a table.

    Args:
        columns: role → heading, for roles of `ROLES`.

    Raises:
        DeclarationError: the kind of file, a role or a column is not known, or no column or several could be
            the licence's.
        InputError: the file cannot be read as what it is named.
    """
    for role in columns:
        if role not in ROLES:
            raise DeclarationError(
                f"“{role}” is no column that an audit reads", remedy="Columns: licence, name."
            )
    kind = path.suffix.lower()
    if kind not in KINDS:
        raise DeclarationError(f"an audit reads {', '.join(KINDS)}", place=str(path))
    text = _read(path)
    if kind in (".md", ".markdown"):
        return _card(text, path, columns)
    if kind in (".csv", ".tsv"):
        return _csv(text, path, "\t" if kind == ".tsv" else None, columns)
    objects = _json(text, path) if kind == ".json" else _json_lines(text, path)
    head = list(itertools.islice(dict.fromkeys(key for obj in objects for key in obj), MAX_COLUMNS))
    licence, name = _choose(head, path, columns)
    rows = (
        _row(number, _text(obj.get(head[name])) if name is not None else "", _text(obj.get(head[licence])))
        for number, obj in enumerate(objects, 1)
    )
    return ForeignTable(_sound(head[licence][:MAX_CELL]), "licence" not in columns, tuple(rows))


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise DeclarationError(f"the table cannot be read: {error.strerror}", place=str(path)) from None
    if len(data) > MAX_BYTES:
        raise InputError(f"this is more than {MAX_BYTES // 2**20} MiB", place=str(path), remedy="Split it.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            "this is not UTF-8", place=f"{path}, line {line}", remedy="Save it as UTF-8."
        ) from None


def _csv(text: str, path: Path, delimiter: str | None, columns: Mapping[str, str]) -> ForeignTable:
    if delimiter is None:
        first = text.lstrip("\r\n")[:100_000].partition("\n")[0]
        delimiter = max(",;\t|", key=lambda sign: (first.count(sign), sign == ","))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    records = (record for record in reader if any(value.strip() for value in record))
    rows: list[Row] = []
    try:
        head = next(records, None)
        if head is None:
            raise InputError("the table is empty", place=str(path))
        licence, name = _choose(head[:MAX_COLUMNS], path, columns)
        for number, record in enumerate(records, 1):
            rows.append(_row(number, _at(record, name), _at(record, licence)))
            _bound(number, path)
    except csv.Error as error:
        raise InputError(f"this is not a table: {error}", place=f"{path}, line {reader.line_num}") from None
    return ForeignTable(_sound(head[licence][:MAX_CELL]), "licence" not in columns, tuple(rows))


def _json(text: str, path: Path) -> list[dict[str, Any]]:
    data = _load(text, str(path))
    if isinstance(data, dict):
        lists = [key for key, value in data.items() if isinstance(value, list) and value]
        named = [key for key in _LISTS if key in lists] or lists
        if len(named) != 1:
            raise InputError(
                "which list holds the rows is not clear" if named else "there is no list of rows",
                place=str(path),
                remedy=f"Keep one list under one of: {', '.join(_LISTS)}.",
            )
        data = data[named[0]]
    if not isinstance(data, list) or not data:
        raise InputError("there is no list of rows", place=str(path))
    _bound(len(data), path)
    for number, row in enumerate(data, 1):
        if not isinstance(row, dict):
            raise InputError("this row is not an object", place=f"{path}, row {number}")
    return data


def _json_lines(text: str, path: Path) -> list[dict[str, Any]]:
    objects: list[dict[str, Any]] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        row = _load(line, f"{path}, line {number}")
        if not isinstance(row, dict):
            raise InputError("this line is not an object", place=f"{path}, line {number}")
        objects.append(row)
        _bound(len(objects), path)
    if not objects:
        raise InputError("the table is empty", place=str(path))
    return objects


def _load(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"this is not JSON: {unparsed(error)[:200]}", place=place) from None


def _text(value: Any) -> str:
    """A JSON value as a cell: a list is a list of licences, an object names its licence under a usual key."""
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(_text(item) if not isinstance(item, list) else "[…]" for item in value[:100])
    if isinstance(value, dict):
        named = next(
            (value[key] for key in ("spdx_id", "spdx", "id", "name", "type") if value.get(key)), None
        )
        return named if isinstance(named, str) else "{…}"
    return str(value) if not isinstance(value, int) or abs(value) < 10**18 else "…"


def _card(text: str, path: Path, columns: Mapping[str, str]) -> ForeignTable:
    card = read_card(text)
    rows: list[tuple[str, str]] = []
    heads: list[str] = []
    seen: list[str] = []
    if card.licence is not None and "licence" not in columns:
        rows.append((card.name or "(the card)", card.licence))
        heads.append("license")
    rows += [] if "licence" in columns else card.parts
    for head, records in tables_of(card.body):
        seen += head
        licence = _find(head, columns, "licence") if "licence" in columns else _guess_licence(head)
        if licence is None:
            continue
        name = _guess_name(head, licence) if "name" not in columns else _find(head, columns, "name")
        heads.append(head[licence])
        rows += [(_at(record, name), _at(record, licence)) for record in records]
        _bound(len(rows), path)
    if not rows:
        raise DeclarationError(
            "the card states no licence in its head and has no table with a licence column",
            place=str(path),
            remedy=f"Columns of its tables: {_listed(seen)}." if seen else None,
        )
    numbered = tuple(_row(number, name, cell) for number, (name, cell) in enumerate(rows, 1))
    heading = ", ".join(dict.fromkeys(heads)) or "license"
    return ForeignTable(_sound(heading)[:MAX_CELL], "licence" not in columns, numbered, card.licence)


def _choose(head: Sequence[str], path: Path, columns: Mapping[str, str]) -> tuple[int, int | None]:
    """The licence's column and the name's (None where there is none)."""
    for role in columns:
        if _find(head, columns, role) is None:
            wanted = columns[role]
            remedy = f"{did_you_mean(wanted, head) or ''} Columns: {_listed(head)}.".strip()
            raise DeclarationError(f"there is no one column “{wanted}”", place=str(path), remedy=remedy)
    licence = _find(head, columns, "licence") if "licence" in columns else _guess_licence(head)
    if licence is None:
        raise DeclarationError(
            "which column holds the licence is not clear",
            place=str(path),
            remedy=f"Say so: --column licence=NAME. Columns: {_listed(head)}.",
        )
    return licence, _find(head, columns, "name") if "name" in columns else _guess_name(head, licence)


def _find(head: Sequence[str], columns: Mapping[str, str], role: str) -> int | None:
    """The one column of this heading; letters' case counts only where two differ in nothing else."""
    wanted = columns[role].strip()
    exact = [i for i, heading in enumerate(head) if heading.strip() == wanted]
    near = [i for i, heading in enumerate(head) if heading.strip().lower() == wanted.lower()]
    found = exact or near
    return found[0] if len(found) == 1 else None


def _guess_licence(head: Sequence[str]) -> int | None:
    spoken = [(i, _heading(heading)) for i, heading in enumerate(head)]
    whole = [i for i, heading in spoken if _LICENCE.fullmatch(heading)]
    if whole:
        return whole[0] if len(whole) == 1 else None
    within = [i for i, heading in spoken if _LICENCE.search(heading) and not _BESIDE.search(heading)]
    return within[0] if len(within) == 1 else None


def _guess_name(head: Sequence[str], licence: int) -> int | None:
    headings = {_heading(heading): i for i, heading in reversed(list(enumerate(head))) if i != licence}
    return next((headings[name] for name in _NAMES if name in headings), 0 if licence else None)


def _heading(heading: str) -> str:
    """`License(s)`, `licence_stated` and `**License**` as words."""
    return " ".join(re.sub(r"[^\w]+|_", " ", heading[:200].replace("(s)", "s").lower()).split())


def _row(number: int, name: str, cell: str) -> Row:
    return Row(number, _sound(name.strip()[:MAX_NAME]), _sound(cell[:MAX_CELL]))


def _sound(text: str) -> str:
    """A text without the halves of characters that JSON can smuggle in and nothing can print."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _at(record: Sequence[str], column: int | None) -> str:
    return record[column] if column is not None and column < len(record) else ""


def _listed(head: Sequence[str]) -> str:
    shown = [f"“{heading[:60]}”" for heading in head[:20]]
    return ", ".join(shown) + (" …" if len(head) > 20 else "") if shown else "none"


def _bound(rows: int, path: Path) -> None:
    if rows > MAX_ROWS:
        raise InputError(f"the table has more than {MAX_ROWS} rows", place=str(path), remedy="Split it.")
