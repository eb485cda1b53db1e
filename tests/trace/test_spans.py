import dataclasses
import itertools
import random
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.documents import Document
from hemicycle.errors import DeclarationError
from hemicycle.trace import spans as spans_module
from hemicycle.trace.build import build_index
from hemicycle.trace.index import open_index
from hemicycle.trace.query import BLANK_LINE, read_query
from hemicycle.trace.shards import pointer_width
from hemicycle.trace.spans import find_spans, occurrences, spans_of

words = st.lists(st.sampled_from("abc"), max_size=12)


def occurrences_by_looking(documents: list[list[str]], wanted: list[str]) -> list[tuple[int, int]]:
    """Every place where `wanted` stands in the documents: (document, word)."""
    n = len(wanted)
    return [
        (d, i) for d, doc in enumerate(documents) for i in range(len(doc) - n + 1) if doc[i : i + n] == wanted
    ]


def spans_by_looking(
    documents: list[list[str]], text: list[str], min_words: int
) -> list[tuple[int, int, int]]:
    """(first word, words, count) of the maximal spans, by trying every stretch of the text."""
    spans, reached = [], 0
    for start in range(len(text)):
        stop = start
        while stop < len(text) and occurrences_by_looking(documents, text[start : stop + 1]):
            stop += 1
        if stop > max(start, reached):
            reached = stop
            if stop - start >= min_words:
                spans.append((start, stop - start, len(occurrences_by_looking(documents, text[start:stop]))))
    return spans


def opened(folder: Path, write_corpus, documents: list[list[str]], max_words: int = 1000):
    rows = [Document(f"d{i}", " ".join(document)) for i, document in enumerate(documents)]
    corpus = write_corpus(folder / "corpus", {"source": rows})
    build_index([corpus], folder / "index", memory=20 * max_words)
    return open_index(folder / "index")


@settings(max_examples=150, deadline=None)
@given(
    documents=st.lists(words, min_size=1, max_size=5),
    text=st.lists(st.sampled_from("abcx"), max_size=16),
    min_words=st.integers(1, 4),
    max_words=st.sampled_from([1, 7, 15, 1000]),
)
def test_spans_and_places_are_those_found_by_looking(write_corpus, documents, text, min_words, max_words):
    with TemporaryDirectory() as folder:
        index = opened(Path(folder), write_corpus, documents, max_words)
        spans = find_spans(index, " ".join(text), min_words)
        assert [(s.first_word, s.words, s.count) for s in spans] == spans_by_looking(
            documents, text, min_words
        )
        for span in spans:
            places = occurrences_by_looking(documents, text[span.first_word :][: span.words])
            first = {d: min(i for e, i in places if e == d) for d, _ in places}
            assert occurrences(index, span, maximum=100) == sorted(first.items())


@settings(max_examples=60, deadline=None)
@given(
    documents=st.lists(words, min_size=1, max_size=6),
    text=st.lists(st.sampled_from("abcx"), max_size=16),
    min_words=st.integers(1, 4),
    max_words=st.sampled_from([7, 1000]),
    gone=st.sets(st.integers(0, 5)),
)
def test_withdrawn_documents_are_as_if_they_had_never_been_there(
    write_corpus, documents, text, min_words, max_words, gone
):
    with TemporaryDirectory() as folder:
        index = opened(Path(folder), write_corpus, documents, max_words)
        index = index.without([f"source:d{number}" for number in gone])
        left = [[] if number in gone else document for number, document in enumerate(documents)]
        spans = find_spans(index, " ".join(text), min_words)
        assert [(s.first_word, s.words, s.count) for s in spans] == spans_by_looking(left, text, min_words)
        for span in spans:
            places = occurrences_by_looking(left, text[span.first_word :][: span.words])
            first = {d: min(i for e, i in places if e == d) for d, _ in places}
            assert occurrences(index, span, maximum=100) == sorted(first.items())


def test_of_a_frequent_span_some_of_what_is_left_is_shown(tmp_path: Path, write_corpus):
    index = opened(tmp_path, write_corpus, [["formule", "rituelle", f"n{i}"] for i in range(500)])
    index = index.without([f"source:d{i}" for i in range(500) if i % 3])
    (span,) = find_spans(index, "formule rituelle", 2)
    assert span.count == 167
    chosen = occurrences(index, span, 10)
    assert len(chosen) == 10
    assert all(document % 3 == 0 for document, _ in chosen)


@pytest.mark.parametrize("seed", range(4))
def test_long_matches_left_by_bisection_hide_no_span(tmp_path: Path, write_corpus, seed: int):
    rng = random.Random(seed)
    documents = [rng.choices("ab" if seed % 2 else "abcdefgh", k=150) for _ in range(6)]
    text: list[str] = []
    for _ in range(6):
        document = rng.choice(documents)
        begin = rng.randrange(100)
        text += document[begin : begin + rng.randrange(1, 140)] + rng.choices(
            ["x", "a", "b"], k=rng.randrange(2)
        )
    index = opened(tmp_path, write_corpus, documents, max_words=400)
    spans = find_spans(index, " ".join(text), 5)
    assert max(s.words for s in spans) > 48
    assert [(s.first_word, s.words, s.count) for s in spans] == spans_by_looking(documents, text, 5)

    gone = rng.sample(range(6), 3)
    spans = find_spans(index.without([f"source:d{number}" for number in gone]), " ".join(text), 5)
    left = [[] if number in gone else document for number, document in enumerate(documents)]
    assert [(s.first_word, s.words, s.count) for s in spans] == spans_by_looking(left, text, 5)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10**6), gone=st.lists(st.sets(st.integers(0, 9)), min_size=1, max_size=3))
