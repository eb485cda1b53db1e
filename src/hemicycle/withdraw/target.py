"""Target: what is to be withdrawn, by the names of sources and the ids of documents.

A document may be gone from the publisher's files, or its source from the declaration, and still be in a
corpus, an index, a model's account of what it read or a release: there too its id is looked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hemicycle.documents import corpus_shards, read_batches
from hemicycle.errors import UnknownNameError, did_you_mean
from hemicycle.governance import Withdrawn
from hemicycle.ledger import Statement

#: Ids of a source that a misspelt one is compared with.
COMPARED = 20_000


@dataclass(frozen=True)
class Target:
    """What is to be withdrawn.

    Attributes:
        sources: that leave as a whole.
        documents: source → id of its documents that leave → digest of the text as it was read, empty where
            only accounts of what was read still name it.
    """

    sources: tuple[str, ...]
    documents: Mapping[str, Mapping[str, str]]

    @property
    def withdrawn(self) -> Withdrawn:
        found: Withdrawn = {source: frozenset(ids) for source, ids in self.documents.items()}
        return found | dict.fromkeys(self.sources)

    @property
    def names(self) -> list[str]:
        """As they are given in a call."""
        return [*self.sources, *(one for ids in self.documents.values() for one in ids)]


def resolve_target(
    names: Sequence[str],
    sources: Iterable[str],
    statements: Sequence[Statement],
    folder_of: Callable[[Statement], Path],
) -> Target:
    """The sources and documents of these names.

    Args:
        sources: all that are declared; those that were ever collected are known by their statements.
        statements: those of the ledger, oldest first.
        folder_of: where the artefact of one stands, or stood.

    Raises UnknownNameError, with what was probably meant, on a name that is neither.
    """
    known = {*sources, *(s.subject.name for s in statements if s.subject.stage == "raw")}
    wanted = dict.fromkeys(names)
    whole = known & wanted.keys()
    missing = wanted.keys() - known
    found: dict[str, dict[str, str]] = {}
    for tables in _places(statements, folder_of):
        met = set()
        ids = pa.array(sorted(missing), pa.string())
        for table in tables if missing else ():
            rows = table.filter(pc.is_in(table["id"], value_set=ids)).to_pylist()
            for row in rows:
                found.setdefault(row["source"], {}).setdefault(row["id"], row["digest"])
                met.add(row["id"])
        # Whoever has an id in two sources means both; an older place is asked only for what is in no newer.
        missing -= met
    for name in wanted:
        if name in missing:
            raise _unknown(name, known, statements, folder_of)
    _add_same(found, statements, folder_of)
    return Target(
        tuple(sorted(whole)),
        {source: dict(sorted(ids.items())) for source, ids in sorted(found.items()) if source not in whole},
    )


def _add_same(
    found: dict[str, dict[str, str]], statements: Sequence[Statement], folder_of: Callable[[Statement], Path]
) -> None:
    """Add the documents of a source that have, or had, the very text of one that was found: a file may have
    been named anew since a model read it."""
    digests = {one for ids in found.values() for one in ids.values() if one}
    for tables in _places(statements, folder_of) if digests else ():
        for table in tables:
            same = pc.is_in(table["digest"], value_set=pa.array(sorted(digests), pa.string()))
            for row in table.filter(same).to_pylist():
                own = found.get(row["source"], {})
                if row["digest"] in own.values():
                    own.setdefault(row["id"], row["digest"])


def _places(
    statements: Sequence[Statement], folder_of: Callable[[Statement], Path]
) -> Iterator[Iterator[pa.Table]]:
    """Tables of id, source and digest, place by place: documents as the publishers have them today, as they
    had them, corpora, and what models read."""
    here = [(s, folder_of(s)) for s in reversed(statements) if folder_of(s).is_dir()]
    made = {s.subject.name: s for s in statements if s.subject.stage == "documents"}
    today = {id(s) for s in made.values()}
    yield (_documents(s, folder) for s, folder in here if id(s) in today)
    yield (_documents(s, f) for s, f in here if s.subject.stage == "documents" and id(s) not in today)
    yield (
        table
        for s, folder in here
        if s.subject.stage == "corpus"
        for path in (*corpus_shards(folder), *corpus_shards(folder, "dropped"))
        for table in read_batches(path, ["id", "source", "digest"])
    )
    yield (
        _with(pq.read_table(path, columns=["document", "source"]).rename_columns(["id", "source"]))
        for s, folder in here
        if s.subject.stage in ("model", "release")
        for path in sorted(folder.glob("**/exposure.parquet"))
    )


def _documents(s: Statement, folder: Path) -> pa.Table:
    return _with(pq.read_table(folder / "documents.parquet", columns=["id", "digest"]), s.subject.name)


def _with(table: pa.Table, source: str | None = None) -> pa.Table:
    """A table with its source where that is not in it, and else with no digest."""
    name, value = ("digest", "") if source is None else ("source", source)
    return table.append_column(name, pa.array([value] * table.num_rows, pa.string()))


def _unknown(
    name: str,
    sources: set[str],
    statements: Sequence[Statement],
    folder_of: Callable[[Statement], Path],
) -> UnknownNameError:
    near = list(sources)
    for s in statements:
        if (s.subject.stage, s.subject.name) == ("documents", name.split(":", 1)[0]) and folder_of(
            s
        ).is_dir():
            ids = pq.read_table(folder_of(s) / "documents.parquet", columns=["id"])["id"]
            near += ids.slice(0, COMPARED).to_pylist()
    listed = f"Sources: {', '.join(sorted(sources)) or 'none'}."
    return UnknownNameError(
        f"there is no source and no document “{name}”",
        remedy=did_you_mean(name, near) or f"{listed} `hemicycle clear --documents` lists documents by id.",
    )
