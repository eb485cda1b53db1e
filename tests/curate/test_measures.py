"""Measures are what they say they are: by slow readings of their definitions, and by hand."""

import math
import os
import re
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.curate import lines, vocabulary
from hemicycle.curate import measures as module
from hemicycle.curate.measures import COLUMNS, MEASURES, measure
from hemicycle.curate.vocabulary import STOP_WORDS
from hemicycle.curate.words import split_words

FUZZ = settings(max_examples=int(os.environ.get("HEMICYCLE_FUZZ", "200")), deadline=None)
PIECES = st.sampled_from(
    [
        *"aéb1.#-•{()!»🙂 \n\u00a0",
        *("\n\n", " \n", "...", "…", "la", "de", "mot", "Mot", "11", "12,5", "l'", "the"),
        *("la la la ", "un texte qui se répète "),
    ]
)
TEXT = st.lists(PIECES | st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=60).map("".join)
MANY = st.lists(TEXT, min_size=1, max_size=3)


def of(text, definition="french"):
    return {name: values[0] for name, values in measure(pa.array([text]), definition).items()}


def share(part, whole):
    return part / whole if whole else math.nan


def repeats(pieces):
    seen, count, characters = set(), 0, 0
    for piece in pieces:
        if piece in seen:
            count, characters = count + 1, characters + len(piece)
        seen.add(piece)
    return count, characters


def top_ngram(words, n):
    grams = [" ".join(words[i : i + n]) for i in range(len(words) - n + 1)]
    if not grams:
        return 0
    gram, count = Counter(grams).most_common(1)[0]
    return len(gram) * count


def duplicate_ngrams(words, n):
    seen, characters, at = set(), 0, 0
    while at <= len(words) - n:
        gram = "".join(words[at : at + n])
        if gram in seen:
            characters, at = characters + len(gram), at + n
        else:
            seen.add(gram)
            at += 1
    return characters


def slowly(text):
    """The measures that datatrove has too, over the words of str.split(), read off its definitions."""
    words, lines = text.split(), text.split("\n")
    all_lines = text.splitlines()
    visible = [line for line in lines if line.strip()]
    pieces, paragraphs = re.split(r"\n+", text), re.split(r"\n{2,}", text.strip())
    marks = tuple(".?!")
    values = {
        "characters": len(text),
        "words_with_letter": share(sum(any(c.isalpha() for c in w) for w in words), len(words)),
        "stop_words(fr)": len(set(STOP_WORDS["fr"]) & {w.replace("’", "'") for w in words}),
        "stop_words(en)": len(set(STOP_WORDS["en"]) & set(words)),
        "hashes_per_word": share(text.count("#"), len(words)),
        "ellipses_per_word": share(text.count("...") + text.count("…"), len(words)),
        "bullet_lines": share(sum(s.lstrip().startswith(("•", "-")) for s in all_lines), len(all_lines)),
        "ellipsis_lines": share(sum(s.rstrip().endswith(("...", "…")) for s in all_lines), len(all_lines)),
        "lines_ending_in_punctuation": share(sum(line.endswith(marks) for line in visible), len(visible)),
        "short_lines": share(sum(len(line) <= 30 for line in visible), len(visible)),
        "newlines_per_word": share(text.count("\n"), len(words)),
        "longest_word": max(map(len, words), default=0),
        "duplicate_lines": share(repeats(pieces)[0], len(pieces) if text else 0),
        "duplicate_line_characters": share(repeats(pieces)[1], len(text)),
        "duplicate_line_characters_without_breaks": share(repeats(visible)[1], len(text.replace("\n", ""))),
        "duplicate_paragraphs": share(repeats(paragraphs)[0], len(paragraphs) if text else 0),
        "duplicate_paragraph_characters": share(repeats(paragraphs)[1], len(text)),
        "curly_brackets": text.count("{"),
    }
    values |= {f"top_ngram({n})": share(top_ngram(words, n), len(text)) for n in (2, 3, 4)}
    values |= {f"duplicate_ngrams({n})": share(duplicate_ngrams(words, n), len(text)) for n in range(5, 11)}
    return values


