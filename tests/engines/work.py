"""Functions that the tests of engines run as tasks."""

import errno
import os
import signal
import time
from pathlib import Path

from hemicycle.errors import InputError


def double(number, log):
    with open(log, "a", encoding="utf-8") as f:
        f.write(f"{number}\n")
    return {"number": number, "double": 2 * number}


def refuse_odd(number, log):
    if number % 2:
        raise InputError(f"{number} is odd", place=f"number {number}", remedy="Give an even one.")
    return double(number, log)


def die_once(number, log):
    """Killed by the kernel the first time, as for want of memory."""
    mark = Path(f"{log}.{number}")
    if number == 3 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return double(number, log)


def divide(number, log):
    return {"result": number // 0}


def fill(number, log):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), log)


def interrupted(number, log):
    raise KeyboardInterrupt


def leave(number, log):
    raise SystemExit(3)


def write(out):
    """A whole file; on a disk that is full, what is left of it."""
    full = Path(out).with_name("fails")
    if full.exists():
        if left := full.read_text():
            Path(out).write_text(left)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), out)
    Path(out).write_text("whole")
    return {}


def endless(pids):
    """Say who one is, and go on until somebody ends it."""
    Path(pids, str(os.getpid())).touch()
    while True:
        time.sleep(0.1)
