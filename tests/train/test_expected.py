"""The plan of a training as a file: what is written is read back, what is damaged is named with its key."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemicycle.errors import InputError
from hemicycle.train.expected import MOST_BYTES, Band, Expected, LossBand, read_expected

LOSS = LossBand((0.05, 0.5, 1.0), (4.5, 2.9, 2.0), (5.0, 3.0, 2.2), (5.5, 3.1, 2.4))
PLAN = Expected(
    "petit",
    "2026-11-26T10:00:00Z",
    "H100 SXM",
    8,
    tokens_per_second=Band(40_000, 56_000, 60_000),
    loss=LOSS,
)


def test_what_was_written_is_read_back(tmp_path):
    path = tmp_path / "plans" / "petit.json"
    PLAN.write(path)
    assert read_expected(path) == PLAN
    told = json.loads(path.read_text("utf-8"))
    assert (told["version"], told["utilisation"], told["ranks"]) == (1, None, 8)
    assert told["tokens_per_second"] == {"low": 40_000, "expected": 56_000, "high": 60_000}


def test_figures_that_are_not_planned_may_be_left_out(tmp_path):
    path = tmp_path / "plan.json"
    path.write_text('{"version": 1, "model": "petit", "made": "", "chip": "A100", "ranks": 1}', "utf-8")
    assert read_expected(path) == Expected("petit", "", "A100", 1)


def changed(**changes):
    return {"version": 1, **dataclasses.asdict(PLAN), **changes}


BAND = {"low": 1.0, "expected": 2.0, "high": 3.0}
SHARES = {"share": [0.5, 1.0], "low": [1.0, 1.0], "expected": [2.0, 2.0], "high": [3.0, 3.0]}


@pytest.mark.parametrize(
    ("told", "key"),
    [
        (changed(version=2), "version"),
        (changed(speed=BAND), "speed"),
        (changed(model=3), "model"),
        (changed(ranks=0), "ranks"),
        (changed(ranks=True), "ranks"),
        (changed(ranks=8.5), "ranks"),
        (changed(seconds=[1, 2, 3]), "seconds"),
        (changed(seconds={"low": 1.0, "high": 3.0}), "seconds"),
        (changed(seconds=BAND | {"mean": 2.0}), "seconds"),
        (changed(seconds=BAND | {"high": "3"}), "seconds.high"),
        (changed(seconds=BAND | {"high": float("inf")}), "seconds.high"),
        (changed(seconds=BAND | {"high": 10**400}), "seconds.high"),
        (changed(seconds=BAND | {"high": 1e16}), "seconds.high"),
        (changed(seconds=BAND | {"low": float("nan")}), "seconds.low"),
        (changed(seconds=BAND | {"low": True}), "seconds.low"),
        (changed(seconds=BAND | {"low": 2.5}), "seconds"),
        (changed(seconds=BAND | {"low": -1.0}), "seconds"),
        (changed(loss=BAND), "loss"),
        (changed(loss=SHARES | {"share": 1.0}), "loss.share"),
        (changed(loss=SHARES | {"share": []}), "loss.share"),
        (changed(loss=SHARES | {"low": [1.0]}), "loss.low"),
        (changed(loss=SHARES | {"low": [1.0, None]}), "loss.low[1]"),
        (changed(loss=SHARES | {"share": [0.5, 0.5]}), "loss.share"),
        (changed(loss=SHARES | {"share": [0.0, 0.5]}), "loss.share"),
        (changed(loss=SHARES | {"share": [0.5, 1.5]}), "loss.share"),
        (changed(loss=SHARES | {"high": [3.0, 1.5]}), "loss"),
    ],
)
def test_a_plan_that_is_wrong_is_refused_with_its_key(tmp_path, told, key):
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(told), "utf-8")
    with pytest.raises(InputError) as error:
        read_expected(path)
    assert error.value.place == f"{path}, key {key}"
    assert "written again" in error.value.remedy


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not JSON"),
        (b'{"version": 1', "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[]", "not an object"),
        (b"\0" * (MOST_BYTES + 1), "more than 1,000,000 bytes"),
    ],
)
def test_a_file_that_is_no_plan_is_said(tmp_path, data, said):
    path = tmp_path / "plan.json"
    path.write_bytes(data)
    with pytest.raises(InputError, match=said) as error:
        read_expected(path)
    assert error.value.place == str(path)


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_expected(tmp_path / "plan.json")


def test_the_course_is_read_on_straight_lines():
    # Halfway between 0.5 and 1: halfway between 2.9 and 2.0, 3.0 and 2.2, 3.1 and 2.4.
    assert LOSS.at(0.75) == Band(pytest.approx(2.45), pytest.approx(2.6), pytest.approx(2.75))
    assert LOSS.at(0.05) == Band(4.5, 5.0, 5.5)
    assert LOSS.at(1.0) == LOSS.at(1.02) == Band(2.0, 2.2, 2.4)
    assert LOSS.at(0.049) is None
    assert LossBand((0.5,), (1.0,), (2.0,), (3.0,)).at(0.7) == Band(1.0, 2.0, 3.0)


@given(st.floats(0.05, 1.0))
def test_the_course_stays_in_order_and_never_rises_where_it_is_not_said_to(share):
    band = LOSS.at(share)
    assert band.low <= band.expected <= band.high
    later = LOSS.at(min(1.0, share + 0.01))
    assert later.expected <= band.expected + 1e-12
