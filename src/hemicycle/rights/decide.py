"""Decide: a verdict for every document, jurisdiction and use of a source, as a Parquet table.

Verdicts are computed once for each distinct case (what is stated, and the authors' dates), then spread
over the documents by column operations; a million documents under three licences are three decisions.
Neither order nor sharding can matter: a case holds all that its verdicts depend on.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hemicycle.digests import canonical_json, sha256_file
from hemicycle.documents import SCHEMA as DOCUMENTS
from hemicycle.documents import Author, read_batches, write_parquet
from hemicycle.errors import DeclarationError, IntegrityError
from hemicycle.progress import QUIET, Progress
from hemicycle.project import Card
from hemicycle.rights.authority import Authority, load_authority
from hemicycle.rights.cases import Case, Cases
from hemicycle.rights.finding import Finding, find
from hemicycle.rights.layers import judge_works, works_of
from hemicycle.rights.licences import judge_expression
from hemicycle.rights.policy import USES, VERDICTS, Policy, Use, default_policy
from hemicycle.rights.term import TermVerdict

#: One row a document, jurisdiction and use. `statements` quotes who stated what. `characters` is the length
#: of the text: nobody opens a refused one to tell it.
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("digest", pa.string()),
        ("jurisdiction", pa.string()),
        ("use", pa.string()),
        ("verdict", pa.string()),
        ("obligations", pa.list_(pa.string())),
        ("licence", pa.string()),
        ("basis", pa.string()),
        ("rules", pa.list_(pa.string())),
        ("free_from", pa.string()),
        ("safe_from", pa.string()),
        ("explanation", pa.string()),
        ("statements", pa.list_(pa.string())),
        ("as_of", pa.string()),
        ("characters", pa.int64()),
    ]
)

_COLUMNS = ["id", "digest", "text", "authors", "licences", "reservations"]


def decide(
    documents: Path,
    card: Card,
    source: str,
    jurisdictions: Sequence[str],
    on: date,
    out: Path,
    *,
    policy: Policy | None = None,
    authority: Path | None = None,
    rechecked: Path | None = None,
    progress: Progress = QUIET,
) -> dict[str, Any]:
    """Write `out/rights.parquet` for the documents of one source and return what was found.

    Args:
        documents: a Parquet file of `documents.SCHEMA`, read one row group at a time.
        on: the day the verdicts are given for.
        policy: the default policy where none is given.
        authority: the project's file of authors, for years that the source leaves open.
        rechecked: a table (`sources.recheck.SCHEMA`) of what sites said later than the documents have it.

    Returns:
        Counts of documents and characters, `verdicts` and `reasons` by jurisdiction and use,
        `combinations` (distinct cases), `rules` (ids of the rows used), `verdicts_digest` (of every
        document's id, text and verdicts, with the reason of each `review`, whatever the day), `authors`
        (digest of the file of authors where it completed what this source says of one, else None) and
        `holds_until`: the ISO date of the first later day on which a verdict or its reason becomes another,
        or None.

    Raises:
        IntegrityError: the documents are not what the read stage writes.
        DeclarationError: no jurisdiction is asked for.
    """
    import polars as pl

    if not jurisdictions:
        raise DeclarationError("rights are asked for in no jurisdiction", remedy="Name one, such as FR.")
    known = load_authority(authority) if authority is not None else None
    cases = Cases(known, pl.read_parquet(rechecked) if rechecked is not None else None)
    docket = _Docket(card, policy or default_policy(), sorted(set(jurisdictions)), on, cases)
    out.mkdir(parents=True, exist_ok=True)
    try:
        total = pq.read_metadata(documents).num_rows
        with progress.start(f"rights of {source}", total, "documents") as bar:

            def batches() -> Iterator[pa.Table]:
                for batch in read_batches(documents, _COLUMNS):
                    yield docket.settle(batch)
                    bar.advance(batch.num_rows)

            write_parquet(out / "rights.parquet", SCHEMA, batches())
    except (pa.ArrowException, pl.exceptions.PolarsError, OSError) as error:
        raise IntegrityError(
            f"the documents of {source} cannot be read: {str(error).splitlines()[0]}",
            place=str(documents),
            remedy="Delete the artefact and run again.",
        ) from None
    completed = authority is not None and cases.completed
    return docket.figures(source) | {"authors": sha256_file(authority) if completed and authority else None}


def decide_document(
    document: Mapping[str, Any],
    card: Card,
    jurisdictions: Sequence[str],
    on: date,
    *,
    policy: Policy,
    authority: Authority | None = None,
    rechecked: Path | None = None,
) -> list[dict[str, Any]]:
    """The rows that `decide` would write for one document of a source on a day; nothing is written.

    Args:
        document: at least `id`, `digest`, `authors`, `licences` and `reservations` as `documents.SCHEMA` has
            them.
    """
    import polars as pl

    schema = pa.schema([DOCUMENTS.field(name) for name in _COLUMNS])
    cases = Cases(authority, pl.read_parquet(rechecked) if rechecked is not None else None)
    docket = _Docket(card, policy, sorted(set(jurisdictions)), on, cases)
    rows: list[dict[str, Any]] = docket.settle(pa.Table.from_pylist([dict(document)], schema)).to_pylist()
    return rows


#: A row of `SCHEMA` without document and day: what many documents share.
_Row = tuple[str, Use, Finding]


class _Docket:
    """The cases met so far, the distinct rows of their findings, and how many documents each stands for."""

    def __init__(
        self,
        card: Card,
        policy: Policy,
        jurisdictions: list[str],
        on: date,
        cases: Cases,
    ) -> None:
        self.rights, self.policy, self.jurisdictions, self.on = card.rights, policy, jurisdictions, on
        self.web = card.reader == "web"
        self.download = bool(card.urls) and not self.web
        self.asked: list[tuple[str, Use]] = [(j, use) for j in jurisdictions for use in USES]
        self.cases = cases
        self.digest = hashlib.sha256(canonical_json([jurisdictions, list(USES)]))
        self.rows: list[_Row] = []
        self.changes_on: date | None = None
        self.documents = self.characters = 0
        self._row: dict[_Row, int] = {}
        self._table = self._rows_table([])
        self._of_case = np.zeros((0, len(self.asked)), np.int64)
        self._counts = np.zeros((2, 0), np.int64)
        self._terms: dict[tuple[Author, ...], list[TermVerdict]] = {}
        self._found: dict[tuple[Any, ...], Mapping[Use, Finding]] = {}
        self._numbers: dict[tuple[Any, ...], list[int]] = {}
        self._judge = functools.cache(lambda expression: judge_expression(expression, policy))

    def settle(self, batch: pa.Table) -> pa.Table:
        """Rows of `SCHEMA` for a batch of documents, in their order."""
        numbers = self.cases.numbers(batch)
        new = [self._decide(case) for case in self.cases.cases[len(self._of_case) :]]
        if new:
            self._of_case = np.concatenate([self._of_case, np.array(new, np.int64)])
        rows = self._of_case[numbers].ravel()
        width = len(self.asked)
        self._digest(batch, numbers)
        lengths = pc.fill_null(pc.utf8_length(batch["text"]), 0).to_numpy()
        self._count(rows, np.repeat(lengths, width))
        self.documents += batch.num_rows
        self.characters += int(lengths.sum())
        if len(self.rows) > self._table.num_rows:
            added = self._rows_table(self.rows[self._table.num_rows :])
            self._table = pa.concat_tables([self._table, added]).combine_chunks()
        spread = self._table.take(rows)
        repeated = np.repeat(np.arange(batch.num_rows), width)
        columns = {name: batch[name].take(repeated) for name in ("id", "digest")}
        columns["characters"] = pa.array(lengths, pa.int64()).take(repeated)
        columns |= {name: spread[name] for name in spread.column_names}
        return pa.table([columns[name] for name in SCHEMA.names], names=SCHEMA.names)

    def _digest(self, batch: pa.Table, numbers: npt.NDArray[np.int64]) -> None:
        """Take in one line a document: its id, the digest of its text, each verdict, and why where it is
        `review`: who lifts one reason has not seen another."""
        seen, which = np.unique(numbers, return_inverse=True)
        verdicts = pa.array([" ".join(map(self._mark, rows)) for rows in self._of_case[seen]], pa.string())
        ids = [pc.fill_null(batch[name], "") for name in ("id", "digest")]
        lines = pc.binary_join_element_wise(*ids, verdicts.take(pa.array(which)), "\x1f")
        self.digest.update(("\x1e".join(lines.to_pylist()) + "\x1e").encode("utf-8"))

    def _mark(self, row: int) -> str:
        finding = self.rows[row][2]
        return finding.explanation if finding.verdict == "review" else finding.verdict

    def _count(self, rows: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]) -> None:
        grown = np.zeros((2, len(self.rows)), np.int64)
        grown[:, : self._counts.shape[1]] = self._counts
        grown[0] += np.bincount(rows, minlength=len(self.rows))
        grown[1] += np.bincount(rows, weights=lengths, minlength=len(self.rows)).astype(np.int64)
        self._counts = grown

    def figures(self, source: str) -> dict[str, Any]:
        verdicts: dict[str, dict[str, dict[str, dict[str, int]]]] = {}
        reasons: dict[str, dict[str, dict[str, dict[str, int]]]] = {}
        for jurisdiction, use in self.asked:
            nothing = {str(verdict): {"documents": 0, "characters": 0} for verdict in VERDICTS}
            verdicts.setdefault(jurisdiction, {})[use] = nothing
            reasons.setdefault(jurisdiction, {})[use] = {}
        for (jurisdiction, use, finding), (documents, characters) in zip(
            self.rows, self._counts.T.tolist(), strict=True
        ):
            by_reason = reasons[jurisdiction][use]
            for count in (
                verdicts[jurisdiction][use][finding.verdict],
                by_reason.setdefault(finding.explanation, {"documents": 0, "characters": 0}),
            ):
                count["documents"] += documents
                count["characters"] += characters
        return {
            "source": source,
            "as_of": self.on.isoformat(),
            "policy": self.policy.rule,
            "jurisdictions": self.jurisdictions,
            "documents": self.documents,
            "characters": self.characters,
            "combinations": len(self.cases.cases),
            "rules": sorted({rule for _, _, finding in self.rows for rule in finding.rules}),
            "verdicts_digest": self.digest.hexdigest(),
            "verdicts": verdicts,
            "reasons": {j: {u: dict(sorted(r.items())) for u, r in by.items()} for j, by in reasons.items()},
            "holds_until": self.changes_on.isoformat() if self.changes_on else None,
        }

    def _decide(self, case: Case) -> list[int]:
        """The rows of a case in the order of `asked`; notes the first later day that changes one."""
        numbers: list[int] = []
        for jurisdiction, term in zip(self.jurisdictions, self._terms_of(case.authors), strict=True):
            key = jurisdiction, case.statements, case.reservation, _days(term)
            if key not in self._numbers:
                found = self._find(case, term)
                self._numbers[key] = [self._number((jurisdiction, use, found[use])) for use in USES]
            numbers += self._numbers[key]
            later = term.changes_on
            if later is not None and (self.changes_on is None or later < self.changes_on):
                self._note_change(case, jurisdiction, term)
        return numbers

    def _terms_of(self, authors: tuple[Author, ...]) -> list[TermVerdict]:
        """The term of a text's contributors in each jurisdiction."""
        if authors not in self._terms:
            works = works_of(authors)
            self._terms[authors] = [
                judge_works(works, jurisdiction, self.on, confirmed=self.policy.confirmed)
                for jurisdiction in self.jurisdictions
            ]
        return self._terms[authors]

    def _note_change(self, case: Case, jurisdiction: str, term: TermVerdict) -> None:
        """Find the first later day on which a finding of the case becomes another, unless one is known."""
        now, works, later = self._find(case, term), works_of(case.authors), term.changes_on
        while later is not None and (self.changes_on is None or later < self.changes_on):
            term = judge_works(works, jurisdiction, later, confirmed=self.policy.confirmed)
            then = self._find(case, term)
            if any(_reading(then[use]) != _reading(now[use]) for use in USES):
                self.changes_on = later
            later = term.changes_on

    def _find(self, case: Case, term: TermVerdict) -> Mapping[Use, Finding]:
        key = case.statements, case.reservation, _days(term)
        if key not in self._found:
            self._found[key] = find(
                case, self.rights, self.policy, self._judge, term, web=self.web, download=self.download
            )
        return self._found[key]

    def _number(self, row: _Row) -> int:
        number = self._row.setdefault(row, len(self.rows))
        if number == len(self.rows):
            self.rows.append(row)
        return number

    def _rows_table(self, rows: Sequence[_Row]) -> pa.Table:
        told = [
            {
                "jurisdiction": jurisdiction,
                "use": use,
                "verdict": finding.verdict,
                "obligations": list(finding.obligations),
                "licence": finding.licence,
                "basis": finding.basis,
                "rules": list(finding.rules),
                "free_from": finding.free_from.isoformat() if finding.free_from else None,
                "safe_from": finding.safe_from.isoformat() if finding.safe_from else None,
                "explanation": finding.explanation,
                "statements": list(finding.statements),
                "as_of": self.on.isoformat(),
            }
            for jurisdiction, use, finding in rows
        ]
        schema = pa.schema([f for f in SCHEMA if f.name not in ("id", "digest", "characters")])
        return pa.Table.from_pylist(told, schema=schema)


def _days(term: TermVerdict) -> tuple[Any, ...]:
    """What a finding takes of a term."""
    return term.verdict, term.free_from, term.safe_from, term.rules, term.explanation


def _reading(finding: Finding) -> tuple[str, str]:
    return finding.verdict, finding.explanation
