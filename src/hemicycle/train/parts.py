"""Parts: rows of a log on disk, as a few Parquet files that grow, whole wherever the writer is killed."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from hemicycle.errors import InputError
from hemicycle.store import write_aside

#: A part with so many rows is full.
ROWS_A_PART = 4_096


def read_parts(folder: Path, kind: str, schema: pa.Schema) -> pa.Table:
    """All rows of a kind, in their order. Raises InputError on a part that is none."""
    while True:
        # A run that resumes deletes parts while they are read.
        with contextlib.suppress(FileNotFoundError):
            parts = [_read_part(path, schema) for path in _paths(folder, kind)]
            return pa.concat_tables([schema.empty_table(), *parts])


def _paths(folder: Path, kind: str) -> list[Path]:
    return sorted(folder.glob(f"{kind}-*.parquet"))


def _read_part(path: Path, schema: pa.Schema) -> pa.Table:
    try:
        # Not by the path: a data set would be looked for there.
        with path.open("rb") as f:
            return pq.read_table(f, columns=schema.names).cast(schema)
    except pa.ArrowException as error:
        raise InputError(f"this part of a log cannot be read: {error}", place=str(path)) from None


class Parts:
    """The parts of one kind: what is on disk, and the rows of the last part, which still grows."""

    def __init__(self, folder: Path, kind: str, schema: pa.Schema, resume_step: int) -> None:
        self._folder, self._kind, self._schema = folder, kind, schema
        self._rows: list[tuple[Any, ...]] = []
        self._path: Path | None = None
        self._written = 0
        for path in _paths(folder, kind):
            if int(path.stem.removeprefix(f"{kind}-")) >= resume_step:
                path.unlink()
        if kept := _paths(folder, kind):
            self._take_up(kept[-1], resume_step)

    def _take_up(self, path: Path, resume_step: int) -> None:
        """Go on in a part, without its rows of steps that are to come again."""
        try:
            table = _read_part(path, self._schema)
        except InputError:
            # A log is no reason to stop a training.
            path.unlink()
            return
        last = self._schema.get_field_index("last_step" if self._kind == "groups" else "step")
        rows = [tuple(row.values()) for row in table.to_pylist()]
        kept = [row for row in rows if row[last] < resume_step]
        if len(rows) >= ROWS_A_PART and len(kept) == len(rows):
            return
        if not kept:
            path.unlink()
            return
        self._path, self._rows = path, kept
        self._written = len(rows) if len(kept) == len(rows) else 0

    def append(self, row: tuple[Any, ...]) -> None:
        self._rows.append(row)

    def write(self) -> None:
        """Write the last part again, if it has grown; begin another when it is full."""
        if len(self._rows) == self._written:
            return
        if self._path is None:
            self._path = self._folder / f"{self._kind}-{self._rows[0][0]:09d}.parquet"
        columns = [
            pa.array(column, type)
            for column, type in zip(zip(*self._rows, strict=True), self._schema.types, strict=True)
        ]
        sink = pa.BufferOutputStream()
        pq.write_table(pa.table(columns, schema=self._schema), sink, compression="zstd")
        write_aside(self._path, sink.getvalue().to_pybytes())
        self._written = len(self._rows)
        if self._written >= ROWS_A_PART:
            self._rows, self._path, self._written = [], None, 0
