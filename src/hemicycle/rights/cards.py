"""A data card as hubs show them: a head between lines of `---`, then Markdown, often with a table of sources.

The head is read without a YAML library, as the project reads all heads of Markdown files: a few keys at the
margin (`license`, `license_name`, `pretty_name`) and those of the list `configs`. A form that this does not
read is not passed over: its text becomes the licence cell and is then reported as none. Tables are those of
GitHub's Markdown: a row of headings, a row of dashes, rows of cells between bars. Code blocks are skipped,
since a table in one is an example.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_HEAD = re.compile(r"\A---[ \t]*\r?\n(.*?)^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)
_KEY = re.compile(r"([A-Za-z_]+)[ \t]*:(?:[ \t]+(.*))?$")
_ITEM = re.compile(r"[ \t]*-[ \t]+(.*)$")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_DASHES = re.compile(r"[ \t]*:?-+:?[ \t]*")
_LINK = re.compile(r"!?\[([^\[\]]*)\]\([^()\s]*(?:\s[^()]*)?\)")
_LICENCE_KEYS = ("license", "licence", "licenses", "licences")


@dataclass(frozen=True)
class DataCard:
    """What a card says.

    Attributes:
        licence: of the whole, as written; None where the head states none.
        parts: (configuration, licence) where configurations state one of their own.
        body: the Markdown below the head.
    """

    name: str
    licence: str | None
    parts: tuple[tuple[str, str], ...]
    body: str


def read_card(text: str) -> DataCard:
    """Read a card. Never raises: what has no head is all body."""
    found = _HEAD.match(text)
    if not found:
        return DataCard("", None, (), text)
    values = _values(found[1].splitlines())
    licence = next((values[key] for key in _LICENCE_KEYS if key in values), None)
    named = values.get("license_name")
    if named and (licence is None or licence.lower() in ("", "other", "unknown")):
        licence = named
    return DataCard(values.get("pretty_name", ""), licence, _configurations(found[1]), text[found.end() :])


def tables_of(body: str) -> Iterator[tuple[list[str], list[list[str]]]]:
    """The tables of a Markdown text: headings and rows, cells as plain text."""
    lines = list(_outside_code(body))
    number = 0
    while number + 1 < len(lines):
        head = _cells(lines[number])
        dashes = _cells(lines[number + 1], plain=False)
        is_table = len(head) > 1 and len(head) == len(dashes) and all(map(_DASHES.fullmatch, dashes))
        number += 1
        if not is_table:
            continue
        number += 1
        rows: list[list[str]] = []
        while number < len(lines) and "|" in lines[number]:
            rows.append(_cells(lines[number]))
            number += 1
        yield head, rows


def _values(lines: list[str]) -> dict[str, str]:
    """Keys at the margin with their values; the items of a list are joined by commas."""
    values: dict[str, str] = {}
    key: str | None = None
    for line in lines:
        found = _KEY.match(line)
        item = _ITEM.match(line)
        if found:
            key = found[1].lower()
            values.setdefault(key, _scalar(found[2] or ""))
        elif key is not None and line.strip() and not line.lstrip().startswith("#"):
            more = _scalar(item[1] if item else line.strip())
            # Folded text (`license: >`) goes on below its key.
            before = values[key] if values[key] not in (">", "|", ">-", "|-") else ""
            if len(before) < 10_000:
                values[key] = f"{before}{', ' if item and before else ' ' if before else ''}{more}"
    return values


def _configurations(head: str) -> tuple[tuple[str, str], ...]:
    """(config_name, licence) of the items of `configs` that state a licence."""
    block = re.search(r"^configs[ \t]*:[ \t]*\r?\n((?:[ \t-].*(?:\r?\n|\Z))*)", head, re.MULTILINE)
    if not block:
        return ()
    found: list[tuple[str, str]] = []
    name, licence, depth = "", None, -1
    for line in [*block[1].splitlines(), "- "]:
        starts = re.match(r"([ \t]*)-[ \t]", line)
        if starts and (depth < 0 or len(starts[1]) <= depth):
            if licence is not None:
                found.append((name, licence))
            name, licence, depth = "", None, len(starts[1])
        key = _KEY.match(line.strip().removeprefix("- ").strip())
        if key and key[1].lower() == "config_name":
            name = _scalar(key[2] or "")
        elif key and key[1].lower() in _LICENCE_KEYS:
            licence = _scalar(key[2] or "")
    return tuple(found)


def _scalar(value: str) -> str:
    """A value without its quotes or the comment behind it; a list in brackets as its items."""
    value = value.strip()
    quoted = re.match(r"\"([^\"]*)\"|'([^']*)'", value)
    if quoted:
        return quoted[1] if quoted[1] is not None else quoted[2]
    value = re.sub(r"(^|\s)#.*$", "", value).strip()
    if value.startswith("[") and value.endswith("]"):
        return ", ".join(item.strip().strip("\"'") for item in value[1:-1].split(","))
    return value


def _outside_code(body: str) -> Iterator[str]:
    fence = ""
    for line in body.splitlines():
        mark = _FENCE.match(line)
        if mark and not fence:
            fence = mark[1]
        elif mark and mark[1].startswith(fence):
            fence = ""
        elif not fence:
            yield line
            continue
        yield ""


def _cells(line: str, *, plain: bool = True) -> list[str]:
    if "|" not in line:
        return []
    inner = line.strip().removeprefix("|")
    if inner.endswith("|") and not inner.endswith("\\|"):
        inner = inner[:-1]
    cells = re.split(r"(?<!\\)\|", inner)
    return [_plain(cell) if plain else cell for cell in cells]


def _plain(cell: str) -> str:
    """A cell without links, emphasis, code marks and tags."""
    cell = re.sub(r"<br ?/?>", ", ", cell[:2_000], flags=re.IGNORECASE).replace("\\|", "|")
    cell = _LINK.sub(r"\1", cell)
    return re.sub(r"<[^<>]{0,200}>|[`*]", "", cell).strip().strip("_")
