"""Slurm's commands, what may stand in a script for it, and how a job is waited for.

Whether work is done is told by what it wrote, not by the scheduler: accounting may be slow, or off. Who waits
may be interrupted while the job goes on: its number stays in a file, the mark, and the next run waits for it.
"""

from __future__ import annotations

import contextlib
import re
import shlex
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from hemicycle.errors import DeclarationError, HemicycleError
from hemicycle.sites import SITES

#: Seconds between two looks at what is done.
_PATIENCE = (1.0, 30.0)

#: Times in a row that `squeue` may fail, about ten minutes: a controller that restarts takes less.
_UNANSWERED = 25

#: Seconds one command of Slurm may take.
_ANSWER = 120.0

#: What ends or escapes a quoted word of a `#SBATCH` line.
_UNQUOTABLE = re.compile(r"['\"\\]")


def attend(mark: Path, look: Callable[[], tuple[bool, bool]]) -> None:
    """Wait for the job whose number stands in `mark`, until all is done or it has left the queue.

    `look` says whether all is done, and whether there is news. A job may write the number of one that goes on
    after it into the mark. Raises HemicycleError where Slurm stops answering; an interrupt cancels the job.
    """
    wait, unanswered = _PATIENCE[0], 0
    job = number_in(mark)
    try:
        while True:
            queued = in_queue(job)
            # Looked at after the queue: the last results come before their job leaves it.
            done, news = look()
            followed = number_in(mark)
            if done or (queued is False and followed == job):
                return
            wait = _PATIENCE[0] if news or followed != job else min(wait * 1.5, _PATIENCE[1])
            job = followed
            unanswered = unanswered + 1 if queued is None else 0
            if unanswered >= _UNANSWERED:
                raise HemicycleError(
                    f"Slurm no longer says whether the job {job} is in its queue",
                    place=str(mark),
                    remedy="Run again when `squeue` answers: what is done is kept, the job is waited for.",
                )
            time.sleep(wait)
    except KeyboardInterrupt:
        # Its number stays: what does not obey is waited for at the next start.
        with contextlib.suppress(HemicycleError):
            _slurm("scancel", job)
        raise


def number_in(mark: Path) -> str:
    return mark.read_text("utf-8", "replace").strip().split(";")[0]


def head(options: Mapping[str, str | None]) -> list[str]:
    """The lines of a script that Slurm reads; what is None is left out."""
    return [f"#SBATCH --{name}={shlex.quote(value)}" for name, value in options.items() if value is not None]


def job_name(*words: str) -> str:
    return "-".join(["hemicycle", *re.findall("[a-z0-9]+", " ".join(words).lower())])


def output(path: Path) -> str:
    """A path as a pattern of Slurm's. Raises DeclarationError where it cannot be told."""
    if _UNQUOTABLE.search(str(path)) or not str(path).isprintable():
        raise _unfit(path.parent, "Slurm", "quotes, backslashes or line breaks")
    # A per cent sign of the path is not one of Slurm's.
    return str(path).replace("%", "%%")


def contained(image: str, folders: Iterable[Path], command: list[str], *, cards: bool = False) -> list[str]:
    """A command inside an Apptainer image that sees `folders`, and graphics cards where it needs them.

    Raises DeclarationError where Apptainer cannot be told a folder.
    """
    binds = [word for path in _outermost(folders) for word in ("--bind", str(path))]
    return ["apptainer", "exec", *(["--nv"] if cards else []), *binds, image, *command]


def paths(value: Any) -> Iterator[Path]:
    """Every absolute path inside a JSON value."""
    if isinstance(value, str):
        if value.startswith("/"):
            yield Path(value)
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from paths(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from paths(inner)


def _outermost(folders: Iterable[Path]) -> list[Path]:
    outermost: list[Path] = []
    for path in sorted({p for p in folders if p.is_dir() and p != Path("/")}):
        if not any(path.is_relative_to(o) for o in outermost):
            if re.search("[:,]", str(path)):
                raise _unfit(path, "Apptainer", "colons or commas")
            outermost.append(path)
    return outermost


def _unfit(path: Path, program: str, characters: str) -> DeclarationError:
    return DeclarationError(
        f"{program} cannot be told a path with {characters}",
        place=str(path),
        remedy="Move the project to a folder without them.",
    )


def submit(script: Path) -> str:
    """Submit a script; the number of its job. Raises DeclarationError where Slurm refuses it."""
    done = _slurm("sbatch", "--parsable", script)
    if done is None:
        raise HemicycleError(
            "Slurm did not answer whether it took the job",
            place=str(script),
            remedy="Look with `squeue --me`, and cancel it before you run again.",
        )
    if done.returncode:
        # Hints come first and what was wrong last.
        said = (done.stderr.strip().splitlines() or ["it does not say why"])[-1]
        raise DeclarationError(
            f"Slurm refused the job: {said.removeprefix('sbatch: ').removeprefix('error: ').strip()}",
            place=SITES,
            remedy="Mend what it names among partition, account, qos, constraint, time and memory there.",
        )
    job = done.stdout.strip().split(";")[0]
    if not job.isdecimal():
        raise HemicycleError(f"Slurm gave the job no number but “{job}”", place=str(script))
    return job


def in_queue(job: str) -> bool | None:
    """Whether a job is in the queue; None where Slurm does not say."""
    if not job.isdecimal():
        return False
    done = _slurm("squeue", "--noheader", "--job", job)
    if done is None:
        return None
    if done.returncode:
        # A job that has left the queue long ago is unknown to it, which is an error of its own.
        return False if "Invalid job id specified" in done.stderr else None
    return bool(done.stdout.strip())


def _slurm(*command: str | Path) -> subprocess.CompletedProcess[str] | None:
    """What a command of Slurm answered; None where it did not in time."""
    try:
        return subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False, timeout=_ANSWER
        )
    except subprocess.TimeoutExpired:
        return None
    except FileNotFoundError:
        raise DeclarationError(
            f"`{command[0]}` is not on this machine",
            remedy="Run it where jobs are submitted, or leave `--on slurm` out.",
        ) from None
