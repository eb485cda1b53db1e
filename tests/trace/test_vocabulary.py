"""The vocabulary: numbers by first occurrence, whatever comes, and the same from its files."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.trace.vocabulary import UNKNOWN, Table, Vocabulary, find
from hemicycle.trace.words import read_letters, spell, split_words

from .test_words import texts


def spelt(vocabulary: Vocabulary) -> list[str]:
    """All words, in the order of their numbers."""
    table = vocabulary.table
    return [line[:-1] for line in spell(table.letters, table.stops.astype(np.int64))]


@settings(deadline=None)
@given(st.lists(texts, max_size=4))
def test_a_vocabulary_numbers_words_by_first_occurrence(several):
    vocabulary = Vocabulary()
    learned = [vocabulary.learn(text).tolist() for text in several]
    in_order = list(dict.fromkeys(w for text in several for w in split_words(text).words))
    assert spelt(vocabulary) == in_order
    for text, ids in zip(several, learned, strict=True):
        assert [in_order[i] for i in ids] == split_words(text).words


def files(folder: Path, number: int) -> Table:
    names = (("vocab", "u1"), ("stops", "<u8"), ("slots", "<u4"))
    return Table(*(np.fromfile(folder / f"{name}.{number}", kind) for name, kind in names))


@settings(deadline=None)
@given(texts, texts)
def test_words_are_found_in_the_files(learned, asked):
    vocabulary = Vocabulary()
    vocabulary.learn(learned)
    with TemporaryDirectory() as folder:
        vocabulary.write(Path(folder), 3)
        table = files(Path(folder), 3)
        assert (Path(folder) / "vocab.3").read_text("utf-8").split("\n") == [*spelt(vocabulary), ""]
    numbers = {word: number for number, word in enumerate(spelt(vocabulary))}
    expected = [numbers.get(word, UNKNOWN) for word in split_words(asked).words]
    assert find(read_letters(asked), table).tolist() == expected
    assert find(read_letters(learned), table).tolist() == Vocabulary().learn(learned).tolist()


def test_a_word_that_begins_or_goes_on_like_another_is_not_it():
    vocabulary = Vocabulary()
    vocabulary.learn("ab abc b")
    assert find(read_letters("a ab abc abcd b bc"), vocabulary.table).tolist() == (
        [UNKNOWN, 0, 1, UNKNOWN, 2, UNKNOWN]
    )


def test_a_vocabulary_that_grows_keeps_its_numbers():
    several = [" ".join(f"mot{i}x{j}" for i in range(700)) for j in range(40)]
    vocabulary = Vocabulary()
    learned = [vocabulary.learn(text) for text in several]
    assert len(vocabulary) == 28_000
    assert all(
        (find(read_letters(t), vocabulary.table) == ids).all()
        for t, ids in zip(several, learned, strict=True)
    )
    assert spelt(vocabulary)[12_345] == "mot445x17"


def test_a_word_longer_than_all_the_room_there_is_has_a_number():
    vocabulary = Vocabulary()
    assert vocabulary.learn("a " + "b" * 100_000 + " a").tolist() == [0, 1, 0]
