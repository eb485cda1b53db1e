"""An error is a sentence that may be shown anywhere, whatever a stranger called their files."""

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemicycle.errors import HemicycleError, InputError, visible
from hemicycle.gate import Undecided


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("l’été, 12\u202f000 œuvres\u00a0!", "l’été, 12\u202f000 œuvres\u00a0!"),
        ("a\nerror: b\r\tc", r"a\nerror: b\r\tc"),
        ("\x1b[2J\x9b31m", r"\x1b[2J\x9b31m"),
        ("fdp.\u202efdp\u2066", r"fdp.\u202efdp\u2066"),
        ("caf\udce9", r"caf\udce9"),
        ("\U000e0041", r"\U000e0041"),
    ],
)
def test_what_does_not_print_is_spelled_out(text, shown):
    assert visible(text) == shown


@given(st.text(st.characters(exclude_categories=())))
def test_what_is_visible_is_one_line_of_utf_8_and_stays_what_it_is(text):
    shown = visible(text)
    assert len(shown.splitlines()) <= 1
    assert "\x1b" not in shown
    assert shown.encode("utf-8").decode("utf-8") == shown
    assert visible(shown) == shown


def test_an_error_has_one_line_for_what_happened_and_one_for_what_to_do():
    error = InputError("bad\nname", place="a\nb.zip#c\x1b", remedy="Look\nat it.")
    assert str(error).splitlines() == [r"a\nb.zip#c\x1b: bad\nname", r"  Look\nat it."]
    assert (error.what, error.place, error.remedy) == (r"bad\nname", r"a\nb.zip#c\x1b", r"Look\nat it.")


@pytest.mark.parametrize(
    "error",
    [
        HemicycleError("it broke"),
        InputError("bad\nname", place="a.zip", remedy="Look at it."),
        Undecided("run", "petit", {"plan": "a"}, {"tokens": 5}, "nobody has signed", ["model"]),
    ],
)
def test_an_error_that_crosses_from_another_process_says_what_it_said_there(error):
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert type(other) is type(error)
        assert (str(other), other.args, vars(other)) == (str(error), error.args, vars(error))
