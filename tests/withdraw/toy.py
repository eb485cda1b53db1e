"""A project of many short letters, so that a training of some steps reads most of them late, and once."""

from __future__ import annotations

import random

DECLARATION = """
[project]
name = "lettres"
jurisdictions = ["FR"]
license = "Apache-2.0"

[corpora.lettres]
sources = ["autres", "textes"]
held_out = 0.1
rules = ["conversation"]

[tokenizers.fr]
corpus = "lettres"
vocab = 320

[models.petit]
corpora = { lettres = 1.0 }
tokenizer = "fr"
architecture = { layers = 1, width = 16, heads = 2, context = 64 }
budget = { tokens = "4k" }
batch_tokens = 128
packing = "whole"
training = { keep = 9 }
"""
RELEASED = """
[evaluations.base]
models = ["petit"]
regurgitation = { passages = 0 }

[releases.v0]
model = "petit"
"""
CARD = """
title = "Lettres {name}"
reader = "text"
path = "{name}"

[rights]
licence = "CC0-1.0"
attested_by = "Jeanne Essai"
evidence = ["ce test"]
"""
#: Of the same letters: one corpus of a source alone, and beside it another, read in one stage or in two.
ALONE = DECLARATION.replace('["autres", "textes"]', '["autres"]')
PREMIERS = """[corpora.premiers]
sources = ["autres"]
held_out = 0.1
rules = ["conversation"]

[tokenizers.fr]"""
BESIDE = (
    DECLARATION.replace('["autres", "textes"]', '["textes"]')
    .replace("[tokenizers.fr]", PREMIERS)
    .replace("{ lettres = 1.0 }", "{ lettres = 0.7, premiers = 0.3 }")
)
STAGES = (
    BESIDE.replace('"4k"', '"40k"')
    + """stages = [
  { name = "un", share = 0.1, corpora = { premiers = 1.0 } },
  { name = "deux", share = 0.9, corpora = { lettres = 1.0 } },
]
"""
)
SYLLABLES = "ba ci do fu ga le mi no pa ré su ta vo lin mer tour chan cha rou bel dan gri".split()


def letter(number: int) -> str:
    """A letter of its own, in words that nobody uses: no two share three in a row."""
    chance = random.Random(number)
    words = ["".join(chance.choices(SYLLABLES, k=3)) for _ in range(26)]
    return (
        f"{' '.join(words[:9]).capitalize()}, {' '.join(words[9:17])}. {' '.join(words[17:]).capitalize()}."
    )


def make_toy(folder, declaration=DECLARATION):
    (folder / "sources").mkdir(parents=True)
    (folder / "hemicycle.toml").write_text(declaration, "utf-8")
    for name, numbers in (("textes", range(40)), ("autres", range(100, 112))):
        (folder / "sources" / f"{name}.toml").write_text(CARD.format(name=name), "utf-8")
        (folder / name).mkdir()
        for number in numbers:
            (folder / name / f"{number}.txt").write_text(letter(number), "utf-8")
    return folder
