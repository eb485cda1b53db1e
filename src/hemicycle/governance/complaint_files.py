"""The files of complaints: what may lie in `complaints/`, how it is read without trust, how it is written.

    complaints/2026-001/
    ├── 01-open.json                    each step names the digest of the one before
    ├── 02-triage.json
    ├── 02-triage.nora.governance.sig   who signed it, one a person
    ├── private.json                    who complains and how to reach them: never under version control
    └── .gitignore                      sees to that

`private.json` is named by its digest in the first step, and holds a random salt: without it whoever guesses a
name could prove the guess. It may be deleted when the law asks for it.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import cast, get_args

from pydantic import ValidationError

from hemicycle.digests import sha256_bytes
from hemicycle.errors import InputError, IntegrityError
from hemicycle.governance.complaint_step import Step, StepName, bytes_of, sentence
from hemicycle.governance.decisions import SignatureFile
from hemicycle.governance.people import ROLES, Role
from hemicycle.store import sweep_asides, sync_tree, write_aside

FOLDER, PRIVATE, IGNORED = "complaints", "private.json", ".gitignore"
#: No rightful step is larger.
LARGEST = 1 << 20

ID = r"[0-9]{4}-(?:[0-9]{3}|[1-9][0-9]{3,5})"
STEM = rf"[0-9]{{2}}-(?:{'|'.join(get_args(StepName))})"
#: What a process that was killed as it wrote leaves behind.
_LEFT = re.compile(r"\.opening-[0-9]+|\..+\.[0-9]+\.aside")
_SIGNATURE = re.compile(rf"({STEM})\.([a-z0-9][a-z0-9_-]{{0,63}})\.([a-z]+)\.sig")


def complaint_folders(complaints: Path) -> list[Path]:
    """The folders of all complaints, by year and number."""
    if not complaints.is_dir():
        return []
    named = (f for f in complaints.iterdir() if re.fullmatch(ID, f.name))
    return sorted(named, key=lambda f: (f.name[:4], int(f.name[5:])))


def files_in(folder: Path) -> set[str]:
    """Names of all that lies in a folder, save what a killed process left."""
    return {f.name for f in folder.iterdir() if not _LEFT.fullmatch(f.name)}


def sweep(complaints: Path) -> None:
    """Delete what a killed process left, and the contact in it. For the one process that writes."""
    sweep_asides(complaints)
    for left in complaints.glob(".opening-*"):
        shutil.rmtree(left, ignore_errors=True)


def next_number(complaints: Path, year: int) -> str:
    numbers = [int(f.name[5:]) for f in complaint_folders(complaints) if f.name[:4] == f"{year:04}"]
    return f"{year:04}-{max(numbers, default=0) + 1:03}"


def step_files(folder: Path) -> list[str]:
    """Names of the files of steps, in their order; a folder that is a link has none."""
    if folder.is_symlink() or not folder.is_dir():
        return []
    return sorted(f.name for f in folder.iterdir() if re.fullmatch(rf"{STEM}\.json", f.name))


def signature_file(folder: Path, name: str) -> SignatureFile | None:
    """What the name of a signature says; None where it is not such a name."""
    named = _SIGNATURE.fullmatch(name)
    if named is None or named[3] not in ROLES:
        return None
    return SignatureFile(folder / name, named[1], named[2], cast(Role, named[3]))


def signatures_of(folder: Path, stem: str) -> list[SignatureFile]:
    """The signatures that lie beside a step, by name."""
    found = (signature_file(folder, name) for name in sorted(f.name for f in folder.iterdir()))
    return [file for file in found if file is not None and file.stem == stem]


def read_file(path: Path) -> bytes:
    """The bytes of a plain file. A pipe or a link is not followed, for it might never end."""
    if path.is_symlink() or path.parent.is_symlink() or (path.exists() and not path.is_file()):
        raise IntegrityError("this is not a plain file", place=str(path))
    try:
        with path.open("rb") as f:
            data = f.read(LARGEST + 1)
    except FileNotFoundError:
        raise IntegrityError("the file is missing", place=str(path)) from None
    except OSError as error:
        raise IntegrityError(f"the file cannot be read: {error.strerror}", place=str(path)) from None
    if len(data) > LARGEST:
        raise IntegrityError(f"the file has more than {LARGEST} bytes", place=str(path))
    return data


def read_step(path: Path) -> Step:
    """The step that a file holds, under its own name and in its own folder."""
    data = read_file(path)
    try:
        step = Step.model_validate_json(data)
    except ValidationError as error:
        raise IntegrityError(
            f"this is not a step of a complaint: {sentence(error)}", place=str(path)
        ) from None
    # One way to write a step: nothing can stand in its file beside what was read.
    if step.to_bytes() != data:
        raise IntegrityError("the step is not in canonical form", place=str(path))
    if step.file_name != path.name:
        raise IntegrityError(f"it says that it is {step.file_name}", place=str(path))
    if step.complaint != path.parent.name:
        raise IntegrityError(f"it belongs to complaint {step.complaint}", place=str(path))
    return step


def private_file(contact: str, salt: str | None = None) -> bytes:
    """What `private.json` holds of who complains."""
    return bytes_of({"contact": contact, "salt": salt or secrets.token_hex(32)}, "the contact")


def check_private(folder: Path, opened: Step) -> None:
    """Raise IntegrityError where `private.json` is not what the first step names, or would be published."""
    path = folder / PRIVATE
    if not path.exists() and not path.is_symlink():
        return
    if sha256_bytes(read_file(path)) != opened.private:
        raise IntegrityError("it is not what the first step names: it was changed or added", place=str(path))
    ignored = folder / IGNORED
    if not ignored.is_file() or PRIVATE.encode() not in read_file(ignored).split():
        raise IntegrityError(f"it does not list {PRIVATE}, which would be published", place=str(ignored))


def write_opening(
    complaints: Path, step: Step, private: bytes | None, signatures: Mapping[str, bytes]
) -> Path:
    """Write the folder of a new complaint, whole or not at all."""
    aside = complaints / f".opening-{os.getpid()}"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    write_aside(aside / IGNORED, f"{PRIVATE}\n".encode())
    if private is not None:
        write_aside(aside / PRIVATE, private, private=True)
    write_step(aside, step, signatures)
    sync_tree(aside)
    folder = complaints / step.complaint
    try:
        # A folder that somebody else made in the meantime is not replaced.
        aside.rename(folder)
    except OSError:
        shutil.rmtree(aside)
        raise InputError(
            f"another complaint took the number {step.complaint} in the meantime",
            place=str(folder),
            remedy="Open it again.",
        ) from None
    return folder


def write_step(folder: Path, step: Step, signatures: Mapping[str, bytes]) -> None:
    """Write a step, then its signatures: a step may wait for them, and one without its step is a stray.

    Raises InputError where a step of that name lies there: it may have entered, and is never replaced.
    """
    path = folder / step.file_name
    if path.exists() or path.is_symlink():
        raise InputError("this step is there already", place=str(path))
    write_aside(path, step.to_bytes())
    write_signatures(folder, signatures)


def write_signatures(folder: Path, signatures: Mapping[str, bytes]) -> None:
    for name, data in signatures.items():
        write_aside(folder / name, data)
