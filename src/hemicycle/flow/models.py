"""The steps of a model: the order it reads in, and the model itself."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hemicycle.digests import sha256_json
from hemicycle.errors import DeclarationError
from hemicycle.flow.corpora import token_step
from hemicycle.flow.reading import kept_besides, reads, revocable_sources, shares_of
from hemicycle.flow.stages import VERSIONS, once
from hemicycle.flow.withdrawn import find_replay, require_text
from hemicycle.ledger import Statement
from hemicycle.progress import Progress
from hemicycle.project import Model, Stage
from hemicycle.steps import Resolving, Step, Unresolved, Work

if TYPE_CHECKING:
    from hemicycle.flow.flow import Flow
    from hemicycle.tokens import Phase
    from hemicycle.train import Recipe, Shape
    from hemicycle.train.choices import Choice
    from hemicycle.train.derive import Derived

#: Folder of a project's plans, one file a model (`train.expected`).
PLANS = "plans"


@once
def order(flow: Flow, name: str) -> Step:
    """The plan of a model's run: which rows at which step."""
    model = flow.declaration.models[name]

    def build(work: Work) -> dict[str, Any]:
        from hemicycle.tokens import shortfalls

        shape, recipe = shape_of(flow, name, work.statements), recipe_of(flow, name, work.statements)
        total = work.resolved["steps"] * recipe.rows(shape.context) * shape.context
        plan = plan_run(flow, name, work, work.out, context_of(flow, name, work.statements), total, recipe)
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

    def resolve(at: Resolving) -> dict[str, Any]:
        steps = resolve_run(flow, name, at)["steps"]
        recipe, shape = recipe_of(flow, name, at.statements), shape_of(flow, name, at.statements)
        contexts = [context_of(flow, name, at.statements), shape.context]
        return {"steps": steps, "batch_tokens": recipe.batch_tokens, "contexts": contexts}

    return Step(
        "order",
        name,
        VERSIONS["order"],
        declared,
        build,
        inputs_of(flow, name),
        resolve=resolve,
        # A hole is where its document was: the plan stays, and with it all that was trained before.
        before=frozenset(reads(flow.declaration, name)),
    )


@once
def model(flow: Flow, name: str) -> Step:
    model = flow.declaration.models[name]

    def build(work: Work) -> dict[str, Any]:
        from hemicycle.train import Adapter, Job, Run

        lora = model.lora
        targets = tuple(lora.targets) if lora and lora.targets else None
        # What was planned decides nothing that is learnt, and is no input.
        plan = flow.project.folder / PLANS / f"{name}.json"
        job = Job(
            name=name,
            plan=work.inputs["order"],
            tokens=tokens_of(flow, name, work),
            tokenizer=work.inputs["tokenizer"],
            out=work.out,
            scratch=work.scratch,
            log=flow.store.trainings / name,
            shape=shape_of(flow, name, work.statements),
            recipe=recipe_of(flow, name, work.statements),
            run=Run(**work.resolved["run"]),
            base=work.inputs.get("base"),
            adapter=Adapter(lora.rank, lora.alpha, targets) if lora else None,
            cache=flow.store.cache / "compiled",
            recompute=model.training.recompute,
            keep=model.training.keep,
            keep_at=kept_besides(model, work.inputs["order"], tokens_of(flow, name, work)),
            expected=plan if plan.exists() else None,
        )
        replay = find_replay(flow, name, work)
        if replay is not None and replay.untouched:
            return replay.take_over(name, work.out, work.progress)
        if replay is not None:
            replay.begin(name, job.scratch, work.progress)
        figures = {**work.launcher.run(job, work.progress)}
        if replay is not None:
            figures |= replay.finish(work.out)
        if model.method == "tune":
            from hemicycle.tune.export import export_chat

            ends = {end for corpus in job.tokens for end in work.statements[corpus].figures["ends"]}
            export_chat(work.out, job.tokens.values(), ends)
        chosen = [choice.to_json() for choice in choices_of(flow, name, work.statements)]
        return {**figures, **({"choices": chosen} if chosen else {})}

    def resolve(at: Resolving) -> dict[str, Any]:
        # Here and not in `build`, so that a look knows it too.
        made = {role: flow.store.folder_of(statement.subject) for role, statement in at.statements.items()}
        require_text(name, made["order"], {corpus: made[corpus] for corpus in reads(flow.declaration, name)})
        run = resolve_run(flow, name, at)
        require_decision(flow, name, at, run)
        return {"run": run, "shape": asdict(shape_of(flow, name, at.statements))}

    return Step(
        "model",
        name,
        VERSIONS["model"],
        _learns(model),
        build,
        {**inputs_of(flow, name), "order": flow.order(name)},
        resolve=resolve,
        rebuildable=False,
    )


