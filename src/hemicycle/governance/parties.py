"""Parties: whom the cards behind a complaint's subjects name, and who so has an interest in its outcome.

A subject is the name of a source, the id of a document, or the place it came from. Of another address nothing
is known here: who examines the complaint says whose it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from hemicycle.governance.complaint_step import LONGEST
from hemicycle.project import Card
from hemicycle.typeset import flatten


def parties_of(
    subjects: Sequence[str], cards: Mapping[str, Card], documents_of: Callable[[str], Path | None]
) -> list[str]:
    """The publishers and attesters of the sources meant.

    Args:
        documents_of: source → the file of its documents, None where none were ever made. Asked only where a
            subject does not itself begin with the name of a source; what it raises comes through.
    """
    named = {subject: {subject, subject.partition(":")[0]} & cards.keys() for subject in subjects}
    sources = {source for found in named.values() for source in found}
    unnamed = [subject for subject, found in named.items() if not found]
    if unnamed:
        sources |= {source for source in cards if _holds(documents_of(source), unnamed)}
    people = (
        name
        for source in sorted(sources)
        for name in (cards[source].publisher, cards[source].rights.attested_by)
        if name
    )
    return list(dict.fromkeys(flatten(name, LONGEST) for name in people))


def _holds(path: Path | None, subjects: Sequence[str]) -> bool:
    import pyarrow.parquet as pq

    if path is None:
        return False
    meant = [[(column, "in", list(subjects))] for column in ("id", "origin")]
    return bool(pq.read_table(path, columns=["id"], filters=meant).num_rows)
