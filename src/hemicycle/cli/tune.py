"""`hemicycle tune`: tune models, and show what that changed."""

from __future__ import annotations

import json
from pathlib import Path

import click

from hemicycle.cli.stage import stage_verb
from hemicycle.cli.summary import print_results
from hemicycle.cli.tables import cell
from hemicycle.ledger import Statement


def show(made: list[tuple[Statement, Path]]) -> None:
    for number, (_, folder) in enumerate(made):
        if number:
            click.echo()
        results = json.loads((folder / "results.json").read_text("utf-8"))
        print_results(results)
        for sample in results["samples"]:
            click.echo(f"\n{cell(sample['question'])}")
            for name in sorted(sample["given"], key=lambda one: bool(results["models"][one]["began_from"])):
                click.echo(f"  {name}: {cell(sample['given'][name] or None)}")
            click.echo(f"  expected: {cell(sample['expected'])}")


command = stage_verb(
    "tune",
    "before-after",
    "MODEL",
    show,
    """Tune each MODEL that is declared with method "tune", and compare it with what it was made from.

    Of conversations the answers are learnt, in the chat template of the base; of any other text, all of it.
    Both models are measured on what is held out: answers, in bits per byte given their questions, and plain
    text, which shows what was forgotten. A few answers of both are shown.

    \b
    Examples:
      hemicycle tune
      hemicycle tune petit-repond --project examples/petit-dialogue
    """,
)
