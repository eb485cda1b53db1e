"""A model's life after its training, as declared: updates, withdrawals, serving, storage, people.

[life]
years = 3
updates = { a_year = 1, tokens = "100B" }
withdrawals = { a_year = 4, share = 0.2 }
evaluations = { a_year = 12, hours = "64 GPU-h" }
serving = { tokens_a_day = "50M" }
storage = { size = "40 TB", price = "12 EUR/TB/month" }
people = { posts = 2.5, cost = "75000 EUR/year" }

Nothing is supposed: what is not declared is left out, and that it is left out is said.
"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from hemicycle.plan.assume import LEAST_TIMES
from hemicycle.project import Declared
from hemicycle.project.declared import count
from hemicycle.units import in_units

_Tokens = Annotated[int, BeforeValidator(count), Field(gt=0)]
_Times = Annotated[float, Field(gt=0, le=10_000)]


class Updates(Declared):
    """Trainings that go on with new text.

    Attributes:
        experiments: how many times the update alone it takes with what is tried and what fails; at least so
            many times their final run whole projects took.
    """

    a_year: _Times
    tokens: _Tokens
    experiments: float = Field(default=LEAST_TIMES, ge=1, le=100)


class Withdrawals(Declared):
    """Trainings that are redone from where a text that must go was first read.

    Attributes:
        share: of the run that each redoes: all of it in a shuffled order, which reads every source from
            beginning to end. Left out, it is told from the order of the model that is planned.
    """

    a_year: _Times
    share: float | None = Field(default=None, gt=0, le=1)


class Evaluations(Declared):
    a_year: _Times
    hours: Annotated[str, AfterValidator(in_units("GPU-h"))]


class Use(Declared):
    """Answering: so many tokens written a day, or so many cards that are always on."""

    tokens_a_day: _Tokens | None = None
    cards: int | None = Field(default=None, ge=1, le=10_000_000)

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.tokens_a_day is None) == (self.cards is None):
            raise ValueError("say either tokens_a_day or cards")
        return self


class Storage(Declared):
    size: Annotated[str, AfterValidator(in_units("TB"))]
    price: Annotated[str, AfterValidator(in_units("EUR/TB/month"))]


class People(Declared):
    """Full-time posts, and what one costs."""

    posts: float = Field(gt=0, le=100_000)
    cost: Annotated[str, AfterValidator(in_units("EUR/year"))]


class Life(Declared):
    years: int = Field(ge=1, le=100)
    updates: Updates | None = None
    withdrawals: Withdrawals | None = None
    evaluations: Evaluations | None = None
    serving: Use | None = None
    storage: Storage | None = None
    people: People | None = None
