"""`hemicycle tokenize`: tokenizers, and corpora through them."""

from __future__ import annotations

from pathlib import Path

from hemicycle.cli.stage import stage_verb
from hemicycle.cli.tables import print_table
from hemicycle.ledger import Statement


def show(made: list[tuple[Statement, Path]]) -> None:
    head = ["corpus", "tokenizer", "documents", "tokens", "bytes per token", "shards"]
    rows = []
    for s, _ in made:
        corpus, tokenizer = s.subject.name.split(".")
        f = s.figures
        rows.append([corpus, tokenizer, f["documents"], f["tokens"], f["bytes_per_token"], f["shards"]])
    print_table(head, rows)


command = stage_verb(
    "tokenize",
    "tokens",
    "NAME",
    show,
    """Train the tokenizers and tokenise the corpora that the models read.

    A NAME is that of a tokenizer, or CORPUS.TOKENIZER for the tokens of one corpus.

    \b
    Examples:
      hemicycle tokenize
      hemicycle tokenize fr8k --dry-run
    """,
)
