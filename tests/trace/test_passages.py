"""Passages: what stands more than once, as looking at every pair of places finds it."""

import random
import tracemalloc
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.documents import Document
from hemicycle.errors import DeclarationError
from hemicycle.trace import passages
from hemicycle.trace.build import build_index
from hemicycle.trace.index import open_index
from hemicycle.trace.passages import find_repeated

words = st.lists(st.sampled_from("abc"), max_size=14)


def by_looking(documents: list[list[str]], most: int) -> list[tuple[str, int, int, int]]:
    """(document, first word, words, words read before) of the runs of words in repeated stretches."""
    places: dict[tuple[str, ...], list[tuple[int, int]]] = {}
    for d, document in enumerate(documents):
        for i in range(len(document) - most + 1):
            places.setdefault(tuple(document[i : i + most]), []).append((d, i))
    found = []
    for d, document in enumerate(documents):
        inside, again = [False] * len(document), [False] * len(document)
        for same in places.values():
            for n, (e, i) in enumerate(sorted(same)):
                if e == d and len(same) > 1:
                    inside[i : i + most] = [True] * most
                    if n:
                        again[i : i + most] = [True] * most
        begin = None
        for i in range(len(document) + 1):
            if i < len(document) and inside[i]:
                begin = i if begin is None else begin
            elif begin is not None:
                found.append((f"s:d{d}", begin, i - begin, sum(again[begin:i])))
                begin = None
    return found


@settings(max_examples=80, deadline=None)
@given(
    documents=st.lists(words, min_size=1, max_size=5),
    most=st.integers(2, 4),
    memory=st.sampled_from([20 * 9, 20 * 1000]),
    gone=st.sets(st.integers(0, 4), max_size=2),
)
def test_passages_are_those_found_by_looking(write_corpus, documents, most, memory, gone):
    with TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(passages, "_RANKS", 5)
        rows = [Document(f"d{i}", " ".join(document)) for i, document in enumerate(documents)]
        corpus = write_corpus(Path(name) / "corpus", {"s": rows})
        build_index([corpus], Path(name) / "index", memory=memory)
        index = open_index(Path(name) / "index", withdrawn=[f"s:d{i}" for i in gone])
        found = find_repeated(index, [corpus], most)
        left = [[] if i in gone else document for i, document in enumerate(documents)]
        rows = [(r["document"], r["first_word"], r["words"], r["again"]) for r in found.passages.to_pylist()]
        assert rows == by_looking(left, most)
        assert found.sources["s"]["repeated"] == sum(row[2] for row in rows)
        assert found.sources["s"]["again"] == sum(row[3] for row in rows)
        for row in found.passages.to_pylist():
            document = documents[int(row["document"].removeprefix("s:d"))]
            passage = " ".join(document)[row["start"] : row["end"]]
            assert passage.split() == document[row["first_word"] :][: row["words"]]


def test_a_passage_of_one_word_is_refused(tmp_path, write_corpus):
    corpus = write_corpus(tmp_path / "corpus", {"s": [Document("1", "un")]})
    build_index([corpus], tmp_path / "index")
    with pytest.raises(DeclarationError, match="at least two words"):
        find_repeated(open_index(tmp_path / "index"), [corpus], 1)


def test_what_it_takes_is_a_few_bytes_a_word(tmp_path, write_corpus, monkeypatch):
    monkeypatch.setattr(passages, "_RANKS", 1 << 12)
    rng = random.Random(1)
    texts = [" ".join(f"m{rng.randrange(5000)}" for _ in range(20_000)) for _ in range(10)]
    corpus = write_corpus(
        tmp_path / "corpus", {"s": [Document(str(n), text) for n, text in enumerate(texts)]}
    )
    build_index([corpus], tmp_path / "index")
    index = open_index(tmp_path / "index")
    find_repeated(index, [corpus])
    tracemalloc.start()
    try:
        find_repeated(index, [corpus])
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most / len(index.shards[0].words) < 8
