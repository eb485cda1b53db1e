"""Holes: a document that is withdrawn is neither seen nor learnt, and every other token stays where it is."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from hemicycle.errors import InputError
from hemicycle.store import digest_files
from hemicycle.tokens import Order, Phase, exposure, make_plan
from hemicycle.tokens.holes import WITHDRAWN, punch, withdrawn_in
from hemicycle.tokens.megatron import read_shard, shard_name


@pytest.fixture(params=["split", "best-fit", "whole"])
def plan(request, tokens, tmp_path):
    (tmp_path / "plan").mkdir()
    phase = Phase("main", 20 * 128, {"c": 1.0}, 32, request.param)
    make_plan({"c": tokens}, [phase], tmp_path / "plan", batch_tokens=128, seed=1)
    return tmp_path / "plan"


def documents(tokens):
    return pq.read_table(tokens / "documents.parquet").to_pylist()


@pytest.fixture
def holed(tokens, tmp_path):
    """Two documents withdrawn."""
    gone = [documents(tokens)[number] for number in (1, 4)]
    counts = punch(tokens, tmp_path / "holed", [each["id"] for each in gone])
    assert counts == {"documents": 2, "tokens": sum(each["tokens"] for each in gone)}
    return tmp_path / "holed", gone


def test_the_tokens_of_holes_are_nothing_and_all_others_are_where_they_were(tokens, holed):
    folder, gone = holed
    for shard in sorted({row["shard"] for row in documents(tokens)}):
        before, after = (read_shard(each / shard_name(shard)).tokens for each in (tokens, folder))
        hole = np.zeros(len(before), bool)
        for each in gone:
            if each["shard"] == shard:
                hole[each["first"] : each["first"] + each["tokens"]] = True
        assert (after[hole] == 0).all()
        assert (after[~hole] == before[~hole]).all()
    assert withdrawn_in(folder).tolist() == [1, 4]


def test_no_batch_learns_or_shows_a_hole_and_the_rest_of_it_is_as_it_was(plan, tokens, holed):
    folder, gone = holed
    before, after = Order(plan, {"c": tokens}), Order(plan, {"c": folder})
    ids, seen, met = {each["id"] for each in gone}, 0, 0
    for step in range(before.steps):
        one, other = before.batch(step), after.batch(step)
        assert (one.documents_BT == other.documents_BT).all()
        changed = (one.tokens_BT != other.tokens_BT) | (one.targets_BT != other.targets_BT)
        inside = np.zeros_like(changed)
        for row in before.documents_at(step).to_pylist():
            if row["document"] in ids:
                inside[row["row"]] |= one.documents_BT[row["row"]] == _number_of(before, step, row)
                met += 1
        assert not (changed & ~inside).any()
        assert (other.targets_BT[inside] == -100).all()
        assert (other.tokens_BT[inside] == 0).all()
        assert after.learnt(step) == other.learnt
        seen += int(inside.sum())
        assert ids.isdisjoint(after.documents_at(step)["document"].to_pylist())
    assert met
    assert seen


def _number_of(order, step, wanted):
    """The number of a document inside its row: how many stretches stand before it there."""
    rows = [row for row in order.documents_at(step).to_pylist() if row["row"] == wanted["row"]]
    return rows.index(wanted)


@pytest.mark.parametrize("packing", ["split", "best-fit", "whole"])
def test_a_plan_made_of_tokens_with_holes_is_the_plan_made_before(tokens, holed, tmp_path, packing):
    plans = []
    for name, folder in (("one", tokens), ("other", holed[0])):
        plans.append(tmp_path / name)
        plans[-1].mkdir()
        phase = Phase("main", 20 * 128, {"c": 1.0}, 32, packing)
        make_plan({"c": folder}, [phase], plans[-1], batch_tokens=128, seed=3)
    assert digest_files(plans[0]) == digest_files(plans[1])


def test_nothing_withdrawn_is_in_the_exposure(plan, tokens, holed):
    folder, gone = holed
    ids = {each["id"] for each in gone}
    before, after = (exposure(plan, {"c": each}).to_pylist() for each in (tokens, folder))
    assert [row for row in before if row["document"] not in ids] == after
    assert ids & {row["document"] for row in before}


def test_a_second_withdrawal_leaves_the_first(tokens, holed, tmp_path):
    folder, _ = holed
    punch(folder, tmp_path / "again", [documents(tokens)[0]["id"]])
    assert withdrawn_in(tmp_path / "again").tolist() == [0, 1, 4]
    once = tmp_path / "once"
    punch(tokens, once, [documents(tokens)[number]["id"] for number in (0, 1, 4)])
    for path in sorted(once.iterdir()):
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes(), path.name


def test_of_conversations_only_answers_outside_of_holes_are_learnt(tokens, tmp_path):
    import pyarrow as pa

    from hemicycle.tokens.answers import ANSWERS

    rows = documents(tokens)
    spans = [{"shard": r["shard"], "first": r["first"] + 1, "tokens": 2} for r in rows if r["tokens"] > 4]
    folder = tmp_path / "talks"
    folder.mkdir()
    for path in tokens.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    pq.write_table(pa.Table.from_pylist(spans, schema=ANSWERS), folder / "answers.parquet")
    punch(folder, tmp_path / "holed", [rows[1]["id"]])
    kept = pq.read_table(tmp_path / "holed" / "answers.parquet").to_pylist()
    hole = {"shard": rows[1]["shard"], "first": rows[1]["first"] + 1, "tokens": 2}
    assert kept == [span for span in spans if span != hole]


def test_what_is_not_there_cannot_be_withdrawn(tokens, tmp_path):
    with pytest.raises(InputError, match="none of the documents"):
        punch(tokens, tmp_path / "holed", ["nobody:nothing"])
    assert not (tmp_path / "holed" / WITHDRAWN).exists()


def test_tokens_of_which_nothing_is_left_are_read_and_learn_nothing(plan, tokens, tmp_path):
    every = documents(tokens)
    punch(tokens, tmp_path / "holed", [each["id"] for each in every])
    assert withdrawn_in(tmp_path / "holed").tolist() == list(range(len(every)))
    assert pq.read_table(tmp_path / "holed" / "answers.parquet").num_rows == 0
    order = Order(plan, {"c": tmp_path / "holed"})
    assert {order.batch(step).learnt for step in range(order.steps)} == {0}
    assert order.first_learnt() is None
    assert Order(plan, {"c": tokens}).first_learnt() == 0
    assert exposure(plan, {"c": tmp_path / "holed"}).num_rows == 0


def test_the_first_step_that_learns_comes_after_those_of_holes_alone(plan, tokens, tmp_path, monkeypatch):
    monkeypatch.setattr("hemicycle.tokens.order.ROWS_AT_ONCE", 3)
    read = Order(plan, {"c": tokens})
    early = {one for step in range(2) for one in read.documents_at(step)["document"].to_pylist()}
    punch(tokens, tmp_path / "holed", sorted(early))
    order = Order(plan, {"c": tmp_path / "holed"})
    learns = [step for step in range(order.steps) if order.batch(step).learnt]
    assert order.first_learnt() == min(learns) >= 2
