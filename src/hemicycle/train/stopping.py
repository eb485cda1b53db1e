"""How a training is asked to stop: it saves a checkpoint first, and can be gone on with."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator


class Stopped(Exception):
    """A training stopped because it was asked to, after `step` of `steps`; a checkpoint holds all of it."""

    def __init__(self, step: int, steps: int) -> None:
        self.step, self.steps = step, steps
        super().__init__(f"stopped as asked, at step {step} of {steps}; the checkpoint is written")


def never() -> bool:
    """Nobody asks."""
    return False


@contextlib.contextmanager
def heeding_interrupts(stop: Callable[[], bool]) -> Iterator[Callable[[], bool]]:
    """Take the first Ctrl-C as a wish to stop after the step under way; a second one breaks it off.

    Yields what says whether to stop. Raises KeyboardInterrupt where a training stopped for that.
    """
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    asked = threading.Event()

    def heed(number: int, frame: object) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    before = signal.signal(signal.SIGINT, heed)
    try:
        yield lambda: asked.is_set() or stop()
    except Stopped:
        if asked.is_set():
            raise KeyboardInterrupt from None
        raise
    finally:
        signal.signal(signal.SIGINT, before)
