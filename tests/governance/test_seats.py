"""Whether enough people are left for what is to come of a complaint, and that it is told in time."""

import itertools
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.errors import DeclarationError
from hemicycle.governance.seats import enough
from tests.flow.test_decided import person
from tests.flow.test_granted import FIRST, complained

PEOPLE = {"claire": ("legal",), "nora": ("governance",), "zoe": ("governance",)}
SEATS = st.lists(st.sets(st.sampled_from("abcd")), max_size=4)


@settings(max_examples=int(os.environ.get("HEMICYCLE_FUZZ", "200")), deadline=None)
@given(SEATS)
def test_seats_are_enough_exactly_where_different_people_can_be_put_on_them(seats):
    assert enough(seats) == any(len(set(chosen)) == len(seats) for chosen in itertools.product(*seats))


@pytest.fixture
def begun(tmp_path, monkeypatch):
    """A project of these people, with a complaint that was opened; returns it and what the opening says."""

    def begin(people, subject=FIRST, *words):
        text = "".join(person(who, f"of {who}", *roles) for who, roles in people.items())
        project = complained(tmp_path / "essai", monkeypatch, text)
        project.run("clear")
        call = ("--category", "copyright", "--subject", subject, "--text", "The edition is not free")
        return project, project.run("govern", "complaint", "open", *call, *words)

    return begin


def test_it_is_told_whose_examination_would_leave_nobody_to_decide(begun):
    project, said = begun({"claire": ("legal",), "nora": ("governance",)})
    assert said["warnings"] == [
        "if claire examines it, too few people are left to decide that it is granted or that it is refused",
        "if nora examines it, too few people are left to decide that it is refused",
    ]
    said = project.take("triage", said["complaint"], who="nora")
    assert said["warnings"] == ["too few people are left to decide that it is refused"]


def test_nothing_is_told_where_others_are_left(begun):
    project, said = begun({**PEOPLE, "lea": ("legal",)})
    assert said["warnings"] == []
    said = project.take("triage", said["complaint"], who="nora")
    assert said["warnings"] == []


def test_it_is_told_that_nobody_is_left_for_an_appeal(begun):
    project, said = begun({"claire": ("legal",), "lea": ("legal",), "nora": ("governance",)})
    number = said["complaint"]
    project.take("triage", number, who="lea")
    project.take("decide", number, "refused", who="claire")
    said = project.take("sign", number, who="nora")
    assert said["warnings"] == ["too few people are left to decide an appeal"]


def test_who_is_concerned_counts_for_no_seat(begun):
    _, said = begun(PEOPLE, FIRST, "--party", "of claire")
    assert said["warnings"] == ["too few people are left to decide that it is granted or that it is refused"]


def test_a_subject_that_no_card_knows_is_told_at_its_opening_and_its_triage_says_what_is_missing(begun):
    project, said = begun({**PEOPLE, "lea": ("legal",)}, "nothere")
    assert said["warnings"] == [
        "no card says whose affair “nothere” is: whoever examines it names with --party who complains or is "
        "complained about"
    ]
    with pytest.raises(DeclarationError, match="`--party` names them"):
        project.take("triage", said["complaint"], who="nora")
