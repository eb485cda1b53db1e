"""The flow: which artefacts a declared project leads to, and what each of them reads.

Each method makes the step of one artefact and hands the room plain paths and values; rooms know neither
the pipeline nor each other. Read from top to bottom, this file is the flow of the design.

    raw → documents → rights ─┬→ admitted ────────┐
              │               └→ cleared ─┐       │
              └───────────────────────────┴→ annotated → corpus → tokenizer → tokens → order
                                                          ├→ index                       └→ model → evaluation
                                                          └→ roots                                └→ release
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from hemicycle.digests import sha256_file, sha256_json, sha256_text
from hemicycle.errors import DeclarationError, InputError, RightsError, UnknownNameError, did_you_mean
from hemicycle.gate import Gate
from hemicycle.governance import Standing
from hemicycle.governance.decisions import seen
from hemicycle.governance.overrides import Override, overrides
from hemicycle.ledger import Ledger, Statement
from hemicycle.ledger.lineage import standing_on
from hemicycle.project import AUTHORS, Card, Lock, Model, Project
from hemicycle.rights.policy import Use, find_policy, policy_path
from hemicycle.steps import Resolving, Step, Unresolved, Work, in_order
from hemicycle.store import Store, artefact_digest, digest_files

if TYPE_CHECKING:
    from hemicycle.release.facts import DecisionFacts

T = TypeVar("T")

#: Stage → verb that brings a project up to it.
VERBS = {
    "raw": "collect",
    "documents": "collect",
    "optout": "clear",
    "rights": "clear",
    "cleared": "clear",
    "admitted": "clear",
    "annotated": "curate",
    "corpus": "curate",
    "tokenizer": "tokenize",
    "tokens": "tokenize",
    "order": "train",
    "model": "train",
    "index": "trace",
    "roots": "prove",
    "evaluation": "evaluate",
    "release": "release",
}

#: Verb → what the names it takes are names of, and the stages of it that bear them. Other stages of a verb
#: have names of another kind: a source is annotated on the way to a corpus, and is none.
NAMED = {
    "collect": ("source", {"documents"}),
    "clear": ("source", {"rights"}),
    "curate": ("corpus", {"corpus"}),
    "tokenize": ("tokenizer or CORPUS.TOKENIZER", {"tokenizer", "tokens"}),
    "train": ("model", {"model"}),
    "trace": ("index", {"index"}),
    "prove": ("corpus", {"roots"}),
    "evaluate": ("evaluation", {"evaluation"}),
    "release": ("release", {"release"}),
}

#: Raised by one when a stage would make something else of the same input.
VERSIONS = {
    "raw": 1,
    "documents": 6,
    "optout": 3,
    "rights": 5,
    "cleared": 1,
    "admitted": 1,
    "annotated": 2,
    "corpus": 2,
    "tokenizer": 2,
    "tokens": 2,
    "order": 2,
    "model": 1,
    "index": 2,
    "roots": 1,
    "evaluation": 1,
    "release": 4,
}

#: Uses a model needs a right for. Redistribution of text is asked for where text is published.
USES: tuple[Use, ...] = ("train", "weights")


def _memo(make: Callable[[Flow, str], Step]) -> Callable[[Flow, str], Step]:
    """One step per artefact, so that two readers of it share it."""

    @functools.wraps(make)
    def once(self: Flow, name: str) -> Step:
        key = (make.__name__, name)
        if key not in self.made:
            self.made[key] = make(self, name)
        return self.made[key]

    return once


class Flow:
    """The steps of one project. `update` names sources to fetch anew although the lock pins them."""

    def __init__(
        self,
        project: Project,
        store: Store,
        ledger: Ledger,
        lock: Lock,
        update: frozenset[str] = frozenset(),
    ) -> None:
        self.project, self.store, self.ledger, self.lock, self.update = project, store, ledger, lock, update
        self.declaration = project.declaration
        self.gate = Gate(project, ledger)
        self.made: dict[tuple[str, str], Step] = {}

    def all_steps(self) -> list[Step]:
        """Everything the project declares, inputs first."""
        d = self.declaration
        ends = [self.evaluation(n) for n in d.evaluations] + [self.release(n) for n in d.releases]
        ends += [self.model(n) for n in d.models] + [self.tokenizer(n) for n in d.tokenizers]
        ends += [self.index(index_name(m)) for m in d.models.values()]
        # Sources come first in the order of the work, so that what is refused is known early.
        sources = [self.rights(n) for n in self.project.cards]
        # A root must be in the ledger before anybody asks what it answers.
        corpora = [step for n in d.corpora for step in (self.corpus(n), self.roots(n))]
        return in_order(sources + corpora + ends)

    def up_to(self, verb: str, names: tuple[str, ...] = ()) -> list[Step]:
        """The steps a verb makes, with all they stand on; `names` keeps those artefacts only."""
        steps = [s for s in self.all_steps() if VERBS[s.stage] == verb]
        what, stages = NAMED[verb]
        known = {s.name for s in steps if s.stage in stages}
        for name in names:
            if name not in known:
                raise UnknownNameError(
                    f"there is no {what} “{name}”",
                    remedy=did_you_mean(name, known) or f"Declared: {', '.join(sorted(known)) or 'none'}.",
                )
        return in_order([s for s in steps if not names or s.name in names])

    def _card(self, name: str) -> Card:
        return self.project.cards[name]

    @_memo
    def raw(self, name: str) -> Step:
        """The files of a source, as they came."""
        card = self._card(name)
        local = card.path is not None and not card.path.startswith("hf:")
        place = card.model_dump(include={"path", "urls", "packages", "digests"}, exclude_none=True)
        if card.path:
            place |= {"include": card.include, "exclude": card.exclude}
        if local:
            # A folder's name may tell of a home or a client, and statements are published; what counts is
            # the files, and those are in the fingerprint.
            place["path"] = "local"
        declared = sha256_json(place)

        def build(work: Work) -> dict[str, Any]:
            from hemicycle.sources.collect import collect

            locked = self.lock.get("raw", name) or {}
            pinned = locked if locked.get("declared") == declared and name not in self.update else {}
            with _naming(name):
                figures = collect(
                    card,
                    self.project.folder,
                    work.out,
                    work.scratch,
                    pinned=pinned.get("packages", {}),
                    offline=work.offline,
                    progress=work.progress,
                )
            digest = artefact_digest(digest_files(work.out))
            if not card.path and pinned and pinned["digest"] != digest:
                raise InputError(
                    "the publisher's files are no longer those of hemicycle.lock",
                    place=f"source {name}",
                    remedy=f"See what changed, then accept it with `hemicycle collect --update {name}`.",
                )
            return figures

        def resolve(at: Resolving) -> dict[str, Any]:
            from hemicycle.sources.local import fingerprint

            cache = self.store.cache / f"{name}.files.json"
            with _naming(name):
                return {"files": fingerprint(self._local_path(card), card, cache)}

        def settle(statement: Statement, lock: Lock) -> None:
            entry = {"declared": declared, "digest": statement.digest}
            entry |= {"packages": p} if (p := statement.figures.get("packages")) else {}
            if lock.get("raw", name) != entry:
                lock.set("raw", name, entry)

        return Step(
            "raw",
            name,
            VERSIONS["raw"],
            place,
            build,
            resolve=resolve if local else None,
            settle=settle,
            rebuildable=False,
            optional=card.optional,
        )

    def _local_path(self, card: Card) -> Path:
        return (self.project.folder / str(card.path)).resolve()

    @_memo
    def documents(self, name: str) -> Step:
        """What a source's files say, as documents."""
        card = self._card(name)

        def build(work: Work) -> dict[str, Any]:
            from hemicycle.sources.read import read_source

            return read_source(name, card, work.inputs["raw"], work.out, progress=work.progress)

        shared = {"reader", "include", "exclude", "kind", "language", "variety", "text_field", "id_field"}
        declared = card.model_dump(include=shared | ({"extractor"} if card.reader == "web" else set()))
        declared["tables"] = _tables("sources")
        return Step("documents", name, VERSIONS["documents"], declared, build, {"raw": self.raw(name)})

    @_memo
    def rights(self, name: str) -> Step:
        """The verdicts on a source's documents, computed for a day and kept while they hold."""
        card = self._card(name)
        jurisdictions = list(self.declaration.project.jurisdictions)
        authority = self.project.folder / AUTHORS
        declared = {
            "rights": card.rights.model_dump(mode="json"),
            "jurisdictions": jurisdictions,
            "policy": self.policy_digest,
            "authors": sha256_file(authority) if authority.is_file() else None,
            "tables": _tables("rights"),
        }

        def subject(statements: Mapping[str, Statement]) -> str:
            return sha256_json([declared, *(statements[role].digest for role in sorted(statements))])

        def resolve(at: Resolving) -> dict[str, Any]:
            locked = at.lock.get("rights", name)
            today = at.today.isoformat()
            if locked and locked["of"] == subject(at.statements) and locked["as_of"] <= today:
                until = locked.get("holds_until")
                if until is None or today < until:
                    return {"as_of": locked["as_of"]}
            return {"as_of": today}

        def build(work: Work) -> dict[str, Any]:
            from hemicycle.rights import decide

            figures = decide(
                work.inputs["documents"] / "documents.parquet",
                card,
                name,
                jurisdictions,
                date.fromisoformat(work.resolved["as_of"]),
                work.out,
                policy=find_policy(self.declaration.project.policy, self.project.folder),
                authority=authority if authority.is_file() else None,
                rechecked=work.inputs["optout"] / "optout.parquet" if "optout" in work.inputs else None,
                progress=work.progress,
            )
            return {**figures, "of": subject(work.statements)}

        def settle(statement: Statement, lock: Lock) -> None:
            entry = {
                "of": statement.figures["of"],
                "as_of": statement.declaration["resolved"]["as_of"],
            }
            if statement.figures.get("holds_until"):
                entry["holds_until"] = statement.figures["holds_until"]
            if lock.get("rights", name) != entry:
                lock.set("rights", name, entry)

        return Step(
            "rights",
            name,
            VERSIONS["rights"],
            declared,
            build,
            {"documents": self.documents(name)}
            | ({"optout": self.optout(name)} if card.reader == "web" else {}),
            resolve=resolve,
            settle=settle,
            evidence=True,
        )

    @functools.cached_property
    def policy_digest(self) -> str:
        """Of the policy as it is written: a changed file is a changed declaration."""
        return sha256_file(policy_path(self.declaration.project.policy, self.project.folder))

    @_memo
    def optout(self, name: str) -> Step:
        """What a web source's pages and sites say now of being mined, where the evidence is too old."""
        card = self._card(name)
        policy = find_policy(self.declaration.project.policy, self.project.folder)
        declared = {"age_days": policy.opt_out_age_days}

        def resolve(at: Resolving) -> dict[str, Any]:
            collected = date.fromisoformat(at.statements["documents"].figures["retrieved"][:10])
            locked = at.lock.get("optout", name) or {}
            checked = date.fromisoformat(locked.get("checked", collected.isoformat()))
            last = max(checked, collected)
            if 0 <= (at.today - last).days < policy.opt_out_age_days:
                return {"checked": None if last == collected else last.isoformat()}
            return {"checked": at.today.isoformat()}

        def build(work: Work) -> dict[str, Any]:
            from hemicycle.sources.recheck import recheck_source

            checked = work.resolved["checked"]
            return recheck_source(
                work.inputs["documents"] / "documents.parquet",
                work.out,
                declared=card.urls or (),
                fetch=checked is not None,
                offline=work.offline,
                age_days=policy.opt_out_age_days,
                progress=work.progress,
            )

        def settle(statement: Statement, lock: Lock) -> None:
            checked = statement.declaration["resolved"]["checked"]
            if checked is not None and lock.get("optout", name) != {"checked": checked}:
                lock.set("optout", name, {"checked": checked})

        return Step(
            "optout",
            name,
            VERSIONS["optout"],
            declared,
            build,
            {"documents": self.documents(name)},
            resolve=resolve,
            settle=settle,
            rebuildable=False,
            evidence=True,
        )

    @_memo
    def admitted(self, name: str) -> Step:
        """The gate: which documents rights let through. Holds no dates, so a new day may change nothing."""
        sources = self.declaration.corpora[name].sources
        jurisdictions = list(self.declaration.project.jurisdictions)

        def resolve(at: Resolving) -> dict[str, Any]:
            held, lifted = self.decided(at.statements)
            return {"held": held, "lifted": lifted}

        def build(work: Work) -> dict[str, Any]:
            from hemicycle.rights import admit

            return admit(work.inputs, jurisdictions, work.out, uses=USES, **work.resolved)

        return Step(
            "admitted",
            name,
            VERSIONS["admitted"],
            self.gate_declared,
            build,
            {source: self.rights(source) for source in sources},
            resolve=resolve if self.gate.declared else None,
            may_lack=frozenset(sources),
            evidence=True,
        )

    @_memo
    def cleared(self, name: str) -> Step:
        """The gate of one source: which of its documents go on, row for row.

        It judges by the function of `admitted` and does not read what that wrote, nor the other way: a corpus
        has many sources and a source many corpora; and what `admitted` says of refused documents, their
        reasons, must not be in here, or each reason that changes would have the source annotated anew.
        """
        jurisdictions = list(self.declaration.project.jurisdictions)

        def resolve(at: Resolving) -> dict[str, Any]:
            held, lifted = self.decided({name: at.statements["rights"]})
            return {"held": held, "lifted": lifted}

        def build(work: Work) -> dict[str, Any]:
            from hemicycle.rights.cleared import clear_source

            documents = work.inputs["documents"] / "documents.parquet"
            return clear_source(
                name, documents, work.inputs["rights"], jurisdictions, work.out, uses=USES, **work.resolved
            )

        return Step(
            "cleared",
            name,
            VERSIONS["cleared"],
            self.gate_declared,
            build,
            {"documents": self.documents(name), "rights": self.rights(name)},
            resolve=resolve if self.gate.declared else None,
        )

    @_memo
    def annotated(self, name: str) -> Step:
        """What may go on of a source, cleaned and measured; no bound is applied yet."""
        card = self._card(name)
        model = (self.project.folder / card.names_model).resolve() if card.names_model is not None else None

        # Another folder is another model asked for; the same folder is what the lock says it was.
        asked = sha256_text(card.names_model or "")

        def measured() -> dict[str, Any]:
            from hemicycle.curate.names_presidio import provenance

            assert model is not None
            with _naming(name):
                return provenance(model)

        def resolve(at: Resolving) -> dict[str, Any]:
            # What is annotated must be of use where neither the extra nor the model is.
            locked = at.lock.get("names", name)
            if locked and locked.pop("of") == asked:
                return {"names": locked}
            if at.looking:
                raise Unresolved("its model of names is looked at when it runs")
            return {"names": measured()}

        def build(work: Work) -> dict[str, Any]:
            from hemicycle.curate import annotate_source

            if model is not None and measured() != work.resolved["names"]:
                raise InputError(
                    "the model of names, Presidio or spaCy is no longer that of hemicycle.lock",
                    place=f"source {name}",
                    remedy=f"Put it back, or delete [names.{name}] in hemicycle.lock to use what is here.",
                )
            return annotate_source(
                work.inputs["documents"] / "documents.parquet",
                work.inputs["cleared"] / "cleared.parquet",
                work.out,
                work.scratch,
                also=card.personal,
                names_model=model,
                engine=work.engine,
                progress=work.progress,
            )

        def settle(statement: Statement, lock: Lock) -> None:
            entry = {"of": asked, **statement.declaration["resolved"]["names"]}
            if lock.get("names", name) != entry:
                lock.set("names", name, entry)

        from hemicycle.curate.versions import annotation_versions

        inputs = {"documents": self.documents(name), "cleared": self.cleared(name)}
        declared = annotation_versions()
        if card.personal:
            declared["also_masked"] = sorted(set(card.personal))
        # Where the model lies may tell of a home; what counts is what it is, and that is resolved.
        return Step(
            "annotated",
            name,
            VERSIONS["annotated"],
            declared,
            build,
            inputs,
            resolve=resolve if model is not None else None,
            settle=settle if model is not None else None,
        )

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

    @_memo
    def corpus(self, name: str) -> Step:
        corpus = self.declaration.corpora[name]
        sources = corpus.sources

        def resolve(at: Resolving) -> dict[str, Any]:
            # Here and not in `build`, so that a look knows it too.
            if not at.statements["admitted"].figures["admitted"]:
                every = list(self.ledger.current().values())
                made = sorted({one for source in sources for one in standing_on(every, "raw", source)})
                raise RightsError(
                    f"no document of corpus “{name}” is cleared"
                    + (f"; made of its sources so far: {', '.join(made)}" if made else ""),
                    remedy="`hemicycle clear` says for each source what holds it back.",
                )
            return {}

        def build(work: Work) -> dict[str, Any]:
            from hemicycle.curate import make_corpus

            return make_corpus(
                {role: folder for role, folder in work.inputs.items() if role != "admitted"},
                work.out,
                work.scratch,
                rules=[rule for rules in sets for rule in rules.rules],
                held_out=corpus.held_out,
                near=corpus.near_duplicates,
                engine=work.engine,
                progress=work.progress,
            )

        from hemicycle.curate.rules import load_sets, sets_digest
        from hemicycle.curate.twins import TWINS

        place = self.project.place("corpora", name, "rules")
        sets = load_sets(corpus.rules, self.project.folder, place=place)
        declared = {
            "held_out": corpus.held_out,
            "rules": sets_digest(sets),
            "near_duplicates": TWINS if corpus.near_duplicates else None,
        }
        inputs = {source: self.annotated(source) for source in sources}
        return Step(
            "corpus",
            name,
            VERSIONS["corpus"],
            declared,
            build,
            {**inputs, "admitted": self.admitted(name)},
            resolve=resolve,
            may_lack=frozenset(inputs),
        )

    @_memo
    def index(self, name: str) -> Step:
        """The index of what a model reads; `name` is that of its corpora, sorted, joined by ``+``."""
        corpora = name.split("+")

        def build(work: Work) -> dict[str, Any]:
            from hemicycle.trace import build_index

            return build_index([work.inputs[c] for c in corpora], work.out, progress=work.progress)

        inputs = {corpus: self.corpus(corpus) for corpus in corpora}
        return Step("index", name, VERSIONS["index"], {}, build, inputs)

    @property
    def salt_file(self) -> Path:
        """Where the salt of the project's roots is kept: beside its private key."""
        return self.project.folder / ".hemicycle" / "salt"

    @_memo
    def roots(self, name: str) -> Step:
        """The root of a corpus, by which a proof can say whether a text is in it."""

        def resolve(at: Resolving) -> dict[str, Any]:
            from hemicycle.ledger.roots import Keys, load_or_make_salt

            if at.looking and not self.salt_file.exists():
                raise Unresolved("its salt is made when it runs")
            keys = Keys.derive(load_or_make_salt(self.salt_file), at.statements["corpus"].digest)
            return {"salt_id": keys.salt_id}

        def build(work: Work) -> dict[str, Any]:
            from hemicycle.ledger.roots import Keys, load_or_make_salt, make_root

            digest = work.statements["corpus"].digest
            return make_root(
                work.inputs["corpus"],
                work.out,
                name=name,
                corpus_digest=digest,
                keys=Keys.derive(load_or_make_salt(self.salt_file), digest),
                words_digest=words_digest,
                normalisation=normalisation(),
                progress=work.progress,
            )

        inputs = {"corpus": self.corpus(name)}
        return Step("roots", name, VERSIONS["roots"], {}, build, inputs, resolve=resolve)

    @_memo
    def tokenizer(self, name: str) -> Step:
        tokenizer = self.declaration.tokenizers[name]
        base = (self.project.folder / tokenizer.extends).resolve() if tokenizer.extends is not None else None

        def resolve(at: Resolving) -> dict[str, Any]:
            from hemicycle.tokens.extend import base_files

            return {"base": [[f.name, sha256_file(f)] for f in base_files(base)]} if base else {}

        def build(work: Work) -> dict[str, Any]:
            from hemicycle.tokens import extend_tokenizer, train_tokenizer

            corpus, sources = work.inputs["corpus"], tokenizer.sources
            if tokenizer.vocab is not None:
                return train_tokenizer(
                    corpus, work.out, vocab=tokenizer.vocab, sources=sources, progress=work.progress
                )
            assert base is not None
            assert tokenizer.add is not None
            return extend_tokenizer(
                corpus, base, work.out, add=tokenizer.add, sources=sources, progress=work.progress
            )

        # Where the base lies may tell of a home; what counts is its files, and those are resolved.
        return Step(
            "tokenizer",
            name,
            VERSIONS["tokenizer"],
            tokenizer.model_dump(include={"vocab", "sources", "add"}, exclude_none=True),
            build,
            {"corpus": self.corpus(tokenizer.corpus)},
            resolve=resolve if base else None,
        )

    @_memo
    def tokens(self, name: str) -> Step:
        """Tokens of one corpus under one tokenizer; `name` is ``CORPUS.TOKENIZER``."""
        corpus, tokenizer = name.split(".")

        def build(work: Work) -> dict[str, Any]:
            from hemicycle.tokens import tokenize

            return tokenize(work.inputs["corpus"], work.inputs["tokenizer"], work.out, progress=work.progress)

        inputs = {"corpus": self.corpus(corpus), "tokenizer": self.tokenizer(tokenizer)}
        return Step("tokens", name, VERSIONS["tokens"], {}, build, inputs)

    def _token_inputs(self, model: Model) -> dict[str, Step]:
        return {corpus: self.tokens(f"{corpus}.{model.tokenizer}") for corpus in sorted(model.corpora)}

    def _resolve_run(self, name: str, at: Resolving) -> dict[str, Any]:
        """Steps and arithmetic of a model's run, from the lock or by measuring."""
        from hemicycle.train import derive_shape

        model = self.declaration.models[name]
        vocabulary = at.statements["tokenizer"].figures["vocabulary"]
        shape = derive_shape(model, vocabulary)
        subject = sha256_json(
            [model.model_dump(include={"architecture", "budget", "batch_tokens", "seed"}), vocabulary]
        )
        locked = at.lock.get("model", name)
        if locked is None or locked.get("of") != subject:
            if at.looking:
                raise Unresolved("its budget becomes steps when it runs")
            from hemicycle.train import few_steps, resolve_run

            run = resolve_run(
                shape, model.budget, model.seed, cache=self.store.cache / "compiled", progress=at.progress
            )
            if doubt := few_steps(name, model.budget, run.steps):
                at.progress.say(doubt)
            locked = {"of": subject, **run.to_json()}
            at.lock.set("model", name, locked)
        return {k: v for k, v in locked.items() if k != "of"}

    @_memo
    def order(self, name: str) -> Step:
        """The plan of a model's run: which rows at which step."""
        from hemicycle.train import derive_shape

        model = self.declaration.models[name]

        def build(work: Work) -> dict[str, Any]:
            from hemicycle.tokens import Mixture, make_plan, shortfalls

            shape = derive_shape(model, work.statements["tokenizer"].figures["vocabulary"])
            tokens = {c: f for c, f in work.inputs.items() if c in model.corpora}
            plan = make_plan(
                tokens,
                model.corpora,
                work.out,
                context=shape.context,
                batch_rows=shape.batch_rows,
                steps=work.resolved["steps"],
                seed=model.seed,
                mix=Mixture(**model.mix.model_dump()) if model.mix else None,
            )
            for sentence in shortfalls(plan):
                work.progress.say(f"model {name}: {sentence}")
            return plan

        declared = {
            "shares": model.corpora,
            "mix": model.mix.model_dump() if model.mix else None,
            "context": model.architecture.context,
            "batch_tokens": model.batch_tokens,
            "seed": model.seed,
        }
        return Step(
            "order",
            name,
            VERSIONS["order"],
            declared,
            build,
            {**self._token_inputs(model), "tokenizer": self.tokenizer(model.tokenizer)},
            resolve=lambda at: {"steps": self._resolve_run(name, at)["steps"]},
        )

    @_memo
    def model(self, name: str) -> Step:
        model = self.declaration.models[name]

        def build(work: Work) -> dict[str, Any]:
            from hemicycle.train import Run, derive_shape
            from hemicycle.train.loop import train

            return train(
                work.inputs["order"],
                {c: f for c, f in work.inputs.items() if c in model.corpora},
                work.inputs["tokenizer"],
                work.out,
                work.scratch,
                shape=derive_shape(model, work.statements["tokenizer"].figures["vocabulary"]),
                run=Run(**work.resolved),
                name=name,
                cache=self.store.cache / "compiled",
                progress=work.progress,
            )

        declared = {"method": model.method, "architecture": model.architecture.model_dump()}

        def resolve(at: Resolving) -> dict[str, Any]:
            run = self._resolve_run(name, at)
            covers = {
                "plan": at.statements["order"].digest,
                "run": sha256_json([declared, run, {r: s.digest for r, s in at.statements.items()}]),
            }
            budget = model.budget.model_dump(mode="json", exclude_none=True)
            self.gate.require("run", name, covers, {**declared, **run, "budget": budget})
            return run

        inputs = {
            **self._token_inputs(model),
            "tokenizer": self.tokenizer(model.tokenizer),
            "order": self.order(name),
        }
        return Step(
            "model",
            name,
            VERSIONS["model"],
            declared,
            build,
            inputs,
            resolve=resolve,
            rebuildable=False,
        )

    @_memo
    def evaluation(self, name: str) -> Step:
        evaluation = self.declaration.evaluations[name]
        corpora = sorted({c for m in evaluation.models for c in self.declaration.models[m].corpora})
        learnt_on = sorted({self._tokenizer_corpus(m) for m in evaluation.models} - set(corpora))
        compared = [(self.project.folder / c).resolve() for c in evaluation.compare]

        def resolve(at: Resolving) -> dict[str, Any]:
            for folder in compared:
                if not (folder / "config.json").is_file():
                    raise DeclarationError(
                        "this is not a model's folder: it has no config.json", place=str(folder)
                    )
            return {"compare": [[f.name, artefact_digest(digest_files(f))] for f in compared]}

        def build(work: Work) -> dict[str, Any]:
            from hemicycle.evaluate import evaluate

            return evaluate(
                {m: work.inputs[f"model {m}"] for m in evaluation.models},
                {c: work.inputs[f"corpus {c}"] for c in corpora},
                work.out,
                compare=compared,
                tokenizer_corpora={c: work.inputs[f"tokenizer {c}"] for c in learnt_on},
                progress=work.progress,
            )

        inputs = {f"model {m}": self.model(m) for m in evaluation.models}
        inputs |= {f"corpus {c}": self.corpus(c) for c in corpora}
        inputs |= {f"tokenizer {c}": self.corpus(c) for c in learnt_on}
        return Step(
            "evaluation",
            name,
            VERSIONS["evaluation"],
            {},
            build,
            inputs,
            resolve=resolve if compared else None,
        )

    def _tokenizer_corpus(self, model: str) -> str:
        return self.declaration.tokenizers[self.declaration.models[model].tokenizer].corpus

    @_memo
    def release(self, name: str) -> Step:
        release = self.declaration.releases[name]
        model = self.declaration.models[release.model]
        sources = sorted({s for c in model.corpora for s in self.declaration.corpora[c].sources})
        evaluations = [n for n, e in self.declaration.evaluations.items() if release.model in e.models]

        def build(work: Work) -> dict[str, Any]:
            from hemicycle.release import make_release
            from hemicycle.rights.lifting import lets_through

            self._check_licence(work)
            rights = _with_role(work.inputs, "rights")
            refused = _with_role(work.inputs, "admitted")
            admitted = [folder / "admitted.parquet" for folder in refused.values()]
            behind = self.gate.behind(
                name,
                work.statements["model"],
                _with_role(work.statements, "rights"),
                lambda source, lifted: lets_through(source, rights[source], admitted, USES, lifted),
            )
            return make_release(
                work.out,
                name=name,
                declaration=self.declaration,
                cards=self.project.cards,
                model=work.inputs["model"],
                statements=self._lineage(work.statements["model"], work.statements.values()),
                corpora=_with_role(work.inputs, "corpus"),
                rights=rights,
                refused=refused,
                evaluations=_with_role(work.inputs, "evaluation"),
                ledger=self.ledger,
                approvals=self.gate.approvals,
                decisions=self._told(behind),
                progress=work.progress,
            )

        inputs: dict[str, Step] = {"model": self.model(release.model)}
        inputs |= {f"corpus {c}": self.corpus(c) for c in model.corpora}
        inputs |= {f"admitted {c}": self.admitted(c) for c in model.corpora}
        inputs |= {f"evaluation {e}": self.evaluation(e) for e in evaluations}
        inputs |= {f"rights {s}": self.rights(s) for s in sources}
        # Nothing of it is published but the statement: with it, the root stands in the release's own ledger.
        inputs |= {f"roots {c}": self.roots(c) for c in model.corpora}
        project = self.declaration.project
        declared = {
            "release": release.model_dump(),
            "project": project.model_dump(include={"name", "jurisdictions", "license", "governance"}),
            "cards": {
                s: self._card(s).model_dump(mode="json", exclude={"path", "digests", "names_model"})
                for s in sources
            },
            "tables": _tables("release"),
        }
        may_lack = frozenset(r for r in inputs if r.startswith(("rights ", "evaluation ")))

        def resolve(at: Resolving) -> dict[str, Any]:
            verdicts = {s: seen(r) for s, r in _with_role(at.statements, "rights").items()}
            measured = {e: s.digest for e, s in _with_role(at.statements, "evaluation").items()}
            said = {key: declared[key] for key in ("release", "project", "cards")}
            covers = {
                "model": at.statements["model"].digest,
                "release": sha256_json([said, verdicts, measured]),
            }
            figures = at.statements["model"].figures
            self.gate.require("release", name, covers, {"tokens": figures["tokens"], "sources": sources})
            return {}

        return Step(
            "release",
            name,
            VERSIONS["release"],
            declared,
            build,
            inputs,
            resolve=resolve if self.gate.declared else None,
            may_lack=may_lack,
            rebuildable=False,
            seals=True,
        )

    def _told(self, decisions: list[Standing]) -> tuple[DecisionFacts, ...]:
        """Decisions as the pages of a release show them."""
        from hemicycle.release.facts import DecisionFacts, SignerFacts

        return tuple(
            DecisionFacts(
                one.decision.kind,
                one.decision.subject,
                one.decision.reason,
                tuple(
                    SignerFacts(s.person, self.gate.name_of(s.person), s.role, s.entered.date().isoformat())
                    for s in one.entry.signed
                ),
            )
            for one in decisions
        )

    def _check_licence(self, work: Work) -> None:
        """Refuse a licence of the weights that does not follow from what they were made of."""
        from hemicycle.rights.aggregate import follows
        from hemicycle.rights.parts import parts_of

        project = self.declaration.project
        rights, admitted = _with_role(work.inputs, "rights"), _with_role(work.inputs, "admitted")
        parts = parts_of(rights, admitted, self.project.cards)
        blockers = follows(project.license, parts, find_policy(project.policy, self.project.folder))
        if blockers:
            more = f" (and {len(blockers) - 1} more)" if len(blockers) > 1 else ""
            raise RightsError(
                f"weights under {project.license} do not follow: {blockers[0].en}{more}",
                place=str(self.project.folder / "hemicycle.toml"),
                remedy=f"Take {blockers[0].part.name} out of the corpus, or declare another license.",
            )

    def _lineage(self, model: Statement, others: Any) -> dict[str, Statement]:
        """``stage/name`` → statement, for the model, all it stands on, and what else the release shows."""
        from hemicycle.ledger import lineage

        every = list(self.ledger.current().values())
        found = {}
        for statement in [*others, model]:
            for ancestor in lineage(every, str(statement.subject)):
                s = ancestor.statement
                found[f"{s.subject.stage}/{s.subject.name}"] = s
        return found


