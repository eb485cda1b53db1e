"""Memory over many GPUs: the figures of the papers it follows, and what must hold of any layout."""

import dataclasses
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.arithmetic import Layout, count_weights, layer_activations, read_configuration, training_memory
from hemicycle.errors import DeclarationError
from tests.arithmetic.published import PUBLISHED
from tests.arithmetic.small import FAMILIES, configurations

GB = 1e9
#: As in the paper of ZeRO: gradients in 16 bits.
ZERO = Layout(data=64, gradients="bf16")


def of(name):
    return read_configuration(PUBLISHED[name])


def states(memory):
    """What is not activations: the paper's “model states”."""
    return memory.weights + memory.copies + memory.gradients + memory.moments


@pytest.mark.parametrize(
    ("stage", "bytes_a_weight", "of_7_5_billion"), [(0, 16, 120), (1, 4 + 12 / 64, 31.4)]
)
def test_the_stages_of_zero_take_what_their_paper_says(stage, bytes_a_weight, of_7_5_billion):
    model = of("Llama-2-7B")
    found = states(training_memory(model, dataclasses.replace(ZERO, shard=stage)))
    assert found / count_weights(model).total == pytest.approx(bytes_a_weight, rel=1e-6)
    # figure 1 of arXiv 1910.02054
    assert bytes_a_weight * 7.5 == pytest.approx(of_7_5_billion, abs=0.05)


def test_gradients_are_spread_by_the_second_stage_and_weights_by_the_third():
    model = of("Llama-2-7B")
    weights = count_weights(model).total
    second = states(training_memory(model, dataclasses.replace(ZERO, shard=2)))
    assert second / weights == pytest.approx(2 + 14 / 64, rel=1e-6)
    third = states(training_memory(model, dataclasses.replace(ZERO, shard=3)))
    # three layers of 4 x 4096² + 3 x 4096 x 11 008 and both tables are gathered, in two bytes
    gathered = 2 * (3 * (4 * 4096**2 + 3 * 4096 * 11008) + 2 * 32000 * 4096)
    assert third == pytest.approx(weights * 16 / 64 + gathered, rel=1e-6)


def test_a_layer_of_a_gpt_keeps_34_widths_without_two_of_dropout():
    gpt2 = of("GPT-2")
    # 34 s b h (equation 1 of arXiv 2205.05198, without scores), less two masks of a byte
    assert layer_activations(gpt2) == 12 * (32 * 768 + 4 * 12)


def test_a_layer_of_llama_by_hand():
    llama = of("Llama-3.1-8B")
    # two norms and two inputs of products; queries, result, two eighths of keys and values; three of 14 336
    numbers = 4 * 4096 + 2 * 4096 + 2 * 1024 + 3 * 14336
    assert layer_activations(llama) == 32 * (2 * numbers + 4 * 32)


def test_a_mixture_keeps_what_a_token_meets():
    mixtral = of("Mixtral-8x7B")
    attention = 3 * 4096 + 2 * 4096 + 2 * 1024
    mixture = 4096 + 2 * (2 * 4096 + 3 * 14336)
    assert layer_activations(mixtral) == 32 * (2 * (attention + mixture) + 4 * 32 + 4 * 8)


def test_eighteen_bytes_a_weight_where_gradients_are_summed_in_fp32():
    model = of("Lucie-7B")
    memory = training_memory(model, Layout(), context=4096)
    assert states(memory) == 18 * 6_706_958_336
    assert memory.loss == 4096 * (6 * 65024 + 4 * 4096)
    assert memory.activations == 4096 * layer_activations(model)


def test_muon_keeps_one_moment_of_each_matrix():
    model = of("Lucie-7B")
    adamw, muon = (training_memory(model, Layout(), optimiser=one).moments for one in ("adamw", "muon"))
    assert adamw - muon == 4 * (count_weights(model).attention + count_weights(model).feed_forward)


def test_weights_alone_in_bf16_take_eight_bytes_with_their_gradients_and_moments():
    layout = Layout(precision="bf16", gradients="bf16")
    memory = training_memory(of("GPT-2"), layout)
    assert states(memory) == 8 * 124_439_808
    assert memory.copies == 0


def test_bloom_fits_on_384_gpus_of_80_gb_as_it_was_laid_out():
    # 12 stages of 4 GPUs, 8 times, ZeRO's first stage, two rows of 2 048 tokens (arXiv 2211.05100, 3.4)
    layout = Layout(data=8, shard=1, tensor=4, pipeline=12, rows=2, recompute="full")
    assert layout.gpus == 384
    assert training_memory(of("BLOOM-176B"), layout, context=2048).total < 80 * GB
    shorter = dataclasses.replace(layout, data=32, pipeline=3)
    assert training_memory(of("BLOOM-176B"), shorter, context=2048).total > 80 * GB


