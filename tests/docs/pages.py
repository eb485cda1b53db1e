"""Pages of the documentation as tests see them: fenced blocks, commands, links, tables, headings.

A fence's first word is its language, as everywhere; what follows is for the tests and is shown by no viewer:

    ```console              commands after `$ `, run in order; other lines are what they print
    ```console exit=3       the last command ends with this code
    ```console no-run       not run: it blocks, fetches or takes minutes
    ```console needs=PROGRAM   run only where that program is installed
    ```console later=HOURS  run by a clock of governance that is so many hours ahead
    ```toml file=PATH       written to PATH before the commands below it
    ```toml declaration     a whole hemicycle.toml; `card`: a source card; `fragment`: a part of a declaration
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Block:
    """A fenced block. `marks` are the words after the language; `line` is that of the fence, from 1."""

    language: str
    marks: tuple[str, ...]
    text: str
    line: int

    def mark(self, name: str) -> str | None:
        """The value of a mark `name=value`."""
        return next((m.partition("=")[2] for m in self.marks if m.startswith(f"{name}=")), None)

    def commands(self) -> list[tuple[str, list[str]]]:
        """Each command with the lines it is said to print; a line that ends in a backslash goes on."""
        found: list[tuple[str, list[str]]] = []
        for line in self.text.replace("\\\n", " ").splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            elif found:
                found[-1][1].append(line)
        return found


def pages() -> list[Path]:
    """The pages whose commands are run."""
    return [*sorted(ROOT.glob("README*.md")), *sorted((ROOT / "docs").glob("*.md"))]


def all_pages() -> list[Path]:
    return sorted({*pages(), *ROOT.glob("*.md")})


def blocks(text: str) -> list[Block]:
    found: list[Block] = []
    fence: list[str] | None = None
    lines: list[str] = []
    start = 0
    for number, line in enumerate(text.splitlines(), 1):
        if fence is None and line.startswith("```"):
            fence, lines, start = line[3:].split(), [], number
        elif fence is not None and line == "```":
            language, *marks = fence or [""]
            found.append(Block(language, tuple(marks), "\n".join(lines) + "\n", start))
            fence = None
        elif fence is not None:
            lines.append(line)
    assert fence is None, f"the fence of line {start} is never closed"
    return found


def prose(text: str) -> str:
    """The text without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def links(text: str) -> list[str]:
    """The targets of links and images."""
    return re.findall(r"\]\(([^)\s]+)\)", prose(text)) + re.findall(r'src="([^"]+)"', prose(text))


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives to headings."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ +(.+)$", prose(text), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").strip().lower()
        slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        count = 0
        while (unique := f"{slug}-{count}" if count else slug) in found:
            count += 1
        found.add(unique)
    return found


def tables(text: str) -> dict[str, dict[str, list[str]]]:
    """Heading → first cell, without its backticks → the row's other cells. Rows of one heading are joined."""
    found: dict[str, dict[str, list[str]]] = {}
    heading = ""
    for line in prose(text).splitlines():
        if line.startswith("#"):
            heading = line.lstrip("# ").strip()
        elif match := re.match(r"\| *`([^`]+)` *\|(.*)\|$", line):
            found.setdefault(heading, {})[match[1]] = [cell.strip() for cell in match[2].split(" | ")]
    return found
