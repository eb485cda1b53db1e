"""What annotations depend on besides the documents: versions of everything that makes them."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

from hemicycle.curate.boilerplate import BOILERPLATE
from hemicycle.curate.clean import CLEANING
from hemicycle.curate.language import VERSION as LANGUAGE
from hemicycle.curate.language_model import PACKAGE
from hemicycle.curate.measures import measures_version
from hemicycle.curate.near import SIGNATURES
from hemicycle.curate.personal import PERSONAL
from hemicycle.digests import sha256_file, sha256_json

#: Tables that annotations are made by; those of rules and their kinds bind measures later.
_TABLES = ("boilerplate.toml", "characters.csv", "ocr_trigrams.txt", "personal.csv", "personal.toml")


def annotation_versions() -> dict[str, object]:
    """Part of the key of annotated sources: another value means other annotations of the same text."""
    folder = Path(__file__).parent
    return {
        "cleaning": CLEANING,
        "boilerplate": BOILERPLATE,
        "personal": PERSONAL,
        "measures": measures_version(),
        "language": [LANGUAGE, importlib.metadata.version(PACKAGE)],
        "signatures": SIGNATURES,
        "tables": sha256_json([sha256_file(folder / name) for name in _TABLES]),
    }
