"""ELTeC: the novels as the `tei` reader reads them, with what the collection's table says of their authors.

Each collection has a ``…_metadata.tsv`` beside its novels, a line a novel: years of the author, authority
ids, year of the first edition. It completes a header without any years. The trap is where the two say
different things, since a year too early frees a text too early: of two years of death the later one counts;
of a year and an ``NA`` or a doubtful year, in either place, none does, and `CONTRADICTORY` holds the novel.
Years of birth or of first publication that differ are unknown. The evidence of the edition's licence says
where header and table disagreed.

A table is read where the card selects it (``include = ["level1/*.xml", "*_metadata.tsv"]``); without one
the headers stand alone. A novel without a line stays as its header has it. Of several authors none is
completed.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from hemicycle.documents import CONTRADICTORY, Author, Document
from hemicycle.errors import InputError
from hemicycle.sources import selected_files, tei
from hemicycle.sources.text import read_utf8

if TYPE_CHECKING:
    from hemicycle.project import Card

_NEEDED = ("xmlid", "author-birth", "author-death")
_ID = re.compile(r"(?:viaf|bnf|isni|gnd):[A-Za-z]{0,2}\d+[A-Za-z]?|wikidata:Q\d+")


def read(folder: Path, card: Card) -> Iterator[Document]:
    """One document a novel.

    Raises:
        InputError: a novel is not TEI; a table lacks a column, or has two lines for one novel.
    """
    table = _tables(folder, card)
    novels = card.model_copy(update={"exclude": [*card.exclude, "**/*.tsv"]})
    for document in tei.read(folder, novels):
        line = table.get(_novel(document.origin))
        yield completed(document, line) if line is not None else document


def _novel(origin: str) -> str:
    """The id of a novel by the name of its file: ``level1/FRA00201_Audoux.xml`` is FRA00201."""
    return PurePosixPath(origin.rpartition("#")[2] or origin).stem.partition("_")[0]


def _tables(folder: Path, card: Card) -> dict[str, Mapping[str, str]]:
    """The lines of all selected tables, by the id of the novel."""
    found: dict[str, Mapping[str, str]] = {}
    for path in selected_files(folder, card):
        if path.suffix.lower() != ".tsv":
            continue
        origin = path.relative_to(folder).as_posix()
        lines = read_utf8(path, origin).split("\n")
        try:
            rows = list(csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
        except csv.Error as error:
            raise InputError(f"the table cannot be read: {error}", place=origin) from None
        columns = [cell.strip() for cell in rows[0]] if rows else []
        missing = [c for c in _NEEDED if c not in columns]
        if missing:
            raise InputError(f"the table has no column “{missing[0]}”", place=f"{origin}, line 1")
        for number, cells in enumerate(rows[1:], 2):
            if not any(cell.strip() for cell in cells):
                continue
            place = f"{origin}, line {number}"
            if len(cells) != len(columns):
                raise InputError(f"{len(cells)} cells under {len(columns)} columns", place=place)
            row = {**dict(zip(columns, (cell.strip() for cell in cells), strict=True)), "place": place}
            before = found.setdefault(row["xmlid"], row)
            if {**before, "place": ""} != {**row, "place": ""}:
                raise InputError(
                    f"the novel {row['xmlid']} has another line in {before['place']}",
                    place=place,
                    remedy="Keep the newer table, and name the other in `exclude` of the source card.",
                )
    return found


def completed(document: Document, line: Mapping[str, str]) -> Document:
    """A novel with what the table's line says of its one author."""
    writers = [a for a in document.authors if a.role == "author"]
    if len(writers) != 1:
        return document
    author, disagreements = _author(writers[0], line)
    note = f"; {line['place']}: {', '.join(disagreements)}" if disagreements else ""
    return replace(
        document,
        authors=tuple(author if a is writers[0] else a for a in document.authors),
        date=document.date or (str(author.published) if author.published else None),
        licences=tuple(replace(x, evidence=(x.evidence or "") + note) for x in document.licences),
        group=f"author:{author.name}" if author.name and (author.birth or author.death) else document.group,
    )


def _author(author: Author, line: Mapping[str, str]) -> tuple[Author, list[str]]:
    said: list[str] = []

    def differ(what: str, header: object, table: str) -> None:
        said.append(f"{what} {header if header is not None else 'unknown'} in the header, {table} here")

    birth, death, flags = author.birth, author.death, author.flags
    born, died = line["author-birth"], line["author-death"]
    if birth is None and death is None:
        birth, death = _year(born), _year(died)
    else:
        if birth is None:
            birth = _year(born)
        elif born and _year(born) != birth:
            differ("birth", birth, born)
            birth = None
        if died and _year(died) != death:
            differ("death", death, died)
            years = (death, _year(died))
            death = max(y for y in years if y is not None) if None not in years else None
            flags = flags if death is not None else (*flags, CONTRADICTORY)
    if birth is not None and death is not None and death < birth:
        death, flags = None, (*flags, CONTRADICTORY)
    published, first = author.published, _last_year(line.get("first-edition", ""))
    if published is not None and first is not None and published != first:
        differ("first edition", published, str(first))
        published = None
    elif published is None:
        published = first
    schemes = {flag.partition(":")[0] for flag in flags if _ID.fullmatch(flag)}
    ids = [
        i
        for i in line.get("author-ids", "").split()
        if _ID.fullmatch(i) and i.partition(":")[0] not in schemes
    ]
    return replace(author, birth=birth, death=death, flags=(*flags, *ids), published=published), said


def _year(cell: str) -> int | None:
    return int(cell) if re.fullmatch(r"\d{4}", cell) else None


def _last_year(cell: str) -> int | None:
    """Of “1851-1853” the year in which the serial was whole; None where anything else stands."""
    match = re.fullmatch(r"(?:(\d{4})-)?(\d{4})", cell)
    return int(match[2]) if match and match[2] >= (match[1] or "") else None