def test_long_matches_in_several_shards_pass_over_what_is_hidden(write_corpus, seed, gone):
    """Withdrawn one after the other; copies stand in long rows of equal suffixes, hidden and shown."""
    rng = random.Random(seed)
    whole = rng.choices("abc", k=160)
    documents = [
        [*whole[: rng.randrange(1, 160)], *rng.choices("abc", k=rng.randrange(90))] for _ in range(10)
    ]
    text = [*whole[rng.randrange(60) :], "x", *documents[0][30:]]
    with TemporaryDirectory() as folder:
        index = opened(Path(folder), write_corpus, documents, max_words=300)
        assert len(index.shards) > 1
        for several in gone:
            index = index.without([f"source:d{number}" for number in several])
        hidden = set().union(*gone)
        left = [[] if number in hidden else document for number, document in enumerate(documents)]
        spans = find_spans(index, " ".join(text), 5)
        assert [(s.first_word, s.words, s.count) for s in spans] == spans_by_looking(left, text, 5)
        for span in spans:
            places = occurrences_by_looking(left, text[span.first_word :][: span.words])
            first = {d: min(i for e, i in places if e == d) for d, _ in places}
            assert occurrences(index, span, maximum=1000) == sorted(first.items())
        assert index.words == sum(map(len, left))
        counts = read_query(index, "a b c").counts.tolist()
        assert counts == [sum(document.count(word) for document in left) for word in "abc"]


def test_what_was_withdrawn_before_stays_hidden(tmp_path: Path, write_corpus):
    index = opened(tmp_path, write_corpus, [["un", "deux", "trois"], ["quatre"], ["un", "deux", "trois"]])
    first = index.without(["source:d0"])
    both = first.without(["source:d2"])
    assert [s.count for s in find_spans(first, "un deux trois", 3)] == [1]
    assert find_spans(both, "un deux trois", 3) == []
    again = both.without(["source:d0", "source:d2"])
    assert again.words == both.words == 1
    assert [s.count for s in find_spans(index, "un deux trois", 3)] == [2]


def test_spans_are_as_rare_as_if_what_is_withdrawn_had_never_been_there(tmp_path: Path, write_corpus):
    documents = [["la", "rose", "est", "rouge"], ["la", "nuit", "tombe"], ["rose", "rose", "rose", "rouge"]]
    hidden = opened(tmp_path / "all", write_corpus, documents).without(["source:d2"])
    built = opened(tmp_path / "left", write_corpus, documents[:2])
    assert read_query(hidden, "la rose est rouge").log_p.tolist() == (
        read_query(built, "la rose est rouge").log_p.tolist()
    )


def test_a_match_never_crosses_from_one_document_into_the_next(tmp_path: Path, write_corpus):
    index = opened(tmp_path, write_corpus, [["un", "deux"], ["trois", "quatre"]])
    assert [(s.first_word, s.words) for s in find_spans(index, "un deux trois quatre", 1)] == [(0, 2), (2, 2)]


def test_span_offsets_are_characters_of_the_text_asked_about(tmp_path: Path, write_corpus):
    index = opened(tmp_path, write_corpus, [["la", "seance", "est", "ouverte"]])
    text = "Il dit : « La  SE\u0301ANCE est-ouverte ! »"
    (span,) = find_spans(index, text, 3)
    assert text[span.start : span.end] == "La  SE\u0301ANCE est-ouverte"


@pytest.mark.parametrize("text", ["", "…", "inconnu"])
def test_a_text_without_known_words_has_no_span(tmp_path: Path, write_corpus, text: str):
    assert find_spans(opened(tmp_path, write_corpus, [["un"]]), text, 1) == []


def test_a_span_of_no_words_is_refused(tmp_path: Path, write_corpus):
    with pytest.raises(DeclarationError, match="min_words is 0"):
        find_spans(opened(tmp_path, write_corpus, [["un"]]), "un", 0)


