"""What a command and all its processes took: CPU time, wall time, memory.

CPU time is that of all processes, those of a fork server too; memory is the largest sum over processes that
were there together, what they share counted once.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

#: From <linux/prctl.h>: orphans of our children become ours.
_CHILD_SUBREAPER = 36


@dataclass(frozen=True)
class Spent:
    cpu: float
    wall: float
    megabytes: float
    largest: float


def run(command: list[str]) -> Spent:
    """Run a command to the end of its last process and return what they all took; `largest` is the memory of
    the largest single process."""
    ctypes.CDLL(None).prctl(_CHILD_SUBREAPER, 1)
    begin = time.perf_counter()
    cpu = 0.0
    done = threading.Event()
    peak, largest = [0.0], [0.0]

    def watch() -> None:
        while not done.wait(0.05):
            sizes = list(map(resident, descendants(os.getpid())))
            peak[0], largest[0] = max(peak[0], sum(sizes)), max(largest[0], *sizes, 0.0)

    watching = threading.Thread(target=watch)
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdout=said, stderr=said)
        watching.start()
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status, usage = os.wait3(0)
                cpu += usage.ru_utime + usage.ru_stime
                if pid == process.pid:
                    process.returncode = os.waitstatus_to_exitcode(status)
        done.set()
        watching.join()
        if process.returncode:
            said.seek(0)
            sys.exit(said.read().decode("utf-8", "replace")[-2_000:])
    return Spent(cpu, time.perf_counter() - begin, peak[0], largest[0])


def descendants(pid: int) -> list[int]:
    found = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in map(int, (task / "children").read_text("ascii").split()):
                found += [child, *descendants(child)]
    return found


def resident(pid: int) -> float:
    """Megabytes of a process; a page that several share is shared out among them."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0


def compared(name: str, ours: Sequence[Spent], peer: Sequence[Spent]) -> None:
    """Print the medians of the peer's figures over ours, pair by pair."""
    for what in ("cpu", "wall", "megabytes"):
        ratios = [getattr(p, what) / getattr(o, what) for o, p in zip(ours, peer, strict=True)]
        own = statistics.median(getattr(o, what) for o in ours)
        spread = f"{min(ratios):.2f}-{max(ratios):.2f}"
        print(f"{what}: {name} {statistics.median(ratios):.2f} ({spread}); ours {own:.1f}")
