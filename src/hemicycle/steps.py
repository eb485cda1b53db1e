"""Steps: what a pipeline runs. A step is a function from artefacts to an artefact, with its declaration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hemicycle.digests import sha256_json
from hemicycle.engines import Engine
from hemicycle.errors import HemicycleError
from hemicycle.ledger import Statement
from hemicycle.progress import Progress
from hemicycle.project import Lock

if TYPE_CHECKING:
    from hemicycle.train.launch import Launcher


@dataclass(frozen=True)
class Work:
    """What a build gets: where to write, what to read.

    Attributes:
        out: an empty folder that becomes the artefact.
        scratch: a folder that survives a kill and is deleted once the artefact is done.
        inputs: role → folder of an artefact. Roles of sources that are not there are missing.
        statements: role → the statement about it.
        resolved: what `Step.resolve` found.
        engine: where the parts of a stage that can be cut run.
        launcher: where a model is trained.
    """

    out: Path
    scratch: Path
    inputs: Mapping[str, Path]
    statements: Mapping[str, Statement]
    resolved: Mapping[str, Any]
    progress: Progress
    offline: bool
    engine: Engine
    launcher: Launcher


@dataclass(frozen=True)
class Resolving:
    """What a resolution may look at: the inputs' statements, the lock, today, where models are trained.

    When only `looking`, nothing may be measured or written: what the lock does not hold is not known yet.
    """

    statements: Mapping[str, Statement]
    lock: Lock
    today: date
    progress: Progress
    launcher: Launcher
    looking: bool = False


class Unresolved(Exception):
    """A resolution would have to measure or fetch, and this is only a look."""


@dataclass(frozen=True, eq=False)
class Step:
    """One artefact to be made.

    Attributes:
        declaration: what was declared, as JSON; part of the key.
        inputs: role → step whose artefact is read.
        build: fills ``work.out`` and returns figures for the statement.
        resolve: finds what the declaration leaves open; part of the key. Raises Unresolved when looking
            and it would take more than a look.
        settle: called once the artefact stands, to write the lock.
        rebuildable: deleted, the artefact comes back with the same digest.
        optional: when the world does not give it (InputError), the others go on.
        before: roles of inputs that count as they were before any text was withdrawn from them. What learnt
            from the text as it was is then not learnt again, and not every batch of a training changes.
        may_lack: roles of inputs that may be missing, as when a source could not be obtained; at least one
            of all inputs must be there.
        evidence: it decides what may be used; small files of it are read at every run, whatever their stamps.
        seals: it speaks to others for all that it stands on, every byte of which is read before it is made.
    """

    stage: str
    name: str
    version: int
    declaration: Any
    build: Callable[[Work], Mapping[str, Any]]
    inputs: Mapping[str, Step] = field(default_factory=dict)
    resolve: Callable[[Resolving], Mapping[str, Any]] | None = None
    settle: Callable[[Statement, Lock], None] | None = None
    rebuildable: bool = True
    optional: bool = False
    before: frozenset[str] = frozenset()
    may_lack: frozenset[str] = frozenset()
    evidence: bool = False
    seals: bool = False

    def __str__(self) -> str:
        return f"{self.stage} {self.name}"


@dataclass(frozen=True)
class Outcome:
    """What became of a step: fresh, built, would-run, not-obtained, failed or blocked."""

    step: Step
    state: str
    reason: str = ""
    statement: Statement | None = None
    folder: Path | None = None
    seconds: float = 0.0
    error: HemicycleError | None = None

    @property
    def stands(self) -> bool:
        return self.statement is not None


def before_withdrawals(statement: Statement) -> str:
    """The digest that an artefact had before any text was withdrawn from it: its own, where none was."""
    return str(statement.figures.get("before", statement.digest))


def key_of(step: Step, resolved: Mapping[str, Any], digests: Mapping[str, str]) -> str:
    """The key of what a step makes of inputs with these digests; those of `Step.before` as they were."""
    return sha256_json(
        {
            "stage": step.stage,
            "name": step.name,
            "version": step.version,
            "declaration": step.declaration,
            "resolved": dict(resolved),
            "inputs": dict(digests),
        }
    )


def digests_for(step: Step, statements: Mapping[str, Statement]) -> dict[str, str]:
    """Role → the digest of an input that counts for the step's key."""
    return {
        role: before_withdrawals(s) if role in step.before else s.digest for role, s in statements.items()
    }


def in_order(targets: list[Step]) -> list[Step]:
    """The targets and all they stand on, inputs first."""
    ordered: list[Step] = []
    seen: set[Step] = set()

    def visit(step: Step) -> None:
        if step in seen:
            return
        seen.add(step)
        for source in step.inputs.values():
            visit(source)
        ordered.append(step)

    for target in targets:
        visit(target)
    return ordered
