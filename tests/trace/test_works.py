"""A work against the index: all of its passages, who holds how much of it, and two copies side by side."""

import random
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.documents import Document, Part
from hemicycle.errors import DeclarationError
from hemicycle.trace import Tracer, build_index, open_index
from hemicycle.trace import spans as spans_module
from hemicycle.trace import works as works_module
from hemicycle.trace.typography import side_by_side
from hemicycle.trace.words import split_words
from hemicycle.trace.works import searched, shares, trace_work

WELL = "Le puits est à sec depuis hier soir et nul ne sait où mener les bêtes de la vallée."
RIVER = "La rivière, elle, coule encore sous les saules où les enfants vont jouer le dimanche."
BRIDGE = "Un pont de pierre mène au village que personne n'a plus habité depuis la dernière crue."


@pytest.fixture(scope="module")
def small(tmp_path_factory, write_corpus):
    folder = tmp_path_factory.mktemp("small")
    sources = {
        "contes": [
            Document("puits", f"{WELL} {RIVER}", parts=(Part(0, len(WELL), "p1"),), title="Le puits"),
            Document("pont", f"{BRIDGE} {RIVER}"),
        ],
        "notes": [Document("note", f"Une note. {RIVER} Fin."), Document("autre", "Rien de commun ici.")],
    }
    corpus = write_corpus(folder / "corpus", sources, held_out={"contes:pont"})
    build_index([corpus], folder / "index")
    return Tracer(open_index(folder / "index"), [corpus]), corpus


def test_who_holds_most_comes_first_and_words_held_twice_count_once(small):
    work = f"Prologue. {WELL.upper()} Rien. {RIVER} Entracte. {RIVER}"
    traced = trace_work(small[0], work)
    assert [(d.id, d.words, d.stretches) for d in traced.documents] == [
        ("contes:puits", 49, 3),
        ("notes:note", 30, 2),
    ]
    assert traced.words == 52
    assert traced.stretches == ((1, 19), (21, 15), (37, 15))
    assert traced.coverage == 49 / 52
    assert [work[p.start : p.end].upper() for p in traced.passages] == [
        WELL[:-1].upper(),
        RIVER[:-1].upper(),
        RIVER[:-1].upper(),
    ]


def test_what_is_told_of_a_document_is_what_the_tracer_knows(small):
    traced = trace_work(small[0], WELL)
    (document,) = traced.documents
    assert (document.known.title, document.known.anchor, document.known.origin) == ("Le puits", "p1", "puits")
    assert traced.told == (document,)
    told = traced.to_json()
    assert told["documents"][0]["title"] == "Le puits"
    assert told["documents"][0]["words"] == 19
    assert "excerpt" not in told["documents"][0]
    assert told["spans"][0]["matches"][0]["anchor"] == "p1"
    assert told["spans"][0]["text"] == WELL[:-1]


def test_a_document_that_holds_a_chapter_is_not_hidden_by_one_that_holds_the_whole(tmp_path, write_corpus):
    words = [f"mot{n}" for n in range(400)]
    chapter = words[200:260]
    documents = [Document("roman", " ".join(words)), Document("extrait", f"avant {' '.join(chapter)} après")]
    documents += [Document("bribe", " ".join(["x", *words[32:40], "y"])), Document("rien", "autre chose")]
    documents += [Document("retouché", " ".join([*words[:150], "autre", *words[151:]]))]
    corpus = write_corpus(tmp_path / "c", {"s": documents})
    build_index([corpus], tmp_path / "i")
    index = open_index(tmp_path / "i")
    traced = trace_work(Tracer(index, [corpus]), " ".join(words))
    assert len(traced.passages) == 1
    assert [(d.id, d.words, d.longest) for d in traced.documents] == [
        ("s:roman", 400, (0, 400)),
        ("s:retouché", 399, (151, 249)),
        ("s:extrait", 60, (200, 60)),
        ("s:bribe", 8, (32, 8)),
    ]
    assert {d.id for d in traced.told} == {"s:roman", "s:retouché", "s:extrait", "s:bribe"}


def held(document: list[str], work: list[str], shortest: int) -> list[bool]:
    """Which words of a work are in a match, each stretch of it looked for in the document."""
    inside = [False] * len(work)
    stretches = {tuple(document[at : at + shortest]) for at in range(len(document) - shortest + 1)}
    for at in range(len(work) - shortest + 1):
        if tuple(work[at : at + shortest]) in stretches:
            inside[at : at + shortest] = [True] * shortest
    return inside


