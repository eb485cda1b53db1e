"""Sites: what is declared of a computing centre, and what cannot be of one."""

from datetime import date

import pytest

from hemicycle.errors import DeclarationError
from hemicycle.sites import load_sites
from hemicycle.units import number

SITES = """
[sites.jean-zay]
scheduler = "slurm"
pue = 1.2
carbon = { factor = "20 g/kWh", origin = "RTE", period = "2025" }
network = "10 Gbit/s"
availability = 0.92
maintenance = [{ from = 2027-03-02, until = 2027-03-05 }]

[sites.jean-zay.pools.h100]
chip = "h100"
gpus = 512
gpus_per_node = 4
price = "1.90 EUR/GPU-h"
priced_on = 2026-10-01
power = "551 W/GPU"
windows = [{ from = 2027-07-01, until = 2027-09-01, gpus = 256 }]
quotas = [{ from = 2027-01-01, until = 2028-01-01, hours = "500_000 GPU-h" }]
"""


def load(tmp_path, text=SITES):
    (tmp_path / "sites.toml").write_text(text, "utf-8")
    return load_sites(tmp_path)["jean-zay"]


def test_a_pool_is_read_with_its_quantities(tmp_path):
    site = load(tmp_path)
    pool = site.pools["h100"]
    assert pool.chip == "H100 SXM"
    assert number(pool.each(pool.price, "EUR/GPU-h"), "EUR/GPU-h") == 1.9
    assert number(pool.each(pool.quotas[0].hours, "GPU-h"), "GPU-h") == 500_000
    assert site.maintenance[0].begin == date(2027, 3, 2)


def test_what_is_said_of_a_node_is_shared_by_its_cards(tmp_path):
    of_nodes = (
        SITES.replace("1.90 EUR/GPU-h", "7.60 EUR/node-h")
        .replace("551 W/GPU", "2204 W/node")
        .replace("500_000 GPU-h", "125_000 node-h")
    )
    pool = load(tmp_path, of_nodes).pools["h100"]
    assert number(pool.each(pool.price, "EUR/GPU-h"), "EUR/GPU-h") == pytest.approx(1.9)
    assert number(pool.each(pool.power, "W/GPU"), "W/GPU") == pytest.approx(551)
    assert number(pool.each(pool.quotas[0].hours, "GPU-h"), "GPU-h") == pytest.approx(500_000)


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ('"551 W/GPU"', '"551 W"', "written in W/GPU or W/node"),
        ('"551 W/GPU"', '"2204 W/GPU"', "is it of a node, or of a card"),
        ('"551 W/GPU"', '"551 W/node"', "is it of a node, or of a card"),
        ('"1.90 EUR/GPU-h"', '"1.90 EUR"', "written in EUR/GPU-h or EUR/node-h"),
        ('"1.90 EUR/GPU-h"', '"1900 EUR/GPU-h"', "for an hour of one card: is it of a node"),
        ('"20 g/kWh"', '"20 kg/kWh"', "no grid emits"),
        ('"20 g/kWh"', '"20"', "no number with a unit"),
        ('"h100"', '"h1000"', "no chip is known as “h1000”"),
        ('"h100"', '"v100"', "does not compute in bf16"),
        ("2027-03-05", "2027-03-02", "no later than it begins"),
        ("priced_on = 2026-10-01\n", "", "belong together"),
        ("pue = 1.2", "pue = 0.8", "at least 1"),
        ("gpus = 512", 'gpus = "512"', "whole number"),
        ("pue = 1.2", "pu = 1.2", "Did you mean “pue”"),
    ],
)
def test_what_cannot_be_is_refused_with_its_line(tmp_path, right, wrong, said):
    assert right in SITES
    with pytest.raises(DeclarationError) as refused:
        load(tmp_path, SITES.replace(right, wrong, 1))
    assert said in str(refused.value)
    assert "sites.toml, line " in refused.value.place
