"""Token files of other tools come in with their documents, and ours go out as they expect them."""

import csv
import gzip
import struct

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.errors import InputError
from hemicycle.tokens import ShardWriter, export_tokens, foreign, import_tokens, read_shard
from hemicycle.tokens.answers import NAME
from tests.tokens.replay import document_texts

TEXTS = [[5, 6, 7, 1], [8, 1], [9, 9, 9, 9, 9, 1], [4, 1]]


def write_datatrove(path, texts, wide=False, learnt=None):
    flat = [i for text in texts for i in text]
    path.write_bytes(struct.pack(f"<{len(flat)}{'I' if wide else 'H'}", *flat))
    ends = np.cumsum([len(t) for t in texts]).tolist()
    path.with_name(path.name + ".index").write_bytes(struct.pack(f"<{len(ends)}Q", *ends))
    if learnt is not None:
        path.with_name(path.name + ".loss").write_bytes(struct.pack(f"<{len(flat)}?", *learnt))
    return path


def write_olmo(path, texts, wide=False, names=None):
    flat = [i for text in texts for i in text]
    path.write_bytes(struct.pack(f"<{len(flat)}{'I' if wide else 'H'}", *flat))
    if names is not None:
        with gzip.open(path.with_suffix(".csv.gz"), "wt", newline="") as file:
            at = 0
            for (name, source), text in zip(names, texts, strict=True):
                csv.writer(file).writerow([at, at + len(text), name, source, 0])
                at += len(text)
    return path


def write_megatron(prefix, texts, code, letter, sequences=None):
    """An index by struct alone; `sequences`: of each document, the lengths of its sequences."""
    sequences = sequences or [[len(t)] for t in texts]
    lengths = [n for document in sequences for n in document]
    size = struct.calcsize(letter)
    offsets = np.concatenate([[0], np.cumsum(lengths)[:-1]]) * size
    bounds = np.concatenate([[0], np.cumsum([len(s) for s in sequences])])
    head = b"MMIDIDX\x00\x00" + struct.pack("<QBQQ", 1, code, len(lengths), len(bounds))
    head += struct.pack(f"<{len(lengths)}i", *lengths) + struct.pack(f"<{len(offsets)}q", *offsets.tolist())
    prefix.with_suffix(".idx").write_bytes(head + struct.pack(f"<{len(bounds)}q", *bounds.tolist()))
    flat = [i for text in texts for i in text]
    prefix.with_suffix(".bin").write_bytes(struct.pack(f"<{len(flat)}{letter}", *flat))
    return prefix.with_suffix(".bin")


def imported(folder, files, layout, **options):
    folder.mkdir()
    figures = import_tokens(files, layout, folder, **{"vocabulary": 100, **options})
    texts = document_texts({"c": folder})
    return figures, {name: text for (_, name), text in texts.items()}, folder


@pytest.mark.parametrize("wide", [False, True])
def test_datatrove_documents_come_in_with_the_file_s_name(tmp_path, wide):
    file = write_datatrove(tmp_path / "00000_unshuffled.ds", TEXTS, wide)
    figures, texts, folder = imported(tmp_path / "t", [file], "datatrove", vocabulary=70_000 if wide else 100)
    assert texts == {f"00000_unshuffled:{n}": text for n, text in enumerate(TEXTS)}
    assert figures == {"documents": 4, "tokens": 14, "learnt": 14, "shards": 1}
    assert not (folder / NAME).exists()
    assert read_shard(folder / "tokens-00000").tokens.dtype == (np.int32 if wide else np.uint16)


def test_olmo_documents_come_in_with_ids_and_sources(tmp_path):
    names = [("d-1", "wiki, fr"), ("d-2", "wiki, fr"), ("d-3", "lois"), ("d-4", "lois")]
    files = [
        write_olmo(tmp_path / "part-0.npy", TEXTS, names=names),
        write_olmo(tmp_path / "part-1.npy", TEXTS),
    ]
    figures, texts, folder = imported(tmp_path / "t", files, "olmo", end=1)
    assert texts == {
        **{name: text for (name, _), text in zip(names, TEXTS, strict=True)},
        **{f"part-1:{n}": text for n, text in enumerate(TEXTS)},
    }
    sources = pq.read_table(folder / "documents.parquet")["source"].to_pylist()
    assert sources == ["wiki, fr"] * 2 + ["lois"] * 2 + ["part-1"] * 4
    assert (figures["documents"], figures["tokens"]) == (8, 28)


def test_tokens_behind_the_last_end_mark_are_a_document(tmp_path):
    file = write_olmo(tmp_path / "a.npy", [*TEXTS, [7, 7]])
    assert list(imported(tmp_path / "t", [file], "olmo", end=1)[1].values()) == [*TEXTS, [7, 7]]


@pytest.mark.parametrize(("code", "letter"), [(1, "B"), (2, "b"), (3, "h"), (4, "i"), (5, "q"), (8, "H")])
def test_megatron_documents_of_several_sequences_and_any_integers_come_in_whole(tmp_path, code, letter):
    file = write_megatron(tmp_path / "x", TEXTS, code, letter, [[3, 1], [2], [1, 2, 3], [2]])
    _, texts, _ = imported(tmp_path / "t", [file], "megatron")
    assert list(texts.values()) == TEXTS
    assert list(texts) == ["x:0", "x:1", "x:2", "x:3"]


