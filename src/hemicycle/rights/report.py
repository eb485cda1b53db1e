"""A report on one document: its verdicts in every country, and everything that stands behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from hemicycle.documents import Author
from hemicycle.errors import DeclarationError, did_you_mean
from hemicycle.project import Card
from hemicycle.rights.authority import Authority
from hemicycle.rights.explanations import Language, explain
from hemicycle.rights.layers import relevant, with_scanner, works_of
from hemicycle.rights.policy import Policy
from hemicycle.rights.term import judge
from hemicycle.rights.term_words import tell

LANGUAGES: tuple[Language, ...] = ("en", "fr")

#: What a verdict's row says beside country and use.
_SHARED = (
    *("verdict", "obligations", "licence", "basis", "rules"),
    *("free_from", "safe_from", "explanation", "statements"),
)


@dataclass(frozen=True)
class Found:
    """A document of one source with the rows of its rights.

    `later` is what its site and its page said when they were asked again.
    """

    id: str
    source: str
    document: Mapping[str, Any]
    rows: tuple[Mapping[str, Any], ...]
    later: tuple[Mapping[str, Any], ...] = ()


def find_document(id: str, standing: Mapping[str, tuple[Path, Path, Path | None]]) -> Found:
    """Look a document up by its id.

    `standing`: source → folders of its documents, of its rights and, of web sources, of the later look at
    their sites.

    Raises DeclarationError where no source has it, with the nearest id.
    """
    known: list[str] = []
    for source, (documents, rights, optout) in standing.items():
        rows = pq.read_table(rights / "rights.parquet", filters=[("id", "=", id)]).to_pylist()
        if rows:
            columns = [
                "id",
                "title",
                "authors",
                "licences",
                "retrieved",
                "reservations",
                "digest",
                "origin",
                "date",
            ]
            path = documents / "documents.parquet"
            document = pq.read_table(path, columns=columns, filters=[("id", "=", id)]).to_pylist()[0]
            return Found(id, source, document, tuple(rows), _later(id, optout))
        known += pq.read_table(rights / "rights.parquet", columns=["id"])["id"].unique().to_pylist()[:100_000]
    raise DeclarationError(
        f"no source has a document “{id}” whose rights are computed",
        remedy=did_you_mean(id, known) or "Ids are SOURCE:ORIGIN; `hemicycle clear` computes rights.",
    )


def _later(id: str, optout: Path | None) -> tuple[Mapping[str, Any], ...]:
    if optout is None:
        return ()
    rows = pq.read_table(optout / "optout.parquet", filters=[("id", "=", id)]).to_pylist()
    return tuple(finding for row in rows for finding in row["reservations"])


def report(found: Found, card: Card, policy: Policy, authority: Authority | None = None) -> dict[str, Any]:
    """Everything behind a document's verdicts, as JSON; uses with the same verdict are told together."""
    stated = [
        Author(
            a["name"] or "", a["role"] or "", a["birth"], a["death"], tuple(a["flags"] or ()), a["published"]
        )
        for a in found.document["authors"] or ()
    ]
    statements = [(x["stated_by"], x["expression"]) for x in found.document["licences"] or ()]
    authors = with_scanner([authority.complete(a) for a in stated] if authority else stated, statements)
    verdicts: list[dict[str, Any]] = []
    for row in found.rows:
        same = next(
            (
                v
                for v in verdicts
                if v["jurisdiction"] == row["jurisdiction"] and all(v[k] == row[k] for k in _SHARED)
            ),
            None,
        )
        if same is not None:
            same["uses"].append(row["use"])
            continue
        told = {"jurisdiction": row["jurisdiction"], "uses": [row["use"]], "as_of": row["as_of"]}
        told |= {key: row[key] for key in _SHARED}
        for language in LANGUAGES:
            told[f"explanation_{language}"] = _told(row, authors, policy, language)
        verdicts.append(told)
    return {
        "id": found.id,
        "source": found.source,
        "title": found.document["title"],
        "origin": found.document["origin"],
        "digest": found.document["digest"],
        "authors": found.document["authors"],
        "attested_by": card.rights.attested_by,
        "evidence": card.rights.evidence,
        "blocked": card.rights.blocked,
        "offered": card.rights.offered.model_dump(mode="json") if card.rights.offered else None,
        "verdicts": verdicts,
        "reservations": found.document["reservations"] or [],
        "asked_again": list(found.later),
        "retrieved": found.document["retrieved"],
    }


def _told(row: Mapping[str, Any], authors: Sequence[Author], policy: Policy, language: Language) -> str:
    """The sentence of a row and, where its authors' term had a say, how that was reckoned."""
    said = [explain(row["explanation"], language)]
    if row["basis"] in ("term", "licence+term"):
        works = works_of(relevant(authors))
        on = date.fromisoformat(row["as_of"])
        for work in works if not isinstance(works, str) else ():
            verdict = judge(work, row["jurisdiction"], on, confirmed=policy.confirmed)
            if verdict.free_from is not None:
                said.append(tell(verdict, language))
    return " ".join(said)
