"""A built model and the index of its training text, opened to be asked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hemicycle.cli.session import Session
from hemicycle.errors import DeclarationError, HemicycleError, did_you_mean
from hemicycle.flow.corpora import index_name
from hemicycle.ledger import Statement
from hemicycle.steps import Outcome, Step

if TYPE_CHECKING:
    from hemicycle.trace import Tracer


@dataclass(frozen=True)
class Asked:
    """A model of a project: its folder, its tracer, and what the page says about both.

    `corpora` are those of the index, in its order: the statement on each, and its folder.
    """

    name: str
    folder: Path
    tracer: Tracer
    about: dict[str, Any]
    corpora: dict[str, tuple[Statement, Path]]


def declared_model(session: Session, name: str | None) -> str:
    """A model's name; of None, the last one declared. Raises DeclarationError where there is none."""
    models = session.project.declaration.models
    if not models:
        raise DeclarationError("the project declares no model", place=str(session.project.folder))
    if name is None:
        return list(models)[-1]
    if name not in models:
        raise DeclarationError(
            f"the project declares no model “{name}”",
            remedy=did_you_mean(name, models) or f"Declared: {', '.join(models)}.",
        )
    return name


def open_model(session: Session, name: str | None) -> Asked:
    """Open a built model; without a name, the last one the project declares.

    Raises HemicycleError where the model or its index is not built, or what stops them from being built;
    IntegrityError where the model's files are not those that the ledger states.
    """
    from hemicycle.trace import Clearance, Tracer, open_index

    name = declared_model(session, name)
    flow, declaration = session.flow, session.project.declaration
    corpora, sources = declaration.corpora_behind(name), declaration.sources_behind(name)
    steps: dict[str, Step] = {"model": flow.model(name), "index": flow.index(index_name(flow, name))}
    steps |= {f"model {m}": flow.model(m) for m in declaration.models_behind(name)}
    steps |= {f"corpus {c}": flow.corpus(c) for c in corpora}
    pipeline = session.pipeline()
    standing = {o.step: o for o in pipeline.look([*steps.values(), *map(flow.rights, sources)])}
    outcomes = {role: needed(standing[step], standing.values()) for role, step in steps.items()}
    # A look believes stamps; what is shown of the model is the digest in the ledger.
    statement, folder = outcomes["model"]
    pipeline.check(folder, statement)
    rights = {s: o.folder for s in sources if (o := standing[flow.rights(s)]).folder is not None}
    cards = session.project.cards
    clearance = {
        s: Clearance(
            cards[s].attribution,
            cards[s].rights.attested_by,
            cards[s].rights.licence,
            cards[s].publisher,
            cards[s].title,
        )
        for s in sources
    }
    folders = {role: folder for role, (_, folder) in outcomes.items()}
    texts = [folders[f"corpus {c}"] for c in corpora]
    exposure = {m: folders[f"model {m}"] for m in declaration.models_behind(name)}
    base = declaration.base_of(name)
    tracer = Tracer(open_index(folders["index"]), texts, rights, exposure, clearance, upstream=base)
    project = declaration.project
    about = {
        "title": f"{project.name} · {name}",
        "model_digest": outcomes["model"][0].digest,
        "index_digest": outcomes["index"][0].digest,
        "licence": project.license,
        "upstream": base,
        "governance": {
            "en": "solo: one person's key stands behind this; nobody else has reviewed it",
            "fr": "solo : une seule personne en répond par sa clé ; personne d’autre ne l’a relu",
        },
        "sources": [
            {"name": s, "title": c.title, "publisher": c.publisher, "licence": c.rights.licence}
            for s in sources
            if s in rights
            for c in [cards[s]]
        ],
    }
    return Asked(name, folders["model"], tracer, about, {c: outcomes[f"corpus {c}"] for c in corpora})


def needed(outcome: Outcome, standing: Iterable[Outcome]) -> tuple[Statement, Path]:
    """The statement and the folder of what a look found built; else raises what stands in the way."""
    if outcome.statement is not None and outcome.folder is not None:
        return outcome.statement, outcome.folder
    if outcome.state in ("blocked", "failed"):
        # Running again would only meet what stands in the way, so that is told.
        for stopped in standing:
            if stopped.state in ("blocked", "failed") and stopped.error is not None:
                raise stopped.error
    raise HemicycleError(
        f"{outcome.step} is not built: {outcome.reason}", remedy="Run `hemicycle run` first."
    )
