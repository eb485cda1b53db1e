"""Texts: the words that are shown stand where cutting the whole text would put them."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.documents import Document, Part
from hemicycle.trace import shards, texts
from hemicycle.trace.build import build_index
from hemicycle.trace.index import open_index
from hemicycle.trace.words import word_bounds

from .test_words import HARD

pieces = st.sampled_from([*HARD, "mot", "été ", " ½ ", "½⑴", "ﷺ ", "\n", "a\u0301 ", "fin. "])
documents = st.lists(st.lists(pieces, max_size=120).map("".join), min_size=1, max_size=4)


@pytest.mark.parametrize("marked", [1, 3, 16])
@settings(max_examples=60, deadline=None)
@given(several=documents, data=st.data())
def test_words_are_found_from_the_nearest_mark(write_corpus, marked, several, data):
    from hemicycle.trace import build

    with TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        for module in (build, shards, texts):
            patch.setattr(module, "MARKED", marked)
        folder = Path(name)
        rows = [Document(str(i), text) for i, text in enumerate(several)]
        corpus = write_corpus(folder / "corpus", {"s": rows})
        build_index([corpus], folder / "index")
        index = open_index(folder / "index")
        opened = texts.Texts(index, [corpus])
        for number, text in opened.fetch(range(len(several))).items():
            starts, ends = word_bounds(several[number])
            assert index.lengths[number] == len(starts)
            if not len(starts):
                continue
            first = data.draw(st.integers(0, len(starts) - 1))
            last = data.draw(st.integers(first + 1, len(starts)))
            found = opened.bounds(number, text.text, first, last)
            assert found[0].tolist() == starts[first:last].tolist()
            assert found[1].tolist() == ends[first:last].tolist()


@pytest.mark.parametrize("words", [65_400, 65_535, 65_536, 66_000, 140_000])
def test_words_after_more_at_one_place_than_a_mark_can_count_are_found(tmp_path, write_corpus, words):
    """Each ½ folds to two words, and all of a run without a space have its place."""
    text = "la " + "½" * (words // 2) + " la séance est ouverte"
    corpus = write_corpus(tmp_path / "corpus", {"s": [Document("0", text)]})
    build_index([corpus], tmp_path / "index")
    index = open_index(tmp_path / "index")
    opened = texts.Texts(index, [corpus])
    last = int(index.lengths[0])
    starts, ends = opened.bounds(0, text, last - 3, last)
    assert [text[a:b] for a, b in zip(starts.tolist(), ends.tolist(), strict=True)] == (
        ["séance", "est", "ouverte"]
    )
    assert opened.bounds(0, text, 0, last)[0].tolist() == word_bounds(text)[0].tolist()


def test_a_document_that_is_remembered_keeps_no_row_group(tmp_path, write_corpus, monkeypatch):
    """Two documents stand in each group, one with many parts."""
    monkeypatch.setattr(texts, "_GROUP_BYTES", 1)
    rows = []
    for number in range(40):
        parts = tuple(Part(0, 2, anchor=f"tour-{number}-{n}") for n in range(1 + 2_000 * (number % 2)))
        rows.append(Document(str(number), f"mot {number}", parts=parts))
    corpus = write_corpus(tmp_path / "corpus", {"s": rows})
    build_index([corpus], tmp_path / "index")
    opened = texts.Texts(open_index(tmp_path / "index"), [corpus])
    before = pa.total_allocated_bytes()
    fetched = opened.fetch(range(0, 40, 2))
    assert [text.part_at(0, 1)["anchor"] for text in fetched.values()] == [
        f"tour-{n}-0" for n in range(0, 40, 2)
    ]
    # One group is remembered; twenty would be twenty times as much.
    assert pa.total_allocated_bytes() - before < 500_000
