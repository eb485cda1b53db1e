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
from hemicycle.rights.authority import Authority
from hemicycle.rights.layers import bare, relevant, with_scanner
from hemicycle.rights.optout import over_time, strictest

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Case:
    """What documents have in common that get the same verdict.

    Attributes:
        statements: (stated by, expression) as the documents carry them.
        authors: contributors as `layers.relevant` gives them, who made a scan among them where it is said to
            be in the public domain.
        reservation: what opt-out protocols say together (`optout.law.Value`), a later look included; empty
            where the document has no evidence of any.
    """

    statements: tuple[tuple[str, str], ...]
    authors: tuple[Author, ...]
    reservation: str = ""


class Cases:
    """Numbers the cases of documents, batch after batch.

    With an authority file, names and ids count too: by them it finds the years that a source leaves open.
    """

    def __init__(self, authority: Authority | None = None, rechecked: pl.DataFrame | None = None) -> None:
        self._authority, self._rechecked = authority, rechecked
        self.cases: list[Case] = []
        #: Whether the authority file added anything to what a source says of somebody.
        self.completed = False
        self._number: dict[Case, int] = {}
        self._by_key: dict[tuple[str, ...], int] = {}
        self._stated: dict[str, tuple[tuple[str, str], ...]] = {}
        self._counted: dict[str, tuple[Author, ...]] = {}
        self._people: list[Author] = []
        self._person: dict[Author, int] = {}
        self._by_json: dict[str, int] = {}

    def numbers(self, batch: pa.Table) -> npt.NDArray[np.int64]:
        """The number of every document's case; `cases` then holds the new ones too."""
        import polars as pl

        keys = pl.DataFrame(
            {
                "statements": _lines(batch["licences"], "stated_by", "expression"),
                "people": self._who(batch),
                "said": _lines(batch["reservations"], "value"),
                "later": self._later(batch),
            }
        )
        distinct = keys.unique(maintain_order=True)
        found = [self._case(*key) for key in distinct.iter_rows()]
        table = distinct.with_columns(pl.Series("number", found, dtype=pl.Int64))
        joined = keys.join(table, on=keys.columns, how="left", maintain_order="left")
        return joined["number"].to_numpy()

    def _case(self, statements: str, people: str, said: str, later: str) -> int:
        number = self._by_key.get((statements, people, said, later))
        if number is None:
            reservation = _reservation(said, later)
            if people not in self._counted:
                self._counted[people] = relevant([self._people[int(person)] for person in people.split()])
            if statements not in self._stated:
                self._stated[statements] = _read_statements(statements)
            stated = self._stated[statements]
            case = Case(stated, relevant(with_scanner(self._counted[people], stated)), reservation)
            number = self._number.setdefault(case, len(self.cases))
            if number == len(self.cases):
                self.cases.append(case)
            self._by_key[statements, people, said, later] = number
        return number

    def _later(self, batch: pa.Table) -> pl.Series:
        """What a later look came to for each document; empty where there was none."""
        import polars as pl

        if self._rechecked is None or self._rechecked.is_empty():
            return pl.repeat("", batch.num_rows, dtype=pl.String, eager=True)
        ids = pl.DataFrame({"id": pl.Series(batch["id"].to_pylist(), dtype=pl.String)})
        looked = self._rechecked.select("id", "value")
        return ids.join(looked, on="id", how="left", maintain_order="left")["value"].fill_null("")

    def _who(self, batch: pa.Table) -> pl.Series:
        """For every document the numbers of its contributors, sorted, as text."""
        import polars as pl

        authors = batch["authors"].combine_chunks()
        people = pl.DataFrame(pa.table({"person": pc.list_flatten(authors)})).unnest("person")
        columns = ["role", "birth", "death", "flags", "published", *(["name"] if self._authority else [])]
        told = people.select(pl.struct(columns).struct.json_encode().alias("json"))
        distinct = told["json"].unique().to_list()
        for person in distinct:
            if person not in self._by_json:
                self._by_json[person] = self._contributor(json.loads(person))
        table = pl.DataFrame(
            {"json": distinct, "person": [self._by_json[person] for person in distinct]},
            schema={"json": pl.String, "person": pl.Int64},
        )
        rows = pl.Series("row", pc.list_parent_indices(authors).to_numpy(), dtype=pl.Int64)
        lists = (
            told.with_columns(rows)
            .join(table, on="json", how="left")
            .filter(pl.col("person") >= 0)
            .sort("row", "person")
            .group_by("row", maintain_order=True)
            .agg(pl.col("person").cast(pl.String).str.join(" "))
        )
        every = pl.DataFrame({"row": pl.arange(batch.num_rows, eager=True, dtype=pl.Int64)})
        return every.join(lists, on="row", how="left", maintain_order="left")["person"].fill_null("")

    def _contributor(self, person: dict[str, object]) -> int:
        """The number of what counts of a contributor; -1 where nothing does."""
        flags = person["flags"] if isinstance(person["flags"], list) else []
        author = Author(
            str(person.get("name") or ""),
            str(person["role"] or ""),
            _year(person["birth"]),
            _year(person["death"]),
            tuple(str(flag or "") for flag in flags),
            _year(person["published"]),
        )
        known = self._authority.complete(author) if self._authority else author
        self.completed = self.completed or known != author
        counted = bare(known)
        if counted is None:
            return -1
        number = self._person.setdefault(counted, len(self._people))
        if number == len(self._people):
            self._people.append(counted)
        return number


def _year(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _reservation(said: str, later: str) -> str:
    """What the findings behind lines of JSON and a later look come to; empty where there is neither."""
    found = [json.loads(line)["value"] for line in said.split("\n") if line]
    looks = ([strictest(found)] if found else []) + ([later] if later else [])
    return over_time(looks) if looks else ""


def _read_statements(lines: str) -> tuple[tuple[str, str], ...]:
    """The statements behind lines of JSON. What is null in one is empty text, hence unreadable."""
    # Not splitlines: it would also break at separators that JSON leaves as they are.
    stated = [json.loads(line) for line in lines.split("\n") if line]
    return tuple(sorted({(s["stated_by"] or "", s["expression"] or "") for s in stated}))


def _lines(column: pa.ChunkedArray, *fields: str) -> pl.Series:
    """Of each document's list one line of JSON a member, with the fields that count, sorted, each once."""
    import polars as pl

    members = [pl.element().struct.field(name) for name in fields]
    lines = pl.col("column").list.eval(pl.struct(members).struct.json_encode())
    frame = pl.DataFrame(pa.table({"column": column}))
    return frame.select(lines.list.unique().list.sort().list.join("\n").fill_null(""))["column"]
