"""Licences of wholes: what a corpus of many licences is under, and what a release of weights may be under.

A whole is never relicensed. The licence of a corpus is the AND of those of its shards, each under its own:
`manifest(["CC-BY-4.0", "MIT OR ISC", "CC-BY-4.0"])` is `CC-BY-4.0 AND (ISC OR MIT)`.

A release of weights declares a licence, and it follows from its parts or it does not (`follows`). The dated
table `release.csv` says, for each way in which a part enters and each class of licence, what decides:

- ``verdict``: what the table of licences and the policy say of weights. A source under CC-BY-SA-4.0 lets
  weights out under Apache-2.0 where the policy says so; one under GPL-3.0-only waits: its line says `review`.
- ``same``: only the part's own licence, or one that `compatible.csv` names. A base model under CC-BY-SA-3.0
  gives CC-BY-SA-4.0, a later version, and not Apache-2.0; one under a RAIL gives that RAIL.
- ``no``: nothing. One source under CC-BY-NC-4.0 among 500 blocks, and it alone is named.
- ``clash``: the declared licence adds what the part forbids to add. Weights under CC-BY-NC-4.0 do not follow
  from a source under CC-BY-SA-4.0, whatever the policy says.
- ``yes``: anything; only for works that are passed on as they are (`passes_on`).

Either side may be an expression. Of the part: with AND every leg must let the weights go, with OR one leg
does (`GPL-3.0-only OR MIT` lets them out under Apache-2.0 as MIT does). Of the declared licence: with OR
every leg must follow, since whoever receives the weights chooses one (from a RAIL base `Apache-2.0 OR` that
RAIL does not follow); with AND all bind whoever receives them, so one leg that follows is enough (from the
same base `Apache-2.0 AND` that RAIL follows), unless another clashes.

The trap is what is not known: no licence, one that cannot be read or one that the table does not hold blocks,
as base model too. And a generator is judged as a base model is, since several licences count what was trained
on a model's output as made from it.
"""

from __future__ import annotations

import csv
import functools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

from hemicycle.errors import DeclarationError, RightsError
from hemicycle.rights.explanations import explain
from hemicycle.rights.licences import Node, Problem, check_expression, find_licence, judge_expression
from hemicycle.rights.licences import read_expression as read
from hemicycle.rights.policy import Policy

#: What a part is to the weights: text they learnt, the model they began as, the model that wrote some text.
Kind = Literal["source", "base-model", "generator"]

#: How a part enters a whole: passed on as it is, trained on, or made into another model.
Way = Literal["copy", "training", "model"]
_WAYS: dict[Kind, Way] = {"source": "training", "base-model": "model", "generator": "model"}

Answer = Literal["yes", "verdict", "same", "no", "clash"]

_KINDS = {
    "source": ("the source", "la source"),
    "base-model": ("the base model", "le modèle de départ"),
    "generator": ("the generator", "le modèle générateur"),
}
_VERSION = r"(?P<version>\d+(?:\.\d+)*)"


@dataclass(frozen=True)
class Part:
    """A part of a release. `licence` is an SPDX expression, None where none is known."""

    name: str
    kind: Kind
    licence: str | None


@dataclass(frozen=True)
class Blocker:
    """Why weights cannot go out under the declared licence because of one part.

    Attributes:
        reason: key of `explanations.csv`.
        licence: the licence within the part's expression that blocks; None where none is known.
        clause: where that licence says so, in its own numbering; empty where the table names no place.
    """

    part: Part
    reason: str
    en: str
    fr: str
    licence: str | None = None
    clause: str = ""


@dataclass(frozen=True)
class ReleaseRule:
    """A line of `release.csv`: what decides whether a part's class of licence goes under a declared one."""

    way: Way
    part: str
    declared: str
    answer: Answer
    reason: str
    note: str
    source: str
    checked_on: str


@dataclass(frozen=True)
class _Block:
    reason: str
    licence: str | None
    clash: bool = False


