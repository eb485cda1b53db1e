"""What the impact lists is what an account of every batch would list."""

import json
import re
import shutil
from datetime import date

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemicycle.cli.session import Session
from hemicycle.sites import load_sites
from hemicycle.tokens import Order
from hemicycle.withdraw import Target, find_impact, notice, redo_cost
from hemicycle.withdraw.impact import ModelImpact, clean_step
from tests.flow.conftest import hemicycle
from tests.withdraw.toy import DECLARATION

SITES = """
[sites.ici]
pue = 1.2
carbon = { factor = "20 g/kWh", origin = "RTE", period = "2025" }

[sites.ici.pools.h100]
chip = "H100"
gpus = 8
price = "2.00 EUR/GPU-h"
priced_on = 2026-11-01
power = "500 W/GPU"
"""


@pytest.fixture(scope="module")
def session(letters_built):
    return Session(letters_built)


def impact_of(session, withdrawn):
    return find_impact(list(session.ledger.current().values()), session.folder_of, withdrawn)


def batches(session):
    """Step → ids of the documents that it reads, from the batches themselves."""
    latest = {s.subject.stage: session.folder_of(s) for s in session.ledger.current().values()}
    order = Order(latest["order"], {"lettres": latest["tokens"]})
    return {step: set(order.documents_at(step)["document"].to_pylist()) for step in range(order.steps)}


@pytest.mark.slow
def test_exactly_the_checkpoints_whose_steps_hold_the_document_are_listed(session):
    read = batches(session)
    documents = sorted(set().union(*read.values()))
    assert len(documents) > 30
    for document in documents:
        steps = [step for step, ids in read.items() if document in ids]
        (model,) = impact_of(session, {document.split(":")[0]: frozenset([document])}).models
        assert (model.first, model.last) == (min(steps), max(steps))
        knowing = {kept for kept in model.checkpoints if any(step < kept for step in steps)}
        assert set(model.touched) == knowing
        assert model.clean == max(set(model.checkpoints) - knowing, default=0)
        assert model.redone == model.steps - model.clean
        assert model.redo == pytest.approx(model.redone / model.steps)


@pytest.mark.slow
def test_what_a_document_came_to_is_counted_once(session):
    every = impact_of(session, {"textes": None})
    (corpus,), (tokens,) = every.corpora, every.tokens
    read = pq.read_table(session.folder_of(_last(session, "tokens")) / "documents.parquet").to_pylist()
    own = [row for row in read if row["source"] == "textes"]
    assert (tokens.documents, tokens.tokens) == (len(own), sum(row["tokens"] for row in own))
    assert corpus.train == len(own)
    assert corpus.train + corpus.held_out == 40
    assert [z.saw for z in every.tokenizers] == [True]
    assert [i.name for i in every.indexes] == ["lettres"]
    assert [r.name for r in every.releases] == ["v0"]
    json.dumps(every.to_json())


@pytest.mark.slow
def test_a_held_out_document_touches_evaluations_and_no_model(session):
    corpus = session.folder_of(_last(session, "corpus"))
    rows = [
        row
        for path in (corpus / "kept").rglob("*.parquet")
        for row in pq.read_table(path, columns=["id", "source", "split"]).to_pylist()
    ]
    row = next(row for row in rows if row["split"] == "held-out")
    found = impact_of(session, {row["source"]: frozenset([row["id"]])})
    assert (found.models, found.tokens, found.tokenizers, found.indexes) == ((), (), (), ())
    # What was measured on it, what it was looked for in, and what it was a control for.
    told = [(e.stage, e.name) for e in found.evaluations]
    assert sorted(told) == [("contamination", "base"), ("evaluation", "base")]


