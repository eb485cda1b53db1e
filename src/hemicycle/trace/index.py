"""The index: a corpus as suffix arrays of its words, opened by everyone who asks.

It answers for what a model was trained on, so it holds the training split alone. Where every word stands in
the text of its document is not stored: it would double the index. Every 128th is marked, and the few words
that are shown are cut again from there. The price is that excerpts need the corpus; the digest of each text
is kept here, so that another corpus is noticed.

    manifest.json            what is here, with the digest of every file
    documents.N.parquet      a row a document of shard N (`ROWS`)
    tokenized.N, table.N …   the arrays of shard N (`shards`)
    tokenizer.json           of an index of tokens, what cut the texts
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hemicycle.digests import sha256_file
from hemicycle.errors import IntegrityError
from hemicycle.store import FileDigest, artefact_digest
from hemicycle.trace.cut import TOKENIZER, Cut
from hemicycle.trace.folds import NORMALISATION
from hemicycle.trace.shards import Integers, Shard, map_shard

#: Version of the layout of the folder.
LAYOUT = 3

MANIFEST = "manifest.json"

#: One row a document of a shard, in the order of its words. `file` is a place among the files of the shard's
#: group (`Group.files`), `row_group` and `row` a place in that.
ROWS = pa.schema(
    [
        ("id", pa.string()),
        ("digest", pa.string()),
        ("file", pa.int32()),
        ("row_group", pa.int32()),
        ("row", pa.int32()),
    ]
)


@dataclass(frozen=True)
class Group:
    """Shards that were made of the same files, and of nothing else.

    Attributes:
        key: digest of all that decides their bytes.
        files: of each file its place among the corpora, its source, and its number there.
        shards: of each shard the words (separators among them) and the documents.
    """

    key: str
    files: tuple[tuple[int, str, int], ...]
    shards: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Index:
    """An opened index. Its arrays are maps of files and read-only; any number of threads may ask at once.

    Attributes:
        digest: the artefact's digest, as the ledger knows it.
        first_documents: number of the first document of each shard, and after the last the number of all.
        words: of the whole corpus, withdrawn documents left out.
        tokenizer: what cuts a text, of an index of tokens; None: it is one of words.
    """

    folder: Path
    digest: str
    normalisation: int
    groups: tuple[Group, ...]
    shards: tuple[Shard, ...]
    first_documents: tuple[int, ...]
    words: int
    tokenizer: Cut | None = None

    @property
    def unit(self) -> str:
        """What its spans are made of: ``words`` or ``tokens``."""
        return "words" if self.tokenizer is None else "tokens"

    @cached_property
    def documents(self) -> pa.Table:
        """All documents, by number: `ROWS`, with `corpus` (its place among those the index was built from),
        `source`, and `file` as the number of the file there. Read when first asked for."""
        tables = []
        number = 0
        for group in self.groups:
            corpora, sources, files = zip(*group.files, strict=True)
            for _ in group.shards:
                rows = _read_rows(self.folder / f"documents.{number}.parquet")
                place = rows["file"]
                for name, values, kind in (
                    ("file", files, pa.int32()),
                    ("corpus", corpora, pa.int16()),
                    ("source", sources, pa.string()),
                ):
                    column = pa.array(values, kind).take(place.combine_chunks())
                    at = rows.column_names.index(name) if name in rows.column_names else None
                    rows = (
                        rows.append_column(name, column) if at is None else rows.set_column(at, name, column)
                    )
                tables.append(rows)
                number += 1
        return pa.concat_tables(tables)

    @cached_property
    def lengths(self) -> Integers:
        """For each document, its number of words."""
        return np.concatenate([shard.lengths for shard in self.shards])

    @property
    def withdrawn(self) -> int:
        """Documents that are withdrawn and hidden."""
        return sum(len(shard.hidden) for shard in self.shards)

    def shard_of(self, document: int) -> tuple[int, int]:
        """The shard that holds a document, and its number there."""
        shard = int(np.searchsorted(self.first_documents, document, "right")) - 1
        return shard, document - self.first_documents[shard]

    def without(self, documents: Collection[str]) -> Index:
        """The index with documents, by their ids, withdrawn, beside those that already are: no span leads to
        them, and nothing of them is counted.

        Reads the whole suffix array of every shard that holds some (`Shard.without`): less than a second for
        40 million words.
        """
        if not documents:
            return self
        gone = pc.is_in(self.documents["id"], value_set=pa.array(sorted(documents), pa.string())).to_numpy()
        shards = [
            shard.without(np.flatnonzero(gone[first:last]))
            for shard, first, last in zip(
                self.shards, self.first_documents[:-1], self.first_documents[1:], strict=True
            )
        ]
        hidden = [int(np.diff(shard.hidden).sum()) for shard in (*self.shards, *shards)]
        words = self.words + sum(hidden[: len(shards)]) - sum(hidden[len(shards) :])
        return dataclasses.replace(self, shards=tuple(shards), words=words)


def open_index(folder: Path, *, verify: bool = True, withdrawn: Collection[str] = ()) -> Index:
    """Open an index for asking.

    Args:
        verify: compare the digest of every file with the manifest, which reads them once. Without, only
            sizes are compared; for those who have just verified the whole store.
        withdrawn: ids of documents that are not told of any more.

    Raises:
        IntegrityError: a file is missing, cut or altered, or was made by another version.
    """
    place = folder / MANIFEST
    manifest = read_manifest(folder)
    try:
        files = [FileDigest(f["path"], f["size"], f["sha256"]) for f in manifest["files"]]
        groups = groups_of(manifest)
        words = int(manifest["words"])
        unit = manifest["unit"]
    except (ValueError, KeyError, TypeError):
        raise IntegrityError("this is not the manifest of an index", place=str(place)) from None
    for file in files:
        _check(folder, file, verify)
    sizes = {file.path: file.size for file in files}
    counted = [counts for group in groups for counts in group.shards]
    index = Index(
        folder=folder,
        digest=_digest(folder, files),
        normalisation=NORMALISATION,
        groups=groups,
        shards=tuple(map_shard(folder, n, *counts, sizes) for n, counts in enumerate(counted)),
        first_documents=(0, *np.cumsum([documents for _, documents in counted]).tolist()),
        words=words,
        tokenizer=Cut(folder / TOKENIZER) if unit == "tokens" else None,
    )
    return index.without(withdrawn)


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of an index of this version. Raises IntegrityError where it is not one."""
    place = folder / MANIFEST
    try:
        manifest: dict[str, Any] = json.loads(place.read_bytes())
        version = (manifest["layout"], manifest["normalisation"])
    except FileNotFoundError:
        raise IntegrityError(
            "there is no index here", place=str(place), remedy="Build it: hemicycle run."
        ) from None
    except (ValueError, KeyError, TypeError):
        raise IntegrityError("this is not the manifest of an index", place=str(place)) from None
    if version != (LAYOUT, NORMALISATION):
        raise IntegrityError(
            f"the index has layout {version[0]} and normalisation {version[1]}, "
            f"this version reads {LAYOUT} and {NORMALISATION}",
            place=str(place),
            remedy="Build the index anew: hemicycle run.",
        )
    return manifest


