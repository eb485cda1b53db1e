"""The catalogue: ids and sources of the documents of tokens artefacts, read where they are asked for."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hemicycle.errors import InputError, did_you_mean
from hemicycle.tokens.rows import Integers

#: Parts of tables that are kept in memory; each has 100 000 documents.
KEPT_PARTS = 32

#: Ids among which one that was meant is looked for.
MOST_COMPARED = 10_000


class Catalogue:
    """Numbers documents over all corpora, in the order of the addresses.

    Args:
        tokens: corpus → its tokens artefact, in that order.
    """

    def __init__(self, tokens: Mapping[str, Path]) -> None:
        self._tokens = dict(tokens)
        rows, self._parts = [], []
        for name, folder in tokens.items():
            meta = pq.read_metadata(folder / "documents.parquet")
            for group in range(meta.num_row_groups):
                rows.append(meta.row_group(group).num_rows)
                self._parts.append((name, group))
        self._begins = np.cumsum([0, *rows])
        self._part = functools.lru_cache(KEPT_PARTS)(self._read_part)

    def _read_part(self, number: int) -> pa.Table:
        name, group = self._parts[number]
        with pq.ParquetFile(self._tokens[name] / "documents.parquet") as file:
            return file.read_row_group(group, columns=["id", "source"])

    def about(self, documents: Integers) -> pa.Table:
        """Corpus, id and source of documents, in the order given."""
        wanted, back = np.unique(documents, return_inverse=True)
        part = np.searchsorted(self._begins, wanted, side="right") - 1
        tables = []
        for number in np.unique(part).tolist():
            own = wanted[part == number] - self._begins[number]
            taken = self._part(number).take(pa.array(own))
            corpus = pa.array([self._parts[number][0]] * len(own), pa.string())
            tables.append(taken.append_column("corpus", corpus))
        empty = pa.schema([(name, pa.string()) for name in ("id", "source", "corpus")]).empty_table()
        return pa.concat_tables([empty, *tables]).take(pa.array(back))

    def find(self, document: str) -> list[int]:
        """Numbers of the documents with an id: one for each corpus that has it.

        Raises InputError where none has.
        """
        found: list[int] = []
        like: list[str] = []
        for number in range(len(self._parts)):
            ids = self._read_part(number)["id"]
            here = np.flatnonzero(pc.equal(ids, document).to_numpy(zero_copy_only=False))
            found += (here + self._begins[number]).tolist()
            # Most ids begin with the name of their source.
            if not found and len(like) < MOST_COMPARED:
                alike = ids.filter(pc.starts_with(ids, document[:4]))
                like += alike.slice(0, MOST_COMPARED - len(like)).to_pylist()
        if not found:
            raise InputError(
                f"no document with the id “{document}” is among the tokens",
                place=", ".join(map(str, self._tokens.values())),
                remedy=did_you_mean(document, like) or "`hemicycle tokens where --step` shows ids.",
            )
        return found
