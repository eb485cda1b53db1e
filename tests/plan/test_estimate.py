"""Estimates: published figures come out again, and nothing that is not known is given as one figure."""

import dataclasses
import json
from datetime import date

import pint
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemicycle.arithmetic.chips import find_chip
from hemicycle.errors import DeclarationError
from hemicycle.plan.assume import Said, assume
from hemicycle.plan.estimate import UNITS, Line, Work, estimate
from hemicycle.plan.tables import factors, prices, pues, shares
from hemicycle.sites import load_sites
from hemicycle.units import of, sure

A100, H100 = find_chip("a100"), find_chip("h100")


def work(parameters, tokens, **known):
    return Work("a model", parameters, (Line("text", tokens),), **known)


def bloom(**said):
    said = {"power": of(400, "W/GPU"), "pue": 1.0, "carbon": of(57, "g/kWh"), "availability": 1.0, **said}
    place = assume("Jean Zay", A100, 384, said=Said(**said))
    return estimate(work(176.2e9, 366e9, gpu_hours=1_082_990), place)


def test_bloom_takes_its_days_its_megawatt_hours_and_its_tonnes():
    run = bloom().run.to_json()
    assert run["days"]["expected"] == pytest.approx(117.5, rel=0.05)
    assert run["energy_mwh"]["expected"] == pytest.approx(433, rel=0.05)
    assert run["tco2e"]["expected"] == pytest.approx(24.7, rel=0.05)


def test_the_interviews_800_000_euros_are_74_cents_an_hour_and_four_months():
    found = bloom(price=of(0.74, "EUR/GPU-h"))
    assert found.run.to_json()["cost_eur"]["expected"] == pytest.approx(800_000, rel=0.01)
    assert 3 <= found.run.to_json()["days"]["expected"] / 30.4 <= 4
    told = {each["name"]: each for each in found.to_json()["assumptions"]}
    assert told["price"]["expected"] == 0.74
    assert told["price"]["unit"] == "EUR/GPU-h"


def test_the_whole_of_luciole_is_near_the_low_end_of_what_its_final_runs_let_expect():
    hours = 41_962.1 + 237_036.7 + 576_586.7
    found = estimate(work(8e9, 5e12, gpu_hours=hours), assume("Jean Zay", H100, 512, said=Said()))
    told = found.project.to_json()["gpu_hours"]
    # The project says 1 090 873 GPU-hours in all.
    assert told["low"] == pytest.approx(1_090_873, rel=0.05)
    assert told["low"] < told["expected"] < told["high"]


def test_one_run_under_the_factors_of_four_origins_differs_more_than_twofold_and_names_them():
    place = assume("Jean Zay", H100, 256, said=Said(power=of(566.9, "W/GPU"), pue=1.0))
    found = estimate(work(8.08e9, 5.03e12, gpu_hours=237_036.7), place)
    tonnes = {each["origin"]: each["tco2e"] for each in found.carbon_by_origin}
    assert {"RTE", "Electricity Maps", "Ember"} <= set(tonnes)
    assert max(tonnes.values()) > 2 * min(tonnes.values())


def test_experiments_and_failures_are_ranged_where_nobody_says_them():
    found = estimate(work(7e9, 1e12), assume("x", H100, 256, said=Said())).to_json()
    run, project = found["gpu_hours"], found["project"]["gpu_hours"]
    assert project["low"] == pytest.approx(1.3 * run["low"], rel=1e-4)
    assert project["high"] == pytest.approx(5 * run["high"], rel=1e-4)
    assert run["expected"] < project["expected"] < project["high"]


def test_a_plan_of_less_than_any_project_took_is_flagged():
    tight = estimate(work(7e9, 1e12), assume("x", H100, 256, said=Said(experiments=1.1)))
    assert [flag.name for flag in tight.flags] == ["NO_SLACK"]


