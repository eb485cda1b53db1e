"""Speeches of 1790, one a line, with their names cut off. The lines are constructed after the layout."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.documents import Author, Document
from hemicycle.errors import InputError
from hemicycle.project import Card
from hemicycle.sources.speech_lines import read, span_of

EXAMPLES = int(os.environ.get("HEMICYCLE_FUZZ", "200"))
CARD = Card(title="t", reader="speech-lines", path=".")
LINES = (
    ", secrétaire, lit le procèS-vèrbâl de la séance. Il est adopté.\n"
    ", député du Béarn. Le comité des rap-ports a parlé ; les rapports sont clos.\n"
    "\n(de Tours). Je propose une dénon -ciation.\ndit peut-être que la dénonciation est close.\n"
)


def document(folder: Path, text: str | bytes, name: str = "s_1790-06-01_1790-07-01.txt") -> Document:
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    (found,) = read(folder, CARD)
    return found


def test_a_line_is_a_turn_of_nobody_named_and_the_office_is_its_role(tmp_path):
    found = document(tmp_path, LINES)
    assert found.text == (
        "secrétaire, lit le procèS-vèrbâl de la séance. Il est adopté.\n\n"
        "député du Béarn. Le comité des rapports a parlé ; les rapports sont clos.\n\n"
        "(de Tours). Je propose une dénonciation.\n\ndit peut-être que la dénonciation est close."
    )
    assert [(p.anchor, p.kind, p.speaker, p.role) for p in found.parts] == [
        ("l1", "turn", None, "secrétaire"),
        ("l2", "turn", None, "député du Béarn"),
        ("l4", "turn", None, None),
        ("l5", "turn", None, None),
    ]
    assert (found.date, found.kind, found.counts) == ("1790-06", "debate", (("mended_words", 2),))
    assert found.authors == (Author("orateurs non nommés", "speaker", published=1790),)


@pytest.mark.parametrize(
    ("name", "span"),
    [
        ("s_1790-06-01_1790-07-01.txt", "1790-06"),
        ("s_1790-12-01_1791-01-01.txt", "1790-12"),
        ("s_1790-06-03_1790-06-09.txt", "1790-06"),
        ("s_1790-06-03_1790-08-01.txt", "1790"),
        ("s_1790-06-03_1791-08-01.txt", None),
        ("s_1790-06-03.txt", "1790-06-03"),
        ("s_1790-13-03.txt", None),
        ("s.txt", None),
    ],
)
def test_of_a_span_of_days_what_its_ends_share_is_kept(name, span):
    assert span_of(name) == span


@pytest.mark.parametrize(
    ("text", "name", "what"),
    [
        ("\n , \n", "a.txt", "no word"),
        ("x", "a.csv", "by its name"),
        (b"\xe9t\xe9", "a.txt", "UTF-8"),
        ("a\0", "a.txt", "NUL"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path, text, name, what):
    with pytest.raises(InputError) as error:
        document(tmp_path, text, name)
    assert what in error.value.what


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(st.text("aé,. -()\t\v", max_size=20), max_size=8))
def test_no_letter_is_lost(tmp_path_factory, lines):
    try:
        found = document(tmp_path_factory.mktemp("s"), "\n".join([*lines, "fin"]))
    except InputError:
        return
    found.row("s")
    letters = [c for c in "".join([*lines, "fin"]) if c.isalpha()]
    assert [c for c in found.text if c.isalpha()] == letters
