"""What annotations depend on besides the documents: versions of everything that makes them."""

from __future__ import annotations

import importlib.metadata

from hemicycle.curate.boilerplate import BOILERPLATE, bounds_digest
from hemicycle.curate.clean import CLEANING
from hemicycle.curate.language import VERSION as LANGUAGE
from hemicycle.curate.language_model import PACKAGE
from hemicycle.curate.measures import measures_version
from hemicycle.curate.near import SIGNATURES
from hemicycle.curate.personal import PERSONAL, tables


def annotation_versions() -> dict[str, object]:
    """Part of the key of annotated sources: another value means other annotations of the same text."""
    return {
        "cleaning": CLEANING,
        "boilerplate": [BOILERPLATE, bounds_digest()],
        "personal": [PERSONAL, tables().digest],
        "measures": measures_version(),
        "language": [LANGUAGE, importlib.metadata.version(PACKAGE)],
        "signatures": SIGNATURES,
    }
