"""Texts: the words that are shown stand where cutting the whole text would put them."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.documents import Document
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
