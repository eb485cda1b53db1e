"""Shards say what the corpus says, to our reader and to one written apart from it."""

import importlib
import shutil
import struct

import numpy as np
import pyarrow.parquet as pq
import pytest

from hemicycle.errors import InputError, IntegrityError
from hemicycle.tokens import BEGIN, END, ShardWriter, load_tokenizer, read_shard, tokenize
from hemicycle.tokens.pattern import part
from tests.conftest import write_corpus

#: The module; its package gives the name to the function.
tokenize_module = importlib.import_module("hemicycle.tokens.tokenize")


def independent_read(prefix):
    """Megatron's layout read with struct alone, document by document."""
    raw = prefix.with_suffix(".idx").read_bytes()
    assert raw[:9] == b"MMIDIDX\0\0"
    version, code, count, bounds = struct.unpack("<QBQQ", raw[9:34])
    assert (version, code, bounds) == (1, 8, count + 1)
    lengths = struct.unpack(f"<{count}i", raw[34 : 34 + 4 * count])
    offsets = struct.unpack(f"<{count}q", raw[34 + 4 * count : 34 + 12 * count])
    assert struct.unpack(f"<{count + 1}q", raw[34 + 12 * count :]) == tuple(range(count + 1))
    data = prefix.with_suffix(".bin").read_bytes()
    return [struct.unpack(f"<{n}H", data[at : at + 2 * n]) for n, at in zip(lengths, offsets, strict=True)]


def test_every_training_document_is_there_once_framed_by_marks_and_no_held_out_one(corpus, tokenizer, tokens):
    encoder = load_tokenizer(tokenizer)
    begin, end = encoder.token_to_id(BEGIN), encoder.token_to_id(END)
    table = pq.read_table(tokens / "documents.parquet").to_pylist()
    shards = [independent_read(tokens / f"tokens-{n:05d}") for n in range(table[-1]["shard"] + 1)]
    assert len(shards) > 1, "the test wants several shards"
    read = [document for shard in shards for document in shard]
    expected = [
        row
        for name in ("a", "b")
        for row in pq.read_table(corpus / "kept" / name).to_pylist()
        if row["split"] == "train"
    ]
    assert [row["id"] for row in table] == [row["id"] for row in expected]
    for row, document, source in zip(table, read, expected, strict=True):
        assert (document[0], document[-1]) == (begin, end)
        assert encoder.decode(document[1:-1]) == source["text"]
        assert row["tokens"] == len(document)
        shard = read_shard(tokens / f"tokens-{row['shard']:05d}")
        assert tuple(shard.tokens[row["first"] : row["first"] + row["tokens"]]) == document


def test_each_source_is_one_contiguous_range_of_a_shard(tokens):
    table = pq.read_table(tokens / "documents.parquet").to_pylist()
    by_shard = {}
    for row in table:
        by_shard.setdefault(row["shard"], []).append(row["source"])
    for sources in by_shard.values():
        assert sources == sorted(sources)


def test_a_shard_cut_off_is_refused(tmp_path):
    with ShardWriter(tmp_path / "x", np.uint16) as writer:
        writer.add([1, 2, 3])
        writer.add([4])
    assert read_shard(tmp_path / "x").tokens.tolist() == [1, 2, 3, 4]
    for suffix in (".bin", ".idx"):
        path = (tmp_path / "x").with_suffix(suffix)
        whole = path.read_bytes()
        path.write_bytes(whole[:-1])
        with pytest.raises(IntegrityError, match=r"cut off|fewer"):
            read_shard(tmp_path / "x")
        path.write_bytes(whole)


