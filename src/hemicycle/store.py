"""The store: artefacts under their final names, never half-written.

An artefact is a folder. It is filled under ``.staging/`` and moved to its final name in one rename;
whatever is seen under a final name is whole. Files are flushed to disk before the rename, so that a
power cut cannot leave a name without its content.

    build/
    ├── corpus/debats-3f2a91c07d5e/     an artefact: stage / name - first 12 digits of its key
    ├── .staging/<key>/                 work in progress: step, content/, work/, statement.json
    ├── .lock, .owner                   one process at a time, of the one ledger that speaks of this store
    └── .cache/                         may be deleted at any time, verified by nobody
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hemicycle.digests import sha256_file, sha256_json
from hemicycle.errors import DeclarationError, IntegrityError

if TYPE_CHECKING:
    from hemicycle.ledger import Subject


@dataclass(frozen=True)
class FileDigest:
    """One file of an artefact: its path relative to the artefact (with ``/``), size and SHA-256."""

    path: str
    size: int
    sha256: str


def list_files(folder: Path) -> list[str]:
    """Paths of all files below `folder`, relative, sorted. A link is refused: it could point anywhere."""
    found = []
    for root, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            path = Path(root, name)
            if path.is_symlink():
                raise IntegrityError("a symbolic link has no place in an artefact", place=str(path))
        found += [Path(root, name).relative_to(folder).as_posix() for name in files]
    return sorted(found)


def digest_files(folder: Path) -> list[FileDigest]:
    return [
        FileDigest(path, (folder / path).stat().st_size, sha256_file(folder / path))
        for path in list_files(folder)
    ]


def artefact_digest(files: list[FileDigest]) -> str:
    """The digest of an artefact: that of the list of its files. Empty folders do not count."""
    return sha256_json([[f.path, f.size, f.sha256] for f in files])


def sync_folder(folder: Path) -> None:
    """Flush the entries of one folder to disk, so that a rename inside it survives a power cut."""
    sync_file(folder)


def sync_file(path: Path) -> None:
    """Flush what was written of a file to disk."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def link(path: Path, to: Path) -> None:
    """The same file under another name; a copy where the file system links none."""
    try:
        os.link(path, to)
    except OSError:
        shutil.copyfile(path, to)


