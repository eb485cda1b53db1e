"""A built model and the index of its training text, opened to be asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hemicycle.cli.session import Session
from hemicycle.errors import DeclarationError, HemicycleError, did_you_mean
from hemicycle.flow import Flow
from hemicycle.flow.corpora import index_name
from hemicycle.governance import Withdrawn
from hemicycle.ledger import Statement
from hemicycle.steps import Outcome, Step

if TYPE_CHECKING:
    from hemicycle.pipeline import Pipeline
    from hemicycle.trace import Index, Trace, Tracer

#: Seconds after which what is withdrawn is read again at the latest, though nobody wrote.
LOOKS_AGAIN = 60.0


@dataclass(frozen=True)
class Asked:
    """A model of a project: its folder, its tracer, and what the page says about both.

    `corpora` are those of the index, in its order: the statement on each, and its folder. `behind`: it was
    built with documents that are withdrawn since, and hidden in it. `withdrawn`: what was, of all of `flow`,
    when the index was opened.
    """

    name: str
    folder: Path
    tracer: Tracer
    about: dict[str, Any]
    corpora: dict[str, tuple[Statement, Path]]
    flow: Flow
    withdrawn: Withdrawn
    behind: bool = False


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


def open_model(session: Session, name: str | None, unit: str = "words") -> Asked:
    """Open a built model and an index; without a name, the last one the project declares.

    The index is that of its words, or of its tokens.

    After a withdrawal, and until all is made without the text, what was built before is opened, and what was
    withdrawn is hidden in it.

    Raises HemicycleError where the model or its index is not built, or what stops them from being built;
    IntegrityError where the model's files are not those that the ledger states.
    """
    from hemicycle.trace import Clearance, Tracer

    name = declared_model(session, name)
    declaration, pipeline = session.project.declaration, session.pipeline()
    corpora, sources = declaration.corpora_behind(name), declaration.sources_behind(name)
    flow, steps, standing = last_built(session.flow, name, unit, pipeline)
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
    withdrawn = session.flow.withdrawn
    index = open_without(folders["index"], withdrawn)
    tracer = Tracer(index, texts, rights, exposure, clearance, upstream=base)
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
    behind = flow is not session.flow
    read = {c: outcomes[f"corpus {c}"] for c in corpora}
    return Asked(name, folders["model"], tracer, about, read, session.flow, withdrawn, behind)


def index_step(flow: Flow, model: str, unit: str) -> Step:
    """The index of the words, or of the tokens, that a model reads."""
    tokenizer = flow.declaration.tokenizer_of(model) if unit == "tokens" else None
    return flow.index(index_name(flow, model, tokenizer))


def last_built(
    flow: Flow, name: str, unit: str, pipeline: Pipeline
) -> tuple[Flow, dict[str, Step], dict[Step, Outcome]]:
    """The project as it is, or as it was before its last withdrawals if only so a model and its index stand;
    the steps behind an answer; and what a look found of them."""
    first = None
    for one in (flow, *flow.as_before()):
        declaration = one.declaration
        steps: dict[str, Step] = {"model": one.model(name), "index": index_step(one, name, unit)}
        steps |= {f"model {m}": one.model(m) for m in declaration.models_behind(name)}
        steps |= {f"corpus {c}": one.corpus(c) for c in declaration.corpora_behind(name)}
        looked = pipeline.look([*steps.values(), *map(one.rights, declaration.sources_behind(name))])
        found = one, steps, {o.step: o for o in looked}
        if all(found[2][step].stands for step in steps.values()):
            return found
        first = first or found
    assert first is not None
    return first


def open_without(folder: Path, withdrawn: Withdrawn) -> Index:
    """An index in which withdrawn documents are hidden."""
    from hemicycle.trace import open_index

    # Whoever looks for the steps compares the files with the ledger, and reads again what was touched.
    index = open_index(folder, verify=False)
    return index.without(_withdrawn_of(index, withdrawn))


def _withdrawn_of(index: Index, withdrawn: Withdrawn) -> list[str]:
    """The ids of an index's documents that are withdrawn."""
    from hemicycle.curate.withdrawn import rows_withdrawn

    documents = index.documents if withdrawn else index.documents.slice(0, 0)
    found: list[str] = documents["id"].filter(rows_withdrawn(documents, withdrawn)).to_pylist()
    return found


class Watched:
    """A tracer that hides what is withdrawn while it is asked, as a server's: no answer tells of it once the
    decision is in force. The journal is looked at before each answer, and read only where it has grown, where
    a decision that had to wait comes into force, or after `LOOKS_AGAIN`. Where it cannot be read, nothing is
    answered.

    The declaration is the one it was opened with: somebody who edits it stops no answer.
    """

    def __init__(self, asked: Asked) -> None:
        self._flow, self._opened, self._tracer = asked.flow, asked.tracer, asked.tracer
        self._withdrawn = asked.withdrawn
        self._seen, self._until = -1, 0.0
        self._lock = threading.Lock()

    def trace(self, text: str, *, prompt: str, min_words: int) -> Trace:
        """Raises HemicycleError where nobody can say what is withdrawn."""
        return self._current().trace(text, prompt=prompt, min_words=min_words)

    def _current(self) -> Tracer:
        # Looks come one after the other, so that an earlier one never undoes what a later one hid.
        with self._lock:
            try:
                size = self._flow.ledger.journal.path.stat().st_size
                if size != self._seen or time.monotonic() >= self._until:
                    began = time.monotonic()
                    self._seen, self._until = size, began + self._look()
            except (OSError, HemicycleError) as error:
                why = error.what if isinstance(error, HemicycleError) else error.strerror
                raise HemicycleError(
                    f"what was withdrawn lately cannot be read, so nothing is answered: {why}",
                    place=getattr(error, "place", None),
                    remedy="`hemicycle verify` says what is wrong; once it is mended, answers come again.",
                ) from None
            return self._tracer

    def _look(self) -> float:
        """Hide what is withdrawn; return the seconds until that may be more, though nobody writes."""
        one = self._flow
        # Of its own: who governs may have changed.
        flow = Flow(one.project, one.store, one.ledger, one.lock)
        now = flow.gate.now()
        cooling = [told.effective for told in flow.gate.decided_withdrawals() if told.state == "cooling"]
        waits = [(effective - now).total_seconds() for effective in cooling if effective is not None]
        withdrawn = flow.withdrawn
        if withdrawn != self._withdrawn:
            self._tracer = self._opened.without(_withdrawn_of(self._opened.index, withdrawn))
            self._withdrawn = withdrawn
        return min([LOOKS_AGAIN, *waits])


def hidden(withdrawn: int, model: str) -> str:
    """What is said of answers from an index that holds documents which were withdrawn."""
    documents, it = (f"{withdrawn} documents were", "them") if withdrawn != 1 else ("1 document was", "it")
    return (
        f"{documents} withdrawn since the index was made: nothing of {it} is shown, "
        f"and {model} may have read {it}."
    )


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
