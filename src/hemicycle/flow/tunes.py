"""The step that says what a tuning did: a model and what it was made from, on the same held-out text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hemicycle.flow.stages import VERSIONS, once
from hemicycle.steps import Step, Work

if TYPE_CHECKING:
    from hemicycle.flow.flow import Flow


@once
def before_after(flow: Flow, name: str) -> Step:
    """The answers of a tuned model beside those of its base, and what it has forgotten of plain text.

    Measured on is what the corpora of the model and of those it was made from hold out.
    """
    declaration = flow.declaration
    base = declaration.models[name].base
    assert base is not None
    behind = [one for one in declaration.ancestors(name) if one in declaration.models]
    corpora = sorted({corpus for one in behind for corpus in declaration.models[one].read})
    tokenizer = declaration.tokenizers.get(declaration.tokenizer_of(name))
    learnt_on = sorted({tokenizer.corpus} - set(corpora)) if tokenizer else []

    def build(work: Work) -> dict[str, Any]:
        from hemicycle.evaluate import evaluate

        models = {one: work.inputs[f"model {one}"] for one in (base, name) if one in declaration.models}
        return evaluate(
            models,
            {corpus: work.inputs[f"corpus {corpus}"] for corpus in corpora},
            work.out,
            bases={base: work.inputs[f"base {base}"]} if base in declaration.bases else {},
            tokenizer_corpora={corpus: work.inputs[f"tokenizer {corpus}"] for corpus in learnt_on},
            progress=work.progress,
        )

    inputs = {f"model {name}": flow.model(name)}
    if base in declaration.bases:
        inputs[f"base {base}"] = flow.base(base)
    else:
        inputs[f"model {base}"] = flow.model(base)
    inputs |= {f"corpus {corpus}": flow.corpus(corpus) for corpus in corpora}
    inputs |= {f"tokenizer {corpus}": flow.corpus(corpus) for corpus in learnt_on}
    return Step("before-after", name, VERSIONS["before-after"], {}, build, inputs)
