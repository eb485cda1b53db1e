"""`hemicycle tokenize`: tokenizers, corpora through them, and how well they fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hemicycle.cli.session import (
    FOLDER,
    How,
    Session,
    build,
    finish,
    json_option,
    outcomes_json,
    print_json,
    progress,
    project_option,
    work_options,
)
from hemicycle.cli.summary import missing_hint
from hemicycle.cli.tables import print_table, relative
from hemicycle.errors import DeclarationError
from hemicycle.flow import TOKENISED
from hemicycle.ledger import Statement
from hemicycle.steps import Outcome


def show(made: list[Statement]) -> None:
    head = ["corpus", "tokenizer", "documents", "tokens", "bytes per token", "shards"]
    rows = []
    for s in made:
        corpus, tokenizer = s.subject.name.split(".")
        f = s.figures
        rows.append([corpus, tokenizer, f["documents"], f["tokens"], f["bytes_per_token"], f["shards"]])
    print_table(head, rows)


def show_fertility(corpus: str, rows: list[dict[str, Any]]) -> None:
    """One line a group and tokenizer; the last group is all of them."""
    head = [
        "corpus",
        "language",
        "variety",
        "period",
        "words",
        "tokenizer",
        "tokens per word",
        "bytes per token",
    ]
    lines = []
    for row in rows:
        group = ["all"] * 3 if row is rows[-1] else [row["language"], row["variety"], row["period"]]
        lines += [
            [corpus, *group, row["words"], name, found["tokens_per_word"], found["bytes_per_token"]]
            for name, found in row["tokenizers"].items()
        ]
    click.echo()
    print_table(head, lines)


def measure(session: Session, outcomes: list[Outcome], compared: tuple[Path, ...]) -> dict[str, Any]:
    """Corpus → fertility of its tokenizers and of the folders to compare with, on what it holds out."""
    from hemicycle.tokens import fertility

    folders = {(o.step.stage, o.step.name): o.folder for o in outcomes if o.folder is not None}
    by_corpus: dict[str, dict[str, Path]] = {}
    for (stage, name), folder in folders.items():
        if stage == "tokenizer":
            by_corpus.setdefault(session.project.declaration.tokenizers[name].corpus, {})[name] = folder
    others = {str(path): path for path in compared}
    return {
        corpus: fertility(folders["corpus", corpus], tokenizers | others, progress=progress())
        for corpus, tokenizers in sorted(by_corpus.items())
    }


def draw_fertility(session: Session, corpus: str, rows: list[dict[str, Any]]) -> None:
    """Write the picture of a corpus' table beside its report; without matplotlib, say what it takes."""
    from hemicycle.store import write_aside
    from hemicycle.tokens.fertility_picture import fertility_picture

    try:
        png = fertility_picture(rows)
    except DeclarationError as lacking:
        click.echo(f"no picture: {lacking.what}; {lacking.remedy}", err=True)
        return
    place = session.project.folder / "reports" / corpus / "fertility.png"
    write_aside(place, png)
    click.echo(f"picture: {relative(place)}")


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--fertility",
    "wanted",
    is_flag=True,
    help="Measure tokens per word on held-out text; draw it.",
)
@click.option(
    "--compare",
    "compared",
    multiple=True,
    type=FOLDER,
    help="A folder with another tokenizer.json to measure on the same text; may be given several times.",
)
@project_option
@work_options
@json_option
def command(
    names: tuple[str, ...],
    wanted: bool,
    compared: tuple[Path, ...],
    folder: Path,
    how: How,
    as_json: bool,
) -> None:
    """Train the tokenizers and tokenise the corpora that the models read.

    A NAME is that of a tokenizer, or CORPUS.TOKENIZER for the tokens of one corpus. The picture of
    --fertility is written to reports/CORPUS/fertility.png in the project; with --json nothing is.

    \b
    Examples:
      hemicycle tokenize
      hemicycle tokenize fr8k --dry-run
      hemicycle tokenize fr8k --fertility --compare ../bloom
    """
    # Before the work, not after hours of it.
    for path in compared:
        if not (path / "tokenizer.json").is_file():
            raise DeclarationError(
                "there is no tokenizer in this folder",
                place=str(path),
                remedy="For --compare, name a folder with tokenizer.json.",
            )
    session = Session(folder)
    steps = session.flow.up_to("tokenize", names)
    outcomes = build(session, steps, how, as_json=as_json)
    made = [o.statement for o in outcomes if o.statement and o.step.stage in TOKENISED]
    measured = measure(session, outcomes, compared) if (wanted or compared) and not how.dry_run else {}
    if as_json:
        told = {"tokens": {s.subject.name: s.figures for s in made}, "fertility": measured}
        print_json({"steps": outcomes_json(outcomes), **told})
    elif not how.dry_run:
        show(made)
        for corpus, rows in measured.items():
            show_fertility(corpus, rows)
            draw_fertility(session, corpus, rows)
        missing_hint(session, outcomes)
    finish(outcomes)