def in_a_row(document: list[str], work: list[str]) -> int:
    """The most words in a row that both have."""
    most, before = 0, [0] * (len(work) + 1)
    for word in document:
        before = [0, *(before[at] + 1 if one == word else 0 for at, one in enumerate(work))]
        most = max(most, *before)
    return most


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([1, 2, 3, 5, 8, 13]))
def test_what_a_document_holds_is_what_a_slow_comparison_finds(
    tmp_path_factory, write_corpus, seed, shortest
):
    rng = random.Random(seed)
    folder = tmp_path_factory.mktemp("held")
    work = [f"m{n if rng.random() < 0.8 else rng.randrange(20)}" for n in range(90)]
    documents = []
    for _ in range(5):
        words = []
        for _ in range(rng.randrange(1, 7)):
            at = rng.randrange(len(work))
            words += [*work[at : at + rng.randrange(1, 40)], *([f"x{rng.randrange(9)}"] * rng.randrange(3))]
        documents.append(words)
    corpus = write_corpus(
        folder / "c", {"s": [Document(str(n), " ".join(d)) for n, d in enumerate(documents)]}
    )
    build_index([corpus], folder / "i", memory=20 * rng.choice([120, 10_000]))
    traced = trace_work(Tracer(open_index(folder / "i"), [corpus]), " ".join(work), min_words=shortest)
    found = {d.id: d for d in traced.documents}
    for number, words in enumerate(documents):
        inside = held(words, work, shortest)
        runs = [len(run) for run in "".join("x" if one else " " for one in inside).split()]
        if (document := found.get(f"s:{number}")) is not None:
            assert (document.words, document.stretches) == (sum(inside), len(runs))
            assert document.longest[1] == max(runs)
            assert all(inside[document.longest[0] : sum(document.longest)])
            assert document.known is not None
        else:
            # It holds no whole window; or, of short ones, all of its windows stand in many places.
            assert in_a_row(words, work) < 2 * shortest - 1 or shortest < 5


def test_a_document_is_not_passed_over_for_what_it_holds_elsewhere(tmp_path, write_corpus):
    work = [f"mot{n}" for n in range(20)]
    document = " ".join([*work[:10], "autre", *work[5:]])
    corpus = write_corpus(tmp_path / "c", {"s": [Document("deux", document)]})
    build_index([corpus], tmp_path / "i")
    (one,) = trace_work(Tracer(open_index(tmp_path / "i"), [corpus]), " ".join(work)).documents
    assert (one.words, one.stretches, one.longest) == (20, 1, (0, 20))


def test_the_documents_that_hold_most_are_told_however_many_hold_the_same(tmp_path, write_corpus):
    work = [f"mot{n}" for n in range(64)]
    pieces = [" ".join(work[at : at + 16]) for at in range(0, 64, 16)]
    # Some differ only far from what they hold.
    tails = ["" if n % 2 else f"suite {'x ' * 600} v{n}" for n in range(150)]
    documents = [
        Document(str(n), f" u{n % 2 * n} ".join(pieces) + f" {tail}") for n, tail in enumerate(tails)
    ]
    corpus = write_corpus(tmp_path / "c", {"s": documents})
    build_index([corpus], tmp_path / "i")
    traced = trace_work(Tracer(open_index(tmp_path / "i"), [corpus]), " ".join(work))
    assert {d.words for d in traced.documents} == {64}
    assert all(d in traced.told for d in traced.documents[:50])
    # Whatever is shown beside a passage is told of.
    assert {p.matches[0].id for p in traced.passages} <= {d.id for d in traced.told}


def test_of_many_copies_each_is_known_whatever_was_looked_at(tmp_path, write_corpus):
    text = " ".join(f"mot{n}" for n in range(100))
    corpus = write_corpus(tmp_path / "c", {"s": [Document(str(n), f"{n} {text}") for n in range(25)]})
    build_index([corpus], tmp_path / "i")
    traced = trace_work(Tracer(open_index(tmp_path / "i"), [corpus]), text)
    assert traced.passages[0].count == 25
    assert len(traced.passages[0].matches) == 10
    assert all(d.words == 100 and d.known is not None for d in traced.documents)
    assert len(traced.told) == len(traced.documents) >= 10


def test_what_was_withdrawn_is_neither_found_nor_counted_as_searched(small, tmp_path):
    tracer, corpus = small
    index = tracer.index.without(["notes:note"])
    assert searched(tracer.index, 1) == [(3, 56)]
    assert searched(index, 1) == [(2, 38)]
    traced = trace_work(Tracer(index, [corpus]), RIVER)
    assert [d.id for d in traced.documents] == ["contes:puits"]


def test_of_several_corpora_each_counts_what_none_before_it_has(tmp_path, write_corpus):
    same = [Document(str(n), f"un texte de six mots {n}") for n in range(3)]
    one = write_corpus(tmp_path / "a", {"s": [*same, Document("vide", "…")]})
    other = write_corpus(tmp_path / "b", {"s": [*same, Document("autre", "deux mots")]})
    build_index([one, other], tmp_path / "i")
    index = open_index(tmp_path / "i")
    assert searched(index, 2) == [(4, 18), (1, 2)]
    # A document without a word is searched, and no more once it is withdrawn.
    assert searched(index.without(["s:vide"]), 2) == [(3, 18), (1, 2)]


