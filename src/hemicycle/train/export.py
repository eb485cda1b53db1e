"""The model's folder: weights, configuration and tokenizer as `from_pretrained` expects them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from transformers.utils import logging as transformers_logging

from hemicycle.train.ranks import Ranks

#: What else a tokenizer's folder may have, and a model's needs.
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
)


def whole_state(model: Any, ranks: Ranks) -> dict[str, torch.Tensor]:
    """All weights on the processor of rank 0, by name; empty on other ranks. All ranks must call it."""
    if ranks.count == 1 and ranks.device == "cpu":
        state: dict[str, torch.Tensor] = model.state_dict()
        return state
    options = StateDictOptions(full_state_dict=True, cpu_offload=True)
    state = get_model_state_dict(model, options=options)  # type: ignore[assignment]
    return state


def write_model(out: Path, model: Any, state: dict[str, torch.Tensor], tokenizer: Path) -> None:
    """Weights, configuration and tokenizer. Raises OSError where the disk is full."""
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    model.config.use_cache = True
    if model.generation_config is not None:
        model.generation_config.use_cache = True
    try:
        model.save_pretrained(out, state_dict=state, safe_serialization=True)
    except SafetensorError as error:
        # The library wraps a full disk in an error of its own.
        raise OSError(str(error)) from error
    for name in TOKENIZER_FILES:
        if (tokenizer / name).is_file():
            shutil.copyfile(tokenizer / name, out / name)
