"""A solution as people read it."""

from __future__ import annotations

from collections.abc import Iterator

from hemicycle.plan.choices import Choice
from hemicycle.plan.estimate_told import assumptions_table, flag_pieces
from hemicycle.plan.solve import Solution
from hemicycle.plan.told import Heading, Picture, Piece, Sentence, Table, ends, many
from hemicycle.plan.wording import figure, say, words
from hemicycle.typeset import Language, format_number, format_percent


def tell_solution(found: Solution, language: Language) -> Iterator[Piece]:
    """What the budget affords, what it is best spent on by each law, and how sure that is."""
    named = words(language)
    limits = ", ".join(
        f"{figure(float(limit.amount.magnitude), language)} {limit.unit}" for limit in found.afforded.limits
    )
    low, expected, high = ends("flop", found.afforded.flop, language)
    yield Sentence(
        say(
            "affords_project" if found.budget.whole else "affords_run",
            language,
            limits=limits,
            place=found.task.place.name,
            flop=say("span", language, low=low, expected=expected, high=high),
        )
    )
    if len(found.afforded.limits) > 1:
        yield Sentence(say("binding", language, limit=named[f"limit_{found.afforded.binding.name}"]))
    if found.languages:
        yield Sentence(say("text_of", language, languages=list(found.languages.items())))
    yield Sentence(say("decides", language, law=found.law.name))
    yield _choices(found.decided, language)
    yield Sentence(named["of_final_run"])
    for choice in found.decided:
        yield Sentence(f"{named[choice.name]}{named['colon']} {choice.reason.sentence(language)}")
    others = [choice for choice in found.choices if choice.law != found.law]
    if others:
        yield Heading(named["other_laws"])
        yield _choices(others, language, law=True)
        yield Sentence(named["losses_apart"])
    yield Heading(named["picture"])
    yield Picture(lambda: _drawn(found, language), say("picture_words", language, law=found.law.name))
    sizes = [
        [
            named[f"spread_{spread.of.replace(' ', '_')}"],
            *(
                shape.shown(language) if shape else "–"
                for shape in (spread.low, spread.expected, spread.high)
            ),
        ]
        for spread in found.spreads
    ]
    yield Heading(named["size_spread"])
    yield Table([named["where"], named["low"], named["expected"], named["high"]], sizes)
    yield from flag_pieces(found.flags, language)
    yield Heading(named["assumed"])
    yield assumptions_table(found.task.place.assumptions, language)


def _choices(choices: list[Choice], language: Language, *, law: bool = False) -> Table:
    named = words(language)
    head = [named["law"]] if law else []
    head += [
        *(named[key] for key in ("choice", "parameters", "shape", "tokens", "for_each", "epochs", "loss")),
        *(named[key] for key in ("above_least", "gpu_hours", "cost_eur", "tco2e")),
    ]
    rows = []
    for choice in choices:
        run = choice.estimate.run
        rows.append(
            [
                *([choice.law.name] if law else []),
                named[choice.name],
                many(choice.shape.parameters, language),
                f"{choice.shape.layers} × {choice.shape.width}",
                many(choice.tokens, language),
                format_number(choice.tokens / choice.shape.parameters, language, decimals=0),
                format_number(choice.epochs, language, decimals=1),
                format_number(choice.loss, language, decimals=3),
                format_percent(choice.judged[0].above, language),
                ends("gpu_hours", run.gpu_hours, language)[1],
                ends("cost_eur", run.cost_eur, language)[1],
                ends("tco2e", run.tco2e, language)[1],
            ]
        )
    return Table(head, rows)


def _drawn(found: Solution, language: Language) -> bytes:
    from hemicycle.plan.solve_picture import draw

    return draw(found, language)
