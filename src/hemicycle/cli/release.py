"""`hemicycle release`: make the release folders."""

from __future__ import annotations

from pathlib import Path

import click

from hemicycle.cli.stage import stage_verb
from hemicycle.cli.tables import relative
from hemicycle.ledger import Statement


def show(made: list[tuple[Statement, Path]]) -> None:
    for statement, folder in made:
        size = sum(f.size for f in statement.files)
        shown = relative(folder)
        signed = f"signed ({statement.made['governance']})"
        click.echo(f"{shown}: {len(statement.files)} files, {size / 1e6:.1f} MB, {signed}")
        click.echo(f"  check it anywhere: hemicycle verify {shown}")


command = stage_verb(
    "release",
    "release",
    "RELEASE",
    show,
    """Make the folder of each RELEASE: model, cards, attribution, ledger, signature.

    The folder loads in transformers as it is, and whoever receives it can check it with nothing else. Every
    byte that it stands on is read first.

    \b
    Examples:
      hemicycle release
      hemicycle release v0 --json
    """,
    every_byte=True,
)
