"""Quantities: what does not fit where it stands is refused, and a formula with a wrong denominator fails."""

import contextlib

import pint
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemicycle.errors import DeclarationError
from hemicycle.units import Range, between, number, of, quantity, sure


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("1.90 EUR/GPU-h", "EUR/GPU-h", 1.9),
        ("1.90 €/GPU-h", "EUR/GPU-h", 1.9),
        ("551 W/GPU", "W/GPU", 551),
        ("0.551 kW/GPU", "W/GPU", 551),
        ("20 g/kWh", "g/kWh", 20),
        ("0.02 kg/kWh", "g/kWh", 20),
        ("20 gCO2e/kWh", "g/kWh", 20),
        ("10 Gbit/s", "Gbit/s", 10),
        ("500_000 GPU-h", "GPU-h", 500_000),
        ("500 000 GPU-h", "GPU-h", 500_000),
        ("1e6 GPU-h", "GPU-h", 1e6),
        ("989 TFLOP/s/GPU", "FLOP/s/GPU", 989e12),
    ],
)
def test_a_quantity_is_read_as_people_write_it(text, unit, value):
    assert number(quantity(text, unit), unit) == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("7.60 EUR/node-h", "EUR/GPU-h"),
        ("1.90 EUR", "EUR/GPU-h"),
        ("1.90", "EUR/GPU-h"),
        ("551 W", "W/GPU"),
        ("551 W/node", "W/GPU"),
        ("20 g", "g/kWh"),
        ("-20 g/kWh", "g/kWh"),
        ("500 GPU", "GPU-h"),
        ("500 node-h", "GPU-h"),
        ("5 flurbs/GPU", "W/GPU"),
        ("1 __import__", "W/GPU"),
        ("2**9999999 W/GPU", "W/GPU"),
        ("9" * 400 + " W/GPU", "W/GPU"),
        ("", "W/GPU"),
    ],
)
def test_what_is_of_another_dimension_is_refused_with_what_would_fit(text, unit):
    with pytest.raises(DeclarationError) as refused:
        quantity(text, unit)
    assert unit in refused.value.remedy


@given(st.text(max_size=40))
def test_any_text_is_a_quantity_or_an_error_of_ours(text):
    with contextlib.suppress(DeclarationError):
        assert number(quantity(text, "W/GPU"), "W/GPU") >= 0


def test_hours_of_nodes_times_a_price_of_cards_are_no_euros():
    with pytest.raises(pint.DimensionalityError):
        number(of(1_000, "node-h") * of(2, "EUR/GPU-h"), "EUR")


def test_a_peak_without_its_card_gives_no_gpu_hours():
    with pytest.raises(pint.DimensionalityError):
        number(of(1e20, "FLOP") / of(312, "TFLOP/s"), "GPU-h")


ENDS = st.tuples(*[st.floats(0.01, 1e6)] * 3).map(sorted)


@given(ENDS, ENDS)
def test_the_ends_of_a_product_and_of_a_quotient_hold_those_of_any_values_between(one, other):
    a, b = between(*one, "GPU-h"), between(*other, "W/GPU")
    product, quotient = a * b, a / b
    for x in one:
        for y in other:
            assert number(product.low, "Wh") <= x * y * (1 + 1e-9)
            assert number(product.high, "Wh") >= x * y * (1 - 1e-9)
            value = number(of(x, "GPU-h") / of(y, "W/GPU"), "GPU**2*hour/W")
            assert number(quotient.low, "GPU**2*hour/W") <= value * (1 + 1e-9)
            assert number(quotient.high, "GPU**2*hour/W") >= value * (1 - 1e-9)


def test_a_range_out_of_order_is_none():
    with pytest.raises(ValueError, match="not in order"):
        Range(of(2, "W"), of(1, "W"), of(3, "W"))


def test_what_is_sure_has_no_spread():
    assert sure(of(3, "W")).spread == 1
    assert between(1, 2, 4, "W").spread == 4


@pytest.mark.parametrize(
    ("one", "other", "times"), [("GB", "byte", 1e9), ("byte", "bit", 8), ("TB", "GB", 1e3)]
)
def test_bytes_and_bits_are_amounts_of_information_and_no_numbers(one, other, times):
    assert number(of(1, one), other) == pytest.approx(times)
    with pytest.raises(pint.DimensionalityError):
        number(of(1, one), "")
