"""Parties: whom the cards behind a complaint's subjects name, and who so has an interest in its outcome.

A subject is the name of a source, the id of a document, or an address. Of an address nothing is known here:
who examines the complaint says whose it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from hemicycle.governance.complaint_step import LONGEST
from hemicycle.project import Card
from hemicycle.typeset import flatten


def parties_of(
    subjects: Sequence[str], cards: Mapping[str, Card], documents: Mapping[str, Path]
) -> list[str]:
    """The publishers and attesters of the sources meant. `documents`: source → file of its documents."""
    sources = {word for subject in subjects for word in (subject, subject.partition(":")[0]) if word in cards}
    sources |= {source for source, path in documents.items() if _holds(path, subjects)}
    named = (
        name
        for source in sorted(sources & cards.keys())
        for name in (cards[source].publisher, cards[source].rights.attested_by)
        if name
    )
    return list(dict.fromkeys(flatten(name, LONGEST) for name in named))


def _holds(path: Path, ids: Sequence[str]) -> bool:
    import pyarrow.parquet as pq

    return bool(pq.read_table(path, columns=["id"], filters=[("id", "in", list(ids))]).num_rows)
