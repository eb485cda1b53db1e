"""Real documents, from the file to the gate. Skipped where the samples are not at hand."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from hemicycle.documents import write_documents
from hemicycle.project import Card, CardRights
from hemicycle.rights import admit, decide
from hemicycle.sources import reader

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "samples"
TODAY = date(2026, 11, 22)

pytestmark = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the samples are not here")


def card(include="*.xml", **rights):
    stated = CardRights(**{"attested_by": "Claire", **rights})
    return Card(title="t", reader="tei", path=".", include=[include], rights=stated)


def read(out, folder, include="*.xml"):
    path = out / "documents.parquet"
    write_documents(path, "s", reader("tei")(SAMPLES / folder, card(include)))
    return path


@pytest.fixture(scope="module")
def novels(tmp_path_factory):
    return read(tmp_path_factory.mktemp("novels"), "literature")


def gate(documents, out, jurisdictions=("FR", "CA"), on=TODAY, **rights):
    """Decide and admit; gives (admitted ids, {refused id: explanation})."""
    decide(documents, card(**rights), "s", jurisdictions, on, out)
    admit({"s": out}, jurisdictions, out)
    refused = pl.read_parquet(out / "refused.parquet")
    admitted = pl.read_parquet(out / "admitted.parquet")["id"].to_list()
    return admitted, dict(zip(refused["id"], refused["explanation"], strict=True))


def test_the_play_under_a_non_commercial_licence_is_refused_whatever_the_card_says(tmp_path):
    play = read(tmp_path, "refuse/plays-nc")
    for claim in ({}, {"licence": "CC0-1.0"}, {"licence": "CC0-1.0", "covers": "edition"}):
        admitted, refused = gate(play, tmp_path, **claim)
        assert admitted == []
        assert list(refused.values()) == ["licence-nc"]


def test_novels_pass_by_their_authors_deaths_and_the_licence_of_their_encoding(novels, tmp_path):
    admitted, refused = gate(novels, tmp_path, licence="CC-BY-4.0", covers="edition")
    assert len(admitted) + len(refused) == 20
    assert {"s:FRA03702_Sand.xml", "s:FRA07401_Leblanc.xml"} <= set(admitted)
    # The years given of Allais are another's: a novel of 1902 by somebody dead since 1871.
    assert refused.pop("s:FRA00401_Allais.xml") == "published-after-death"
    assert set(refused.values()) <= {"unknown-death", "no-term-rule"}


@pytest.mark.parametrize(
    ("on", "in_france"), [(date(2015, 6, 1), "deny"), (date(2015, 12, 31), "deny"), (TODAY, "allow")]
)
def test_the_novel_of_an_author_dead_in_1945_was_free_in_canada_before_it_was_in_france(
    novels, tmp_path, on, in_france
):
    """Lucie Delarue-Mardrus died in 1945: free in Canada in 1996, in France in 2016."""
    decide(novels, card(licence="CC-BY-4.0", covers="edition"), "s", ["FR", "CA"], on, tmp_path)
    rows = pl.read_parquet(tmp_path / "rights.parquet").filter(
        id="s:FRA01002_DelarueMardrus.xml", use="train"
    )
    verdicts = dict(rows.select("jurisdiction", "verdict").iter_rows())
    assert verdicts == {"FR": in_france, "CA": "allow"}


def test_the_same_novels_without_an_attestation_are_held(novels, tmp_path):
    admitted, refused = gate(novels, tmp_path, licence="CC-BY-4.0", covers="edition", attested_by=None)
    assert admitted == []
    assert "not-attested" in refused.values()


@pytest.mark.parametrize(("country", "why"), [("MG", "no-term-rule"), ("BE", "rule-awaits-counsel")])
def test_no_novel_is_freed_where_there_is_no_rule_or_none_that_a_lawyer_confirmed(
    novels, tmp_path, country, why
):
    admitted, refused = gate(novels, tmp_path, ["FR", country], licence="CC-BY-4.0", covers="edition")
    assert admitted == []
    assert why in refused.values()


def test_sittings_pass_by_the_licence_of_the_assembly_and_that_of_the_encoder(tmp_path):
    sittings = read(tmp_path, "assemblee-2013/tei", "2013011*.xml")
    admitted, refused = gate(sittings, tmp_path, licence="etalab-2.0 AND CC-BY-3.0")
    assert len(admitted) == 2
    assert refused == {}
