"""`hemicycle train`: train the models."""

from __future__ import annotations

from pathlib import Path

from hemicycle.cli.stage import stage_verb
from hemicycle.cli.tables import print_table
from hemicycle.ledger import Statement


def show(made: list[tuple[Statement, Path]]) -> None:
    print_table(
        ["model", "parameters", "steps", "tokens", "training loss", "tokens/s", "seconds"],
        [
            [
                s.subject.name,
                s.figures["parameters"],
                s.figures["steps"],
                s.figures["tokens"],
                s.figures["training_loss"],
                s.figures["tokens_per_second"],
                s.made["seconds"],
            ]
            for s, _ in made
        ],
    )


command = stage_verb(
    "train",
    "model",
    "MODEL",
    show,
    """Train each MODEL the project declares.

    Interrupted or killed, the next call goes on from the last checkpoint and ends in the same bits. A
    budget in minutes becomes a number of steps once; hemicycle.lock keeps it.

    \b
    Examples:
      hemicycle train
      hemicycle train petit --dry-run
      hemicycle train petit --ranks 4
      hemicycle train petit --on slurm --nodes 8
    """,
)
