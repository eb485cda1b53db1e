"""Retune: what other bounds would keep and drop, from stored measures alone; no text is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from hemicycle.curate.corpus import failed_rules
from hemicycle.curate.rules import Bound, Rule, parse_keep
from hemicycle.errors import DeclarationError, did_you_mean

#: Documents named of those that would come back or go.
EXAMPLES = 5


def retuned(rules: Sequence[Rule], changes: Sequence[str]) -> list[Rule]:
    """The rules with some bounds moved, each change written ``RULE: measure <= number``.

    A name with its set (``french/too-short``) moves that rule; one without moves the rule in every set that
    has it. What did not move is the same object.

    Raises DeclarationError for a rule that is not among them, or what is no bound.
    """
    named: dict[str, list[str]] = {}
    for rule in rules:
        for name in (rule.name, rule.name.partition("/")[2]):
            named.setdefault(name, []).append(rule.name)
    moved: dict[str, tuple[str, Bound]] = {}
    for change in changes:
        name, colon, keep = (part.strip() for part in change.partition(":"))
        if name in named and not keep:
            example = next(rule.keep for rule in rules if rule.name in named[name])
            raise DeclarationError(
                f"“{change}” names a rule and no bound for it",
                remedy=f"Write the bound after a colon, as in “{name}: {example}”.",
            )
        if not colon or name not in named:
            known = ", ".join(rule.name for rule in rules)
            raise DeclarationError(
                f"“{change}” moves no rule of this corpus",
                remedy=did_you_mean(name, named) or f"Write RULE: BOUND. Rules: {known or 'none'}.",
            )
        try:
            bound = parse_keep(keep)
        except ValueError as problem:
            raise DeclarationError(f"“{keep}” {problem}") from None
        moved |= dict.fromkeys(named[name], (keep, bound))
    return [
        replace(rule, keep=moved[rule.name][0], bound=moved[rule.name][1]) if rule.name in moved else rule
        for rule in rules
    ]


@dataclass(frozen=True)
class Effect:
    """What moving bounds changes in one source: documents and characters kept before and after, and documents
    that would come back or go, with the rules they fail the other time."""

    source: str
    documents: tuple[int, int]
    characters: tuple[int, int]
    back: dict[str, list[str]]
    gone: dict[str, list[str]]
    moved: tuple[int, int]


def effect(source: str, folder: Path, before: Sequence[Rule], after: Sequence[Rule]) -> Effect:
    """Judge the annotated shards of a source by both sets of rules. Copies are not looked for."""
    kept, sizes = [0, 0], [0, 0]
    shown: tuple[dict[str, list[str]], dict[str, list[str]]] = ({}, {})
    moved = [0, 0]
    for path in sorted(folder.glob("*.parquet")):
        rows = pl.read_parquet(path, columns=["id", "kind", "language", "signals"])
        characters = rows["signals"].struct.field("characters")
        whys = [failed_rules(rows, rules) for rules in (before, after)]
        passes = [why.list.len() == 0 for why in whys]
        for time in (0, 1):
            kept[time] += int(passes[time].sum())
            sizes[time] += int(characters.filter(passes[time]).sum() or 0)
            # Passes this time and not the other: 1 came back, 0 goes.
            changed = (passes[time] & ~passes[1 - time]).arg_true().to_list()
            moved[1 - time] += len(changed)
            for row in changed[: EXAMPLES - len(shown[1 - time])]:
                shown[1 - time][rows["id"][row]] = whys[1 - time][row].to_list()
    documents, lengths = (kept[0], kept[1]), (sizes[0], sizes[1])
    return Effect(source, documents, lengths, shown[0], shown[1], (moved[0], moved[1]))


def to_json(found: Effect) -> dict[str, Any]:
    return {
        "documents": {"before": found.documents[0], "after": found.documents[1]},
        "characters": {"before": found.characters[0], "after": found.characters[1]},
        "back": {"documents": found.moved[0], "examples": found.back},
        "gone": {"documents": found.moved[1], "examples": found.gone},
    }
