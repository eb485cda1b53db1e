"""A whole project, small enough to be built in seconds: the bundled sittings and a model of 20 000 tokens.

Its budget is in tokens: one in minutes would be measured anew for each copy. `bench/kills.py` builds it too.
"""

import shutil
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "petit-hemicycle"

DECLARATION = """
[project]
name = "essai"
jurisdictions = ["FR", "BE"]
license = "Apache-2.0"

[corpora.debats]
sources = ["sittings"]
held_out = 0.2

[tokenizers.fr]
corpus = "debats"
vocab = 512

[models.petit]
corpora = { debats = 1.0 }
tokenizer = "fr"
architecture = { layers = 2, width = 32, heads = 2, context = 64 }
budget = { tokens = "20k" }
batch_tokens = 512

[evaluations.base]
models = ["petit"]
regurgitation = { passages = 12, prefixes = [16] }

[releases.v0]
model = "petit"
"""


def make_project(folder, declaration=DECLARATION):
    (folder / "sources").mkdir(parents=True)
    (folder / "hemicycle.toml").write_text(declaration, "utf-8")
    shutil.copytree(EXAMPLE / "sittings", folder / "sittings")
    shutil.copyfile(EXAMPLE / "sources" / "sittings.toml", folder / "sources" / "sittings.toml")
    return folder
