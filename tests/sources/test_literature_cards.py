"""The cards of literature and libraries: valid, unsigned, and each with the right kept where it belongs."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest

from hemicycle.project import load_card
from hemicycle.sources import reader

CARDS = Path(str(resources.files("hemicycle.templates"))) / "cards"
LICENCES = {
    "gutenberg-fr": (None, "text"),
    "wikisource-fr": ("CC-BY-SA-4.0", "edition"),
    "wikipedia-fr": ("CC-BY-SA-4.0", "text"),
    "gallica": (None, "edition"),
    "eltec-fra": ("CC-BY-4.0", "edition"),
}


@pytest.mark.parametrize("name", LICENCES)
def test_the_card_is_valid_and_nobody_answers_for_it_yet(name):
    card = load_card(CARDS / f"{name}.toml")
    assert (card.rights.licence, card.rights.covers) == LICENCES[name]
    assert card.rights.attested_by is None
    assert "# attested_by" in (CARDS / f"{name}.toml").read_text("utf-8")
    assert card.rights.evidence
    assert card.tested_on
    assert callable(reader(card.reader))
