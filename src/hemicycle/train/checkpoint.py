"""Checkpoints: weights, optimiser state and figures so far, written aside and renamed.

Order and randomness need no saving: a batch is a function of its step, and nothing in the model is random
after its first weights. The last two are kept, so that a disk that fills up while the newest is written
costs nothing.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import torch

from hemicycle.store import sync_folder


def save(folder: Path, step: int, state: dict[str, Any]) -> None:
    """Write the state after `step` steps; older checkpoints but one are deleted once it is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    aside = folder / ".aside"
    with aside.open("wb") as f:
        try:
            torch.save(state, f)
        except RuntimeError as error:
            # torch tells of a full disk in an error of its own.
            raise OSError(errno.EIO, f"the checkpoint could not be written: {error}", str(aside)) from error
        f.flush()
        os.fsync(f.fileno())
    aside.rename(folder / f"step-{step:09d}.pt")
    sync_folder(folder)
    for old in _all(folder)[:-2]:
        old.unlink()


def load_latest(folder: Path) -> tuple[int, dict[str, Any]] | None:
    """Step and state of the newest checkpoint, or None."""
    found = _all(folder)
    if not found:
        return None
    state = torch.load(found[-1], map_location="cpu", weights_only=True)
    return int(found[-1].stem.removeprefix("step-")), state


def _all(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*.pt"))
