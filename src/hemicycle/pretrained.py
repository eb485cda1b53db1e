"""Models as `transformers` saves them, loaded from a local folder: one way, for training, measuring, serving.

The trap is a folder that does not hold what it seems to: the library fills weights that are missing with
random numbers and says so in a log. Here that is an error. No code of a model's own is ever run, and pickles
are not read.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hemicycle.errors import InputError, unparsed

#: Under which names configurations state how many tokens a model sees at once.
CONTEXT_KEYS = ("max_position_embeddings", "seq_length", "max_seq_len")

#: Where a configuration states no context: that of BLOOM and of most models with ALiBi (Press et al. 2022).
ALIBI_CONTEXT = 2_048


def load_pretrained(folder: Path, config: Any = None) -> Any:
    """A causal language model in fp32, from the safetensors of a local folder.

    Args:
        config: in place of the folder's own.

    Raises InputError where `transformers` cannot load it, or weights are missing.
    """
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    auto: Any = AutoModelForCausalLM
    quiet: Any = logging
    showed_bars = quiet.is_progress_bar_enabled()
    quiet.disable_progress_bar()
    try:
        model, report = auto.from_pretrained(
            str(folder),
            **({"config": config} if config is not None else {}),
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
        )
    except Exception as error:  # whatever a library says of a folder from outside
        raise InputError(
            f"transformers cannot load the model: {error}",
            place=str(folder),
            remedy="Check that config.json, model.safetensors and the tokenizer's files belong together.",
        ) from error
    finally:
        if showed_bars:
            quiet.enable_progress_bar()
    missing = sorted(report["missing_keys"]) + sorted(map(str, report["mismatched_keys"]))
    if missing:
        raise InputError(
            f"{len(missing)} of the model's tensors are not in its files, such as {missing[0]}",
            place=str(folder),
            remedy="Take all files of the model, as they were published: the rest would be invented.",
        )
    return model


def context_of(config: Any) -> int:
    """Tokens that a model sees at once, by its configuration."""
    for key in CONTEXT_KEYS:
        if isinstance(stated := getattr(config, key, None), int):
            return stated
    return ALIBI_CONTEXT


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file, an empty one where there is no file. Raises InputError where it is none."""
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (ValueError, RecursionError) as error:
        raise InputError(f"this is not JSON: {unparsed(error)}", place=str(path)) from None
    if not isinstance(value, dict):
        raise InputError("this is not a JSON object", place=str(path))
    return value
