"""Tables on stdout, plain enough for a pipe."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from hemicycle.errors import visible


def cell(value: Any) -> str:
    """A value as people read it: thousands apart, four significant digits behind the point."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}".replace(",", " ")
    if isinstance(value, float):
        return f"{value:.3f}"
    return visible(str(value))


def counted(value: int, one: str, many: str) -> str:
    """A number with its noun, as `cell` writes numbers."""
    return f"{cell(value)} {one if value == 1 else many}"


def at_steps(first: int, last: int) -> str:
    """``at step 35``, ``at steps 1–46``."""
    return f"at step {cell(first)}" if first == last else f"at steps {cell(first)}–{cell(last)}"


def lines(text: str) -> str:
    """Text of several lines as a terminal may safely show it: each line as `cell` would."""
    return "\n".join(cell(line) for line in text.split("\n"))


def relative(path: Path) -> str:
    """A path as one would type it from here."""
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)


def print_table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print rows in columns; numbers to the right, text to the left."""
    texts = [[cell(v) for v in row] for row in rows]
    widths = [max(len(h), *(len(r[i]) for r in texts)) if texts else len(h) for i, h in enumerate(head)]
    right = [all(isinstance(r[i], int | float | None) for r in rows) for i in range(len(head))]

    def line(values: Sequence[str]) -> str:
        padded = (v.rjust(w) if r else v.ljust(w) for v, w, r in zip(values, widths, right, strict=True))
        return "  ".join(padded).rstrip()

    click.echo(click.style(line(head), bold=True))
    for row in texts:
        click.echo(line(row))
