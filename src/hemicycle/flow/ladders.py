"""The steps of a ladder: small trainings below a model's, and the law fitted to them."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hemicycle.errors import DeclarationError
from hemicycle.flow.models import (
    derived_of,
    inputs_of,
    longest_context,
    placed,
    plan_run,
    recipe_of,
    require_decision,
    resolve_run,
    shape_of,
    tokens_of,
)
from hemicycle.flow.reading import reads
from hemicycle.flow.stages import VERSIONS, once, with_role
from hemicycle.flow.withdrawn import require_text
from hemicycle.ledger import Statement
from hemicycle.steps import Resolving, Step, Work

if TYPE_CHECKING:
    from hemicycle.flow.flow import Flow
    from hemicycle.train.ladder import Ladder, Rung

#: Held-out text that a rung is measured on.
MEASURED_BYTES = 1_000_000


@once
def rung(flow: Flow, name: str) -> Step:
    """One small training below that of a model; `name` is MODEL.NUMBER, counted from 1."""
    above, number = name.rsplit(".", 1)
    model = flow.declaration.models[above]
    if model.base is not None:
        raise DeclarationError(
            f"model {above} begins from {model.base}, and a ladder is of models made from nothing",
            remedy="Name a model without `from`.",
        )

    # What of the model's declaration changes nothing in a rung.
    apart: dict[str, Any] = {"budget": True, "training": {"keep", "recompute"}}
    declared = model.model_dump(mode="json", exclude=apart)

    def resolve(at: Resolving) -> dict[str, Any]:
        run = resolve_run(flow, above, at)
        require_decision(flow, above, _without_corpora(at), run)
        ladder = _ladder(flow, above, at.statements, run)
        if number == "1" and not at.looking:
            at.progress.say(_announcement(above, ladder))
        return {"run": run, "rung": ladder.rungs[int(number) - 1].to_json()}

    def build(work: Work) -> dict[str, Any]:
        told = _ladder(flow, above, work.statements, work.resolved["run"]).rungs[int(number) - 1]
        figures = _train(flow, above, name, told, work)
        from hemicycle.evaluate.single import measure

        loss, size = measure(
            work.scratch / "model",
            with_role(work.inputs, "corpus"),
            with_role(work.inputs, "learnt"),
            most_bytes=MEASURED_BYTES,
            progress=work.progress,
        )
        about = {
            "parameters": figures["parameters"],
            "tokens": told.tokens,
            "bits_per_byte": round(loss, 6),
            "held_out_bytes": size,
            "training_loss": figures["training_loss"],
            "flop": figures["flop"],
            **told.to_json(),
        }
        (work.out / "rung.json").write_text(json.dumps(about, indent=1, sort_keys=True) + "\n", "utf-8")
        for kept in ("training.json", "figures.parquet", "loss.png"):
            shutil.copyfile(work.scratch / "model" / kept, work.out / kept)
        return {**figures, **about}

    return Step(
        "rung",
        name,
        VERSIONS["rung"],
        declared,
        build,
        {**inputs_of(flow, above), "order": flow.order(above), **_measured_on(flow, above)},
        resolve=resolve,
        rebuildable=False,
    )


@once
def scaling(flow: Flow, name: str) -> Step:
    """The law of a model's ladder, and what it says of the model."""
    from hemicycle.train.ladder import RUNGS

    rungs = {f"rung {n}": flow.rung(f"{name}.{n}") for n in range(1, RUNGS + 1)}

    def resolve(at: Resolving) -> dict[str, Any]:
        run = resolve_run(flow, name, at)
        return {"shape": dataclasses.asdict(shape_of(flow, name, at.statements)), "run": run}

    def build(work: Work) -> dict[str, Any]:
        from hemicycle.train.forecast import forecast

        shape = shape_of(flow, name, work.statements)
        tokens = _target(flow, name, work.statements, work.resolved["run"]).tokens
        told = {f"{name}.{n}": folder for n, folder in with_role(work.inputs, "rung").items()}
        return forecast(told, shape, tokens, work.out)

    return Step("scaling", name, VERSIONS["scaling"], {}, build, {**inputs_of(flow, name), **rungs}, resolve)


