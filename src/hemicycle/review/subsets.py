"""Subsets of a data set: which files belong together, under which card.

A folder with a `README.md` of its own is a subset, and so is a folder at the top that holds data without one;
data at the very top is a subset named `.`. The card at the top speaks for the whole. Where no subset has a
card of its own, it is everybody's card; where some have one, it does not stand in for those without.

The trap is a file that nobody reads. One whose format is not known is no part of any count: it is named, and
its subset is not usable until somebody has looked.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from hemicycle.errors import InputError
from hemicycle.project import Card
from hemicycle.sources.huggingface import CARD, documents_of_file
from hemicycle.sources.local import selection

#: The subset of the files that stand at the top.
TOP = "."


@dataclass(frozen=True)
class Subset:
    """Files that belong together.

    Attributes:
        name: the folder, relative to the data set, with ``/``.
        card: its own card; None where it has none.
        files: (path inside the data set, path) of what a reader knows, in the order of the paths.
        unread: paths inside the data set of what none knows.
    """

    name: str
    card: Path | None
    files: tuple[tuple[str, Path], ...]
    unread: tuple[str, ...]


@dataclass(frozen=True)
class Dataset:
    """A data set. `card` speaks for the whole; `shared`: it is also the card of every subset."""

    name: str
    card: Path | None
    shared: bool
    subsets: tuple[Subset, ...]


def find_subsets(folder: Path, reading: Card) -> Dataset:
    """The subsets of a folder, in the order of their names.

    Raises InputError where the folder holds no data, a link leads out of it, or a name is not UTF-8.
    """
    files = selection(folder, reading)
    cards = {PurePosixPath(name).parent: path for name, path in files if PurePosixPath(name).name == CARD}
    top = cards.pop(PurePosixPath(), None)
    known: dict[str, list[tuple[str, Path]]] = {str(parent): [] for parent in cards}
    unread: dict[str, list[str]] = {}
    for name, path in files:
        try:
            if documents_of_file(path, name, reading) is not None:
                known.setdefault(_subset_of(name, cards), []).append((name, path))
        except InputError:
            unread.setdefault(_subset_of(name, cards), []).append(name)
    subsets = [
        Subset(name, cards.get(PurePosixPath(name)), tuple(known.get(name, ())), tuple(unread.get(name, ())))
        for name in sorted({*known, *unread})
    ]
    if not any(subset.files or subset.unread for subset in subsets):
        raise InputError(
            "there is no data in this folder (known: .parquet, .jsonl, .ndjson, .csv)", place=str(folder)
        )
    return Dataset(folder.resolve().name, top, not cards, tuple(subsets))


def _subset_of(name: str, cards: dict[PurePosixPath, Path]) -> str:
    parents = PurePosixPath(name).parents
    carded = next((str(parent) for parent in parents if parent in cards), None)
    return carded or (PurePosixPath(name).parts[0] if len(parents) > 1 else TOP)
