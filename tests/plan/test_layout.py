"""Layouts: what fits into a card, the simplest first."""

import dataclasses

import pytest

from hemicycle.arithmetic import read_configuration
from hemicycle.arithmetic.chips import find_chip
from hemicycle.plan.layout import ROOM, fewest, layouts

H100 = find_chip("h100")
LLAMA_8B = read_configuration(
    {
        "model_type": "llama",
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "vocab_size": 128256,
        "max_position_embeddings": 8192,
        "tie_word_embeddings": False,
    }
)


def test_eight_billion_on_one_node_fit_sharded_and_need_no_tensor_parallelism():
    first = layouts(LLAMA_8B, H100, 8, context=8192)[0]
    assert first.fits
    assert (first.layout.tensor, first.layout.pipeline, first.layout.shard) == (1, 1, 3)
    # 8.03 B weights, their gradients and two moments in 32 bits, over eight cards.
    states = first.memory.gradients + first.memory.moments + first.memory.weights
    assert states == pytest.approx(16 * 8.03e9 / 8, rel=0.01)


def test_they_do_not_fit_on_one_card():
    assert not any(fit.fits for fit in layouts(LLAMA_8B, H100, 1, context=8192))
    assert fewest(LLAMA_8B, H100, context=8192) == 4


def test_what_fits_comes_first_and_nothing_that_is_told_to_fit_is_too_large():
    found = layouts(LLAMA_8B, H100, 16, context=8192)
    told = [fit.fits for fit in found]
    assert told == sorted(told, reverse=True)
    for fit in found:
        assert fit.fits == (fit.memory.total <= ROOM * H100.memory)
        assert fit.layout.gpus == 16


def test_a_small_memory_makes_layers_be_computed_again():
    small = dataclasses.replace(H100, memory=int(24e9))
    roomy = layouts(LLAMA_8B, H100, 64, context=8192)[0]
    assert roomy.layout.recompute == "none"

    def spread(fit):
        return fit.layout.data, fit.layout.tensor, fit.layout.pipeline

    alike = [fit for fit in layouts(LLAMA_8B, small, 64, context=8192) if spread(fit) == spread(roomy)]
    assert [fit.layout.recompute for fit in alike if fit.fits] == ["full"]
