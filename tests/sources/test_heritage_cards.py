"""The cards of heritage text: valid, unsigned, tested on constructed files only and saying so."""

from __future__ import annotations

from pathlib import Path

import pytest

import hemicycle
from hemicycle.project import load_card
from hemicycle.sources import READERS

CARDS = Path(hemicycle.__file__).parent / "templates/cards"
LICENCES = {"agoda-1889": "CC-BY-4.0", "discours-1790": "Unlicense", "journal-officiel-scans": None}


@pytest.mark.parametrize("name", LICENCES)
def test_the_card_covers_the_edition_and_nobody_answers_for_it_yet(name):
    card = load_card(CARDS / f"{name}.toml")
    assert (card.rights.licence, card.rights.covers) == (LICENCES[name], "edition")
    assert card.rights.attested_by is None
    assert card.rights.evidence
    assert (card.kind, card.tested_on) == ("debate", "constructed")
    assert card.reader in READERS