def groups_of(manifest: dict[str, Any]) -> tuple[Group, ...]:
    """The groups that a manifest tells of. Raises KeyError, TypeError or ValueError where they are odd."""
    return tuple(
        Group(
            group["key"],
            tuple((int(corpus), str(source), int(number)) for corpus, source, number in group["files"]),
            tuple((int(shard["words"]), int(shard["documents"])) for shard in group["shards"]),
        )
        for group in manifest["groups"]
    )


def _read_rows(path: Path) -> pa.Table:
    try:
        return pq.read_table(path, schema=ROWS)
    except (OSError, pa.ArrowException) as error:
        raise IntegrityError(f"the table cannot be read: {error}", place=str(path)) from None


def _check(folder: Path, file: FileDigest, verify: bool) -> None:
    path = folder / file.path
    if not path.is_file():
        raise IntegrityError("the file is missing from the index", place=str(path))
    size = path.stat().st_size
    if size != file.size:
        raise IntegrityError(f"the file has {size} bytes, the manifest says {file.size}", place=str(path))
    if verify and sha256_file(path) != file.sha256:
        raise IntegrityError("the file was altered after the index was built", place=str(path))


def _digest(folder: Path, files: list[FileDigest]) -> str:
    """The artefact's digest, from the digests that the manifest holds and that of the manifest itself."""
    path = folder / MANIFEST
    own = FileDigest(MANIFEST, path.stat().st_size, sha256_file(path))
    return artefact_digest(sorted([*files, own], key=lambda f: f.path))