def test_a_utilisation_like_lucies_is_flagged_before_it_burns():
    slow = estimate(work(7e9, 1e12), assume("x", H100, 256, said=Said(utilisation=0.073)))
    assert "MFU_TOO_LOW" in [flag.name for flag in slow.flags]


def test_a_project_beyond_the_quotas_of_its_pool_is_flagged(tmp_path):
    quotas = 'quotas = [{ from = 2027-01-01, until = 2028-01-01, hours = "%s GPU-h" }]\n'
    for hours, flags in (("1_000_000", []), ("1_000", ["OVER_ALLOCATION"])):
        text = '[sites.lab.pools.h100]\nchip = "h100"\ngpus = 8\n' + quotas % hours
        (tmp_path / "sites.toml").write_text(text, "utf-8")
        site = load_sites(tmp_path)["lab"]
        place = assume("lab/h100", H100, 8, said=Said(), site=site, pool=site.pools["h100"])
        assert [flag.name for flag in estimate(work(7e9, 1e12), place).flags] == flags


def quotas_of(tmp_path, *quotas):
    declared = ", ".join(
        f'{{ from = {begin}, until = {until}, hours = "{hours} GPU-h" }}' for begin, until, hours in quotas
    )
    text = f'[sites.lab.pools.h100]\nchip = "h100"\ngpus = 8\nquotas = [{declared}]\n'
    (tmp_path / "sites.toml").write_text(text, "utf-8")
    site = load_sites(tmp_path)["lab"]
    return assume(
        "lab/h100", H100, 8, said=Said(), site=site, pool=site.pools["h100"], today=date(2027, 3, 1)
    ).allowed


def test_quotas_that_overlap_allow_what_all_of_them_allow(tmp_path):
    year, first, second = (
        ("2027-01-01", "2028-01-01"),
        ("2027-01-01", "2027-07-01"),
        ("2027-07-01", "2028-01-01"),
    )
    assert quotas_of(tmp_path, (*year, 40), (*first, 15), (*second, 15)) == 30
    assert quotas_of(tmp_path, (*year, 20), (*first, 15), (*second, 15)) == 20
    assert quotas_of(tmp_path, (*first, 15), (*second, 15)) == 30
    assert quotas_of(tmp_path, (*year, 40), (*second, 15)) == 40


def test_quotas_that_are_over_allow_nothing_and_none_declared_all(tmp_path):
    assert quotas_of(tmp_path, ("2026-01-01", "2027-01-01", 40)) == 0
    assert quotas_of(tmp_path) is None


def test_a_model_that_its_cards_cannot_hold_is_flagged():
    def flags(cards):
        found = estimate(work(70e9, 2e10), assume("x", H100, cards, said=Said(experiments=1.5)))
        return [flag.name for flag in found.flags]

    # 70e9 weights of 16 bytes are 1120 GB, and an H100 has 80.
    assert flags(8) == ["DOES_NOT_FIT"]
    assert flags(14) == []


def test_a_mixture_of_experts_is_said_to_rest_on_trainings_of_others():
    place = assume("x", H100, 256, said=Said(experiments=1.5))
    sparse = estimate(work(13e9, 1e12, whole=47e9), place)
    assert [flag.name for flag in sparse.flags] == ["SPARSE"]


def test_hours_that_are_known_rest_on_no_utilisation():
    known = estimate(work(7e9, 1e12, gpu_hours=1e5), assume("x", H100, 256, said=Said()))
    assert "utilisation" not in {each["name"] for each in known.to_json()["assumptions"]}


def test_without_a_number_of_cards_there_are_no_days_and_nothing_else_is_lost():
    found = estimate(work(7e9, 1e12), assume("x", H100, None, said=Said())).to_json()
    assert found["days"] == {"low": None, "expected": None, "high": None}
    assert found["gpu_hours"]["expected"] > 0


