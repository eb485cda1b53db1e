"""Serving: what published servers reached comes out again, and memory, speed and money by hand."""

import csv
import dataclasses
from pathlib import Path
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hemicycle.arithmetic.chips import find_chip
from hemicycle.arithmetic.configuration import read_configuration
from hemicycle.errors import DeclarationError
from hemicycle.plan.assume import Said, assume
from hemicycle.plan.served import Served, served
from hemicycle.plan.serving import ENDS, ROOM, Load, serve, shares_reached, steady
from hemicycle.plan.tables import reached
from hemicycle.units import number, of

H100, A100, A100_40 = find_chip("h100"), find_chip("a100"), find_chip("a100-40gb")
LLAMA_70B = Served("Llama 2 70B", 68.98e9, 68.98e9, layers=80, kv_heads=8, head_size=128)
LLAMA_8B = Served("Llama 3.1 8B", 8.03e9, 8.03e9, layers=32, kv_heads=8, head_size=128)
MIXTRAL = Served("Mixtral 8x7B", 46.7e9, 12.88e9, layers=32, kv_heads=8, head_size=128, routed=0.25)
MODELS = {
    "GPT-J 6B": Served("GPT-J 6B", 6.05e9, 6.05e9, layers=28, kv_heads=16, head_size=256),
    "Llama 7B": Served("Llama 7B", 6.738e9, 6.738e9, layers=32, kv_heads=32, head_size=128),
    "Mistral 7B": Served("Mistral 7B", 7.242e9, 7.242e9, layers=32, kv_heads=8, head_size=128),
    "Mixtral 8x7B": MIXTRAL,
    "Llama 2 70B": LLAMA_70B,
    "Llama 3.3 70B": dataclasses.replace(LLAMA_70B, parameters=70.55e9, active=70.55e9),
    "Falcon 180B": Served("Falcon 180B", 179.5e9, 179.5e9, layers=80, kv_heads=8, head_size=64),
}
TOLD = [each for name in ("bandwidth", "peak") for each in reached(name)]


def place(chip=H100, gpus=None, **said):
    said = {"power": of(500, "W/GPU"), "pue": 1.2, "carbon": of(50, "g/kWh"), "utilisation": 0.3, **said}
    return assume(chip.name, chip, gpus, said=Said(**said))


