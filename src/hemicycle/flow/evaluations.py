"""The step of an evaluation: models, what they began from, and baselines on the same held-out text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hemicycle.errors import DeclarationError
from hemicycle.flow.stages import VERSIONS, once, with_role
from hemicycle.project.declaration import Evaluation
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