ODD_ENDS = re.compile("[\x1c-\x1e]|[^\x00-\u2fff]")


@FUZZ
@given(TEXT.filter(lambda t: not ODD_ENDS.search(t)))
def test_measures_of_datatrove_are_its_definitions(text):
    found = of(text, "whitespace")
    for name, value in slowly(text).items():
        assert found[name] == pytest.approx(value, abs=1e-12, nan_ok=True), name


def test_an_ngram_is_compared_joined_so_two_cuts_of_the_same_letters_are_one():
    """1 11 1 11 1 and 11 1 1 1 11 are both 1111111."""
    text = "1 11 1 11 1 x 11 1 1 1 11"
    assert of(text, "whitespace")["duplicate_ngrams(5)"] == 7 / len(text)
    assert duplicate_ngrams(text.split(), 5) == 7


def test_ngrams_that_differ_in_one_letter_are_not_the_same():
    """Their hashes differ in the lowest bits alone, which floating point once rounded off."""
    tail = "informations de capacité du descripteur"
    text = " ".join(f"{first}es {tail}" for first in "abcdefghijklmnopqrstuvwxyz")
    assert of(text, "whitespace")["duplicate_ngrams(6)"] == 0
    assert duplicate_ngrams(text.split(), 6) == 0


@FUZZ
@given(MANY, st.sampled_from(["french", "whitespace"]))
def test_a_batch_is_measured_as_its_texts_one_by_one(texts, definition):
    together = measure(pa.array(texts), definition)
    for i, text in enumerate(texts):
        alone = of(text, definition)
        for name in COLUMNS:
            assert np.array_equal(together[name][i], alone[name], equal_nan=True), name


@pytest.mark.parametrize("phrase", [*lines.JAVASCRIPT, *lines.POLICY, *lines.LOREM_IPSUM])
def test_a_phrase_is_found_wherever_it_stands_in_a_text(phrase):
    """Blocks of a text are looked at for three letters first: over their edges, and at the end, too."""
    for place in [*range(150), 1000]:
        for behind in (0, 300):
            text = "x" * place + phrase.upper() + "z" * behind
            data = np.frombuffer(text.encode("utf-8"), np.uint8)
            found = lines.count_lines(data, np.array([0, len(data)]))[0]
            kinds = lines.Count.JAVASCRIPT_LINES, lines.Count.POLICY_LINES, lines.Count.LOREM_IPSUM
            expected = [phrase in of_kind for of_kind in (lines.JAVASCRIPT, lines.POLICY, lines.LOREM_IPSUM)]
            assert found[list(kinds)].tolist() == expected


SHORT_WORDS = st.lists(st.sampled_from(["a", "ab", "b", "ba", "aab", "un", "mot", "é", "bé"]), max_size=80)


@FUZZ
@given(SHORT_WORDS)
def test_ngrams_of_words_that_are_often_cut_otherwise_are_their_definitions(words):
    text = " ".join(words)
    found = of(text, "whitespace")
    for n in range(5, 11):
        assert found[f"duplicate_ngrams({n})"] == pytest.approx(
            share(duplicate_ngrams(words, n), len(text)), nan_ok=True
        )
    for n in (2, 3, 4):
        assert found[f"top_ngram({n})"] == pytest.approx(share(top_ngram(words, n), len(text)), nan_ok=True)


LETTERS = st.text(st.sampled_from("aéeÉrtçsTßœ-"), min_size=2, max_size=40).filter(lambda w: w[0] not in "-")


@FUZZ
@given(LETTERS)
def test_words_without_vowel_and_unlikely_ones_are_counted_letter_by_letter(word):
    """Most words are passed over at a look at their bytes."""
    vowels, letters = [c in "aéeÉœ" for c in word], [c for c in word if c != "-"]
    unlikely = same = consonants = 0
    for i, letter in enumerate(word):
        if letter == "-":
            same = consonants = 0
            continue
        same = same + 1 if i and word[i - 1] == letter else 1
        consonants = 0 if vowels[i] else consonants + 1
        unlikely += same == 4 or consonants == 6
    capitals = all(c in "ÉT" for c in letters)
    data = np.frombuffer(word.encode("utf-8"), np.uint8)
    places = np.array([0, len(data)])
    found = vocabulary.count_words(data, split_words(data, places, "whitespace"))[0]
    assert found[vocabulary.Count.UNLIKELY] == (0 if capitals else unlikely)
    assert found[vocabulary.Count.VOWELLESS] == (len(letters) >= 3 and not any(vowels) and not capitals)


