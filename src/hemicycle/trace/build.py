"""Build the index of corpora.

The files of the corpora, in the order of their sources, are put into groups; the shards of a group are made
of its files alone. Where one group ends and the next begins is drawn from the names of the files (as chunks
of a stream are cut by its content): a source more, or one less, changes the group that it falls into and
seldom another. So an index is a function of the corpora and of nothing that was built before, and yet a new
one takes over the shards of an earlier one wherever their files are the same. What is withdrawn from a
corpus is compacted away by the same rule.

Groups are tasks: they are built side by side, and a build that is killed goes on with those that are missing.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from hemicycle.digests import canonical_json, sha256_file, sha256_json
from hemicycle.documents import corpus_shards, parquet_writer, read_batches
from hemicycle.engines import Engine, Local, Task
from hemicycle.errors import InputError, IntegrityError
from hemicycle.progress import QUIET, Progress
from hemicycle.store import digest_files, link, sync_tree
from hemicycle.trace.cut import TOKENIZER, Cut
from hemicycle.trace.folds import NORMALISATION
from hemicycle.trace.index import LAYOUT, MANIFEST, ROWS, read_manifest
from hemicycle.trace.shards import (
    BYTES_A_COMMON_WORD,
    BYTES_A_DISTINCT_WORD,
    BYTES_A_RARE_WORD,
    BYTES_A_WORD,
    COMMON,
    MARK_BITS,
    MARKED,
    MOST_SHARING,
    NARROW,
    narrow_shard,
    sort_shard,
)
from hemicycle.trace.vocabulary import Vocabulary
from hemicycle.trace.words import Ids, read_letters

#: Memory that one process may take to sort a shard, in bytes.
MEMORY = 4_000_000_000

#: Bytes of text to a word, at least, by which groups are sized before their words are counted: French has
#: six. A group of more words than a shard may have has several shards.
_BYTES_A_WORD = 4

#: Rows of a row group of a table of documents; so many wait in memory while it is written.
DOCUMENTS_A_GROUP = 100_000

_ARRAYS = ("tokenized", "offset", "metadata", "metaoff")

#: A file of a corpus: the place of that among the corpora, the source, the file's number there, its path.
_File = tuple[int, str, int, Path]


def build_index(
    corpora: Sequence[Path],
    out: Path,
    *,
    memory: int = MEMORY,
    tokenizer: Path | None = None,
    earlier: Sequence[Path] = (),
    version: int = 0,
    scratch: Path | None = None,
    engine: Engine | None = None,
    progress: Progress = QUIET,
) -> dict[str, Any]:
    """Build the index of the training splits of corpus artefacts into `out`; return its manifest.

    A document that stands in several of the corpora is indexed once. Equal corpora give equal bytes.

    Args:
        memory: bytes that one process may take; shards are as large as that allows, and it is part of what
            decides their bytes.
        tokenizer: folder or file of a tokenizer: the index is one of its tokens instead of words.
        earlier: indexes whose shards are taken over where they are made of the same files. Their manifests
            are believed.
        version: of what makes the shards: those of another are not taken over.
        scratch: a folder that survives a kill; what was built goes on from there.

    Raises:
        InputError: the corpora have no document to train on.
    """
    out.mkdir(parents=True, exist_ok=True)
    if scratch is None:
        with tempfile.TemporaryDirectory(dir=out.parent) as folder:
            return build_index(
                corpora,
                out,
                memory=memory,
                tokenizer=tokenizer,
                earlier=earlier,
                version=version,
                scratch=Path(folder),
                engine=engine,
                progress=progress,
            )
    max_words = max(1, memory // BYTES_A_WORD)
    if tokenizer is not None:
        shutil.copyfile(tokenizer / TOKENIZER if tokenizer.is_dir() else tokenizer, out / TOKENIZER)
    files = _files(corpora)
    groups = list(_grouped(files, max_words))
    digests = {path: sha256_file(path) for *_, path in files}
    cut = sha256_file(out / TOKENIZER) if tokenizer is not None else None
    known = _earlier_groups(earlier)
    keys, tasks, counts = [], {}, {}
    of_source = _by_source(files)
    for group in groups:
        # Files of earlier corpora, whose documents may stand in these again.
        before = [[p for c, _, _, p in of_source[source] if c < corpus] for corpus, source, _, _ in group]
        of = [[source, number, digests[path]] for _, source, number, path in group]
        seen = [[digests[path] for path in paths] for paths in before]
        key = sha256_json([version, LAYOUT, NORMALISATION, max_words, cut, of, seen])
        keys.append(key)
        made = scratch / key[:16]
        if key in known and _take_over(*known[key], made):
            counts[key] = known[key][2]
            continue
        arguments = {
            "files": [[source, number, str(path)] for _, source, number, path in group],
            "before": [list(map(str, paths)) for paths in before],
            "out": str(made),
            "max_words": max_words,
            "tokenizer": str(out / TOKENIZER) if cut else None,
        }
        weight = sum(path.stat().st_size for *_, path in group)
        tasks[key] = Task(key[:16], arguments, weight, outputs=(str(made),))
    built = (engine or Local(1)).map(
        "hemicycle.trace.build:build_group",
        list(tasks.values()),
        scratch / "done",
        what="index",
        progress=progress,
    )
    counts |= {key: result["shards"] for key, result in zip(tasks, built, strict=True)}
    number = 0
    for key in keys:
        number += _number_shards(scratch / key[:16], out, number)
    shards = [shard for key in keys for shard in counts[key]]
    if not shards:
        raise InputError(
            "the corpora have no document in their training split",
            place=", ".join(map(str, corpora)),
            remedy="Check what curation dropped and why: hemicycle status.",
        )
    manifest: dict[str, Any] = {
        "layout": LAYOUT,
        "normalisation": NORMALISATION,
        "unit": "tokens" if cut else "words",
        "documents": sum(s["documents"] for s in shards),
        "words": sum(s["words"] - s["documents"] for s in shards),
        "groups": [
            {
                "key": key,
                "files": [[corpus, source, number] for corpus, source, number, _ in group],
                "shards": counts[key],
            }
            for key, group in zip(keys, groups, strict=True)
        ],
        "files": [{"path": f.path, "size": f.size, "sha256": f.sha256} for f in digest_files(out)],
    }
    (out / MANIFEST).write_bytes(canonical_json(manifest) + b"\n")
    # Results first, so that what a kill leaves of a group does not pass for made. A second name of a file,
    # taken away later, would make it look changed.
    for made in (scratch / "done", *(scratch / key[:16] for key in keys)):
        shutil.rmtree(made, ignore_errors=True)
    return manifest


def _files(corpora: Sequence[Path]) -> list[_File]:
    """All files, source after source: a source's documents stand together, whichever corpus they are from."""
    found = [
        (corpus, path.parent.name, int(path.stem), path)
        for corpus, folder in enumerate(corpora)
        for path in corpus_shards(folder)
    ]
    return sorted(found, key=lambda file: (file[1], file[0], file[2]))