@pytest.mark.parametrize("types", [3, 300, 70_000])
def test_the_table_is_the_order_of_the_byte_suffixes(tmp_path: Path, write_corpus, types: int):
    rng = random.Random(types)
    every = [f"w{i}" for i in range(types)]
    rng.shuffle(every)
    documents = [every, *(rng.choices(every, k=rng.randrange(40)) for _ in range(40))]
    index = opened(tmp_path, write_corpus, documents, max_words=10**6)
    data = (tmp_path / "index" / "tokenized.0").read_bytes()
    width = pointer_width(len(data))
    table = (tmp_path / "index" / "table.0").read_bytes()
    pointers = [int.from_bytes(table[i : i + width], "little") for i in range(0, len(table), width)]
    assert sorted(pointers) == list(range(0, len(data), 2 if types < 0xFFFE else 4))
    # Long enough to tell any two apart here, short enough to be quick.
    suffixes = [data[p : p + 400] for p in pointers]
    assert all(a <= b for a, b in itertools.pairwise(suffixes))
    spans = find_spans(index, " ".join(every[:200]) + " x " + " ".join(documents[5]), 1)
    assert (spans[0].first_word, spans[0].words) == (0, min(200, types))


@pytest.mark.parametrize(
    ("size", "width"), [(4, 1), (256, 1), (257, 2), (65_536, 2), (65_540, 3), (2**32, 4), (2**32 + 4, 5)]
)
def test_pointers_are_as_wide_as_the_file_needs(size: int, width: int):
    assert pointer_width(size) == width
    assert width == max(1, int(np.ceil(np.log2(size) / 8)))


def test_a_frequent_span_shows_the_same_spread_of_places_each_time(tmp_path: Path, write_corpus):
    index = opened(tmp_path, write_corpus, [["formule", "rituelle", f"n{i}"] for i in range(500)])
    (span,) = find_spans(index, "formule rituelle", 2)
    assert span.count == 500
    chosen = occurrences(index, span, 10)
    assert len(chosen) == 10
    assert chosen == occurrences(index, span, 10)
    assert {word for _, word in chosen} == {0}


@pytest.mark.parametrize("distinct", [900, 70_000])
def test_short_matches_beside_unknown_words_are_found_in_large_shards(tmp_path, write_corpus, distinct):
    """Shards of so many suffixes that the top level leads into them, of 16 bits and of 32."""
    chance = random.Random(1)
    document = [f"m{n}" for n in range(distinct)] + [f"m{chance.randrange(900)}" for _ in range(5_000)]
    index = opened(tmp_path, write_corpus, [document], 200_000)
    assert index.shards[0].words.itemsize == (2 if distinct == 900 else 4)
    for _ in range(200):
        at, length = chance.randrange(distinct, len(document) - 3), chance.randrange(1, 4)
        text = [*document[at : at + length], "inconnu", *document[at : at + length]]
        found = [(span.first_word, span.words) for span in find_spans(index, " ".join(text), 1)]
        assert found == [(0, length), (length + 1, length)]


def spans_of_one(index, query, stretch, min_words):
    return spans_of(index, dataclasses.replace(query, stretches=(stretch,)), min_words)


@settings(max_examples=100, deadline=None)
@given(
    documents=st.lists(words, min_size=1, max_size=5),
    text=st.lists(st.sampled_from("abcx"), max_size=16),
    stretches=st.lists(st.tuples(st.integers(0, 16), st.integers(0, 16)), max_size=12),
    min_words=st.integers(1, 4),
    reported=st.sampled_from([1, 2, 5, 2**16]),
)
def test_stretches_are_each_by_itself_though_all_are_searched_at_once(
    write_corpus, documents, text, stretches, min_words, reported
):
    """Overlapping, touching, too short or the same twice."""
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patched:
        patched.setattr(spans_module, "_REPORTED", reported)
        index = opened(Path(folder), write_corpus, documents, 7)
        query = read_query(index, " ".join(text))
        size = len(query)
        chosen = tuple((a, b) for a, b in ((min(s), min(max(s), size)) for s in stretches) if a < b)
        query = dataclasses.replace(query, stretches=chosen)
        told = [0.0]
        bar = SimpleNamespace(advance=lambda words: told.append(told[-1] + words))
        found = spans_of(index, query, min_words, bar)
        assert found == [span for one in chosen for span in spans_of_one(index, query, one, min_words)]
        assert told[-1] == pytest.approx(sum(b - a for a, b in chosen))
        for a, b in chosen:
            spans = spans_of_one(index, query, (a, b), min_words)
            assert [(s.first_word - a, s.words, s.count) for s in spans] == spans_by_looking(
                documents, text[a:b], min_words
            )


@pytest.mark.parametrize("min_words", [1, 8])
def test_a_text_of_many_short_paragraphs_costs_few_calls(tmp_path, write_corpus, monkeypatch, min_words):
    index = opened(tmp_path, write_corpus, [["a", "b"], ["a"], ["c", "a"]], 2)
    assert len(index.shards) > 1
    query = read_query(index, 300 * "a\n\n", BLANK_LINE)
    assert len(query.stretches) == 300
    calls = []
    for name in ("_maximal", "_extents"):
        compiled = getattr(spans_module, name)
        monkeypatch.setattr(spans_module, name, lambda *a, _of=compiled: calls.append(1) or _of(*a))
    spans = spans_of(index, query, min_words)
    assert len(calls) <= 3 * len(index.shards)
    assert [(s.first_word, s.count) for s in spans] == (
        [(i, 3) for i in range(300)] if min_words == 1 else []
    )
