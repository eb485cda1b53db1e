"""A plan gives each phase what it was asked for, reads nothing twice before the rest, and keeps its order."""

import itertools
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.curate import CORPUS
from hemicycle.documents import write_parquet
from hemicycle.errors import InputError
from hemicycle.tokens import Mixture, Order, Phase, cutting, make_plan, tokenize
from hemicycle.tokens.schedule import Block, blocks
from tests.tokens.replay import row_pieces

PACKINGS = ("split", "best-fit", "whole")


@pytest.fixture(scope="module")
def dated(tokenizer, tmp_path_factory):
    """Sixty documents of three sources, their lengths and years in no order; every sixth has no date."""
    folder = tmp_path_factory.mktemp("dated")
    years = np.random.default_rng(1).permutation(60)
    for source in "abc":
        rows = []
        for n in range(20):
            number = 20 * "abc".index(source) + n
            year = int(years[number])
            date = None if number % 6 == 0 else f"{1900 + year}-0{1 + year % 9}"
            text = f"la séance {source} {n} est ouverte " * (1 + year * 7 % 31)
            row = {"id": f"{source}:{n}", "text": text, "source": source, "split": "train", "date": date}
            rows.append({**row, "clean_digest": "x", "language": "fr"})
        path = folder / "corpus" / "kept" / source / "00000.parquet"
        path.parent.mkdir(parents=True)
        write_parquet(path, CORPUS, [pa.Table.from_pylist(rows, CORPUS)])
    (folder / "tokens").mkdir()
    tokenize(folder / "corpus", tokenizer, folder / "tokens", shard_tokens=900)
    return folder / "tokens"


def plan(folder, tokens, phases, **options):
    folder.mkdir(exist_ok=True)
    make_plan(tokens, phases, folder, **{"batch_tokens": 64, "seed": 1, **options})
    return Order(folder, tokens)


def test_a_warm_batch_grows_from_an_eighth_over_its_share_of_the_tokens():
    made = blocks([Phase("main", 64_000, {}, 10)], 800, 0.3)
    # 80 rows of 10 are full; 19 200 tokens warm up, in thirds of 6 400.
    assert made == [Block(0, 64, 10), Block(0, 32, 20), Block(0, 16, 40), Block(0, 56, 80)]
    assert blocks([Phase("main", 64_000, {}, 10)], 800, 0.0) == [Block(0, 80, 80)]


