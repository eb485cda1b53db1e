"""The steps of a model: the order it reads in, the model itself, and how it is measured."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from hemicycle.digests import sha256_json
from hemicycle.errors import DeclarationError
from hemicycle.flow.stages import VERSIONS, once
from hemicycle.project import Model, Stage
from hemicycle.steps import Resolving, Step, Unresolved, Work
from hemicycle.store import artefact_digest, digest_files

if TYPE_CHECKING:
    from hemicycle.flow.flow import Flow
    from hemicycle.tokens import Phase


@once
def order(flow: Flow, name: str) -> Step:
    """The plan of a model's run: which rows at which step."""
    from hemicycle.train import derive_shape

    model = flow.declaration.models[name]
    assert model.architecture is not None
    assert model.tokenizer is not None

    def build(work: Work) -> dict[str, Any]:
        from hemicycle.tokens import make_plan, shortfalls

        shape = derive_shape(model, work.statements["tokenizer"].figures["vocabulary"])
        batch_tokens = shape.batch_rows * shape.context
        plan = make_plan(
            {c: f for c, f in work.inputs.items() if c in model.read},
            _phases(model, shape.context, work.resolved["steps"] * batch_tokens),
            work.out,
            batch_tokens=batch_tokens,
            warm_up=model.batch_warm_up,
            seed=model.seed,
        )
        for sentence in shortfalls(plan):
            work.progress.say(f"model {name}: {sentence}")
        return plan

    declared = {
        "shares": model.corpora,
        "mix": model.mix.model_dump() if model.mix else None,
        "context": model.architecture.context,
        "packing": model.packing,
        "reading": model.reading,
        "stages": [stage.model_dump() for stage in model.stages],
        "batch_tokens": model.batch_tokens,
        "batch_warm_up": model.batch_warm_up,
        "seed": model.seed,
    }
    return Step(
        "order",
        name,
        VERSIONS["order"],
        declared,
        build,
        {**_token_inputs(flow, model), "tokenizer": flow.tokenizer(model.tokenizer)},
        resolve=lambda at: {"steps": _resolve_run(flow, name, at)["steps"]},
    )


@once
def model(flow: Flow, name: str) -> Step:
    model = flow.declaration.models[name]
    assert model.architecture is not None
    assert model.tokenizer is not None

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
            cache=flow.store.cache / "compiled",
            progress=work.progress,
        )

    declared = {"method": model.method, "architecture": model.architecture.model_dump()}

    def resolve(at: Resolving) -> dict[str, Any]:
        run = _resolve_run(flow, name, at)
        covers = {
            "plan": at.statements["order"].digest,
            "run": sha256_json([declared, run, {r: s.digest for r, s in at.statements.items()}]),
        }
        budget = model.budget.model_dump(mode="json", exclude_none=True)
        flow.gate.require("run", name, covers, {**declared, **run, "budget": budget})
        return run

    inputs = {
        **_token_inputs(flow, model),
        "tokenizer": flow.tokenizer(model.tokenizer),
        "order": flow.order(name),
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


@once
def evaluation(flow: Flow, name: str) -> Step:
    evaluation = flow.declaration.evaluations[name]
    corpora = sorted({c for m in evaluation.models for c in flow.declaration.models[m].corpora})
    learnt_on = sorted({_tokenizer_corpus(flow, m) for m in evaluation.models} - set(corpora))
    compared = [(flow.project.folder / c).resolve() for c in evaluation.compare]

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

    inputs = {f"model {m}": flow.model(m) for m in evaluation.models}
    inputs |= {f"corpus {c}": flow.corpus(c) for c in corpora}
    inputs |= {f"tokenizer {c}": flow.corpus(c) for c in learnt_on}
    return Step(
        "evaluation",
        name,
        VERSIONS["evaluation"],
        {},
        build,
        inputs,
        resolve=resolve if compared else None,
    )


def _phases(model: Model, context: int, tokens: int) -> list[Phase]:
    """The declared stages, or the whole run as one, with what they leave to the model filled in."""
    from hemicycle.tokens import Mixture, Phase

    stages = model.stages or [Stage(name="main", share=1)]
    whole = math.fsum(stage.share for stage in stages)
    phases = []
    for stage in stages:
        mix = stage.mix or model.mix
        phases.append(
            Phase(
                stage.name,
                round(tokens * stage.share / whole),
                stage.corpora or model.corpora,
                stage.context or context,
                stage.packing or model.packing or "split",
                stage.reading or model.reading,
                Mixture(**mix.model_dump()) if mix else None,
            )
        )
    return phases


def _token_inputs(flow: Flow, model: Model) -> dict[str, Step]:
    return {corpus: flow.tokens(f"{corpus}.{model.tokenizer}") for corpus in model.read}


def _resolve_run(flow: Flow, name: str, at: Resolving) -> dict[str, Any]:
    """Steps and arithmetic of a model's run, from the lock or by measuring."""
    from hemicycle.train import derive_shape

    model = flow.declaration.models[name]
    assert model.architecture is not None
    assert model.tokenizer is not None
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
            shape, model.budget, model.seed, cache=flow.store.cache / "compiled", progress=at.progress
        )
        if doubt := few_steps(name, model.budget, run.steps):
            at.progress.say(doubt)
        locked = {"of": subject, **run.to_json()}
        at.lock.set("model", name, locked)
    return {k: v for k, v in locked.items() if k != "of"}


def _tokenizer_corpus(flow: Flow, model: str) -> str:
    return flow.declaration.tokenizers[flow.declaration.tokenizer_of(model)].corpus


def index_name(model: Model) -> str:
    """The name of the index of what a model reads. Models that read the same corpora share it."""
    return "+".join(sorted(model.corpora))
