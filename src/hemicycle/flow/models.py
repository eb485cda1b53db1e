"""The steps of a model: the order it reads in, the model itself, and how it is measured."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from hemicycle.digests import sha256_json
from hemicycle.errors import DeclarationError
from hemicycle.flow.stages import VERSIONS, once
from hemicycle.ledger import Statement
from hemicycle.project import Model, Stage
from hemicycle.steps import Resolving, Step, Unresolved, Work
from hemicycle.store import artefact_digest, digest_files

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
        tokens = work.resolved["steps"] * recipe.rows(shape.context) * shape.context
        plan = make_plan(
            {c: f for c, f in work.inputs.items() if c in model.read},
            _phases(model, shape.context, tokens),
            work.out,
            batch_tokens=recipe.batch_tokens,
            warm_up=recipe.batch_warm_up,
            seed=model.seed,
        )
        for sentence in shortfalls(plan):
            work.progress.say(f"model {name}: {sentence}")
        return plan

    read = {
        "corpora",
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
        from hemicycle.train.loop import train
        from hemicycle.train.stopping import heeding_interrupts, never

        lora = model.lora
        targets = tuple(lora.targets) if lora and lora.targets else None
        job = Job(
            name=name,
            plan=work.inputs["order"],
            tokens={c: f for c, f in work.inputs.items() if c in model.read},
            tokenizer=work.inputs["tokenizer"],
            out=work.out,
            scratch=work.scratch,
            log=flow.store.cache / "train" / name,
            shape=_shape(flow, name, work.statements),
            recipe=_recipe(flow, name, work.statements),
            run=Run(**work.resolved),
            base=work.inputs.get("base"),
            adapter=Adapter(lora.rank, lora.alpha, lora.dropout, targets) if lora else None,
            cache=flow.store.cache / "compiled",
            recompute=model.training.recompute,
            keep=model.training.keep,
        )
        with heeding_interrupts(never) as stop:
            return train(job, work.progress, stop)

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


def _inputs(flow: Flow, name: str) -> dict[str, Step]:
    """What a model's order and training both stand on: its tokens, its tokenizer, what it begins from."""
    model, tokenizer = flow.declaration.models[name], flow.declaration.tokenizer_of(name)
    inputs = {corpus: flow.tokens(f"{corpus}.{tokenizer}") for corpus in model.read}
    inputs["tokenizer"] = flow.tokenizer(tokenizer)
    if model.base is not None:
        inputs["base"] = flow.model(model.base)
    return inputs


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


def _shape(flow: Flow, name: str, statements: Mapping[str, Statement]) -> Shape:
    """The shape of a model: as declared, or that of what it begins from."""
    from hemicycle.train import Shape, derive_shape

    model, vocabulary = flow.declaration.models[name], statements["tokenizer"].figures["vocabulary"]
    if model.architecture is not None:
        return derive_shape(model.architecture, vocabulary)
    return Shape(**statements["base"].figures["shape"])


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


def _tokenizer_corpus(flow: Flow, model: str) -> str:
    return flow.declaration.tokenizers[flow.declaration.tokenizer_of(model)].corpus


def index_name(model: Model) -> str:
    """The name of the index of what a model reads. Models that read the same corpora share it."""
    return "+".join(sorted(model.corpora))
