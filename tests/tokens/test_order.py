"""The order is a function of the plan: the same at any step, on any ranks, with every token accounted for."""

import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.errors import IntegrityError
from hemicycle.tokens import Order, Phase, make_plan, prefetch, read_shard
from hemicycle.tokens.answers import ANSWERS
from tests.tokens.replay import document_texts, row_pieces

PACKINGS = ("split", "best-fit", "whole")
PARTS = ("tokens_BT", "targets_BT", "documents_BT", "positions_BT", "groups_BT")


def plan(folder, tokens, packing="split", seed=1, warm_up=0.0):
    """Ten steps of four rows of 16 tokens, then five of two rows of 40."""
    folder.mkdir(exist_ok=True)
    shares = dict.fromkeys(tokens, 1.0)
    phases = [
        Phase("main", 10 * 4 * 16, shares, 16, packing),
        Phase("long", 5 * 2 * 40, shares, 40, packing),
    ]
    make_plan(tokens, phases, folder, batch_tokens=80, seed=seed, warm_up=warm_up)
    return Order(folder, tokens)


@pytest.mark.parametrize("packing", PACKINGS)
def test_a_batch_holds_the_texts_of_its_documents_and_targets_are_the_next_tokens(tokens, tmp_path, packing):
    order = plan(tmp_path / "p", {"c": tokens}, packing)
    texts = document_texts({"c": tokens})
    about = {
        d["id"]: (d["source"], d["language"]) for d in pq.read_table(tokens / "documents.parquet").to_pylist()
    }
    for step in range(order.steps):
        batch, context = order.batch(step), order.phase(step).context
        for i, row in enumerate(order.rows(step).tolist()):
            at, learnt = 0, 0
            for number, (corpus, name, first, count) in enumerate(row_pieces(order, row)):
                inputs = min(count, context - at)
                here = slice(at, at + inputs)
                text = texts[corpus, name][first : first + count]
                assert batch.tokens_BT[i, here].tolist() == text[:inputs]
                assert batch.targets_BT[i, here].tolist() == [*text[1:], -100][:inputs]
                assert (batch.documents_BT[i, here] == number).all()
                assert batch.positions_BT[i, here].tolist() == list(range(inputs))
                assert {order.groups[g] for g in batch.groups_BT[i, here]} <= {about[name]}
                at += count
                learnt += count - 1
            # What is behind the documents teaches nothing and belongs to none of them.
            assert (batch.targets_BT[i, at:] == -100).all()
            assert (batch.tokens_BT[i, at:] == 0).all()
            assert not set(batch.documents_BT[i, at:].tolist()) & set(batch.documents_BT[i, :at].tolist())
            assert learnt == (batch.targets_BT[i] != -100).sum()


