"""Decide: what of a target is withdrawn already, what waits to be signed, and what is still to be decided.

Decisions add up: one may withdraw half of what is asked and another the rest. One that waits for signatures
withdraws nothing, and stands for a new one only if it is on just the same documents: whoever signs must know
what for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hemicycle.governance import Standing, Withdrawn
from hemicycle.governance.decisions import WHOLE
from hemicycle.withdraw.target import Target


@dataclass(frozen=True)
class Decided:
    """What was decided on a target: `left` by no decision in force, of it what waits, and those in force."""

    left: Mapping[str, Any]
    waiting: Mapping[str, Standing]
    in_force: Sequence[Standing]

    @property
    def complete(self) -> bool:
        """Whether there is nothing to decide any more, if something to sign."""
        return self.left.keys() == self.waiting.keys()

    @property
    def all(self) -> list[Standing]:
        return [*self.in_force, *self.waiting.values()]

    @property
    def reason(self) -> str:
        """The reasons that stand: one, where it was all decided in one call."""
        return "; ".join(dict.fromkeys(one.decision.reason for one in self.all))


def decided(
    target: Target,
    told: Sequence[Standing],
    withdrawn: Withdrawn,
    texts: Mapping[str, Collection[str]],
) -> Decided:
    """What `told`, every withdrawal that entered, has come to for a target.

    Args:
        withdrawn: what those in force withdraw; texts: source → the digests of texts that they do.
    """
    left = _undecided(target, withdrawn, texts)
    return Decided(left, _waiting(left, told), _in_force(target, told))


def covers(target: Target) -> dict[str, Any]:
    """Source → what decisions on all of it cover: `WHOLE`, or documents by id with the digests of texts."""
    documents = {source: dict(ids) for source, ids in target.documents.items()}
    return {**dict.fromkeys(target.sources, WHOLE), **documents}


def _undecided(target: Target, withdrawn: Withdrawn, texts: Mapping[str, Collection[str]]) -> dict[str, Any]:
    """`covers` without what is withdrawn by decisions in force: by its id, or by the digest of its text, of
    which `texts` has those of each source."""
    left: dict[str, Any] = {}
    for source, asked in covers(target).items():
        ids = withdrawn.get(source, frozenset())
        if ids is None:
            continue
        out = texts.get(source, ())
        rest = asked
        if asked != WHOLE:
            rest = {one: text for one, text in asked.items() if one not in ids and text not in out}
        if rest:
            left[source] = rest
    return left


def _waiting(left: dict[str, Any], told: Iterable[Standing]) -> dict[str, Standing]:
    """Source → the last decision that covers just what is left of it and is not in force."""
    found: dict[str, Standing] = {}
    for one in told:
        source, documents = one.decision.subject, one.decision.covers["documents"]
        rest = left.get(source)
        same = documents == rest or (
            isinstance(rest, dict) and isinstance(documents, dict) and rest.keys() == documents.keys()
        )
        if same and one.state in ("proposed", "cooling"):
            found[source] = one
    return found


def _any(some: Mapping[str, str], others: Mapping[str, str]) -> bool:
    """Whether two have a document in common, by its id or by its text."""
    texts = set(filter(None, some.values())) & set(others.values())
    return bool(texts or some.keys() & others.keys())


def _in_force(target: Target, told: Sequence[Standing]) -> list[Standing]:
    """The decisions in force by which any of it is withdrawn."""
    asked = covers(target)
    found = []
    for one in told:
        documents, own = one.decision.covers["documents"], asked.get(one.decision.subject)
        if own is None or one.state != "standing":
            continue
        if WHOLE in (documents, own) or _any(own, documents):
            found.append(one)
    return found
