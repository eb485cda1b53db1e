"""A model's weights and operations as people read them, and what the AI Act says of so many."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hemicycle.arithmetic import Configuration, count_weights, hardware_flop, model_flop, six_n
from hemicycle.plan.ai_act import AiAct, Base, Compute, judge
from hemicycle.plan.estimate import Estimate
from hemicycle.plan.told import Heading, Piece, Sentence, Table
from hemicycle.plan.wording import words
from hemicycle.typeset import Language, format_number, format_quantity
from hemicycle.units import Range, of

#: Parts of `Weights`, in the order of a forward pass.
PARTS = ("embedding", "positions", "attention", "feed_forward", "routers", "norms_and_biases", "head")


def sizes_json(sizes: Configuration) -> dict[str, Any]:
    """Weights by part, exactly; operations a token, three ways of counting."""
    weights = count_weights(sizes)
    return {
        "family": sizes.family,
        **{part: getattr(weights, part) for part in PARTS},
        "total": weights.total,
        "active": weights.active,
        "context": sizes.context,
        "flop_per_token": {
            "six_n": six_n(sizes),
            "exact": model_flop(sizes),
            "recomputed": hardware_flop(sizes, None, "full"),
        },
    }


def tell_sizes(sizes: Configuration, language: Language) -> Iterator[Piece]:
    named, told = words(language), sizes_json(sizes)
    yield Heading(named["weights"])
    rows = [[named[f"part_{part}"], format_number(told[part], language)] for part in PARTS if told[part]]
    rows.append([named["total"], format_number(told["total"], language)])
    if told["active"] != told["total"]:
        rows.append([named["active"], format_number(told["active"], language)])
    yield Table(["", named["parameters"]], rows)
    counted = told["flop_per_token"]
    yield Table(
        [named["flop_per_token"], ""],
        [
            [named[f"flop_{way}"].format(context=format_number(sizes.context, language)), text]
            for way, flop in counted.items()
            for text in [format_quantity(flop, "FLOP", language)]
        ],
    )


def judged(found: Estimate, sizes: Configuration | None, base: Base | None) -> AiAct:
    """The answers of the AI Act for an estimate: 6 N D, or by the exact count where that is more."""
    low = found.run.flop.low
    most = low
    if sizes is not None:
        exact = of(model_flop(sizes), "FLOP/token") * of(found.work.tokens, "token")
        most = max(low, exact)
        low = min(low, exact)
    training = Range(low, found.run.flop.expected, most)
    return judge(Compute(training, project=found.project.flop), parameters=found.work.parameters, base=base)


def tell_act(act: AiAct, language: Language) -> Iterator[Piece]:
    yield Heading(words(language)["ai_act"])
    answers = act.answers(language)
    for sentence in answers:
        yield Sentence(sentence)
    rest = act.sentences(language)[len(answers) :]
    yield Table([""], [[sentence] for sentence in rest], page_only=True)