def test_what_is_not_learnt_elsewhere_is_not_learnt_here(tmp_path):
    learnt = [0, 1, 1, 1, 1, 1, 0, 1, 0, 0, 1, 1, 0, 0]
    files = [
        write_datatrove(tmp_path / "a.ds", TEXTS, learnt=learnt),
        write_datatrove(tmp_path / "b.ds", TEXTS[:1]),
    ]
    figures, _, folder = imported(tmp_path / "t", files, "datatrove", shard_tokens=7)
    assert figures["learnt"] == sum(learnt) + 4
    assert figures["shards"] == 2
    spans = [(r["shard"], r["first"], r["tokens"]) for r in pq.read_table(folder / NAME).to_pylist()]
    # The third document begins before the shard is full at seven tokens, and the fourth after.
    assert spans == [(0, 1, 3), (0, 4, 2), (0, 7, 1), (0, 10, 2), (1, 2, 4)]


@settings(max_examples=40, deadline=None)
@given(
    texts=st.lists(st.lists(st.integers(0, 99), min_size=1, max_size=30), min_size=1, max_size=20),
    shard_tokens=st.integers(1, 50),
    at_once=st.integers(1, 40),
    group=st.integers(1, 7),
    seed=st.integers(0, 9),
)
def test_documents_and_masks_survive_any_shards_and_the_way_there_and_back(
    tmp_path_factory, texts, shard_tokens, at_once, group, seed
):
    folder = tmp_path_factory.mktemp("f")
    learnt = np.random.default_rng(seed).random(sum(map(len, texts))) < 0.5
    file = write_datatrove(folder / "a.ds", texts, learnt=learnt.tolist())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(foreign, "TOKENS_AT_ONCE", at_once)
        patch.setattr(foreign, "DOCUMENTS_A_GROUP", group)
        figures, found, made = imported(folder / "t", [file], "datatrove", shard_tokens=shard_tokens)
    assert list(found.values()) == texts
    assert figures["learnt"] == learnt.sum()
    (folder / "out").mkdir()
    files = export_tokens(made, "datatrove", folder / "out")
    assert len(files) == figures["shards"]
    back = [foreign.read_foreign(path, "datatrove", vocabulary=100) for path in files]
    assert b"".join(p.read_bytes() for p in files) == file.read_bytes()
    masks = [b.learnt if b.learnt is not None else np.ones(len(b.tokens), bool) for b in back]
    assert np.concatenate(masks).tolist() == learnt.tolist()
    assert np.concatenate([np.diff(b.ends, prepend=0) for b in back]).tolist() == list(map(len, texts))


def test_an_olmo_export_has_ids_and_sources_beside_it(tokens, tmp_path):
    files = export_tokens(tokens, "olmo", tmp_path)
    assert [f.name for f in files] == ["tokens-00000.npy", "tokens-00001.npy", "tokens-00002.npy"]
    documents = pq.read_table(tokens / "documents.parquet").to_pylist()
    read = []
    for shard, file in enumerate(files):
        ids = np.memmap(file, np.uint16, "r")
        with gzip.open(file.with_suffix(".csv.gz"), "rt", newline="") as lines:
            for start, end, name, source, _ in csv.reader(lines):
                read.append((shard, int(start), int(end), name, source))
                assert ids[int(end) - 1] == 1, "the end mark"
    assert read == [
        (d["shard"], d["first"], d["first"] + d["tokens"], d["id"], d["source"]) for d in documents
    ]
    again, texts, _ = imported(tmp_path / "t", files, "olmo", vocabulary=320)
    assert again["documents"] == len(documents)
    assert list(texts.values()) == list(document_texts({"c": tokens}).values())


def test_files_that_are_not_what_their_layout_says_are_refused(tmp_path):
    def refused(match, file, layout, **options):
        with pytest.raises(InputError, match=match):
            import_tokens([file], layout, tmp_path, **{"vocabulary": 100, **options})

    refused("no such file", tmp_path / "absent.npy", "olmo", end=1)
    bare = write_olmo(tmp_path / "bare.npy", TEXTS)
    refused("no bare.csv.gz that says", bare, "olmo")
    np.save(tmp_path / "saved.npy", np.arange(4, dtype=np.uint16))
    refused("numpy's header", tmp_path / "saved.npy", "olmo", end=1)
    (tmp_path / "odd.npy").write_bytes(b"\0\0\0")
    refused("not a number of tokens of 2 bytes", tmp_path / "odd.npy", "olmo", end=1)
    gap = write_olmo(tmp_path / "gap.npy", TEXTS, names=[("a", "s")] * 4)
    with gzip.open(gap.with_suffix(".csv.gz"), "wt") as file:
        file.write("0,4,a,s,0\n6,14,b,s,0\n")
    refused("do not stand end to end", gap, "olmo")
    ds = write_datatrove(tmp_path / "a.ds", TEXTS)
    refused("do not cover its 7 tokens", ds, "datatrove", vocabulary=70_000)
    refused("id 9 is not of a vocabulary of 9", ds, "datatrove", vocabulary=9)
    (tmp_path / "a.ds.loss").write_bytes(b"\1")
    refused("not one byte for each of 14 tokens", ds, "datatrove")
    (tmp_path / "a.ds.index").unlink()
    refused("the index is missing", ds, "datatrove")
    negative = write_megatron(tmp_path / "n", [[-3, 4]], 4, "i")
    refused("id -3 is not of", negative, "megatron")
    refused("another version", write_megatron(tmp_path / "f", [[1, 2]], 7, "f"), "megatron")
    refused("missing", tmp_path / "none.bin", "megatron")


def test_an_index_whose_documents_do_not_cover_its_tokens_is_refused(tmp_path):
    with ShardWriter(tmp_path / "s", np.uint16) as writer:
        writer.add([1, 2, 3])
    raw = bytearray((tmp_path / "s.idx").read_bytes())
    raw[-8:] = struct.pack("<q", 0)
    (tmp_path / "s.idx").write_bytes(raw)
    with pytest.raises(InputError, match="do not cover its tokens"):
        import_tokens([tmp_path / "s.bin"], "megatron", tmp_path, vocabulary=100)
