"""Words are what a slow reading of the definition says, in any text."""

import importlib
import inspect
import itertools
import os
import re
import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.curate import ngrams, repeats
from hemicycle.curate.characters import CLASS, characters
from hemicycle.curate.words import (
    ELIDED,
    ELISION,
    HAS_DIGIT,
    HAS_LETTER,
    ONLY_SIGNS,
    split_words,
    text_buffers,
    word_hash,
)

FUZZ = settings(max_examples=int(os.environ.get("HEMICYCLE_FUZZ", "200")), deadline=None)
TRICKY = st.sampled_from(
    [
        *"aéÉlLdDqQuU'’--‐‑.,,0123½²é \t\n«»!?…#•_𝒳🙂ẞİΣς",
        *"\u0301\u0300\u200d\u00ad\u00a0\u202f\u2009\u3000\x1c\x85\u2028",
        *("jusqu", "l'", "aujourd", "-t", "qu’", "12,5", "M.", "ﬁ", "e\u0301", "٣", "Ⅳ"),
    ]
)
TEXT = st.lists(TRICKY | st.characters(exclude_categories=["Cs"]), max_size=40).map("".join)

LETTERS = "SLNMZAHD"  # the classes of characters.py, in order
#: A word of French over the letters of classes: see the docstring of words.py.
WORD = re.compile(r"[LN](?:[LNM]|(?<=[LM])A(?=L)|(?<=[LNM])H(?=[LN])|(?<=N)D(?=N))*")
NUMBER = re.compile(r"N+(?:DN+)*")


def classes(text):
    return "".join(LETTERS[characters().classes[ord(c)] & CLASS] for c in text)


def lowered(text):
    return "".join(chr(ord(c) + characters().lower[ord(c)]) for c in text)


def folded(word):
    """What is hashed of a word once case, typography and figures are set aside."""
    kinds = classes(word)
    plain = "".join({"A": "'", "H": "-"}.get(k, lowered(c)) for k, c in zip(kinds, word, strict=True))
    for match in reversed(list(NUMBER.finditer(kinds))):
        plain = plain[: match.start()] + "0" + plain[match.end() :]
    return plain


def french(text):
    """The words of a text by the definition, slowly."""
    kinds, at, words = classes(text), 0, []
    while at < len(text):
        if kinds[at] == "Z":
            at += 1
            continue
        if kinds[at] in "LN":
            end = WORD.match(kinds, at).end()
            # The first apostrophe that stands after an elided stem cuts the word behind it.
            for mark in (i for i in range(at, min(end + 1, len(text))) if kinds[i] == "A"):
                stem = re.split("[-‐‑]", text[at:mark])[-1]
                if folded(stem) in ELIDED:
                    end = mark + 1
                    break
        else:
            end = at + 1
            if kinds[at] != "M":
                while end < len(text) and text[end] == text[at]:
                    end += 1
            while end < len(text) and kinds[end] == "M":
                end += 1
        words.append(text[at:end])
        at = end
    return words


def split(texts, definition="french"):
    data, offsets = text_buffers(pa.array(texts, pa.large_string()))
    words = split_words(data, offsets, definition)
    pieces = [bytes(data[a:b]).decode("utf-8") for a, b in zip(words.starts, words.ends, strict=True)]
    return [pieces[a:b] for a, b in itertools.pairwise(words.offsets)], words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("L'eau d’ici", ["L'", "eau", "d’", "ici"]),
        ("aujourd'hui, presqu’île", ["aujourd'hui", ",", "presqu’île"]),
        ("jusqu'à quelqu’un lorsqu'il", ["jusqu'", "à", "quelqu’", "un", "lorsqu'", "il"]),
        ("va-t'en, est-ce qu'il ?", ["va-t'", "en", ",", "est-ce", "qu'", "il", "?"]),
        ("arc-en-ciel - fin-", ["arc-en-ciel", "-", "fin", "-"]),
        ("12,5 % de 1.000 en 1914-1918.", ["12,5", "%", "de", "1.000", "en", "1914-1918", "."]),
        ("«\u00a0Oui\u202f!\u00a0»", ["«", "Oui", "!", "»"]),
        ("Attendez... ------ !?", ["Attendez", "...", "------", "!", "?"]),
        ("n° 3, M. O'Brien", ["n", "°", "3", ",", "M", ".", "O'Brien"]),
        ("rock'n'roll 'd'", ["rock'n'roll", "'", "d'"]),
        ("ç'a été c’est s'il", ["ç'", "a", "été", "c’", "est", "s'", "il"]),
        ("❤\ufe0f\ufe0f x", ["❤\ufe0f\ufe0f", "x"]),
        ("", []),
        (" \n\u3000", []),
    ],
)
def test_french_words_of_some_sentences(text, expected):
    assert split([text])[0] == [expected]
    assert french(text) == expected