def measured():
    """Servers at a known number of answers: row, tokens a second, and ours low, expected and high.

    The figures are of NVIDIA/TensorRT-LLM docs/source/performance.md at 0.9.0, and of the notes on vLLM that
    `reached.csv` names.
    """
    with Path(__file__).with_name("servers.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        size = float(row["bytes"])
        model = dataclasses.replace(MODELS[row["model"]], weight_bytes=size, kv_bytes=size)
        load = Load(float(row["prompt"]), float(row["answer"]))
        chip, cards, answers = find_chip(row["chip"]), int(row["cards"]), int(row["answers"])
        found = [steady(model, chip, load, cards, answers, end).tokens_per_s for end in ENDS]
        yield row, float(row["tokens_per_s"]), found


def test_a_text_longer_than_the_model_takes_is_refused():
    short = dataclasses.replace(next(iter(MODELS.values())), context=1_024)
    with pytest.raises(DeclarationError, match="takes 1,024 tokens"):
        serve(short, place(), Load(1_000, 300))


@pytest.mark.parametrize(("chip", "cards", "share"), [(H100, 2, 0.60), (A100_40, 4, 0.55)])
def test_llama_2_70b_for_one_reader_is_within_a_tenth_of_its_published_share_of_bandwidth(chip, cards, share):
    published = cards * chip.bandwidth * share / (68.98e9 * 2 + 512 * 80 * 8 * 128 * 2 * 2)
    alone = steady(LLAMA_70B, chip, Load(512, 1), cards, 1, "expected")
    assert 1 / alone.read_s == pytest.approx(published, rel=0.1)
    assert alone.read_s > 10 * alone.compute_s


def test_llama_3_3_70b_reads_2083_tokens_on_four_h100_within_a_fifth_of_the_published_time():
    reading = steady(MODELS["Llama 3.3 70B"], H100, Load(2083, 1), 4, 1, "expected")
    assert reading.prompt_s == pytest.approx(0.1892, rel=0.2)


def test_six_batches_of_a_published_server_are_within_a_quarter():
    told = [(rate, expected) for row, rate, (_, expected, _) in measured() if row["source"] == "vLLM"]
    assert len(told) == 6
    assert all(expected == pytest.approx(rate, rel=0.25) for rate, expected in told)


def test_four_of_five_published_servers_in_16_bits_are_between_low_and_high():
    told = [(rate, ends) for row, rate, ends in measured() if row["bytes"] == "2"]
    assert len(told) == 30
    assert sum(low <= rate <= high for rate, (low, _, high) in told) / len(told) >= 0.8


def test_what_is_expected_of_all_published_servers_is_no_boast():
    told = [expected / rate for _, rate, (_, expected, _) in measured()]
    assert len(told) == 56
    assert 0.7 <= median(told) <= 1


def test_shares_are_those_that_our_formula_finds_in_the_measured_speeds():
    model = MODELS["Llama 7B"]
    written = (model.weights + 32 * model.kept(128 + 1024)) / (32 / 1484) / A100.bandwidth
    read = 2 * model.active * 2048 / 0.133 / A100.flops
    told = {(each.of, each.model, each.batch, each.chip.name): each.share for each in TOLD}
    assert told["bandwidth", "Llama 7B", 32, "A100 SXM 80GB"] == pytest.approx(written, abs=0.01)
    assert told["peak", "Llama 7B", 1, "A100 SXM 80GB"] == pytest.approx(read, abs=0.01)


def test_every_share_has_a_source_and_is_below_what_a_plain_copy_of_memory_reaches():
    for name in ("bandwidth", "peak"):
        told = reached(name)
        assert len(told) >= 5
        assert all(each.source and 0 < each.share < 0.87 for each in told)
        assert [each.share for each in told] == sorted(each.share for each in told)
    bandwidth, peak = shares_reached()
    assert bandwidth.range.to_json("") == {"low": 0.35, "expected": 0.58, "high": 0.78}
    assert peak.range.to_json("") == {"low": 0.37, "expected": 0.46, "high": 0.67}


def test_llama_70b_keeps_312_mebibytes_of_a_thousand_tokens():
    assert LLAMA_70B.kept(1024) / 2**30 == pytest.approx(0.3125)


def test_layers_with_a_window_keep_no_more_than_it():
    windowed = dataclasses.replace(LLAMA_8B, window=4096, windowed=24)
    assert windowed.kept(4096) == LLAMA_8B.kept(4096)
    assert windowed.kept(8192) == (8 * 8192 + 24 * 4096) * 2 * 8 * 128 * 2


def test_a_latent_vector_takes_the_place_of_keys_and_values_and_lies_on_every_card():
    deepseek = Served("DeepSeek-V3", 671e9, 37e9, 61, 128, 192, latent=576, routed=8 / 256)
    assert deepseek.kept(1) == 61 * 576 * 2
    assert deepseek.copies(8) == 8
    assert LLAMA_70B.copies(8) == 1
    assert LLAMA_70B.copies(16) == 2


def test_one_answer_reads_the_active_weights_and_many_read_all():
    assert MIXTRAL.read(1) == pytest.approx(12.88e9 * 2)
    # Of 45.1 B parameters in experts, 0.75 squared are left out by two answers.
    assert MIXTRAL.read(2) == pytest.approx((46.7e9 - 33.82e9 * 0.75) * 2)
    assert MIXTRAL.read(200) == pytest.approx(46.7e9 * 2)


def test_sizes_come_from_a_configuration():
    config = {"model_type": "llama", "num_hidden_layers": 80, "hidden_size": 8192, "vocab_size": 32000}
    config |= {"num_attention_heads": 64, "num_key_value_heads": 8, "intermediate_size": 28672}
    model = served("Llama 2 70B", read_configuration(config))
    assert model.parameters == model.active == 68_976_648_192
    assert model.kept(1) == LLAMA_70B.kept(1)


def test_a_mixture_of_experts_comes_from_a_configuration_with_the_share_that_a_token_meets():
    model = served("Mixtral", read_configuration({"model_type": "mixtral"}))
    assert model.routed == 2 / 8
    assert model.read(1) == model.active * 2
    assert model.parameters == pytest.approx(46.7e9, rel=0.01)


def test_70b_in_16_bits_fit_on_two_h100_and_not_on_one():
    alone = serve(LLAMA_70B, place(gpus=1), Load(1000, 500))
    assert not alone.fits
    assert alone.fewest == 2
    assert alone.to_json()["tokens_per_s"] == {"low": None, "expected": None, "high": None}
    assert serve(LLAMA_70B, place(gpus=2), Load(1000, 500)).fits


def test_room_is_what_memory_leaves_beside_the_weights():
    found = serve(LLAMA_8B, place(gpus=1), Load(1000, 1000))
    assert found.room == int((80e9 * ROOM - 16.06e9) // (2000 * 2 * 32 * 8 * 128 * 2))


def test_a_small_model_is_copied_and_a_large_one_spread():
    small, large = (serve(model, place(gpus=8), Load(1000, 500)) for model in (LLAMA_8B, LLAMA_70B))
    assert (small.cards, small.copies) == (1, 8)
    assert (large.cards, large.copies) == (4, 2)


def test_what_binds_is_memory_bandwidth_or_compute():
    # Long texts leave room for a few answers; alone, one token at a time is bound by what is read; a long
    # prompt and a short answer are computed.
    assert serve(LLAMA_8B, place(gpus=1), Load(30_000, 30_000, pace=5)).binds == "memory"
    assert serve(LLAMA_8B, place(gpus=1), Load(10, 2000, pace=60)).binds == "bandwidth"
    assert serve(LLAMA_8B, place(gpus=1), Load(4000, 50)).binds == "compute"


def test_a_model_that_is_too_slow_for_a_reader_says_so():
    found = serve(LLAMA_70B, place(find_chip("l40s"), gpus=4), Load(1000, 500, pace=1000))
    assert not found.keeps_pace
    assert found.expected.answers == 1


def test_a_million_tokens_by_hand():
    found = serve(LLAMA_8B, place(gpus=1, price=of(2.8, "EUR/GPU-h")), Load(1000, 500))
    hours = 1e6 / found.expected.tokens_per_s / 3600
    told = found.to_json()
    assert told["eur_per_mtoken"]["expected"] == pytest.approx(hours * 2.8, rel=1e-4)
    assert told["kwh_per_mtoken"]["expected"] == pytest.approx(hours * 0.5 * 1.2, rel=1e-4)
    assert told["gco2e_per_mtoken"]["expected"] == pytest.approx(hours * 0.5 * 1.2 * 50, rel=1e-4)
    assert told["eur_per_mtoken"]["low"] < told["eur_per_mtoken"]["expected"] < told["eur_per_mtoken"]["high"]


def test_without_a_price_no_cost_is_told():
    found = serve(LLAMA_8B, place(find_chip("h200"), gpus=1), Load(1000, 500))
    assert found.cost is None
    assert found.to_json()["eur_per_mtoken"]["expected"] is None
    assert number(found.energy.expected, "kWh/Mtoken") > 0


@given(
    prompt=st.floats(0, 20_000),
    answer=st.floats(1, 5_000),
    pace=st.floats(0.5, 200),
    gpus=st.integers(1, 16),
    model=st.sampled_from([LLAMA_8B, MIXTRAL]),
)
def test_ends_are_in_order_and_readers_are_not_kept_waiting(prompt, answer, pace, gpus, model):
    load = Load(prompt, answer, pace)
    found = serve(model, place(gpus=gpus, price=of(2, "EUR/GPU-h")), load)
    if not found.fits:
        assert found.fewest > gpus
        return
    assert found.cards * found.copies <= gpus
    for copy in (found.low, found.expected, found.high):
        assert 1 <= copy.answers <= found.room
        assert copy.pace >= pace or copy.answers == 1
    assert found.cost.low <= found.cost.expected <= found.cost.high


def test_what_cannot_be_is_refused():
    with pytest.raises(DeclarationError, match="active"):
        Served("x", 1e9, 2e9, 10, 8, 128)
    with pytest.raises(DeclarationError, match="experts"):
        Served("x", 2e9, 1e9, 10, 8, 128)
    with pytest.raises(DeclarationError, match="prompt"):
        Load(1, 0)
    with pytest.raises(DeclarationError, match="do not fit"):
        serve(dataclasses.replace(LLAMA_70B, parameters=1e14, active=1e14), place(), Load(1, 1))
    unknown = dataclasses.replace(H100, bandwidth=0.0)
    with pytest.raises(DeclarationError, match="memory"):
        serve(LLAMA_8B, place(unknown), Load(1, 1))


@pytest.mark.parametrize("language", ["en", "fr"])
def test_sentences_say_whether_it_fits_what_binds_and_what_is_not_known(language):
    told = serve(LLAMA_8B, place(find_chip("h200"), gpus=1), Load(1000, 500)).sentences(language)
    assert {"en": "16.1\u00a0GB of weights", "fr": "16,1\u00a0Go de poids"}[language] in told[0]
    price = {"en": "No price of these cards is known", "fr": "Aucun prix de ces cartes n’est connu"}
    assert any(each.startswith(price[language]) for each in told)
    small = serve(LLAMA_70B, place(gpus=1), Load(1000, 500)).sentences(language)
    assert len(small) == 2
    assert ("does not fit" if language == "en" else "ne tient pas") in small[1]
