"""A training that hangs is found and ended: a lost network or card mostly shows in no error, only in silence.

Each rank's loop leaves a heartbeat at every step, in a file of its own. Whoever started the ranks of a node
looks at these files, and where one stands still for too long, says so and kills those ranks. Times are those
of the machine's monotonic clock, which only its own processes can compare.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import statistics
import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from hemicycle.train.launch.outcome import Failure, write_failure

#: Steps whose median tells how long one takes.
_REMEMBERED = 101


class Heartbeat:
    """The sign of life of one rank, while the context lasts.

    The first step may compile and so take long; after the last, a rank may write or wait as long as it must.
    """

    def __init__(self, scratch: Path, rank: int) -> None:
        self.path = scratch / f"heartbeat-{rank}"

    def __enter__(self) -> Heartbeat:
        self._fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        self._who = f"{socket.gethostname()} {os.getppid()} {os.getpid()}"
        self._paces: deque[float] = deque(maxlen=_REMEMBERED)
        self._at: float | None = None
        self._write(-1, time.monotonic())
        return self

    def beat(self, step: int) -> None:
        """Say that a step has ended; some twenty microseconds."""
        now = time.monotonic()
        if self._at is not None:
            self._paces.append(now - self._at)
        self._at = now
        self._write(step, now)

    def _write(self, step: int, now: float) -> None:
        pace = statistics.median(self._paces) if self._paces else -1.0
        os.pwrite(self._fd, f"{self._who} {step:<12} {now:<20.6f} {pace:<20.6f}\n".encode("ascii"), 0)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._fd)
        if kind is None:
            self.path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Pulse:
    """What a heartbeat says: who, whose child, which step ended last and when, the median seconds of a step.

    Step -1: none has ended yet; pace None: none but the first.
    """

    rank: int
    host: str
    parent: int
    process: int
    step: int
    at: float
    pace: float | None


def read_pulse(path: Path) -> Pulse | None:
    """None where it has gone, or is being written for the first time."""
    with contextlib.suppress(FileNotFoundError, ValueError):
        host, parent, process, step, at, pace = path.read_text("ascii").split()
        return Pulse(
            rank=int(path.name.removeprefix("heartbeat-")),
            host=host,
            parent=int(parent),
            process=int(process),
            step=int(step),
            at=float(at),
            pace=float(pace) if float(pace) >= 0 else None,
        )
    return None


def step_under_way(scratch: Path, rank: int) -> int | None:
    """The step that a rank is or was at; None where it has not ended any."""
    pulse = read_pulse(scratch / f"heartbeat-{rank}")
    return pulse.step + 1 if pulse is not None and pulse.step >= 0 else None


@dataclass(frozen=True)
class Patience:
    """How long a rank may stand still, in seconds.

    Attributes:
        least: however short its steps are.
        times: as many times the median step, where that is longer.
        first: until the second step ends.
        look: between two looks.
        dump: for a rank that is ended to write where it stands.
    """

    least: float = 600.0
    times: float = 20.0
    first: float = 3600.0
    look: float = 10.0
    dump: float = 2.0


class Watch:
    """Watches the ranks that this process started; `killed` once it has ended them."""

    def __init__(self, scratch: Path, ranks: int, patience: Patience | None = None) -> None:
        self.scratch, self.ranks, self.patience = scratch, ranks, patience or Patience()
        self._files: list[Path] = []
        self._woke = time.monotonic()
        self.killed = False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        before = time.monotonic()
        while not self._over.wait(self.patience.look):
            now = time.monotonic()
            if now - before > 3 * self.patience.look + 1:
                # This process was suspended itself, and so were the ranks.
                self._woke = now
            before = now
            if still := self.standing(now):
                self._end(still, now)
                return

    def standing(self, now: float) -> list[Pulse]:
        """The ranks of this process that stand still for too long at `now`."""
        still = []
        for pulse in self._own():
            limit = self.patience.first
            if pulse.pace is not None:
                limit = max(self.patience.least, self.patience.times * pulse.pace)
            if now - max(pulse.at, self._woke) > limit:
                still.append(pulse)
        return still

    def _own(self) -> list[Pulse]:
        """The pulses of this process's children; files of others are read only until those are known."""
        own = (socket.gethostname(), os.getpid())
        files = self._files if len(self._files) == self.ranks else sorted(self.scratch.glob("heartbeat-*"))
        pulses = [p for p in map(read_pulse, files) if p is not None and (p.host, p.parent) == own]
        if len(pulses) == self.ranks:
            self._files = [self.scratch / f"heartbeat-{p.rank}" for p in pulses]
        return pulses

    def _end(self, still: list[Pulse], now: float) -> None:
        """Say who stands still, have them write where, and kill them."""
        self.killed = True
        everybody = [p for p in map(read_pulse, self.scratch.glob("heartbeat-*")) if p is not None]
        step = min(p.step for p in everybody or still)
        # Those who are further wait for the ones that lag behind.
        behind = sorted(p.rank for p in everybody or still if p.step == step)
        seconds = now - min(p.at for p in still)
        named = f"rank {behind[0]}" if len(behind) == 1 else f"ranks {_spans(behind)}"
        failure = Failure(
            f"{named} stood still for {seconds:.0f} s, "
            + (f"at step {step + 1}" if step >= 0 else "before a first step ended"),
            str(self.scratch / f"rank-{behind[0]}.log"),
            "That log says where. If it is always on one node, name that in `exclude` of sites.toml.",
            again=True,
        )
        # On a full disk they are to end all the same.
        with contextlib.suppress(OSError):
            write_failure(self.scratch, f"watch-{still[0].rank}", failure)
        _signal(still, signal.SIGUSR2)
        time.sleep(self.patience.dump)
        _signal(still, signal.SIGKILL)


def _signal(pulses: list[Pulse], number: signal.Signals) -> None:
    for pulse in pulses:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pulse.process, number)


def _spans(ranks: list[int]) -> str:
    """0, 1, 2, 5 as ``0-2, 5``."""
    spans: list[list[int]] = []
    for rank in ranks:
        if spans and rank == spans[-1][1] + 1:
            spans[-1][1] = rank
        else:
            spans.append([rank, rank])
    return ", ".join(f"{a}-{b}" if a != b else str(a) for a, b in spans)
