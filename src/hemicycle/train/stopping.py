"""Leaving a run before its end, with a checkpoint: when the time of a job is up, or a machine is taken back."""

from __future__ import annotations


class Stopped(Exception):
    """The run was asked to stop; a checkpoint of `step` of its `steps` steps was saved.

    It is no error: whoever started the run decides when it goes on.
    """

    def __init__(self, step: int, steps: int) -> None:
        self.step, self.steps = step, steps
        super().__init__(f"stopped at step {step} of {steps}, with a checkpoint")


def never() -> bool:
    """Nobody asks the run to stop."""
    return False
