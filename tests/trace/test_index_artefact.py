import json
import struct
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from hemicycle.documents import Document
from hemicycle.errors import InputError, IntegrityError
from hemicycle.store import artefact_digest, digest_files
from hemicycle.trace import build
from hemicycle.trace.build import build_index
from hemicycle.trace.index import open_index
from hemicycle.trace.spans import find_spans

DOCUMENTS = {
    "b": [Document("1", "Un deux, un ; trois."), Document("2", "…"), Document("3", "Quatre un")],
    "a": [Document("1", "Deux cinq")],
}
FILES = [
    "counts.0",
    "documents.0.parquet",
    "marks.0",
    "metadata.0",
    "metaoff.0",
    "offset.0",
    "slots.0",
    "stops.0",
    "table.0",
    "tokenized.0",
    "top.0",
    "unigram.0",
    "vocab.0",
]


@pytest.fixture
def folder(tmp_path: Path, write_corpus) -> Path:
    build_index([write_corpus(tmp_path / "corpus", DOCUMENTS)], tmp_path / "index")
    return tmp_path / "index"


@pytest.mark.parametrize(("narrow", "size", "code"), [(0xFFFE, 2, "H"), (5, 4, "I")])
def test_the_files_of_a_shard_are_those_of_infini_gram(
    tmp_path, write_corpus, monkeypatch, narrow, size, code
):
    """In 16 bits, and where there are more words, in 32."""
    monkeypatch.setattr(build, "NARROW", narrow)
    folder = tmp_path / "index"
    build_index([write_corpus(tmp_path / "corpus", DOCUMENTS)], folder)
    end = 2 ** (8 * size) - 1
    # Vocabulary by first occurrence, sources by name: deux 0, cinq 1, un 2, trois 3, quatre 4.
    assert sorted(path.name for path in folder.iterdir()) == [*FILES[:2], "manifest.json", *FILES[2:]]
    assert (folder / "vocab.0").read_text() == "deux\ncinq\nun\ntrois\nquatre\n"
    words = [end, 0, 1, end, 2, 0, 2, 3, end, end, 4, 2]
    assert (folder / "tokenized.0").read_bytes() == struct.pack(f"<12{code}", *words)
    offsets = [size * word for word in (0, 3, 8, 9)]
    assert (folder / "offset.0").read_bytes() == struct.pack("<4Q", *offsets)
    order = sorted(range(12), key=lambda i: (folder / "tokenized.0").read_bytes()[size * i :])
    assert (folder / "table.0").read_bytes() == bytes(size * i for i in order)
    assert len(find_spans(open_index(folder), "un deux un trois", 4)) == 1
    assert (folder / "unigram.0").read_text() == "0 2\n1 1\n2 3\n3 1\n4 1\n"
    lines = (folder / "metadata.0").read_bytes().splitlines(keepends=True)
    assert json.loads(lines[1]) == {"path": "kept/b/00000.parquet", "linenum": 0, "metadata": {"id": "b:1"}}
    starts = struct.unpack("<4Q", (folder / "metaoff.0").read_bytes())
    assert starts == tuple(sum(map(len, lines[:i])) for i in range(4))


def test_documents_say_where_their_words_and_their_rows_are(folder: Path):
    index = open_index(folder)
    names = ["id", "source", "corpus", "file", "row_group", "row"]
    assert index.documents.select(names).to_pylist() == [
        dict(zip(names, row, strict=True))
        for row in [
            ("a:1", "a", 0, 0, 0, 0),
            ("b:1", "b", 0, 0, 0, 0),
            ("b:2", "b", 0, 0, 0, 1),
            ("b:3", "b", 0, 0, 1, 0),
        ]
    ]
    assert index.lengths.tolist() == [2, 4, 0, 2]
    assert index.shards[0].first_words.tolist() == [1, 4, 9, 10]
    assert index.words == 8


def test_two_builds_have_the_same_bytes(tmp_path: Path, folder: Path):
    build_index([tmp_path / "corpus"], tmp_path / "again")
    assert digest_files(tmp_path / "again") == digest_files(folder)


def test_the_digest_is_that_of_the_artefact(folder: Path):
    assert open_index(folder).digest == artefact_digest(digest_files(folder))


@pytest.mark.parametrize("rows", [1, 2, 3, 4])
def test_the_table_of_documents_is_written_while_the_words_are_read(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, rows: int
):
    monkeypatch.setattr(build, "DOCUMENTS_A_GROUP", rows)
    build_index([tmp_path / "corpus"], tmp_path / "again")
    assert open_index(tmp_path / "again").documents.equals(open_index(folder).documents)
    groups = pq.read_metadata(tmp_path / "again" / "documents.0.parquet")
    assert max(groups.row_group(n).num_rows for n in range(groups.num_row_groups)) == rows
    assert groups.num_row_groups == -(-4 // rows)


def test_a_document_larger_than_a_shard_gets_one_of_its_own(tmp_path: Path, folder: Path):
    manifest = build_index([tmp_path / "corpus"], tmp_path / "small", memory=20 * 4)
    shards = [shard for group in manifest["groups"] for shard in group["shards"]]
    assert [(s["words"], s["documents"]) for s in shards] == [(3, 1), (5, 1), (4, 2)]
    assert manifest["words"] == 8


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("harm", ["altered", "cut", "missing"])
def test_a_harmed_file_is_refused_by_name(folder: Path, name: str, harm: str):
    path = folder / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    if harm == "missing":
        path.unlink()
    else:
        path.write_bytes(data if harm == "altered" else data[:-1])
    with pytest.raises(IntegrityError, match=name):
        open_index(folder)


@pytest.mark.parametrize("name", FILES)
def test_sizes_are_checked_even_when_digests_are_not(folder: Path, name: str):
    (folder / name).write_bytes((folder / name).read_bytes() + b"\0")
    with pytest.raises(IntegrityError, match=name):
        open_index(folder, verify=False)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"files": 1}', "\0"])
def test_what_is_not_a_manifest_is_refused(folder: Path, content: str):
    (folder / "manifest.json").write_text(content)
    with pytest.raises(IntegrityError, match=r"manifest\.json"):
        open_index(folder)


def test_a_folder_without_an_index_is_refused(tmp_path: Path):
    with pytest.raises(IntegrityError, match="no index here"):
        open_index(tmp_path)


def test_an_index_of_another_normalisation_is_refused(folder: Path):
    path = folder / "manifest.json"
    path.write_text(path.read_text().replace('"normalisation":1', '"normalisation":2'))
    with pytest.raises(IntegrityError, match="normalisation 2"):
        open_index(folder)


def test_a_corpus_without_training_documents_is_refused(tmp_path: Path, write_corpus):
    corpus = write_corpus(tmp_path / "c", {"s": [Document("1", "un")]}, held_out=["s:1"])
    with pytest.raises(InputError, match="no document in their training split"):
        build_index([corpus], tmp_path / "i")
