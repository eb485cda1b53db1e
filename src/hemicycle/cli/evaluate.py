"""`hemicycle evaluate`: measure models on held-out documents; look for those in their training text, and for
that in what they write."""

from __future__ import annotations

import json
from pathlib import Path

import click

from hemicycle.cli.asking import declared_model, needed
from hemicycle.cli.groups import DefaultGroup
from hemicycle.cli.session import (
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
from hemicycle.cli.summary import (
    print_contamination,
    print_evaluation,
    print_matches,
    print_regurgitation,
)
from hemicycle.errors import DeclarationError
from hemicycle.flow.corpora import index_name
from hemicycle.steps import Outcome


@click.group("evaluate", cls=DefaultGroup, default="models")
def command() -> None:
    """Measure models on held-out documents; look for what they are measured on in their training text, and
    for their training text in what they write.

    Without a verb, `models` is meant.

    \b
    Examples:
      hemicycle evaluate
      hemicycle evaluate base --compare ../other-model
      hemicycle evaluate contamination piaf-v1.1.json
      hemicycle evaluate regurgitation
    """


@command.command()
@click.argument("names", nargs=-1, metavar="[EVALUATION]...")
@click.option(
    "--compare",
    "compared",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Another model's folder to measure on the same documents; may be given several times.",
)
@project_option
@work_options
@json_option
def models(
    names: tuple[str, ...],
    compared: tuple[Path, ...],
    folder: Path,
    how: How,
    as_json: bool,
) -> None:
    """Measure the models of each EVALUATION in bits per byte, beside character n-grams and xz.

    \b
    Examples:
      hemicycle evaluate
      hemicycle evaluate base --json
      hemicycle evaluate base --compare ../other-model
    """
    session = Session(folder)
    if compared:
        session.compare_with([str(path.resolve()) for path in compared], names)
    made, outcomes = _bring_up(session, "evaluate", "evaluation", names, how, as_json=as_json)
    if as_json:
        figures = {o.step.name: o.statement.figures for o in made if o.statement}
        print_json({"steps": outcomes_json(outcomes), "evaluation": figures})
    elif not how.dry_run:
        for outcome in made:
            print_evaluation(outcome)
    finish(outcomes)


@command.command()
@click.argument("files", nargs=-1, type=click.Path(exists=True, path_type=Path), metavar="[SET]...")
@click.option("--model", help="In whose training text SETs are looked for; by default the last one declared.")
@click.option(
    "--question",
    "questions",
    multiple=True,
    metavar="FIELD",
    help="The field of the question, where its name does not tell; may be given several times.",
)
@click.option("--answer", "answers", multiple=True, metavar="FIELD", help="The same of the answer.")
@project_option
@work_options
@json_option
def contamination(
    files: tuple[Path, ...],
    model: str | None,
    questions: tuple[str, ...],
    answers: tuple[str, ...],
    folder: Path,
    how: How,
    as_json: bool,
) -> None:
    """Look for evaluation items in the training text: each SET, a file or a folder of JSON Lines, JSON, CSV,
    TSV or Parquet. Nothing is kept.

    Without SET, the sets that the project's evaluations declare, and all held-out documents, are looked for;
    what is found is kept, and a release shows it.

    Verbatim copies only: case, accents, punctuation and line breaks are set aside.

    \b
    Examples:
      hemicycle evaluate contamination
      hemicycle evaluate contamination piaf-v1.1.json
      hemicycle evaluate contamination mgsm_fr.tsv --question 1 --answer 2 --json
    """
    session = Session(folder)
    if files:
        _look_up(session, files, model, questions, answers, as_json=as_json)
        return
    if model or questions or answers:
        raise DeclarationError(
            "--model, --question and --answer are about SETs, and none is given",
            remedy="Of the sets that an evaluation declares, hemicycle.toml says models and fields.",
        )
    made, outcomes = _bring_up(session, "contamination", "contamination", (), how, as_json=as_json)
    if as_json:
        found = {o.step.name: _results(o, "contamination.json") for o in made}
        print_json({"steps": outcomes_json(outcomes), "contamination": found})
    elif not how.dry_run:
        for outcome in made:
            print_contamination(_results(outcome, "contamination.json"))
    finish(outcomes)


@command.command()
@click.argument("names", nargs=-1, metavar="[EVALUATION]...")
@project_option
@work_options
@json_option
def regurgitation(names: tuple[str, ...], folder: Path, how: How, as_json: bool) -> None:
    """Measure how much of its training text each model of an EVALUATION gives back.

    Passages are drawn from what the model read; it gets the tokens before each and goes on. Rates are told
    by the length of that prefix, by source, and by how often the passage stands in the training text, beside
    those of held-out documents, which the model never read.

    \b
    Examples:
      hemicycle evaluate regurgitation
      hemicycle evaluate regurgitation base --json
    """
    session = Session(folder)
    made, outcomes = _bring_up(session, "regurgitation", "regurgitation", names, how, as_json=as_json)
    if as_json:
        found = {o.step.name: _results(o, "regurgitation.json") for o in made}
        print_json({"steps": outcomes_json(outcomes), "regurgitation": found})
    elif not how.dry_run:
        for outcome in made:
            print_regurgitation(_results(outcome, "regurgitation.json"))
    finish(outcomes)


def _bring_up(
    session: Session, verb: str, stage: str, names: tuple[str, ...], how: How, *, as_json: bool
) -> tuple[list[Outcome], list[Outcome]]:
    """The outcomes of a stage that stand, and all outcomes."""
    outcomes = build(session, session.flow.up_to(verb, names), how, as_json=as_json)
    return [o for o in outcomes if o.statement and o.step.stage == stage], outcomes


def _results(outcome: Outcome, file: str) -> dict[str, object]:
    assert outcome.folder is not None
    found: dict[str, object] = json.loads((outcome.folder / file).read_text("utf-8"))
    return found


def _look_up(
    session: Session,
    files: tuple[Path, ...],
    model: str | None,
    questions: tuple[str, ...],
    answers: tuple[str, ...],
    *,
    as_json: bool,
) -> None:
    """Check files against the training text of a model, which need not be trained yet."""
    from hemicycle.evaluate.verbatim import check_sets
    from hemicycle.evaluate.verbatim.contamination import Set
    from hemicycle.evaluate.verbatim.sets import Fields
    from hemicycle.trace import open_index

    name = declared_model(session, model)
    flow, declaration = session.flow, session.project.declaration
    steps = [flow.corpus(c) for c in declaration.corpora_behind(name)] + [flow.index(index_name(flow, name))]
    standing = session.pipeline().look(steps)
    by_step = {o.step: o for o in standing}
    *corpora, index = (needed(by_step[step], standing)[1] for step in steps)
    sets = [Set(path, path.name, Fields(questions, answers)) for path in files]
    told, rows, unread = check_sets(open_index(index), corpora, sets, progress=progress())
    if as_json:
        print_json({"model": name, "sets": told, "not_read": unread, "items": rows})
        return
    print_contamination({"training": [{"models": [name], "sets": told, "held_out": []}], "not_read": unread})
    print_matches(rows)
