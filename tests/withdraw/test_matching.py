"""Copies of a text are found wherever they stand, with the share they have of it."""

import dataclasses

import pytest

from hemicycle.trace import build_index, open_index
from hemicycle.withdraw.matching import FORMULA, Matches, find_among, find_matches, held_out
from tests.conftest import write_corpus
from tests.withdraw.toy import letter

WORK = " ".join(letter(n) for n in range(8))


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    folder = tmp_path_factory.mktemp("copies")
    words = WORK.split()
    half = " ".join(words[: len(words) // 2])
    edited = " ".join(f"autre{i}" if i % 20 == 0 else word for i, word in enumerate(words))
    sources = {
        "a": [WORK, letter(50)],
        "b": [
            WORK.upper().replace(" ", "\n"),
            half + " " + " ".join(letter(n) for n in range(60, 64)),
            edited,
        ],
        "c": [letter(n) for n in range(70, 80)],
    }
    corpus = write_corpus(folder / "corpus", sources)
    build_index([corpus], folder / "index")
    return open_index(folder / "index")


def test_a_work_is_found_with_its_copies_and_nothing_else(index):
    found = {match.id: match for match in find_matches(index, [WORK], 200).found}
    assert set(found) == {"a:0", "b:0", "b:1", "b:2"}
    assert found["a:0"].share == found["b:0"].share == 1.0
    assert found["b:1"].share == pytest.approx(0.5, abs=0.07)
    assert found["b:1"].of_text == pytest.approx(0.5, abs=0.07)
    assert found["b:2"].copies
    assert all(0 < match.share <= 1 for match in found.values())


def test_copies_are_found_beside_the_text_itself(index):
    found = [match.id for match in find_matches(index, [WORK], 200, without=["a:0"]).found]
    assert found[0] == "b:0"
    assert "a:0" not in found


@pytest.mark.parametrize("text", ["", "deux mots", letter(900)])
def test_what_stands_nowhere_has_no_copies(index, text):
    assert find_matches(index, [text], 30) == Matches((), 0)


def test_of_a_long_text_runs_are_asked_for_farther_apart_and_shares_stay(index):
    found = {match.id: match.share for match in find_matches(index, [WORK], 200 * 12_500).found}
    assert found["a:0"] == found["b:0"] == 1.0
    assert found["b:1"] == pytest.approx(0.5, abs=0.15)


def test_what_is_held_out_is_found_as_an_index_finds_it(tmp_path, index):
    words = WORK.split()
    texts = {
        "b": [WORK.upper(), " ".join(words[: len(words) // 2]) + " " + letter(60), letter(61)],
        "c": ["deux mots", ""],
    }
    apart = {"b:0", "b:1", "b:2", "c:0", "c:1"}
    corpus = write_corpus(tmp_path / "apart", texts, held_out=apart)
    found = {match.id: match for match in find_among(held_out([corpus]), [WORK], 200).found}
    assert set(found) == {"b:0", "b:1"}
    assert found["b:0"].to_json() == {
        "id": "b:0",
        "source": "b",
        "words": len(words),
        "share": 1.0,
        "of_text": 1.0,
        "split": "held-out",
    }
    assert find_among(held_out([corpus]), [WORK], 200, without=["b:0"]).found == (found["b:1"],)
    assert (
        find_among(held_out([corpus]), [], 0)
        == find_among(held_out([corpus]), ["deux mots"], 2)
        == Matches((), 0)
    )

    trained = write_corpus(tmp_path / "trained", texts)
    assert find_among(held_out([trained]), [WORK], 200).found == ()
    build_index([trained], tmp_path / "index")
    by_index = find_matches(open_index(tmp_path / "index"), [WORK], 200).found
    assert [dataclasses.replace(one, split="held-out") for one in by_index] == list(found.values())


def test_a_text_with_a_refrain_is_found_whole_in_its_copy(tmp_path):
    refrain = letter(30)
    song = " ".join(f"{letter(n)} {refrain} {refrain}" for n in range(31, 37))
    corpus = write_corpus(tmp_path / "corpus", {"a": [song], "b": [song.upper(), " ".join([song] * 3)]})
    build_index([corpus], tmp_path / "index")
    found = find_matches(open_index(tmp_path / "index"), [song], 700, without=["a:0"]).found
    assert [(match.id, match.of_text) for match in found] == [("b:0", 1.0), ("b:1", 1.0)]
    assert {match.share for match in found} == {1.0}


def test_what_stands_in_more_places_than_are_looked_at_is_said(tmp_path):
    texts = {"a": [letter(1)] * 101, "b": [letter(2)] * (FORMULA + 1)}
    build_index([write_corpus(tmp_path / "corpus", texts)], tmp_path / "index")
    index = open_index(tmp_path / "index")
    assert len(find_matches(index, [letter(1)], 26).found) == 101
    common = find_matches(index, [letter(2)], 26)
    assert common.found == ()
    assert common.formulas == len(range(0, 18, 4)) + 1


def test_one_run_in_common_makes_no_copy_of_a_long_text(tmp_path):
    run = " ".join(letter(5).split()[:8])
    corpus = write_corpus(tmp_path / "corpus", {"a": [f"{letter(6)} {run} {letter(7)} {letter(8)}"]})
    build_index([corpus], tmp_path / "index")
    index = open_index(tmp_path / "index")
    (match,) = find_matches(index, [run], 20_000_000).found
    assert match.share == pytest.approx(8 / 86)
    assert not match.copies
