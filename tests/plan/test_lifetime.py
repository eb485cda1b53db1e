"""Lifetimes: a life by hand, line by line; what is not declared or not known is said, never supposed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hemicycle.arithmetic.chips import find_chip
from hemicycle.errors import DeclarationError
from hemicycle.plan.assume import Said, assume
from hemicycle.plan.estimate import Line, Work, estimate
from hemicycle.plan.life import Life
from hemicycle.plan.lifetime import embodied_rate, lifetime
from hemicycle.plan.served import Served
from hemicycle.plan.serving import Load, serve
from hemicycle.plan.tables import embodied, lives
from hemicycle.project import load_toml
from hemicycle.units import number, of

A100, H100 = find_chip("a100"), find_chip("h100")
SURE = {"utilisation": 0.4, "power": of(500, "W/GPU"), "pue": 1.2, "carbon": of(50, "g/kWh")}
MODEL = Served("8B", 8e9, 8e9, layers=32, kv_heads=8, head_size=128)


def place(chip=A100, gpus=8, **said):
    every = {"price": of(2, "EUR/GPU-h"), "experiments": 1.5, "availability": 1.0, **SURE, **said}
    return assume(chip.name, chip, gpus, said=Said(**every))


def trained(where=None):
    """A run of 100 000 hours on 1 T tokens, and half as much of experiments."""
    work = Work("m", 8e9, (Line("text", 1e12),), gpu_hours=100_000)
    return estimate(work, where or place())


LIFE = Life.model_validate(
    {
        "years": 3,
        "updates": {"a_year": 2, "tokens": "100B", "experiments": 1.5},
        "withdrawals": {"a_year": 4, "share": 0.5},
        "evaluations": {"a_year": 12, "hours": "100 GPU-h"},
        "serving": {"cards": 4},
        "storage": {"size": "40 TB", "price": "10 EUR/TB/month"},
        "people": {"posts": 2.5, "cost": "80000 EUR/year"},
    }
)


def test_withdrawals_of_which_nothing_tells_the_share_are_left_out_and_that_is_said():
    life = Life.model_validate({"years": 1, "withdrawals": {"a_year": 4}})
    found = lifetime(trained(), life, None, place())
    assert "withdrawals" not in {line.name for line in found.lines}
    assert "nothing tells what each redoes" in " ".join(found.sentences("en"))
    assert "rien ne dit ce que chacun fait refaire" in " ".join(found.sentences("fr"))


def test_a_life_by_hand():
    found = lifetime(trained(), LIFE, None, place())
    lines = {each.name: each for each in found.lines}
    hours = {
        "training": 150_000,
        "updates": 2 * 1.5 * 0.1 * 100_000,
        "withdrawals": 4 * 0.5 * 100_000,
        "evaluations": 1_200,
        "serving": 4 * 8_766,
    }
    for name, expected in hours.items():
        told = lines[name].whole if name == "training" else lines[name].a_year
        assert number(told.gpu_hours.expected, "GPU-h") == pytest.approx(expected)
        assert number(told.cost_eur.expected, "EUR") == pytest.approx(2 * expected)
        assert number(told.energy_mwh.expected, "MWh") == pytest.approx(expected * 0.5 * 1.2 / 1000)
        assert number(told.tco2e.expected, "t") == pytest.approx(expected * 0.5 * 1.2 * 50 / 1e6)
    yearly = sum(hours.values()) - 150_000
    whole = 150_000 + 3 * yearly
    assert number(lines["storage"].whole.cost_eur.expected, "EUR") == pytest.approx(3 * 12 * 400)
    assert number(lines["people"].whole.cost_eur.expected, "EUR") == pytest.approx(3 * 200_000)
    # Of an A100 with its share of a server 318 kg, over 6 years of 8 766 hours, 85 % of them at work.
    made = whole * 318e-3 / (6 * 8_766 * 0.85)
    assert number(lines["embodied"].whole.tco2e.expected, "t") == pytest.approx(made)
    total = found.to_json()["whole"]
    assert total["gpu_hours"]["expected"] == pytest.approx(whole, rel=1e-5)
    assert total["cost_eur"]["expected"] == pytest.approx(2 * whole + 14_400 + 600_000, rel=1e-5)
    assert total["tco2e"]["expected"] == pytest.approx(whole * 30e-6 + made, rel=1e-5)
    each_year = found.to_json()["a_year"]
    assert each_year["cost_eur"]["expected"] == pytest.approx(2 * yearly + 4_800 + 200_000, rel=1e-5)
    assert found.training_share["energy_mwh"] == pytest.approx(150_000 / whole)
    assert found.computing_share == pytest.approx(whole * 30e-6 / (whole * 30e-6 + made))


def test_blooms_embodied_carbon_comes_out_as_its_makers_reckoned_it():
    rate = embodied_rate(A100).range
    tonnes = number(rate.high * of(1_082_990, "GPU-h"), "t")
    assert tonnes == pytest.approx(11.2, rel=0.01)


def test_a_card_alone_is_the_low_end_and_one_with_its_server_what_is_expected():
    told = embodied_rate(H100)
    alone, server = (kg / (6 * 8_766 * 0.85) for kg in (164, 318))
    assert number(told.range.low, "kg/GPU-h") == pytest.approx(alone)
    assert number(told.range.expected, "kg/GPU-h") == pytest.approx(server)
    assert told.unit == "g/GPU-h"
    assert all(each.source and each.years == 6 and each.use == 0.85 for each in embodied())


def test_training_and_use_are_told_beside_a_published_life():
    found = lifetime(trained(), LIFE, None, place())
    assert lives()[0].training_and_use == 0.855
    assert found.to_json()["published"][0]["computing_share"] == 0.855
    assert any("85.5%" in each for each in found.sentences("en"))


def test_tokens_of_a_day_take_whole_copies_that_are_always_on():
    where = place(H100, 8)
    serving = serve(MODEL, where, Load(500, 500))
    busy = Life.model_validate({"years": 1, "serving": {"tokens_a_day": "1B"}})
    found = lifetime(trained(), busy, serving, where)
    rate = serving.expected.tokens_per_s
    copies = -(-1e9 / 86_400 // rate)
    hours = number(found.line("serving").whole.gpu_hours.expected, "GPU-h")
    assert copies > 1
    assert hours == pytest.approx(copies * serving.cards * 8_766)
    assert "even" in found.absent
    idle = Life.model_validate({"years": 1, "serving": {"tokens_a_day": 1}})
    alone = lifetime(trained(), idle, serving, where).line("serving").whole.gpu_hours
    assert number(alone.low, "GPU-h") == pytest.approx(8_766 * serving.cards)


def test_what_is_not_declared_is_absent_and_said():
    found = lifetime(trained(), Life(years=2), None, place())
    assert [each.name for each in found.lines] == ["training", "embodied"]
    names = ("updates", "withdrawals", "evaluations", "serving", "storage", "people")
    assert found.absent == tuple(f"no_{name}" for name in names)
    assert found.training_share["cost_eur"] == pytest.approx(1)
    assert "People are not declared, and not counted." in found.sentences("en")


def test_serving_of_a_model_that_does_not_fit_is_said_not_to_be_counted():
    life = Life.model_validate({"years": 1, "serving": {"tokens_a_day": "1M"}})
    large = serve(Served("70B", 70e9, 70e9, 80, 8, 128), place(A100, 1), Load(500, 500))
    for serving in (None, large):
        found = lifetime(trained(), life, serving, place(A100, 1))
        assert found.line("serving") is None
        assert "unknown_serving" in found.absent


def test_hours_of_two_kinds_of_cards_are_not_added():
    found = lifetime(trained(place(A100)), LIFE, None, place(H100))
    assert found.whole.gpu_hours is None
    assert found.whole.cost_eur is not None
    assert found.line("serving").chip == H100
    assert found.line("updates").chip == A100


def test_a_price_that_is_not_known_is_missing_from_the_sum_and_leaves_no_share():
    where = assume("h200", find_chip("h200"), 8, said=Said(**SURE))
    found = lifetime(trained(where), LIFE, None, where)
    assert found.line("training").missing == ["cost_eur"]
    assert "cost_eur" not in found.training_share
    assert number(found.whole.cost_eur.expected, "EUR") == pytest.approx(3 * 204_800)
    assert any(each.startswith("The euros of some lines are not known") for each in found.sentences("en"))


def test_a_life_is_read_from_its_table_and_what_has_no_unit_is_refused(tmp_path):
    path = tmp_path / "life.toml"
    path.write_text('years = 3\nstorage = { size = "40 TB", price = "12 EUR/TB/month" }\n')
    assert load_toml(path, Life).years == 3
    path.write_text('years = 3\nstorage = { size = "40 TB", price = "12 EUR/month" }\n')
    with pytest.raises(DeclarationError, match="not in EUR/TB/month"):
        load_toml(path, Life)


@pytest.mark.parametrize(
    "wrong",
    [
        {"years": 0},
        {"years": 1, "serving": {}},
        {"years": 1, "serving": {"cards": 4, "tokens_a_day": "1M"}},
        {"years": 1, "people": {"posts": 2, "cost": "80000"}},
        {"years": 1, "withdrawals": {"a_year": 1, "share": 1.5}},
        {"years": 1, "updates": {"a_year": 1, "tokens": "some"}},
    ],
)
def test_a_life_that_cannot_be_is_refused(wrong):
    with pytest.raises(ValidationError):
        Life.model_validate(wrong)


@given(
    years=st.integers(1, 20),
    a_year=st.floats(0.1, 50),
    tokens=st.integers(1, 10**13),
    cards=st.integers(1, 1000),
)
def test_the_whole_is_the_training_and_the_years_with_their_ends_in_order(years, a_year, tokens, cards):
    life = {"years": years, "updates": {"a_year": a_year, "tokens": tokens}, "serving": {"cards": cards}}
    where = assume("a100", A100, 8, said=Said())
    found = lifetime(
        estimate(Work("m", 1e9, (Line("text", 1e11),)), where), Life.model_validate(life), None, where
    )
    for name in ("gpu_hours", "cost_eur", "energy_mwh", "tco2e"):
        whole, yearly = getattr(found.whole, name), getattr(found.a_year, name)
        once = getattr(found.line("training").whole, name)
        made = found.line("embodied") if name == "tco2e" else None
        before = once.expected
        if made is not None:
            before = before + made.whole.tco2e.expected - years * made.a_year.tco2e.expected
        assert whole.low <= whole.expected <= whole.high
        assert (whole.expected - before) / yearly.expected == pytest.approx(years)


@pytest.mark.parametrize("language", ["en", "fr"])
def test_a_life_is_told_line_by_line(language):
    told = lifetime(trained(), LIFE, None, place()).sentences(language)
    first = {"en": "Training, with its experiments:", "fr": "L’entraînement, avec ses essais :"}
    assert told[0].startswith(first[language])
    assert len(told) == 8 + 2 + 3 + 1 + 1
