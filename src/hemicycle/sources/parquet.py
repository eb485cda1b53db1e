"""Parquet: one row, one document, with the fields that JSON Lines have.

Rows are taken a few at a time from one row group after the other, so a file may be larger than memory;
only the columns that mean something here are read. Page checksums are verified where the file has them.
A corpus that Hemicycle wrote is taken back whole: ids, origins, parts, authors and licences.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from hemicycle.documents import SCHEMA, Document
from hemicycle.errors import InputError
from hemicycle.project import Card
from hemicycle.sources import selected_files
from hemicycle.sources.rows import document_of_row

#: Few, because a row may be a whole book.
ROWS_A_BATCH = 64
KNOWN_COLUMNS = frozenset({*SCHEMA.names, "author", "url", "license", "licence", "clean_digest"})


def read(folder: Path, card: Card) -> Iterator[Document]:
    """Yield one document a row, file by file in the order of their paths.

    Raises:
        InputError: with file and row, for a damaged file or a row without a text.
    """
    for path in selected_files(folder, card):
        origin = path.relative_to(folder).as_posix()
        if path.suffix.lower() != ".parquet":
            raise InputError(
                "this is not a Parquet file by its name",
                place=origin,
                remedy='Leave it out in the card, for example with include = ["**/*.parquet"].',
            )
        yield from documents_of_file(path, origin, card)


def documents_of_file(path: Path, origin: str, card: Card) -> Iterator[Document]:
    for number, row in rows_of_file(path, origin, lambda schema: _columns(schema, origin, card)):
        place = f"{origin}, row {number}"
        yield document_of_row(row, card, origin=origin, anchor=f"R{number}", place=place)


def rows_of_file(
    path: Path, origin: str, choose: Callable[[pa.Schema], list[str]]
) -> Iterator[tuple[int, dict[str, object]]]:
    """Yield (number from 1, values of the columns that `choose` wants), a few rows in memory at a time.

    Raises:
        InputError: for a damaged file, or a value that cannot be read, with its row.
    """
    number = 0
    for batch in _batches(path, origin, choose):
        for row in _rows(batch, origin, number):
            number += 1
            yield number, row


def _batches(path: Path, origin: str, choose: Callable[[pa.Schema], list[str]]) -> Iterator[pa.RecordBatch]:
    """Small batches of the columns that are used, in the order of the file."""
    try:
        with pq.ParquetFile(
            path, buffer_size=2**20, pre_buffer=False, page_checksum_verification=True
        ) as file:
            columns = choose(file.schema_arrow)
            rows = 0
            for batch in file.iter_batches(batch_size=ROWS_A_BATCH, columns=columns, use_threads=False):
                rows += batch.num_rows
                yield batch
            if rows != file.metadata.num_rows:
                raise ValueError(f"it has {rows} rows and its footer says {file.metadata.num_rows}")
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InputError(
            f"the Parquet file cannot be read: {_first_line(error)}",
            place=origin,
            remedy="It may be cut short or damaged: collect it again.",
        ) from None


def _columns(schema: pa.Schema, origin: str, card: Card) -> list[str]:
    if card.text_field not in schema.names:
        present = ", ".join(schema.names[:20]) or "none"
        raise InputError(
            f"there is no column “{card.text_field}” for the text; columns: {present}",
            place=origin,
            remedy="Name the column of the text in the card with text_field.",
        )
    twice = sorted({name for name in schema.names if schema.names.count(name) > 1})
    if twice:
        raise InputError(f"two columns are called “{twice[0]}”", place=origin)
    if {*SCHEMA.names, "why"} <= set(schema.names):
        raise InputError(
            "these are documents that a corpus dropped",
            place=origin,
            remedy='Take those it kept: include = ["kept/*.parquet"] in the card.',
        )
    wanted = KNOWN_COLUMNS | {card.text_field, card.id_field}
    return [name for name in schema.names if name in wanted]


def _rows(batch: pa.RecordBatch, origin: str, before: int) -> Iterator[dict[str, object]]:
    try:
        yield from batch.to_pylist()
    except (ValueError, pa.ArrowException) as error:
        raise InputError(
            f"a value cannot be read: {_first_line(error)}",
            place=f"{origin}, row {before + _first_bad_row(batch) + 1}",
        ) from None


def _first_bad_row(batch: pa.RecordBatch) -> int:
    for number in range(batch.num_rows):
        try:
            batch.slice(number, 1).to_pylist()
        except (ValueError, pa.ArrowException):
            return number
    return 0


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
