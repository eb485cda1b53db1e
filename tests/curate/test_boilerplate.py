"""What a source repeats goes, what it says stays, and each removal can be explained."""

import os

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.curate.boilerplate import (
    Bounds,
    Counts,
    boilerplate_lines,
    bounds_by_kind,
    count_lines,
    merge,
    normal,
    passage_hash,
    recount,
    strip_texts,
)
from hemicycle.curate.clean import clean

EXAMPLES = int(os.environ.get("HEMICYCLE_FUZZ", "200"))
BOUNDS = Bounds(documents=3, share=0.5, words=2)
LINE = st.text("ab \u00a01", max_size=5)
TEXT = st.lists(LINE, max_size=8).map("\n".join)


def buffers(texts):
    return joined([text.encode("utf-8", "surrogatepass") for text in texts])


def joined(texts):
    return np.frombuffer(b"".join(texts), np.uint8), np.cumsum([0, *map(len, texts)])


def counted(*batches, places=64):
    table = np.zeros(places, np.uint32)
    for batch in batches:
        count_lines(*buffers(batch), table)
    return Counts(sum(map(len, batches)), table)


def strip(text, points, hashes):
    """Of one text; and how many passages went."""
    bounds = np.array([0, len(points)])
    data, offsets, points, went = strip_texts(*buffers([text]), points, bounds, hashes)
    return bytes(data[offsets[0] : offsets[1]]).decode(), points, int(went[0])


def boilerplate(batches, bounds=BOUNDS):
    counts = counted(*batches)
    recounted = merge([recount(*buffers(batch), counts, bounds) for batch in batches])
    return boilerplate_lines(recounted, counts.documents, bounds)


def passages(text):
    """Every line, and every paragraph of several lines, in normal form."""
    blocks, block = [], []
    for line in [*text.split("\n"), ""]:
        if normal(line):
            block.append(normal(line))
        else:
            blocks.append(block)
            block = []
    return {line for b in blocks for line in b} | {" ".join(b) for b in blocks if len(b) > 1}


PAGES = [
    f"Accueil - Contact\n\nArticle {word}\nsur {word}\n\nPage {n} sur 40" for n, word in enumerate("abcd")
]


def test_a_menu_and_page_numbers_go_and_the_articles_stay():
    found = boilerplate([PAGES])
    assert sorted(found["passage"]) == ["Accueil - Contact", "Page 0 sur 0"]
    assert found["documents"].to_list() == [4, 4]
    text, _, removed = strip(PAGES[2], np.zeros(0, np.int64), found["hash"].to_numpy())
    assert text == "Article c\nsur c"
    assert removed == 2


def test_known_answers():
    assert hex(passage_hash("")) == "0xcbf29ce484222325"
    assert hex(passage_hash("foobar")) == "0x85944171f73967e8"
    assert passage_hash(" page\u00a012\n sur  40 ") == passage_hash("page 0 sur 0")


def test_a_notice_is_one_passage_wherever_its_lines_are_broken():
    notice = "Ce livre est libre de droits et vous pouvez le copier ."
    words = notice.split()
    texts = [
        " ".join(words[:n]) + "\n" + " ".join(words[n:]) + f"\n\nTexte {chr(97 + n)}" for n in range(2, 7)
    ]
    found = boilerplate([texts])
    assert found["passage"].to_list() == [notice]
    assert strip(texts[1], np.zeros(0, np.int64), found["hash"].to_numpy())[0] == "Texte d"


def test_both_bounds_must_be_reached_and_a_line_counts_once_in_a_document():
    other = [f"page {word}" for word in "efghij"]
    menu = "Le menu"
    twice = [f"{menu}\n{menu}", f"{menu}\n{menu}"]
    assert not boilerplate([twice]).height
    thrice = [*twice, menu]
    assert boilerplate([thrice]).height == 1
    assert not boilerplate([thrice + other]).height
    assert not boilerplate([["Menu"] * 9]).height


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(TEXT, max_size=8), st.lists(st.integers(0, 8), max_size=3))
def test_what_is_found_is_what_the_definition_says_in_any_batches(texts, cuts):
    cuts = sorted(min(c, len(texts)) for c in cuts)
    batches = [texts[a:b] for a, b in zip([0, *cuts], [*cuts, len(texts)], strict=True)]
    bounds = Bounds(documents=2, share=0.3, words=1)
    documents = {}
    for text in texts:
        for passage in passages(text):
            documents[passage] = documents.get(passage, 0) + 1
    expected = {p: n for p, n in documents.items() if n >= 2 and n >= 0.3 * len(texts)}
    found = boilerplate(batches, bounds)
    assert dict(found.select("passage", "documents").iter_rows()) == expected
    assert [passage_hash(p) for p in found["passage"]] == found["hash"].to_list()
    assert found.equals(boilerplate([texts[::-1]], bounds))


