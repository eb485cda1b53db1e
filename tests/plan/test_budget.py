"""Budgets: the inverse of estimates, with the limit that binds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemicycle.arithmetic.chips import find_chip
from hemicycle.errors import DeclarationError
from hemicycle.plan.assume import Said, assume
from hemicycle.plan.budget import Budget, afford
from hemicycle.plan.estimate import Line, Work, estimate
from hemicycle.units import number, of

SURE = Said(
    utilisation=0.4,
    power=of(500, "W/GPU"),
    pue=1.25,
    carbon=of(40, "g/kWh"),
    price=of(2, "EUR/GPU-h"),
    availability=0.9,
    experiments=1.5,
)


def place(chip="h100", gpus=100, said=SURE):
    return assume("there", find_chip(chip), gpus, said=said)


def flop(found, end="expected"):
    return number(getattr(found.flop, end), "FLOP")


#: 0.4 x 989e12 x 3600: what one card does in an hour.
AN_HOUR = 0.4 * 989e12 * 3_600


@pytest.mark.parametrize(
    ("budget", "hours"),
    [
        (Budget(gpu_hours=3_000), 2_000),
        (Budget(gpu_hours=3_000, whole=False), 3_000),
        (Budget(eur=6_000), 2_000),
        # A card and its host take 0.5 kW x 1.25 = 0.625 kW, and 25 g an hour.
        (Budget(tco2e=0.075), 2_000),
        # 100 cards x 24 h x 0.9 x 10 days / 1.5
        (Budget(days=10), 14_400),
    ],
)
def test_each_kind_of_budget_by_hand(budget, hours):
    assert flop(afford(budget, place())) == pytest.approx(hours * AN_HOUR)


def test_the_least_of_several_limits_binds_and_is_named():
    found = afford(Budget(gpu_hours=3_000, eur=5_000, days=10), place())
    assert found.binding.name == "eur"
    assert flop(found) == pytest.approx(5_000 / 2 / 1.5 * AN_HOUR)
    assert [limit.name for limit in found.limits] == ["gpu_hours", "eur", "days"]


def test_where_nothing_is_sure_the_ends_are_those_where_all_goes_badly_or_well():
    found = afford(Budget(gpu_hours=3_000), place(said=Said(utilisation=0.4)))
    # Experiments and failures took 1.3 to 5 times the final run.
    assert flop(found, "low") == pytest.approx(600 * AN_HOUR)
    assert flop(found, "high") == pytest.approx(3_000 / 1.3 * AN_HOUR)


BUDGETS = st.sampled_from(["gpu_hours", "eur", "tco2e", "days"])


@given(BUDGETS, st.floats(1, 1e6), st.booleans(), st.sampled_from([SURE, Said()]))
def test_an_estimate_of_what_is_afforded_takes_the_budget(name, amount, whole, said):
    there = place(said=said)
    found = afford(Budget(**{name: amount}, whole=whole), there)
    made = estimate(Work("it", 1e9, (Line("text", flop(found) / 6e9),)), there)
    taken = made.project if whole else made.run
    figure = {"eur": "cost_eur"}.get(name, name)
    assert taken.to_json()[figure]["expected"] == pytest.approx(amount, rel=1e-4)


@pytest.mark.parametrize(
    ("budget", "there", "what"),
    [
        (Budget(), place(), "needs an amount"),
        (Budget(gpu_hours=0), place(), "affords nothing"),
        (Budget(eur=float("nan")), place(), "affords nothing"),
        (Budget(days=10), place(gpus=None), "on how many cards"),
        (Budget(eur=10), place("h200", said=Said()), "needs a price"),
    ],
)
def test_a_budget_that_says_nothing_is_refused(budget, there, what):
    with pytest.raises(DeclarationError, match=what):
        afford(budget, there)