@pytest.mark.parametrize("rows", [3, 4, 16])
def test_the_map_of_documents_is_written_in_groups_and_is_the_same(
    corpus, tokenizer, tokens, tmp_path, monkeypatch, rows
):
    monkeypatch.setattr(tokenize_module, "DOCUMENTS_A_GROUP", rows)
    figures = tokenize(corpus, tokenizer, tmp_path, shard_tokens=1_000)
    whole = pq.read_table(tokens / "documents.parquet")
    assert pq.read_table(tmp_path / "documents.parquet").equals(whole)
    assert figures["documents"] == whole.num_rows == 16
    groups = pq.read_metadata(tmp_path / "documents.parquet")
    sizes = [groups.row_group(n).num_rows for n in range(groups.num_row_groups)]
    assert sizes == [rows] * (16 // rows) + [16 % rows] * (16 % rows > 0)


@pytest.fixture(scope="module")
def uneven(tmp_path_factory):
    """Documents from nothing to many bundles long, one of them held out, with marks inside."""
    long = "L’élu disait\u202f: «\u00a0non\u00a0» en 1789.\n" * 400
    texts = ["", "a", long, f"fin {END} {BEGIN}", long * 3, "", "b"]
    return write_corpus(tmp_path_factory.mktemp("uneven"), {"x": texts, "y": texts[::-1]}, {"x:3"})


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("bundle", [1, 700, 262_144])
def test_neither_threads_nor_bundles_change_a_byte(uneven, tokenizer, tmp_path, monkeypatch, threads, bundle):
    figures = []
    for name, size, workers in (("one", 262_144, 1), ("other", bundle, threads)):
        monkeypatch.setattr(tokenize_module, "BUNDLE_BYTES", size)
        monkeypatch.setattr(tokenize_module, "part", lambda text, _: part(text, 1_000))
        (tmp_path / name).mkdir()
        figures.append(tokenize(uneven, tokenizer, tmp_path / name, shard_tokens=20_000, threads=workers))
    assert figures[0] == figures[1]
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert len(files) > 4, "the test wants several shards"
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()


def test_a_long_document_in_parts_has_the_tokens_of_the_whole(uneven, tokenizer, tmp_path, monkeypatch):
    monkeypatch.setattr(tokenize_module, "part", lambda text, _: part(text, 500))
    tokenize(uneven, tokenizer, tmp_path)
    encoder = load_tokenizer(tokenizer)
    begin, end = encoder.token_to_id(BEGIN), encoder.token_to_id(END)
    rows = [r for name in ("x", "y") for r in pq.read_table(uneven / "kept" / name).to_pylist()]
    expected = [
        (begin, *encoder.encode(row["text"], add_special_tokens=False).ids, end)
        for row in rows
        if row["split"] == "train"
    ]
    assert independent_read(tmp_path / "tokens-00000") == expected
    table = pq.read_table(tmp_path / "documents.parquet").to_pylist()
    assert [row["bytes"] for row in table][:3] == [0, 1, len(rows[2]["text"].encode())]


def test_the_library_alone_writes_the_same_shards(uneven, tokenizer, tmp_path):
    shutil.copytree(tokenizer, tmp_path / "unproven")
    (tmp_path / "unproven" / "proof.json").unlink()
    engines = []
    for name, folder in (("fast", tokenizer), ("slow", tmp_path / "unproven")):
        (tmp_path / name).mkdir()
        engines.append(tokenize(uneven, folder, tmp_path / name)["encoder"])
    assert engines == ["tiktoken", "tokenizers"]
    for path in (tmp_path / "fast").iterdir():
        assert path.read_bytes() == (tmp_path / "slow" / path.name).read_bytes()


def test_a_tokenizer_that_names_no_marks_is_refused(uneven, tokenizer, tmp_path):
    for content in (None, b"{}", b"[]", b'{"bos_token": 3, "eos_token": "<|end|>"}', b"\xff"):
        folder = tmp_path / str(content)
        shutil.copytree(tokenizer, folder)
        (folder / "tokenizer_config.json").unlink()
        if content is not None:
            (folder / "tokenizer_config.json").write_bytes(content)
        with pytest.raises(InputError, match="marks"):
            tokenize(uneven, folder, tmp_path)
