"""The sizes that decide what a model costs, read from a `config.json` or derived from a declaration.

The trap is a key that is not there: classes of `transformers` fill it in, each with numbers of its own (a
Mistral without `sliding_window` has one of 4096, a Gemma without `head_dim` has heads of 256). So each size
is looked up under every name it has in its family, and where none is stated, the class's own default counts
(`families.toml`). A key that is stated as null has no value: as many heads of keys as of queries, heads that
share the width evenly, a feed-forward of four widths, no window.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hemicycle.arithmetic.families import Family, family_named
from hemicycle.errors import InputError
from hemicycle.pretrained import ALIBI_CONTEXT, CONTEXT_KEYS

if TYPE_CHECKING:
    from hemicycle.project import Architecture

#: Below this many weights the embedding is shared with the head: there it would be most of the model.
TIE_BELOW = 1_000_000_000
#: Families that have their embedding shared with the head whatever their size.
ALWAYS_TIED = ("gemma3", "gpt2", "bloom")
#: Names of sizes in most configurations.
KEYS = {
    "layers": ["num_hidden_layers"],
    "width": ["hidden_size"],
    "heads": ["num_attention_heads"],
    "feed_forward": ["intermediate_size"],
    "context": list(CONTEXT_KEYS),
    "experts": [],
}
#: A size beyond this is a slip or an attack: the largest models have layers of 1e5 and vocabularies of 1e6.
LARGEST = 10**9


@dataclass(frozen=True)
class Experts:
    """The mixture of experts that some layers have in place of a feed-forward.

    Attributes:
        layers: that have one.
        count: experts of a layer.
        chosen: experts that a token meets, besides those shared.
        width: inner width of an expert.
        shared: experts that every token meets.
    """

    layers: int
    count: int
    chosen: int
    width: int
    shared: int = 0


@dataclass(frozen=True)
class Latent:
    """Queries, keys and values that pass through narrow vectors (DeepSeek-AI 2024, arXiv 2405.04434, 2.1).

    Attributes:
        query: width of the queries' vector; None: they have none.
        key_value: width of the vector that keys and values are made of.
        rotary: numbers of each head's query and key that are turned by position; the key's are of all heads.
    """

    query: int | None
    key_value: int
    rotary: int


@dataclass(frozen=True)
class Configuration:
    """The sizes of a model.

    Attributes:
        family: `model_type` of its class in `transformers`, without “_text”.
        head_size: numbers of a head's query and key.
        value_size: numbers of a head's value.
        feed_forward: inner width of the feed-forward, where a layer has no mixture of experts.
        context: tokens it sees at once.
        tied: input and output embedding share one matrix.
        window: tokens that `windowed` of its layers see back, themselves included; None: all layers see all.
        query_bias, output_bias, feed_forward_bias: whether these products have a bias.
    """

    family: str
    layers: int
    width: int
    heads: int
    kv_heads: int
    head_size: int
    value_size: int
    feed_forward: int
    vocabulary: int
    context: int
    tied: bool
    window: int | None = None
    windowed: int = 0
    query_bias: bool = False
    output_bias: bool = False
    feed_forward_bias: bool = False
    experts: Experts | None = None
    latent: Latent | None = None


def read_configuration(config: Mapping[str, Any]) -> Configuration:
    """The sizes in the content of a model's `config.json`.

    Of a model that also sees pictures or hears, its text part's (`text_config`).

    Raises:
        DeclarationError: nothing is known of its family.
        InputError: a size is not a whole number above 0.
    """
    text = config.get("text_config")
    if isinstance(text, Mapping):
        family = text.get("model_type", config.get("model_type"))
        tied = {k: config[k] for k in ("tie_word_embeddings",) if k in config}
        config = {"model_type": family, **tied, **text}
    name = str(config.get("model_type")).removesuffix("_text")
    read = _Reader(config, family_named(name))
    layers, width, heads = (read.size(one) for one in ("layers", "width", "heads"))
    latent = None
    head_size = value_size = read.number("head_dim") or max(1, width // heads)
    if read.family.experts == "deepseek_v3":
        rotary = read.count("qk_rope_head_dim")
        latent = Latent(read.number("q_lora_rank"), read.count("kv_lora_rank"), rotary)
        head_size, value_size = read.count("qk_nope_head_dim") + rotary, read.count("v_head_dim")
    window, windowed = _windows(read, layers)
    return Configuration(
        family=name,
        layers=layers,
        width=width,
        heads=heads,
        kv_heads=read.number("num_key_value_heads") or heads,
        head_size=head_size,
        value_size=value_size,
        feed_forward=read.optional("feed_forward") or 4 * width,
        vocabulary=read.count("vocab_size"),
        context=read.optional("context") or ALIBI_CONTEXT,
        tied=read.flag("tie_word_embeddings"),
        window=window,
        windowed=windowed,
        query_bias=read.flag(read.family.query_bias),
        output_bias=read.flag(read.family.output_bias),
        feed_forward_bias=read.flag(read.family.feed_forward_bias),
        experts=_experts(read, layers),
        latent=latent,
    )


def from_architecture(architecture: Architecture, vocabulary: int) -> Configuration:
    """The sizes of a model that is declared, for a tokenizer of `vocabulary` tokens.

    Left out, the feed-forward is 8/3 of the width, up to a multiple of 64, where it is gated, and four times
    the width where it is not. The embedding is the head's too in families where it always is, and where the
    model's matrices without a head come to fewer than `TIE_BELOW` weights.
    """
    a = architecture
    family, head = family_named(a.kind), a.width // a.heads
    kv_heads = a.kv_heads or a.heads
    usual = math.ceil(a.width * 8 / 3 / 64) * 64 if family.gated else 4 * a.width
    feed_forward = a.feed_forward or usual
    attention = 2 * a.width * head * (a.heads + kv_heads)
    inside = a.layers * (attention + (3 if family.gated else 2) * a.width * feed_forward)
    return plain_configuration(
        a.kind,
        layers=a.layers,
        width=a.width,
        heads=a.heads,
        kv_heads=kv_heads,
        feed_forward=feed_forward,
        vocabulary=vocabulary,
        context=a.context,
        tied=a.kind in ALWAYS_TIED or inside + vocabulary * a.width < TIE_BELOW,
    )


def plain_configuration(
    name: str,
    *,
    layers: int,
    width: int,
    heads: int,
    kv_heads: int,
    feed_forward: int,
    vocabulary: int,
    context: int,
    tied: bool,
) -> Configuration:
    """Sizes of a model of a family without anything that its class leaves open: heads share the width, no
    windows, and no biases but those it always has."""
    family = family_named(name)
    return Configuration(
        family=name,
        layers=layers,
        width=width,
        heads=heads,
        kv_heads=kv_heads,
        head_size=width // heads,
        value_size=width // heads,
        feed_forward=feed_forward,
        vocabulary=vocabulary,
        context=context,
        tied=tied,
        query_bias=family.query_bias is True,
        output_bias=family.output_bias is True,
        feed_forward_bias=family.feed_forward_bias is True,
    )


@dataclass(frozen=True)
class _Reader:
    """A configuration with its family's defaults behind it."""

    config: Mapping[str, Any]
    family: Family

    def value(self, key: str) -> Any:
        return self.config[key] if key in self.config else self.family.defaults.get(key)

    def number(self, key: str) -> int | None:
        """A size, or None where it is null or neither stated nor given a default."""
        value = self.value(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= LARGEST:
            raise InputError(
                f"{value!r} is no size: a whole number from 1 to {LARGEST:,} is one",
                place=f"config.json, key {key}",
            )
        return value

    def count(self, key: str) -> int:
        """A size that must be there."""
        number = self.number(key)
        if number is None:
            raise InputError("the size is missing", place=f"config.json, key {key}")
        return number

    def _key(self, size: str) -> str | None:
        """The name under which a size is stated, or has its default."""
        names = self.family.keys.get(size, KEYS[size])
        stated = [name for name in names if name in self.config]
        return next(iter(stated or [name for name in names if name in self.family.defaults]), None)

    def optional(self, size: str) -> int | None:
        key = self._key(size)
        return self.number(key) if key else None

    def size(self, size: str) -> int:
        return self.count(self._key(size) or self.family.keys.get(size, KEYS[size])[0])

    def flag(self, key: bool | str) -> bool:
        """Whether something is so: always, never, or as the key says."""
        found = key if isinstance(key, bool) else self.value(key)
        if found not in (True, False, None):
            raise InputError(f"{found!r} is neither true nor false", place=f"config.json, key {key}")
        return bool(found)


def _windows(read: _Reader, layers: int) -> tuple[int | None, int]:
    """The window, and how many layers have it."""
    family, window = read.family, None
    if family.windows and (family.window_key is None or read.flag(family.window_key)):
        window = read.number("sliding_window")
    if window is None:
        return None, 0
    stated = read.value("layer_types")
    if family.windows == "all":
        windowed = layers
    elif isinstance(stated, list):
        windowed = stated[:layers].count("sliding_attention")
    elif family.windows == "last":
        windowed = max(0, layers - read.count("max_window_layers"))
    elif family.windows == "every":
        every = family.window_every
        windowed = layers - layers // (every if isinstance(every, int) else read.count(every))
    else:
        turned = read.value("no_rope_layers")
        every = read.count("no_rope_layer_interval")
        windowed = turned[:layers].count(0) if isinstance(turned, list) else layers // every
    return (window, windowed) if windowed else (None, 0)


def _experts(read: _Reader, layers: int) -> Experts | None:
    """The mixture of experts, and how many layers have it."""
    kind = read.family.experts
    if kind is None:
        return None
    count, chosen = read.size("experts"), read.count("num_experts_per_tok")
    if kind == "mixtral":
        return Experts(layers, count, chosen, read.size("feed_forward"))
    width = read.count("moe_intermediate_size")
    if kind == "deepseek_v3":
        first = read.value("first_k_dense_replace")
        dense = min(layers, first if isinstance(first, int) and first > 0 else 0)
        return Experts(layers - dense, count, chosen, width, read.count("n_shared_experts"))
    step, plain = read.count("decoder_sparse_step"), read.value("mlp_only_layers") or []
    if not isinstance(plain, list):
        raise InputError(f"{plain!r} is no list of layers", place="config.json, key mlp_only_layers")
    numbers = {one for one in plain if isinstance(one, int) and 0 <= one < layers}
    return Experts(layers // step - sum((one + 1) % step == 0 for one in numbers), count, chosen, width)
