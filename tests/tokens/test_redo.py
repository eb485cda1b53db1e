"""What an order costs when sources leave: laws, and the figures of three made-up mixes of twenty sources."""

import itertools

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.curate import CORPUS
from hemicycle.documents import write_parquet
from hemicycle.errors import DeclarationError
from hemicycle.tokens import Order, Phase, expected_redo, exposure, make_plan, redo_of, tokenize

#: Twelve sources that leave once in a thousand, five once in a hundred, three that 15 % take back.
HAZARDS = {
    **{f"a{n:02}": 0.001 for n in range(12)},
    **{f"b{n}": 0.01 for n in range(5)},
    **{f"c{n}": 0.15 for n in range(3)},
}
REVOCABLE = [name for name, hazard in HAZARDS.items() if hazard == 0.15]


def by_trial(redo, hazards, trials=200_000, seed=1):
    """The same by drawing who leaves."""
    dice = np.random.default_rng(seed)
    names = sorted(hazards)
    leaves = dice.random((trials, len(names))) < [hazards[name] for name in names]
    lost = np.where(leaves, [redo.get(name, 0.0) for name in names], 0.0).max(axis=1)
    return lost[leaves.any(axis=1)].mean()


HAZARD = st.floats(0, 1, allow_subnormal=False)


@given(st.dictionaries(st.sampled_from("abcdef"), st.tuples(HAZARD, HAZARD), min_size=1))
def test_the_expectation_is_that_over_all_sets_of_leavers(drawn):
    redo, hazards = ({name: pair[n] for name, pair in drawn.items()} for n in (0, 1))
    total = chance = 0.0
    for leaving in itertools.product((0, 1), repeat=len(drawn)):
        p = float(np.prod([h if on else 1 - h for on, h in zip(leaving, hazards.values(), strict=True)]))
        if any(leaving):
            chance += p
            total += p * max(r for on, r in zip(leaving, redo.values(), strict=True) if on)
    if chance < 1e-12:
        return
    assert expected_redo(redo, hazards) == pytest.approx(total / chance, abs=1e-6)


def test_nobody_who_can_leave_is_no_withdrawal():
    with pytest.raises(DeclarationError, match="no source can leave"):
        expected_redo({"a": 1.0}, {"a": 0.0})
    with pytest.raises(DeclarationError, match="not 0 to 1"):
        expected_redo({"a": 1.0}, {"a": 1.5})


@pytest.mark.parametrize("k", [1, 3, 10, 100])
def test_k_documents_of_a_shuffle_cost_k_of_k_plus_one(k):
    first = np.random.default_rng(k).random((20_000, k)).min(axis=1)
    assert 1 - first.mean() == pytest.approx(k / (k + 1), abs=0.01)


@pytest.mark.parametrize(
    ("revocable", "proven_first", "by_hazard"),
    [(0.057, 0.195, 0.085), (0.101, 0.221, 0.108), (0.396, 0.486, 0.388)],
)
def test_three_mixes_of_twenty_sources_cost_what_a_simulation_said(revocable, proven_first, by_hazard):
    """The mixes are told by their share of revocable text alone: what that does not determine is held between
    bounds."""
    shuffled = dict.fromkeys(HAZARDS, 1.0)
    assert expected_redo(shuffled, HAZARDS) == pytest.approx(1.0)
    tail = {name: revocable if name in REVOCABLE else 1.0 for name in HAZARDS}
    assert expected_redo(tail, HAZARDS) == pytest.approx(proven_first, abs=0.01)
    assert expected_redo(tail, HAZARDS) == pytest.approx(by_trial(tail, HAZARDS), abs=0.003)
    # One after the other, the least likely to leave first; inside a kind, sizes are not told.
    costs = []
    for sizes in ((1, 1, 1), (8, 1, 1), (1, 8, 1), (1, 1, 8)):
        share = {name: revocable * s / sum(sizes) for name, s in zip(REVOCABLE, sizes, strict=True)}
        rest = [name for name in HAZARDS if name not in REVOCABLE]
        share |= dict.fromkeys(rest, (1 - revocable) / len(rest))
        behind = np.cumsum([share[name] for name in reversed(HAZARDS)])
        costs.append(expected_redo(dict(zip(reversed(HAZARDS), behind, strict=True)), HAZARDS))
    assert min(costs) - 0.02 <= by_hazard <= max(costs) + 0.02
    assert max(costs) < expected_redo(tail, HAZARDS)


