"""Exposure is what replaying the rows of every step shows, computed without reading a token."""

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.tokens import EXPOSURE, Order, Phase, exposure, make_plan
from tests.tokens.replay import as_exposure, replayed_exposure

#: The function has the name of its module.
module = sys.modules["hemicycle.tokens.exposure"]


def plan(folder, tokens, packing, steps=9, seed=1, shares=None):
    shares = shares or {"c": 1.0}
    phases = [
        Phase("a", steps * 64, shares, 16, packing),
        Phase("b", 160, shares, 40, packing, "short-first"),
    ]
    make_plan(tokens, phases, folder, batch_tokens=64, seed=seed, warm_up=0.2)
    return Order(folder, tokens)


@pytest.mark.parametrize("at_once", [1, 12, 10**6])
@pytest.mark.parametrize("packing", ["split", "best-fit", "whole"])
def test_exposure_is_what_a_replay_shows(tokens, tmp_path, monkeypatch, packing, at_once):
    monkeypatch.setattr(module, "ROWS_AT_ONCE", at_once)
    order = plan(tmp_path, {"c": tokens}, packing)
    replayed = replayed_exposure(order)
    assert as_exposure(exposure(tmp_path, {"c": tokens})) == replayed
    assert replayed
    if packing == "split":
        # Only the last row of a stratum may have room.
        assert order.tokens_before(order.steps) - sum(e[3] for e in replayed.values()) < 16 * 4 + 40


@settings(max_examples=20, deadline=None)
@given(
    packing=st.sampled_from(["split", "best-fit", "whole"]),
    share=st.floats(0.05, 0.95),
    steps=st.integers(1, 80),
    seed=st.integers(0, 99),
    at_once=st.integers(1, 400),
)
def test_exposure_does_not_depend_on_how_many_rows_are_looked_at_together(
    tokens, tmp_path_factory, packing, share, steps, seed, at_once
):
    mixed, folder = {"c": tokens, "d": tokens}, tmp_path_factory.mktemp("p")
    plan(folder, mixed, packing, steps, seed, {"c": share, "d": 1 - share})
    whole = exposure(folder, mixed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "ROWS_AT_ONCE", at_once)
        assert exposure(folder, mixed).equals(whole)


def test_a_document_that_is_never_reached_is_not_named(tokens, tmp_path):
    order = plan(tmp_path, {"c": tokens}, "split", steps=1)
    table = exposure(tmp_path, {"c": tokens})
    assert set(table["document"].to_pylist()) == set(replayed_exposure(order))
    assert table.num_rows < 17
    assert table.schema == EXPOSURE
