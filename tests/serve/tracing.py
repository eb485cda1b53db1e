"""A small tracer over a few documents written for these tests, and what an operator would say of them.

It finds verbatim stretches by brute force and answers in the members of `hemicycle.trace`.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(frozen=True)
class Source:
    """A document and what is known of it."""

    id: str
    source: str
    origin: str
    text: str
    title: str
    date: str
    anchor: str | None = None
    section: str | None = None
    speaker: str | None = None
    licence: str | None = "etalab-2.0"
    verdict: str = "allow"
    url: str | None = None
    steps: tuple[int, int] | None = (1, 240)


SITTING = Source(
    id="debats:CRSINV1L1S2031O1N001.xml",
    source="debats",
    origin="CRSINV1L1S2031O1N001.xml",
    anchor="9301007",
    section="Ressource en eau et bon état des rivières",
    speaker="Mme la présidente",
    title="Première séance du mardi 7 octobre 2031",
    date="2031-10-07",
    text=(
        "Mme la présidente. La séance est ouverte. L'ordre du jour appelle la discussion du projet de loi "
        "relatif à la ressource en eau et au bon état des rivières. La parole est à M. le rapporteur. Chacun "
        "sait combien la Dourelle a souffert de l'été dernier : les écluses fermées, les berges à nu."
    ),
)
PAMPHLET = Source(
    id="brochures:dourelle.txt",
    source="brochures",
    origin="brochures/dourelle.txt",
    title="La Dourelle, chronique d’un fleuve",
    date="2029",
    licence=None,
    verdict="review",
    steps=(36, 36),
    text=(
        "Nous devons à celles et ceux qui vivent du fleuve une règle claire, la même pour tous, de la source "
        "à l’estuaire. Ainsi parlait le doyen des éclusiers."
    ),
)

ABOUT = {
    "title": "Petit hémicycle",
    "model_digest": "3f9c2a7be0d14c5588a1f6e09b7d2c4413f0a9e8d7c6b5a4938271605f4e3d2c",
    "index_digest": "77ab01c2d3e4f5061728394a5b6c7d8e9f00112233445566778899aabbccddee",
    "licence": "Apache-2.0",
    "governance": {
        "fr": "solo : une seule personne tient tous les rôles ; rien de ceci n’a été revu par une autre.",
        "en": "solo: one person holds every role; nobody else has reviewed any of this.",
    },
    "sources": [
        {
            "name": "debats",
            "title": "Comptes rendus des séances",
            "publisher": "Assemblée imaginaire",
            "licence": "etalab-2.0",
        },
        {
            "name": "brochures",
            "title": {"fr": "Brochures de la vallée", "en": "Pamphlets of the valley"},
            "licence": None,
        },
    ],
}


@dataclasses.dataclass(frozen=True)
class Found:
    """A trace's result."""

    value: dict[str, Any]

    def to_json(self) -> Mapping[str, Any]:
        return self.value


def _words(text: str) -> list[tuple[str, int, int]]:
    return [(m[0].casefold(), m.start(), m.end()) for m in re.finditer(r"\w+", text)]


class TextTracer:
    """Longest stretches of words that a text shares with one of the documents."""

    def __init__(self, *documents: Source) -> None:
        self.documents = documents or (SITTING, PAMPHLET)
        self.asked: list[tuple[str, str, int]] = []

    def trace(self, text: str, *, prompt: str, min_words: int) -> Found:
        self.asked.append((text, prompt, min_words))
        words = _words(text)
        spans: list[dict[str, Any]] = []
        covered: set[int] = set()
        at = 0
        while at < len(words):
            best = max((self._match(words, at, d) for d in self.documents), key=lambda m: m[0])
            length, first, document = best
            if length < min_words:
                at += 1
                continue
            covered.update(range(at, at + length))
            start, end = words[at][1], words[at + length - 1][2]
            spans.append(
                {
                    "start": start,
                    "end": end,
                    "text": text[start:end],
                    "words": length,
                    "count": 1,
                    "documents": [_document(document, first, length)],
                }
            )
            at += length
        return Found(
            {
                "spans": spans,
                "coverage": len(covered) / len(words) if words else 0.0,
                "words": len(words),
                "spans_found": len(spans),
                "min_words": min_words,
            }
        )

    @staticmethod
    def _match(words: list[tuple[str, int, int]], at: int, document: Source) -> tuple[int, int, Source]:
        there = [word for word, _, _ in _words(document.text)]
        here = [word for word, _, _ in words]
        best = (0, 0)
        for first in range(len(there)):
            length = 0
            while (
                first + length < len(there)
                and at + length < len(here)
                and there[first + length] == here[at + length]
            ):
                length += 1
            best = max(best, (length, first))
        return (*best, document)


def _document(d: Source, first: int, length: int) -> dict[str, Any]:
    words = _words(d.text)
    right = {
        "verdict": d.verdict,
        "basis": "licence ouverte",
        "rule": "open-licence-1",
        "obligations": ["attribution"],
    }
    return {
        "id": d.id,
        "source": d.source,
        "origin": d.origin,
        "anchor": d.anchor,
        "speaker": d.speaker,
        "section": d.section,
        "title": d.title,
        "date": d.date,
        "url": d.url,
        "excerpt": d.text,
        "needle_start": words[first][1],
        "needle_end": words[first + length - 1][2],
        "licence": d.licence,
        "right": right if d.licence else {**right, "basis": "aucune licence connue", "rule": "nothing-known"},
        "obligations": right["obligations"] if d.licence else [],
        "clearance": {"attested_by": "Ada Lemoine", "attribution": "Assemblée imaginaire"}
        if d.licence
        else None,
        "first_step": d.steps[0] if d.steps else None,
        "last_step": d.steps[1] if d.steps else None,
    }
