"""`hemicycle curate passages`: what stands in a corpus more than once, word for word."""

from __future__ import annotations

import os
from pathlib import Path

import click

from hemicycle.cli.asking import needed
from hemicycle.cli.session import How, Session, build, json_option, print_json, progress, project_option
from hemicycle.cli.tables import cell, print_table
from hemicycle.errors import DeclarationError, did_you_mean
from hemicycle.steps import in_order

#: Passages shown; --out has them all.
SHOWN = 10


@click.command("passages")
@click.argument("corpus")
@click.option("--words", default=50, show_default=True, type=click.IntRange(2), help="Shortest passage.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write all passages to this file (.parquet).",
)
@project_option
@json_option
def passages(corpus: str, words: int, out: Path | None, folder: Path, as_json: bool) -> None:
    """Find what stands in CORPUS more than once, word for word: chapters of two editions, quotations,
    formulas. Whole copies of documents are gone by then; how much is left says whether a model will learn by
    heart.

    “In passages” is the share of words in such stretches; “read before” counts only those that stood earlier
    in the order of the index, so what a reader of the whole corpus reads again.

    It is found in the index of the corpus, which is built if it is not there. Nothing is taken out of the
    corpus: a rule, a source left out or a card's own lines to remove do that.

    \b
    Examples:
      hemicycle curate passages debats
      hemicycle curate passages debats --words 25 --out passages.parquet
      hemicycle curate passages debats --json
    """
    import pyarrow.compute as pc

    from hemicycle.documents import write_parquet
    from hemicycle.store import sync_file
    from hemicycle.trace import open_index
    from hemicycle.trace.passages import PASSAGES, find_repeated

    session = Session(folder)
    corpora = session.project.declaration.corpora
    if corpus not in corpora:
        raise DeclarationError(
            f"there is no corpus “{corpus}”",
            remedy=did_you_mean(corpus, corpora) or f"Declared: {', '.join(corpora) or 'none'}.",
        )
    if out is not None and out.suffix != ".parquet":
        raise DeclarationError(
            "the name of a Parquet file must end in .parquet",
            place=str(out),
            remedy=f"For example --out {out.with_suffix('.parquet')}.",
        )
    steps = {"corpus": session.flow.corpus(corpus), "index": session.flow.index(corpus)}
    outcomes = {o.step: o for o in build(session, in_order([*steps.values()]), How(), as_json=as_json)}
    folders = {role: needed(outcomes[step], outcomes.values())[1] for role, step in steps.items()}
    index = open_index(folders["index"], verify=False)
    found = find_repeated(index, [folders["corpus"]], words, progress=progress())
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        aside = out.with_name(f".{out.name}.{os.getpid()}.aside")
        write_parquet(aside, PASSAGES, [found.passages])
        sync_file(aside)
        aside.rename(out)
    longest = found.passages.take(pc.sort_indices(found.passages, [("words", "descending")])[:SHOWN])
    if as_json:
        print_json(
            {
                "corpus": corpus,
                "min_words": words,
                "passages": found.passages.num_rows,
                "sources": found.sources,
                "longest": longest.to_pylist(),
            }
        )
        return
    print_table(
        ["source", "words", "in passages", "read before"],
        [
            [name, s["words"], _share(s["repeated"], s["words"]), _share(s["again"], s["words"])]
            for name, s in found.sources.items()
        ],
    )
    if not found.passages.num_rows:
        click.echo(f"No stretch of {cell(words)} words or more stands in it more than once, word for word.")
    for row in longest.to_pylist():
        place = f"{cell(row['document'])}, characters {cell(row['start'])} to {cell(row['end'])}"
        click.echo(f"{cell(row['words'])} words, {cell(row['again'])} of them read before: {place}")
    more = found.passages.num_rows - longest.num_rows
    if more > 0 and out is None:
        click.echo(f"{cell(more)} more; --out writes all of them.")


def _share(part: int, whole: int) -> str:
    return f"{100 * part / max(whole, 1):.1f} %"