def _grouped(files: Sequence[_File], max_words: int) -> Iterator[list[_File]]:
    """Files in groups of about as many words as a shard may have.

    After a file, a group ends with a chance in proportion to the file's size, by a draw that is its name's
    own; none does before it has a quarter of the words, so that shards do not become many.
    """
    target = max_words * _BYTES_A_WORD
    group: list[_File] = []
    size = 0
    for file in files:
        group.append(file)
        text = _text_bytes(file[3])
        size += text
        drawn = hashlib.sha256(f"{file[1]}/{file[2]}".encode()).digest()
        if size >= target or (
            size >= target / 4 and int.from_bytes(drawn[:8], "big") < 2**64 * text / target
        ):
            yield group
            group, size = [], 0
    if group:
        yield group


def _text_bytes(path: Path) -> int:
    """Bytes of the texts in a file of a corpus."""
    metadata = pq.read_metadata(path)
    groups = [metadata.row_group(group) for group in range(metadata.num_row_groups)]
    (place,) = (i for i in range(metadata.num_columns) if metadata.schema.column(i).path == "text")
    return sum(group.column(place).total_uncompressed_size for group in groups)


def _by_source(files: Sequence[_File]) -> dict[str, list[_File]]:
    found: dict[str, list[_File]] = {}
    for file in files:
        found.setdefault(file[1], []).append(file)
    return found


