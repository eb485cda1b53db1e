"""The index: a corpus as suffix arrays of its words, built once and opened by everyone who asks.

Built from the training split alone, since it answers for what a model was trained on. Documents stand in
the order of the corpus (sources sorted by name, rows as they are), so a source is one contiguous range.

Where a word stands in the text of its document is not stored: it would double the index, and re-splitting
the one document that is shown costs a few milliseconds for a novel (`words.word_bounds`). The price is that
excerpts need the corpus; the digest of each text is kept here, so that another corpus is noticed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from hemicycle.digests import canonical_json, sha256_file
from hemicycle.documents import corpus_shards, parquet_writer, read_batches
from hemicycle.errors import InputError, IntegrityError
from hemicycle.progress import QUIET, Progress
from hemicycle.store import FileDigest, artefact_digest, digest_files
from hemicycle.trace.folds import NORMALISATION
from hemicycle.trace.shards import SEPARATOR, Shard, map_shard, read_unigrams, sort_shard
from hemicycle.trace.vocabulary import Vocabulary
from hemicycle.trace.words import Ids

#: Version of the layout of the folder.
LAYOUT = 2

MANIFEST = "manifest.json"

#: One row a document, in the order of the index. `corpus` is its place among the corpora the index was built
#: from, `file`, `row_group` and `row` its place there; `first_word` is its place in ``tokenized.SHARD``.
DOCUMENTS = pa.schema(
    [
        ("id", pa.string()),
        ("corpus", pa.int16()),
        ("source", pa.string()),
        ("file", pa.int32()),
        ("digest", pa.string()),
        ("row_group", pa.int32()),
        ("row", pa.int32()),
        ("shard", pa.int32()),
        ("first_word", pa.int64()),
        ("words", pa.int64()),
    ]
)
#: Rows of a row group of `documents.parquet`; so many wait in memory while it is written.
DOCUMENTS_A_GROUP = 100_000


@dataclass(frozen=True)
class Index:
    """An opened index. Its arrays are maps of files and read-only; any number of threads may ask at once.

    Attributes:
        digest: the artefact's digest, as the ledger knows it.
        documents: `DOCUMENTS`, whole; a document's number is its row.
        first_documents: number of the first document of each shard, and after the last the number of all.
        counts: how often each word of the vocabulary stands in the corpus.
    """

    folder: Path
    digest: str
    normalisation: int
    vocabulary: Vocabulary
    shards: tuple[Shard, ...]
    documents: pa.Table
    first_documents: tuple[int, ...]
    counts: npt.NDArray[np.int64]

    @cached_property
    def first_words(self) -> npt.NDArray[np.int64]:
        """For each document, the place of its first word in its shard."""
        return np.asarray(self.documents["first_word"], np.int64)

    @cached_property
    def lengths(self) -> npt.NDArray[np.int64]:
        """For each document, its number of words."""
        return np.asarray(self.documents["words"], np.int64)

    @cached_property
    def words(self) -> int:
        """Words of the whole corpus, separators not counted."""
        return int(self.counts.sum())


def build_index(
    corpora: Sequence[Path],
    out: Path,
    *,
    max_words_a_shard: int = 700_000_000,
    progress: Progress = QUIET,
) -> dict[str, Any]:
    """Build the index of the training splits of corpus artefacts into `out`; return its manifest.

    A document that stands in several of the corpora is indexed once.

    Memory: the vocabulary and the ids of all documents (to know one that was seen), then about 20 bytes a
    word of the largest shard. With the default bound a shard stays below the 2^31 bytes up to which the sort
    uses 32-bit numbers. Equal corpora give equal bytes.

    Raises:
        InputError: the corpora have no document to train on.
    """
    out.mkdir(parents=True, exist_ok=True)
    vocabulary = Vocabulary()
    files = [(n, p) for n, corpus in enumerate(corpora) for p in corpus_shards(corpus)]
    rows = sum(pq.read_metadata(path).num_rows for _, path in files)
    seen: set[str] = set()
    with (
        _ShardWriter(out, max_words_a_shard) as writer,
        progress.start("reading words", rows, "documents") as bar,
    ):
        for number, path in files:
            for row in _training_rows(path):
                bar.advance(1)
                if row["id"] not in seen:
                    seen.add(row["id"])
                    place = {"corpus": number, "source": path.parent.name, "file": int(path.stem)}
                    writer.add(row | place, vocabulary.learn(row["text"]))
    shards = writer.shards
    del seen
    if not shards:
        raise InputError(
            "the corpora have no document in their training split",
            place=", ".join(map(str, corpora)),
            remedy="Check what curation dropped and why: hemicycle status.",
        )
    vocabulary.write(out / "vocab")
    with progress.start("sorting suffixes", sum(s["words"] for s in shards), "words") as bar:
        for number, shard in enumerate(shards):
            sort_shard(out, number)
            bar.advance(shard["words"])

    files_made = digest_files(out)
    manifest: dict[str, Any] = {
        "layout": LAYOUT,
        "normalisation": NORMALISATION,
        "vocabulary": {"words": len(vocabulary), "sha256": sha256_file(out / "vocab")},
        "documents": sum(s["documents"] for s in shards),
        "words": sum(s["words"] - s["documents"] for s in shards),
        "shards": shards,
        "files": [{"path": f.path, "size": f.size, "sha256": f.sha256} for f in files_made],
    }
    (out / MANIFEST).write_bytes(canonical_json(manifest) + b"\n")
    return manifest


def open_index(folder: Path, *, verify: bool = True) -> Index:
    """Open an index for asking.

    Args:
        verify: compare the digest of every file with the manifest, which reads them once. Without, only
            sizes are compared; for those who have just verified the whole store.

    Raises:
        IntegrityError: a file is missing, cut or altered, or was made by another version.
    """
    place = folder / MANIFEST
    try:
        manifest = json.loads(place.read_bytes())
        files = [FileDigest(f["path"], f["size"], f["sha256"]) for f in manifest["files"]]
        version = (manifest["layout"], manifest["normalisation"])
        shards = [(int(s["words"]), int(s["documents"])) for s in manifest["shards"]]
        vocabulary_words = int(manifest["vocabulary"]["words"])
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
    for file in files:
        _check(folder, file, verify)

    try:
        documents = pq.read_table(folder / "documents.parquet", schema=DOCUMENTS)
    except (OSError, pa.ArrowException) as error:
        place = folder / "documents.parquet"
        raise IntegrityError(f"the table cannot be read: {error}", place=str(place)) from None
    vocabulary = Vocabulary.read(folder / "vocab")
    if len(vocabulary) != vocabulary_words or documents.num_rows != sum(d for _, d in shards):
        raise IntegrityError("its counts are not those of the files beside it", place=str(place))
    return Index(
        folder=folder,
        digest=_digest(folder, files),
        normalisation=NORMALISATION,
        vocabulary=vocabulary,
        shards=tuple(map_shard(folder, n, *sizes) for n, sizes in enumerate(shards)),
        documents=documents,
        first_documents=(0, *np.cumsum([d for _, d in shards]).tolist()),
        counts=sum(
            (read_unigrams(folder / f"unigram.{n}", len(vocabulary)) for n in range(len(shards))),
            start=np.zeros(len(vocabulary), np.int64),
        ),
    )


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


def _training_rows(path: Path) -> Iterator[dict[str, Any]]:
    columns = ["id", "text", "clean_digest", "split"]
    for group, table in enumerate(read_batches(path, columns)):
        for row, (identity, text, digest, split) in enumerate(
            zip(*(table[name] for name in columns), strict=True)
        ):
            if split.as_py() == "train":
                yield {
                    "id": identity.as_py(),
                    "text": text.as_py(),
                    "digest": digest.as_py(),
                    "row_group": group,
                    "row": row,
                }


class _ShardWriter:
    """Writes documents one after the other; a new shard begins where the bound would be passed.

    Nothing of a document stays in memory but its row, until `DOCUMENTS_A_GROUP` of them are written.
    """

    def __init__(self, out: Path, max_words: int) -> None:
        self.shards: list[dict[str, int]] = []
        self._out, self._max_words = out, max_words
        self._files: dict[str, BinaryIO] = {}
        self._table = parquet_writer(out / "documents.parquet", DOCUMENTS)
        self._rows: list[dict[str, Any]] = []

    def __enter__(self) -> _ShardWriter:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._write_rows()
        finally:
            self._table.close()
            self._close_shard()

    def add(self, row: dict[str, Any], ids: Ids) -> None:
        if not self.shards or self.shards[-1]["words"] + 1 + len(ids) > self._max_words:
            self._begin_shard()
        shard = self.shards[-1]
        line = canonical_json(
            {
                "path": f"kept/{row['source']}/{row['file']:05d}.parquet",
                "linenum": row["row"],
                "metadata": {"id": row["id"]},
            }
        )
        self._files["offset"].write(np.array(4 * shard["words"], "<u8").tobytes())
        self._files["metaoff"].write(np.array(self._files["metadata"].tell(), "<u8").tobytes())
        self._files["metadata"].write(line + b"\n")
        self._files["tokenized"].write(np.array(SEPARATOR, "<u4").tobytes())
        self._files["tokenized"].write(ids.astype("<u4").tobytes())
        self._rows.append(
            {key: row[key] for key in ("id", "corpus", "source", "file", "digest", "row_group", "row")}
            | {"shard": len(self.shards) - 1}
            | {"first_word": shard["words"] + 1, "words": len(ids)}
        )
        if len(self._rows) >= DOCUMENTS_A_GROUP:
            self._write_rows()
        shard["words"] += 1 + len(ids)
        shard["documents"] += 1

    def _write_rows(self) -> None:
        if self._rows:
            self._table.write_table(pa.Table.from_pylist(self._rows, schema=DOCUMENTS))
            self._rows = []

    def _begin_shard(self) -> None:
        self._close_shard()
        number = len(self.shards)
        self.shards.append({"words": 0, "documents": 0})
        self._files = {
            name: (self._out / f"{name}.{number}").open("wb")
            for name in ("tokenized", "offset", "metadata", "metaoff")
        }

    def _close_shard(self) -> None:
        for file in self._files.values():
            file.close()
