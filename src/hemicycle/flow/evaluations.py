"""The steps of an evaluation: models, what they began from, and baselines on the same held-out text; what of
that, and of sets from elsewhere, stands in the training text; how much of the training text comes out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hemicycle.digests import sha256_file
from hemicycle.errors import DeclarationError
from hemicycle.flow.corpora import index_name
from hemicycle.flow.stages import VERSIONS, once, with_role
from hemicycle.project.declaration import Evaluation, EvaluationSet
from hemicycle.steps import Resolving, Step, Work
from hemicycle.store import artefact_digest, digest_files

if TYPE_CHECKING:
    from hemicycle.flow.flow import Flow


@once
def evaluation(flow: Flow, name: str) -> Step:
    return _measuring(flow, "evaluation", name, flow.declaration.evaluations[name])


@once
def before_after(flow: Flow, name: str) -> Step:
    """What a tuning did: a tuned model beside what it was made from, without being asked for."""
    return _measuring(flow, "before-after", name, Evaluation(models=[name]))


def _measuring(flow: Flow, stage: str, name: str, evaluation: Evaluation) -> Step:
    """Models are measured on what they and their ancestors hold out, and so are those ancestors."""
    d = flow.declaration
    measured = list(dict.fromkeys(one for m in evaluation.models for one in d.ancestors(m)))
    began = {m: base for m in measured if m in d.models and (base := d.models[m].base) is not None}
    read = sorted({c for m in evaluation.models for c in d.corpora_behind(m)})
    unread = sorted(set(evaluation.corpora) - set(read))
    learnt_on = {d.tokenizers[t].corpus for m in measured if (t := d.tokenizer_of(m)) in d.tokenizers}
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
            with_role(work.inputs, "corpus"),
            work.out,
            compare=compared,
            tokenizer_corpora=with_role(work.inputs, "tokenizer"),
            unread=with_role(work.inputs, "unread"),
            bases=with_role(work.inputs, "base"),
            began=began,
            progress=work.progress,
        )

    inputs = {f"model {m}": flow.model(m) for m in evaluation.models}
    others = [one for one in measured if one not in evaluation.models]
    inputs |= {f"base {b}": flow.model(b) if b in d.models else flow.base(b) for b in others}
    inputs |= {f"corpus {c}": flow.corpus(c) for c in read}
    inputs |= {f"tokenizer {c}": flow.corpus(c) for c in sorted(learnt_on - set(read))}
    inputs |= {f"unread {c}": flow.corpus(c) for c in unread}
    return Step(
        stage,
        name,
        VERSIONS[stage],
        {"began": began},
        build,
        inputs,
        resolve=resolve if compared else None,
    )


@once
def contamination(flow: Flow, name: str) -> Step:
    """Sets from elsewhere and held-out documents, looked for in the training text of each model."""
    evaluation = flow.declaration.evaluations[name]
    indexed = _indexed(flow, evaluation)
    behind = sorted({c for one in indexed for c in one.split("+")})
    unread = sorted(set(evaluation.corpora) - set(behind))
    # Where a set lies may tell of a home; its name and its files are what counts.
    called = _called([one.path for one in evaluation.sets])

    def resolve(at: Resolving) -> dict[str, Any]:
        return {"sets": [_digest_of_set(flow, one) for one in evaluation.sets]}

    def build(work: Work) -> dict[str, Any]:
        from hemicycle.evaluate.verbatim import check_contamination
        from hemicycle.evaluate.verbatim.contamination import Set
        from hemicycle.evaluate.verbatim.sets import Fields

        return check_contamination(
            with_role(work.inputs, "index"),
            with_role(work.inputs, "corpus"),
            indexed,
            work.out,
            sets=[
                Set(place_of_set(flow, one.path), named, Fields(tuple(one.question), tuple(one.answer)))
                for one, named in zip(evaluation.sets, called, strict=True)
            ],
            unread=with_role(work.inputs, "unread"),
            upstream=_upstream(flow, evaluation),
            progress=work.progress,
        )

    inputs = {f"index {one}": flow.index(one) for one in indexed}
    inputs |= {f"corpus {c}": flow.corpus(c) for c in behind}
    inputs |= {f"unread {c}": flow.corpus(c) for c in unread}
    declared = {
        "models": indexed,
        "upstream": _upstream(flow, evaluation),
        "sets": [
            {"name": named, "question": one.question, "answer": one.answer}
            for one, named in zip(evaluation.sets, called, strict=True)
        ],
    }
    return Step(
        "contamination",
        name,
        VERSIONS["contamination"],
        declared,
        build,
        inputs,
        resolve=resolve if evaluation.sets else None,
    )


@once
def regurgitation(flow: Flow, name: str) -> Step:
    """What each model gives back of its training text."""
    evaluation, d = flow.declaration.evaluations[name], flow.declaration
    indexed = {m: index_name(flow, m) for m in evaluation.models}
    behind = sorted({c for one in indexed.values() for c in one.split("+")})
    asked = evaluation.regurgitation

    def build(work: Work) -> dict[str, Any]:
        from hemicycle.evaluate.verbatim import measure_regurgitation

        models = with_role(work.inputs, "model")
        return measure_regurgitation(
            {m: models[m] for m in evaluation.models},
            with_role(work.inputs, "index"),
            with_role(work.inputs, "corpus"),
            indexed,
            work.out,
            work.scratch,
            exposures={
                m: [models[one] / "exposure.parquet" for one in d.models_behind(m)] for m in evaluation.models
            },
            passages=asked.passages,
            prefixes=asked.prefixes,
            seed=asked.seed,
            upstream=_upstream(flow, evaluation),
            progress=work.progress,
        )

    every = dict.fromkeys(one for m in evaluation.models for one in d.models_behind(m))
    inputs = {f"model {m}": flow.model(m) for m in every}
    inputs |= {f"index {one}": flow.index(one) for one in sorted({*indexed.values()})}
    inputs |= {f"corpus {c}": flow.corpus(c) for c in behind}
    declared = {"models": indexed, "upstream": _upstream(flow, evaluation), **asked.model_dump()}
    return Step("regurgitation", name, VERSIONS["regurgitation"], declared, build, inputs)


def _indexed(flow: Flow, evaluation: Evaluation) -> dict[str, list[str]]:
    """Index → the models of an evaluation that read its text."""
    found: dict[str, list[str]] = {}
    for model in evaluation.models:
        found.setdefault(index_name(flow, model), []).append(model)
    return found


def _upstream(flow: Flow, evaluation: Evaluation) -> dict[str, str]:
    """Model → the base it began as, of whose training text nothing is known."""
    bases = {m: flow.declaration.base_of(m) for m in evaluation.models}
    return {model: base for model, base in bases.items() if base is not None}


def place_of_set(flow: Flow, path: str) -> Path:
    return (flow.project.folder / path).resolve()


def _called(paths: list[str]) -> list[str]:
    """Names of sets: that of the file or folder, with the one above where two would have one name."""
    last = [Path(path).name for path in paths]
    return [
        one if last.count(one) == 1 else "/".join(Path(path).parts[-2:])
        for path, one in zip(paths, last, strict=True)
    ]


def _digest_of_set(flow: Flow, one: EvaluationSet) -> list[list[str]]:
    from hemicycle.evaluate.verbatim.sets import set_files

    place = place_of_set(flow, one.path)
    if not place.exists():
        raise DeclarationError(
            "there is no evaluation set here",
            place=str(place),
            remedy="Bring its files in, or take it out of `sets` in hemicycle.toml.",
        )
    files = sorted(file for some in set_files(place) for file in some)
    return [[file.relative_to(place).as_posix(), sha256_file(file)] for file in files]
