"""The cards of parliaments: they load, nobody has signed them, and what is held or refused says so."""

from __future__ import annotations

from pathlib import Path

import pytest

import hemicycle
from hemicycle.project import load_card

CARDS = Path(hemicycle.__file__).parent / "templates/cards"
OPEN = {
    "assemblee-15": "syceron",
    "assemblee-16": "syceron",
    "assemblee-17": "syceron",
    "assemblee-2013-html": "assemblee-html",
    "dila-debats-an": "dila-debats",
    "parlamint-fr": "tei",
    "parlamint-be": "tei",
}
HELD = {"senat-comptes-rendus": "senat", "archives-parlementaires-1787-1860": "archives-parlementaires"}
REFUSED = {"quebec-journal-des-debats": "huggingface", "ina": "text"}


@pytest.mark.parametrize(("name", "reader"), {**OPEN, **HELD, **REFUSED}.items())
def test_a_card_loads_and_waits_for_whoever_reads_its_licence(name, reader):
    card = load_card(CARDS / f"{name}.toml")
    assert card.reader == reader
    assert card.rights.attested_by is None
    assert card.rights.evidence
    assert card.variety
    assert card.tested_on == ("real" if name in ("assemblee-2013-html", "parlamint-fr") else "constructed")
    assert "attested_by" in (CARDS / f"{name}.toml").read_text("utf-8") or name in REFUSED


@pytest.mark.parametrize("name", OPEN)
def test_an_open_source_names_its_licence(name):
    rights = load_card(CARDS / f"{name}.toml").rights
    assert rights.licence in ("etalab-2.0", "CC-BY-4.0")
    assert rights.blocked is None


@pytest.mark.parametrize("name", HELD)
def test_a_source_on_hold_names_none(name):
    assert load_card(CARDS / f"{name}.toml").rights.licence is None


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_source_says_why(name):
    rights = load_card(CARDS / f"{name}.toml").rights
    assert rights.licence == "LicenseRef-all-rights-reserved"
    assert rights.blocked


@pytest.mark.parametrize("number", [15, 16, 17])
def test_the_assemblees_cards_say_the_same_as_those_of_the_french_template(number):
    ours = load_card(CARDS / f"assemblee-{number}.toml")
    theirs = load_card(CARDS.parent / f"french/sources/an-{number}.toml")
    assert ours.model_copy(update={"tested_on": theirs.tested_on}) == theirs