def write_aside(path: Path, data: bytes, *, private: bool = False) -> None:
    """Write a file so that its name holds either the old content or the new one, never a part.

    A private one is its owner's alone from its first byte: a mode that is set afterwards comes too late.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.aside")
    # What a killed process of the same number left would keep its own mode.
    aside.unlink(missing_ok=True)
    fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o666)
    with open(fd, "wb") as f:
        f.write(data)
        f.flush()
        os.fsync(f.fileno())
    aside.rename(path)
    sync_folder(path.parent)


def sync_tree(folder: Path) -> None:
    for path in list_files(folder):
        sync_file(folder / path)
    for root, _, _ in os.walk(folder):
        sync_folder(Path(root))


#: What may lie in a store beside its stages.
_OWN_FILES = {".cache", ".staging", ".lock", ".owner"}


class Store:
    """The artefacts of one project, and its releases. One ledger speaks of them."""

    def __init__(self, root: Path, releases: Path) -> None:
        self.root = root
        self.releases = releases
        self.cache = root / ".cache"
        self.trainings = self.cache / "train"

    def artefact(self, stage: str, name: str, key: str) -> Path:
        """Where an artefact stands. Releases stand where people look for them, one a name."""
        if stage == "release":
            return self.releases / name
        return self.root / stage / f"{name}-{key[:12]}"

    def folder_of(self, subject: Subject) -> Path:
        """Where the artefact that a statement is about stands, or stood."""
        return self.artefact(subject.stage, subject.name, subject.key)

    def staging(self, key: str) -> Path:
        return self.root / ".staging" / key

    def logs(self) -> list[Path]:
        """The logs of trainings, under way or over, each under the name of its step. They hold text: prompts
        from the training text, and what the model wrote after them."""
        folder = self.trainings
        return (
            sorted(p for p in folder.iterdir() if p.is_dir() and p.name[0] != ".") if folder.is_dir() else []
        )

    def staged(self) -> list[Path]:
        """Work in progress, finished or not, of this process or of one that was killed."""
        folder = self.root / ".staging"
        return sorted(p for p in folder.iterdir() if p.name[0] != ".") if folder.is_dir() else []

    def artefacts(self) -> list[Path]:
        """Every artefact folder that stands under a final name, releases apart."""
        if not self.root.is_dir():
            return []
        return sorted(
            artefact
            for stage in self.root.iterdir()
            if stage.is_dir() and not stage.name.startswith(".")
            for artefact in stage.iterdir()
            if artefact.is_dir() and not artefact.name.startswith(".")
        )

    def strays(self) -> list[Path]:
        """Whatever lies where only stages and artefacts belong."""
        if not self.root.is_dir():
            return []
        top = [p for p in self.root.iterdir() if p.name not in _OWN_FILES]
        stages = [p for p in top if p.is_dir() and not p.name.startswith(".")]
        inside = [a for stage in stages for a in stage.iterdir() if a.name.startswith(".") or not a.is_dir()]
        return sorted([p for p in top if p not in stages] + inside)

    def used(self) -> tuple[int, int]:
        """How many files there are, and their bytes; work in progress and what may be deleted count too."""
        sizes = [p.stat().st_size for p in self.root.rglob("*") if p.is_file()] if self.root.is_dir() else []
        return len(sizes), sum(sizes)

    def claim(self, owner: str) -> None:
        """Mark the store as that of one ledger. Raises DeclarationError where it is another's."""
        path = self.root / ".owner"
        if not path.exists():
            write_aside(path, owner.encode("ascii") + b"\n")
        elif path.read_text("ascii", "replace").strip() != owner:
            raise DeclarationError(
                "another copy of the project builds here, under another key",
                place=str(self.root),
                remedy="Give this copy a store of its own: `store` in hemicycle.toml.",
            )

    def released(self) -> list[Path]:
        """Every release folder."""
        if not self.releases.is_dir():
            return []
        return sorted(p for p in self.releases.iterdir() if p.is_dir() and not p.name.startswith("."))

    def place(self, content: Path, final: Path) -> None:
        """Move a finished folder to its final name; what stood there under this name gives way."""
        sync_tree(content)
        final.parent.mkdir(parents=True, exist_ok=True)
        if content.stat().st_dev != final.parent.stat().st_dev:
            near = final.with_name(f".{final.name}.aside")
            shutil.rmtree(near, ignore_errors=True)
            shutil.copytree(content, near)
            sync_tree(near)
            content = near
        if final.exists():
            self.remove(final)
        content.rename(final)
        sync_folder(final.parent)

    def remove(self, folder: Path) -> None:
        """Delete an artefact or work in progress: its name goes first, so that nobody sees a half of it."""
        doomed = folder.with_name(f".deleted-{folder.name}")
        shutil.rmtree(doomed, ignore_errors=True)
        if not folder.exists():
            return
        folder.rename(doomed)
        shutil.rmtree(doomed)

    def sweep(self) -> None:
        """Finish deletions and copies that a kill interrupted."""
        stages = self.root.glob("*") if self.root.is_dir() else []
        for parent in [*stages, self.releases, self.trainings]:
            for pattern in (".deleted-*", ".*.aside"):
                for left in parent.glob(pattern):
                    if left.is_dir():
                        shutil.rmtree(left)


def sweep_asides(folder: Path) -> None:
    """Delete files that `write_aside` of a killed process left anywhere below a folder."""
    for root, _, files in os.walk(folder):
        for name in files:
            if name.startswith(".") and name.endswith(".aside"):
                Path(root, name).unlink()


@contextlib.contextmanager
def locked_for_reading(path: Path, on_wait: Callable[[str], None]) -> Iterator[None]:
    """Keep writers out while reading. Where there is no lock file, nobody has written yet."""
    try:
        fd = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        yield
        return
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait(os.pread(fd, 64, 0).decode("ascii", "replace").strip() or "another process")
            fcntl.flock(fd, fcntl.LOCK_SH)
        yield
    finally:
        os.close(fd)


@contextlib.contextmanager
def locked(path: Path, on_wait: Callable[[str], None]) -> Iterator[None]:
    """Hold an exclusive lock on a file; wait for whoever holds it, saying so once.

    The lock is the kernel's (``flock``): it ends with the process, however that ends.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(fd, 64, 0).decode("ascii", "replace").strip() or "another process"
            on_wait(holder)
            fcntl.flock(fd, fcntl.LOCK_EX)
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"process {os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(fd)
