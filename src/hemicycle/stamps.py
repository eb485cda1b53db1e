"""Stamps: what tells, without reading a file again, that it is still the one that was read.

A second run must not read a terabyte to learn that nothing changed. A stamp is a file's size, times and
inode; a file under the stamp it had when it was last read is taken for unchanged.

Two traps. File systems tell times in steps, and within one step a file can change once more under the same
stamp: a stamp is believed only if it was older than that when the reading began. And a stamp convinces nobody
else: who can write the cache can forge it, and a disk that decays moves no time. So stamps are kept in the
cache, beside the ledger and not in it, and whoever answers to others (`verify`, a release) reads every byte.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from hemicycle.digests import canonical_json
from hemicycle.store import write_aside

if TYPE_CHECKING:
    from hemicycle.ledger import Statement

#: Size, time of content, time of inode (both in nanoseconds), inode.
Stamp = list[int]

COARSEST_STEP_NS = 2_000_000_000
CACHE_VERSION = 1


def stamp_of(path: Path, *, follow: bool = False) -> Stamp:
    """The stamp of a file; where a link is followed, of what it leads to."""
    stat = os.stat(path, follow_symlinks=follow)
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]


def settled(stamp: Stamp, began: int) -> bool:
    """Whether a file under this stamp, read from `began` on (nanoseconds since the epoch), would show by
    another stamp that it was changed since."""
    _, content, inode, _ = stamp
    return max(content, inode) + COARSEST_STEP_NS < began


class Stamps:
    """The stamps under which the files of artefacts were found to be what the ledger states.

    One small file of JSON for each step, of its last artefact only: the cache does not grow with the years.
    """

    def __init__(self, cache: Path, *, now: Callable[[], int] = time.time_ns) -> None:
        self.folder, self.now = cache / "stamps", now

    def known(self, statement: Statement) -> dict[str, Stamp]:
        """Path in the artefact → stamp; none where the cache is absent, damaged or of another artefact."""
        try:
            data = json.loads(self._file(statement).read_bytes())
            if (data["version"], data["artefact"]) != (CACHE_VERSION, statement.digest):
                return {}
            return {str(path): list(stamp) for path, stamp in data["files"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return {}

    def keep(self, statement: Statement, stamps: Mapping[str, Stamp], began: int) -> None:
        """Remember the stamps of files that were found to be those of the statement, read from `began` on."""
        files = {path: stamp for path, stamp in stamps.items() if settled(stamp, began)}
        if files == self.known(statement):
            return
        data = canonical_json({"version": CACHE_VERSION, "artefact": statement.digest, "files": files})
        # A project that may only be read can still be looked at: what is not remembered is read again.
        with contextlib.suppress(OSError):
            write_aside(self._file(statement), data)

    def _file(self, statement: Statement) -> Path:
        return self.folder / statement.subject.stage / f"{statement.subject.name}.json"
