"""Lineage: from any artefact back to the sources it stands on, and from a source to all that stands on it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from hemicycle.errors import DeclarationError, did_you_mean
from hemicycle.ledger.statements import Statement

#: Stages whose artefacts somebody outside may have seen or paid for.
LASTING = ("corpus", "model", "evaluation", "contamination", "regurgitation", "release")


@dataclass(frozen=True)
class Ancestor:
    """An artefact in a lineage: how deep it stands, in which role it was read, and its statement."""

    depth: int
    role: str
    statement: Statement


def lineage(statements: Iterable[Statement], what: str) -> list[Ancestor]:
    """The artefact called `what` and everything it was made from, depth first.

    `what` is ``stage/name``, ``stage/name-key``, or a digest (12 digits or more) of an artefact or of one
    of its files. Where several builds answer to it, the latest does. An ancestor that was reached before
    is listed again without its own ancestors.
    """
    ordered = list(statements)
    start = next((s for s in reversed(ordered) if _answers(s, what)), None)
    if start is None:
        names = {f"{s.subject.stage}/{s.subject.name}" for s in ordered}
        raise DeclarationError(
            f"the ledger knows no artefact “{what}”",
            remedy=did_you_mean(what, names) or f"It knows: {', '.join(sorted(names)) or 'nothing yet'}.",
        )
    by_digest = {(str(s.subject), s.digest): s for s in ordered}
    found: list[Ancestor] = []
    reached: set[tuple[str, str]] = set()

    def walk(statement: Statement, role: str, depth: int) -> None:
        found.append(Ancestor(depth, role, statement))
        identity = (str(statement.subject), statement.digest)
        if identity in reached:
            return
        reached.add(identity)
        for input_role, entry in sorted(statement.inputs.items()):
            ancestor = by_digest.get((entry["artefact"], entry["digest"]))
            if ancestor is not None:
                walk(ancestor, input_role, depth + 1)

    walk(start, "", 0)
    return found


def descendants(statements: Iterable[Statement], stage: str, name: str) -> list[Statement]:
    """Every artefact, as it last stood, that was made from some build of ``stage/name``, oldest first."""
    ordered = list(statements)
    touched = {
        (str(s.subject), s.digest) for s in ordered if (s.subject.stage, s.subject.name) == (stage, name)
    }
    found = []
    for statement in ordered:
        if any((entry["artefact"], entry["digest"]) in touched for entry in statement.inputs.values()):
            touched.add((str(statement.subject), statement.digest))
            found.append(statement)
    return found


def standing_on(statements: Iterable[Statement], stage: str, name: str) -> list[str]:
    """``stage name`` of whatever somebody may have seen or paid for that stands on ``stage/name``, sorted."""
    made = descendants(statements, stage, name)
    return sorted({f"{s.subject.stage} {s.subject.name}" for s in made if s.subject.stage in LASTING})


def _answers(statement: Statement, what: str) -> bool:
    names = {
        str(statement.subject),
        f"{statement.subject.stage}/{statement.subject.name}",
        statement.subject.name,
    }
    if what in names:
        return True
    digests = [statement.digest, statement.subject.key, *(f.sha256 for f in statement.files)]
    return len(what) >= 12 and any(d.startswith(what) for d in digests)
