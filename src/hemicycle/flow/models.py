"""The steps of a model: the order it reads in, and the model itself."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hemicycle.digests import sha256_json
from hemicycle.flow.corpora import token_step
from hemicycle.flow.reading import reads, revocable_sources, shares_of
from hemicycle.flow.stages import VERSIONS, once
from hemicycle.ledger import Statement
from hemicycle.project import Stage
from hemicycle.steps import Resolving, Step, Unresolved, Work

if TYPE_CHECKING:
    from hemicycle.flow.flow import Flow
    from hemicycle.tokens import Phase
    from hemicycle.train import Recipe, Shape


@once
def order(flow: Flow, name: str) -> Step:
    """The plan of a model's run: which rows at which step."""
    model = flow.declaration.models[name]

    def build(work: Work) -> dict[str, Any]:
        from hemicycle.tokens import make_plan, shortfalls

        shape, recipe = _shape(flow, name, work.statements), _recipe(flow, name, work.statements)
        total = work.resolved["steps"] * recipe.rows(shape.context) * shape.context
        tokens = _tokens(flow, name, work)
        phases = _phases(flow, name, _context(flow, name, work.statements), total)
        proven_first = any(phase.reading == "proven-first" for phase in phases)
        plan = make_plan(
            tokens,
            phases,
            work.out,
            batch_tokens=recipe.batch_tokens,
            warm_up=recipe.batch_warm_up,
            seed=model.seed,
            revocable=revocable_sources(tokens.values()) if proven_first else (),
        )
        for sentence in shortfalls(plan):
            work.progress.say(f"model {name}: {sentence}")
        return plan

    read = {
        "corpora",
        "replay",
        "mix",
        "packing",
        "reading",
        "stages",
        "context",
        "batch_tokens",
        "batch_warm_up",
        "seed",
    }
    declared = model.model_dump(mode="json", include=read)
    declared["architecture"] = model.architecture.model_dump() if model.architecture else None
    return Step(
        "order",
        name,
        VERSIONS["order"],
        declared,
        build,
        _inputs(flow, name),
        resolve=lambda at: {"steps": _resolve_run(flow, name, at)["steps"]},
    )


@once
def model(flow: Flow, name: str) -> Step:
    model = flow.declaration.models[name]

    def build(work: Work) -> dict[str, Any]:
        from hemicycle.train import Adapter, Job, Run

        lora = model.lora
        targets = tuple(lora.targets) if lora and lora.targets else None
        job = Job(
            name=name,
            plan=work.inputs["order"],
            tokens=_tokens(flow, name, work),
            tokenizer=work.inputs["tokenizer"],
            out=work.out,
            scratch=work.scratch,
            log=flow.store.cache / "train" / name,
            shape=_shape(flow, name, work.statements),
            recipe=_recipe(flow, name, work.statements),
            run=Run(**work.resolved),
            base=work.inputs.get("base"),
            adapter=Adapter(lora.rank, lora.alpha, targets) if lora else None,
            cache=flow.store.cache / "compiled",
            recompute=model.training.recompute,
            keep=model.training.keep,
        )
        figures = work.launcher.run(job, work.progress)
        if model.method == "tune":
            from hemicycle.tune.export import export_chat

            ends = {end for corpus in job.tokens for end in work.statements[corpus].figures["ends"]}
            export_chat(work.out, job.tokens.values(), ends)
        return figures

    learns = {"method", "architecture", "context", "training", "lora"}
    declared = model.model_dump(mode="json", include=learns)

    def resolve(at: Resolving) -> dict[str, Any]:
        run = _resolve_run(flow, name, at)
        covers = {
            "plan": at.statements["order"].digest,
            "run": sha256_json([declared, run, {r: s.digest for r, s in at.statements.items()}]),
        }
        budget = model.budget.model_dump(mode="json", exclude_none=True)
        flow.gate.require("run", name, covers, {**declared, **run, "budget": budget})
        return run

    return Step(
        "model",
        name,
        VERSIONS["model"],
        declared,
        build,
        {**_inputs(flow, name), "order": flow.order(name)},
        resolve=resolve,
        rebuildable=False,
    )


