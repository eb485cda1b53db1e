"""Decide: a verdict for every document, jurisdiction and use of a source, as a Parquet table.

Verdicts are computed once for each distinct case (what is stated, and the authors' dates), then spread
over the documents by column operations; a million documents under three licences are three decisions.
Neither order nor sharding can matter: a case holds all that its verdicts depend on.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hemicycle.documents import read_batches, write_parquet
from hemicycle.errors import DeclarationError, IntegrityError
from hemicycle.progress import QUIET, Progress
from hemicycle.project import Card, CardRights
from hemicycle.rights.cases import Case, Cases
from hemicycle.rights.finding import Finding, find
from hemicycle.rights.layers import term_of
from hemicycle.rights.licences import judge_expression
from hemicycle.rights.policy import USES, VERDICTS, Policy, Use, default_policy

#: One row a document, jurisdiction and use. `statements` quotes who stated what.
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
    ]
)

_COLUMNS = ["id", "digest", "text", "authors", "licences"]


def decide(
    documents: Path,
    card: Card,
    source: str,
    jurisdictions: Sequence[str],
    on: date,
    out: Path,
    *,
    policy: Policy | None = None,
    progress: Progress = QUIET,
) -> dict[str, Any]:
    """Write `out/rights.parquet` for the documents of one source and return what was found.

    Args:
        documents: a Parquet file of `documents.SCHEMA`, read one row group at a time.
        on: the day the verdicts are given for.
        policy: the default policy where none is given.

    Returns:
        Counts of documents and characters, `verdicts` and `reasons` by jurisdiction and use,
        `combinations` (distinct cases) and `holds_until`: the ISO date of the first later day on which a
        verdict or its reason becomes another, or None.

    Raises:
        IntegrityError: the documents are not what the read stage writes.
        DeclarationError: no jurisdiction is asked for.
    """
    import polars as pl

    if not jurisdictions:
        raise DeclarationError("rights are asked for in no jurisdiction", remedy="Name one, such as FR.")
    docket = _Docket(card.rights, policy or default_policy(), sorted(set(jurisdictions)), on)
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
    return docket.figures(source)


@dataclass
class _Docket:
    """The cases met so far with their findings, and how many documents each stands for."""

    rights: CardRights
    policy: Policy
    jurisdictions: list[str]
    on: date
    cases: Cases = field(default_factory=Cases)
    findings: list[list[Finding]] = field(default_factory=list)
    documents: list[int] = field(default_factory=list)
    characters: list[int] = field(default_factory=list)
    changes_on: date | None = None

    def __post_init__(self) -> None:
        self._judge = functools.cache(lambda expression: judge_expression(expression, self.policy))

    def settle(self, batch: pa.Table) -> pa.Table:
        """Rows of `SCHEMA` for a batch of documents, in their order."""
        numbers = self.cases.numbers(batch)
        for case in self.cases.cases[len(self.findings) :]:
            self.documents.append(0)
            self.characters.append(0)
            self.findings.append(self._find(case))
        lengths = pc.fill_null(pc.utf8_length(batch["text"]), 0).to_numpy()
        present, local = np.unique(numbers, return_inverse=True)
        for number, documents, characters in zip(
            present.tolist(),
            np.bincount(local, minlength=len(present)).tolist(),
            np.bincount(local, weights=lengths, minlength=len(present)).tolist(),
            strict=True,
        ):
            self.documents[number] += documents
            self.characters[number] += int(characters)
        width = len(self.jurisdictions) * len(USES)
        rows = [row for number in present.tolist() for row in self._rows(number)]
        schema = pa.schema([f for f in SCHEMA if f.name not in ("id", "digest")])
        verdicts = pa.Table.from_pylist(rows, schema=schema)
        spread = verdicts.take((local[:, None] * width + np.arange(width)).ravel())
        repeated = np.repeat(np.arange(batch.num_rows), width)
        columns = {name: batch[name].take(repeated) for name in ("id", "digest")}
        columns |= {name: spread[name] for name in schema.names}
        return pa.table([columns[name] for name in SCHEMA.names], names=SCHEMA.names)

    def figures(self, source: str) -> dict[str, Any]:
        verdicts: dict[str, dict[str, dict[str, dict[str, int]]]] = {}
        reasons: dict[str, dict[str, dict[str, dict[str, int]]]] = {}
        for index, (jurisdiction, use) in enumerate(self._asked()):
            by_verdict = {verdict: {"documents": 0, "characters": 0} for verdict in VERDICTS}
            by_reason: dict[str, dict[str, int]] = {}
            for findings, documents, characters in zip(
                self.findings, self.documents, self.characters, strict=True
            ):
                finding = findings[index]
                for count in (
                    by_verdict[finding.verdict],
                    by_reason.setdefault(finding.explanation, {"documents": 0, "characters": 0}),
                ):
                    count["documents"] += documents
                    count["characters"] += characters
            verdicts.setdefault(jurisdiction, {})[use] = {str(v): c for v, c in by_verdict.items()}
            reasons.setdefault(jurisdiction, {})[use] = dict(sorted(by_reason.items()))
        return {
            "source": source,
            "as_of": self.on.isoformat(),
            "policy": self.policy.rule,
            "jurisdictions": self.jurisdictions,
            "documents": sum(self.documents),
            "characters": sum(self.characters),
            "combinations": len(self.findings),
            "verdicts": verdicts,
            "reasons": reasons,
            "holds_until": self.changes_on.isoformat() if self.changes_on else None,
        }

    def _asked(self) -> list[tuple[str, Use]]:
        return [(jurisdiction, use) for jurisdiction in self.jurisdictions for use in USES]

    def _find(self, case: Case) -> list[Finding]:
        """Findings in the order of `_asked`; notes the first later day on which one becomes another."""
        findings: list[Finding] = []
        for jurisdiction in self.jurisdictions:
            authors_term = term_of(case.authors, jurisdiction, self.on, confirmed=self.policy.confirmed)
            now = find(case, self.rights, self.policy, self._judge, authors_term)
            findings += [now[use] for use in USES]
            later = authors_term.changes_on
            while later is not None and (self.changes_on is None or later < self.changes_on):
                authors_term = term_of(case.authors, jurisdiction, later, confirmed=self.policy.confirmed)
                then = find(case, self.rights, self.policy, self._judge, authors_term)
                if any(_reading(then[use]) != _reading(now[use]) for use in USES):
                    self.changes_on = later
                    break
                later = authors_term.changes_on
        return findings

    def _rows(self, number: int) -> list[dict[str, Any]]:
        return [
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
            for (jurisdiction, use), finding in zip(self._asked(), self.findings[number], strict=True)
        ]


def _reading(finding: Finding) -> tuple[str, str]:
    return finding.verdict, finding.explanation
