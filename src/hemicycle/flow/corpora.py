"""The steps of a corpus: its gate, its text, what answers for it, and its tokens."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hemicycle.digests import sha256_file
from hemicycle.errors import RightsError
from hemicycle.flow.stages import USES, VERSIONS, once, tables
from hemicycle.flow.texts import normalisation, words_digest
from hemicycle.flow.withdrawn import corpus_without, tokens_before, tokens_without
from hemicycle.governance.decisions import WHOLE
from hemicycle.ledger.lineage import standing_on
from hemicycle.steps import Resolving, Step, Unresolved, Work

if TYPE_CHECKING:
    from hemicycle.flow.flow import Flow


@once
def admitted(flow: Flow, name: str) -> Step:
    """The gate: which documents rights let through. Holds no dates, so a new day may change nothing."""
    sources = flow.declaration.corpora[name].sources
    jurisdictions = list(flow.declaration.project.jurisdictions)

    def resolve(at: Resolving) -> dict[str, Any]:
        held, lifted = flow.decided(at.statements)
        return {"held": held, "lifted": lifted}

    def build(work: Work) -> dict[str, Any]:
        from hemicycle.rights import admit

        return admit(work.inputs, jurisdictions, work.out, uses=USES, **work.resolved)

    return Step(
        "admitted",
        name,
        VERSIONS["admitted"],
        flow.gate_declared,
        build,
        {source: flow.rights(source) for source in sources},
        resolve=resolve if flow.gate.declared else None,
        may_lack=frozenset(sources),
        evidence=True,
    )


@once
def corpus(flow: Flow, name: str) -> Step:
    corpus = flow.declaration.corpora[name]
    sources = corpus.sources

    def resolve(at: Resolving) -> dict[str, Any]:
        # Here and not in `build`, so that a look knows it too.
        if not at.statements["admitted"].figures["admitted"]:
            every = list(flow.ledger.current().values())
            made = sorted({one for source in sources for one in standing_on(every, "raw", source)})
            raise RightsError(
                f"no document of corpus “{name}” is cleared"
                + (f"; made of its sources so far: {', '.join(made)}" if made else ""),
                remedy="`hemicycle clear` says for each source what holds it back.",
            )
        withdrawn, texts = flow.withdrawn, flow.withdrawn_texts
        gone = {source: withdrawn[source] for source in sources if source in withdrawn}
        # Nothing where nothing is, so that a corpus of which nothing ever was keeps its key.
        if not gone:
            return {}
        named = {
            s: WHOLE if ids is None else {"ids": sorted(ids), "texts": sorted(texts[s])}
            for s, ids in gone.items()
        }
        return {"withdrawn": named}

    def build(work: Work) -> dict[str, Any]:
        if "withdrawn" in work.resolved:
            return corpus_without(flow, flow.corpus(name), work, make)
        return make(work, work.out)

    def make(work: Work, out: Path) -> dict[str, Any]:
        from hemicycle.curate import make_corpus

        return make_corpus(
            {role: folder for role, folder in work.inputs.items() if role != "admitted"},
            out,
            work.scratch,
            rules=[rule for rules in sets for rule in rules.rules],
            held_out=corpus.held_out,
            near=corpus.near_duplicates,
            engine=work.engine,
            progress=work.progress,
        )

    from hemicycle.curate.rules import load_sets, sets_digest
    from hemicycle.curate.twins import TWINS

    place = flow.project.place("corpora", name, "rules")
    sets = load_sets(corpus.rules, flow.project.folder, place=place)
    declared = {
        "held_out": corpus.held_out,
        "rules": sets_digest(sets),
        "near_duplicates": TWINS if corpus.near_duplicates else None,
    }
    inputs = {source: flow.annotated(source) for source in sources}
    return Step(
        "corpus",
        name,
        VERSIONS["corpus"],
        declared,
        build,
        {**inputs, "admitted": flow.admitted(name)},
        resolve=resolve,
        may_lack=frozenset(inputs),
    )


def index_name(flow: Flow, model: str, tokenizer: str | None = None) -> str:
    """The name of the index of what a model reads, and of what it was made from read. Models that read the
    same corpora share it. With a tokenizer, that of its tokens instead of words."""
    corpora = "+".join(flow.declaration.corpora_behind(model))
    return f"{corpora}.{tokenizer}" if tokenizer else corpora


def _sound_indexes(flow: Flow) -> list[Path]:
    """The indexes whose manifest is what the ledger says; it names the digests of all their files."""
    from hemicycle.trace.index import MANIFEST

    found = []
    for statement in flow.ledger.current().values():
        if statement.subject.stage == "index":
            made = statement.subject
            folder = flow.store.folder_of(made)
            stated = {file.path: file.sha256 for file in statement.files}.get(MANIFEST)
            if (folder / MANIFEST).is_file() and sha256_file(folder / MANIFEST) == stated:
                found.append(folder)
    return found


@once
def index(flow: Flow, name: str) -> Step:
    """The index of some corpora; `name` is theirs, sorted, joined by ``+``. One of tokens has the name of the
    tokenizer after a dot."""
    joined, _, tokenizer = name.partition(".")
    corpora = joined.split("+")
    memory = flow.declaration.project.index_memory

    def resolve(at: Resolving) -> dict[str, Any]:
        # Here too, so that a look knows it: no run would make it.
        figures = [at.statements[c].figures for c in corpora]
        if not any(one["totals"]["train"] for one in figures) and any("withdrawn" in one for one in figures):
            raise RightsError(
                f"after what was withdrawn, {' and '.join(corpora)} has no document to train on: "
                "there is nothing to index",
                remedy="Take the models that read it out of the declaration, or give them other corpora.",
            )
        return {}

    def build(work: Work) -> dict[str, Any]:
        from hemicycle.trace import build_index

        return build_index(
            [work.inputs[c] for c in corpora],
            work.out,
            memory=round(memory * 1e9),
            tokenizer=work.inputs["tokenizer"] if tokenizer else None,
            earlier=_sound_indexes(flow),
            version=VERSIONS["index"],
            scratch=work.scratch,
            engine=work.engine,
            progress=work.progress,
        )

    inputs = {corpus: flow.corpus(corpus) for corpus in corpora}
    if tokenizer:
        inputs["tokenizer"] = flow.tokenizer(tokenizer)
    return Step("index", name, VERSIONS["index"], {"memory": memory}, build, inputs, resolve=resolve)


@once
def roots(flow: Flow, name: str) -> Step:
    """The root of a corpus, by which a proof can say whether a text is in it."""

    def resolve(at: Resolving) -> dict[str, Any]:
        from hemicycle.ledger.roots import Keys, load_or_make_salt

        if at.looking and not flow.salt_file.exists():
            raise Unresolved("its salt is made when it runs")
        keys = Keys.derive(load_or_make_salt(flow.salt_file), at.statements["corpus"].digest)
        return {"salt_id": keys.salt_id}

    def build(work: Work) -> dict[str, Any]:
        from hemicycle.ledger.roots import Keys, load_or_make_salt, make_root

        digest = work.statements["corpus"].digest
        return make_root(
            work.inputs["corpus"],
            work.out,
            name=name,
            corpus_digest=digest,
            keys=Keys.derive(load_or_make_salt(flow.salt_file), digest),
            words_digest=words_digest,
            normalisation=normalisation(),
            progress=work.progress,
        )

    inputs = {"corpus": flow.corpus(name)}
    return Step("roots", name, VERSIONS["roots"], {}, build, inputs, resolve=resolve)


@once
def tokenizer(flow: Flow, name: str) -> Step:
    """A declared tokenizer; by the name of a base, the files of that base, its tokenizer among them."""
    if name in flow.declaration.bases:
        return flow.base(name)
    tokenizer = flow.declaration.tokenizers[name]
    inputs = {"corpus": flow.corpus(tokenizer.corpus)}
    base = None
    if tokenizer.extends in flow.declaration.bases:
        inputs["base"] = flow.base(tokenizer.extends)
    elif tokenizer.extends is not None:
        base = (flow.project.folder / tokenizer.extends).resolve()

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
        extended = base or work.inputs["base"]
        assert tokenizer.add is not None
        return extend_tokenizer(
            corpus, extended, work.out, add=tokenizer.add, sources=sources, progress=work.progress
        )

    # Where the base lies may tell of a home; what counts is its files, and those are resolved.
    return Step(
        "tokenizer",
        name,
        VERSIONS["tokenizer"],
        tokenizer.model_dump(include={"vocab", "sources", "add"}, exclude_none=True),
        build,
        inputs,
        resolve=resolve if base else None,
        # What was withdrawn is not unlearnt: its statement says which corpus it was learnt from.
        before=frozenset({"corpus"}),
    )


@once
def tokens(flow: Flow, name: str) -> Step:
    """Tokens of one corpus under one tokenizer; `name` is ``CORPUS.TOKENIZER``."""
    corpus, tokenizer = name.split(".")

    def build(work: Work) -> dict[str, Any]:
        from hemicycle.tokens import tokenize

        if earlier := tokens_before(flow, flow.tokens(name), work):
            return tokens_without(work, *earlier)
        return tokenize(work.inputs["corpus"], work.inputs["tokenizer"], work.out, progress=work.progress)

    inputs = {"corpus": flow.corpus(corpus), "tokenizer": flow.tokenizer(tokenizer)}
    return Step("tokens", name, VERSIONS["tokens"], {}, build, inputs)


@once
def dialogues(flow: Flow, name: str) -> Step:
    """Tokens of one corpus for tuning, its conversations in the chat template; `name` as in `tokens`."""
    corpus, tokenizer = name.split(".")

    def build(work: Work) -> dict[str, Any]:
        from hemicycle.tokens import tokenize_dialogues

        if earlier := tokens_before(flow, flow.dialogues(name), work):
            return tokens_without(work, *earlier)
        corpus, tokenizer = work.inputs["corpus"], work.inputs["tokenizer"]
        return tokenize_dialogues(corpus, tokenizer, work.out, progress=work.progress)

    inputs = {"corpus": flow.corpus(corpus), "tokenizer": flow.tokenizer(tokenizer)}
    return Step("dialogues", name, VERSIONS["dialogues"], {"plain": tables("tune")}, build, inputs)


def token_step(flow: Flow, model: str, corpus: str) -> Step:
    """The tokens of a corpus as a model reads them: one that is tuned learns of conversations the answers."""
    name = f"{corpus}.{flow.declaration.tokenizer_of(model)}"
    return flow.dialogues(name) if flow.declaration.models[model].method == "tune" else flow.tokens(name)
