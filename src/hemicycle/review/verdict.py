"""Verdicts: from findings to one of four words, with every reason in French and English.

`bounds.csv` says from which share on a finding is a duty, asks for a person, or refuses; `reasons.csv` has
the sentences. The worst reason is the verdict. None says that a use is lawful: the best that a review finds
is that what is stated leads to a place and permits the use.
"""

from __future__ import annotations

import csv
import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hemicycle.typeset import Language, format_percent

VERDICTS = ("usable", "usable with duties", "review", "refuse")
USABLE, DUTIES, REVIEW, REFUSE = range(4)


@dataclass(frozen=True)
class Reason:
    """One reason for a verdict.

    Attributes:
        code: a line of `reasons.csv`.
        level: the best verdict it leaves, a place in `VERDICTS`.
        facts: words that its sentence quotes, taken from the data set, so never trusted; or, under `en` and
            `fr`, what each sentence says.
        share: the finding, where it is a share.
    """

    code: str
    level: int
    facts: Mapping[str, str] = field(default_factory=dict, hash=False)
    share: float | None = None

    def sentence(self, language: Language) -> str:
        facts = {**self.facts, "share": format_percent(self.share or 0, language)}
        facts["here"] = self.facts.get(language, "")
        return sentences()[self.code][language].format_map(facts)


@dataclass(frozen=True)
class Bound:
    """From which share on a finding counts; None: at no share."""

    duty: float | None
    review: float | None
    refuse: float | None

    def level(self, share: float) -> int:
        bounds = (self.duty, self.review, self.refuse)
        reached = [n for n, least in enumerate(bounds, 1) if least is not None and share >= least]
        return max(reached, default=USABLE) if share > 0 else USABLE


def weigh(shares: Mapping[str, float | None]) -> list[Reason]:
    """The reasons that findings give, by the bounds; a finding that is None could not be made."""
    found = []
    for name, bound in bounds().items():
        share = shares.get(name)
        if share is not None and (level := bound.level(share)):
            found.append(Reason(name, level, share=share))
    return found


def verdict(reasons: Iterable[Reason]) -> int:
    return max((reason.level for reason in reasons), default=USABLE)


def as_objects(reasons: Iterable[Reason]) -> list[dict[str, Any]]:
    """Reasons for the report, the worst first."""
    return [
        {"code": r.code, "level": VERDICTS[r.level], "en": r.sentence("en"), "fr": r.sentence("fr")}
        for r in sorted(reasons, key=lambda r: -r.level)
    ]


@functools.cache
def bounds() -> Mapping[str, Bound]:
    """`bounds.csv`: finding → bound."""

    def number(text: str) -> float | None:
        return float(text) if text else None

    rows = _rows("bounds.csv")
    return {r["finding"]: Bound(number(r["duty"]), number(r["review"]), number(r["refuse"])) for r in rows}


@functools.cache
def sentences() -> Mapping[str, Mapping[Language, str]]:
    """`reasons.csv`: code → language → sentence, with places for facts."""
    return {row["code"]: {"en": row["en"], "fr": row["fr"]} for row in _rows("reasons.csv")}


def _rows(name: str) -> list[dict[str, str]]:
    with Path(__file__).with_name(name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
