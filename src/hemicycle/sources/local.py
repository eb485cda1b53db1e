"""Files from a folder of one's own: which, their fingerprint, and a copy of them.

The files a card selects may be outside the project and may change at any time. `fingerprint` names their
content so that the collect stage knows whether it is up to date; `copy_in` brings them in, so that
everything later reads what was fingerprinted and nothing else.

Two traps. A symbolic link can lead out of the folder that was declared, to files nobody cleared: such
links are refused, and so are those that lead nowhere. And a second look must not read a terabyte again:
digests are remembered by path and stamp.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hemicycle.digests import canonical_json, sha256_file, sha256_json
from hemicycle.errors import DeclarationError, InputError
from hemicycle.project import Card
from hemicycle.sources import selected_files
from hemicycle.stamps import settled, stamp_of
from hemicycle.store import write_aside

#: Files that a reader needs beside the selected ones: a dataset's card states its licence.
COMPANIONS = {"huggingface": ("README.md",)}
CACHE_VERSION = 1
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS})


def selection(source: Path, card: Card) -> list[tuple[str, Path]]:
    """The files that a card selects in a folder, or the one file it names: (path inside, path), sorted.

    Files and folders whose name begins with a dot are left out, as a shell would.

    Raises:
        DeclarationError: a pattern of the card leads out of the folder.
        InputError: there is nothing at `source`, nothing is selected, a link leads out of the folder, or a
            pattern selects a pipe, a socket or a device.
    """
    if source.is_file():
        return [(_name(source.name), source)]
    if not source.is_dir():
        raise InputError(
            f"{source} does not exist, or cannot be reached",
            remedy="Put the files there, or correct `path` in the card.",
        )
    for pattern in [*card.include, *card.exclude]:
        if not pattern or pattern.startswith("/") or ".." in pattern.split("/"):
            raise DeclarationError(
                f"the pattern “{pattern}” does not stay inside the folder",
                remedy="Patterns are relative to `path`, such as **/*.txt.",
            )
    try:
        chosen = {p for p in selected_files(source, card) if not _hidden(p.relative_to(source))}
        _refuse_what_is_no_file(source, card)
    except ValueError as error:
        raise DeclarationError(str(error)) from None
    chosen.update(p for name in COMPANIONS.get(card.reader, ()) if (p := source / name).is_file())
    _refuse_links_that_leave(source, card, chosen)
    if not chosen:
        raise InputError(
            f"no file in {source} matches include = {card.include}, exclude = {card.exclude}",
            remedy="Put files there, or correct the patterns in the card.",
        )
    return sorted((_name(p.relative_to(source).as_posix()), p) for p in chosen)


def copy_in(source: Path, into: Path, card: Card) -> None:
    """Copy the selected files into the folder `into`, each under its path inside the source.

    Raises:
        DeclarationError, InputError: as `selection`; InputError too when a file cannot be read.
        OSError: the disk is full. That is no fault of the source: even an optional one must not be passed
            over for it.
    """
    for name, path in selection(source, card):
        target = into / name
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copyfile(path, target)
        except OSError as error:
            if error.errno in NO_ROOM:
                raise
            raise InputError(
                f"the file cannot be copied: {error.strerror or error}",
                place=name,
            ) from None


def fingerprint(source: Path, card: Card, cache: Path, *, now: Callable[[], int] = time.time_ns) -> str:
    """The digest over path inside, size and SHA-256 of every selected file.

    Args:
        cache: a JSON file of digests already known; made anew where it is absent or damaged. One file may
            serve several sources.
        now: nanoseconds since the epoch, as the file system tells them.

    Raises:
        DeclarationError, InputError: as `selection`; InputError too when a file changes while it is read.
    """
    known = _load(cache)
    fresh: dict[str, list[Any]] = {}
    entries = []
    for name, path in selection(source, card):
        key = os.path.abspath(path)
        try:
            began, before = now(), stamp_of(path, follow=True)
            remembered = known.get(key, [])[:-1] == before
            if remembered:
                digest = known[key][-1]
            else:
                digest = sha256_file(path)
                if stamp_of(path, follow=True) != before:
                    raise InputError(
                        "the file changes while it is read",
                        place=name,
                        remedy="Wait until it is finished, then run again.",
                    )
        except OSError as error:
            raise InputError(f"the file cannot be read: {error.strerror or error}", place=name) from None
        if remembered or settled(before, began):
            fresh[key] = [*before, digest]
        entries.append([name, before[0], digest])
    root = os.path.abspath(source)
    others = {k: v for k, v in known.items() if k != root and not k.startswith(root + os.sep)}
    if (merged := others | fresh) != known:
        # A project that may only be read can still be looked at: what is not remembered is read again.
        with contextlib.suppress(OSError):
            write_aside(cache, canonical_json({"version": CACHE_VERSION, "files": merged}))
    return sha256_json(entries)


def _load(cache: Path) -> dict[str, list[Any]]:
    """The remembered digests; none where the file is absent, damaged or of another version."""
    try:
        data = json.loads(cache.read_bytes())
        if data["version"] != CACHE_VERSION:
            return {}
        return {
            key: entry
            for key, entry in data["files"].items()
            if [type(value) for value in entry] == [int, int, int, int, str] and len(entry[4]) == 64
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _name(name: str) -> str:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        raise InputError(
            f"the file name {name.encode('utf-8', 'surrogateescape')!r} is not UTF-8",
            remedy="Rename the file.",
        ) from None
    return name


def _refuse_what_is_no_file(source: Path, card: Card) -> None:
    """Refuse a pipe, a socket or a device that the patterns select: it cannot be copied in."""
    excluded = {p for pattern in card.exclude for p in source.glob(pattern)}
    for pattern in card.include:
        for path in source.glob(pattern):
            if path.is_file() or path.is_dir() or not path.exists() or path in excluded:
                continue
            if not _hidden(path.relative_to(source)):
                raise InputError(
                    "this is no ordinary file, but a pipe, a socket or a device",
                    place=path.relative_to(source).as_posix(),
                    remedy="Take it away, or name it in `exclude` in the card.",
                )


def _refuse_links_that_leave(source: Path, card: Card, chosen: set[Path]) -> None:
    """Refuse links out of the folder: those chosen, and linked folders, which a pattern would pass over."""
    home = source.resolve()
    excluded = {p for pattern in card.exclude for p in source.glob(pattern)}
    suspects = set(chosen)

    def unreadable(error: OSError) -> None:
        raise InputError(
            f"the folder {error.filename} cannot be read: {error.strerror}",
            remedy="Give yourself the right to read it, or name it in `exclude` in the card.",
        )

    for root, folders, files in os.walk(source, onerror=unreadable):
        folders[:] = [
            name for name in folders if not name.startswith(".") and Path(root, name) not in excluded
        ]
        suspects.update(Path(root, name) for name in folders if Path(root, name).is_symlink())
        for name in files:
            path = Path(root, name)
            dangling = path.is_symlink() and not path.exists() and not name.startswith(".")
            # A pattern without a wildcard does not find a link that leads nowhere: ask the name as well.
            if dangling and path not in excluded and not any(map(path.match, card.exclude)):
                suspects.add(path)
    for path in sorted(suspects):
        target = Path(os.path.realpath(path))
        if not target.is_relative_to(home) or not target.exists():
            where = f"out of the folder, to {target}" if target.exists() else f"nowhere ({target})"
            raise InputError(
                f"the link leads {where}",
                place=path.relative_to(source).as_posix(),
                remedy="Put the file itself there, or name the link in `exclude` in the card.",
            )
