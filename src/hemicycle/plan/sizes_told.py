"""A model's weights and operations as people read them, and what the AI Act says of so many."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hemicycle.arithmetic import Configuration, count_weights, hardware_flop, model_flop, six_n
from hemicycle.plan.ai_act import AiAct, Base, Compute, judge
from hemicycle.plan.assume import Place
from hemicycle.plan.estimate import Estimate
from hemicycle.plan.layout import ROOM, fewest, layouts
from hemicycle.plan.told import Heading, Piece, Sentence, Table
from hemicycle.plan.wording import say, words
from hemicycle.typeset import Language, format_number, format_percent, format_quantity
from hemicycle.units import Range, of

#: Layouts that are shown, the simplest.
SHOWN = 6
#: Rows of a training are no longer than that unless it is said: longer ones come in a short stage at the end.
USUAL_CONTEXT = 8_192
#: Parts of `Weights`, in the order of a forward pass.
PARTS = ("embedding", "positions", "attention", "feed_forward", "routers", "norms_and_biases", "head")


def sizes_json(sizes: Configuration, context: int) -> dict[str, Any]:
    """Weights by part, exactly; operations a token of rows of `context`, three ways of counting."""
    weights = count_weights(sizes)
    return {
        "family": sizes.family,
        **{part: getattr(weights, part) for part in PARTS},
        "total": weights.total,
        "active": weights.active,
        "context": context,
        "flop_per_token": {
            "six_n": six_n(sizes),
            "exact": model_flop(sizes, context),
            "recomputed": hardware_flop(sizes, context, "full"),
        },
    }


def tell_sizes(told: Mapping[str, Any], language: Language) -> Iterator[Piece]:
    named = words(language)
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
            [named[f"flop_{way}"].format(context=format_number(told["context"], language)), text]
            for way, flop in counted.items()
            for text in [format_quantity(flop, "FLOP", language)]
        ],
    )


def layouts_json(sizes: Configuration, place: Place, context: int) -> dict[str, Any]:
    """Ways to lay the training out over the cards of a place, and the fewest cards that would do."""
    chip, cards = place.chip, place.gpus
    known = layouts(sizes, chip, cards, context=context, per_node=place.per_node) if cards else []
    return {
        "context": context,
        "room": ROOM,
        "fewest_cards": fewest(sizes, chip, context=context, per_node=place.per_node),
        "layouts": [fit.to_json() for fit in known],
    }


def tell_layouts(told: Mapping[str, Any], place: Place, language: Language) -> Iterator[Piece]:
    named = words(language)
    yield Heading(
        say("memory", language, context=format_number(told["context"], language), chip=place.chip.name)
    )

    def row(fit: Mapping[str, Any]) -> list[str]:
        keys = ("data", "shard", "tensor", "pipeline", "rows")
        memory = ("weights", "gradients", "moments", "activations", "total")
        return [
            *(format_number(fit[key], language) for key in keys),
            named[f"recompute_{fit['recompute']}"],
            *(format_number(fit[f"{part}_gb"], language, decimals=1) for part in memory),
            format_percent(fit["share"], language),
        ]

    head = ("data", "shard", "tensor", "pipeline", "rows", "recompute")
    parts = ("weights_gb", "gradients_gb", "moments_gb", "activations_gb", "total_gb", "of_memory")
    fit = [each for each in told["layouts"] if each["fits"]]
    if fit:
        yield Table([named[key] for key in (*head, *parts)], [row(each) for each in fit[:SHOWN]])
    least = told["fewest_cards"]
    if told["layouts"] and not fit:
        yield Sentence(named["memory_no"])
    if least is not None:
        yield Sentence(say("memory_fewest", language, cards=format_number(least, language)))


def judged(found: Estimate, exact_flop: int | None, base: Base | None) -> AiAct:
    """The answers of the AI Act for an estimate, by 6 N D and, where it is known, the exact count a token."""
    low = found.run.flop.low
    most = low
    if exact_flop is not None:
        exact = of(exact_flop, "FLOP/token") * of(found.work.tokens, "token")
        most = max(low, exact)
        low = min(low, exact)
    training = Range(low, found.run.flop.expected, most)
    return judge(Compute(training), parameters=found.work.parameters, base=base)


def tell_act(act: AiAct, language: Language) -> Iterator[Piece]:
    yield Heading(words(language)["ai_act"])
    answers = act.answers(language)
    for sentence in answers:
        yield Sentence(sentence)
    rest = act.sentences(language)[len(answers) :]
    yield Table([""], [[sentence] for sentence in rest], page_only=True)
