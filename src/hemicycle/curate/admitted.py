"""What rights let through of a source, some row groups at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from hemicycle.errors import IntegrityError


def admitted_rows(documents: str, cleared: str, groups: Sequence[int]) -> Iterator[pa.Table]:
    """The admitted rows of some row groups, with `rank` and `right`, texts checked; one table a row group."""
    with pq.ParquetFile(documents) as file, pq.ParquetFile(cleared) as gate:
        for group in range(*groups):
            told = gate.read_row_group(group)
            table = file.read_row_group(group)
            if told["id"] != table["id"]:
                raise IntegrityError("what was cleared is not these documents", place=cleared)
            table = table.append_column("rank", told["rank"]).append_column("right", told["right"])
            table = table.filter(told["admitted"])
            for row, digest in enumerate(table["digest"].to_pylist()):
                # Rights were decided for this very text; the digest beside it is only a claim.
                if _digest(table["text"][row]) != digest:
                    identity = table["id"][row].as_py()
                    raise IntegrityError(
                        f"the text of {identity!r} is not that of its digest", place=documents
                    )
            yield table


def _digest(text: pa.Scalar) -> str:
    """SHA-256 of a text's UTF-8 bytes, without a copy of them."""
    return hashlib.sha256(text.as_buffer()).hexdigest()