@given(
    tokens=st.lists(st.integers(1, 10**6), min_size=1, max_size=5),
    contexts=st.lists(st.sampled_from([16, 64, 512]), min_size=5, max_size=5),
    batch=st.integers(16, 5000),
    warm_up=st.floats(0, 0.99),
)
def test_a_run_reads_its_tokens_to_half_a_step_in_whole_steps(tokens, contexts, batch, warm_up):
    phases = [Phase(str(i), t, {}, c) for i, (t, c) in enumerate(zip(tokens, contexts, strict=False))]
    made = blocks(phases, batch, warm_up)
    assert [b.phase for b in made] == sorted(b.phase for b in made)
    assert {b.phase for b in made} == set(range(len(phases)))
    full = [max(1, batch // p.context) for p in phases]
    for before, after in itertools.pairwise(made):
        assert before.phase != after.phase or before.rows <= after.rows
    assert all(1 <= b.rows <= full[b.phase] and b.steps > 0 for b in made)
    read = sum(b.steps * b.rows * phases[b.phase].context for b in made)
    # A phase has a step at least, however few its tokens.
    assert read <= sum(tokens) + sum(f * p.context for f, p in zip(full, phases, strict=True))
    assert read >= sum(tokens) - max(f * p.context for f, p in zip(full, phases, strict=True))


@pytest.mark.parametrize("packing", PACKINGS)
def test_an_epoch_reads_every_row_once_and_goes_on_over_phases(dated, tmp_path, packing):
    # Phases with one cutting, that none fills: rows are 64 tokens, a step is one of them.
    phases = [Phase(name, 64 * 41, {"c": 1.0}, 64, packing) for name in "abcdefgh"]
    order = plan(tmp_path, {"c": dated}, phases)
    rows = order.table.count
    assert order.steps == 8 * 41 > 2 * rows
    read = np.concatenate([order.rows(s) for s in range(order.steps)])
    for start in range(0, len(read) - rows, rows):
        assert len(np.unique(read[start : start + rows])) == rows


def test_a_phase_with_another_context_begins_its_text_anew(dated, tmp_path):
    length = sum(pq.read_table(dated / "documents.parquet")["tokens"].to_pylist())
    phases = [Phase(name, -(-length // c) * c, {"c": 1.0}, c) for name, c in (("a", 64), ("b", 128))]
    order = plan(tmp_path, {"c": dated}, phases)
    assert [cut["context"] for cut in order.plan["cuttings"]] == [64, 128]
    read = [order.rows(s).tolist() for s in range(order.steps)]
    first = order.plan["cuttings"][1]["first_row"]
    assert len({r for rows in read for r in rows if r < first}) == order.plan["cuttings"][0]["rows"]
    assert len({r for rows in read for r in rows if r >= first}) == order.plan["cuttings"][1]["rows"]


def test_epochs_of_a_mix_are_counted_over_phases(dated, tmp_path):
    mix = Mixture("source", {"a": 1.0, "b": 1.0}, 1.0)
    phases = [Phase(name, 64 * 20, {"c": 1.0}, 64, mix=mix) for name in ("one", "two")]
    order = plan(tmp_path, {"c": dated}, phases)
    read = np.concatenate([order.rows(s) for s in range(order.steps)])
    assert len(np.unique(read)) == len(read) == 40
    with pytest.raises(InputError, match="phase three reads 400 rows"):
        plan(tmp_path / "p", {"c": dated}, [*phases, Phase("three", 64 * 400, {"c": 1.0}, 64, mix=mix)])


@settings(max_examples=30, deadline=None)
@given(
    share=st.floats(0.05, 0.95),
    steps=st.integers(1, 60),
    packing=st.sampled_from(PACKINGS),
    reading=st.sampled_from(["shuffled", "proven-first", "short-first", "old-first"]),
)
def test_corpora_give_their_shares_to_the_row_whatever_the_packing_and_reading(
    dated, tokens, tmp_path_factory, share, steps, packing, reading
):
    phases = [Phase("main", steps * 64, {"c": share, "d": 1 - share}, 16, packing, reading)]
    order = plan(tmp_path_factory.mktemp("p"), {"c": dated, "d": tokens}, phases, revocable=["b"])
    kinds = [order.plan["cuttings"][n]["corpus"] for n in order.table.cutting(order.sequence).tolist()]
    assert abs(kinds.count("c") - share * steps * 4) <= 1
    lines = order.plan["phases"][0]["strata"]
    assert sum(line["read"] for line in lines) == steps * 4
    assert sum(line["asked"] for line in lines) == pytest.approx(1, abs=1e-5)


def sources_read(order):
    for step in range(order.steps):
        for row in order.rows(step).tolist():
            yield {name.split(":")[0] for _, name, _, _ in row_pieces(order, row)}


@pytest.mark.parametrize("packing", PACKINGS)
def test_proven_first_reads_revocable_sources_at_the_end_of_each_phase_and_as_often(dated, tmp_path, packing):
    phases = [
        Phase("one", 64 * 90, {"c": 1.0}, 64, packing, "proven-first"),
        Phase("two", 64 * 30, {"c": 1.0}, 64, packing, "proven-first"),
    ]
    order = plan(tmp_path, {"c": dated}, phases, revocable=["b"])
    read = list(sources_read(order))
    for first, last in ((0, 90), (90, 120)):
        lapsing = [sources == {"b"} for sources in read[first:last]]
        assert lapsing == sorted(lapsing)
        assert any(lapsing)
        assert not all(lapsing)
        assert not any("b" in sources for sources in read[first:last] if sources != {"b"})
    proven, lapsing = order.plan["phases"][0]["strata"]
    assert (proven["revocable"], lapsing["revocable"]) == (False, True)
    assert proven["epochs"] == pytest.approx(lapsing["epochs"], abs=1 / lapsing["rows"])
    # The proven ones stay mixed.
    mixed = [sources for sources in read[:90] if sources != {"b"}]
    assert mixed != sorted(mixed, key=str)


def test_a_shuffled_phase_beside_a_proven_first_one_reads_revocable_rows_anywhere(dated, tmp_path):
    phases = [
        Phase("one", 64 * 60, {"c": 1.0}, 64),
        Phase("two", 64 * 60, {"c": 1.0}, 64, reading="proven-first"),
    ]
    order = plan(tmp_path, {"c": dated}, phases, revocable=["b"])
    lapsing = [sources == {"b"} for sources in sources_read(order)][:60]
    assert lapsing != sorted(lapsing)
    assert len(order.plan["cuttings"]) == 2, "both phases read the same rows"


@pytest.mark.parametrize("reading", ["short-first", "old-first"])
@pytest.mark.parametrize("packing", PACKINGS)
def test_a_curriculum_rises_by_the_document_a_row_begins_in(dated, tmp_path, reading, packing):
    order = plan(tmp_path, {"c": dated}, [Phase("main", 16 * 400, {"c": 1.0}, 16, packing, reading)])
    about = {d["id"]: d for d in pq.read_table(dated / "documents.parquet").to_pylist()}
    keys = []
    for row in order.sequence.tolist():
        document = about[row_pieces(order, row)[0][1]]
        keys.append(document["tokens"] if reading == "short-first" else document["date"] or "unstated")
    # Twenty parts of twenty rows: each begins where the one before ended, and is shuffled inside.
    parts = [keys[at : at + 20] for at in range(0, 400, 20)]
    assert all(max(before) <= min(after) for before, after in itertools.pairwise(parts))
    assert any(part != sorted(part) for part in parts)
    if reading == "old-first":
        assert keys[-1] == "unstated"


def test_a_plan_says_how_full_its_rows_are_and_what_is_cut(dated, tmp_path):
    documents = pq.read_table(dated / "documents.parquet").to_pylist()
    for packing in PACKINGS:
        order = plan(tmp_path / packing, {"c": dated}, [Phase("main", 6400, {"c": 1.0}, 64, packing)])
        [made] = json.loads((tmp_path / packing / "plan.json").read_text())["cuttings"]
        held, rows = 0, {d["id"]: 0 for d in documents}
        for row in range(made["rows"]):
            pieces = row_pieces(order, row)
            held += min(64, sum(p[3] for p in pieces))
            for name in {name for _, name, _, _ in pieces}:
                rows[name] += 1
        assert made["padding"] == made["rows"] * 64 - held
        if packing != "split":
            assert made["cut"] == sum(n > 1 for n in rows.values())
        else:
            # The first token of a document may be the target, not learnt, of the row before.
            assert made["cut"] <= sum(n > 1 for n in rows.values())
        assert made["tokens"] == sum(d["tokens"] for d in documents)


def test_a_corpus_smaller_than_one_row_is_refused(tokens, tmp_path):
    for packing in PACKINGS:
        with pytest.raises(InputError, match="not one row"):
            plan(tmp_path, {"c": tokens}, [Phase("main", 10**6, {"c": 1.0}, 100_000, packing)])


def test_a_plan_with_more_rows_than_can_be_numbered_is_refused(tokens, tmp_path, monkeypatch):
    phases = [Phase("main", 640, {"c": 1.0}, 16)]
    rows = plan(tmp_path / "p", {"c": tokens}, phases).table.count
    monkeypatch.setattr(cutting, "ROWS_BOUND", rows + 1)
    plan(tmp_path / "q", {"c": tokens}, phases)
    monkeypatch.setattr(cutting, "ROWS_BOUND", rows)
    with pytest.raises(InputError, match=f"a plan numbers fewer than {rows}"):
        plan(tmp_path / "r", {"c": tokens}, phases)
