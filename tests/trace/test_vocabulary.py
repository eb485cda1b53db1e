"""The vocabulary: numbers by first occurrence, whatever comes, and back from its file."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemicycle.errors import IntegrityError
from hemicycle.trace.vocabulary import UNKNOWN, Vocabulary
from hemicycle.trace.words import read_letters, split_words

from .test_words import texts


@given(st.lists(texts, max_size=4))
def test_a_vocabulary_numbers_words_by_first_occurrence(several):
    vocabulary = Vocabulary()
    learned = [vocabulary.learn(text).tolist() for text in several]
    in_order = list(dict.fromkeys(w for text in several for w in split_words(text).words))
    assert vocabulary.words == in_order
    for text, ids in zip(several, learned, strict=True):
        assert [in_order[i] for i in ids] == split_words(text).words


def test_a_vocabulary_comes_back_from_its_file(tmp_path: Path):
    vocabulary = Vocabulary()
    vocabulary.learn("Un été, deux étés, ½")
    vocabulary.write(tmp_path / "vocab")
    again = Vocabulary.read(tmp_path / "vocab")
    assert again.words == vocabulary.words == ["un", "ete", "deux", "etes", "1", "2"]
    assert again.find(read_letters("étés d'hiver")).tolist() == [3, UNKNOWN, UNKNOWN]


@pytest.mark.parametrize("content", ["un\ndeux", "un\ndeux\nun\n"])
def test_a_cut_or_doubled_vocabulary_is_refused(tmp_path: Path, content: str):
    (tmp_path / "vocab").write_text(content)
    with pytest.raises(IntegrityError, match="vocab"):
        Vocabulary.read(tmp_path / "vocab")


def test_a_vocabulary_that_grows_keeps_its_numbers():
    several = [" ".join(f"mot{i}x{j}" for i in range(700)) for j in range(40)]
    vocabulary = Vocabulary()
    learned = [vocabulary.learn(text) for text in several]
    assert len(vocabulary) == 28_000
    assert all(
        (vocabulary.find(read_letters(t)) == ids).all() for t, ids in zip(several, learned, strict=True)
    )
    assert vocabulary.words[12_345] == "mot445x17"


def test_a_word_longer_than_all_the_room_there_is_has_a_number():
    vocabulary = Vocabulary()
    assert vocabulary.learn("a " + "b" * 100_000 + " a").tolist() == [0, 1, 0]
