"""What a training in other processes leaves to who waits for it: its result, or why there is none.

All of it is files in the scratch folder of the job, so that it does not matter who waits, since when, and on
which machine:

- ``out/``, ``result.json``: the model's files, and the figures of its run; the latter is written last.
- ``failed-RANK.json``: why a rank failed (`Failure`).
- ``stop``: where it is there, every rank saves a checkpoint and leaves.
- ``rank-RANK.log``, ``heartbeat-RANK``, ``progress.json``, ``job.json``: what each of these names says.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import shutil
import socket
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from hemicycle import errors
from hemicycle.errors import HemicycleError
from hemicycle.progress import Progress
from hemicycle.store import sync_tree, write_aside
from hemicycle.train.job import Job

#: Exit code of a process that saved a checkpoint and left: start it again (EX_TEMPFAIL of sysexits.h).
AGAIN = 75

STOP, OUT, RESULT, PROGRESS, JOB = "stop", "out", "result.json", "progress.json", "job.json"

#: The file with the number of the job of Slurm that trains the model.
MARK = "slurm.job"

#: Bytes kept on the disk for the reason of a failure, which may be that the disk is full.
_RESERVED = 8192


class Launcher(Protocol):
    """Where a training runs."""

    @property
    def alone(self) -> bool:
        """Whether it runs in this very process, so that its speed can be measured here."""
        ...

    def run(self, job: Job, progress: Progress) -> dict[str, Any]:
        """Train, and return the figures for the statement; the model's files are in ``job.out``.

        Raises HemicycleError with the reason in one line where that fails; the last checkpoint is kept.
        """
        ...


@dataclass(frozen=True)
class Failure:
    """Why a process of a training failed.

    Attributes:
        kind: class of `hemicycle.errors`.
        said: whether the loop itself said so, in words that need no place beside them.
        rank: None where it is not known, as of a node whose ranks did not come up.
        step: that the rank was at, counted from 0; None where it had not ended any.
        again: whether another start, from the last checkpoint, may well go better.
        follows: whether it mostly follows from the failure of another rank.
        at: seconds since the epoch.
    """

    what: str
    place: str | None = None
    remedy: str | None = None
    kind: str = "HemicycleError"
    said: bool = False
    rank: int | None = None
    step: int | None = None
    again: bool = False
    follows: bool = False
    host: str = field(default_factory=socket.gethostname)
    at: float = field(default_factory=time.time)

    def error(self, kept: int | None) -> HemicycleError:
        """The error to raise where the checkpoint of step `kept` is there."""
        kind: type[HemicycleError] = getattr(errors, self.kind, HemicycleError)
        if self.said:
            return kind(self.what, place=self.place, remedy=self.remedy)
        remedy = " ".join(filter(None, [self.remedy, kept_words(kept)])) or None
        what = f"{self.what} (node {self.host})"
        if self.rank is not None:
            when = "before its first step ended" if self.step is None else f"at step {self.step}"
            what = f"rank {self.rank} on node {self.host} failed {when}: {self.what}"
        return kind(what, place=self.place, remedy=remedy)


def reserve(scratch: Path, rank: int) -> None:
    """Take the room on the disk that a failure of this rank will need."""
    with _aside(scratch, rank).open("wb") as f:
        f.write(b" " * _RESERVED)
        f.flush()
        os.fsync(f.fileno())


def write_failure(scratch: Path, name: int | str, failure: Failure) -> None:
    """Write why a rank, or something else of that name, failed; over the room reserved for it if it was."""
    short = {key: value[:1000] if isinstance(value, str) else value for key, value in asdict(failure).items()}
    aside = _aside(scratch, name)
    with aside.open("r+b" if aside.exists() else "wb") as f:
        f.write(json.dumps(short).encode("ascii").ljust(_RESERVED))
        f.flush()
        os.fsync(f.fileno())
    aside.rename(scratch / f"failed-{name}.json")


def failures(scratch: Path) -> list[Failure]:
    """What failed, what caused the rest first."""
    found = [Failure(**json.loads(path.read_bytes())) for path in scratch.glob("failed-*.json")]
    return sorted(found, key=lambda failure: (failure.follows, failure.at))


def kept_step(scratch: Path) -> int | None:
    """The step of the newest checkpoint."""
    names = (re.match(r"step-(\d+)", path.name) for path in scratch.glob("step-*"))
    return max((int(name[1]) for name in names if name), default=None)


def kept_words(kept: int | None) -> str | None:
    """What a remedy says of the newest checkpoint."""
    return None if kept is None else f"The checkpoint of step {kept} is kept: the next run goes on from it."


def begin(scratch: Path) -> None:
    """Clear away what a start before this one left to its waiter; checkpoints and a wish to stop remain."""
    for pattern in (RESULT, PROGRESS, "failed-*.json", ".failed-*", "heartbeat-*"):
        for left in scratch.glob(pattern):
            left.unlink(missing_ok=True)
    shutil.rmtree(scratch / OUT, ignore_errors=True)
    (scratch / OUT).mkdir()


def write_job(job: Job) -> Path:
    """The file that other processes read the job from; theirs writes the model into the scratch folder, since
    ``job.out`` may be emptied while they go on."""
    path = job.scratch / JOB
    write_aside(path, dataclasses.replace(job, out=job.scratch / OUT).to_json().encode("utf-8"))
    return path


def write_result(job: Job, figures: dict[str, Any]) -> None:
    sync_tree(job.out)
    write_aside(job.scratch / RESULT, json.dumps(figures).encode("utf-8"))


def take(job: Job) -> dict[str, Any] | None:
    """Move what other processes made to ``job.out`` and return its figures; None where it is not finished."""
    with contextlib.suppress(FileNotFoundError):
        figures: dict[str, Any] = json.loads((job.scratch / RESULT).read_bytes())
        # It must not vouch for files that are half moved.
        (job.scratch / RESULT).unlink()
        for path in (job.scratch / OUT).iterdir():
            path.rename(job.out / path.name)
        return figures
    return None


def last_lines(log: Path, count: int = 3) -> str:
    """The last lines of a log that say something, as one; of a crash, those before Python says where."""
    with contextlib.suppress(OSError):
        with log.open("rb") as f:
            f.seek(max(0, log.stat().st_size - 20_000))
            text = f.read().decode("utf-8", "replace").partition("Fatal Python error")[0]
        return " / ".join([line.strip() for line in text.splitlines() if line.strip()][-count:])
    return ""


def _aside(scratch: Path, name: int | str) -> Path:
    return scratch / f".failed-{name}"
