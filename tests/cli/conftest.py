"""A project of a few texts and nothing to train: its ledger and its artefacts are made in a moment."""

import pytest

DECLARATION = """
[project]
name = "essai"
jurisdictions = ["FR"]
license = "Apache-2.0"

[corpora.lettres]
sources = ["textes"]
"""
CARD = """
title = "Mes lettres"
reader = "text"
path = "textes"

[rights]
licence = "CC0-1.0"
attested_by = "Jeanne Essai"
evidence = ["ce test"]
"""
LETTER = "Mon cher ami, je vous écris de la ville, où tout est calme depuis hier soir ; les rues sont vides. "


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "essai"
    for name in ("sources", "textes"):
        (folder / name).mkdir(parents=True)
    (folder / "hemicycle.toml").write_text(DECLARATION, "utf-8")
    (folder / "sources" / "textes.toml").write_text(CARD, "utf-8")
    for number in range(3):
        (folder / "textes" / f"{number}.txt").write_text(f"{number}. {LETTER * 5}", "utf-8")
    return folder


#: Declares a model of the corpus; nothing in these tests trains it.
MODEL = """
[tokenizers.fr]
corpus = "lettres"
vocab = 300

[models.petit]
corpora = { lettres = 1.0 }
tokenizer = "fr"
architecture = { layers = 1, width = 16, heads = 1, context = 16 }
budget = { tokens = 1000 }
"""


@pytest.fixture
def refused(project):
    """A project with a model, whose one source nobody attested."""
    toml, card = project / "hemicycle.toml", project / "sources" / "textes.toml"
    toml.write_text(DECLARATION + MODEL, "utf-8")
    card.write_text(CARD.replace('attested_by = "Jeanne Essai"\n', ""), "utf-8")
    return project
