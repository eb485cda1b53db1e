"""The stages: which verb brings a project up to each, what names it takes, and its version."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from hemicycle.digests import sha256_file, sha256_json
from hemicycle.rights.policy import Use
from hemicycle.steps import Step

if TYPE_CHECKING:
    from hemicycle.flow.flow import Flow

T = TypeVar("T")

#: Stage → verb that brings a project up to it.
VERBS = {
    "raw": "collect",
    "documents": "collect",
    "base": "collect",
    "optout": "clear",
    "rights": "clear",
    "cleared": "clear",
    "admitted": "clear",
    "annotated": "curate",
    "corpus": "curate",
    "tokenizer": "tokenize",
    "tokens": "tokenize",
    "dialogues": "tokenize",
    "order": "train",
    "model": "train",
    "rung": "train",
    "scaling": "train",
    "before-after": "tune",
    "index": "trace",
    "roots": "prove",
    "evaluation": "evaluate",
    "contamination": "contamination",
    "regurgitation": "regurgitation",
    "release": "release",
}

#: Stages whose artefacts are tokens of a corpus: of its texts, or of its conversations for tuning.
TOKENISED = ("tokens", "dialogues")

#: Verb → what the names it takes are names of, and the stages of it that bear them. Other stages of a verb
#: have names of another kind: a source is annotated on the way to a corpus, and is none.
NAMED = {
    "collect": ("source", {"documents"}),
    "clear": ("source", {"rights"}),
    "curate": ("corpus", {"corpus"}),
    "tokenize": ("tokenizer or CORPUS.TOKENIZER", {"tokenizer", "tokens", "dialogues"}),
    "train": ("model", {"model"}),
    "tune": ("model with method “tune”", {"before-after"}),
    "trace": ("index", {"index"}),
    "prove": ("corpus", {"roots"}),
    "evaluate": ("evaluation", {"evaluation"}),
    "contamination": ("evaluation", {"contamination"}),
    "regurgitation": ("evaluation that measures regurgitation", {"regurgitation"}),
    "release": ("release", {"release"}),
}

#: Raised by one when a stage would make something else of the same input.
VERSIONS = {
    "raw": 1,
    "documents": 7,
    "base": 1,
    "optout": 3,
    "rights": 5,
    "cleared": 1,
    "admitted": 1,
    "annotated": 2,
    "corpus": 3,
    "tokenizer": 2,
    "tokens": 2,
    "dialogues": 1,
    "order": 4,
    "model": 4,
    "rung": 1,
    "scaling": 1,
    "before-after": 2,
    "index": 3,
    "roots": 1,
    "evaluation": 3,
    "contamination": 2,
    "regurgitation": 1,
    "release": 7,
}

#: Uses a model needs a right for. Redistribution of text is asked for where text is published.
USES: tuple[Use, ...] = ("train", "weights")


def once(make: Callable[[Flow, str], Step]) -> Callable[[Flow, str], Step]:
    """One step per artefact, so that two readers of it share it."""

    @functools.wraps(make)
    def memoised(flow: Flow, name: str) -> Step:
        key = (make.__name__, name)
        if key not in flow.made:
            flow.made[key] = make(flow, name)
        return flow.made[key]

    return memoised


def with_role(inputs: Mapping[str, T], stage: str) -> dict[str, T]:
    return {role.removeprefix(f"{stage} "): p for role, p in inputs.items() if role.startswith(f"{stage} ")}


def tables(room: str) -> str:
    """One digest over a room's data files: a changed rule, name or template is a changed declaration."""
    folder = Path(__file__).parents[1] / room
    files = sorted(f for f in folder.rglob("*") if f.suffix in {".csv", ".toml", ".jinja"})
    return sha256_json([[f.relative_to(folder).as_posix(), sha256_file(f)] for f in files])
