"""Persons' names, by Presidio on a spaCy model: an extra, for the kinds of document whose policy asks.

A model guesses, so this is apart from `personal`: no name is touched without it, and what it finds changes
with the model. It needs a folder with a spaCy model of French that you bring; nothing is fetched. Presidio on
its own would fetch two things, a model it does not find and the list of public suffixes behind its e-mail
recogniser: the model is loaded here from the folder, and no recogniser but that of names is.

An invented name may be somebody's, so the mark is none.
"""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hemicycle.curate.clean import Bytes, Places, decoded, put
from hemicycle.curate.personal import NAME_MARK, policy, replace
from hemicycle.errors import DeclarationError, InputError
from hemicycle.store import artefact_digest, digest_files

MARK = NAME_MARK

#: Characters read at a time: a spaCy pipeline refuses a million, and its memory goes with the length.
_PIECE = 50_000


_REMEDY = "Give the folder of an unpacked model, the one that holds config.cfg."


@dataclass(frozen=True)
class Names:
    """A loaded model; see `load`."""

    analyzer: Any

    def mask(
        self, text: str, points: npt.NDArray[np.int64], kind: str | None
    ) -> tuple[str, npt.NDArray[np.int64], dict[str, int]]:
        """Put `MARK` in the place of persons' names, where the policy of `kind` asks for it.

        Arguments and results are those of `personal.mask`; the count is under ``name``.
        """
        if not policy(kind).names:
            return text, points, {}
        found = [(start, end, MARK) for start, end in self._spans(text)]
        if not found:
            return text, points, {}
        text, points = replace(text, points, found)
        return text, points, {"name": len(found)}

    def mask_texts(
        self, data: Bytes, offsets: Places, points: Places, bounds: Places, kinds: Sequence[str | None]
    ) -> tuple[Bytes, Places, Places, dict[str, Places]]:
        """As `mask`, of n texts at once; arguments and results are those of `personal.mask_texts`."""
        points, counts = points.copy(), np.zeros(len(kinds), np.int64)
        masked: dict[int, str] = {}
        for row, kind in enumerate(kinds):
            if policy(kind).names:
                mine = slice(bounds[row], bounds[row + 1])
                text = decoded(data[offsets[row] : offsets[row + 1]])
                text, points[mine], found = self.mask(text, points[mine], kind)
                if found:
                    masked[row], counts[row] = text, found["name"]
        return *put(data, offsets, masked), points, {"name": counts} if masked else {}

    def _spans(self, text: str) -> Iterator[tuple[int, int]]:
        for start, piece in _pieces(text):
            at = 0
            results = self.analyzer.analyze(piece, language="fr", entities=["PERSON"])
            for found in sorted(results, key=lambda result: (result.start, -result.end)):
                if (
                    found.start >= at
                    and found.end > found.start
                    and MARK not in piece[found.start : found.end]
                ):
                    yield start + found.start, start + found.end
                    at = found.end


def provenance(model: Path) -> dict[str, Any]:
    """What names are found by: versions of the libraries, and name, version and digest of the model.

    Raises as `load` does.
    """
    try:
        versions = {name: importlib.metadata.version(name) for name in ("presidio-analyzer", "spacy")}
    except importlib.metadata.PackageNotFoundError:
        raise _lacking() from None
    _check_folder(model)
    try:
        about = json.loads((model / "meta.json").read_text("utf-8"))
        named = {key: str(about[key]) for key in ("name", "version")}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise InputError("the spaCy model cannot be read", place=str(model), remedy=_REMEDY) from None
    return {**versions, "model": {**named, "digest": artefact_digest(digest_files(model))}}


def load(model: Path) -> Names:
    """Load a spaCy model from its folder.

    Raises:
        DeclarationError: the extra is not installed.
        InputError: the folder holds no spaCy model of French.
    """
    try:
        import spacy
        from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
        from presidio_analyzer.nlp_engine import SpacyNlpEngine
        from presidio_analyzer.predefined_recognizers import SpacyRecognizer
    except ImportError as error:
        raise _lacking() from error
    _check_folder(model)
    try:
        pipeline = spacy.load(model)
    except Exception as error:  # spaCy raises whatever its components do
        raise InputError("the spaCy model cannot be read", place=str(model), remedy=_REMEDY) from error
    if pipeline.lang != "fr":
        raise InputError(
            f"the model is of “{pipeline.lang}”, not of French", place=str(model), remedy=_REMEDY
        )
    engine = SpacyNlpEngine(models=[{"lang_code": "fr", "model_name": str(model)}])
    engine.nlp = {"fr": pipeline}
    names = SpacyRecognizer(supported_language="fr", supported_entities=["PERSON"])
    registry = RecognizerRegistry(recognizers=[names], supported_languages=["fr"])
    return Names(AnalyzerEngine(registry=registry, nlp_engine=engine, supported_languages=["fr"]))


def _lacking() -> DeclarationError:
    return DeclarationError(
        "finding persons' names needs Presidio, which is not installed",
        remedy="Install it with: pip install 'hemicycle[privacy]'",
    )


def _check_folder(model: Path) -> None:
    if not (model / "config.cfg").is_file():
        raise InputError("no spaCy model is in this folder", place=str(model), remedy=_REMEDY)


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    """The text in pieces of at most `_PIECE` characters, cut at line ends or else spaces where there are."""
    start = 0
    while start < len(text):
        end = start + _PIECE
        if end < len(text):
            cut = text.rfind("\n", start, end)
            cut = cut if cut > start else text.rfind(" ", start, end)
            end = cut + 1 if cut > start else end
        yield start, text[start:end]
        start = end
