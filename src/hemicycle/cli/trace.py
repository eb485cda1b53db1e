"""`hemicycle trace`: any text to the documents it matches."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hemicycle.cli.session import How, Session, build, finish, json_option, print_json, project_option
from hemicycle.cli.tables import at_steps, cell, counted, lines
from hemicycle.errors import DeclarationError, InputError
from hemicycle.steps import Step, in_order

if TYPE_CHECKING:
    from hemicycle.trace import Index


@click.command()
@click.argument("text", required=False)
@click.option(
    "--file",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Trace a work: a text in UTF-8, an .epub, .html or .pdf.",
)
@click.option(
    "--report",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write of a work a page (.html), and beside it a signed statement and proofs.",
)
@click.option("--answer", "prompt", help="Let the model go on from this text, then trace what it wrote.")
@click.option("--model", help="Which model; by default the last one declared.")
@click.option(
    "--unit",
    type=click.Choice(["words", "tokens"]),
    default="words",
    show_default=True,
    help="What matches are made of; an index of tokens is built when first asked for.",
)
@click.option("--min-words", default=8, show_default=True, type=click.IntRange(1), help="Shortest match.")
@project_option
@json_option
def command(
    text: str | None,
    file: Path | None,
    report: Path | None,
    prompt: str | None,
    model: str | None,
    unit: str,
    min_words: int,
    folder: Path,
    as_json: bool,
) -> None:
    """Find where TEXT stands, word for word, in what a model was trained on: the documents, the right each
    was used under, who cleared it, and when the model read it. `-` reads from standard input.

    Case, accents, punctuation and line breaks are set aside. Matches do not show what caused an answer.

    Of a work, all matches count, and the documents are told by how many of its words they hold. What is not
    found is signed for in a report too; `hemicycle verify` checks it, and the proofs that the documents shown
    are in their corpora.

    \b
    Examples:
      hemicycle trace "La séance est ouverte. L'ordre du jour appelle la discussion"
      hemicycle trace --file work.epub
      hemicycle trace --file work.pdf --report work.html
      hemicycle trace --answer "Monsieur le président," --min-words 4
    """
    given = [x for x in (text, file, prompt) if x is not None]
    if len(given) != 1:
        raise DeclarationError("give exactly one of TEXT, --file and --answer")
    if file is not None and unit == "tokens":
        raise DeclarationError(
            "a work is looked for by its words: another edition is cut into other tokens",
            remedy="Leave --unit out.",
        )
    if file is not None:
        from hemicycle.cli.trace_work import trace_file

        trace_file(Session(folder), model, file, min_words, report, as_json=as_json)
        return
    if report is not None:
        raise DeclarationError("a report is made of a work", remedy="Give the work as --file.")
    from hemicycle.cli.asking import open_model

    given_text = _read_stdin() if text == "-" else _checked(str(given[0]))
    session = Session(folder)
    if unit == "tokens":
        finish(build(session, in_order([_tokens_index(session, model)]), How(), as_json=as_json))
    asked = open_model(session, model, unit)
    asked_text = given_text if prompt is None else _continue(asked.folder, given_text)
    traced = asked.tracer.trace(asked_text, min_words=min_words, max_count=MOST, prompt=prompt or "")
    result = traced.to_json()
    if prompt is None and not result["words"]:
        raise DeclarationError(
            "there is no word in the text to trace",
            remedy="A word is a run of letters or digits.",
        )
    if as_json:
        print_json({"model": asked.name, "unit": unit, "text": asked_text, **result})
        return
    if prompt is not None:
        click.echo(f"{click.style(cell(prompt), dim=True)}{lines(asked_text)}\n")
    more = result["spans_found"] > len(result["spans"])
    common = _common(asked.tracer.index, asked_text, min_words) if more else 0
    print_trace(result, asked.name, unit, common)


#: Documents shown of each span; --json has them all.
SHOWN = 3

#: A match that stands more often is a formula, and not shown.
MOST = 10


def _read_stdin() -> str:
    data = sys.stdin.buffer.read()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"byte {error.start} (0x{data[error.start]:02x}) is not UTF-8",
            place=f"standard input, line {data.count(bytes([10]), 0, error.start) + 1}",
            remedy="Convert it first: `iconv -f ISO-8859-1 -t UTF-8`, for example.",
        ) from None


def _checked(text: str) -> str:
    """A text of the call itself. Raises DeclarationError where its bytes were not UTF-8."""
    try:
        text.encode("utf-8")
        return text
    except UnicodeEncodeError:
        raise DeclarationError(
            "the text is not UTF-8",
            remedy="Convert it, `iconv -f ISO-8859-1 -t UTF-8` for example, and give it on standard input.",
        ) from None


def _tokens_index(session: Session, model: str | None) -> Step:
    """The index of the tokens that a model read: after a withdrawal, the model as it was built before."""
    from hemicycle.cli.asking import declared_model, index_step, last_built, needed

    name = declared_model(session, model)
    flow, steps, standing = last_built(session.flow, name, "words", session.pipeline())
    # Nothing is built for a model that is not.
    needed(standing[steps["model"]], standing.values())
    return index_step(flow, name, "tokens")


def _common(index: Index, text: str, min_words: int) -> int:
    """How many matches of a text stand too often in the corpus to be shown."""
    from hemicycle.trace.query import BLANK_LINE, read_query
    from hemicycle.trace.spans import spans_of

    return sum(span.count > MOST for span in spans_of(index, read_query(index, text, BLANK_LINE), min_words))


def print_trace(result: dict[str, Any], model: str, unit: str, common: int = 0) -> None:
    """Spans and their documents, for people.

    Args:
        model: the one asked about.
        unit: what spans consist of.
        common: of the spans that are not shown, those that stand too often; the others are less rare.
    """
    one = unit.removesuffix("s")
    spans: dict[str, list[dict[str, Any]]] = {}
    for span in result["spans"]:
        spans.setdefault(" ".join(span["text"].split()), []).append(span)
    # What a text says again and again is told once.
    for text, (span, *again) in spans.items():
        times = f"  ({len(again) + 1} times in this text)" if again else ""
        click.echo(click.style(f"“{cell(text)}”", bold=True) + times)
        more = f", {SHOWN} of them shown" if len(span["documents"]) > SHOWN else ""
        size, times = counted(span["words"], one, unit), counted(span["count"], "time", "times")
        click.echo(f"  {size}, {times} in the training text{more}")
        for document in span["documents"][:SHOWN]:
            place = f" · {document['section']}" if document["section"] else ""
            click.echo(f"  {cell(document['title'] or document['id'])}{cell(place)}  [{document['source']}]")
            right = document["right"] or {}
            licence = cell(document["licence"] or "no licence")
            by = f" by {document['read_by']}" if document["read_by"] != model else ""
            steps = ""
            if document["first_step"] is not None:
                steps = f" · read{by} {at_steps(document['first_step'], document['last_step'])}"
            click.echo(
                click.style(
                    f"    {cell(document['id'])} · {licence} · {right.get('verdict', 'unknown')}"
                    f" ({cell(right.get('basis', ''))}){steps}",
                    dim=True,
                )
            )
    shown = len(result["spans"])
    counts = [f"{cell(len(spans))} shown"]
    if common:
        counts.append(f"{cell(common)} too common to show")
    if less := result["spans_found"] - shown - common:
        counts.append(f"{cell(less)} less rare than those")
    click.echo(
        f"{100 * result['coverage']:.0f} % of {counted(result['words'], one, unit)} stand in matches of "
        f"{counted(result['min_words'], one, unit)} or more ({'; '.join(counts)}). "
        "Verbatim only; a match is not a cause."
    )
    if result["withdrawn"]:
        from hemicycle.cli.asking import hidden

        click.echo(hidden(result["withdrawn"], model))
    if base := result["upstream_unknown"]:
        click.echo(
            f"{model} began as {cell(base)}, whose training text is not known: nothing of it is found."
        )


def _continue(model: Path, prompt: str) -> str:
    """What the model writes after a prompt, greedily, up to 60 tokens."""
    from hemicycle.serve import Params, load_engine

    engine = load_engine(model)
    return "".join(chunk.text for chunk in engine.generate(prompt, Params(max_tokens=60, temperature=0.0)))