def inputs_of(flow: Flow, name: str) -> dict[str, Step]:
    """What a model's order and training both stand on: its tokens, its tokenizer, what it begins from."""
    model, tokenizer = flow.declaration.models[name], flow.declaration.tokenizer_of(name)
    inputs = {corpus: token_step(flow, name, corpus) for corpus in reads(flow.declaration, name)}
    own = tokenizer in flow.declaration.tokenizers
    inputs["tokenizer"] = flow.tokenizer(tokenizer) if own else flow.base(tokenizer)
    if model.base is not None:
        inputs["base"] = (flow.model if model.base in flow.declaration.models else flow.base)(model.base)
    return inputs


def tokens_of(flow: Flow, name: str, work: Work) -> dict[str, Path]:
    """Corpus → its tokens, of all that a model reads."""
    return {corpus: work.inputs[corpus] for corpus in reads(flow.declaration, name)}


def plan_run(
    flow: Flow, name: str, work: Work, out: Path, context: int, total: int, recipe: Recipe
) -> dict[str, Any]:
    """Plan a run of `total` tokens over what a model reads, as it reads it; `context`: of stages without."""
    from hemicycle.tokens import make_plan

    tokens, phases = tokens_of(flow, name, work), phases_of(flow, name, context, total)
    proven_first = any(phase.reading == "proven-first" for phase in phases)
    return make_plan(
        tokens,
        phases,
        out,
        batch_tokens=recipe.batch_tokens,
        warm_up=recipe.batch_warm_up,
        seed=flow.declaration.models[name].seed,
        revocable=revocable_sources(tokens.values()) if proven_first else (),
    )


def phases_of(flow: Flow, name: str, context: int, tokens: int) -> list[Phase]:
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


def require_decision(flow: Flow, name: str, at: Resolving, run: Mapping[str, Any]) -> None:
    """Raise Undecided unless the project is solo, or a decision on just this training stands."""
    model = flow.declaration.models[name]
    declared = _learns(model)
    # What follows from a budget stands in the lock alone, so it is signed as well.
    learns = {
        "shape": asdict(shape_of(flow, name, at.statements)),
        "recipe": asdict(recipe_of(flow, name, at.statements)),
    }
    covers = {
        "plan": at.statements["order"].digest,
        "run": sha256_json([declared, learns, run, {r: s.digest for r, s in at.statements.items()}]),
    }
    budget = model.budget.model_dump(mode="json", exclude_none=True)
    flow.gate.require("run", name, covers, {**declared, **learns, **run, "budget": budget})


def _learns(model: Model) -> dict[str, Any]:
    """What is declared of how a model learns, as JSON."""
    learns = {"method", "architecture", "context", "training", "lora"}
    return model.model_dump(mode="json", include=learns)


def context_of(flow: Flow, name: str, statements: Mapping[str, Statement]) -> int:
    """The context of every stage that declares none."""
    model = flow.declaration.models[name]
    if model.base is None:
        return derived_of(flow, name, statements).architecture.context
    return model.context or int(statements["base"].figures["shape"]["context"])


def longest_context(model: Model, context: int) -> int:
    """That of the longest stage: the model is made for it."""
    return max([context, *(stage.context or 0 for stage in model.stages)])


def shape_of(flow: Flow, name: str, statements: Mapping[str, Statement]) -> Shape:
    """The shape of a model: as declared, as its budget affords, or that of what it begins from; its longest
    stage sets its context."""
    from hemicycle.train import Shape, derive_shape, grown

    model, vocabulary = flow.declaration.models[name], statements["tokenizer"].figures["vocabulary"]
    longest = longest_context(model, context_of(flow, name, statements))
    if model.base is None:
        architecture = derived_of(flow, name, statements).architecture
        return derive_shape(architecture.model_copy(update={"context": longest}), vocabulary)
    return grown(Shape(**statements["base"].figures["shape"]), tokens=vocabulary, context=longest)


def recipe_of(flow: Flow, name: str, statements: Mapping[str, Statement]) -> Recipe:
    from hemicycle.train import derive_recipe

    model = flow.declaration.models[name]
    if model.base is None:
        batch = derived_of(flow, name, statements).batch_tokens
        model = model.model_copy(update={"batch_tokens": batch})
    return derive_recipe(model, shape_of(flow, name, statements))


