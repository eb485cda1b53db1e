"""A life after training as people read it."""

from __future__ import annotations

from collections.abc import Iterator

from hemicycle.plan.lifetime import FIGURES, Amounts, Lifetime
from hemicycle.plan.told import Bars, Heading, Piece, Sentence, Table, ends
from hemicycle.plan.wording import say, words
from hemicycle.typeset import Language, count, format_percent
from hemicycle.units import number


def tell_lifetime(found: Lifetime, language: Language) -> Iterator[Piece]:
    """Each line over the whole life, what comes back each year, and what the sums leave out."""
    named = words(language)
    year = ("an", "ans") if language == "fr" else ("year", "years")
    yield Heading(say("life_title", language, years=count(found.life.years, *year, language)))
    rows = [[named[f"line_{line.name}"], *_expected(line.whole, language)] for line in found.lines]
    rows.append([named["in_all"], *_expected(found.whole, language)])
    rows.append([named["each_year"], *_expected(found.a_year, language)])
    yield Table(["", *(named[name] for name in FIGURES)], rows)
    euros = {
        line.name: number(line.whole.cost_eur.expected, "EUR") for line in found.lines if line.whole.cost_eur
    }
    if euros and sum(euros.values()):
        most, total = max(euros.values()), sum(euros.values())
        yield Bars(
            [
                (named[f"line_{name}"], cost / most, format_percent(cost / total, language))
                for name, cost in euros.items()
            ]
        )
    told = found.sentences(language)
    # Figures stand in the table already.
    for sentence in told[len(found.lines) + 2 :]:
        yield Sentence(sentence)
    yield Table([""], [[sentence] for sentence in told[: len(found.lines) + 2]], page_only=True)


def _expected(amounts: Amounts, language: Language) -> list[str]:
    return [ends(name, getattr(amounts, name), language)[1] for name in FIGURES]
