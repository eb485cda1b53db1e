"""The model under training: a class of `transformers`, made from nothing or loaded.

Nothing in it is random after its first weights: dropout is off, as in all large pretrainings of today, so a
step is a function of weights and batch, and a resumed run ends in the same bits.
"""

from __future__ import annotations

from typing import Any

import torch
import transformers
from transformers import AutoModelForCausalLM, PretrainedConfig
from transformers.initialization import no_init_weights

from hemicycle.train import attention
from hemicycle.train.shape import Shape

_auto: Any = AutoModelForCausalLM

#: Settings of the families that are not sizes. `sliding_window`: a model made here sees its whole context.
_FAMILIES: dict[str, tuple[type[PretrainedConfig], dict[str, Any]]] = {
    "llama": (transformers.LlamaConfig, {}),
    "mistral": (transformers.MistralConfig, {"sliding_window": None}),
    "qwen3": (transformers.Qwen3Config, {"use_sliding_window": False}),
    "olmo2": (transformers.Olmo2Config, {}),
    "gemma3": (transformers.Gemma3TextConfig, {}),
    "gpt2": (transformers.GPT2Config, {}),
    "bloom": (transformers.BloomConfig, {}),
}

#: Every way in which a configuration spells dropout.
_DROPOUTS = (
    "attention_dropout",
    "attn_pdrop",
    "embd_pdrop",
    "resid_pdrop",
    "hidden_dropout",
    "hidden_dropout_prob",
    "attention_probs_dropout_prob",
    "embd_dropout",
    "summary_first_dropout",
    "classifier_dropout",
)


def configure(shape: Shape, begin: int, end: int) -> PretrainedConfig:
    """The configuration of a fresh model. `begin` and `end` are the ids of a document's marks."""
    kind, more = _FAMILIES[shape.family]
    marks = {"bos_token_id": begin, "eos_token_id": end, "pad_token_id": end}
    common = {"vocab_size": shape.vocabulary, "tie_word_embeddings": shape.tied, **marks, **more}
    head = shape.width // shape.heads
    sizes: dict[str, Any]
    if shape.family == "gpt2":
        sizes = {
            "n_embd": shape.width,
            "n_layer": shape.layers,
            "n_head": shape.heads,
            "n_inner": shape.feed_forward,
            "n_positions": shape.context,
        }
    elif shape.family == "bloom":
        sizes = {"hidden_size": shape.width, "n_layer": shape.layers, "n_head": shape.heads}
        # Nothing in BLOOM asks for its context; whoever uses the model does.
        sizes["seq_length"] = shape.context
    else:
        sizes = {
            "hidden_size": shape.width,
            "intermediate_size": shape.feed_forward,
            "num_hidden_layers": shape.layers,
            "num_attention_heads": shape.heads,
            "num_key_value_heads": shape.kv_heads,
            "head_dim": head,
            "max_position_embeddings": shape.context,
        }
    if shape.family == "gemma3":
        sizes |= {"query_pre_attn_scalar": head, "layer_types": ["full_attention"] * shape.layers}
    return kind(**common, **sizes)


def build_model(shape: Shape, begin: int, end: int, seed: int) -> Any:
    """A fresh model; equal seeds give equal weights."""
    torch.manual_seed(seed)
    return _auto.from_config(configure(shape, begin, end), dtype=torch.float32)


def empty_model(shape: Shape, begin: int, end: int, seed: int) -> Any:
    """A model whose weights are yet to come: its memory is taken only when they do."""
    with no_init_weights():
        model = _auto.from_config(configure(shape, begin, end), dtype=torch.float32)
    model.tie_weights()
    return model


def make_ready(model: Any, device: str) -> Any:
    """Set a model up for training on a device: its attention, no dropout, no cache."""
    config = model.config
    for name in _DROPOUTS:
        if getattr(config, name, None):
            setattr(config, name, 0.0)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        if hasattr(module, "attention_dropout") and isinstance(module.attention_dropout, float):
            module.attention_dropout = 0.0
    config.use_cache = False
    attention.choose(model, device)
    if config.model_type == "bloom":
        for block in model.transformer.h:
            block.self_attention.hidden_dropout = block.mlp.hidden_dropout = 0.0
        attention.fuse_bloom(model.transformer)
    model.train()
    return model


def layers_of(model: Any) -> torch.nn.ModuleList:
    """The blocks of a model: its longest list of modules of one class."""
    lists = [m for m in model.modules() if isinstance(m, torch.nn.ModuleList)]
    return max(lists, key=lambda found: sum(p.numel() for p in found.parameters()))
