"""Which languages a document is in, and where; French with quotations stays French and is marked."""

import itertools
import os
import time
import tomllib
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.curate import language
from hemicycle.curate.language import MEASURES, RUN, identify

EXAMPLES = int(os.environ.get("HEMICYCLE_FUZZ", "200"))
QUOTATIONS = tomllib.loads(Path(__file__).with_name("quotations.toml").read_text("utf-8"))
FRENCH = QUOTATIONS["fr"]
FOREIGN = [(name, i) for name in ("en", "la", "br", "oc") for i in range(len(QUOTATIONS[name]))]


def languages(texts, declared=None):
    """Runs and measures of each text, as Python values."""
    encoded = [text.encode() for text in texts]
    offsets = np.cumsum([0, *map(len, encoded)])
    data = np.frombuffer(b"".join(encoded), np.uint8)
    runs, measures = identify(data, offsets, declared or [None] * len(texts))
    assert runs.type == pa.list_(RUN)
    assert tuple(measures) == MEASURES
    columns = {name: column.to_pylist() for name, column in measures.items()}
    return [(r, {n: columns[n][i] for n in columns}) for i, r in enumerate(runs.to_pylist())]


def named(text, declared=None):
    """[(language, stretch of the text)]"""
    ((runs, _),) = languages([text], [declared])
    return [(run["language"], text[run["start"] : run["end"]]) for run in runs]


@pytest.mark.parametrize("name", sorted(QUOTATIONS))
def test_a_sentence_alone_is_in_its_language(name):
    texts = QUOTATIONS[name]
    for text, (runs, measures) in zip(texts, languages(texts), strict=True):
        assert [run["language"] for run in runs] == [name], text
        assert measures["language_share"] == 1


@pytest.mark.parametrize(("name", "i"), FOREIGN)
def test_french_with_a_quoted_paragraph_stays_french_and_is_marked(name, i):
    quoted = QUOTATIONS[name][i]
    text = "\n".join([FRENCH[i], FRENCH[i - 1], quoted, FRENCH[i - 2]])
    assert [n for n, _ in named(text, "fr")] == ["fr", name, "fr"]
    assert named(text, "fr")[1][1] == quoted + "\n"
    ((_, measures),) = languages([text], ["fr"])
    assert measures["language_contradicted"] == 0
    assert measures["languages"] == 2
    assert measures["foreign_share"] == (len(quoted) + 1) / len(text)
    assert measures["language_share"] == pytest.approx(1 - measures["foreign_share"])


@pytest.mark.parametrize(("name", "i"), FOREIGN)
def test_a_quotation_inside_a_sentence_is_found(name, i):
    quoted = QUOTATIONS[name][i]
    text = f"{FRENCH[i]} On m’a répondu : « {quoted} » et rien de plus. {FRENCH[i - 1]}"
    (_, _), (found, stretch), (_, _) = named(text, "fr")
    assert (found, stretch) == (name, f"« {quoted} » ")


@pytest.mark.parametrize(("name", "i"), FOREIGN)
def test_a_sentence_without_quotation_marks_is_found(name, i):
    quoted = QUOTATIONS[name][i]
    text = f"{FRENCH[i]} {quoted} {FRENCH[i - 2]}"
    assert [n for n, _ in named(text, "fr")] == ["fr", name, "fr"]


def test_a_few_foreign_words_do_not_change_the_language():
    text = f"{FRENCH[0]}\nMens agitat molem !\n{FRENCH[1]}"
    assert [n for n, _ in named(text, "fr")] == ["fr"]


def test_a_short_line_takes_the_language_of_its_neighbours():
    text = "\n".join(["Annex 3", *QUOTATIONS["en"][:3], "Total", *QUOTATIONS["en"][3:5], "Fin"])
    assert [n for n, _ in named(text)] == ["en"]


def test_a_poem_of_short_lines_still_has_a_language():
    lines = " ".join(QUOTATIONS["br"]).split()
    text = "\n".join(" ".join(lines[i : i + 3]) for i in range(0, len(lines), 3))
    assert [n for n, _ in named(text)] == ["br"]


def test_a_declared_language_is_kept_and_its_contradiction_is_a_measure():
    text = "\n".join(QUOTATIONS["en"])
    ((runs, measures),) = languages([text], ["fr-FR"])
    assert [run["language"] for run in runs] == ["en"]
    assert measures["language_contradicted"] == 1
    assert measures["foreign_share"] == 1
    assert measures["language_share"] == 1


def test_a_declared_language_that_the_model_lacks_is_neither_confirmed_nor_contradicted():
    text = "A Corsica hè una isula chì hà a so lingua è a so storia, è a vole cuntà à i so zitelli."
    ((_, measures),) = languages([text], ["co"])
    assert measures["foreign_share"] is None
    assert measures["language_contradicted"] is None


@pytest.mark.parametrize("tag", [None, "", "und", "zxx", "mul", "mis"])
def test_a_tag_that_names_no_language_declares_none(tag):
    for text in (FRENCH[0], "oui", "1 234 567 | 89,5 % | 12 345"):
        assert languages([text], [tag]) == languages([text])


def test_bokmal_is_the_models_norwegian():
    ((_, measures),) = languages(
        ["Vi har aldri fått betalt for vannet som renner gjennom dalen vår."], ["nb-NO"]
    )
    assert measures["language_contradicted"] == 0


