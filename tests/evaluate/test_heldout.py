from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemicycle.curate.withdrawn import LISTED, WITHDRAWN
from hemicycle.errors import InputError
from hemicycle.evaluate import heldout
from hemicycle.evaluate.heldout import cut, read_held_out, training_texts


@given(st.text(alphabet="aé€😀", min_size=1, max_size=60), st.integers(1, 20))
def test_blocks_cover_the_text_once_and_are_of_one_length(text, block):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(heldout, "BLOCK", block)
        document = cut("d", "s", text)
    starts = [0, *document.ends[:-1].tolist()]
    lengths = [end - start for start, end in zip(starts, document.ends.tolist(), strict=True)]
    assert document.ends[-1] == len(text)
    assert max(lengths) - min(lengths) <= 1
    assert min(lengths) >= 1
    assert document.byte_ends.tolist() == [len(text[:end].encode("utf-8")) for end in document.ends]


def test_a_block_has_about_two_thousand_characters():
    assert cut("d", "s", "x" * 2_900).ends.tolist() == [2_900]
    assert cut("d", "s", "x" * 3_100).ends.tolist() == [1_550, 3_100]


def test_held_out_documents_come_by_source_and_empty_ones_not_at_all(corpus):
    rows = [
        ("b:1", "b", "held-out", "un"),
        ("a:1", "a", "held-out", "deux"),
        ("a:2", "a", "held-out", ""),
        ("a:3", "a", "train", "trois"),
    ]
    held = read_held_out({"c": corpus("c", rows)})
    assert [one.id for one in held.documents] == ["a:1", "b:1"]
    assert held.trained_elsewhere == 0


def test_a_document_that_another_corpus_trains_on_is_left_out_and_counted(corpus):
    one = corpus("one", [("a:1", "a", "held-out", "un"), ("a:2", "a", "held-out", "deux")])
    by_id = corpus("two", [("a:1", "a", "train", "un, revu"), ("b:1", "b", "held-out", "trois")])
    held = read_held_out({"one": one, "two": by_id})
    assert [document.id for document in held.documents] == ["a:2", "b:1"]
    assert held.trained_elsewhere == 1
    by_text = corpus("three", [("x:9", "x", "train", "deux"), ("b:1", "b", "held-out", "trois")])
    held = read_held_out({"one": one, "three": by_text})
    assert [document.id for document in held.documents] == ["a:1", "b:1"]


def test_a_document_that_a_tokenizer_was_learnt_on_is_left_out_and_counted(corpus):
    rows = [(f"a:{n}", "a", "held-out", text) for n, text in enumerate(["un", "deux", "trois"])]
    own = corpus("own", rows)
    learnt = corpus(
        "learnt",
        [
            ("a:0", "a", "train", "un, revu"),
            ("x:9", "x", "train", "deux"),
            ("a:2", "a", "held-out", "trois"),
        ],
    )
    held = read_held_out({"own": own}, {"learnt": learnt})
    assert [document.id for document in held.documents] == ["a:2"]
    assert held.trained_elsewhere == 2
    assert read_held_out({"own": own}, {"own": own}).trained_elsewhere == 0
    with pytest.raises(InputError, match="or of a tokenizer") as caught:
        read_held_out({"own": own}, {"one": learnt, "two": corpus("two", [("a:2", "a", "train", "trois")])})
    assert "learnt" in str(caught.value.place)


def test_a_document_in_two_corpora_is_measured_and_counted_once(corpus):
    rows = [("a:1", "a", "held-out", "un"), ("a:2", "a", "train", "deux")]
    both = {"one": corpus("one", rows), "two": corpus("two", rows)}
    assert len(read_held_out(both).documents) == 1
    assert list(training_texts(both)) == ["deux"]


def test_a_corpus_that_holds_nothing_out_says_what_to_change(corpus):
    folder = corpus("debats", [("a:1", "a", "train", "un")])
    with pytest.raises(InputError, match=r"held_out = 0\.1.*") as caught:
        read_held_out({"debats": folder})
    assert "[corpora.debats]" in str(caught.value)


def list_withdrawn(folder, *splits):
    rows = [{"id": f"w:{n}", "source": "w", "split": split} for n, split in enumerate(splits)]
    pq.write_table(pa.Table.from_pylist(rows, LISTED), folder / WITHDRAWN)


def test_a_corpus_of_which_all_that_was_held_out_is_withdrawn_leaves_the_others_to_be_measured(corpus):
    gone, other = corpus("gone", []), corpus("other", [("a:1", "a", "held-out", "un")])
    (gone / "kept").mkdir(exist_ok=True)
    list_withdrawn(gone, "train", "held-out")
    assert [one.id for one in read_held_out({"gone": gone, "other": other}).documents] == ["a:1"]
    with pytest.raises(InputError, match="was withdrawn, so there is nothing to measure on") as caught:
        read_held_out({"gone": gone})
    assert caught.value.place == "gone"


@pytest.mark.parametrize("split", ["train", "dropped"])
def test_a_corpus_that_held_nothing_out_is_refused_whatever_else_was_withdrawn_from_it(corpus, split):
    none = corpus("none", [("a:1", "a", "train", "un")])
    other = corpus("other", [("b:1", "b", "held-out", "deux")])
    list_withdrawn(none, split)
    for corpora in ({"none": none}, {"none": none, "other": other}):
        with pytest.raises(InputError, match="the corpus “none” holds no document out"):
            read_held_out(corpora)


def test_nothing_left_to_measure_is_said(corpus):
    one = corpus("one", [("a:1", "a", "held-out", "un"), ("a:2", "a", "train", "deux")])
    two = corpus("two", [("a:1", "a", "train", "un"), ("a:2", "a", "held-out", "deux")])
    with pytest.raises(InputError, match="training text of another corpus"):
        read_held_out({"one": one, "two": two})


def test_a_folder_that_is_no_corpus_is_refused(tmp_path):
    with pytest.raises(InputError, match="not a corpus"):
        read_held_out({"c": tmp_path})
