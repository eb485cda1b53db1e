"""The sizes of models, by hand."""

from hemicycle.project import Architecture
from hemicycle.train import derive_shape


def test_the_flop_formula_by_hand():
    shape = derive_shape(Architecture(layers=2, width=32, heads=2, context=64), 320)
    # two layers of 4 x 32 x 32 attention and 3 x 32 x 128 feed-forward, a head of 320 x 32
    matrices = 2 * (4 * 32 * 32 + 3 * 32 * 128) + 320 * 32
    assert shape.feed_forward == 128
    assert shape.flop_per_token() == 6 * matrices + 12 * 2 * 32 * 64
    assert shape.flop_per_token(context=128) - shape.flop_per_token() == 12 * 2 * 32 * 64


def test_fewer_heads_of_keys_make_a_smaller_model():
    many = derive_shape(Architecture(layers=2, width=64, heads=4, context=64), 320)
    few = derive_shape(Architecture(layers=2, width=64, heads=4, kv_heads=1, context=64), 320)
    assert many.matrices - few.matrices == 2 * 2 * 64 * 16 * 3


def test_a_large_model_has_a_head_of_its_own():
    small = derive_shape(Architecture(layers=2, width=64, heads=4, context=64), 320)
    large = derive_shape(Architecture(layers=32, width=4096, heads=32, context=4096), 32_000)
    assert small.tied
    assert not large.tied
    # 32 layers of 4 x 4096² and 3 x 4096 x 10 944, twice an embedding, 65 norms
    assert large.parameters == 32 * (4 * 4096**2 + 3 * 4096 * 10_944) + 2 * 32_000 * 4096 + 65 * 4096
