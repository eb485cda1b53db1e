"""`hemicycle curate`: from admitted documents to a corpus."""

from __future__ import annotations

from pathlib import Path

import click

from hemicycle.cli.stage import stage_verb
from hemicycle.cli.tables import print_table
from hemicycle.ledger import Statement


def show(made: list[tuple[Statement, Path]]) -> None:
    for statement, _ in made:
        click.echo(f"corpus {statement.subject.name}")
        sources = statement.figures["sources"]
        print_table(
            ["source", "kept", "characters", "train", "held out", "dropped", "why dropped"],
            [
                [
                    name,
                    s["documents"],
                    s["characters"],
                    s["train"],
                    s["held_out"],
                    s["dropped"],
                    ", ".join(f"{why} {n}" for why, n in sorted(s["why"].items(), key=lambda p: -p[1])),
                ]
                for name, s in sources.items()
            ],
        )


command = stage_verb(
    "curate",
    "corpus",
    "CORPUS",
    show,
    """Clean, filter, split and deduplicate the admitted documents of each CORPUS.

    Every dropped document is kept beside the corpus with all the rules it broke and the values it had.

    \b
    Examples:
      hemicycle curate
      hemicycle curate debats --json
    """,
)
