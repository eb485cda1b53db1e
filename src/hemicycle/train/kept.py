"""Kept: the checkpoints that stay in a model's artefact, for the day when a text has to leave it.

checkpoints/step-N    weights, optimiser and account after N steps
"""

from __future__ import annotations

from pathlib import Path


def kept_checkpoint(model: Path, step: int) -> Path:
    """The folder of the checkpoint after so many steps."""
    return model / "checkpoints" / f"step-{step}"


def kept_steps(model: Path) -> tuple[int, ...]:
    """Steps of all that a model's folder keeps, ascending."""
    names = (path.name for path in (model / "checkpoints").glob("step-*"))
    return tuple(sorted(int(name.removeprefix("step-")) for name in names))