def test_a_7b_fits_one_gpu_of_80_gb_only_when_it_is_spread():
    alone = training_memory(of("Lucie-7B"), Layout(), context=4096)
    spread = training_memory(of("Lucie-7B"), Layout(data=8, shard=3), context=4096)
    assert alone.total > 80 * GB > spread.total


def test_the_first_of_a_pipeline_holds_as_many_activations_as_one_gpu_would():
    model = of("Llama-2-7B")
    alone, piped = (training_memory(model, Layout(pipeline=n), context=4096) for n in (1, 4))
    assert piped.activations == alone.activations
    assert piped.weights < alone.weights / 3


def test_recomputed_layers_keep_what_came_in_and_one_layer():
    model = of("Llama-2-7B")
    kept = training_memory(model, Layout(recompute="full"), context=4096).activations
    assert kept == 4096 * (2 * 4096 * 32) + 4096 * layer_activations(model) // 32


def test_what_is_selected_is_not_there_without_a_table_of_scores():
    model = of("Llama-2-7B")
    assert training_memory(model, Layout(recompute="selective")) == training_memory(model, Layout())


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=15, deadline=None)
@given(data=st.data(), more=st.sampled_from([2, 4]))
def test_more_gpus_never_hold_more_each(family, data, more):
    model = read_configuration(data.draw(configurations(family)))
    one = Layout(data=2, rows=2, shard=data.draw(st.integers(0, 3)))
    before = training_memory(model, one, context=64)
    for part in ("tensor", "context_parallel"):
        if part == "tensor" and model.heads % more:
            continue
        after = training_memory(model, dataclasses.replace(one, **{part: more}), context=64)
        # heads of keys that are fewer than GPUs are held twice
        room = 0 if model.kv_heads >= more or part != "tensor" else after.total
        assert after.total <= before.total + room
    spread = training_memory(model, dataclasses.replace(one, data=2 * more), context=64)
    assert spread.total <= before.total


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=15, deadline=None)
@given(data=st.data(), rows=st.integers(1, 4))
def test_a_gpu_alone_holds_every_weight_once_and_activations_by_the_row(family, data, rows):
    model = read_configuration(data.draw(configurations(family)))
    memory = training_memory(model, Layout(rows=rows, precision="fp32"), context=8)
    weights = count_weights(model).total
    assert (memory.weights, memory.gradients, memory.moments) == (4 * weights, 4 * weights, 8 * weights)
    assert memory.copies == 0
    assert memory.activations == rows * 8 * layer_activations(model, 4)
    assert memory.total == sum(dataclasses.astuple(memory))


def test_the_weights_of_a_pipeline_are_the_models():
    model = of("GPT-2")
    stages = [training_memory(model, Layout(pipeline=n, precision="fp32")).weights // 4 for n in (1, 2, 12)]
    whole = count_weights(model)
    # of two stages the first has both tables, the last the shared one again
    assert stages[0] == whole.total
    assert stages[1] == whole.inside // 2 + whole.embedding + whole.positions + _small(model, 6)
    assert stages[2] == whole.inside // 12 + whole.embedding + whole.positions + _small(model, 1)


def _small(model, layers):
    """Norms and biases of so many layers, and the last norm."""
    return count_weights(dataclasses.replace(model, layers=layers)).norms_and_biases


@pytest.mark.parametrize(
    ("layout", "said"),
    [
        ({"tensor": 5}, "32 heads cannot be divided evenly by 5"),
        ({"pipeline": 33}, "a pipeline of 33 GPUs is longer than a model of 32 layers"),
        ({"context_parallel": 3}, "4096 tokens of a row cannot be divided evenly by 3"),
    ],
)
def test_a_layout_that_cannot_be_is_refused(layout, said):
    with pytest.raises(DeclarationError, match=said):
        training_memory(of("Llama-2-7B"), Layout(**layout))


@pytest.mark.parametrize("wrong", [{"data": 0}, {"rows": -1}, {"shard": 4}])
def test_a_layout_of_no_size_is_refused(wrong):
    with pytest.raises(DeclarationError, match="is no layout"):
        Layout(**wrong)


def test_ceilings_of_uneven_pipelines():
    # 32 layers over 5 GPUs: seven on the first
    model = of("Llama-2-7B")
    layer = 4 * 4096**2 + 3 * 4096 * 11008 + 2 * 4096
    held = training_memory(model, Layout(pipeline=5, precision="fp32")).weights // 4
    assert held == math.ceil(32 / 5) * layer + 32000 * 4096 + 4096