@FUZZ
@given(st.lists(TEXT, max_size=4))
def test_french_words_are_those_of_the_slow_reading(texts):
    pieces, words = split(texts)
    assert pieces == [french(t) for t in texts]
    flat = [w for t in pieces for w in t]
    assert words.exact.tolist() == [word_hash(w) for w in flat]
    assert words.characters.tolist() == [len(w) for w in flat]
    for word, flags, hashed in zip(flat, words.flags.tolist(), words.folded.tolist(), strict=True):
        kinds = classes(word)
        assert bool(flags & HAS_LETTER) == ("L" in kinds)
        assert bool(flags & HAS_DIGIT) == ("N" in kinds)
        assert bool(flags & ONLY_SIGNS) == (not set("LN") & set(kinds))
        assert bool(flags & ELISION) == ("L" in kinds and kinds.endswith("A"))
        assert hashed == (0 if flags & ONLY_SIGNS else word_hash(folded(word)))


@FUZZ
@given(st.lists(TEXT, max_size=4))
def test_whitespace_words_are_those_of_str_split(texts):
    pieces, words = split(texts, "whitespace")
    assert pieces == [t.split() for t in texts]
    flat = [w for t in pieces for w in t]
    assert words.exact.tolist() == [word_hash(w) for w in flat]
    for word, flags, hashed in zip(flat, words.flags.tolist(), words.folded.tolist(), strict=True):
        assert bool(flags & ONLY_SIGNS) == (not set("LN") & set(classes(word)))
        assert hashed == (0 if flags & ONLY_SIGNS else word_hash(folded(word)))


@FUZZ
@given(st.lists(TEXT, max_size=5), st.sampled_from(["french", "whitespace"]))
def test_a_batch_is_its_texts_one_by_one(texts, definition):
    together, words = split(texts, definition)
    alone = [split([t], definition) for t in texts]
    assert together == [pieces for (pieces,), _ in alone]
    assert words.folded.tolist() == [h for _, w in alone for h in w.folded.tolist()]


@FUZZ
@given(st.binary(max_size=60), st.sampled_from(["french", "whitespace"]))
def test_bytes_that_are_no_text_are_cut_all_the_same(data, definition):
    words = split_words(np.frombuffer(data, np.uint8), np.array([0, len(data)]), definition)
    assert (words.ends > words.starts).all()
    assert (words.starts[1:] >= words.ends[:-1]).all()
    assert not len(data) or not len(words.ends) or words.ends[-1] <= len(data)


def test_hashes_are_fnv_1a_as_published():
    assert word_hash("") == 0xCBF29CE484222325
    assert word_hash("a") == 0xAF63DC4C8601EC8C
    assert word_hash("foobar") == 0x85944171F73967E8
    assert split(["foobar"])[1].exact.tolist() == [0x85944171F73967E8]


def test_case_typography_and_figures_are_set_aside_in_the_folded_hash():
    words = split(["L’ÉTÉ 12,5 est‑ce l'été 1 EST-CE"])[1].folded.tolist()
    assert words[:4] == words[4:]
    assert len(set(words[:4])) == 4


def test_a_text_of_nothing_but_short_words_finds_room():
    pieces, _ = split(["a " * 50, "!?" * 5_000])
    assert pieces == [["a"] * 50, ["!", "?"] * 5_000]


def test_buffers_of_any_column_of_strings():
    column = pa.chunked_array([["skipped", "é"], [None, "fin"]]).slice(1)
    data, offsets = text_buffers(column)
    assert [bytes(data[a:b]).decode() for a, b in itertools.pairwise(offsets)] == ["é", "", "fin"]
    assert text_buffers(pa.chunked_array([], pa.string()))[1].tolist() == [0]
    sliced = pa.array(["un", "deux", "trois"], pa.large_string())[1:]
    data, offsets = text_buffers(sliced)
    assert [bytes(data[a:b]).decode() for a, b in itertools.pairwise(offsets)] == [
        "deux",
        "trois",
    ]


def test_canonical_composition_is_left_to_the_cleaning():
    apart = unicodedata.normalize("NFD", "été")
    assert split([apart])[0] == [[apart]]
    assert split([apart])[1].folded.tolist() != split(["été"])[1].folded.tolist()


def test_every_file_of_kernels_decodes_alike():
    """Kernels may not call across files (`kernels.py` says why), so some files hold the same ones."""
    names = ("words", "lines", "repeats", "vocabulary")
    files = [importlib.import_module(f"hemicycle.curate.{name}") for name in names]
    assert len({inspect.getsource(file._decode.py_func) for file in files}) == 1
    assert inspect.getsource(ngrams._eight.py_func) == inspect.getsource(repeats._eight.py_func)
