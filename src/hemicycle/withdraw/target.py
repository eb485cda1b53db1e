"""Target: what is to be withdrawn, by the names of sources and the ids of documents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hemicycle.errors import UnknownNameError, did_you_mean
from hemicycle.governance import Withdrawn

#: Ids of a source that a misspelt one is compared with.
COMPARED = 20_000


@dataclass(frozen=True)
class Target:
    """What is to be withdrawn.

    Attributes:
        sources: that leave as a whole.
        documents: source → id of its documents that leave → digest of the text as it was read.
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


def resolve_target(names: Sequence[str], sources: Iterable[str], documents: Mapping[str, Path]) -> Target:
    """The sources and documents of these names.

    Args:
        sources: all that are declared, or were ever collected.
        documents: source → its table of documents, of those that are here.

    Raises UnknownNameError, with what was probably meant, on a name that is neither.
    """
    known, whole = set(sources), set[str]()
    wanted = dict.fromkeys(names)
    found: dict[str, dict[str, str]] = {}
    for source in sorted(known & set(wanted)):
        whole.add(source)
    ids = pa.array([name for name in wanted if name not in known], pa.string())
    met: set[str] = set()
    for source, path in sorted(documents.items()) if len(ids) else ():
        table = pq.read_table(path, columns=["id", "digest"])
        own = table.filter(pc.is_in(table["id"], value_set=ids)).to_pylist()
        met |= {row["id"] for row in own}
        if own and source not in whole:
            found[source] = {row["id"]: row["digest"] for row in own}
    for name in ids.to_pylist():
        if name not in met:
            raise _unknown(name, known, documents)
    return Target(tuple(sorted(whole)), found)


def _unknown(name: str, sources: set[str], documents: Mapping[str, Path]) -> UnknownNameError:
    near = list(sources)
    own = documents.get(name.split(":", 1)[0])
    if own is not None:
        near += pq.read_table(own, columns=["id"])["id"].slice(0, COMPARED).to_pylist()
    listed = f"Sources: {', '.join(sorted(sources)) or 'none'}."
    return UnknownNameError(
        f"there is no source and no document “{name}”",
        remedy=did_you_mean(name, near) or f"{listed} `hemicycle clear --documents` lists documents by id.",
    )