def test_a_site_without_a_price_has_no_cost_and_not_anothers(tmp_path):
    (tmp_path / "sites.toml").write_text('[sites.lab.pools.h100]\nchip = "h100"\ngpus = 8\n', "utf-8")
    site = load_sites(tmp_path)["lab"]
    place = assume("lab/h100", H100, 8, said=Said(), site=site, pool=site.pools["h100"])
    assert estimate(work(7e9, 1e12), place).run.cost_eur is None


def test_modalities_are_lines_of_their_own_that_sum_to_the_whole():
    lines = (Line("text", 9e11), Line("audio", 1e11))
    found = estimate(Work("m", 7e9, lines), assume("x", H100, 256, said=Said())).to_json()
    assert [line["name"] for line in found["lines"]] == ["text", "audio"]
    assert sum(line["gpu_hours"] for line in found["lines"]) == pytest.approx(found["gpu_hours"]["expected"])
    assert sum(line["flop"] for line in found["lines"]) == pytest.approx(found["flop"]["expected"])


@given(st.floats(1e6, 1e12), st.floats(1e6, 1e14), st.integers(1, 100_000))
def test_every_figure_is_in_order_and_scales_with_the_tokens(parameters, tokens, gpus):
    place = assume("x", H100, gpus, said=Said())
    one, two = (estimate(work(parameters, t), place).to_json() for t in (tokens, 2 * tokens))
    for name in UNITS:
        assert one[name]["low"] <= one[name]["expected"] <= one[name]["high"]
        assert two[name]["expected"] == pytest.approx(2 * one[name]["expected"], rel=1e-4)
    json.dumps(one, allow_nan=False)


def test_a_price_of_a_node_cannot_pass_for_one_of_a_card():
    place = assume("x", H100, 256, said=Said())
    of_node = dataclasses.replace(place.price, range=sure(of(8, "EUR/node-h")))
    with pytest.raises(pint.DimensionalityError):
        estimate(work(7e9, 1e12), dataclasses.replace(place, price=of_node)).to_json()


def test_a_peak_a_node_cannot_pass_for_one_a_card():
    place = assume("x", H100, 256, said=Said())
    power = dataclasses.replace(place.power, range=sure(of(5_600, "W/node")))
    with pytest.raises(pint.DimensionalityError):
        estimate(work(7e9, 1e12), dataclasses.replace(place, power=power)).to_json()


@pytest.mark.parametrize(("parameters", "tokens"), [(0, 1e9), (1e9, 0)])
def test_no_work_is_no_plan(parameters, tokens):
    with pytest.raises(DeclarationError, match="above zero"):
        estimate(work(parameters, tokens), assume("x", H100, 256, said=Said()))


def test_a_region_without_a_factor_is_refused():
    with pytest.raises(DeclarationError, match="no carbon factor is known of “XX”"):
        assume("x", H100, 8, said=Said(region="XX"))


def test_drivers_are_the_widest_assumptions_first():
    found = estimate(work(7e9, 1e12), assume("x", H100, 256, said=Said()))
    times = [driver.times for driver in found.drivers]
    assert times == sorted(times, reverse=True)
    assert {driver.assumption for driver in found.drivers} >= {"experiments", "carbon", "utilisation"}
    settled = Said(0.3, of(551, "W/GPU"), 1.2, of(20, "g/kWh"), of(2, "EUR/GPU-h"), 0.92, 1.5)
    assert estimate(work(7e9, 1e12), assume("x", H100, 256, said=settled)).drivers == []


def test_every_row_of_the_tables_has_a_source_and_a_figure_that_can_be():
    for factor in factors():
        assert factor.source
        assert 5 <= factor.g_per_kwh <= 1_000
    for pue in pues():
        assert pue.source
        assert 1 <= pue.pue <= 2.5
    for price in prices():
        assert price.source
        assert 0.05 <= price.eur_per_gpu_h <= 20
    for share in shares():
        assert share.source
        assert 1 <= share.times_final_run <= 10