@pytest.fixture(scope="module")
def twenty(tokenizer, tmp_path_factory):
    """Six documents of each of the twenty sources."""
    folder = tmp_path_factory.mktemp("twenty")
    for number, source in enumerate(HAZARDS):
        rows = [
            {
                "id": f"{source}:{n}",
                "text": f"la séance {source} {n} est ouverte " * (4 + (number + n) % 5),
                "source": source,
                "split": "train",
                "clean_digest": "x",
                "language": "fr",
            }
            for n in range(6)
        ]
        path = folder / "corpus" / "kept" / source / "00000.parquet"
        path.parent.mkdir(parents=True)
        write_parquet(path, CORPUS, [pa.Table.from_pylist(rows, CORPUS)])
    (folder / "tokens").mkdir()
    tokenize(folder / "corpus", tokenizer, folder / "tokens")
    return {"c": folder / "tokens"}


def one_epoch(folder, tokens, reading, seed):
    folder.mkdir()
    words = sum(pq.read_table(tokens["c"] / "documents.parquet")["tokens"].to_pylist())
    phase = Phase("main", words // 16 * 16, {"c": 1.0}, 16, "split", reading)
    return make_plan(tokens, [phase], folder, batch_tokens=16, seed=seed, revocable=REVOCABLE)


def test_proven_first_on_a_plan_costs_what_the_formula_says(twenty, tmp_path):
    plan = one_epoch(tmp_path / "proven", twenty, "proven-first", 1)
    found = {name: share for name, (_, share) in redo_of(tmp_path / "proven", twenty).items()}
    tail = sum(line["read"] for line in plan["phases"][0]["strata"] if line["revocable"]) / plan["steps"]
    assert 0.05 < tail < 0.3
    first = max(found[name] for name in REVOCABLE)
    assert first == pytest.approx(tail, abs=2 / plan["steps"])
    assert all(found[name] > 0.8 for name in HAZARDS if name not in REVOCABLE)
    flat = {name: tail if name in REVOCABLE else 1.0 for name in HAZARDS}
    # A source of a few rows is met a little after the beginning of its part.
    assert expected_redo(found, HAZARDS) == pytest.approx(expected_redo(flat, HAZARDS), rel=0.25)
    one_epoch(tmp_path / "shuffled", twenty, "shuffled", 1)
    shuffled = {name: share for name, (_, share) in redo_of(tmp_path / "shuffled", twenty).items()}
    assert expected_redo(shuffled, HAZARDS) > 0.8 > 0.5 > expected_redo(found, HAZARDS)


def test_first_steps_are_those_of_the_exposure(twenty, tmp_path):
    one_epoch(tmp_path / "p", twenty, "shuffled", 3)
    order = Order(tmp_path / "p", twenty)
    read = exposure(tmp_path / "p", twenty).to_pylist()
    for source, (first, share) in redo_of(tmp_path / "p", twenty).items():
        assert first == min(row["first_step"] for row in read if row["source"] == source)
        assert share == pytest.approx(1 - first / order.steps)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6), k=st.sampled_from([1, 3, 10]))
def test_k_documents_of_a_shuffled_plan_cost_k_of_k_plus_one(twenty, tmp_path_factory, seed, k):
    folder = tmp_path_factory.mktemp("p")

    def planned(name, rows):
        (folder / name).mkdir()
        phase = Phase("main", 76 * rows, {"c": 1.0}, 76, "whole")
        return make_plan(twenty, [phase], folder / name, batch_tokens=76, seed=seed)

    # Documents have 40 to 76 tokens: one a row, and each read once.
    rows = planned("asked", 1)["phases"][0]["strata"][0]["rows"]
    planned("plan", rows)
    order = Order(folder / "plan", twenty)
    first = np.array(exposure(folder / "plan", twenty)["first_step"].to_pylist())
    dice = np.random.default_rng(seed)
    lost = [1 - first[dice.choice(len(first), k, replace=False)].min() / order.steps for _ in range(2_000)]
    assert np.mean(lost) == pytest.approx(k / (k + 1), abs=0.03)
