"""The model's folder: weights, configuration and tokenizer as `from_pretrained` expects them."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch.distributed.checkpoint.format_utils import dcp_to_torch_save
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from transformers.utils import logging as transformers_logging

from hemicycle.train.checkpoint import FIGURES
from hemicycle.train.ranks import Ranks

#: What else a tokenizer's folder may have, and a model's needs.
TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
)


#: The optimiser's state in a kept checkpoint, and what it was set to.
STATE, SETTINGS = "optimiser.safetensors", "optimiser.json"


def whole_state(model: Any, ranks: Ranks) -> dict[str, torch.Tensor]:
    """All weights on the processor of rank 0, by name; empty on other ranks. All ranks must call it."""
    if ranks.saving is None:
        state: dict[str, torch.Tensor] = model.state_dict()
        return state
    options = StateDictOptions(full_state_dict=True, cpu_offload=True)
    state = get_model_state_dict(model, options=options)  # type: ignore[assignment]
    return state


def write_model(out: Path, model: Any, state: dict[str, torch.Tensor]) -> None:
    """Weights and configuration. Raises OSError where the disk is full."""
    model.config.use_cache = True
    if model.generation_config is not None:
        model.generation_config.use_cache = True
    _save(out, model, state)


def copy_tokenizer(tokenizer: Path, out: Path) -> None:
    for name in TOKENIZER_FILES:
        if (tokenizer / name).is_file():
            shutil.copyfile(tokenizer / name, out / name)


def write_checkpoint(out: Path, model: Any, checkpoint: Path) -> None:
    """A sharded checkpoint as a model's folder, with what else a training goes on from (`train.restore`).

    ``optimiser.safetensors``: its state, named by weight and what it is of it, such as
    ``model.norm.weight/exp_avg``; ``optimiser.json``: its groups of weights and their settings, and which
    weights are others under another name; ``figures.npz``: the account up to there.
    """
    with tempfile.TemporaryDirectory(dir=checkpoint.parent) as aside:
        dcp_to_torch_save(checkpoint, Path(aside) / "whole.pt")
        whole = torch.load(Path(aside) / "whole.pt", map_location="cpu", weights_only=True, mmap=True)
        _save(out, model, whole["model"])
        states = whole["optimiser"]["state"]
        tensors = {f"{name}/{what}": t.contiguous() for name, s in states.items() for what, t in s.items()}
        save_file(tensors, out / STATE)
        about = {"groups": whole["optimiser"]["param_groups"], "tied": _tied(model)}
        (out / SETTINGS).write_text(json.dumps(about, indent=1, sort_keys=True) + "\n", "utf-8")
        shutil.copyfile(checkpoint / FIGURES, out / FIGURES)


def _tied(model: Any) -> dict[str, str]:
    """Weight that is another one under another name → that one."""
    return dict(model._tied_weights_keys or {}) if model.config.tie_word_embeddings else {}


def _save(out: Path, model: Any, state: dict[str, torch.Tensor]) -> None:
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    for tied, kept in _tied(model).items():
        # The library tells by its memory that a weight is another one's.
        if kept in state:
            state[tied] = state[kept]
    try:
        model.save_pretrained(out, state_dict=state, safe_serialization=True)
    except SafetensorError as error:
        # It wraps a full disk in an error of its own.
        raise OSError(str(error)) from error
