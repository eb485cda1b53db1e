"""The journal: one JSON line a statement or decision, each with its own digest and that of the line before.

A line that is changed no longer has its digest; a line that is taken out leaves another whose `before` is
unknown; a line that is slipped in either breaks the chain or becomes a second head. Two copies of a
project that went on apart are joined by a merge line that names both heads: the lines of the other copy
are appended as they are, so nothing signed over them becomes void.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hemicycle.digests import canonical_json, sha256_bytes
from hemicycle.errors import IntegrityError
from hemicycle.store import write_aside

#: What the first line names as the line before it.
BEGINNING = "0" * 64


@dataclass(frozen=True)
class Line:
    """A line of the journal. `heads` has one entry, or two where it merges; `number` counts from 1."""

    number: int
    kind: str
    heads: tuple[str, ...]
    content: dict[str, Any]
    digest: str

    @property
    def raw(self) -> bytes:
        """The line as it stands in the file, without its end."""
        body = {"kind": self.kind, "before": list(self.heads), "content": self.content}
        return canonical_json(body | {"digest": self.digest})


def make_line(kind: str, content: dict[str, Any], heads: tuple[str, ...], number: int = 0) -> Line:
    body = {"kind": kind, "before": list(heads), "content": content}
    return Line(number, kind, heads, content, sha256_bytes(canonical_json(body)))


class Journal:
    """`journal.jsonl`. One writer at a time: the pipeline holds the project's lock while it appends."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def lines(self) -> list[Line]:
        """All lines, checked. Raises IntegrityError at the first that is not what it says."""
        lines, problems = self.read()
        if problems:
            number, what = problems[0]
            raise IntegrityError(
                what,
                place=f"{self.path}, line {number}",
                remedy="`hemicycle verify` lists everything that is wrong; restore the file from a copy.",
            )
        return lines

    def read(self) -> tuple[list[Line], list[tuple[int, str]]]:
        """All lines that can be read, and what is wrong with the file as (line number, sentence)."""
        return read_lines(self.path.read_bytes() if self.path.exists() else b"")

    @property
    def head(self) -> str:
        lines = self.lines()
        return lines[-1].digest if lines else BEGINNING

    def append(self, kind: str, content: dict[str, Any], *, heads: tuple[str, ...] | None = None) -> str:
        """Add one line and return its digest, the new head."""
        line = make_line(kind, content, heads or (self.head,))
        self.write([line])
        return line.digest

    def write(self, lines: Iterable[Line]) -> None:
        """Add lines at the end and flush them to disk."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as f:
            f.write(b"".join(line.raw + b"\n" for line in lines))
            f.flush()
            os.fsync(f.fileno())

    def mend_torn_tail(self) -> bool:
        """Drop a last line that a crash cut off in the middle. A whole line is never dropped.

        The signed head holds the line, and enters it again. A last line that is valid JSON but lacks only
        its line end is whole: the line end is added.
        """
        data = self.path.read_bytes() if self.path.exists() else b""
        if not data or data.endswith(b"\n"):
            return False
        keep, _, tail = data.rpartition(b"\n")
        whole = not isinstance(parse_line(0, tail), str)
        write_aside(self.path, (data if whole else keep) + (b"\n" if whole or keep else b""))
        return True

    def lines_to_join(self, other: Journal) -> list[Line]:
        """The lines that take in another copy of this journal.

        Where both copies went on apart, a merge line that names both heads comes last; where only the other
        went on, its lines are simply the next ones. Raises IntegrityError where they are no copies.
        """
        ours, theirs = self.lines(), other.lines()
        if ours and theirs and ours[0].digest != theirs[0].digest:
            raise IntegrityError(
                "the two journals do not begin alike: they are of different projects", place=str(other.path)
            )
        known = {line.digest for line in ours}
        new = [line for line in theirs if line.digest not in known]
        if new and ours and ours[-1].digest not in {line.digest for line in theirs}:
            new.append(make_line("merge", {}, (ours[-1].digest, theirs[-1].digest)))
        return new


def read_lines(data: bytes) -> tuple[list[Line], list[tuple[int, str]]]:
    """The lines of a journal's bytes, and what is wrong with them as (line number, sentence)."""
    lines: list[Line] = []
    problems: list[tuple[int, str]] = []
    known, open_heads = {BEGINNING}, {BEGINNING}
    for number, raw in enumerate(data.split(b"\n")[: -1 if data.endswith(b"\n") else None], 1):
        if not raw and not data:
            break
        line = parse_line(number, raw)
        if isinstance(line, str):
            problems.append((number, line))
            continue
        unknown = [h for h in line.heads if h not in known]
        if unknown:
            problems.append((number, f"it follows a line {unknown[0][:12]}… that is not there"))
        if line.digest in known:
            problems.append((number, "the same line stands here twice"))
        known.add(line.digest)
        open_heads = (open_heads - set(line.heads)) | {line.digest}
        lines.append(line)
    if data and not data.endswith(b"\n"):
        problems.append((data.count(b"\n") + 1, "the last line is cut off"))
    if lines and not problems and open_heads != {lines[-1].digest}:
        stray = next(line for line in lines if line.digest in open_heads)
        problems.append((stray.number, "nothing follows this line, yet it is not the last"))
    return lines, problems


def parse_line(number: int, raw: bytes) -> Line | str:
    """A line, or a sentence that says why it is none."""
    try:
        body = json.loads(raw)
        digest = body.pop("digest")
        line = Line(number, body["kind"], tuple(body["before"]), body["content"], digest)
        if not all(isinstance(h, str) for h in [digest, line.kind, *line.heads]):
            return "this is not a line of a journal"
        if not isinstance(line.content, dict):
            return "this is not a line of a journal"
        if canonical_json(body | {"digest": digest}) != raw:
            return "the line is not in canonical form"
        if sha256_bytes(canonical_json(body)) != digest:
            return "the line does not have the digest it states: it was changed"
        if not line.heads or set(body) != {"kind", "before", "content"}:
            return "the line has other fields than a journal's"
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return "this is not a line of a journal"
    return line


def statements_in(lines: Iterable[Line]) -> dict[str, str]:
    """Statement file → its digest, as the journal's lines state them."""
    return {
        str(line.content.get("file")): str(line.content.get("sha256"))
        for line in lines
        if line.kind == "statement"
    }


def dropped_in(lines: Iterable[Line]) -> set[str]:
    """Artefacts that were deleted on purpose and not built again since."""
    dropped: set[str] = set()
    for line in lines:
        if line.kind == "drop":
            dropped.update(map(str, line.content.get("artefacts", [])))
        elif line.kind == "statement":
            dropped.discard(str(line.content.get("file")).rsplit("-", 1)[0])
    return dropped
