"""Exposure is what replaying the rows of every step shows, computed without reading a token."""

import shutil
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.errors import InputError
from hemicycle.tokens import EXPOSURE, Order, Phase, exposure, make_plan, readings
from tests.tokens.replay import as_exposure, document_texts, replayed_exposure

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


@pytest.mark.parametrize("packing", ["split", "best-fit", "whole"])
def test_a_step_names_its_documents_and_a_document_its_steps(tokens, tmp_path, packing, monkeypatch):
    monkeypatch.setattr(module, "ROWS_AT_ONCE", 7)
    mixed = {"c": tokens, "d": tokens}
    order = plan(tmp_path, mixed, packing, 30, shares={"c": 1.0, "d": 2.0})
    by_document = {}
    for step in range(order.steps):
        at = {}
        for r in order.documents_at(step).to_pylist():
            assert r["source"] == r["document"].split(":")[0]
            found = by_document.setdefault((r["corpus"], r["document"]), [])
            found.append((step, r["row"], r["first"], r["tokens"]))
            batch, column = order.batch(step), at.get(r["row"], 0)
            text = document_texts(mixed)[r["corpus"], r["document"]][r["first"] : r["first"] + r["tokens"]]
            assert batch.tokens_BT[r["row"], column : column + r["tokens"]].tolist() == text
            at[r["row"]] = column + r["tokens"]
    assert len(by_document) > 20
    for (corpus, name), expected in by_document.items():
        numbers = dict(zip("cd", order.catalogue.find(name), strict=True))
        got = [tuple(r.values()) for r in readings(order, numbers[corpus]).to_pylist()]
        assert got == sorted(expected)


def test_a_document_nobody_has_is_refused_with_the_one_that_was_meant(tokens, tmp_path):
    order = plan(tmp_path, {"c": tokens}, "split")
    with pytest.raises(InputError) as told:
        order.catalogue.find("a:111")
    assert told.value.remedy == "Did you mean “a:11”?"
    assert order.catalogue.about(np.array([3, 0, 3]))["id"].to_pylist() == ["a:4", "a:0", "a:4"]


def test_the_digest_of_a_step_is_that_of_its_tokens_and_documents(tokens, tmp_path):
    digests = []
    for name, seed in (("p", 1), ("q", 1), ("r", 2)):
        (tmp_path / name).mkdir()
        order = plan(tmp_path / name, {"c": tokens}, "whole", seed=seed)
        digests.append([order.digest(step) for step in range(order.steps)])
    assert digests[0] == digests[1]
    assert digests[0] != digests[2]
    assert len(set(digests[0])) > 10
    renamed = tmp_path / "t"
    shutil.copytree(tokens, renamed)
    table = pq.read_table(tokens / "documents.parquet")
    ids = ["another" if n == "b:2" else n for n in table["id"].to_pylist()]
    pq.write_table(table.set_column(1, "id", pa.array(ids)), renamed / "documents.parquet")
    order = Order(tmp_path / "p", {"c": renamed})
    for step in range(order.steps):
        touched = "another" in order.documents_at(step)["document"].to_pylist()
        assert (order.digest(step) != digests[0][step]) == touched