def derived_of(
    flow: Flow, name: str, statements: Mapping[str, Statement], progress: Progress | None = None
) -> Derived:
    """What follows from the budget of a model made from nothing, from the lock.

    With `progress`, what the lock does not hold is found, written there and said. Without, nothing is
    measured or written: minutes that the lock does not know raise Unresolved.
    """
    from hemicycle.train.derive import Derived, derive, machine_rate

    model = flow.declaration.models[name]
    vocabulary = statements["tokenizer"].figures["vocabulary"]
    corpora = sorted(reads(flow.declaration, name))
    declared = model.model_dump(include={"budget", "architecture", "batch_tokens"})
    subject = sha256_json([declared, model.training.precision, corpora, vocabulary])
    locked = flow.lock.get("derived", name)
    if locked is not None and locked.pop("of") == subject:
        return Derived.from_json(locked)
    if progress is None and model.budget.minutes is not None:
        raise Unresolved("its budget becomes a shape and a batch when it runs")
    if progress is not None and locked is not None:
        progress.say(f"model {name}: declared anew, so its shape and batch are derived anew")
    corpus_tokens = sum(statements[corpus].figures["tokens"] for corpus in corpora)
    with placed(name):
        derived = derive(model, vocabulary, corpus_tokens, lambda: machine_rate(model.training.precision))
    if progress is not None:
        flow.lock.set("derived", name, {"of": subject, **derived.to_json()})
        for choice in choices_of(flow, name, statements):
            progress.say(f"model {name}: {choice}")
    return derived


@contextlib.contextmanager
def placed(name: str) -> Iterator[None]:
    """Name the model in errors of what is declared of it."""
    try:
        yield
    except DeclarationError as error:
        place = f"hemicycle.toml, [models.{name}]"
        raise DeclarationError(error.what, place=place, remedy=error.remedy) from None


def choices_of(flow: Flow, name: str, statements: Mapping[str, Statement]) -> list[Choice]:
    """What was chosen for a model made from nothing, and why. Raises Unresolved where it is not known yet."""
    from hemicycle.train.choices import choices

    model = flow.declaration.models[name]
    if model.base is not None:
        return []
    derived = derived_of(flow, name, statements)
    return choices(model, derived, shape_of(flow, name, statements), recipe_of(flow, name, statements))


def resolve_run(flow: Flow, name: str, at: Resolving) -> dict[str, Any]:
    """Steps and arithmetic of a model's run, from the lock or by measuring."""
    from hemicycle.train import budget

    model = flow.declaration.models[name]
    if model.base is None:
        derived_of(flow, name, at.statements, None if at.looking else at.progress)
    shape, recipe = shape_of(flow, name, at.statements), recipe_of(flow, name, at.statements)
    # What decides how many steps there are and how they are computed; rates do not.
    batch = [recipe.optimiser, recipe.batch_tokens, recipe.batch_warm_up]
    subject = sha256_json(
        [model.budget.model_dump(), model.training.precision, model.seed, asdict(shape), batch]
    )
    locked = at.lock.get("model", name)
    if locked is None or locked.get("of") != subject:
        if at.looking:
            raise Unresolved("its budget becomes steps when it runs")
        if locked is not None:
            at.progress.say(f"model {name}: declared anew, so its steps are found anew")
        if model.budget.minutes is not None and not at.launcher.alone:
            at.progress.say(
                f"model {name}: its minutes become steps by the speed of one process here; elsewhere, or by "
                "several, they take another time"
            )
        run = budget.resolve_run(
            shape,
            recipe,
            model.budget,
            model.seed,
            precision=model.training.precision,
            recompute=model.training.recompute,
            cache=flow.store.cache / "compiled",
            progress=at.progress,
        )
        if doubt := budget.few_steps(name, model.budget, run.steps):
            at.progress.say(doubt)
        locked = {"of": subject, **run.to_json()}
        at.lock.set("model", name, locked)
    return {k: v for k, v in locked.items() if k != "of"}


def known_choices(flow: Flow, name: str) -> list[Choice]:
    """What is chosen for a model as far as one can know without building or measuring; empty where not."""
    latest = {(s.subject.stage, s.subject.name): s for s in flow.ledger.current().values()}
    inputs = inputs_of(flow, name)
    statements = {role: latest[key] for role, s in inputs.items() if (key := (s.stage, s.name)) in latest}
    if len(statements) < len(inputs):
        return []
    try:
        return choices_of(flow, name, statements)
    except Unresolved:
        return []
