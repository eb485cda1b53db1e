"""A dataset folder as hubs lay it out: a card in `README.md`, data in Parquet, JSON Lines or CSV.

What the card's header says under `license` is recorded as the statement of the distributor, who often is
not the origin: it never clears a text by itself, and a conflict with what the project's own card says is
for the rights gate to see. No hub library is needed to read a folder; `fetch_dataset` uses one to bring a
folder in, pinned to a commit.
"""

from __future__ import annotations

import csv
import dataclasses
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hemicycle.documents import Document, StatedLicence
from hemicycle.errors import DeclarationError, InputError
from hemicycle.hub import fetch_snapshot
from hemicycle.project import Card
from hemicycle.sources import jsonl, parquet, selected_files
from hemicycle.sources.rows import document_of_row
from hemicycle.sources.text import front_matter, read_utf8

CARD = "README.md"
MAX_CARD_BYTES = 16 * 2**20
MAX_CARD_LINES = 200_000
MAX_FIELD_CHARACTERS = 64 * 2**20
#: What accompanies the data. Anything else that no reader knows is refused: it may be data.
COMPANIONS = frozenset(
    [
        ".md",
        ".py",
        ".png",
        ".jpg",
        ".jpeg",
        ".svg",
        ".gif",
        ".webp",
        ".pdf",
        ".yaml",
        ".yml",
        ".cff",
        ".bib",
        "",
    ]
)
COMPANION_NAMES = frozenset({"dataset_infos.json", "dataset_info.json", "license.txt", "notice.txt"})
HUB_NAME = re.compile(r"(?:hf:)?(?P<repo>[\w.-]+/[\w.-]+)@(?P<revision>[\w./-]+)")


def read(folder: Path, card: Card) -> Iterator[Document]:
    """Yield the documents of every data file, each with the licences that the dataset's card states.

    Raises:
        InputError: no data file is selected, or a file cannot be read.
    """
    stated = stated_licences(folder)
    found = False
    for path in selected_files(folder, card):
        origin = path.relative_to(folder).as_posix()
        documents = documents_of_file(path, origin, card)
        if documents is None:
            continue
        found = True
        for document in documents:
            yield dataclasses.replace(document, licences=stated + document.licences)
    if not found:
        raise InputError(
            "no data file is selected (known: .parquet, .jsonl, .ndjson, .csv)",
            remedy="Check the dataset's folder and `include` in the card.",
        )


def stated_licences(folder: Path) -> tuple[StatedLicence, ...]:
    """What the dataset's card says under `license`, as said; nothing where it says nothing."""
    path = folder / CARD
    if not path.is_file():
        return ()
    text = read_utf8(path, CARD, max_bytes=MAX_CARD_BYTES)
    header = front_matter(text, max_lines=MAX_CARD_LINES)
    if header is None and text.split("\n", 1)[0].rstrip() != "---":
        return ()
    if header is None or header.unread_licence is not None:
        raise InputError(
            "the header between the two lines of --- cannot be read, and it may state a licence",
            place=CARD,
            remedy="Mend it to `key: value` lines, or remove the file: no licence is stated then.",
        )
    keys = ("license", "licence", "licenses")
    named = [
        f"{key}: {header.one(key)}"
        for key in ("license_name", "license_link", "license_details")
        if header.one(key)
    ]
    remark = f" ({'; '.join(named)})" if named else ""
    return tuple(
        StatedLicence("distributor", expression, f"{CARD}, line {header.line(*keys)}{remark}")
        for expression in header.all(*keys)
    )


def documents_of_file(path: Path, origin: str, card: Card) -> Iterator[Document] | None:
    """The documents of one file, or None for a file that accompanies the data.

    Raises InputError for a file that no reader knows.
    """
    name, suffix = path.name.lower(), path.suffix.lower()
    if is_companion(origin):
        return None
    if suffix == ".parquet":
        return parquet.documents_of_file(path, origin, card)
    if name.endswith(jsonl.SUFFIXES):
        return jsonl.documents_of_file(path, origin, card)
    if name.endswith((".csv", ".csv.gz", ".csv.zst")):
        return _csv_documents(path, origin, card)
    raise InputError(
        f"no reader knows {suffix} files of a dataset",
        place=origin,
        remedy="Convert it to Parquet or JSON Lines, or leave it out with `exclude` in the card.",
    )


def is_companion(origin: str) -> bool:
    """Whether a file, by its path inside the dataset, accompanies the data and is none."""
    *_, name = parts = origin.lower().split("/")
    hidden = any(part.startswith(".") for part in parts)
    return hidden or name in COMPANION_NAMES or Path(name).suffix in COMPANIONS


def _csv_documents(path: Path, origin: str, card: Card) -> Iterator[Document]:
    """Rows of a comma-separated file whose first row names the columns; a field may span lines."""
    rows = csv.reader((line for _, line in jsonl.lines(path, origin)), strict=True)
    row_number = 0
    names: list[str] | None = None
    try:
        for values in long_rows(rows):
            place = f"{origin}, line {rows.line_num}"
            if names is None:
                names = values
                if len(set(names)) != len(names):
                    raise InputError("two columns have the same name", place=place)
                continue
            if not values:
                continue
            row_number += 1
            if len(values) != len(names):
                raise InputError(f"the row has {len(values)} fields, the header {len(names)}", place=place)
            row: dict[str, Any] = {
                n: v for n, v in zip(names, values, strict=True) if v or n == card.text_field
            }
            yield document_of_row(row, card, origin=origin, anchor=f"R{row_number}", place=place)
    except csv.Error as error:
        raise InputError(f"this is not CSV: {error}", place=f"{origin}, line {rows.line_num}") from None


def long_rows(rows: Iterator[list[str]]) -> Iterator[list[str]]:
    """Rows whose fields may be as long as `MAX_FIELD_CHARACTERS`.

    The limit is that of the whole process, and other readers refuse long fields by it: it is put back before
    a row is handed out.
    """
    while True:
        before = csv.field_size_limit(MAX_FIELD_CHARACTERS)
        try:
            row = next(rows, None)
        finally:
            csv.field_size_limit(before)
        if row is None:
            return
        yield row


def fetch_dataset(name: str, into: Path, *, include: Sequence[str] = ()) -> str:
    """Bring a dataset of a hub into the folder `into`; return the commit that the revision stood for.

    Args:
        name: ``hf:ORG/NAME@REVISION``. The revision is needed: without it the same declaration would mean
            another text tomorrow.
        include: patterns of files to take, as in a card; all where empty. The dataset's card always comes.

    Raises:
        DeclarationError: the name has another form, or the hub's library is not installed.
        InputError: the hub does not give the dataset.
    """
    match = HUB_NAME.fullmatch(name)
    if not match or ".." in match["repo"] or ".." in match["revision"]:
        raise DeclarationError(
            f"“{name}” does not name a dataset and its revision",
            remedy="Write hf:ORG/NAME@REVISION; the commit is the safest revision.",
        )
    # A hub's patterns want the slash of `**/`; a card's match files at the top as well.
    patterns = [*include, *(p.removeprefix("**/") for p in include), CARD] if include else None
    return fetch_snapshot(name, match["repo"], match["revision"], into, what="dataset", patterns=patterns)