def _inputs(flow: Flow, name: str) -> dict[str, Step]:
    """What a model's order and training both stand on: its tokens, its tokenizer, what it begins from."""
    model, tokenizer = flow.declaration.models[name], flow.declaration.tokenizer_of(name)
    inputs = {corpus: token_step(flow, name, corpus) for corpus in reads(flow.declaration, name)}
    own = tokenizer in flow.declaration.tokenizers
    inputs["tokenizer"] = flow.tokenizer(tokenizer) if own else flow.base(tokenizer)
    if model.base is not None:
        inputs["base"] = (flow.model if model.base in flow.declaration.models else flow.base)(model.base)
    return inputs


def _tokens(flow: Flow, name: str, work: Work) -> dict[str, Path]:
    """Corpus → its tokens, of all that a model reads."""
    return {corpus: work.inputs[corpus] for corpus in reads(flow.declaration, name)}


def _phases(flow: Flow, name: str, context: int, tokens: int) -> list[Phase]:
    """The declared stages, or the whole run as one, with what they leave to the model filled in."""
    from hemicycle.tokens import Mixture, Phase

    model = flow.declaration.models[name]
    stages = model.stages or [Stage(name="main", share=1)]
    whole = math.fsum(stage.share for stage in stages)
    phases = []
    for stage in stages:
        mix = stage.mix or model.mix
        phases.append(
            Phase(
                stage.name,
                round(tokens * stage.share / whole),
                shares_of(flow.declaration, name, stage),
                stage.context or context,
                # A conversation is no use without its beginning.
                stage.packing or model.packing or ("whole" if model.method == "tune" else "split"),
                stage.reading or model.reading,
                Mixture(**mix.model_dump()) if mix else None,
            )
        )
    return phases


def _context(flow: Flow, name: str, statements: Mapping[str, Statement]) -> int:
    """The context of every stage that declares none."""
    model = flow.declaration.models[name]
    if model.architecture is not None:
        return model.architecture.context
    return model.context or int(statements["base"].figures["shape"]["context"])


def _shape(flow: Flow, name: str, statements: Mapping[str, Statement]) -> Shape:
    """The shape of a model, as declared or as what it begins from; its longest stage sets its context."""
    from hemicycle.train import Shape, derive_shape, grown

    model, vocabulary = flow.declaration.models[name], statements["tokenizer"].figures["vocabulary"]
    longest = max([_context(flow, name, statements), *(stage.context or 0 for stage in model.stages)])
    if model.architecture is not None:
        return derive_shape(model.architecture.model_copy(update={"context": longest}), vocabulary)
    return grown(Shape(**statements["base"].figures["shape"]), tokens=vocabulary, context=longest)


def _recipe(flow: Flow, name: str, statements: Mapping[str, Statement]) -> Recipe:
    from hemicycle.train import derive_recipe

    return derive_recipe(flow.declaration.models[name], _shape(flow, name, statements))


def _resolve_run(flow: Flow, name: str, at: Resolving) -> dict[str, Any]:
    """Steps and arithmetic of a model's run, from the lock or by measuring."""
    model = flow.declaration.models[name]
    shape, recipe = _shape(flow, name, at.statements), _recipe(flow, name, at.statements)
    subject = sha256_json(
        [model.budget.model_dump(), model.training.precision, model.seed, asdict(shape), asdict(recipe)]
    )
    locked = at.lock.get("model", name)
    if locked is None or locked.get("of") != subject:
        if at.looking:
            raise Unresolved("its budget becomes steps when it runs")
        from hemicycle.train import few_steps, resolve_run

        run = resolve_run(
            shape,
            recipe,
            model.budget,
            model.seed,
            precision=model.training.precision,
            recompute=model.training.recompute,
            cache=flow.store.cache / "compiled",
            progress=at.progress,
        )
        if doubt := few_steps(name, model.budget, run.steps):
            at.progress.say(doubt)
        locked = {"of": subject, **run.to_json()}
        at.lock.set("model", name, locked)
    return {k: v for k, v in locked.items() if k != "of"}
