"""The cards of law, speeches, Europe and research: they load, nobody signed them, the held ones hold."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest

from hemicycle.project import Card, load_card
from hemicycle.sources import reader

CARDS = Path(str(resources.files("hemicycle.templates"))) / "cards"
LICENCES = {
    "constitution": "etalab-2.0",
    "dila-legi": "etalab-2.0",
    "europarl": None,
    "eurovoc-cellar": "CC-BY-4.0",
    "hal": None,
    "persee": None,
    "vie-publique-discours": "etalab-2.0",
}


def card(name: str) -> Card:
    return load_card(CARDS / f"{name}.toml")


@pytest.mark.parametrize("name", LICENCES)
def test_a_card_loads_with_its_reader_and_nobodys_signature(name: str) -> None:
    loaded = card(name)
    assert callable(reader(loaded.reader))
    assert loaded.rights.attested_by is None
    assert loaded.rights.licence == LICENCES[name]
    assert loaded.rights.evidence
    assert loaded.tested_on in ("real", "constructed")
    assert loaded.attribution


def test_only_persee_is_blocked() -> None:
    assert [name for name in LICENCES if card(name).rights.blocked] == ["persee"]


def test_the_card_of_the_constitution_selects_its_articles(samples: Path) -> None:
    found = list(reader("markdown-frontmatter")(samples / "constitution", card("constitution")))
    assert len(found) == 6
