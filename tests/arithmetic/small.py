"""Small configurations of every family, drawn at random, with keys left out as `config.json` files do."""

from hypothesis import strategies as st

_FLAG = st.booleans()
_WINDOW = {"sliding_window": st.one_of(st.none(), st.integers(1, 64))}
_ATTENTION_BIAS = {"attention_bias": _FLAG}
_OPTIONAL = {
    "vocab_size": st.integers(5, 90),
    "max_position_embeddings": st.integers(8, 99),
    "tie_word_embeddings": _FLAG,
}
_HEADS = {"num_key_value_heads": st.sampled_from([1, 2])}
#: In some classes null stands for as many as there are of queries; others refuse it.
_ANY_HEADS = {"num_key_value_heads": st.sampled_from([None, 1, 2])}
_HEAD_SIZE = {"head_dim": st.sampled_from([2, 4, 10])}
_INNER = {"intermediate_size": st.integers(4, 40)}
_LAYERED = {"use_sliding_window": _FLAG, "max_window_layers": st.integers(1, 6)}
_ROTARY = {**_OPTIONAL, **_HEADS, **_INNER}
_ROTARY_ANY = {**_ROTARY, **_ANY_HEADS}

#: Keys of a family that a configuration may leave out, beside depth, width and heads, which are always drawn.
FAMILIES = {
    "llama": {**_ROTARY_ANY, **_HEAD_SIZE, **_ATTENTION_BIAS, "mlp_bias": _FLAG},
    "mistral": {**_ROTARY, **_HEAD_SIZE, **_WINDOW},
    "qwen2": {**_ROTARY_ANY, **_WINDOW, **_LAYERED},
    "qwen3": {**_ROTARY_ANY, **_HEAD_SIZE, **_ATTENTION_BIAS, **_WINDOW, **_LAYERED},
    "qwen3_moe": {
        **_ROTARY,
        **_HEAD_SIZE,
        **_ATTENTION_BIAS,
        **_WINDOW,
        "use_sliding_window": _FLAG,
        "decoder_sparse_step": st.integers(1, 3),
        "mlp_only_layers": st.one_of(st.none(), st.lists(st.integers(0, 6))),
        "moe_intermediate_size": st.integers(4, 20),
        "num_experts": st.integers(2, 6),
        "num_experts_per_tok": st.integers(1, 2),
    },
    "mixtral": {
        **_ROTARY,
        **_HEAD_SIZE,
        **_WINDOW,
        "num_local_experts": st.integers(2, 6),
        "num_experts_per_tok": st.integers(1, 2),
    },
    "olmo2": {**_ROTARY_ANY, **_ATTENTION_BIAS},
    "olmo3": {**_ROTARY_ANY, **_ATTENTION_BIAS, **_WINDOW},
    "gemma2": {**_ROTARY, **_HEAD_SIZE, **_ATTENTION_BIAS, **_WINDOW},
    "gemma3_text": {
        **_ROTARY,
        **_HEAD_SIZE,
        **_ATTENTION_BIAS,
        **_WINDOW,
        "sliding_window_pattern": st.integers(1, 4),
    },
    "gpt2": {
        "vocab_size": st.integers(5, 90),
        "n_positions": st.integers(8, 99),
        "n_inner": st.one_of(st.none(), st.integers(4, 40)),
        "tie_word_embeddings": _FLAG,
    },
    "gpt_neox": {**_OPTIONAL, **_INNER, **_ATTENTION_BIAS},
    "bloom": {"vocab_size": st.integers(5, 90), "tie_word_embeddings": _FLAG},
    "apertus": {**_ROTARY_ANY, **_ATTENTION_BIAS},
    "smollm3": {
        **_ROTARY_ANY,
        **_ATTENTION_BIAS,
        **_WINDOW,
        "mlp_bias": _FLAG,
        "use_sliding_window": _FLAG,
        "no_rope_layer_interval": st.integers(1, 4),
    },
    "deepseek_v3": {
        **_OPTIONAL,
        **_INNER,
        **_ATTENTION_BIAS,
        "first_k_dense_replace": st.integers(0, 6),
        "kv_lora_rank": st.integers(2, 12),
        "moe_intermediate_size": st.integers(4, 20),
        "n_routed_experts": st.integers(2, 6),
        "n_shared_experts": st.integers(1, 2),
        "num_experts_per_tok": st.integers(1, 2),
        "q_lora_rank": st.one_of(st.none(), st.integers(2, 12)),
        "qk_nope_head_dim": st.integers(1, 6),
        "qk_rope_head_dim": st.sampled_from([2, 4]),
        "v_head_dim": st.integers(1, 6),
    },
}
_NAMES = {
    "gpt2": ("n_layer", "n_embd", "n_head"),
    "bloom": ("n_layer", "hidden_size", "n_head"),
}
#: Both halves of a rotary pair, and queries in whole groups for one or two heads of keys.
_WIDTHS, _HEAD_COUNTS = (8, 24, 40), (2, 4)


def configurations(family):
    """A strategy for the content of a `config.json` of a family."""
    layers, width, heads = _NAMES.get(family, ("num_hidden_layers", "hidden_size", "num_attention_heads"))
    always = {
        "model_type": st.just(family),
        layers: st.integers(1, 5),
        width: st.sampled_from(_WIDTHS),
        heads: st.sampled_from(_HEAD_COUNTS),
    }
    return st.fixed_dictionaries(always, optional=FAMILIES[family])
