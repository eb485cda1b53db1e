"""What a model reads of each corpus, and what it repeats of what its base read."""

import math
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemicycle.flow.reading import kept_besides, reads, redone, revocable_sources, shares_of
from hemicycle.project import Declaration
from hemicycle.tokens import Phase, make_plan


def declared(**models):
    """A declaration of models that read corpora a, b and c; each begins from the one named in `from`."""
    budget = {"tokens": 1000}
    fresh = {"tokenizer": "t", "architecture": {"layers": 1, "width": 16, "heads": 2, "context": 16}}
    table = {
        name: {"budget": budget, **({"method": "continue"} if "from" in model else fresh), **model}
        for name, model in models.items()
    }
    corpora = {name: {"sources": ["s"]} for name in "abc"}
    project = {"name": "p", "jurisdictions": ["FR"], "license": "MIT"}
    tokenizers = {"t": {"corpus": "a", "vocab": 300}}
    return Declaration.model_validate(
        {"project": project, "corpora": corpora, "tokenizers": tokenizers, "models": table}
    )


def test_without_replay_a_model_reads_its_own_shares_relative_to_their_sum():
    d = declared(un={"corpora": {"a": 3.0, "b": 1.0}}, deux={"from": "un", "corpora": {"c": 2.0}})
    assert shares_of(d, "un") == {"a": 0.75, "b": 0.25}
    assert shares_of(d, "deux") == {"c": 1.0}


def test_a_tenth_of_replay_is_a_tenth_of_what_the_base_read_in_its_proportions():
    d = declared(
        un={"corpora": {"a": 3.0, "b": 1.0}}, deux={"from": "un", "corpora": {"c": 2.0}, "replay": 0.1}
    )
    assert shares_of(d, "deux") == pytest.approx({"a": 0.075, "b": 0.025, "c": 0.9})


def test_a_corpus_that_is_new_and_old_has_both_shares():
    d = declared(
        un={"corpora": {"a": 1.0}}, deux={"from": "un", "corpora": {"a": 1.0, "b": 1.0}, "replay": 0.2}
    )
    assert shares_of(d, "deux") == pytest.approx({"a": 0.4 + 0.2, "b": 0.4})


def test_stages_are_weighed_by_their_tokens_and_replay_is_in_each():
    stages = [{"name": "x", "share": 3.0}, {"name": "y", "share": 1.0, "corpora": {"b": 1.0}}]
    d = declared(
        un={"corpora": {"a": 1.0}, "stages": stages},
        deux={"from": "un", "corpora": {"c": 1.0}, "replay": 0.5, "stages": stages[:1]},
    )
    assert reads(d, "un") == {"a": 0.75, "b": 0.25}
    assert shares_of(d, "deux", d.models["deux"].stages[0]) == {"a": 0.375, "b": 0.125, "c": 0.5}


def test_what_the_base_repeated_is_repeated_too():
    d = declared(
        un={"corpora": {"a": 1.0}},
        deux={"from": "un", "corpora": {"b": 1.0}, "replay": 0.5},
        trois={"from": "deux", "corpora": {"c": 1.0}, "replay": 0.2},
    )
    assert reads(d, "trois") == pytest.approx({"a": 0.1, "b": 0.1, "c": 0.8})
    assert d.corpora_behind("trois") == ["a", "b", "c"]


SHARES = st.dictionaries(st.sampled_from("abc"), st.floats(1e-6, 1e6), min_size=1)


@given(SHARES, SHARES, st.floats(0, 0.999))
def test_shares_always_sum_to_one(first, second, replay):
    d = declared(un={"corpora": first}, deux={"from": "un", "corpora": second, "replay": replay})
    for name in ("un", "deux"):
        assert math.fsum(reads(d, name).values()) == pytest.approx(1.0)
    own, again = sum(shares_of(d, "deux").values()), sum(reads(d, "un").values())
    assert own == pytest.approx(again)


@pytest.mark.parametrize("which", ["un", "deux"])
def test_replay_and_a_mix_are_not_declared_together(which):
    mix = {"by": "source", "shares": {"s": 1.0}}
    models = {"un": {"corpora": {"a": 1.0}}, "deux": {"from": "un", "corpora": {"b": 1.0}, "replay": 0.1}}
    models[which] = {**models[which], "mix": mix}
    with pytest.raises(ValueError, match="give corpora of “un” a share"):
        declared(**models)


READINGS = ("shuffled", "proven-first")


def test_what_a_run_redoes_is_told_by_source_and_expected_over_the_revocable_ones(tokens, tmp_path):
    kept = pq.read_table(tokens / "documents.parquet")
    rights = ["by-decision" if source == "b" else "CC0-1.0" for source in kept["source"].to_pylist()]
    shutil.copytree(tokens, tmp_path / "tokens")
    place = kept.schema.get_field_index("right")
    kept = kept.set_column(place, "right", pa.array(rights, kept.schema.field("right").type))
    pq.write_table(kept, tmp_path / "tokens" / "documents.parquet")
    for reading in READINGS:
        (tmp_path / reading).mkdir()
        phase = Phase("main", 60 * 64, {"c": 1.0}, 16, "split", reading)
        make_plan(
            {"c": tmp_path / "tokens"}, [phase], tmp_path / reading, batch_tokens=64, seed=1, revocable=["b"]
        )
    told = redone(tmp_path / "proven-first", {"c": tmp_path / "tokens"})
    first, last = told["sources"]
    assert (first["source"], first["revocable"], first["first_step"], first["share"]) == ("a", False, 0, 1.0)
    assert (last["source"], last["revocable"]) == ("b", True)
    assert told["expected"] == last["share"] < 0.9
    assert redone(tmp_path / "shuffled", {"c": tmp_path / "tokens"})["expected"] > 0.9
    models = {r: declared(un={"corpora": {"a": 1.0}, "reading": r}).models["un"] for r in READINGS}
    kept = {r: kept_besides(models[r], tmp_path / r, {"c": tmp_path / "tokens"}) for r in READINGS}
    assert kept == {"shuffled": (), "proven-first": (last["first_step"],)}
    assert last["first_step"] > 0


def test_a_source_is_revocable_where_a_document_of_it_goes_on_by_a_decision_or_by_nothing_said(tmp_path):
    rows = [("a", "CC0-1.0"), ("b", "term-over"), ("b", "by-decision"), ("c", None), ("d", "etalab-2.0")]
    for folder, part in (("one", rows[:3]), ("two", rows[3:])):
        (tmp_path / folder).mkdir()
        columns = {"source": [s for s, _ in part], "right": [r for _, r in part]}
        pq.write_table(
            pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()}),
            tmp_path / folder / "documents.parquet",
        )
    assert revocable_sources([tmp_path / "one", tmp_path / "two"]) == ["b", "c"]
