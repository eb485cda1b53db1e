"""Restore: a checkpoint that was kept in a model's artefact, as one that a training goes on from.

Weights, the optimiser's state and the account of a kept checkpoint are those of the run, to the bit; what a
training writes in its scratch folder is sharded, so that any number of processes can read it.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch.distributed.checkpoint.state_dict_saver import save

from hemicycle.store import sync_folder, sync_tree
from hemicycle.train.checkpoint import FIGURES, checkpoint_name
from hemicycle.train.export import SETTINGS, STATE


def restore_checkpoint(kept: Path, scratch: Path, step: int) -> bool:
    """Write the checkpoint of `step` in the folder `kept` into a training's scratch folder.

    Returns False, and writes nothing, where a checkpoint is there: the training has gone on since. A kill
    leaves nothing under the final name.
    """
    if any(scratch.glob("step-*")):
        return False
    aside = scratch / f".aside-{step:09d}"
    shutil.rmtree(aside, ignore_errors=True)
    save(_state(kept), checkpoint_id=aside, no_dist=True)
    shutil.copyfile(kept / FIGURES, aside / FIGURES)
    sync_tree(aside)
    aside.rename(scratch / checkpoint_name(step))
    sync_folder(scratch)
    return True


def _state(kept: Path) -> dict[str, Any]:
    """Model and optimiser, as `train.checkpoint` saves them."""
    model: dict[str, torch.Tensor] = {}
    for path in sorted(kept.glob("model*.safetensors")):
        model |= load_file(path)
    state: dict[str, dict[str, torch.Tensor]] = {}
    for name, tensor in load_file(kept / STATE).items():
        weight, _, what = name.rpartition("/")
        state.setdefault(weight, {})[what] = tensor
    settings = json.loads((kept / SETTINGS).read_text("utf-8"))
    for tied, other in settings["tied"].items():
        if other in model:
            model[tied] = model[other]
    for group in settings["groups"]:
        if "betas" in group:
            group["betas"] = tuple(group["betas"])
    return {"model": model, "optimiser": {"state": state, "param_groups": settings["groups"]}}
