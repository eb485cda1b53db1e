"""Explanations: the sentence behind the short code of a verdict, in French and in English.

Tables hold codes, which do not change; sentences are for people and live in `explanations.csv`.
"""

from __future__ import annotations

import csv
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from hemicycle.errors import DeclarationError, did_you_mean

Language = Literal["fr", "en"]


@functools.cache
def explanations() -> Mapping[str, Mapping[str, str]]:
    """Code → language → sentence, in the order of the file."""
    with Path(__file__).with_name("explanations.csv").open(encoding="utf-8", newline="") as file:
        return {row["code"]: {"fr": row["fr"], "en": row["en"]} for row in csv.DictReader(file)}


def explain(code: str, language: Language) -> str:
    """The sentence behind a code. Raises DeclarationError on a code or a language that is not there."""
    sentences = explanations().get(code)
    if sentences is None:
        raise DeclarationError(
            f"there is no explanation “{code}”", remedy=did_you_mean(code, explanations()) or None
        )
    if language not in sentences:
        raise DeclarationError(f"there is no explanation in “{language}”", remedy="Languages: en, fr.")
    return sentences[language]
