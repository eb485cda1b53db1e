"""Checkpoints: weights, optimiser state and figures so far, written aside while training goes on.

Order and randomness need no saving: a batch is a function of its step, and nothing in the model is random
after its first weights. What is saved is sharded (torch's distributed checkpoints), so that another number
of ranks can go on from it. The last two are kept, so that a disk that fills up while the newest is written
costs nothing; a folder is seen under its name only once all of it is on disk.
"""

from __future__ import annotations

import errno
import shutil
import time
import warnings
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.staging import DefaultStager, StagingOptions
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save

from hemicycle.errors import IntegrityError
from hemicycle.store import sync_folder, sync_tree
from hemicycle.train.optimiser import Optimiser
from hemicycle.train.ranks import Ranks

# One process needs no group of them.
warnings.filterwarnings("ignore", message="torch.distributed is disabled")

FIGURES = "figures.npz"
#: Checkpoints kept of those that come by the clock.
LAST = 2
#: What is not learnt, as the weights beside adapters, is in the base.
_OPTIONS = StateDictOptions(ignore_frozen_params=True)

Figures = dict[str, npt.NDArray[Any]]


class Checkpoints:
    """The checkpoints of one run, in a folder that all ranks see.

    Args:
        kept: steps whose checkpoints stay for good.
    """

    def __init__(self, folder: Path, ranks: Ranks, kept: frozenset[int] = frozenset()) -> None:
        self._folder, self._ranks, self._kept = folder, ranks, kept
        self._writer = ThreadPoolExecutor(1)
        # The state as it is now, in memory of its own: training goes on while it is written.
        self._stager = DefaultStager(StagingOptions(False, False, False, False))
        self._under_way: Future[None] | None = None
        #: Seconds that training stood still for the last one.
        self.cost = 0.0
        if ranks.leads:
            folder.mkdir(parents=True, exist_ok=True)
            for left in folder.glob(".aside-*"):
                shutil.rmtree(left)

    def save(self, step: int, model: Any, optimiser: Optimiser, figures: Figures) -> None:
        """Begin to write the state after `step` steps. Raises what went wrong with the one before."""
        began = time.monotonic()
        self.wait()
        state: Any = self._stager.stage(_state(model, optimiser))
        copied = {name: values.copy() for name, values in figures.items()}
        self._under_way = self._writer.submit(self._write, step, state, copied)
        self.cost = time.monotonic() - began

    def wait(self) -> None:
        """Until what was begun is on disk. Raises OSError where it could not be written."""
        if self._under_way is not None:
            under_way, self._under_way = self._under_way, None
            under_way.result()

    def close(self) -> None:
        """Let what was begun come to its end, whatever else went wrong."""
        self._writer.shutdown(wait=True)

    def _write(self, step: int, state: dict[str, Any], figures: Figures) -> None:
        aside = self._folder / f".aside-{step:09d}"
        alone = self._ranks.count == 1
        try:
            # On rank 0 this returns once all ranks have written.
            save(state, checkpoint_id=aside, process_group=self._ranks.saving, no_dist=alone)
            if not self._ranks.leads:
                return
            np.savez(aside / FIGURES, **figures)  # type: ignore[arg-type]
        except OSError:
            raise
        # The latter is none of the former.
        except (Exception, CheckpointException) as error:
            # torch tells of a full disk, here or on another rank, in errors of its own.
            cause = f"the checkpoint of step {step} could not be written: {_reason(error)}"
            raise OSError(errno.EIO, cause, str(aside)) from error
        sync_tree(aside)
        final = self._folder / checkpoint_name(step)
        if final.exists():
            shutil.rmtree(final)
        aside.rename(final)
        sync_folder(self._folder)
        passing = [path for path in self._all() if _step(path) not in self._kept]
        for old in passing[:-LAST]:
            shutil.rmtree(old)

    def load_latest(self, model: Any, optimiser: Optimiser) -> tuple[int, Figures] | None:
        """Put the newest checkpoint into model and optimiser; its step and figures, or None.

        Raises IntegrityError where it is damaged.
        """
        found = self._all()
        if not found:
            return None
        state = _state(model, optimiser)
        try:
            load(state, checkpoint_id=found[-1], no_dist=self._ranks.count == 1)
            with np.load(found[-1] / FIGURES) as figures:
                arrays = {name: figures[name] for name in figures.files}
        except (MemoryError, torch.OutOfMemoryError):
            raise
        # The latter is none of the former.
        except (Exception, CheckpointException) as error:
            begins = "goes on from the one before it" if len(found) > 1 else "begins anew"
            raise IntegrityError(
                f"the checkpoint cannot be read: {_reason(error)}",
                place=str(found[-1]),
                remedy=f"If its files are damaged, delete this folder: training then {begins}.",
            ) from error
        # Partial: the copy of a tied weight and what is frozen are not in there.
        loose = StateDictOptions(ignore_frozen_params=True, strict=False)
        set_model_state_dict(model, state["model"], options=loose)
        set_optimizer_state_dict(model, optimiser.parts, state["optimiser"], options=_OPTIONS)
        return _step(found[-1]), arrays

    def kept(self) -> list[tuple[int, Path]]:
        """The checkpoints that stay for good, by step."""
        return [(_step(path), path) for path in self._all() if _step(path) in self._kept]

    def _all(self) -> list[Path]:
        return sorted(self._folder.glob("step-*"))


def checkpoint_name(step: int) -> str:
    """Of the folder of the state after so many steps."""
    return f"step-{step:09d}"


def _step(path: Path) -> int:
    return int(path.name.removeprefix("step-"))


def _state(model: Any, optimiser: Optimiser) -> dict[str, Any]:
    return {
        "model": get_model_state_dict(model, options=_OPTIONS),
        "optimiser": get_optimizer_state_dict(model, optimiser.parts, options=_OPTIONS),
    }


def _reason(error: BaseException) -> str:
    """The innermost cause, in one line."""
    while error.__cause__ is not None:
        error = error.__cause__
    failures = getattr(error, "failures", None)
    if failures:
        error = next(iter(failures.values()))[0]
    return " ".join(str(error).split()) or type(error).__name__