@pytest.mark.slow
def test_a_release_is_named_by_its_own_account_where_its_model_is_gone(released):
    session = Session(released)
    (model,) = impact_of(session, {"autres": None}).models
    (folder,) = (released / "build" / "model").iterdir()
    shutil.rmtree(folder)
    impact = impact_of(session, {"autres": None})
    assert impact.models == ()
    assert [one.name for one in impact.releases] == ["v0"]
    assert [(one.stage, one.name) for one in impact.gone] == [("model", "petit")]
    page = notice("en", "essai", Target(("autres",), {}), impact, reason=None, today=date(2026, 11, 27))
    assert "Release v0" in page
    assert "Model petit (`" in page
    shutil.rmtree(released / "releases" / "v0")
    gone = impact_of(session, {"autres": None}).gone
    assert [(one.stage, one.name) for one in gone] == [("model", "petit"), ("release", "v0")]
    assert model.declared is False


@pytest.mark.slow
def test_a_model_that_is_no_longer_declared_is_not_said_to_be_made_again(released):
    def page():
        return hemicycle("withdraw", "autres", "--notice", "en", "--project", released).stdout

    assert "petit is trained again without it" in page()
    assert "Not made again" not in page()
    toml = DECLARATION[: DECLARATION.index("[models.petit]")]
    (released / "hemicycle.toml").write_text(toml, "utf-8")
    assert "trained again without it:" not in page()
    assert re.search("Not made again, and to be deleted: petit \\(`[0-9a-f]{16}`\\)", page()), page()
    said = hemicycle("withdraw", "autres", "--project", released).stdout
    assert "not made again: delete it" in said
    assert "redoing" not in said


def test_an_index_of_an_earlier_version_is_told_by_its_corpus(letters):
    session = Session(letters)
    (index,) = (letters / "build" / "index").iterdir()
    manifest = json.loads((index / "manifest.json").read_bytes())
    (index / "manifest.json").write_text(json.dumps(manifest | {"layout": 2}), "utf-8")
    document = next(iter(sorted(set().union(*batches(session).values()))))
    source = document.split(":")[0]
    assert [i.name for i in impact_of(session, {source: frozenset([document])}).indexes] == ["lettres"]
    assert impact_of(session, {source: frozenset(["nobody"])}).indexes == ()


@pytest.mark.slow
def test_of_what_was_never_used_nothing_was_made(session):
    found = impact_of(session, {"textes": frozenset(["textes:nobody.txt"])})
    assert found.summary() == {"documents": 0, "words": 0, "tokens": 0, "models": {}, "releases": []}


def _last(session, stage):
    return [s for s in session.ledger.current().values() if s.subject.stage == stage][-1]


@given(kept=st.sets(st.integers(1, 60)), first=st.none() | st.integers(0, 59), steps=st.integers(60, 80))
def test_the_last_clean_checkpoint_is_the_largest_that_did_no_step_that_read_it(kept, first, steps):
    clean = clean_step(kept, first, steps)
    does = {n: first is not None and first in range(n) for n in kept}
    assert clean == max((n for n, knows in does.items() if not knows), default=0)


def model(**changed):
    about = dict(
        stage="model", name="petit", artefact="model/petit-0", digest="0", latest=True, declared=True,
        base=None, supposed=False, steps=100,
        first=50, last=60, documents=1, tokens=10, checkpoints=(40, 80), touched=(80,), clean=40, redo=0.6,
        emptied=False, seconds=7200.0, cards=4, device="NVIDIA H100 80GB HBM3", joules=None,
    )  # fmt: skip
    return ModelImpact(**{**about, **changed})


def test_redoing_costs_hours_times_the_price_the_power_and_the_carbon_of_the_site(tmp_path):
    (tmp_path / "sites.toml").write_text(SITES, "utf-8")
    (cost,) = redo_cost(model(), load_sites(tmp_path))
    told = cost.to_json()
    assert (told["place"], told["steps"], told["device_hours"]) == ("ici/h100", 60, 8.0)
    assert told["cost_eur"]["expected"] == pytest.approx(16.0)
    # 8 h of 500 W, 1.2 for the centre, 20 g each kWh.
    assert told["tco2e"]["expected"] == pytest.approx(8 * 0.5 * 1.2 * 20 / 1e6)


def test_of_a_machine_that_no_table_knows_only_hours_are_told():
    (cost,) = redo_cost(model(device="processor", cards=1), {})
    told = cost.to_json()
    assert told["device_hours"] == 2.0
    assert told["place"] is told["cost_eur"] is told["tco2e"] is None
