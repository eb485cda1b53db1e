"""Weights are those that `transformers` builds, for published models and for whatever is drawn."""

import json
from dataclasses import asdict, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.arithmetic import count_weights, read_configuration
from tests.arithmetic.meta import build, numbers, parts
from tests.arithmetic.published import PUBLISHED
from tests.arithmetic.small import FAMILIES, configurations

#: As their publishers state them, or as many numbers as their files hold.
STATED = {
    "Llama-2-7B": 6_738_415_616,
    "Llama-3.1-8B": 8_030_261_248,
    "Lucie-7B": 6_706_958_336,
    "Mistral-7B": 7_241_732_096,
    "Mixtral-8x7B": 46_702_792_704,
    "Qwen2-7B": 7_615_616_512,
    "Qwen3-8B": 8_190_735_360,
    "Qwen3-30B-A3B": 30_532_122_624,
    "Gemma-2-9B": 9_241_705_984,
    "Gemma-3-1B": 999_885_952,
    "GPT-2": 124_439_808,
    "BLOOM-176B": 176_247_271_424,
    "Pythia-6.9B": 6_857_302_016,
    "SmolLM3-3B": 3_075_098_624,
    "Apertus-8B": 8_053_338_176,
}


def by_part(weights):
    return {part: number for part, number in asdict(weights).items() if part != "idle"}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_model_has_the_weights_that_transformers_builds(name):
    weights, model = count_weights(read_configuration(PUBLISHED[name])), build(PUBLISHED[name])
    assert weights.total == numbers(model) == STATED.get(name, weights.total)
    assert by_part(weights) == parts(model)


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_small_model_of_any_sizes_has_the_weights_that_transformers_builds(family, data):
    config = data.draw(configurations(family))
    weights, model = count_weights(read_configuration(config)), build(config)
    assert weights.total == numbers(model)
    assert by_part(weights) == parts(model)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_configuration_that_states_nothing_has_what_its_class_takes(family):
    config = {"model_type": family}
    assert count_weights(read_configuration(config)).total == numbers(build(config))


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_configuration_that_transformers_wrote_has_the_sizes_of_the_one_it_read(name):
    written = json.loads(build(PUBLISHED[name]).config.to_json_string(use_diff=False))
    read = read_configuration(PUBLISHED[name])
    # BLOOM's class has no context of its own.
    assert read_configuration(written) == replace(read, context=read_configuration(written).context)
    if name != "BLOOM-176B":
        assert read_configuration(written).context == read.context


def test_the_parts_of_mixtral_by_hand():
    weights = count_weights(read_configuration(PUBLISHED["Mixtral-8x7B"]))
    expert = 3 * 4096 * 14336
    assert weights.feed_forward == 32 * 8 * expert
    assert weights.idle == 32 * 6 * expert
    assert weights.routers == 32 * 8 * 4096
    assert weights.attention == 32 * (2 * 4096 * 4096 + 2 * 4096 * 1024)
    assert weights.norms_and_biases == 65 * 4096
    assert weights.embedding == weights.head == 32000 * 4096
    # “13 billion active”, as its authors say
    assert weights.active == weights.total - weights.idle == 12_879_925_248
    assert weights.matrices == weights.active - 65 * 4096 - 32000 * 4096


def test_thirty_billion_weights_of_which_three_meet_a_token():
    weights = count_weights(read_configuration(PUBLISHED["Qwen3-30B-A3B"]))
    assert round(weights.total / 1e9, 1) == 30.5
    assert round(weights.active / 1e9, 1) == 3.4


def test_a_tied_head_is_counted_once_and_multiplies_all_the_same():
    gpt2 = count_weights(read_configuration(PUBLISHED["GPT-2"]))
    assert gpt2.head == 0
    assert gpt2.positions == 1024 * 768
    assert gpt2.matrices == 12 * 12 * 768 * 768 + 50257 * 768