@settings(max_examples=25, deadline=None)
@given(
    packing=st.sampled_from(PACKINGS),
    ranks=st.integers(1, 7),
    seed=st.integers(0, 9),
    warm_up=st.sampled_from([0.0, 0.7]),
)
def test_ranks_together_read_the_batch_of_one_and_each_as_many_rows(
    tokens, tmp_path_factory, packing, ranks, seed, warm_up
):
    folder = tmp_path_factory.mktemp("p")
    whole = plan(folder, {"c": tokens}, packing, seed, warm_up)
    # Each rank opens the plan for itself, and begins where a run was killed.
    opened = [Order(folder, {"c": tokens}) for _ in range(ranks)]
    for step in range(whole.steps // 2, whole.steps):
        one, parts = whole.batch(step), [o.batch(step, r, ranks) for r, o in enumerate(opened)]
        rows = len(one.tokens_BT)
        assert {len(p.tokens_BT) for p in parts} == {-(-rows // ranks)}
        for name in PARTS:
            for i in range(rows):
                assert np.array_equal(getattr(parts[i % ranks], name)[i // ranks], getattr(one, name)[i])
        learnt = sum(int((p.targets_BT != -100).sum()) for p in parts)
        assert learnt == int((one.targets_BT != -100).sum()) == whole.learnt(step)
        for empty in (
            p.targets_BT[-1] for r, p in enumerate(parts) if r + ranks * (-(-rows // ranks) - 1) >= rows
        ):
            assert (empty == -100).all()


def test_a_batch_is_the_same_whenever_it_is_asked_for_and_read_ahead(tokens, tmp_path):
    one, two = plan(tmp_path / "p", {"c": tokens}), Order(tmp_path / "p", {"c": tokens})
    backwards = {step: one.batch(step) for step in reversed(range(one.steps))}
    ahead = list(prefetch(two, 3, two.steps, rank=0, ranks=1))
    assert len(ahead) == two.steps - 3
    for step, batch in enumerate(ahead, 3):
        for name in PARTS:
            assert np.array_equal(getattr(batch, name), getattr(backwards[step], name))


def test_reading_ahead_may_be_given_up(tokens, tmp_path):
    batches = prefetch(plan(tmp_path / "p", {"c": tokens}), 0, 15)
    next(batches)
    batches.close()
    with pytest.raises(StopIteration):
        next(batches)


def test_seeds_differ_and_one_seed_repeats(tokens, tmp_path):
    orders = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        plan(tmp_path / name, {"c": tokens}, "best-fit", seed)
        orders.append({p.name: p.read_bytes() for p in (tmp_path / name).iterdir()})
    assert orders[0] == orders[1]
    assert {name for name in orders[0] if orders[0][name] != orders[2][name]} == {"order.npy", "plan.json"}


def test_places_are_counted_over_phases_and_a_step_knows_its_phase(tokens, tmp_path):
    order = plan(tmp_path / "p", {"c": tokens})
    assert [order.phase(s).name for s in (0, 7, 8, order.steps - 1)] == ["main", "main", "long", "long"]
    assert order.steps == 8 + 5, "a full batch is 80 tokens: five rows of 16, two of 40"
    assert [order.tokens_before(s) for s in (0, 1, 8, 9, 13)] == [0, 80, 640, 720, 1040]
    assert [(p.first_step, p.steps, p.context) for p in order.phases] == [(0, 8, 16), (8, 5, 40)]
    for outside in (-1, 13):
        with pytest.raises(IndexError, match="outside the plan's 13"):
            order.batch(outside)


def test_a_changed_token_changes_the_batch_that_holds_it_and_no_other(tokens, tmp_path):
    assert len(read_shard(tokens / "tokens-00000").tokens) > 1_000
    order = plan(tmp_path / "p", {"c": tokens})
    batches = [order.batch(s).tokens_BT for s in range(8)]
    other = tmp_path / "tokens"
    shutil.copytree(tokens, other)
    raw = bytearray((other / "tokens-00000.bin").read_bytes())
    raw[2 * 500] ^= 1
    (other / "tokens-00000.bin").write_bytes(raw)
    changed = [Order(tmp_path / "p", {"c": other}).batch(s).tokens_BT for s in range(8)]
    assert sum(int((a != b).sum()) for a, b in zip(batches, changed, strict=True)) <= 1


@pytest.mark.parametrize("file", ["order.npy", "segments.npy", "pieces.npy", "bounds.npy", "documents.npy"])
def test_a_plan_that_is_cut_off_is_not_read(tokens, tmp_path, file):
    plan(tmp_path / "p", {"c": tokens}, "whole")
    path = tmp_path / "p" / file
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(IntegrityError, match="cut off"):
        Order(tmp_path / "p", {"c": tokens})


def test_other_tokens_than_those_of_the_plan_are_not_read(tokens, tmp_path):
    plan(tmp_path / "p", {"c": tokens})
    with pytest.raises(IntegrityError, match="for corpora"):
        Order(tmp_path / "p", {"d": tokens})
    other = tmp_path / "tokens"
    shutil.copytree(tokens, other)
    for suffix in ("idx", "bin"):
        (other / f"tokens-00002.{suffix}").unlink()
    with pytest.raises(IntegrityError, match="the shards of corpus c are not those"):
        Order(tmp_path / "p", {"c": other})
    (other / "tokens-00000.bin").unlink()
    with pytest.raises(IntegrityError, match="missing"):
        Order(tmp_path / "p", {"c": other})


def answered(tokens, folder, spans):
    shutil.copytree(tokens, folder)
    pq.write_table(
        pa.table(dict(zip(ANSWERS.names, spans, strict=True)), ANSWERS), folder / "answers.parquet"
    )
    return folder


@pytest.mark.parametrize("packing", PACKINGS)
def test_of_answers_every_token_is_learnt_and_nothing_else(tokens, tmp_path, packing):
    documents = pq.read_table(tokens / "documents.parquet").to_pylist()
    # Of each document but the first its sixth to tenth token, and its last.
    spans = [
        (d["shard"], d["first"] + at, n) for d in documents[1:] for at, n in ((5, 5), (d["tokens"] - 1, 1))
    ]
    folder = answered(tokens, tmp_path / "t", list(zip(*spans[::-1], strict=True)))
    order = plan(tmp_path / "p", {"c": folder, "d": tokens}, packing)
    learnt = 0
    for step in range(order.steps):
        batch = order.batch(step)
        assert order.learnt(step) == (batch.targets_BT != -100).sum()
        for i, row in enumerate(order.rows(step).tolist()):
            at = 0
            for corpus, name, first, count in row_pieces(order, row):
                length = next(d["tokens"] for d in documents if d["id"] == name)
                for place in range(at, min(at + count - 1, batch.targets_BT.shape[1])):
                    target = first + place - at + 1
                    expected = corpus == "d" or (
                        name != documents[0]["id"] and (5 <= target < 10 or target == length - 1)
                    )
                    assert (batch.targets_BT[i, place] != -100) == expected
                    learnt += expected and corpus == "c"
                at += count
    assert learnt


@pytest.mark.parametrize(
    ("spans", "problem"),
    [
        (([9], [0], [1]), "a shard that is not there"),
        (([0], [0], [10**6]), "leave their shard"),
        (([0, 0], [3, 0], [2, 4]), "overlap"),
    ],
)
def test_answers_that_are_nowhere_are_refused(tokens, tmp_path, spans, problem):
    plan(tmp_path / "p", {"c": tokens})
    folder = answered(tokens, tmp_path / "t", spans)
    with pytest.raises(IntegrityError, match=problem):
        Order(tmp_path / "p", {"c": folder})
