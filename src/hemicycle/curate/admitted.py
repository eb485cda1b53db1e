"""What rights let through of a source, some row groups at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from hemicycle.documents import SCHEMA
from hemicycle.errors import IntegrityError

#: Bytes. A text of more is no document: it is not read, and only its digest and its length go on.
LONGEST = 64_000_000
_SHORT = [name for name in SCHEMA.names if name != "text"]


def admitted_rows(documents: str, cleared: str, groups: Sequence[int]) -> Iterator[pa.Table]:
    """The admitted rows of some row groups, with `rank`, `right` and `row`, their number in the file; texts
    are checked. One table a row group.

    A row group of one text longer than `LONGEST` has a column `bytes` in place of `text`.
    """
    with pq.ParquetFile(documents) as file, pq.ParquetFile(cleared) as gate:
        first = sum(file.metadata.row_group(g).num_rows for g in range(groups[0]))
        for group in range(*groups):
            told = gate.read_row_group(group)
            size = text_bytes(file, group)
            too_long = told.num_rows == 1 and size > LONGEST
            table = file.read_row_group(group, columns=_SHORT if too_long else None)
            if told["id"] != table["id"]:
                raise IntegrityError("what was cleared is not these documents", place=cleared)
            table = table.append_column("rank", told["rank"]).append_column("right", told["right"])
            table = table.append_column("row", pa.array(range(first, first + told.num_rows), pa.int64()))
            first += told.num_rows
            if too_long:
                yield table.append_column("bytes", pa.array([size], pa.int64())).filter(told["admitted"])
                continue
            table = table.filter(told["admitted"])
            for row, digest in enumerate(table["digest"].to_pylist()):
                # Rights were decided for this very text; the digest beside it is only a claim.
                if _digest(table["text"][row]) != digest:
                    identity = table["id"][row].as_py()
                    raise IntegrityError(
                        f"the text of {identity!r} is not that of its digest", place=documents
                    )
            yield table


def text_bytes(file: pq.ParquetFile, group: int) -> int:
    """Bytes of the texts of a row group, before compression."""
    text = file.schema_arrow.get_field_index("text")
    size: int = file.metadata.row_group(group).column(text).total_uncompressed_size
    return size


def _digest(text: pa.Scalar) -> str:
    """SHA-256 of a text's UTF-8 bytes, without a copy of them."""
    return hashlib.sha256(text.as_buffer()).hexdigest()
