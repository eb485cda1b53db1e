"""Read a subset: everything once for what can be counted of all documents, then the documents to measure.

Measuring costs far more than reading, so of a large subset a sample is measured: the documents of the
smallest digests. Which ones follows from their texts alone, whatever the files are called and however they
are cut, and whoever repeats the review measures the same ones. Copies and raw files are counted in full.
"""

from __future__ import annotations

import dataclasses
import hashlib
import heapq
from array import array
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hemicycle.digests import sha256_file
from hemicycle.documents import Document, StatedLicence, write_documents
from hemicycle.errors import InputError
from hemicycle.progress import Bar
from hemicycle.project import Card
from hemicycle.review.subsets import Subset
from hemicycle.rights.foreign import MAX_CELL
from hemicycle.sources.huggingface import documents_of_file

#: Different licences that rows of one subset may state; what the rest states counts as one.
MOST_LICENCES = 1_000
OTHERS = "(more licences than are listed)"


@dataclasses.dataclass
class Counted:
    """What was counted of all documents of a subset.

    Attributes:
        files: path inside the data set → SHA-256 of the raw file.
        heads: the first eight bytes of the SHA-256 of every text.
        licences: as rows state them → documents.
        sample: (number of the file, number of the row) of the documents to measure; None: all.
    """

    documents: int
    bytes: int
    files: dict[str, str]
    heads: npt.NDArray[np.uint64]
    licences: dict[str, int]
    sample: frozenset[tuple[int, int]] | None

    @property
    def copies(self) -> int:
        """Documents whose text another one of the subset has."""
        return len(self.heads) - len(np.unique(self.heads))

    def among(self, heads: npt.NDArray[np.uint64]) -> int:
        """Documents whose text is one of those with these heads."""
        return int(np.isin(self.heads, heads).sum())


def count(subset: Subset, reading: Card, sample: int | None, bar: Bar) -> Counted:
    """Read a subset through. Raises InputError, with the file, where it cannot be read to its end."""
    heads = array("Q")
    licences: Counter[str] = Counter()
    smallest: list[tuple[int, int, int]] = []
    size = 0
    for number, row, document in _documents(subset, reading):
        data = document.text.encode("utf-8")
        head = int.from_bytes(hashlib.sha256(data).digest()[:8])
        heads.append(head)
        size += len(data)
        for stated in document.licences:
            cell = stated.expression[:MAX_CELL]
            licences[cell if cell in licences or len(licences) < MOST_LICENCES else OTHERS] += 1
        if sample is not None:
            # A heap has its smallest in front: of negative digests that is the largest of the sample.
            entry = (-head, -number, -row)
            if len(smallest) < sample:
                heapq.heappush(smallest, entry)
            else:
                heapq.heappushpop(smallest, entry)
        bar.advance(1)
    whole = sample is None or len(heads) <= sample
    return Counted(
        len(heads),
        size,
        {name: sha256_file(path) for name, path in subset.files},
        np.frombuffer(heads, np.uint64) if heads else np.zeros(0, np.uint64),
        dict(licences),
        None if whole else frozenset((-number, -row) for _, number, row in smallest),
    )


def write_sample(
    subset: Subset,
    counted: Counted,
    reading: Card,
    language: str | None,
    licences: tuple[StatedLicence, ...],
    out: Path,
) -> int:
    """Write the documents to measure as one Parquet file and return how many.

    A document's id becomes ``FILE#ROW``: ids of strangers need not be distinct. What it states of its
    language stands before `language`; to what it states of its licence comes what cards state.
    """

    def chosen() -> Iterator[Document]:
        for number, row, document in _documents(subset, reading):
            if counted.sample is None or (number, row) in counted.sample:
                yield dataclasses.replace(
                    document,
                    id=f"{subset.files[number][0]}#{row}",
                    group=None,
                    language=document.language or language,
                    kind=document.kind or reading.kind,
                    licences=licences + document.licences,
                )

    return write_documents(out, subset.name, chosen())


def _documents(subset: Subset, reading: Card) -> Iterator[tuple[int, int, Document]]:
    for number, (name, path) in enumerate(subset.files):
        try:
            for row, document in enumerate(documents_of_file(path, name, reading) or (), 1):
                yield number, row, document
        except OSError as error:
            raise InputError(f"it cannot be read: {error.strerror or error}", place=name) from None
