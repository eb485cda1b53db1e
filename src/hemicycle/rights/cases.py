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
from hemicycle.rights.layers import bare, relevant

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Case:
    """What documents have in common that get the same verdict.

    Attributes:
        statements: (stated by, expression) as the documents carry them.
        authors: contributors as `layers.relevant` gives them.
        reservation: what opt-out protocols say together: reserved, unknown or allowed; empty where the
            document has no evidence of any.
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
        self._by_key: dict[tuple[str, str, str], int] = {}
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
                "statements": _statements(batch["licences"]),
                "people": self._who(batch),
                "reservation": self._reservations(batch),
            }
        )
        distinct = keys.unique(maintain_order=True)
        found = [self._case(*key) for key in distinct.iter_rows()]
        table = distinct.with_columns(pl.Series("number", found, dtype=pl.Int64))
        joined = keys.join(table, on=keys.columns, how="left", maintain_order="left")
        return joined["number"].to_numpy()

    def _case(self, statements: str, people: str, reservation: str) -> int:
        number = self._by_key.get((statements, people, reservation))
        if number is None:
            if people not in self._counted:
                self._counted[people] = relevant([self._people[int(person)] for person in people.split()])
            if statements not in self._stated:
                self._stated[statements] = _read_statements(statements)
            case = Case(self._stated[statements], self._counted[people], reservation)
            number = self._number.setdefault(case, len(self.cases))
            if number == len(self.cases):
                self.cases.append(case)
            self._by_key[statements, people, reservation] = number
        return number

    def _reservations(self, batch: pa.Table) -> pl.Series:
        """What each document's protocols say together, those of a later check included."""
        import polars as pl

        said = _combined(batch["reservations"])
        if self._rechecked is None or self._rechecked.is_empty():
            return said
        frame = pl.DataFrame({"id": pl.Series(batch["id"].to_pylist(), dtype=pl.String), "said": said})
        later = frame.join(self._rechecked.select("id", "value"), on="id", how="left", maintain_order="left")
        either = pl.concat_list("said", pl.col("value").fill_null(""))
        # What was allowed when it was collected and is not said any more is not allowed now.
        order = ["reserved", "unknown", "allowed", ""]
        return later.select(
            pl.coalesce(*(pl.when(either.list.contains(word)).then(pl.lit(word)) for word in order)).alias(
                "said"
            )
        )["said"]

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


def _combined(reservations: pa.ChunkedArray) -> pl.Series:
    """The most restrictive value of each document: reserved before unknown mixed with nothing, then allowed.

    One protocol that allows outweighs others that are silent; a value that is none of the three reserves.
    """
    import polars as pl

    values = pl.col("reservations").list.eval(pl.element().struct.field("value"))
    known = values.list.eval(pl.element().is_in(["allowed", "unknown"]).fill_null(False))
    said = (
        pl.when(pl.col("reservations").list.len().fill_null(0) == 0)
        .then(pl.lit(""))
        .when(~known.list.all())
        .then(pl.lit("reserved"))
        .when(values.list.contains("allowed"))
        .then(pl.lit("allowed"))
        .otherwise(pl.lit("unknown"))
    )
    return pl.DataFrame(pa.table({"reservations": reservations})).select(said.alias("said"))["said"]


def _read_statements(lines: str) -> tuple[tuple[str, str], ...]:
    """The statements behind lines of JSON. What is null in one is empty text, hence unreadable."""
    # Not splitlines: it would also break at separators that JSON leaves as they are.
    stated = [json.loads(line) for line in lines.split("\n") if line]
    return tuple(sorted({(s["stated_by"] or "", s["expression"] or "") for s in stated}))


def _statements(licences: pa.ChunkedArray) -> pl.Series:
    """One line of JSON a statement, sorted, each once."""
    import polars as pl

    members = [pl.element().struct.field(name) for name in ("stated_by", "expression")]
    lines = pl.col("licences").list.eval(pl.struct(members).struct.json_encode())
    frame = pl.DataFrame(pa.table({"licences": licences}))
    return frame.select(lines.list.unique().list.sort().list.join("\n").fill_null(""))["licences"]
