"""The steps of a model: the order it reads in, and the model itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hemicycle.digests import sha256_json
from hemicycle.flow.stages import VERSIONS, once
from hemicycle.project import Model
from hemicycle.steps import Resolving, Step, Unresolved, Work

if TYPE_CHECKING:
    from hemicycle.flow.flow import Flow


@once
def order(flow: Flow, name: str) -> Step:
    """The plan of a model's run: which rows at which step."""
    from hemicycle.train import derive_shape

    model = flow.declaration.models[name]
    assert model.architecture is not None
    assert model.tokenizer is not None

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