def test_figures_are_no_language_and_no_contradiction():
    ((runs, measures),) = languages(["1 234 567 | 89,5 % | 12 345\n" * 6], ["fr"])
    assert [run["language"] for run in runs] == ["zxx"]
    assert measures["foreign_share"] == 0
    assert measures["language_contradicted"] is None


def test_a_table_inside_french_goes_with_the_french():
    text = f"{FRENCH[0]}\n" + "1 234 567 | 89,5 % | 12 345\n" * 6 + FRENCH[1]
    assert [n for n, _ in named(text)] == ["fr"]


def test_a_text_of_a_few_letters_has_the_language_it_declares_or_none():
    assert named("La séance") == [("und", "La séance")]
    assert named("La séance", "fr") == [("fr", "La séance")]


def test_a_line_in_capitals_is_read_as_in_small_letters():
    text = "\n".join(sentence.upper() for sentence in QUOTATIONS["br"])
    assert [n for n, _ in named(text)] == ["br"]


def test_a_piece_ends_at_400_characters_after_any_space_but_not_inside_a_word():
    for space in (" ", "\u00a0", "\u202f", "\u00a0."):
        text = "é" * (400 - len(space)) + space + "a" * 30
        data = np.frombuffer(text.encode(), np.uint8)
        _, characters, _ = language._cut(data, np.array([0, len(data)]), language._KINDS)
        assert characters.tolist() == [400, 30], space
    data = np.frombuffer(b"a" * 430, np.uint8)
    assert language._cut(data, np.array([0, 430]), language._KINDS)[1].tolist() == [430]


def test_an_empty_text_has_no_runs():
    (first, _), (second, measures) = languages(["", ""])
    assert (first, second) == ([], [])
    assert measures["languages"] == measures["language_share"] == measures["foreign_share"] == 0


TEXTS = st.lists(
    st.one_of(
        st.text(st.characters(codec="utf-8"), max_size=60),
        st.sampled_from([s for texts in QUOTATIONS.values() for s in texts]),
        st.sampled_from(["\n", "« ", " »", "… ", " 🎉 ", "1234 ", "\u00a0! "]),
    ),
    max_size=8,
).map("".join)


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    st.lists(st.tuples(TEXTS, st.sampled_from([None, "fr", "en-GB", "co", "und", "zxx", "??"])), max_size=5)
)
def test_runs_are_the_whole_text_and_rows_do_not_know_each_other(rows):
    texts, declared = [text for text, _ in rows], [tag for _, tag in rows]
    together = languages(texts, declared)
    for (text, tag), (runs, measures) in zip(rows, together, strict=True):
        assert [run["start"] for run in runs] == [0, *(run["end"] for run in runs[:-1])][: len(runs)]
        assert (runs[-1]["end"] if runs else 0) == len(text)
        assert all(a["language"] != b["language"] for a, b in itertools.pairwise(runs))
        assert all(value is None or value >= 0 for value in measures.values())
        assert languages([text], [tag]) == [(runs, measures)]


def test_a_slice_of_an_arrow_column_is_read_where_it_lies():
    column = pa.array(["Das ist nicht gemeint.", *FRENCH], pa.large_string()).slice(1)
    _, offsets, data = column.buffers()
    places = np.frombuffer(offsets, np.int64)[1 : len(FRENCH) + 2]
    declared = pa.chunked_array([pa.array(["fr", None]), pa.nulls(len(FRENCH) - 2, pa.string())])
    runs, _ = identify(np.frombuffer(data, np.uint8), places, declared)
    assert [[run["language"] for run in row] for row in runs.to_pylist()] == [["fr"]] * len(FRENCH)


def test_a_text_longer_than_a_block_is_still_one_text(monkeypatch):
    text = "\n".join(FRENCH * 3 + QUOTATIONS["en"] * 3)
    whole = named(text, "fr")
    monkeypatch.setattr(language, "BLOCK", 2_001)
    cut = named(text, "fr")
    assert "".join(stretch for _, stretch in cut) == text
    assert [n for n, _ in cut] == [n for n, _ in whole] == ["fr", "en"]


@pytest.mark.parametrize("unit", [b"a", b"\xa9", b"\xe2\x80", b"\xff", b'"', b"\xc2\xab", b"A", b"\n", b". "])
def test_hostile_bytes_cost_their_length(unit):
    data = np.frombuffer(unit * (1_000_000 // len(unit)), np.uint8)
    begin = time.process_time()
    identify(data, np.array([0, len(data)]), [None])
    assert time.process_time() - begin < 10


def test_twenty_one_sittings_of_2013_are_french_with_two_maxims_of_latin(samples):
    texts = []
    for path in sorted((samples / "assemblee-2013" / "tei").glob("*.xml")):
        body = ET.parse(path).getroot().find(".//{*}body")
        paragraphs = ("".join(p.itertext()).split() for p in body.iter() if p.tag.endswith(("}p", "}seg")))
        texts.append("\n".join(map(" ".join, paragraphs)))
    found = languages(texts, ["fr"] * len(texts))
    foreign = [
        (run["language"], text[run["start"] : run["end"]].strip())
        for text, (runs, _) in zip(texts, found, strict=True)
        for run in runs
        if run["language"] != "fr"
    ]
    assert foreign == [
        ("la", "Mais errare humanum est...\nEt perseverare diabolicum !"),
        ("la", "Nemo auditur propriam turpitudinem allegans !"),
    ]
