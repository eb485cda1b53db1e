"""What readers of debates share: directions, names, the printed layout."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemicycle.documents import Part
from hemicycle.sources.debate import Debate, Runs, Speaker, opening
from hemicycle.sources.printed import closing


def runs(*pieces: tuple[str, str]) -> Runs:
    """Words with their styles: b, i, or none."""
    made = Runs()
    for words, style in pieces:
        made.add(words, style == "i", style == "b")
    return made


@given(st.text(alphabet="()a ", max_size=30))
def test_a_direction_ends_where_its_parenthesis_closes(text):
    found = runs((text, "i")).stages()
    for start, end in found:
        assert text[start] == "("
        assert end == (closing(text, start) or len(text))
    assert [b for _, b in found][:-1] <= [a for a, _ in found][1:]


def test_what_follows_a_name_keeps_its_styles():
    words = runs(("M. A.", "b"), (" Oui ", ""), ("(Rires.)", "i"))
    found = opening(words)
    assert found is not None
    rest = words.after(found.start)
    assert (rest.text, rest.stages()) == (" Oui (Rires.)", [(5, 13)])


@pytest.mark.parametrize("text", ["", " ", "(", "M. ", "M. A"])
def test_a_paragraph_that_is_hardly_one_has_no_trap(text):
    for style in ("b", "i", ""):
        opening(runs((text, style)))
        debate = Debate()
        debate.line(runs((text, style)), None, Part(0, 0))
        assert debate.text.finish()[0] == text.strip()


def test_a_name_is_printed_where_the_speaker_changes_or_the_print_says_it():
    debate, speaker = Debate(), Speaker("Mme A", "ministre")
    for named in (False, False, True):
        debate.paragraph(runs(("Oui.", "")), speaker, Part(0, 0), named=named)
    assert debate.text.finish()[0] == "Mme A, ministre. – Oui.\n\nOui.\n\nMme A, ministre. – Oui."


def test_the_chair_is_listed_by_its_name_once_the_name_is_known():
    debate = Debate()
    debate.met(["M. le président"], ["PA1"])
    debate.met(["M. Luc Pré"], ["PA1"])
    debate.met(["M. le président"], ["PA1"])
    debate.met(["Plusieurs députés"], ["PA0"])
    assert [(a.name, a.flags) for a in debate.authors] == [("M. Luc Pré", ("PA1",))]
