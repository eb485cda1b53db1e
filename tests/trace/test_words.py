import random
import re
import unicodedata
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hemicycle.trace.folds import fold
from hemicycle.trace.words import split_words, word_bounds
from tests.trace.typography import EDITS, all_of_them

SENTENCE = (
    "L'œuvre du député est close : « À cœur vaillant, rien d'impossible », dit-il. "
    "Les bœufs, ex æquo, s'efforcèrent d'affluer à l'hôtel de Rohan-Soubise ! "
    "Ça coûte 1 200 francs — où l'État l'a-t-il inscrit ? Le naïf Noël fêta l'été à Nîmes."
)

#: Characters that are hard: marks, soft hyphens, compatibility forms, separators, a letter beyond plane 0.
HARD = "aéœÆﬁßİıſ½⑴™ŀ℃´αᾳ가‿_7²’'-𝐀😀ﷺŉ\u0301\u0345\u00ad\u00a0\u202f\u200b\x00\n "
texts = st.text(st.one_of(st.characters(), st.sampled_from(HARD)))


@pytest.mark.parametrize("edit", EDITS, ids=lambda e: e.__name__)
def test_an_edit_of_typography_changes_the_characters_and_not_the_words(edit):
    assert edit(SENTENCE) != SENTENCE
    assert split_words(edit(SENTENCE)).words == split_words(SENTENCE).words


def test_all_edits_together_change_no_word():
    assert split_words(all_of_them(SENTENCE)).words == split_words(SENTENCE).words


def test_the_words_of_a_sentence_are_these():
    assert split_words("L’Œuvre, ÉTÉ 1 200 fr. — co\u00adeur e\u0301mu").words == (
        ["l", "oeuvre", "ete", "1", "200", "fr", "coeur", "emu"]
    )


def test_offsets_are_those_of_the_original_text():
    text = "« L’e\u0301te\u0301 »"
    words, starts, ends = split_words(text)
    assert [text[s:e] for s, e in zip(starts, ends, strict=True)] == ["L", "e\u0301te\u0301"]
    assert words == ["l", "ete"]


def test_a_character_that_folds_to_two_words_gives_two_words_at_one_place():
    words, starts, ends = split_words("a ½ b")
    assert words == ["a", "1", "2", "b"]
    assert list(zip(starts.tolist(), ends.tolist(), strict=True)) == [(0, 1), (2, 3), (2, 3), (4, 5)]


def test_a_lone_surrogate_separates_words():
    assert split_words("a\ud800b").words == ["a", "b"]


@given(texts)
@example("\u0301")
@example("a\u00ad")
@example("´\u0345x ½⑴ ŀ™")
def test_words_are_the_runs_of_the_folded_text(text):
    assert split_words(text).words == re.findall(r"\w+", fold(text))


@given(texts)
def test_every_canonical_and_compatible_form_has_the_same_words(text):
    expected = split_words(text).words
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        assert split_words(unicodedata.normalize(form, text)).words == expected


@given(texts)
def test_bounds_alone_are_the_bounds_of_the_words(text):
    words, starts, ends = split_words(text)
    bounds = word_bounds(text)
    assert bounds[0].tolist() == starts.tolist()
    assert bounds[1].tolist() == ends.tolist()
    assert len(words) == len(starts)
    assert all(fold(text[s:e]).find(w) >= 0 for w, s, e in zip(words, starts, ends, strict=True))


def test_shuffled_words_are_another_sequence():
    words = SENTENCE.split()
    random.Random(1).shuffle(words)
    assert split_words(" ".join(words)).words != split_words(SENTENCE).words


def test_a_table_learns_blocks_in_many_threads_and_forgets_none():
    texts = ["".join(map(chr, range(block * 256, block * 256 + 256))) for block in range(60)]
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda text: split_words(text).words, texts * 3))
    assert found == [re.findall(r"\w+", fold(text)) for text in texts] * 3