def _earlier_groups(
    earlier: Sequence[Path],
) -> dict[str, tuple[Path, dict[str, str], list[dict[str, int]], int]]:
    """Key of a group → an index that has it, the digests of its files, the group's shards, and the number of
    the first of them."""
    found = {}
    for folder in earlier:
        # One of another version, or half deleted, has nothing to give.
        with contextlib.suppress(IntegrityError, KeyError, TypeError, ValueError):
            manifest = read_manifest(folder)
            digests = {file["path"]: file["sha256"] for file in manifest["files"]}
            first = 0
            for group in manifest["groups"]:
                found[group["key"]] = folder, digests, group["shards"], first
                first += len(group["shards"])
    return found


def _take_over(
    folder: Path, digests: dict[str, str], shards: list[dict[str, int]], first: int, made: Path
) -> bool:
    """Link a group's shards from an earlier index; whether all of their files are what that says."""
    aside = made.with_name(f".{made.name}.aside")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    for path, sha256 in digests.items():
        name, number = _named(path)
        if number is None or not first <= number < first + len(shards):
            continue
        if not (folder / path).is_file() or sha256_file(folder / path) != sha256:
            shutil.rmtree(aside)
            return False
        link(folder / path, aside / _name(name, number - first))
    shutil.rmtree(made, ignore_errors=True)
    aside.rename(made)
    return True


def _named(path: str) -> tuple[str, int | None]:
    """The name of a shard's file without its number, and the number; None: it is no shard's."""
    found = re.fullmatch(r"(\w+)\.(\d+)(\.parquet)?", path)
    return (found[1] + (found[3] or ""), int(found[2])) if found else (path, None)


def _name(name: str, number: int) -> str:
    """The file of a shard."""
    stem, dot, suffix = name.partition(".")
    return f"{stem}.{number}{dot}{suffix}"


def _number_shards(made: Path, out: Path, first: int) -> int:
    """Link the shards of a group under the numbers from `first` on; returns how many there are.

    They stay where they were made until all is written: of a build that is killed, nothing else is left.
    """
    count = 0
    for path in sorted(made.iterdir()):
        name, number = _named(path.name)
        assert number is not None
        to = out / _name(name, first + number)
        to.unlink(missing_ok=True)
        link(path, to)
        count = max(count, number + 1)
    return count


def build_group(
    files: Sequence[Sequence[Any]],
    before: Sequence[Sequence[str]],
    out: str,
    max_words: int,
    tokenizer: str | None,
) -> dict[str, Any]:
    """Make the shards of a group: a task (`build_index`).

    Args:
        files: of each file its source, its number there, its path.
        before: of each, the files whose documents are not to be indexed again.
        out: folder to make, under this name once it is whole.

    Memory: the shard's vocabulary, and for each of `max_words` `BYTES_A_WORD`.
    """
    final = Path(out)
    aside = final.with_name(f".{final.name}.aside")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    reader = _Tokens(Path(tokenizer)) if tokenizer else _Words()
    with _Writer(aside, max_words, reader) as writer:
        for number, ((source, name, path), earlier) in enumerate(zip(files, before, strict=True)):
            seen: set[str] = set()
            for other in earlier:
                for batch in read_batches(Path(other), ["id", "split"]):
                    seen.update(batch.filter(pc.equal(batch["split"], "train"))["id"].to_pylist())
            for row in _training_rows(Path(path)):
                if row["id"] not in seen:
                    line = {"path": f"kept/{source}/{name:05d}.parquet", "linenum": row["row"]}
                    writer.add(row | {"file": number}, line)
    for number, distinct in enumerate(writer.distinct):
        narrow = distinct < NARROW
        if narrow:
            narrow_shard(aside, number)
        sort_shard(aside, number, "<u2" if narrow else "<u4", distinct)
    sync_tree(aside)
    shutil.rmtree(final, ignore_errors=True)
    aside.rename(final)
    return {"shards": writer.shards}


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


