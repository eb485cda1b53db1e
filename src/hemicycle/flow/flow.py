"""The flow of one project: its steps, put together."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from hemicycle.digests import sha256_file
from hemicycle.errors import DeclarationError, UnknownNameError, did_you_mean
from hemicycle.flow import bases, corpora, evaluations, ladders, models, releases, sources
from hemicycle.flow.corpora import index_name
from hemicycle.flow.stages import NAMED, USES, VERBS
from hemicycle.gate import Gate
from hemicycle.governance import Withdrawn, withdrawn_by, withdrawn_texts
from hemicycle.governance.overrides import Override, overrides
from hemicycle.ledger import Ledger, Statement
from hemicycle.project import Lock, Project
from hemicycle.rights.policy import policy_path
from hemicycle.steps import Step, in_order
from hemicycle.store import Store


class Flow:
    """The steps of one project.

    Args:
        update: sources to fetch anew although the lock pins them.
        withdrawals: how many of those in force count: the project as it was after so many. None: all.
    """

    def __init__(
        self,
        project: Project,
        store: Store,
        ledger: Ledger,
        lock: Lock,
        update: frozenset[str] = frozenset(),
        withdrawals: int | None = None,
    ) -> None:
        self.project, self.store, self.ledger, self.lock, self.update = project, store, ledger, lock, update
        self.declaration = project.declaration
        self.gate = Gate(project, ledger)
        self.withdrawals = withdrawals
        self.made: dict[tuple[str, str], Step] = {}

    raw, documents, optout, rights = sources.raw, sources.documents, sources.optout, sources.rights
    cleared, annotated = sources.cleared, sources.annotated
    base = bases.base
    admitted, corpus, index, roots = corpora.admitted, corpora.corpus, corpora.index, corpora.roots
    tokenizer, tokens, dialogues = corpora.tokenizer, corpora.tokens, corpora.dialogues
    order, model = models.order, models.model
    rung, scaling = ladders.rung, ladders.scaling
    evaluation, before_after = evaluations.evaluation, evaluations.before_after
    contamination, regurgitation = evaluations.contamination, evaluations.regurgitation
    release = releases.release

    def all_steps(self) -> list[Step]:
        """Everything the project declares, inputs first."""
        d = self.declaration
        ends = [step for n in d.evaluations for step in (self.evaluation(n), self.contamination(n))]
        ends += [self.regurgitation(n) for n, e in d.evaluations.items() if e.regurgitation.passages]
        ends += [self.release(n) for n in d.releases]
        ends += [self.before_after(n) for n, m in d.models.items() if m.method == "tune"]
        ends += [self.model(n) for n in d.models] + [self.tokenizer(n) for n in d.tokenizers]
        ends += [self.index(index_name(self, m)) for m in d.models]
        # Sources come first in the order of the work, so that what is refused is known early.
        sources = [self.rights(n) for n in self.project.cards] + [self.base(n) for n in d.bases]
        # A root must be in the ledger before anybody asks what it answers.
        corpora = [step for n in d.corpora for step in (self.corpus(n), self.roots(n))]
        return in_order(sources + corpora + ends)

    def up_to(self, verb: str, names: tuple[str, ...] = ()) -> list[Step]:
        """The steps a verb makes, with all they stand on; `names` keeps those artefacts only."""
        steps = [s for s in self.all_steps() if VERBS[s.stage] == verb]
        what, stages = NAMED[verb]
        _check_known(what, names, {s.name for s in steps if s.stage in stages})
        return in_order([s for s in steps if not names or s.name in names])

    def ladders(self, names: tuple[str, ...] = ()) -> list[Step]:
        """The ladders of models, by default of all that are made from nothing, with all they stand on."""
        _check_known("model", names, self.declaration.models)
        chosen = names or self._fresh()
        if not chosen:
            raise DeclarationError(
                "no model is made from nothing, and a ladder is of such models",
                place="hemicycle.toml",
                remedy="Declare one: with `corpora`, `tokenizer` and `budget`, and without `from`.",
            )
        return in_order([self.scaling(name) for name in chosen])

    def _fresh(self) -> tuple[str, ...]:
        """Models that begin from nothing."""
        return tuple(name for name, model in self.declaration.models.items() if model.base is None)

    def ladders_begun(self) -> list[Step]:
        """The ladders of which something was made: nobody declares one, and each is kept as its model is."""
        made = {s.subject.name for s in self.ledger.current().values() if s.subject.stage == "rung"}
        begun = {name.rsplit(".", 1)[0] for name in made} & set(self._fresh())
        return self.ladders(tuple(sorted(begun))) if begun else []

    def indexes_begun(self) -> list[Step]:
        """The indexes of what is declared that were made because somebody asked: of one corpus, of tokens."""
        made = {s.subject.name for s in self.ledger.current().values() if s.subject.stage == "index"}
        tokenizers = {"", *self.declaration.tokenizers, *self.declaration.bases}
        known = []
        for name in sorted(made):
            corpora, _, tokenizer = name.partition(".")
            if set(corpora.split("+")) <= set(self.declaration.corpora) and tokenizer in tokenizers:
                known.append(self.index(name))
        return in_order(known)

    @functools.cached_property
    def policy_digest(self) -> str:
        """Of the policy as it is written: a changed file is a changed declaration."""
        return sha256_file(policy_path(self.declaration.project.policy, self.project.folder))

    @property
    def gate_declared(self) -> dict[str, Any]:
        """What the gate depends on besides verdicts: that of a source and that of a corpus are one gate."""
        project = self.declaration.project
        return {
            "jurisdictions": list(project.jurisdictions),
            "uses": list(USES),
            "governance": project.governance,
        }

    def decided(self, rights: Mapping[str, Statement]) -> tuple[dict[str, str], dict[str, Any]]:
        """What decisions hold back, source → why, and what they lift, as `rights.admit` takes them."""
        if not self.gate.declared:
            return {}, {}
        clearances = self.gate.clearances(rights)
        held = {s: c.explanation for s, c in clearances.items() if c.explanation != "cleared"}
        return held, {s: [list(lift) for lift in c.lifts] for s, c in clearances.items() if c.lifts}

    @property
    def withdrawn(self) -> Withdrawn:
        """Source → the ids of its documents that are withdrawn; None: all of it."""
        return withdrawn_by(self.gate.withdrawals()[: self.withdrawals])

    @property
    def withdrawn_texts(self) -> dict[str, frozenset[str]]:
        """Source → the digests of the texts of these documents, as they were read."""
        return withdrawn_texts(self.gate.withdrawals()[: self.withdrawals])

    def as_before(self) -> Iterator[Flow]:
        """The same project as it was before its last withdrawal, before the last two, and so on."""
        for count in reversed(range(len(self.gate.withdrawals()))):
            yield Flow(self.project, self.store, self.ledger, self.lock, self.update, count)

    def overrides(self, rights: Mapping[str, Statement]) -> dict[str, list[Override]]:
        """Source → the overrides on it that wait, hold or are missed."""
        if not rights or not self.gate.declared:
            return {}
        told = self.gate.standings()
        reasons = {
            source: {code for by_use in s.figures["reasons"].values() for use in USES for code in by_use[use]}
            for source, s in rights.items()
        }
        return {source: overrides(source, reasons[source], told) for source in rights}

    @property
    def salt_file(self) -> Path:
        """Where the salt of the project's roots is kept: beside its private key."""
        return self.project.folder / ".hemicycle" / "salt"


def _check_known(what: str, names: Iterable[str], known: Collection[str]) -> None:
    for name in names:
        if name not in known:
            raise UnknownNameError(
                f"there is no {what} “{name}”",
                remedy=did_you_mean(name, known) or f"Declared: {', '.join(sorted(known)) or 'none'}.",
            )