def test_what_was_held_out_is_not_found(small):
    traced = trace_work(small[0], BRIDGE)
    assert (traced.found, traced.passages, traced.documents) == (0, (), ())


def test_a_work_too_short_for_any_match_is_no_question(small):
    with pytest.raises(DeclarationError, match="has 3 words, and") as caught:
        trace_work(small[0], "Le puits est", min_words=8)
    assert "--min-words" in caught.value.remedy


def test_of_many_passages_all_are_listed_and_few_are_fetched(small, monkeypatch):
    monkeypatch.setattr(works_module, "PASSAGES", 1)
    monkeypatch.setattr(works_module, "DOCUMENTS", 1)
    traced = trace_work(small[0], f"{RIVER} Rien. {WELL} Rien. {RIVER}")
    assert len(traced.passages) == 3
    assert [len(p.matches) for p in traced.passages] == [0, 1, 0]
    assert [d.id for d in traced.told] == ["contes:puits"]
    assert [h.id for h in traced.passages[0].documents] == ["contes:puits", "notes:note"]


class Watched:
    """Keeps what bars were told."""

    def __init__(self):
        self.bars = {}

    @contextmanager
    def start(self, what, total, unit=""):
        self.bars[what] = [total, 0]
        self.what = what
        yield self

    def advance(self, amount):
        self.bars[self.what][1] += amount


def test_all_of_the_search_is_told_of_while_it_goes_on(small, monkeypatch):
    work = f"{RIVER} Rien. {WELL} Rien. {RIVER} " * 20
    monkeypatch.setattr(spans_module, "_REPORTED", 16)
    whole, watched = trace_work(small[0], work), Watched()
    monkeypatch.setattr(works_module, "_REPORTED", 7)
    assert trace_work(small[0], work, progress=watched) == whole
    assert whole.coverage > 0.9
    assert watched.bars["searching"][0] == 2 * whole.words
    # The last words begin no whole window.
    assert 0 <= 2 * whole.words - watched.bars["searching"][1] < 8
    assert watched.bars["finding documents"][0] == watched.bars["finding documents"][1] > 40


def test_a_mosaic_of_short_stretches_is_quick_and_adds_up(tmp_path, write_corpus):
    rng = random.Random(5)
    vocabulary = [f"mot{n}" for n in range(3000)]
    texts = [" ".join(rng.choices(vocabulary, k=2000)) for _ in range(30)]
    corpus = write_corpus(tmp_path / "c", {"s": [Document(str(n), t) for n, t in enumerate(texts)]})
    build_index([corpus], tmp_path / "i")
    split = [text.split() for text in texts]
    pieces = []
    for _ in range(3000):
        words = rng.choice(split)
        at = rng.randrange(len(words) - 12)
        pieces.append(" ".join(words[at : at + 12]))
    traced = trace_work(Tracer(open_index(tmp_path / "i"), [corpus]), " . ".join(pieces))
    assert traced.coverage == 1.0
    assert len(traced.passages) >= 2900
    assert sum(d.words for d in traced.documents) >= traced.words
    assert len(traced.documents) == 30


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(1, 30)), max_size=20), st.integers(1, 40))
def test_the_picture_holds_as_much_as_was_found(gaps, bins):
    stretches, at = [], 0
    for gap, words in gaps:
        stretches.append((at + gap + 1, words))
        at += gap + 1 + words
    work = works_module.TracedWork("", at + 1, 8, (), tuple(stretches), (), "", 1, None, "")
    found = shares(work, bins)
    assert len(found) == min(bins, work.words)
    assert all(0 <= share <= 1 for share in found)
    assert sum(found) / len(found) == pytest.approx(work.coverage)


@pytest.mark.parametrize(
    ("left", "right", "marked"),
    [
        ("l'eau est là", "l’eau est là", [("'", "’")]),
        ("L'EAU est là", "l'eau est là", [("L", "l"), ("EAU", "eau")]),
        ("l'eau\n  est là", "l'eau est là", []),
        ("où ? là", "où\u202f? là", [(" ? ", "⍽? ")]),
        ("½ mot", "1/2 mot", [("½", "1/2")]),
        ("œuvre", "oeuvre", [("œuvre", "oeuvre")]),
    ],
)
def test_what_differs_in_typography_is_marked_on_both_sides(left, right, marked):
    ours, theirs = side_by_side(left, right, 100)
    pairs = [(a.text, b.text) for a, b in zip(ours, theirs, strict=True) if a.differs]
    assert pairs == marked
    assert all(a.text == b.text for a, b in zip(ours, theirs, strict=True) if not a.differs)


@settings(max_examples=200, deadline=None)
@given(st.text(), st.integers(1, 50))
def test_a_passage_beside_itself_differs_nowhere(text, most):
    if not split_words(text).words:
        return
    ours, theirs = side_by_side(text, text, most)
    assert ours == theirs
    assert not any(piece.differs for piece in ours)
