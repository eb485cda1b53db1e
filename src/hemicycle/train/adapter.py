"""Low-rank adapters: two narrow matrices learn beside each frozen one, and are added to it at the end.

W x becomes W x + (alpha / rank) B A x, with A at random and B at zero, so that training begins from the base
as it is (Hu et al. 2021, LoRA, arXiv 2106.09685, section 4.1). PEFT puts the matrices into the model; what
comes of them is kept twice: merged, a model like any other, and by themselves in a folder that PEFT loads.

The trap is a matrix that lies the other way round: GPT-2's layers keep theirs transposed.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn
from transformers.pytorch_utils import Conv1D

from hemicycle.errors import DeclarationError
from hemicycle.train.job import Adapter
from hemicycle.train.model import layers_of

#: Name of the adapter inside PEFT, and what it puts before names in its files.
_NAME, _PREFIX = "default", "base_model.model."
#: Ends of names under which PEFT keeps a matrix and what stands beside it.
_BASE, _DOWN, _UP = ".base_layer.weight", f".lora_A.{_NAME}.weight", f".lora_B.{_NAME}.weight"

State = dict[str, torch.Tensor]


def add_adapter(model: Any, adapter: Adapter, seed: int) -> Any:
    """Put adapters into a model and freeze all else; returns the same model.

    Raises DeclarationError where PEFT is not installed, or a target is the name of no linear layer.
    """
    try:
        from peft import inject_adapter_in_model
    except ImportError as error:
        raise DeclarationError(
            f"adapters need {error.name}, which is not installed", remedy="pip install 'hemicycle[tune]'"
        ) from None
    torch.manual_seed(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        inject_adapter_in_model(_config(model, adapter), model, adapter_name=_NAME)
    return model


def save_adapter(model: Any, adapter: Adapter, state: State, folder: Path) -> None:
    """Write the adapters of a trained `state` as PEFT loads them. No path of this machine is in the files."""
    folder.mkdir(parents=True, exist_ok=True)
    told = {
        key: sorted(value) if isinstance(value, set) else value
        for key, value in _config(model, adapter).to_dict().items()
    }
    text = json.dumps(told | {"inference_mode": True}, indent=1, sort_keys=True, default=str)
    (folder / "adapter_config.json").write_text(text + "\n", "utf-8")
    found = {
        _PREFIX + name.replace(f".{_NAME}.", "."): tensor.detach().cpu().contiguous()
        for name, tensor in state.items()
        if name.endswith((_DOWN, _UP))
    }
    save_file(found, folder / "adapter_model.safetensors", metadata={"format": "pt"})


def merge(model: Any, adapter: Adapter, state: State) -> State:
    """The weights of `state` with their adapters added, under the names the model had without them.

    The model itself gets its layers back. Sums are taken in single precision.
    """
    merged = {}
    for name, tensor in state.items():
        if name.endswith(_BASE):
            layer = name.removesuffix(_BASE)
            down, up = state[layer + _DOWN].float(), state[layer + _UP].float()
            more = adapter.alpha / adapter.rank * (up @ down)
            across = isinstance(model.get_submodule(layer).get_base_layer(), Conv1D)
            tensor = (tensor.float() + (more.T if across else more)).to(tensor.dtype)
        if not name.endswith((_DOWN, _UP)):
            merged[name.replace(".base_layer.", ".")] = tensor
    for name, module in list(model.named_modules()):
        if hasattr(module, "get_base_layer"):
            model.set_submodule(name, module.get_base_layer())
    return merged


def _config(model: Any, adapter: Adapter) -> Any:
    from peft import LoraConfig

    # With the adapters in, a layer goes on under another name.
    linear = {
        name.removesuffix(".base_layer"): module
        for name, module in layers_of(model).named_modules()
        if isinstance(module, nn.Linear | Conv1D) and ".lora_" not in name
    }
    ends = sorted({name.rpartition(".")[2] for name in linear})
    wrong = [t for t in adapter.targets or () if not any(name.endswith(f".{t}") for name in linear)]
    if wrong:
        raise DeclarationError(
            f"no linear layer inside the model's blocks is called “{wrong[0]}”",
            remedy=f"Targets may be: {', '.join(ends)}.",
        )
    return LoraConfig(
        r=adapter.rank,
        lora_alpha=adapter.alpha,  # type: ignore[arg-type]  # PEFT only multiplies by it
        target_modules=list(adapter.targets or ends),
        fan_in_fan_out=any(isinstance(module, Conv1D) for module in linear.values()),
        task_type="CAUSAL_LM",
    )
