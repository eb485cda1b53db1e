"""Operations a token: equal to those that torch counts in a real step, and to worked examples."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.checkpoint import set_checkpoint_early_stop
from torch.utils.flop_counter import FlopCounterMode

from hemicycle.arithmetic import hardware_flop, model_flop, read_configuration, six_n
from tests.arithmetic.meta import build
from tests.arithmetic.published import PUBLISHED
from tests.arithmetic.small import FAMILIES, configurations

ROWS = 2
#: Attention and experts as products that torch's counter knows.
COUNTED = {"device": "cpu", "attn_implementation": "eager", "experts_implementation": "eager"}
#: What a class would else take is too large to run. A table of scores holds what is beyond a window too, so
#: windows are wider than rows here.
SMALL = {
    "vocab_size": 50,
    "intermediate_size": 24,
    "num_key_value_heads": 1,
    "moe_intermediate_size": 12,
    "num_experts": 4,
    "num_experts_per_tok": 2,
    "n_routed_experts": 4,
    "num_local_experts": 4,
    "q_lora_rank": 6,
    "kv_lora_rank": 10,
    "qk_nope_head_dim": 6,
    "qk_rope_head_dim": 4,
    "v_head_dim": 5,
}


def counted(config, context, *, recompute=False):
    """Operations a token of one step, forward and backward, as torch counts them."""
    model = build(config, **COUNTED).train()
    if recompute:
        model.activation_checkpointing_enable({"use_reentrant": False})
    vocabulary = model.config.vocab_size
    ids = torch.arange(ROWS * context).view(ROWS, context) % vocabulary
    # A checkpoint would else stop before the last product of its layer, whose result nobody needs.
    with set_checkpoint_early_stop(False), FlopCounterMode(display=False) as counter:
        model(input_ids=ids, use_cache=False).logits.sum().backward()
    return counter.get_total_flops() / ids.numel()


def drawn(data, family):
    small = {key: value for key, value in SMALL.items() if key in FAMILIES[family]}
    if family == "deepseek_v3":
        small |= {"n_group": 1, "topk_group": 1, "num_key_value_heads": None}
    config = {**small, **data.draw(configurations(family))}
    return {**config, "sliding_window": 64} if "sliding_window" in FAMILIES[family] else config


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=8, deadline=None)
@given(data=st.data(), context=st.integers(2, 8))
def test_a_step_takes_the_operations_that_torch_counts(family, data, context):
    config = drawn(data, family)
    assert model_flop(read_configuration(config), context) == counted(config, context)


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=3, deadline=None)
@given(data=st.data(), context=st.integers(2, 8))
def test_layers_that_are_computed_again_take_their_way_forward_once_more(family, data, context):
    config = drawn(data, family)
    expected = hardware_flop(read_configuration(config), context, "full")
    assert expected == counted(config, context, recompute=True)


def test_the_flop_of_llama_2_by_hand():
    llama = read_configuration(PUBLISHED["Llama-2-7B"])
    matrices = 32 * (4 * 4096**2 + 3 * 4096 * 11008) + 32000 * 4096
    assert model_flop(llama) == 6 * matrices + 12 * 32 * 4096 * 4096
    assert six_n(llama) == 6 * 6_738_415_616
    # attention is 15 % of it at this context, and the embedding is not in it
    assert model_flop(llama) / six_n(llama) == pytest.approx(1.14, abs=0.005)
    assert hardware_flop(llama, None, "none") == model_flop(llama)
    assert hardware_flop(llama, None, "selective") - model_flop(llama) == 4 * 32 * 4096 * 4096
    again = 2 * (matrices - 32000 * 4096) + 4 * 32 * 4096 * 4096
    assert hardware_flop(llama, None, "full") - model_flop(llama) == again


def test_a_window_ends_what_a_longer_context_costs():
    gemma = read_configuration(PUBLISHED["Gemma-3-1B"])
    # four layers of 26 see all of the row, the others 512 tokens
    longer = model_flop(gemma, 4096) - model_flop(gemma, 512)
    assert longer == 12 * 4 * 4 * 256 * (4096 - 512)


def test_a_mixture_costs_what_a_token_meets_of_it():
    mixtral = read_configuration(PUBLISHED["Mixtral-8x7B"])
    assert six_n(mixtral) == 6 * 12_879_925_248


def test_bloom_logged_half_more_than_six_n_as_it_computed_its_layers_again():
    bloom = read_configuration(PUBLISHED["BLOOM-176B"])
    # 149 TFLOP/s were logged where 6 N D comes to 99 (the planner's page)
    assert hardware_flop(bloom, 2048, "full") / six_n(bloom) == pytest.approx(149 / 99, rel=0.1)
