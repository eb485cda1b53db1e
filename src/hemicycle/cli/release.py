"""`hemicycle release`: make the release folders."""

from __future__ import annotations

from pathlib import Path

import click

from hemicycle.cli.stage import stage_verb
from hemicycle.ledger import Statement


def show(statements: list[Statement]) -> None:
    for statement in statements:
        folder = Path("releases") / statement.subject.name
        size = sum(f.size for f in statement.files)
        click.echo(f"{folder}: {len(statement.files)} files, {size / 1e6:.1f} MB, signed (solo)")
        click.echo(f"  check it anywhere: hemicycle verify {folder}")


command = stage_verb(
    "release",
    "release",
    "RELEASE",
    show,
    """Make the folder of each RELEASE: model, cards, attribution, ledger, signature.

    The folder loads in transformers as it is, and whoever receives it can check it with nothing else.

    \b
    Examples:
      hemicycle release
      hemicycle release v0 --json
    """,
)
