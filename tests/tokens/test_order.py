"""The order is a function of the plan: nothing lost, nothing doubled, every document accounted for."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.errors import InputError
from hemicycle.tokens import Order, exposure, make_plan, order, read_shard

CONTEXT, ROWS = 16, 4


def plan(folder, tokens, steps=20, shares=None, seed=1):
    folder.mkdir(exist_ok=True)
    shares = shares or dict.fromkeys(tokens, 1.0)
    figures = make_plan(tokens, shares, folder, context=CONTEXT, batch_rows=ROWS, steps=steps, seed=seed)
    return folder, figures


def test_one_epoch_reads_every_row_once(tokens, tmp_path):
    _, figures = plan(tmp_path / "p", {"c": tokens}, steps=1)
    steps = figures["rows"] // ROWS
    folder, _ = plan(tmp_path / "q", {"c": tokens}, steps=steps)
    opened = Order(folder, {"c": tokens})
    read = np.concatenate([opened.rows(s) for s in range(steps)])
    assert len(np.unique(read)) == len(read) == steps * ROWS


def test_no_row_is_read_again_before_all_were_read(tokens, tmp_path):
    folder, figures = plan(tmp_path / "p", {"c": tokens}, steps=200)
    opened = Order(folder, {"c": tokens})
    read = np.concatenate([opened.rows(s) for s in range(200)])
    for start in range(0, len(read) - figures["rows"], figures["rows"]):
        assert len(np.unique(read[start : start + figures["rows"]])) == figures["rows"]


def test_a_batch_is_the_same_whenever_it_is_asked_for_and_targets_are_the_next_token(tokens, tmp_path):
    folder, _ = plan(tmp_path / "p", {"c": tokens})
    opened, again = Order(folder, {"c": tokens}), Order(folder, {"c": tokens})
    for step in (19, 0, 7):
        one, two = opened.batch(step), again.batch(step)
        for name in ("tokens_BT", "targets_BT", "documents_BT", "positions_BT"):
            assert np.array_equal(getattr(one, name), getattr(two, name))
        inner = one.targets_BT[:, :-1] != -100
        assert np.array_equal(one.targets_BT[:, :-1][inner], one.tokens_BT[:, 1:][inner])


def test_the_first_token_of_a_document_is_never_a_target_of_the_one_before(tokens, tmp_path):
    folder, _ = plan(tmp_path / "p", {"c": tokens}, steps=60)
    opened = Order(folder, {"c": tokens})
    seen = 0
    for step in range(60):
        batch = opened.batch(step)
        change = batch.documents_BT[:, 1:] != batch.documents_BT[:, :-1]
        seen += int(change.sum())
        assert (batch.targets_BT[:, :-1][change] == -100).all()
        assert (batch.positions_BT[:, 1:][change] == 0).all()
        assert (batch.positions_BT[:, 0] == 0).all()
    assert seen, "no row held two documents"


def test_seeds_differ_and_one_seed_repeats(tokens, tmp_path):
    orders = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        folder, _ = plan(tmp_path / name, {"c": tokens}, seed=seed)
        orders.append((folder / "order.npy").read_bytes())
    assert orders[0] == orders[1] != orders[2]


@settings(max_examples=30, deadline=None)
@given(share=st.floats(0.05, 0.95), steps=st.integers(1, 60))
def test_a_mix_keeps_its_shares_to_the_row(tokens, tmp_path_factory, share, steps):
    mixed = {"c": tokens, "d": tokens}
    folder, figures = plan(tmp_path_factory.mktemp("p") / "p", mixed, steps, {"c": share, "d": 1 - share})
    opened = Order(folder, mixed)
    read = np.concatenate([opened.rows(s) for s in range(steps)])
    of_c = int((read < figures["rows"] // 2).sum())
    assert abs(of_c - share * steps * ROWS) <= 1


@pytest.mark.parametrize("at_once", [1, 3 * ROWS, 10**6])
def test_exposure_is_what_replaying_the_batches_shows(tokens, tmp_path, monkeypatch, at_once):
    monkeypatch.setattr(order, "ROWS_AT_ONCE", at_once)
    folder, _ = plan(tmp_path / "p", {"c": tokens}, steps=9)
    opened = Order(folder, {"c": tokens})
    table = pq.read_table(tokens / "documents.parquet").to_pylist()
    replayed = {}
    for step in range(9):
        for row in opened.rows(step):
            _, spans = opened.spans(int(row))
            # The last token of a row is only a target.
            spans[-1] = (*spans[-1][:2], spans[-1][2] - 1)
            for document in table:
                first, last = document["first"], document["first"] + document["tokens"]
                overlap = sum(
                    max(0, min(last, end) - max(first, start))
                    for shard, start, end in spans
                    if shard == document["shard"]
                )
                if overlap > 0:
                    entry = replayed.setdefault(document["id"], [step, step, 0, 0])
                    entry[1] = step
                    entry[2] += 1
                    entry[3] += overlap
    computed = {
        r["document"]: [r["first_step"], r["last_step"], r["rows"], r["tokens"]]
        for r in exposure(folder, {"c": tokens}).to_pylist()
    }
    assert computed == replayed
    assert sum(v[3] for v in replayed.values()) == 9 * ROWS * CONTEXT


@settings(max_examples=20, deadline=None)
@given(
    share=st.floats(0.05, 0.95),
    steps=st.integers(1, 80),
    seed=st.integers(0, 99),
    at_once=st.integers(1, 400),
)
def test_exposure_does_not_depend_on_how_many_rows_are_looked_at_together(
    tokens, tmp_path_factory, share, steps, seed, at_once
):
    mixed = {"c": tokens, "d": tokens}
    folder, _ = plan(tmp_path_factory.mktemp("p") / "p", mixed, steps, {"c": share, "d": 1 - share}, seed)
    whole = exposure(folder, mixed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(order, "ROWS_AT_ONCE", at_once)
        assert exposure(folder, mixed).equals(whole)


def test_a_changed_token_changes_the_batch_that_holds_it_and_no_other(tokens, tmp_path):
    shard = read_shard(tokens / "tokens-00000")
    assert len(shard.tokens) > 1_000
    folder, _ = plan(tmp_path / "p", {"c": tokens}, steps=10)
    batches = [Order(folder, {"c": tokens}).batch(s).tokens_BT.copy() for s in range(10)]
    import shutil

    other = tmp_path / "tokens"
    shutil.copytree(tokens, other)
    raw = bytearray((other / "tokens-00000.bin").read_bytes())
    raw[2 * 500] ^= 1
    (other / "tokens-00000.bin").write_bytes(raw)
    changed = [Order(folder, {"c": other}).batch(s).tokens_BT for s in range(10)]
    different = sum(int((a != b).sum()) for a, b in zip(batches, changed, strict=True))
    assert different <= 1


def test_a_corpus_smaller_than_one_row_is_refused(tokens, tmp_path):
    with pytest.raises(InputError, match="not one row"):
        make_plan({"c": tokens}, {"c": 1.0}, tmp_path, context=100_000, batch_rows=1, steps=1, seed=1)


def test_a_plan_with_more_rows_than_can_be_numbered_is_refused(tokens, tmp_path, monkeypatch):
    _, figures = plan(tmp_path / "p", {"c": tokens})
    monkeypatch.setattr(order, "ROWS_BOUND", figures["rows"] + 1)
    plan(tmp_path / "q", {"c": tokens})
    monkeypatch.setattr(order, "ROWS_BOUND", figures["rows"])
    with pytest.raises(InputError, match=f"a plan numbers fewer than {figures['rows']}"):
        plan(tmp_path / "r", {"c": tokens})
