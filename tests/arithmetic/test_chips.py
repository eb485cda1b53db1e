"""The denominators of utilisation: the table of peaks, and the rate measured where it has none."""

import csv
from pathlib import Path

import pytest

from hemicycle.arithmetic import chips
from hemicycle.arithmetic.chips import device_peak, find_chip, mfu, read_chips
from hemicycle.errors import DeclarationError

TABLE = Path(chips.__file__).with_name("chips.csv")


def rows():
    with TABLE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("device", "tflops"),
    [
        ("NVIDIA A100-SXM4-80GB", 312),
        ("NVIDIA A100-PCIE-40GB", 312),
        ("NVIDIA A100 80GB PCIe", 312),
        ("NVIDIA H100 80GB HBM3", 989),
        ("NVIDIA H100 PCIe", 756),
        ("NVIDIA H100 NVL", 835),
        ("NVIDIA H200", 989),
        ("NVIDIA H200 NVL", 836),
        ("NVIDIA GH200 120GB", 989),
        ("NVIDIA B200", 2250),
        ("NVIDIA L40S", 362),
        ("NVIDIA L4", 121),
        ("NVIDIA GeForce RTX 4090", 165.2),
        ("AMD Instinct MI300X", 1307.4),
        # One of the two devices of a card of 383.
        ("AMD Instinct MI250X", 191.5),
    ],
)
def test_a_known_device_has_its_dense_peak(device, tflops):
    assert device_peak(device).flops == pytest.approx(tflops * 1e12)


@pytest.mark.parametrize(
    "device",
    [
        "",
        "NVIDIA H100",
        "NVIDIA H100 80GB HBM3 MIG 1g.10gb",
        "NVIDIA A10",
        "NVIDIA L40",
        "NVIDIA H20",
        "NVIDIA GeForce RTX 4090 Laptop GPU",
        "NVIDIA GeForce RTX 4090 D",
        "NVIDIA GeForce RTX 3090 Ti",
        "Tesla V100-SXM2-32GB",
        "Tesla T4",
        "AMD Radeon Graphics",
        "Intel(R) Xeon(R) Platinum 8480+",
    ],
)
def test_an_unknown_device_has_no_peak_and_no_relatives_one(device):
    assert device_peak(device) is None


def test_every_row_has_a_source_a_day_and_a_peak_between_those_of_chips_that_are_sold():
    for row in rows():
        assert row["source"]
        assert row["checked_on"] >= "2026-11-01"
        assert 50 <= float(row["dense_tflop_s"]) <= 5000
    names = [row["chip"] for row in rows()]
    assert len(names) == len(set(names)) >= 20


@pytest.mark.parametrize("row", rows(), ids=lambda row: row["chip"])
def test_the_sparse_figure_of_a_data_sheet_is_refused(row):
    if not row["sparse_tflop_s"]:
        assert row["chip"] in ("MI250", "MI250X")
        return
    read_chips([row])
    with pytest.raises(DeclarationError, match=r"not half of .* with sparsity"):
        read_chips([{**row, "dense_tflop_s": row["sparse_tflop_s"]}])
    with pytest.raises(DeclarationError):
        read_chips([{**row, "dense_tflop_s": str(float(row["dense_tflop_s"]) / 2)}])


def test_no_device_is_two_chips():
    for device in ("NVIDIA A100-SXM4-80GB", "NVIDIA H200 NVL", "NVIDIA L4", "AMD Instinct MI250X"):
        assert sum(bool(row.device.fullmatch(device)) for row in read_chips(rows())) == 1


@pytest.mark.parametrize(
    ("run", "parameters", "tokens", "gpu_hours", "device", "utilisation"),
    [
        ("BLOOM", 176.2e9, 366e9, 1_082_990, "NVIDIA A100-SXM4-80GB", 0.318),
        ("Luciole-23B", 23.2e9, 4.87e12, 576_587, "NVIDIA H100 80GB HBM3", 0.330),
        ("Lucie-7B", 6.707e9, 3.12e12, 486_654, "NVIDIA H100 80GB HBM3", 0.073),
    ],
)
def test_the_utilisation_of_published_runs_comes_out(run, parameters, tokens, gpu_hours, device, utilisation):
    tokens_per_second = tokens / gpu_hours / 3600
    found = mfu(tokens_per_second, 6 * parameters, device_peak(device).flops)
    assert found == pytest.approx(utilisation, abs=0.0006)


def test_without_a_peak_there_is_no_utilisation():
    assert mfu(1_000, 6e9, None) is None


@pytest.mark.parametrize(
    ("said", "chip"),
    [
        ("a100", "A100 SXM 80GB"),
        ("A100-80GB", "A100 SXM 80GB"),
        ("NVIDIA A100 PCIe 80GB", "A100 PCIe 80GB"),
        ("H100-80GB", "H100 SXM"),
        ("h100 sxm", "H100 SXM"),
        ("GH200", "GH200"),
        ("mi250x", "MI250X"),
    ],
)
def test_people_call_a_chip_by_several_names(said, chip):
    assert find_chip(said).name == chip


def test_an_unknown_chip_fails_and_is_not_taken_for_another():
    with pytest.raises(DeclarationError, match="no chip is known as “H1000”") as failed:
        find_chip("H1000")
    assert "Did you mean" in failed.value.remedy
    with pytest.raises(DeclarationError, match="does not compute in bf16"):
        find_chip("V100")


def test_no_two_chips_have_one_name():
    names = [alias for row in read_chips(rows()) for alias in row.aliases]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("row", rows(), ids=lambda row: row["chip"])
def test_a_nodes_power_in_place_of_a_cards_is_refused(row):
    read_chips([row])
    with pytest.raises(DeclarationError, match="no power of one card"):
        read_chips([{**row, "power_w": str(float(row["power_w"]) * 16)}])


@pytest.mark.parametrize("row", rows(), ids=lambda row: row["chip"])
def test_memory_and_its_bandwidth_are_of_cards_that_are_sold(row):
    assert 20 <= float(row["memory_gb"]) <= 300
    # A memory is read through some tens of times a second.
    assert 5 <= float(row["bandwidth_gb_s"]) / float(row["memory_gb"]) <= 90
