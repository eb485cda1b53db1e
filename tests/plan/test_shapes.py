"""The sizes to choose among: each can be declared, and is counted with its vocabulary."""

import itertools

import pytest

from hemicycle.plan.shapes import shapes, short
from hemicycle.project import Architecture
from hemicycle.train.shape import derive_shape


def test_a_llama_of_seven_billion_is_among_them_counted_by_hand():
    (found,) = [s for s in shapes(32_000) if (s.layers, s.width) == (32, 4_096)]
    # 8/3 of 4 096 up to a multiple of 64 is 10 944; two norms a layer and one behind; head apart.
    layer = 4 * 4_096**2 + 3 * 4_096 * 10_944 + 2 * 4_096
    assert found.feed_forward == 10_944
    assert found.heads == 32
    assert found.of_vocabulary == 2 * 32_000 * 4_096
    assert found.parameters == 32 * layer + 4_096 + found.of_vocabulary
    assert found.name == "6.71 B (32 × 4096)"


def test_a_small_model_is_mostly_vocabulary_and_a_large_one_hardly():
    smallest, *_, largest = shapes(131_072)
    assert smallest.to_json()["vocabulary_share"] > 0.9
    assert largest.to_json()["vocabulary_share"] < 0.01


def test_all_can_be_declared_and_are_what_the_trainer_makes_of_them():
    for shape in shapes(65_536)[::13]:
        declared = Architecture(
            layers=shape.layers,
            width=shape.width,
            heads=shape.heads,
            feed_forward=shape.feed_forward,
            context=4_096,
        )
        assert derive_shape(declared, 65_536).parameters == shape.parameters
        assert shape.width // shape.heads in (64, 128)


def test_sizes_lie_close_enough_for_none_to_be_missed():
    sizes = [shape.parameters for shape in shapes(65_536) if shape.parameters > 50e6]
    assert max(b / a for a, b in itertools.pairwise(sizes)) < 1.15
    assert sizes == sorted(sizes)


@pytest.mark.parametrize(
    ("number", "said"),
    [(0.5, "0.5"), (999.9, "1 k"), (6.7e9, "6.7 B"), (1e6, "1 M"), (1.37e12, "1.37 T"), (2e15, "2e+03 T")],
)
def test_numbers_as_people_say_them(number, said):
    assert short(number) == said
