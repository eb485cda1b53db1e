"""A process that ends with the one that started it, however that ends."""

from __future__ import annotations

import ctypes
import os
import signal

#: The variable that tells a process the number of the one that started it.
PARENT = "HEMICYCLE_PARENT"

_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends: one that is killed cannot say so itself."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # It may have ended before.
    if os.environ.get(PARENT, str(os.getppid())) != str(os.getppid()):
        os._exit(1)