@FUZZ
@given(TEXT)
def test_shares_are_shares(text):
    found = of(text)
    for name, value in found.items():
        assert math.isnan(value) or value >= 0, name
        if "share" in name and name != "symbol_share":
            assert math.isnan(value) or value <= 1, name


def test_a_text_of_nothing_has_no_shares():
    found = of("")
    assert found["characters"] == found["words"] == found["curly_brackets"] == 0
    assert math.isnan(found["mean_word_length"])
    assert math.isnan(found["french_share"])
    assert math.isnan(found["duplicate_ngrams(5)"])


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("L'eau, c'est la vie.", "words", 6),
        ("L'eau, c'est la vie.", "mean_word_length", (2 + 3 + 2 + 3 + 2 + 3) / 6),
        ("L'eau, c'est la vie.", "french_share", 4 / 6),
        ("L'eau, c'est la vie.", "words_with_letter", 6 / 8),
        ("L'eau, c'est la vie.", "letter_share", 13 / 17),
        ("Oui ! Non… Il a dit « oui. » 3.14 fois", "sentences", 3),
        ("(ab) c [de", "bracketed_share", 7 / 8),
        ("Les conditions d’utilisation.\nUn texte.", "policy_lines", 1 / 2),
        ("Activez JavaScript\nou non", "javascript_lines", 1 / 2),
        ("Lorem IPSUM dolor", "lorem_ipsum", 1),
        ("Une ligne bien faite.\nMenu\nEncore une « bonne. »", "c4_lines", 2 / 3),
        ("Une ligne bien faite.\nMenu\nEncore une « bonne. »", "c4_sentences", 2),
        ("Une ligne bien faite.\nMenu", "lines_without_end_mark", 1 / 2),
        ("Une ligne bien faite.\nDeux mots", "lines_of_few_words", 1 / 2),
        ("la com-\nmune", "hyphen_lines", 1 / 2),
        ("00:01:12 --> 00:01:15\nBonjour.", "timecode_lines", 1 / 2),
        ("euh je je crois que nous nous voyons", "fillers", 1 / 8),
        ("euh je je crois que nous nous voyons", "repeated_words", 1 / 8),
        ("M. X. est au n° 5, a) b c", "isolated_letters", 2 / 8),
        ("l0i du 2e à 20h30, A4", "mixed_words", 2 / 6),
        ("le sncf, la SNCF, un mrs", "vowelless_words", 2 / 6),
        ("le pr^sident aaaa strchtm", "unlikely_runs", 3 / 5),
        ("Un deux", "digit_share", 0),
        ("12 a", "digit_share", 2 / 3),
    ],
)
def test_measures_by_hand(text, name, value):
    assert of(text)[name] == pytest.approx(value)


def test_a_run_of_closing_marks_costs_no_more_than_its_length():
    """Every mark looked for its space at the far end once: a hundred thousand of them took minutes."""
    text = "a" + "." * 300_000 + "b"
    assert of(text)["sentences"] == 0


def test_of_a_long_text_the_beginning_is_measured_at_a_whole_character(monkeypatch):
    monkeypatch.setattr(module, "MEASURED_BYTES", 10)
    long, short = measure(pa.array(["éééé é et la suite", "abc"]))["characters"]
    assert (long, short) == (5, 3)
    assert of("xéééééé")["characters"] == 5


def test_every_measure_says_what_it_is_in_two_languages():
    for m in MEASURES.values():
        assert m.en.endswith(".")
        assert m.fr.endswith(".")
        assert len(m.columns) == max(1, len(m.arguments))
    assert tuple(measure(pa.array([""]))) == COLUMNS