class _Words:
    """Reads the words of texts, for one shard after the other."""

    def __init__(self) -> None:
        self._letters = read_letters("")

    def begin(self) -> None:
        self._vocabulary = Vocabulary()
        self._rare = 0
        self._marks: list[npt.NDArray[np.uint64]] = []

    def read(self, text: str) -> int:
        """How many words the text has."""
        self._letters = read_letters(text)
        return len(self._letters.stops)

    def numbers(self, first: int) -> Ids:
        """The numbers of the words of the text that was read, the first of which is word `first` of the
        shard."""
        starts = self._letters.starts
        # The separator is a word of the shard too.
        at = np.arange(-(-(first - 1) // MARKED) * MARKED, first + len(starts), MARKED) - first
        inside = at[at >= 0]
        begin = starts[inside]
        sharing = np.minimum(inside - np.searchsorted(starts, begin, "left"), MOST_SHARING)
        marks = begin.astype(np.uint64) | sharing.astype(np.uint64) << np.uint64(MARK_BITS)
        self._marks += [np.zeros(len(at) - len(inside), np.uint64), marks]
        numbers = self._vocabulary.learn_letters(self._letters)
        self._rare += int(np.count_nonzero(numbers >= COMMON))
        return numbers

    def memory(self, words: int) -> int:
        """Bytes that sorting so many words takes, those of the shard so far."""
        common = BYTES_A_COMMON_WORD * (words - self._rare) + BYTES_A_RARE_WORD * self._rare
        distinct = BYTES_A_DISTINCT_WORD * max(0, len(self._vocabulary) - COMMON)
        return max(BYTES_A_WORD * words, common + distinct)

    def end(self, folder: Path, number: int) -> int:
        """Write what is of this shard alone; how many numbers it has."""
        self._vocabulary.write(folder, number)
        np.concatenate(self._marks).astype("<u8").tofile(folder / f"marks.{number}")
        return len(self._vocabulary)


class _Tokens:
    """Reads the tokens of texts."""

    def __init__(self, path: Path) -> None:
        self._cut = Cut(path)

    def begin(self) -> None:
        pass

    def read(self, text: str) -> int:
        (self._numbers,) = self._cut.numbers([text])
        return len(self._numbers)

    def numbers(self, first: int) -> Ids:
        return self._numbers

    def memory(self, words: int) -> int:
        return BYTES_A_WORD * words

    def end(self, folder: Path, number: int) -> int:
        return self._cut.vocabulary


class _Writer:
    """Writes documents one after the other; a new shard begins where what sorting `max_words` of a text takes
    would be passed.

    Nothing of a document stays in memory but its row, until `DOCUMENTS_A_GROUP` of them are written.
    """

    def __init__(self, out: Path, max_words: int, reader: _Words | _Tokens) -> None:
        self.shards: list[dict[str, int]] = []
        self.distinct: list[int] = []
        self._out, self._max_words, self._reader = out, max_words, reader
        self._files: dict[str, BinaryIO] = {}
        self._rows: list[dict[str, Any]] = []

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self._end_shard()

    def add(self, row: dict[str, Any], place: dict[str, Any]) -> None:
        words = self._reader.read(row["text"])
        if not self.shards or self._taken() + BYTES_A_WORD * (1 + words) > BYTES_A_WORD * self._max_words:
            self._begin_shard()
        shard = self.shards[-1]
        line = canonical_json(place | {"metadata": {"id": row["id"]}})
        self._files["offset"].write(np.array(shard["words"] * 4, "<u8").tobytes())
        self._files["metaoff"].write(np.array(self._files["metadata"].tell(), "<u8").tobytes())
        self._files["metadata"].write(line + b"\n")
        self._files["tokenized"].write(b"\xff" * 4)
        numbers = self._reader.numbers(shard["words"] + 1)
        self._files["tokenized"].write(numbers.astype("<u4").tobytes())
        self._rows.append({name: row[name] for name in ROWS.names})
        if len(self._rows) >= DOCUMENTS_A_GROUP:
            self._write_rows()
        shard["words"] += 1 + words
        shard["documents"] += 1

    def _taken(self) -> int:
        return self._reader.memory(self.shards[-1]["words"])

    def _write_rows(self) -> None:
        if self._rows:
            self._table.write_table(pa.Table.from_pylist(self._rows, schema=ROWS))
            self._rows = []

    def _begin_shard(self) -> None:
        self._end_shard()
        number = len(self.shards)
        self.shards.append({"words": 0, "documents": 0})
        self._files = {name: (self._out / f"{name}.{number}").open("wb") for name in _ARRAYS}
        self._table = parquet_writer(self._out / f"documents.{number}.parquet", ROWS)
        self._reader.begin()

    def _end_shard(self) -> None:
        if self._files:
            self._write_rows()
            self._table.close()
            for file in self._files.values():
                file.close()
            self._files = {}
            self.distinct.append(self._reader.end(self._out, len(self.shards) - 1))