def _train(flow: Flow, above: str, name: str, told: Rung, work: Work) -> Mapping[str, Any]:
    """Train a rung into `model` of the scratch folder."""
    from hemicycle.train import Job, derive_recipe, derive_shape
    from hemicycle.train.ladder import arithmetic
    from hemicycle.train.width import at_width

    model, target = flow.declaration.models[above], shape_of(flow, above, work.statements)
    small, context = told.architecture, told.architecture.context
    longest = small.model_copy(update={"context": longest_context(model, context)})
    shape = derive_shape(longest, target.vocabulary)
    training = at_width(model.training, target.width, shape.width)
    learns = model.model_copy(update={"training": training, "batch_tokens": told.batch_tokens})
    recipe = derive_recipe(learns, shape)
    plan, out = work.scratch / "plan", work.scratch / "model"
    out.mkdir(exist_ok=True)
    if not plan.exists():
        # A job of Slurm that is waited for again reads it.
        aside = _emptied(work.scratch / "plan.aside")
        plan_run(flow, above, work, aside, context, told.tokens, recipe)
        aside.rename(plan)
    require_text(above, plan, tokens_of(flow, above, work))
    training_scratch = work.scratch / "training"
    training_scratch.mkdir(exist_ok=True)
    job = Job(
        name=name,
        plan=plan,
        tokens=tokens_of(flow, above, work),
        tokenizer=work.inputs["tokenizer"],
        out=out,
        scratch=training_scratch,
        log=flow.store.trainings / name,
        shape=shape,
        recipe=recipe,
        run=arithmetic(work.resolved["run"], told, target.vocabulary),
        cache=flow.store.cache / "compiled",
        recompute=model.training.recompute,
    )
    figures: Mapping[str, Any] = work.launcher.run(job, work.progress)
    return figures


def _emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def _ladder(flow: Flow, name: str, statements: Mapping[str, Statement], run: Mapping[str, Any]) -> Ladder:
    from hemicycle.train.ladder import derive_ladder

    shape = shape_of(flow, name, statements)
    with placed(name):
        return derive_ladder(_target(flow, name, statements, run), shape.vocabulary, shape.context)


def _target(flow: Flow, name: str, statements: Mapping[str, Statement], run: Mapping[str, Any]) -> Rung:
    """The model's own training, with what a step really reads: whole rows of its longest stage."""
    from hemicycle.train.ladder import Rung

    shape, recipe = shape_of(flow, name, statements), recipe_of(flow, name, statements)
    step_tokens = recipe.rows(shape.context) * shape.context
    return Rung(derived_of(flow, name, statements).architecture, step_tokens, run["steps"])


def _measured_on(flow: Flow, name: str) -> dict[str, Step]:
    """The corpora that a model reads, and the one its tokenizer was learnt on where that is another."""
    d = flow.declaration
    corpora = {f"corpus {corpus}": flow.corpus(corpus) for corpus in reads(d, name)}
    learnt = d.tokenizers[d.tokenizer_of(name)].corpus
    return corpora | ({} if learnt in reads(d, name) else {f"learnt {learnt}": flow.corpus(learnt)})


def _without_corpora(at: Resolving) -> Resolving:
    """As the model's own step sees it: a decision on its training covers the small ones below it."""
    own = {r: s for r, s in at.statements.items() if not r.startswith(("corpus ", "learnt "))}
    return dataclasses.replace(at, statements=own)


def _announcement(name: str, ladder: Ladder) -> str:
    from hemicycle.train.ladder import SHARE

    words = f"ladder of {name}: {len(ladder.rungs)} small trainings, {ladder.share:.0%} of its arithmetic"
    more = (
        ", as a shorter one would have rungs of too few steps or sizes too alike"
        if ladder.share > 1.5 * SHARE
        else ""
    )
    return words + more
