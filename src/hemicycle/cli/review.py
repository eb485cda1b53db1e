"""`hemicycle review`: what somebody else's data set is worth, subset by subset."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hemicycle.cli.session import FOLDER, Session, json_option, print_json, progress
from hemicycle.cli.tables import cell, print_table, relative
from hemicycle.errors import DeclarationError, did_you_mean
from hemicycle.project import DECLARATION
from hemicycle.sources.rows import KINDS

_SHOWN = 100


@click.command()
@click.argument("dataset", type=FOLDER)
@click.option(
    "--report",
    "out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the report; by default NAME-review here.",
)
@click.option(
    "--out",
    "taken",
    type=click.Path(file_okay=False, path_type=Path),
    help="A new folder for what could be taken of usable subsets; needs --all.",
)
@click.option(
    "--sample",
    type=click.IntRange(1),
    help="Documents measured of each subset; 2000 by default.",
)
@click.option("--all", "everything", is_flag=True, help="Measure all documents.")
@click.option(
    "--against",
    multiple=True,
    type=FOLDER,
    help="A corpus we have already; in a project, its corpora by default.",
)
@click.option("--evaluation", type=FOLDER, help="Evaluation files that no document should hold text of.")
@click.option("--umbrella", metavar="SPDX", help="The licence that the whole is declared to be under.")
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    metavar="[SUBSET=]KIND",
    help="What the documents are, of all subsets or of one: it decides the rules of quality.",
)
@click.option(
    "--rules", multiple=True, metavar="SET", help="Sets of rules of quality; by default those of the kind."
)
@click.option("--text-field", default="text", show_default=True, help="The field of the text in a row.")
@json_option
def command(
    dataset: Path,
    out: Path | None,
    taken: Path | None,
    sample: int | None,
    everything: bool,
    against: tuple[Path, ...],
    evaluation: Path | None,
    umbrella: str | None,
    kinds: tuple[str, ...],
    rules: tuple[str, ...],
    text_field: str,
    as_json: bool,
) -> None:
    """Review DATASET: a folder of Parquet, JSON Lines or CSV with its cards, as hubs lay it out.

    Each subset gets a verdict (usable, usable with duties, review, refuse) with its reasons: what is stated
    of its licence and where, its languages, quality, copies, personal data, repeated passages, and text of
    evaluations in it. Nothing is fetched, and the data set is not changed.

    Exit codes: 0 reviewed, whatever the verdicts; 1 a subset could not be read; 2 the call is wrong.

    \b
    Examples:
      hemicycle review roots
      hemicycle review roots --sample 500 --evaluation piaf --kind roots_fr_senat=debate
      hemicycle review roots --all --against build/corpus/debats-… --out taken
    """
    from hemicycle.engines import Local
    from hemicycle.review.make import SAMPLE, Asked, review
    from hemicycle.review.report import PAGES
    from hemicycle.review.taken import check_room

    if everything and sample is not None:
        raise DeclarationError("--all and --sample cannot both be meant")
    if taken is not None:
        if not everything:
            raise DeclarationError(
                "--out is for all documents, and a sample would be measured", remedy="Add --all."
            )
        check_room(taken)
    out = out or Path(f"{dataset.resolve().name}-review")
    for folder in filter(None, (out, taken)):
        if folder.resolve().is_relative_to(dataset.resolve()):
            raise DeclarationError(
                "this folder is inside the data set, which is not to be changed",
                place=str(folder),
                remedy="Name another one with --report.",
            )
    by_subset, kind = _kinds(kinds)
    asked = Asked(
        sample=None if everything else sample or SAMPLE,
        against=against or _own_corpora(),
        evaluation=evaluation,
        umbrella=umbrella,
        text_field=text_field,
        kind=kind,
        kinds=by_subset,
        rules=rules or Asked.rules,
    )
    report = review(dataset, out, asked, taken=taken, engine=Local(), progress=progress())
    if unread := report["evaluations_unread"]:
        named = ", ".join(cell(name) for name in unread[:5])
        more = f" and {len(unread) - 5} more" if len(unread) > 5 else ""
        click.echo(f"not read of the evaluations: {named}{more}", err=True)
    if as_json:
        print_json(report)
    else:
        _print(report)
        click.echo(f"the report: {relative(out / PAGES['en'])}, {relative(out / PAGES['fr'])}", err=True)
    if report["unreadable"]:
        raise click.exceptions.Exit(1)


def _kinds(given: tuple[str, ...]) -> tuple[dict[str, str], str]:
    """Kinds by subset, and that of the others."""
    by_subset: dict[str, str] = {}
    kind = "other"
    for text in given:
        subset, sign, named = text.rpartition("=")
        if named not in KINDS:
            raise DeclarationError(
                f"there is no kind “{named}” of documents",
                place=f"--kind {text}",
                remedy=did_you_mean(named, KINDS) or f"Kinds: {', '.join(sorted(KINDS))}.",
            )
        if sign:
            by_subset[subset] = named
        else:
            kind = named
    return by_subset, kind


def _own_corpora() -> tuple[Path, ...]:
    """The corpora that stand in the project one stands in; none outside of one."""
    here = Path.cwd()
    if not any((folder / DECLARATION).is_file() for folder in (here, *here.parents)):
        return ()
    session = Session(here)
    steps = [s for s in session.flow.up_to("curate") if s.stage == "corpus"]
    found = tuple(o.folder for o in session.pipeline().look(steps) if o.step.stage == "corpus" and o.folder)
    for folder in found:
        click.echo(f"compared with {relative(folder)}", err=True)
    return found


def _print(report: dict[str, Any]) -> None:
    for subset in report["subsets"]:
        click.echo(f"{click.style(cell(subset['name']), bold=True)}: {subset['verdict']}")
        for reason in subset["reasons"]:
            said = cell(reason["en"])
            click.echo(f"  {said if len(said) <= _SHOWN else f'{said[: _SHOWN - 1]}…'}")
    print_table(
        ["subset", "verdict", "documents", "measured", "licence traced to"],
        [
            [s["name"], s["verdict"], s["documents"], s.get("measured"), s["licence"]["expression"]]
            for s in report["subsets"]
        ],
    )
    for one in report.get("taken", ()):
        click.echo(f"taken of {cell(one['subset'])}: {cell(one['documents'])} documents as {one['name']}")
