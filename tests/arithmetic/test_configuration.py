"""Sizes are read as `transformers` reads them; what cannot be read is refused with its place."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hemicycle.arithmetic import from_architecture, read_configuration
from hemicycle.arithmetic.families import families
from hemicycle.errors import DeclarationError, InputError
from hemicycle.project import Architecture
from hemicycle.train.model import configure
from hemicycle.train.shape import derive_shape
from tests.arithmetic.meta import build
from tests.arithmetic.published import PUBLISHED
from tests.arithmetic.small import FAMILIES, configurations

DECLARED = ["llama", "mistral", "qwen3", "olmo2", "gemma3", "gpt2", "bloom"]


def windows_of(config):
    """Window and number of layers with one, as `transformers` builds them."""
    made = build(config).config
    window = getattr(made, "sliding_window", None)
    kinds = getattr(made, "layer_types", None) or ["sliding_attention"] * made.num_hidden_layers
    windowed = kinds.count("sliding_attention") if window and getattr(made, "use_sliding_window", True) else 0
    return (window, windowed) if windowed else (None, 0)


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_sizes_and_windows_are_those_that_transformers_gives_its_model(family, data):
    config = data.draw(configurations(family))
    read, made = read_configuration(config), build(config).config
    assert (read.window, read.windowed) == windows_of(config)
    assert (read.layers, read.width) == (made.num_hidden_layers, made.hidden_size)
    assert (read.heads, read.vocabulary) == (made.num_attention_heads, made.vocab_size)
    assert read.kv_heads == getattr(made, "num_key_value_heads", read.heads)
    assert read.context == getattr(made, "max_position_embeddings", 2048)
    assert read.tied == made.tie_word_embeddings


@pytest.mark.parametrize("name", PUBLISHED)
def test_windows_of_published_models(name):
    read = read_configuration(PUBLISHED[name])
    assert (read.window, read.windowed) == windows_of(PUBLISHED[name])


def test_every_known_family_is_built_by_these_tests():
    assert {name.removesuffix("_text") for name in FAMILIES} == set(families())
    assert {read_configuration(config).family for config in PUBLISHED.values()} == set(families())


def test_a_model_that_sees_pictures_is_read_for_its_text():
    text = {key: value for key, value in PUBLISHED["Gemma-3-1B"].items() if key != "model_type"}
    whole = {"model_type": "gemma3", "vision_config": {"hidden_size": 1152}, "text_config": text}
    assert read_configuration(whole) == read_configuration(PUBLISHED["Gemma-3-1B"])
    named = {**whole, "model_type": "something_new", "text_config": PUBLISHED["Gemma-3-1B"]}
    assert read_configuration(named) == read_configuration(PUBLISHED["Gemma-3-1B"])


@pytest.mark.parametrize("kind", DECLARED)
@settings(max_examples=25, deadline=None)
@given(
    layers=st.integers(1, 48),
    head=st.sampled_from([16, 64, 128]),
    heads=st.sampled_from([1, 2, 8, 40]),
    shared=st.sampled_from([None, 1]),
    feed_forward=st.sampled_from([None, 80]),
    vocabulary=st.sampled_from([320, 32_000, 250_880]),
)
def test_a_declared_model_has_the_sizes_that_training_gives_it(
    kind, layers, head, heads, shared, feed_forward, vocabulary
):
    more = {} if kind in ("gpt2", "bloom") else {"kv_heads": shared, "feed_forward": feed_forward}
    declared = Architecture(kind=kind, layers=layers, width=head * heads, heads=heads, context=64, **more)
    trained = configure(derive_shape(declared, vocabulary), 0, 1).to_dict()
    assert from_architecture(declared, vocabulary) == read_configuration(trained)


@pytest.mark.parametrize(("name", "meant"), [("lama", "llama"), ("qwen3moe", "qwen3_moe")])
def test_an_unknown_family_is_refused_with_what_was_meant_and_what_is_known(name, meant):
    with pytest.raises(DeclarationError, match=f"the family “{name}”") as caught:
        read_configuration({"model_type": name})
    assert f"Did you mean “{meant}”?" in caught.value.remedy
    assert "Known: apertus, bloom," in caught.value.remedy


def test_a_configuration_without_a_family_is_refused():
    with pytest.raises(DeclarationError, match="None"):
        read_configuration({"hidden_size": 4096})


@pytest.mark.parametrize("wrong", [0, -3, "4096", 4096.0, True, 10**10, [], float("nan")])
def test_a_size_that_is_no_whole_number_is_refused_with_its_key(wrong):
    with pytest.raises(InputError) as caught:
        read_configuration({"model_type": "llama", "hidden_size": wrong})
    assert caught.value.place == "config.json, key hidden_size"


def test_a_size_that_is_stated_as_null_is_missing():
    with pytest.raises(InputError, match="missing") as caught:
        read_configuration({"model_type": "llama", "num_hidden_layers": None})
    assert caught.value.place == "config.json, key num_hidden_layers"


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@settings(max_examples=300, deadline=None)
@given(data=st.data(), family=st.sampled_from(sorted(FAMILIES)))
def test_whatever_stands_at_a_key_is_read_or_refused(data, family):
    config = data.draw(configurations(family))
    keys = st.sampled_from([*config, *FAMILIES[family], "layer_types", "no_rope_layers", "text_config"])
    config |= data.draw(st.dictionaries(keys, JUNK, max_size=3))
    with contextlib.suppress(DeclarationError, InputError):
        read = read_configuration(config)
        assert read.layers > 0
        assert 0 <= read.windowed <= read.layers
        assert read.experts is None or 0 <= read.experts.layers <= read.layers