@contextlib.contextmanager
def _naming(source: str) -> Iterator[None]:
    """Put the name of a source's card before the place of whatever is wrong with its files."""
    try:
        yield
    except (InputError, DeclarationError) as error:
        place = f"source {source}, {error.place}" if error.place else f"source {source}"
        raise type(error)(error.what, place=place, remedy=error.remedy) from None


def index_name(model: Model) -> str:
    """The name of the index of what a model reads. Models that read the same corpora share it."""
    return "+".join(sorted(model.corpora))


def words_digest(text: str) -> str | None:
    """SHA-256 of the normalised words of a cleaned text, one a line; None where it has none."""
    from hemicycle.trace.words import split_words

    words = split_words(text).words
    return sha256_text("\n".join(words)) if words else None


def normalisation() -> str:
    """What makes the words of a text, in the versions that count."""
    from hemicycle.curate.clean import CLEANING
    from hemicycle.trace.words import NORMALISATION

    return f"cleaning {CLEANING}, words {NORMALISATION}"


def fingerprints(text: str) -> dict[str, str]:
    """What a root would hold of a text: the digest of its bytes, and that of its words if it has any."""
    from hemicycle.curate.clean import clean

    words = words_digest(clean(text).text)
    return {"text": sha256_text(text)} | ({"words": words} if words else {})


def _with_role(inputs: Mapping[str, T], stage: str) -> dict[str, T]:
    return {role.removeprefix(f"{stage} "): p for role, p in inputs.items() if role.startswith(f"{stage} ")}


def _tables(room: str) -> str:
    """One digest over a room's data files: a changed rule, name or template is a changed declaration."""
    folder = Path(__file__).parent / room
    files = sorted(f for f in folder.rglob("*") if f.suffix in {".csv", ".toml", ".jinja"})
    return sha256_json([[f.relative_to(folder).as_posix(), sha256_file(f)] for f in files])