def test_places_that_passages_share_do_not_make_boilerplate():
    """The table only says what may be: with one place for all, the exact count still decides."""
    counts = counted(PAGES, places=1)
    assert counts.table[0] >= 4 * 4
    found = boilerplate_lines(recount(*buffers(PAGES), counts, BOUNDS), 4, BOUNDS)
    assert sorted(found["passage"]) == ["Accueil - Contact", "Page 0 sur 0"]


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["menu é à", "pied 3 de page", "", "corps", "texte é\u00a0!"])), max_size=9
    ),
    st.data(),
)
def test_parts_keep_their_own_characters(lines, data):
    text = clean("\n".join(line for (line,) in lines)).text
    cut = st.integers(0, len(text))
    parts = []
    for _ in range(3):
        start, end = sorted((data.draw(cut), data.draw(cut)))
        parts.append((start, end))
    gone = np.array(sorted(map(passage_hash, ["menu é à", "pied 4 de page"])), np.uint64)
    left, points, removed = strip(text, np.array(parts, np.int64).ravel(), gone)
    moved = [tuple(part) for part in points.reshape(-1, 2).tolist()]
    own = [line for line in text.split("\n") if line in ("corps", "texte é\u00a0!")]
    assert [line for line in left.split("\n") if line] == own
    assert removed == sum(line in ("menu é à", "pied 3 de page") for line in text.split("\n"))
    assert left == clean(left).text

    if not removed:
        assert moved == parts
        return

    def kept(value):
        return "".join(c for c in value if c not in " \n\0")

    # The text with what goes blotted out.
    blotted = "\n".join("\0" * len(line) if line not in own else line for line in text.split("\n"))
    expected = [kept(blotted[slice(*part)]) for part in parts]
    stretches = [kept(left[slice(*part)]) for part in moved]
    assert list(filter(None, stretches)) == list(filter(None, expected))


def test_a_line_inside_a_paragraph_leaves_one_paragraph():
    gone = np.array([passage_hash("une publicité")], np.uint64)
    text, points, _ = strip("avant\nune publicité\naprès", np.array([0, 5, 6, 19, 20, 25]), gone)
    assert text == "avant\naprès"
    assert points.tolist() == [0, 5, 6, 6, 6, 11]


def test_a_text_without_boilerplate_is_returned_as_it_is():
    text, points, removed = strip("rien à ôter", np.array([0, 4]), np.empty(0, np.uint64))
    assert (text, points.tolist(), removed) == ("rien à ôter", [0, 4], 0)
    assert strip("", points[:0], np.array([passage_hash("x")], np.uint64))[0] == ""


def test_texts_of_a_batch_are_stripped_as_each_alone():
    gone = np.array(sorted(map(passage_hash, ["menu", "pied"])), np.uint64)
    texts = ["menu\nété", "", "pied", "un\nmenu\ndeux\npied", "ôté\npied"]
    points = np.array([0, 4, 5, 8, 0, 2, 3, 4, 3])
    bounds = np.array([0, 4, 4, 4, 8, 9])
    data, offsets, moved, went = strip_texts(*buffers(texts), points, bounds, gone)
    for i, text in enumerate(texts):
        mine = slice(bounds[i], bounds[i + 1])
        alone = strip(text, points[mine], gone)
        assert bytes(data[offsets[i] : offsets[i + 1]]).decode() == alone[0]
        assert moved[mine].tolist() == alone[1].tolist()
        assert went[i] == alone[2]


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=5), st.integers(0, 5))
def test_any_bytes_are_counted_alike_in_one_batch_and_in_two(texts, cut):
    whole, halves = joined(texts), [joined(texts[:cut]), joined(texts[cut:])]
    table, added = np.zeros(64, np.uint32), np.zeros(64, np.uint32)
    count_lines(*whole, table)
    for half in halves:
        count_lines(*half, added)
    assert table.tolist() == added.tolist()
    counts, every = Counts(len(texts), table), Bounds(1, 0, 0)
    once, twice = ([recount(*batch, counts, every) for batch in batches] for batches in ([whole], halves))
    assert merge(once).drop("passage").equals(merge(twice).drop("passage"))


def test_the_formulas_of_debates_and_laws_are_text():
    kinds = bounds_by_kind()
    assert not {"debate", "law", "speech"} & set(kinds)
    assert kinds["web"].words == 1
    for bounds in kinds.values():
        assert bounds.documents >= 10
        assert bounds.share >= 0.05


def test_merging_nothing_gives_an_empty_table():
    assert merge([]).schema == pl.Schema({"hash": pl.UInt64, "documents": pl.UInt32, "passage": pl.String})


@pytest.mark.parametrize("size", [20_000, 200_000])
def test_a_text_of_many_equal_lines_costs_its_length(size):
    assert counted(["a b\n" * size]).table.max() == 1