def manifest(licences: Iterable[str]) -> str:
    """The licence of a whole: all of its parts' at once, sorted, each once, OR legs in brackets.

    Raises RightsError where a part's licence cannot be read, or where there is no part: what is not known has
    no place in a manifest.
    """
    nodes: dict[str, Node] = {}
    for expression in licences:
        node = read(expression)
        if isinstance(node, Problem):
            raise RightsError(node.what, remedy="Every part of a whole needs a licence of its own.")
        nodes[expression] = node
    if not nodes:
        raise RightsError("a whole without parts has no licence")
    return _write(_tidy(Node("AND", legs=tuple(nodes.values()))))


def follows(declared: str, parts: Sequence[Part], policy: Policy) -> list[Blocker]:
    """Say which parts do not let weights go out under `declared`; empty where all do.

    Blockers stand in the order of `parts`; a part may block for several reasons. Raises DeclarationError
    where `declared` is not an SPDX expression.
    """
    release = _declared(declared)
    found: list[Blocker] = []
    known: dict[tuple[Way, str | None], list[_Block]] = {}
    for part in parts:
        key = (_WAYS[part.kind], part.licence)
        if key not in known:
            known[key] = _judge(*key, release, policy)
        found += [_blocker(part, block, declared) for block in known[key]]
    return found


def passes_on(licence: str | None, umbrella: str) -> list[tuple[str, str | None]]:
    """Why a work under `licence` cannot be passed on under `umbrella`: (reason, licence) pairs, or nothing.

    Raises DeclarationError where `umbrella` is not an SPDX expression.
    """
    return [(block.reason, block.licence) for block in _judge("copy", licence, _declared(umbrella), None)]


@functools.cache
def release_rules() -> tuple[ReleaseRule, ...]:
    """The table, in the order of the file. Raises ValueError where a line is malformed."""
    with Path(__file__).with_name("release.csv").open(encoding="utf-8", newline="") as file:
        return tuple(_rule(row) for row in csv.DictReader(file))


def _rule(row: dict[str, str]) -> ReleaseRule:
    if row["way"] not in get_args(Way) or row["answer"] not in get_args(Answer):
        raise ValueError(f"release.csv: {row['way']} {row['part']} has a way or an answer that is none")
    return ReleaseRule(
        cast(Way, row["way"]),
        row["part"],
        row["declared"],
        cast(Answer, row["answer"]),
        row["reason"],
        row["note"],
        row["source"],
        row["checked_on"],
    )


@functools.cache
def _rules() -> dict[tuple[str, str, str], ReleaseRule]:
    return {(rule.way, rule.part, rule.declared): rule for rule in release_rules()}


def _declared(expression: str) -> Node:
    node = read(expression)
    if isinstance(node, Problem):
        problem = check_expression(expression) or node
        raise DeclarationError(problem.what, remedy=problem.remedy)
    return node


def _judge(way: Way, licence: str | None, declared: Node, policy: Policy | None) -> list[_Block]:
    part = read(licence) if licence is not None else None
    if part is None or isinstance(part, Problem):
        return [_Block("release-unknown", None)]
    return _part(way, part, declared, policy)


def _part(way: Way, part: Node, declared: Node, policy: Policy | None) -> list[_Block]:
    if part.operator:
        legs = [_part(way, leg, declared, policy) for leg in part.legs]
        if part.operator == "OR":
            return min(legs, key=len)
        return list(dict.fromkeys(block for leg in legs for block in leg))
    block = _leg(way, part.identifier, declared, policy)
    return [block] if block else []


def _leg(way: Way, identifier: str, declared: Node, policy: Policy | None) -> _Block | None:
    """Whether one licence of a part lets the whole go out under the declared expression."""
    if not declared.operator:
        return _pair(way, identifier, declared.identifier, policy)
    blocks = [_leg(way, identifier, leg, policy) for leg in declared.legs]
    real = [block for block in blocks if block]
    if declared.operator == "OR" or len(real) == len(blocks):
        return real[0] if real else None
    return next((block for block in real if block.clash), None)


