"""Small models of each family as `transformers` saves them, for tests that begin from one."""

import json
import shutil

import torch
from transformers import (
    AutoModelForCausalLM,
    BloomConfig,
    Gemma3TextConfig,
    GPT2Config,
    LlamaConfig,
    MistralConfig,
    Olmo2Config,
    Qwen3Config,
)
from transformers.utils import logging

from hemicycle.tokens import load_tokenizer

logging.set_verbosity_error()
logging.disable_progress_bar()

CONTEXT, WIDTH, VOCABULARY = 64, 32, 290
_SIZES = {
    "hidden_size": WIDTH,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 128,
    "max_position_embeddings": CONTEXT,
}
_LAYERS = ["sliding_attention", "full_attention"]

#: Family → its configuration in small; the heads of Llama and Olmo are their own, the others' are shared.
CONFIGS = {
    "llama": lambda: LlamaConfig(**_SIZES, num_key_value_heads=1, tie_word_embeddings=False),
    "mistral": lambda: MistralConfig(**_SIZES, num_key_value_heads=1, tie_word_embeddings=True),
    "qwen3": lambda: Qwen3Config(**_SIZES, num_key_value_heads=1, head_dim=16, tie_word_embeddings=True),
    "olmo2": lambda: Olmo2Config(**_SIZES, num_key_value_heads=2, tie_word_embeddings=False),
    "gemma3": lambda: Gemma3TextConfig(
        **_SIZES, num_key_value_heads=1, head_dim=16, layer_types=_LAYERS, sliding_window=16
    ),
    "gpt2": lambda: GPT2Config(n_embd=WIDTH, n_layer=2, n_head=2, n_positions=CONTEXT),
    "bloom": lambda: BloomConfig(hidden_size=WIDTH, n_layer=2, n_head=2, seq_length=CONTEXT),
}
FAMILIES = list(CONFIGS)


def make_base(folder, family, tokenizer, *, rows=None, readme=None):
    """A model folder with random weights, a tokenizer's files and what publishers put beside them."""
    config = CONFIGS[family]()
    rows = rows or load_tokenizer(tokenizer).get_vocab_size()
    config.vocab_size, config.bos_token_id, config.eos_token_id, config.pad_token_id = rows, 0, 1, 1
    torch.manual_seed(3)
    model = AutoModelForCausalLM.from_config(config)
    model.generation_config.top_k = 7
    model.generation_config.do_sample = True
    model.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(tokenizer / name, folder / name)
    (folder / "chat_template.jinja").write_text("{{ messages[0].content }}")
    (folder / "special_tokens_map.json").write_text(json.dumps({"bos_token": "<|begin|>"}))
    if readme is not None:
        (folder / "README.md").write_text(readme, "utf-8")
    return folder
