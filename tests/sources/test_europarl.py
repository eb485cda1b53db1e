"""Europarl: who spoke, in which language, and whose words a translation is."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.documents import Author, Document
from hemicycle.errors import HemicycleError, InputError
from hemicycle.project import Card
from hemicycle.sources.europarl import TRANSLATORS, debate, read

FUZZ = int(os.environ.get("HEMICYCLE_FUZZ", "200"))
CARD = Card(title="t", reader="europarl", path=".", language="fr")

SITTING = """<CHAPTER ID=1>
Reprise de la session
<SPEAKER ID=1 NAME="La Présidente">
Je déclare reprise la session.
<P>
(Le Parlement se lève)
<P>
<SPEAKER ID=2 LANGUAGE="DE" NAME="Bel, Ada" AFFILIATION="PPE-DE">
Madame la Présidente,
merci.
<P>
Un mot encore.
<CHAPTER ID="002">
Des fontaines
(débat)
<SPEAKER ID="3" NAME='Tarn' LANGUAGE="FR">
L'eau coule.
"""


def read_text(text: str, origin: str = "txt/fr/ep-31-03-04.txt", language: str = "fr") -> Document:
    found = debate(text, origin, language)
    assert found is not None
    return found


def test_a_sitting_reads_as_it_was_printed() -> None:
    found = read_text(SITTING)
    assert found.text == (
        "Reprise de la session\n\n"
        "La Présidente. – Je déclare reprise la session.\n\n"
        "(Le Parlement se lève)\n\n"
        "Bel, Ada. – Madame la Présidente, merci.\n\n"
        "Un mot encore.\n\n"
        "Des fontaines (débat)\n\n"
        "Tarn. – L'eau coule."
    )
    session, fountains, german = (
        "Reprise de la session",
        "Des fontaines (débat)",
        "PPE-DE, translated from de",
    )
    assert [(p.kind, p.anchor, p.speaker, p.role, p.title) for p in found.parts] == [
        ("heading", "chapter-1", None, None, session),
        ("turn", "chapter-1-1", "La Présidente", "chair", session),
        ("turn", "chapter-1-1", "La Présidente", "chair", session),
        ("turn", "chapter-1-2", "Bel, Ada", german, session),
        ("turn", "chapter-1-2", "Bel, Ada", german, session),
        ("heading", "chapter-002", None, None, fountains),
        ("turn", "chapter-002-3", "Tarn", None, fountains),
    ]
    words = [found.text[p.start : p.end] for p in found.parts]
    assert words[:2] == [session, "Je déclare reprise la session."]
    assert words[3:5] == ["Madame la Présidente, merci.", "Un mot encore."]
    assert (found.date, found.group, found.title) == (
        "2031-03-04",
        "europarl:2031-03-04",
        "Sitting of 2031-03-04",
    )


def test_a_translation_has_a_translator_whom_nobody_names() -> None:
    assert read_text(SITTING).authors == (
        Author("Bel, Ada", role="speaker"),
        Author("Tarn", role="speaker"),
        Author(TRANSLATORS, role="translator"),
    )
    assert read_text(SITTING.replace('"DE"', '"FR"')).authors == (
        Author("Bel, Ada", role="speaker"),
        Author("Tarn", role="speaker"),
    )
    # The same file in German: now the French speech is the translated one.
    assert [p.role for p in read_text(SITTING, "txt/de/ep-31-03-04.txt").parts][-1] == "translated from fr"


def test_the_language_is_that_of_the_nearest_folder_or_of_the_card() -> None:
    assert read_text(SITTING, "fr/txt/de/ep-31-03-04.txt").language == "de"
    assert read_text(SITTING, "ep/ep-31-03-04.txt", "fr-FR").language == "fr-FR"
    assert read_text(SITTING, "ep/ep-31-03-04.txt", "fr-FR").parts[-1].role is None


def test_files_of_one_day_are_one_group_in_all_languages() -> None:
    origins = ["fr/ep-09-04-21-023.txt", "en/ep-09-04-21-023.txt", "fr/ep-09-04-21.txt"]
    assert {read_text(SITTING, origin).group for origin in origins} == {"europarl:2009-04-21"}
    assert read_text(SITTING, "fr/ep-96-04-15.txt").date == "1996-04-15"
    assert read_text(SITTING, "fr/ep-99-13-40.txt").date is None


@pytest.mark.parametrize(
    ("name", "chair"),
    [
        ("Le Président", True),
        ("President", True),
        ("Der Präsident", True),
        ("El Presidente", True),
        ("Prodi, President of the Commission", False),
        ("Le Président de la Commission", False),
    ],
)
def test_the_chair_is_known_in_several_languages(name: str, chair: bool) -> None:
    found = read_text(f'<SPEAKER ID=1 NAME="{name}">\nMot.\n')
    assert (found.parts[0].role == "chair") is chair
    assert bool(found.authors) is not chair


def test_text_before_any_markup_and_lines_that_only_look_like_it_are_kept() -> None:
    found = read_text('Avant.\n<NOTE X>\n\n<CHAPTER ID=1>\n<SPEAKER ID=1 NAME="A">\n<b>Oui</b> < non\n')
    assert found.text == "Avant. <NOTE X>\n\nA. – <b>Oui</b> < non"


def test_a_file_without_words_is_no_document(tmp_path: Path) -> None:
    assert debate('<CHAPTER ID=1>\n<SPEAKER ID=1 NAME="A">\n<P>\n', "ep-31-03-04.txt", "fr") is None
    (tmp_path / "ep-31-03-04.txt").write_text(SITTING, "utf-8")
    (tmp_path / "ep-31-03-05.txt").write_text("<P>\n", "utf-8")
    assert [d.origin for d in read(tmp_path, CARD)] == ["ep-31-03-04.txt"]


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("ep-31-03-04.txt", SITTING.encode("latin-1"), r"^ep-31-03-04.txt, line 3: byte .* is not UTF-8"),
        ("ep-31-03-04.txt", b"a\0b", "NUL"),
        ("ep-31-03-04.txt", b'<SPEAKER ID=1 NAME="A\n', r"line 1: this line of markup cannot be read"),
        ("ep-31-03-04.txt", b'<SPEAKER ID=1 NAME="A" B C>\n', r"line 1: this line of markup cannot be read"),
        ("readme.txt", b"x", "not a file of the corpus by its name"),
        ("ep-31-03-04.xml", b"x", "not a file of the corpus by its name"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=message):
        list(read(tmp_path, CARD))


lines = st.lists(
    st.sampled_from(["<P>", "", "<CHAPTER ID=1>", '<SPEAKER ID=1 NAME="X">', "</P>", "<BRK>"])
    | st.text(alphabet="abcé ", max_size=12),
    max_size=20,
)


@settings(max_examples=FUZZ, deadline=None)
@given(lines)
def test_no_word_is_lost_or_doubled(written: list[str]) -> None:
    found = debate("\n".join(written), "ep-31-03-04.txt", "fr")
    expected = [w for line in written if "<" not in line for w in line.split()]
    read_words = re.findall(r"[abcé]+", found.text.replace("X. – ", "")) if found else []
    assert read_words == expected
    if found:
        inside = " ".join(found.text[p.start : p.end] for p in found.parts)
        assert inside.split() == expected


@settings(max_examples=FUZZ, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(SITTING) - 1), st.text(max_size=6)), max_size=4))
def test_altered_text_gives_a_document_or_an_error(changes: list[tuple[int, str]]) -> None:
    text = SITTING
    for position, new in changes:
        text = text[:position] + new + text[position + len(new) :]
    with contextlib.suppress(HemicycleError):
        found = debate(text, "fr/ep-31-03-04.txt", "fr")
        if found:
            found.row("s")
