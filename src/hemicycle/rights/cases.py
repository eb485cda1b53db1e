"""Cases: what documents have in common that get the same verdicts, found by column operations.

A case is what is stated of a document's licence, and the years and flags of those who contributed to it,
and nothing more. Names and evidence are left out: no verdict depends on them, and they would make every
document a case of its own. Two cases are told apart by an injective text (JSON), so no character inside a
licence or a flag can make two of them look alike.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from hemicycle.documents import Author
from hemicycle.rights.layers import bare, relevant

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Case:
    """What documents have in common that get the same verdict.

    Attributes:
        statements: (stated by, expression) as the documents carry them.
        authors: contributors as `layers.relevant` gives them.
    """

    statements: tuple[tuple[str, str], ...]
    authors: tuple[Author, ...]


class Cases:
    """Numbers the cases of documents, batch after batch."""

    def __init__(self) -> None:
        self.cases: list[Case] = []
        self._number: dict[Case, int] = {}
        self._by_key: dict[tuple[str, str], int] = {}
        self._people: list[Author] = []
        self._person: dict[Author, int] = {}
        self._by_json: dict[str, int] = {}

    def numbers(self, batch: pa.Table) -> npt.NDArray[np.int64]:
        """The number of every document's case; `cases` then holds the new ones too."""
        import polars as pl

        keys = pl.DataFrame({"statements": _statements(batch["licences"]), "people": self._who(batch)})
        distinct = keys.unique(maintain_order=True)
        found = [self._case(statements, people) for statements, people in distinct.iter_rows()]
        table = distinct.with_columns(pl.Series("number", found, dtype=pl.Int64))
        joined = keys.join(table, on=["statements", "people"], how="left", maintain_order="left")
        return joined["number"].to_numpy()

    def _case(self, statements: str, people: str) -> int:
        number = self._by_key.get((statements, people))
        if number is None:
            # Not splitlines: it would also break at separators that JSON leaves as they are.
            stated = [json.loads(line) for line in statements.split("\n") if line]
            case = Case(
                # What is null in a statement is empty text, hence unreadable.
                tuple(sorted({(s["stated_by"] or "", s["expression"] or "") for s in stated})),
                relevant([self._people[int(person)] for person in people.split()]),
            )
            number = self._number.setdefault(case, len(self.cases))
            if number == len(self.cases):
                self.cases.append(case)
            self._by_key[statements, people] = number
        return number

    def _who(self, batch: pa.Table) -> pl.Series:
        """For every document the numbers of its contributors, sorted, as text."""
        import polars as pl

        authors = batch["authors"].combine_chunks()
        people = pl.DataFrame(pc.list_flatten(authors).flatten(), schema=[f.name for f in authors.type.value_type])
        told = people.select("role", "birth", "death", "flags", "published")
        told = told.select(pl.struct(pl.all()).struct.json_encode().alias("json"))
        for person in told["json"].unique().to_list():
            if person not in self._by_json:
                self._by_json[person] = self._contributor(json.loads(person))
        numbered = told.select(
            pl.Series("row", pc.list_parent_indices(authors).to_numpy(), dtype=pl.Int64),
            pl.col("json").replace_strict(self._by_json, return_dtype=pl.Int64).alias("person"),
        )
        lists = (
            numbered.filter(pl.col("person") >= 0)
            .sort("row", "person")
            .group_by("row", maintain_order=True)
            .agg(pl.col("person").cast(pl.String).str.join(" "))
        )
        every = pl.DataFrame({"row": pl.arange(batch.num_rows, eager=True, dtype=pl.Int64)})
        return every.join(lists, on="row", how="left", maintain_order="left")["person"].fill_null("")

    def _contributor(self, person: dict[str, object]) -> int:
        """The number of what counts of a contributor; -1 where nothing does."""
        flags = person["flags"] if isinstance(person["flags"], list) else []
        counted = bare(
            Author(
                "",
                str(person["role"] or ""),
                _year(person["birth"]),
                _year(person["death"]),
                tuple(str(flag or "") for flag in flags),
                _year(person["published"]),
            )
        )
        if counted is None:
            return -1
        number = self._person.setdefault(counted, len(self._people))
        if number == len(self._people):
            self._people.append(counted)
        return number


def _year(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _statements(licences: pa.ChunkedArray) -> pl.Series:
    """One line of JSON a statement, sorted, each once."""
    import polars as pl

    members = [pl.element().struct.field(name) for name in ("stated_by", "expression")]
    lines = pl.col("licences").list.eval(pl.struct(members).struct.json_encode())
    frame = pl.DataFrame(pa.table({"licences": licences}))
    return frame.select(lines.list.unique().list.sort().list.join("\n").fill_null(""))["licences"]