def _pair(way: Way, identifier: str, declared: str, policy: Policy | None) -> _Block | None:
    rules = _rules()
    entering = _class(identifier)
    rule = rules.get((way, entering, _class(declared))) or rules[way, entering, "*"]
    if rule.answer == "yes":
        return None
    if rule.answer == "verdict":
        if policy is None:
            return _Block("release-unknown", identifier)
        judged = judge_expression(identifier, policy)["weights"]
        return None if judged.verdict == "allow" else _Block(judged.reason, identifier)
    if rule.answer == "same" and (identifier == declared or _compatible(identifier, declared)):
        return None
    return _Block(rule.reason, identifier, rule.answer == "clash")


def _class(identifier: str) -> str:
    licence = find_licence(identifier)
    return licence.licence_class if licence else "unknown"


@functools.cache
def _compatible(identifier: str, under: str) -> bool:
    """Whether a licence that asks for itself also accepts another, by `compatible.csv`."""
    for licence, since, other in _compatibilities():
        ours, theirs = licence.fullmatch(identifier), other.fullmatch(under)
        if ours and theirs:
            first = ours.groupdict().get("version")
            if first is None or _number(since) <= _number(first) <= _number(theirs["version"]):
                return True
    return False


@functools.cache
def _compatibilities() -> tuple[tuple[re.Pattern[str], str, re.Pattern[str]], ...]:
    with Path(__file__).with_name("compatible.csv").open(encoding="utf-8", newline="") as file:
        return tuple(
            (_pattern(row["licence"]), row["since"], _pattern(row["under"])) for row in csv.DictReader(file)
        )


def _pattern(identifier: str) -> re.Pattern[str]:
    """`*` is a version; at the end a country's port or a GNU ending may follow it."""
    text = re.escape(identifier).replace(r"\*", _VERSION)
    return re.compile(text + r"(?:-[A-Z]{2,3}|-only|-or-later)?" if identifier.endswith("*") else text)


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(figure) for figure in version.split("."))


def _tidy(node: Node) -> Node:
    """The same expression with its legs sorted, each once, none nested in its own operator."""
    if not node.operator:
        return node
    legs: dict[str, Node] = {}
    for leg in map(_tidy, node.legs):
        for inner in leg.legs if leg.operator == node.operator else (leg,):
            legs[_write(inner)] = inner
    if len(legs) == 1:
        return next(iter(legs.values()))
    return Node(node.operator, legs=tuple(legs[written] for written in sorted(legs)))


def _write(node: Node) -> str:
    if not node.operator:
        return node.identifier
    written = (f"({_write(leg)})" if leg.operator else leg.identifier for leg in node.legs)
    return f" {node.operator} ".join(written)


def _blocker(part: Part, block: _Block, declared: str) -> Blocker:
    licence = find_licence(block.licence) if block.licence else None
    clause = licence.clause if licence and block.reason == "release-own-licence-only" else ""
    english, french = _KINDS[part.kind]
    stated_en = f"is under {block.licence}" if block.licence else "has no licence that is known"
    stated_fr = f"est sous {block.licence}" if block.licence else "n’a pas de licence connue"
    en = f"Weights cannot be released under {declared}: {english} “{part.name}” {stated_en}."
    fr = f"Les poids ne peuvent être publiés sous {declared} : {french} « {part.name} » {stated_fr}."
    fr = fr.replace(" :", "\u00a0:", 1).replace("« ", "«\u00a0", 1).replace(" »", "\u00a0»", 1)
    en += f" {explain(block.reason, 'en')}"
    fr += f" {explain(block.reason, 'fr')}"
    if clause:
        en += f" Clause: {clause}."
        fr += f" Clause\u00a0: {clause}."
    return Blocker(part, block.reason, en, fr, block.licence, clause)
