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


#: What of a document stands behind its verdicts, beside its text.
_COLUMNS = ["id", "title", "authors", "licences", "retrieved", "reservations", "digest", "origin", "date"]

#: Ids of a source that a wrong one is compared with, and those that are shown.
_MOST_KNOWN, _MOST_SHOWN = 100_000, 3


@dataclass(frozen=True)
class Standing:
    """Folders of what was made of a source: its documents, its rights, and the later look at its sites."""

    documents: Path
    rights: Path | None = None
    optout: Path | None = None


@dataclass(frozen=True)
class Found:
    """A document of one source with the rows of its rights; without any, where they are not looked up.

    `later` is what its site and its page said when they were asked again.
    """

    id: str
    source: str
    document: Mapping[str, Any]
    rows: tuple[Mapping[str, Any], ...]
    later: tuple[Mapping[str, Any], ...] = ()


def find_document(id: str, standing: Mapping[str, Standing]) -> Found:
    """Look a document up by its id, in the sources of `standing`.

    Raises DeclarationError where no source has it, with the nearest ids.
    """
    known: list[str] = []
    for source, made in standing.items():
        path = made.documents / "documents.parquet"
        found = pq.read_table(path, columns=_COLUMNS, filters=[("id", "=", id)]).to_pylist()
        if found:
            return Found(id, source, found[0], _rows(id, made.rights), _later(id, made.optout))
        known += pq.read_table(path, columns=["id"])["id"].to_pylist()[:_MOST_KNOWN]
    raise DeclarationError(
        f"no source has a document “{id}” whose rights are computed", remedy=_near(id, known)
    )


def _near(id: str, known: Sequence[str]) -> str:
    """Which ids were perhaps meant, as a sentence: those that hold the word, or are it but for a source named
    before them; else the one most like it."""
    holding = [one for one in known if id.lower() in one.lower() or id.endswith(f":{one}")]
    if 0 < len(holding) <= _MOST_SHOWN:
        return f"Did you mean {' or '.join(f'“{one}”' for one in holding)}?"
    return did_you_mean(id, known) or "`hemicycle clear --documents` lists the ids of documents."


def _rows(id: str, rights: Path | None) -> tuple[Mapping[str, Any], ...]:
    if rights is None:
        return ()
    return tuple(pq.read_table(rights / "rights.parquet", filters=[("id", "=", id)]).to_pylist())


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
